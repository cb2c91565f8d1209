"""When the proceeds of a sale are money: on the next session (T+1). What they bought before is not sold until then."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_UP, Decimal
from types import MappingProxyType
from typing import Final

from aitrader.domain.orders import Fill, Side
from aitrader.domain.symbols import Symbol

_MILLIONTH: Final = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Settlement:
    """``unsettled`` USD of today's sales, which may buy but not leave, and the shares that they bought, by symbol.

    Selling such ``locked`` shares before the money settles is the good-faith violation of a cash account.

    Source: 17 CFR 240.15c6-1 (T+1 since 2024-05-28); Regulation T, 12 CFR 220.8.
    """

    unsettled: Decimal = Decimal(0)
    locked: Mapping[Symbol, Decimal] = field(default_factory=lambda: MappingProxyType({}))

    def after_fill(self, fill: Fill, *, cash: Decimal) -> "Settlement":
        """Return the settlement after ``fill``, before which the book had ``cash`` USD. Settled money pays first."""
        value = fill.quantity * fill.price
        if fill.side is Side.SELL:
            return replace(self, unsettled=self.unsettled + value - fill.fee)
        cost = value + fill.fee
        advanced = min(max(cost - max(cash - self.unsettled, Decimal(0)), Decimal(0)), cost)
        if not advanced:
            return self
        shares = (fill.quantity * advanced / cost).quantize(_MILLIONTH, ROUND_UP)
        locked = {**self.locked, fill.symbol: self.locked.get(fill.symbol, Decimal(0)) + min(shares, fill.quantity)}
        return Settlement(max(self.unsettled - advanced, Decimal(0)), MappingProxyType(locked))

    def after_action(self, symbol: Symbol, kind: str, value: float) -> "Settlement":
        """Return the settlement after a ``split`` of ``value`` new shares per old one; other actions change nothing."""
        if kind != "split" or symbol not in self.locked:
            return self
        shares = (self.locked[symbol] * Decimal(repr(value))).quantize(_MILLIONTH, ROUND_UP)
        return replace(self, locked=MappingProxyType({**self.locked, symbol: shares}))

    def next_session(self) -> "Settlement":
        """Return the settlement of the session after this one: everything is settled."""
        return Settlement()
