"""`aitrader journal`: list, export and check the record of trading."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from aitrader.cli.options import Outcome, Run, command, instant, listed
from aitrader.cli.render import colored, table
from aitrader.domain.wording import counted

COMMANDS: Final = {
    "ls": ("aitrader.cli.journal:ls", "List rows of the journal."),
    "export": ("aitrader.cli.journal:export", "Write rows as JSON lines."),
    "check": ("aitrader.cli.journal:check", "Compare every row with its seal."),
}
Kinds = Annotated[
    list[str] | None, typer.Option("--kind", help="Only these kinds: --kind order_sending,fill_booked, repeatable.")
]
Since = Annotated[
    datetime | None, typer.Option("--since", parser=instant, metavar="TIME", help="Not before TIME (with offset).")
]
Last = Annotated[int, typer.Option("--last", min=1, metavar="N", help="Only the last N rows.")]
LastOrAll = Annotated[int | None, typer.Option("--last", min=1, metavar="N", help="Only the last N rows.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Default: stdout.")]


@command
def ls(run: Run, kind: Kinds = None, since: Since = None, last: Last = 20) -> Outcome:
    """List rows of the journal, oldest first; by default the last 20.

    Times are the book's own: under --now those of the replay.
    """
    from aitrader.jobs import journal

    found = journal.ls(run.root, run.book, journal.Cut(listed(kind), since, last))
    rows = [(line.seq, f"{line.at:%Y-%m-%d %H:%M:%S}", line.kind, _words(line.event)) for line in found.lines]
    caption = f"{len(rows)} of {counted(found.rows, 'row')}, times in UTC; {found.path}"
    title = f"Journal of {run.book} ({found.account})"
    return Outcome(found, [table(title, ("row", "at", "kind", "what"), rows, caption=caption)])


@command
def export(run: Run, kind: Kinds = None, since: Since = None, last: LastOrAll = None, out: Out = None) -> Outcome:
    """Write rows as JSON lines, one object a row, to a file or to stdout.

    Money is text with all its digits, times are UTC, what is not a number is null.
    """
    from aitrader.jobs import journal

    found = journal.export(run.root, run.book, journal.Cut(listed(kind), since, last), out)
    shown = [f"{counted(found.rows, 'row')} written to {found.out}"] if out else list(journal.texts(found.lines))
    return Outcome(found, shown)


@command
def check(run: Run) -> Outcome:
    """Compare every row with its seal, and the rows with each other; exit code 3 if anything is wrong.

    Reads the whole file: its pages, the chain that seals each row with all rows before it, the account it belongs to,
    and whether its fills add up to a book.
    """
    from aitrader.jobs import journal

    found = journal.check(run.root, run.book)
    if found.problems:
        rows = [(colored("damaged", "bold red"), problem) for problem in found.problems]
        return Outcome(found, [table(found.path, ("", "what"), rows)], status="failed", exit_code=3)
    return Outcome(
        found, [colored(f"{counted(found.rows, 'row')} of {found.account}, all of them sound: {found.path}", "green")]
    )


def _words(event: Mapping[str, Any]) -> str:
    """Return the fields of a row in one line; of lists only how many they hold."""
    return ", ".join(filter(None, (_word(name, value) for name, value in event.items())))


def _word(name: str, value: Any) -> str:
    if isinstance(value, Mapping) and name in {"order", "fill"}:
        return _words(value)
    if isinstance(value, Mapping | list):
        return f"{len(value)} {name}"
    return "" if name == "at" or value in (None, "", False) else f"{name} {value}"
