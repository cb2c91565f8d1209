"""What a session gives an order: whether it may enter, when, how many shares, and at what price."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from aitrader.brokers.venue import SessionBars
from aitrader.config.schema import Costs
from aitrader.domain.instruments import exact_price
from aitrader.domain.orders import Entry, Order, Side
from aitrader.quant.costs import commission, cost_rate
from aitrader.quant.fills import fill_price, fillable, reference_price

AFTER_OPEN: Final = timedelta(minutes=5)
AT_OPEN: Final = (Entry.OPEN_AUCTION, Entry.AFTER_OPEN)


def enters(entry: Entry, bars: SessionBars) -> datetime:
    """Return when orders that enter at the open are filled at the earliest, UTC."""
    return bars.opened + AFTER_OPEN if entry is Entry.AFTER_OPEN else bars.opened


def meets(order: Order, sent_at: datetime, bars: SessionBars) -> bool:
    """Say whether ``order`` can still enter the session: its opening auction, or before its close."""
    return sent_at <= bars.opened if order.entry is Entry.OPEN_AUCTION else sent_at < bars.closes


def cash_moved(order: Order, price: Decimal, costs: Costs) -> Decimal:
    """Return what ``order`` will cost (a sell: bring) in USD at about ``price``, after the most it may cost."""
    rate = 1 + order.side.sign * Decimal(repr(cost_rate(float(price), costs)))
    return order.quantity * price * rate


def traded(order: Order, bars: SessionBars, costs: Costs, *, cash: Decimal) -> tuple[Decimal, Decimal] | None:
    """Return the shares that the session fills of ``order``, and their price in USD; None where it fills none.

    A symbol without a price or a usual volume fills nothing, nor does one without money for a share.
    """
    if order.symbol not in bars.places:
        return None
    usual = float(bars.volume20[bars.places[order.symbol]])
    quantity = fillable(order.quantity, usual, costs.max_volume_share)
    if not quantity:
        return None
    reference = reference_price(order.entry, bars.bar(order.symbol))
    share = float(quantity) / usual
    price = exact_price(fill_price(reference, order.side, order.entry, volume_share=share, costs=costs))
    if price is None:
        return None
    if order.side is Side.BUY:
        quantity = _affordable(quantity, price, costs, cash)
    return (quantity, price) if quantity else None


def _affordable(quantity: Decimal, price: Decimal, costs: Costs, cash: Decimal) -> Decimal:
    """Return ``quantity``, or the whole shares of it that ``cash`` pays: the price may lie above the estimate."""
    if quantity * price + commission(quantity, price, costs) <= cash:
        return quantity
    per_share = price + Decimal(repr(costs.commission_per_share))
    per_share += price * Decimal(repr(costs.commission_bps)) / 10_000
    whole = ((cash - Decimal("0.01")) / per_share).to_integral_value("ROUND_DOWN")
    return min(max(whole, Decimal(0)), quantity)
