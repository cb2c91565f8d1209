"""`aitrader resume`: trade again."""

import sys
from typing import Annotated

import typer

from aitrader.cli.options import Outcome, Run, command
from aitrader.cli.render import colored

Account = Annotated[
    str, typer.Option("--account", metavar="NUMBER", help="The number of the account, typed by whoever takes over.")
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the journal.")]


@command
def resume(run: Run, account: Account, reason: Reason = "by hand") -> Outcome:
    """Open both latches of a book, HALT and HALT_ENTRIES, in its journal and as files.

    The latch of all books (state/HALT) is opened as well. The breakers measure from here on: a drawdown that shut HALT
    does not shut it again. A latch that AITRADER_HALT shuts in the environment is opened there only; exit code 4.
    """
    from aitrader.jobs.resume import Asked
    from aitrader.jobs.resume import resume as job

    attended = sys.stdin is not None and sys.stdin.isatty()
    report = job(run.config, run.root, Asked(run.visit, account, reason, attended))
    if not report.opened:
        return Outcome(report, [f"No latch of the book {report.book} was shut."], report.warnings, status="skipped")
    names = " and ".join(latch.value for latch in report.opened)
    shown = [colored(f"{names} of the book {report.book} ({report.account}) opened: orders may leave.", "bold green")]
    files = [f"Removed: {', '.join(report.removed)}."] if report.removed else []
    return Outcome(report, [*shown, *files], report.warnings)
