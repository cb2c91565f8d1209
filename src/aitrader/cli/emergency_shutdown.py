"""`aitrader emergency-shutdown`, for the accounts that the kill switch hands over."""

import select
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aitrader.cli.options import DryRun, Outcome, Run, command
from aitrader.cli.render import colored, say, table
from aitrader.cli.tables import shares
from aitrader.errors import AitraderError

if TYPE_CHECKING:
    from pathlib import Path

    from aitrader.config.schema import Config
    from aitrader.jobs.emergency_shutdown import BookReport, ShutdownReport

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
AllBooks = Annotated[bool, typer.Option("--all-books", help="Close every account that is found.")]


@command
def emergency_shutdown(run: Run, yes: Yes = False, all_books: AllBooks = False, dry_run: DryRun = False) -> Outcome:
    """Shut HALT, cancel every open order, close every position, and verify that the account is flat.

    Settings, journal and lake that are broken are told and stop nothing. Exit codes: 0 flat, verified; 10 not flat
    yet; 11 nobody could see whether it is flat; 2 not clear which account is meant, and nothing was done.
    """
    from aitrader.jobs.emergency_shutdown import Asked
    from aitrader.jobs.emergency_shutdown import emergency_shutdown as job
    from aitrader.live.kill_switch import asks, root_of, working_folder

    root = root_of(run.common.root, run.env, working_folder())
    config, problems = _settings(run, root)
    asked = Asked(run.visit, run.common.book, all_books, dry_run, run.env, problems)
    report = job(config, root, asked, confirm=_confirmed if asks(yes=yes or dry_run) else None)
    shown = _tables(report)
    return Outcome(report, shown, report.warnings, "failed" if report.exit_code else "done", report.exit_code)


def _settings(run: Run, root: "Path") -> "tuple[Config, tuple[str, ...]]":
    """Return the settings, as far as they are whole."""
    try:
        return run.config, ()
    except AitraderError:
        from aitrader.config.load import usable

        common = run.common
        config, problems = usable(
            root, env=run.env, config_path=common.config, profile=common.profile, sets=common.sets
        )
        return config, tuple(f"settings left out: {problem}".rstrip(".") for problem in problems)


def _confirmed(shown: Sequence[str]) -> bool:
    for line in shown:
        say(line)
    sys.stderr.write("Cancel and close all of it? [y/N]: ")
    sys.stderr.flush()
    with suppress(OSError, ValueError):  # a stream that is no file
        # A signal ends this wait. It would not end a read: Polars asks the system to restart those after Ctrl-C.
        select.select([sys.stdin], [], [])
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _tables(report: "ShutdownReport") -> list[Any]:
    return [shown for book in report.books for shown in _book(book, dry_run=report.dry_run)]


def _book(book: "BookReport", *, dry_run: bool) -> list[Any]:
    style = "bold red" if book.exit_code else "bold green"
    before = "Dry run, nothing was done. It would come to: " if dry_run else ""
    shown: list[Any] = [colored(f"{before}{book.book}: {book.result}", style)]
    if book.closes:
        rows = [
            (one.symbol, one.side, shares(one.quantity), shares(one.filled), _price(one.price), one.status)
            for one in book.closes
        ]
        shown.append(
            table(f"Closes of {book.account}", ("symbol", "side", "shares", "filled", "price", "status"), rows)
        )
    if book.cancelled:
        shown.append(f"Cancelled: {', '.join(book.cancelled)}")
    if book.left:
        shown.append(f"Held: {', '.join(f'{shares(held)} {symbol}' for symbol, held in book.left.items())}")
    return shown if dry_run else [*shown, _latch(book)]


def _latch(book: "BookReport") -> Any:
    if not book.halts:
        warned = "HALT IS NOT SHUT: no file of it could be written, and a trader may go on. Stop it by hand."
        return colored(warned, "bold red")
    opened = f"It is opened by `aitrader resume --account {book.account or 'NUMBER'}`."
    return f"HALT is shut by {', '.join(book.halts)}. {opened}"


def _price(price: Any) -> str | None:
    return None if price is None else f"{price:,.2f}"
