"""Tables that several commands show."""

from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from aitrader.cli.render import colored, table, width

if TYPE_CHECKING:
    from decimal import Decimal

    from aitrader.jobs.assembly.orders import OrderLine

_WIDE: Final = 110
"""Columns that a table of orders needs."""

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
    """Return the table of ``orders``; a narrow screen has no room for what the id says, nor for the plan."""
    rows = [
        (
            one.client_id,
            one.symbol,
            one.side,
            shares(one.quantity),
            f"{one.planned_price:,.2f}" if one.planned_price is not None else None,
            colored(one.status, _COLORS.get(one.status, "")),
            shares(one.filled),
            f"{one.average_price:,.4f}" if one.average_price is not None else None,
            one.reason,
        )
        for one in orders
    ]
    columns = ("order", "symbol", "side", "shares", "planned at", "status", "filled", "at", "why")
    left_out = ("symbol", "side", "planned at") if width() < _WIDE else ()
    return table(title, *without_empty(columns, rows, left_out=left_out))


def without_empty(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, left_out: Sequence[str] = ()
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Return columns and rows without the columns that say nothing, nor those that are ``left_out``.

    >>> without_empty(("a", "b", "c"), [(1, None, ""), (2, None, "x")])
    (('a', 'c'), [(1, ''), (2, 'x')])
    """
    kept = [
        place
        for place, name in enumerate(columns)
        if name not in left_out and (not rows or any(row[place] is not None and row[place] != "" for row in rows))
    ]
    return tuple(columns[place] for place in kept), [tuple(row[place] for place in kept) for row in rows]


def percent(fraction: float, *, signed: bool = False) -> str | None:
    """Return a fraction in percent, zero without a sign; None where it is not known.

    >>> percent(0.1984), percent(-0.0004), percent(-0.012), percent(0.05, signed=True)
    ('19.8%', '0.0%', '-1.2%', '+5.0%')
    """
    if not isfinite(fraction):
        return None
    text = f"{fraction:+.1%}" if signed else f"{fraction:.1%}"
    return text if text.strip("+-0.%") else "0.0%"


def usd(amount: "Decimal | float") -> str | None:
    """Return US dollars with two decimals; None where they are not known.

    >>> usd(1234.5), usd(-0.001)
    ('1,234.50', '0.00')
    """
    if not isfinite(amount):
        return None
    text = f"{amount:,.2f}"
    return text if text.strip("-0.") else "0.00"


def shares(quantity: "Decimal") -> str:
    """Return a quantity without the zeros at its end.

    >>> from decimal import Decimal
    >>> shares(Decimal("1200.500")), shares(Decimal("1200"))
    ('1,200.5', '1,200')
    """
    text = f"{quantity:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
