"""`aitrader trade`: one decision for cron."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aitrader.cli.options import DryRun, Outcome, Run, command
from aitrader.cli.render import colored, table
from aitrader.cli.tables import order_table, percent, usd
from aitrader.domain.wording import counted

if TYPE_CHECKING:
    from aitrader.jobs.trade import TradeReport

AllowRejected = Annotated[
    bool, typer.Option("--allow-rejected", help="Let the newest model decide even if it did not pass its gate (paper).")
]
Live = Annotated[bool, typer.Option("--live", help="Trade the live account; there is none yet.")]


@command
def trade(run: Run, allow_rejected: AllowRejected = False, live: Live = False, dry_run: DryRun = False) -> Outcome:
    """Make the decision that is due, and send its orders, each once.

    Books what happened since the last run, compares the book with the account, and inside the window of the entry
    (after_open: from five minutes after the open to five before the close) decides on the bars through the session
    before. Running it again sends nothing twice; outside the window it sends nothing and names the next one.

    Exit code 0 also when nothing is due; 4 when HALT is shut, the window was missed, the bars are stale or no model may
    decide; 5 when the fate of an order is unknown or book and account do not agree; 6 while another run is at work.
    """
    from aitrader.jobs.assembly.folders import refuse_at_work

    if not dry_run:
        refuse_at_work(run.root, run.book)
    # What follows takes its time to load, and a second run beside the first is told within a second.
    from aitrader.jobs.trade import Asked
    from aitrader.jobs.trade import trade as job

    asked = Asked(run.visit, dry_run, allow_rejected, live, run.loaded.origins)
    report = job(run.config, run.root, asked, progress=run.progress)
    return Outcome(report, _tables(report), report.warnings, report.status)


def _tables(report: "TradeReport") -> list[Any]:
    style = {"done": "bold green", "skipped": "yellow", "partial": "bold yellow"}[report.status]
    shown: list[Any] = [colored(f"{'Dry run, ' if report.dry_run else ''}{report.status}: {report.reason}", style)]
    if report.targets is not None:
        rows = [(symbol, percent(weight)) for symbol, weight in sorted(report.targets.items()) if weight]
        title = f"Targets after {report.last}, entered on {report.session}"
        models = ", ".join(f"{one.name} {one.version} ({one.status})" for one in report.models)
        shown.append(table(title, ("symbol", "weight"), rows, caption=models))
    if report.orders:
        shown.append(
            order_table(f"Orders: {report.sent} sent now, {counted(report.fills, 'fill')} booked", report.orders)
        )
    account = [
        ("account", report.account),
        ("time of the book", f"{report.at:%Y-%m-%d %H:%M} UTC"),
        ("equity, USD", usd(report.equity)),
        ("cash, USD", usd(report.cash)),
        ("positions", str(report.positions)),
    ]
    return [*shown, table(f"Book {report.book}", ("", ""), account)]
