"""`aitrader positions`: what a book holds, beside what its account holds."""

from typing import TYPE_CHECKING, Any

from aitrader.cli.options import Outcome, Run, command
from aitrader.cli.render import colored, table
from aitrader.cli.tables import percent, shares, usd, without_empty

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
    there = f" (at the account {usd(found.account_cash)})" if usd(found.account_cash) != usd(found.cash) else ""
    money = f"equity {usd(found.equity)} USD, cash {usd(found.cash)} USD{there}"
    agrees = all(one.quantity == one.account_quantity for one in found.positions)
    rows = [_row(one) for one in found.positions]
    shown = without_empty(columns, rows, left_out=("at the account",) if agrees else ())
    return Outcome(found, [table(title, *shown, caption=money)], found.warnings)


def _row(line: "PositionLine") -> tuple[Any, ...]:
    agrees = line.quantity == line.account_quantity
    there = shares(line.account_quantity)
    return (
        line.symbol,
        shares(line.quantity),
        there if agrees else colored(there, "bold red"),
        f"{line.average_cost:,.4f}",
        None if line.price is None else f"{line.price:,.4f}",
        None if line.value is None else usd(line.value),
        percent(line.weight),
        percent(line.gain, signed=True),
        line.held,
    )
