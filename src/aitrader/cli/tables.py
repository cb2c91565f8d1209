"""Tables that several commands show."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from aitrader.cli.render import colored, table

if TYPE_CHECKING:
    from decimal import Decimal

    from aitrader.jobs.assembly.orders import OrderLine

_COLORS: Final = {
    "filled": "green",
    "refused": "bold red",
    "rejected": "bold red",
    "unknown": "bold red",
    "absent": "bold red",
    "planned": "yellow",
    "sending": "yellow",
    "partially_filled": "yellow",
}


def order_table(title: str, orders: "Sequence[OrderLine]") -> Any:
    """Return the table of ``orders``."""
    rows = [
        (
            one.client_id,
            one.symbol,
            one.side,
            shares(one.quantity),
            f"{one.planned_price:,.2f}",
            colored(one.status, _COLORS.get(one.status, "")),
            shares(one.filled),
            f"{one.average_price:,.4f}" if one.average_price is not None else None,
            one.reason,
        )
        for one in orders
    ]
    columns = ("order", "symbol", "side", "shares", "planned at", "status", "filled", "at", "why")
    return table(title, columns, rows)


def shares(quantity: "Decimal") -> str:
    """Return a quantity without the zeros at its end.

    >>> from decimal import Decimal
    >>> shares(Decimal("1200.500")), shares(Decimal("1200"))
    ('1,200.5', '1,200')
    """
    text = f"{quantity:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
