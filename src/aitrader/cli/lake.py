"""`aitrader lake`: list, verify and export what the lake holds."""

from pathlib import Path
from typing import Annotated, Final, TypedDict, Unpack

import typer

from aitrader.cli.options import AsOf, EndDate, Outcome, Run, StartDate, Symbols, command, listed
from aitrader.cli.render import colored, table
from aitrader.domain.wording import counted

COMMANDS: Final = {
    "ls": ("aitrader.cli.lake:ls", "List the datasets and series of the lake."),
    "verify": ("aitrader.cli.lake:verify", "Check that every file of the lake is there and unharmed."),
    "export": ("aitrader.cli.lake:export", "Write a dataset to a .parquet or .csv file."),
}


@command
def ls(run: Run, as_of: AsOf = None) -> Outcome:
    """List the datasets and series of the lake.

    Rows count revisions too. Quarantined rows, which no other command reads, stand under quarantine/.
    """
    from aitrader.jobs import lake

    listing = lake.ls(run.lake_path, as_of=as_of)
    datasets = [
        (d.name, d.rows, d.files, _megabytes(d.size), d.first, d.last, _few((*d.sources, *d.names)), d.version)
        for d in listing.datasets
    ]
    series = [
        (s.source, s.symbols, f"{s.adjustment}{' (assumed)' if s.assumed else ''}", s.as_of, _traits(s), s.note)
        for s in listing.series
    ]
    columns = ("dataset", "rows", "files", "MB", "first", "last", "sources, features", "version")
    caption = f"{listing.path}, version {listing.version}, {_megabytes(listing.size):,.1f} MB"
    return Outcome(
        result=listing,
        tables=[
            table("Datasets", columns, datasets, caption=caption),
            table("Series", ("source", "symbols", "prices", "as of", "universe", "note"), series),
        ],
    )


@command
def verify(
    run: Run, deep: Annotated[bool, typer.Option("--deep", help="Read every byte and every value.")] = False
) -> Outcome:
    """Check that every file of the lake is there and unharmed; exit 3 if one is not.

    Files that no commit names are listed; they are harmless, and no command reads them.
    """
    from aitrader.jobs import lake

    found = lake.verify(run.lake_path, deep=deep, progress=run.progress)
    bad = [(colored("damaged", "bold red"), p.path, p.first, p.last, p.message) for p in found.problems]
    rows = [*bad, *((colored("orphan", "yellow"), path, None, None, "named by no commit") for path in found.orphans)]
    kind = "every byte read" if found.deep else "sizes and footers read; --deep reads every byte"
    summary = f"{counted(found.files, 'file')}, {_megabytes(found.size):,.1f} MB, {len(bad)} damaged ({kind})"
    shown = [table("Lake", ("state", "file", "first", "last", "why"), rows)] if rows else []
    return Outcome(
        result=found,
        tables=[*shown, summary],
        warnings=[f"{counted(len(found.orphans), 'file')} named by no commit"] if found.orphans else (),
        status="failed" if bad else "done",
        exit_code=3 if bad else 0,
    )


class Rows(TypedDict):
    """Which rows to export; None: all."""

    feature_set: Annotated[str | None, typer.Option("--feature-set", help="Only the features of this set.")]
    symbols: Symbols
    start: StartDate
    end: EndDate


@command
def export(
    run: Run,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A name as `aitrader lake ls` prints it.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Ends in .parquet or .csv.")],
    as_of: AsOf = None,
    **rows: Unpack[Rows],
) -> Outcome:
    """Write a dataset to a .parquet or .csv file.

    In CSV files, text that a spreadsheet would run as a formula gets a leading apostrophe.
    """
    from aitrader.jobs import lake

    cut = lake.Cut(rows["feature_set"], listed(rows["symbols"]), rows["start"], rows["end"])
    exported = lake.export(run.config, run.lake_path, dataset, out, cut, as_of=as_of, now=run.now)
    row = (exported.dataset, exported.rows, exported.symbols, exported.first, exported.last, exported.out)
    return Outcome(
        result=exported,
        tables=[table("Exported", ("dataset", "rows", "symbols", "first", "last", "file"), [row])],
        warnings=exported.warnings,
    )


def _megabytes(size: int) -> float:
    return round(size / 1e6, 1)


def _few(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:4])
    return f"{shown} and {len(names) - 4} more" if len(names) > 4 else shown


def _traits(series: object) -> str:
    traits = {"survivors only": "survivors_only", "hand-picked": "hand_picked"}
    return ", ".join(text for text, name in traits.items() if getattr(series, name))
