"""`aitrader orders`: what was planned, whether it left, and what became of it."""

from typing import Annotated

import typer

from aitrader.cli.options import Outcome, Run, command
from aitrader.cli.tables import order_table

Everything = Annotated[bool, typer.Option("--all", help="All orders, not only open ones and the newest decision's.")]


@command
def orders(run: Run, everything: Everything = False) -> Outcome:
    """List the orders of a book and what became of them.

    By default those of the newest decision, and every order that is still open. What happened since the last run is
    shown as well; nothing is written.
    """
    from aitrader.jobs.orders import orders as job

    found = job(run.config, run.root, run.visit, everything=everything)
    title = f"Orders of {found.book} ({found.account}) at {found.at:%Y-%m-%d %H:%M} UTC"
    return Outcome(found, [order_table(title, found.orders)], found.warnings)
