"""What trading costs: commission, half the spread, and the price moved by one's own volume."""

from decimal import ROUND_UP, Decimal
from typing import Final

from aitrader.config.schema import Costs

_CENT: Final = Decimal("0.01")
_BPS: Final = 10_000.0


def half_spread(costs: Costs) -> float:
    """Return half the bid-ask spread as a fraction of the price."""
    return costs.spread_bps / 2 / _BPS


def impact(volume_share: float, costs: Costs) -> float:
    """Return how far a fill of ``volume_share`` of the usual volume moves the price, as a fraction of it.

    ``volume_share`` is clipped to the volume cap, where the impact is ``impact_bps``.

    Source: the square law of zipline's ``VolumeShareSlippage``, price * (1 +- c * share**2), with
    c = impact_bps / 10,000 / max_volume_share**2.
    """
    if not costs.max_volume_share:
        return 0.0
    used = min(max(volume_share / costs.max_volume_share, 0.0), 1.0)
    return costs.impact_bps / _BPS * used * used


def commission(quantity: Decimal, price: Decimal, costs: Costs) -> Decimal:
    """Return the commission in USD for ``quantity`` shares at ``price``, rounded up to the cent."""
    if not (costs.commission_per_share or costs.commission_bps):
        return Decimal(0)
    per_share = Decimal(repr(costs.commission_per_share))
    share = Decimal(repr(costs.commission_bps)) / 10_000
    return (quantity * (per_share + share * price)).quantize(_CENT, ROUND_UP)


def cost_rate(price: float, costs: Costs) -> float:
    """Return the most that trading at ``price`` costs, as a fraction of the traded value.

    Half the spread, the impact of a full volume cap, and the commission.
    """
    return half_spread(costs) + impact(1.0, costs) + costs.commission_bps / _BPS + costs.commission_per_share / price
