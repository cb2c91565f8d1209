"""`aitrader positions`: what a book holds, beside what its account holds."""

from math import isnan
from typing import TYPE_CHECKING, Any

from aitrader.cli.options import Outcome, Run, command
from aitrader.cli.render import colored, table
from aitrader.cli.tables import shares

if TYPE_CHECKING:
    from aitrader.jobs.positions import PositionLine


@command
def positions(run: Run) -> Outcome:
    """Show what a book holds, beside its account.

    Prices are the middle of the account's quotes: the open while a session runs, else the last close. What happened
    since the last run is shown as well; nothing is written.
    """
    from aitrader.jobs.positions import positions as job

    found = job(run.config, run.root, run.visit)
    columns = ("symbol", "shares", "at the account", "cost", "price", "value, USD", "weight", "gain", "held back")
    title = f"Positions of {found.book} ({found.account}) at {found.at:%Y-%m-%d %H:%M} UTC"
    money = f"equity {found.equity:,.2f} USD, cash {found.cash:,.2f} USD (at the account {found.account_cash:,.2f})"
    return Outcome(found, [table(title, columns, map(_row, found.positions), caption=money)], found.warnings)


def _row(line: "PositionLine") -> tuple[Any, ...]:
    agrees = line.quantity == line.account_quantity
    there = shares(line.account_quantity)
    return (
        line.symbol,
        shares(line.quantity),
        there if agrees else colored(there, "bold red"),
        f"{line.average_cost:,.4f}",
        None if line.price is None else f"{line.price:,.4f}",
        None if line.value is None else f"{line.value:,.2f}",
        None if isnan(line.weight) else f"{line.weight:.1%}",
        None if isnan(line.gain) else f"{line.gain:+.1%}",
        line.held,
    )
