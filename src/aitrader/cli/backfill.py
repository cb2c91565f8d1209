"""``aitrader backfill``: bars and corporate actions into the lake."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, Unpack

import typer

from aitrader.cli.options import DryRun, EndDate, Outcome, Run, StartDate, Symbols, command, listed
from aitrader.cli.render import table
from aitrader.errors import UsageError

if TYPE_CHECKING:
    from aitrader.jobs.backfill import BackfillReport

_FILES = "Your own files (--source files)"


class Reading(TypedDict):
    """How your own files are read; None: found out from the file, or by default."""

    path: Annotated[
        Path | None, typer.Option(help="A CSV or Parquet file, or a folder of them.", rich_help_panel=_FILES)
    ]
    pattern: Annotated[
        str | None, typer.Option(help="One file per symbol, named like '{symbol}.csv'.", rich_help_panel=_FILES)
    ]
    columns: Annotated[
        str | None,
        typer.Option(
            "--map", help="Column names: Day=date,'Adj Close'=adj_close.", metavar="THEIRS=OURS", rich_help_panel=_FILES
        ),
    ]
    date_format: Annotated[
        str | None,
        typer.Option(help="How dates are written, such as %d/%m/%Y; default: found out.", rich_help_panel=_FILES),
    ]
    adjustment: Annotated[
        str | None, typer.Option(help="What prices are corrected for: raw, split or total.", rich_help_panel=_FILES)
    ]


@command
def backfill(
    run: Run,
    source: Annotated[str | None, typer.Option(help="Where from; default: data.source.", metavar="NAME")] = None,
    symbols: Symbols = None,
    start: StartDate = None,
    end: EndDate = None,
    dry_run: DryRun = False,
    **reading: Unpack[Reading],
) -> Outcome:
    """Fetch bars and corporate actions into the lake.

    Asks a source for what is missing and keeps each finished batch, so that a second run continues. Sources: sample and
    sp500_sample (real prices inside pip packages), files (your own), yahoo, alpaca. Rows that are no bars go to the
    quarantine. Exit code 3: fewer symbols than data.min_coverage have the last session's bar.
    """
    from aitrader.jobs.backfill import Wanted
    from aitrader.jobs.backfill import backfill as job

    wanted = Wanted(
        source=source,
        symbols=listed(symbols),
        start=start,
        end=end,
        options=_settings(reading),
        dry_run=dry_run,
        now=run.now,
        run_id=run.run_id,
        origins=run.loaded.origins,
    )
    report = job(run.config, run.root, wanted, secret=run.loaded.secret, clock=run.clock, progress=run.progress)
    shown = [_plan(report)] if report.dry_run else [_result(report)]
    return Outcome(report, shown, report.warnings, status=report.status)


def _settings(reading: Reading) -> dict[str, Any]:
    """Return what was given, as the settings of the source."""
    path, columns = reading["path"], reading["columns"]
    given = {
        **reading,
        "path": str(path.expanduser().resolve()) if path else None,
        "columns": column_names(columns) if columns else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def column_names(text: str) -> dict[str, str]:
    """Return ``Day=date,Adj Close=adj_close`` as a mapping from their names to ours.

    >>> column_names("Day=date,'Adj Close'=adj_close")
    {'Day': 'date', 'Adj Close': 'adj_close'}

    Raises
    ------
    UsageError
        A part is no pair, or a name stands twice.
    """
    parts = [part.rpartition("=") for part in text.split(",")]
    pairs = [(_unquoted(theirs), _unquoted(ours)) for theirs, _, ours in parts]
    names = dict(pairs)
    if len(names) != len(pairs) or not all(theirs and ours for theirs, ours in pairs):
        raise UsageError(
            f"--map {text!r} is not a list of THEIRS=OURS.", fix="Write it like --map Day=date,Vol=volume."
        )
    return names


def _unquoted(text: str) -> str:
    return text.strip().strip("'\"")


def _plan(report: "BackfillReport") -> Any:
    rows = [
        (len(batch.symbols), batch.symbols[0], batch.symbols[-1], batch.start, batch.end) for batch in report.batches
    ]
    columns = ("symbols", "first symbol", "last symbol", "from", "to")
    caption = "Nothing was fetched (dry run)." if rows else "Nothing is missing."
    return table(f"Plan for {report.source}", columns, rows, caption=caption)


def _result(report: "BackfillReport") -> Any:
    found = report.coverage
    covered = f"{found.share:.1%} of {found.present + len(found.absent)} symbols on {found.session}" if found else None
    kinds = ", ".join(f"{kind} ({count})" for kind, count in report.adjustment.items())
    ended = len(found.ended) if found else 0
    rows = [
        ("new rows", f"{report.rows:,}" if report.rows else "nothing new"),
        ("new corporate actions", f"{report.actions:,}"),
        ("quarantined rows", f"{report.quarantined:,}"),
        ("symbols asked for", f"{report.symbols:,}"),
        ("symbols to try again", f"{len(report.failed):,}"),
        ("symbols that ended before", f"{ended:,}"),
        ("coverage", covered),
        ("prices adjusted for", f"{kinds}, assumed" if report.assumed else kinds),
        ("receipt", report.receipt),
    ]
    return table(f"Backfill from {report.source}", ("", "value"), rows)
