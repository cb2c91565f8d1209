"""What a symbol denotes, as far as an order must know it."""

from dataclasses import dataclass
from decimal import Decimal
from math import isfinite

from aitrader.domain.symbols import Symbol


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable thing: ``lot`` is the least that is traded of it, in shares (or coins)."""

    symbol: Symbol
    lot: Decimal = Decimal(1)

    def round_quantity(self, quantity: Decimal) -> Decimal:
        """Return ``quantity`` rounded towards zero to whole lots."""
        return (quantity / self.lot).to_integral_value("ROUND_DOWN") * self.lot


def exact_price(value: float) -> Decimal | None:
    """Return ``value`` USD as money of six decimals (adjusted prices lie far below a cent's accuracy).

    None where it is no price: NaN, infinite, zero, negative, or below half a millionth of a dollar.

    >>> exact_price(12.34), exact_price(float("nan"))
    (Decimal('12.340000'), None)
    """
    if not (isfinite(value) and value > 0):
        return None
    return Decimal(f"{value:.6f}") or None
