"""What the market bids and asks, and whether that is a price."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask in USD per share, at ``at`` (UTC)."""

    bid: Decimal
    ask: Decimal
    at: datetime

    @property
    def mid(self) -> Decimal:
        """Midway between bid and ask; ask ``flaw`` first whether that is a price."""
        return (self.bid + self.ask) / 2

    @property
    def flaw(self) -> str | None:
        """Return why this is no price: a side that is zero, negative or no number, or a bid above the ask.

        >>> Quote(Decimal("10.02"), Decimal("10.01"), datetime(2026, 1, 5)).flaw
        'crossed: bid 10.02, ask 10.01'
        """
        if not all(side.is_finite() and side > 0 for side in (self.bid, self.ask)):
            return f"no price: bid {self.bid}, ask {self.ask}"
        return f"crossed: bid {self.bid}, ask {self.ask}" if self.bid > self.ask else None
