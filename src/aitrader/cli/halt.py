"""`aitrader halt`: no new risk."""

from typing import Annotated

import typer

from aitrader.cli.options import Outcome, Run, command
from aitrader.cli.render import colored

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for whoever resumes.")]


@command
def halt(run: Run, reason: Reason = "by hand") -> Outcome:
    """Let only orders leave that reduce a position, until `aitrader resume`.

    Works at once and beside a run that is at work: it reads the latch before every order. The configured book is halted
    before its first run as well. HALT, which stops exits too, is shut by `aitrader emergency-shutdown`.
    """
    from aitrader.jobs.halt import halt as job

    configured = run.common.book is None or run.load_with(profile=run.common.profile, book=None).config.book == run.book
    report = job(run.config, run.root, run.visit, reason, configured=configured)
    told = "was shut before" if report.already else "is shut"
    account = report.account or "NUMBER"
    shown = [
        colored(f"{report.latch.value} of the book {report.book} {told}: only reducing orders leave.", "bold yellow"),
        f"It is opened by `aitrader resume --account {account}`.",
    ]
    return Outcome(report, shown, report.warnings, status="skipped" if report.already else "done")
