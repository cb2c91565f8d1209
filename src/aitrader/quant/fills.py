"""At what price, and how much of it, a simulated order is filled."""

from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Final

from aitrader.config.schema import Costs
from aitrader.domain.orders import Entry, Side
from aitrader.quant.costs import half_spread, impact

_AUCTIONS: Final = (Entry.OPEN_AUCTION, Entry.CLOSE_AUCTION)
_WHOLE: Final = Decimal(1)
_FRACTION: Final = Decimal("0.000001")

PROXIES: Final[frozenset[Entry]] = frozenset({Entry.AFTER_OPEN})
"""Entries whose price a daily bar does not hold: the open stands in for five minutes after it. Reports say so."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One session's prices of one symbol as traded, USD per share; NaN where unknown."""

    open: float
    high: float
    low: float
    close: float
    vwap: float


def reference_price(entry: Entry, bar: Bar) -> float:
    """Return the price that ``entry`` meets before costs; NaN if the bar does not have it.

    The open for ``open_auction`` and ``after_open`` (see ``PROXIES``), the close for ``close_auction``, and for
    ``vwap`` the bar's vwap, else its typical price (high + low + close) / 3.
    """
    if entry in (Entry.OPEN_AUCTION, Entry.AFTER_OPEN):
        return bar.open
    if entry is Entry.CLOSE_AUCTION:
        return bar.close
    return bar.vwap if isfinite(bar.vwap) else (bar.high + bar.low + bar.close) / 3


def fill_price(reference: float, side: Side, entry: Entry, *, volume_share: float, costs: Costs) -> float:
    """Return the price paid or got, USD per share: ``reference`` made worse by spread and impact.

    An auction has one price for both sides, so that half the spread is paid outside auctions only.
    ``volume_share`` is the filled part of the usual volume.
    """
    spread = 0.0 if entry in _AUCTIONS else half_spread(costs)
    return reference * (1 + side.sign * (spread + impact(volume_share, costs)))


def fillable(quantity: Decimal, usual_volume: float, max_volume_share: float) -> Decimal:
    """Return how much of ``quantity`` one session fills: at most ``max_volume_share`` of the usual volume.

    ``usual_volume`` is the mean of the 20 sessions *before*, in shares: the running bar's own volume is not
    known when it is traded. Zero where it is NaN. What is cut is cut to whole shares, or to a millionth
    where ``quantity`` itself is not whole.
    """
    if not isfinite(usual_volume):
        return Decimal(0)
    most = Decimal(repr(max(usual_volume, 0.0) * max_volume_share))
    if quantity <= most:
        return quantity
    lot = _WHOLE if quantity == quantity.to_integral_value() else _FRACTION
    return (most / lot).to_integral_value("ROUND_DOWN") * lot
