"""What a symbol denotes, as far as an order must know it."""

from dataclasses import dataclass
from decimal import Decimal

from aitrader.domain.symbols import Symbol


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable thing: ``lot`` in shares (or coins), ``tick`` in USD."""

    symbol: Symbol
    lot: Decimal = Decimal(1)
    tick: Decimal = Decimal("0.01")

    def round_quantity(self, quantity: Decimal) -> Decimal:
        """Return ``quantity`` rounded towards zero to whole lots."""
        return (quantity / self.lot).to_integral_value("ROUND_DOWN") * self.lot

    def round_price(self, price: Decimal) -> Decimal:
        """Return ``price`` rounded to the nearest tick."""
        return (price / self.tick).to_integral_value("ROUND_HALF_EVEN") * self.tick
