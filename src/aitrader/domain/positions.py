"""What is held: positions, cash, and the book that fills and corporate actions change."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import isfinite
from types import MappingProxyType
from typing import Final

from aitrader.domain.orders import Fill
from aitrader.domain.symbols import Symbol

_MILLIONTH: Final = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Position:
    """Signed shares of one symbol and their average cost, USD per share, fees not included."""

    symbol: Symbol
    quantity: Decimal
    average_cost: Decimal


@dataclass(frozen=True, slots=True)
class Account:
    """What the broker says: ``cash`` and ``equity`` in USD, at its own prices."""

    number: str
    cash: Decimal
    equity: Decimal


@dataclass(frozen=True, slots=True)
class Book:
    """Cash in USD and positions by symbol; a position of zero shares is not kept."""

    cash: Decimal
    positions: Mapping[Symbol, Position] = field(default_factory=lambda: MappingProxyType({}))

    def quantity(self, symbol: Symbol) -> Decimal:
        """Return the signed shares held of ``symbol``; zero if none."""
        position = self.positions.get(symbol)
        return position.quantity if position else Decimal(0)

    def equity(self, prices: Mapping[Symbol, Decimal]) -> Decimal:
        """Return cash plus the value of every position at ``prices``; ``KeyError`` if a price is missing."""
        return self.cash + sum((p.quantity * prices[s] for s, p in self.positions.items()), Decimal(0))

    def after_fill(self, fill: Fill) -> "Book":
        """Return the book after ``fill``: shares and cash moved, the fee paid."""
        signed = fill.side.sign * fill.quantity
        held = self.positions.get(fill.symbol) or Position(fill.symbol, Decimal(0), Decimal(0))
        quantity = held.quantity + signed
        cost = _average_cost(held, signed, fill.price)
        return replace(
            self._with(Position(fill.symbol, quantity, cost)), cash=self.cash - signed * fill.price - fill.fee
        )

    def after_dividend(self, symbol: Symbol, amount: Decimal) -> "Book":
        """Return the book after ``amount`` USD per share was paid on ``symbol`` (charged, if short)."""
        return replace(self, cash=self.cash + self.quantity(symbol) * amount)

    def after_split(self, symbol: Symbol, ratio: Decimal) -> "Book":
        """Return the book after each share of ``symbol`` became ``ratio`` shares, to a millionth of a share.

        The rounding undoes what a ratio such as 1/3 loses on its way through a float: 300 shares become 100.
        """
        held = self.positions.get(symbol)
        if held is None:
            return self
        quantity = (held.quantity * ratio).quantize(_MILLIONTH)
        whole = quantity.to_integral_value()
        return self._with(Position(symbol, whole if whole == quantity else quantity, held.average_cost / ratio))

    def after_action(self, symbol: Symbol, kind: str, value: float) -> "Book":
        """Return the book after a ``split`` (``value``: new shares per old one) or ``dividend`` (USD per share).

        Raises
        ------
        ValueError
            Another kind, or a value that is not a finite number above zero.
        """
        if not (isfinite(value) and value > 0):
            raise ValueError(f"a {kind} of {value} on {symbol} changes no book")
        if kind == "split":
            return self.after_split(symbol, Decimal(repr(float(value))))
        if kind == "dividend":
            return self.after_dividend(symbol, Decimal(repr(float(value))))
        raise ValueError(f"{kind!r} is no corporate action; known: split, dividend")

    def after_adjustment(self, symbol: Symbol | None, quantity: Decimal, cash: Decimal) -> "Book":
        """Return the book with ``quantity`` more shares of ``symbol``, at the cost of those held, and more ``cash``."""
        book = replace(self, cash=self.cash + cash)
        if symbol is None:
            return book
        held = self.positions.get(symbol) or Position(symbol, Decimal(0), Decimal(0))
        return book._with(replace(held, quantity=held.quantity + quantity))

    def _with(self, position: Position) -> "Book":
        positions = {s: p for s, p in self.positions.items() if s != position.symbol}
        if position.quantity:
            positions[position.symbol] = position
        return replace(self, positions=MappingProxyType(positions))


def _average_cost(held: Position, signed: Decimal, price: Decimal) -> Decimal:
    quantity = held.quantity + signed
    if not quantity:
        return Decimal(0)
    if held.quantity * signed >= 0:
        return (held.quantity * held.average_cost + signed * price) / quantity
    return held.average_cost if held.quantity * quantity > 0 else price
