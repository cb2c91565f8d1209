"""Limits on the order itself: is it sound, is it new, is it small enough."""

from decimal import Decimal
from math import isfinite

from aitrader.domain.symbols import parse_symbol
from aitrader.errors import InvalidSymbolError
from aitrader.risk.exposure import Case, exact


def finite(case: Case) -> str | None:
    """Refuse a quantity or a planned price that is NaN or infinite: every comparison with it would be false."""
    order = case.order
    if order.quantity.is_finite() and order.planned_price.is_finite():
        return None
    return f"quantity {order.quantity} at {order.planned_price} USD is not a finite order"


def symbol(case: Case) -> str | None:
    """Refuse what is not a symbol: an empty one in a request's path means every position."""
    try:
        parse_symbol(case.order.symbol)
    except InvalidSymbolError as error:
        return str(error)
    return None


def quantity(case: Case) -> str | None:
    """Refuse zero or negative shares, and a planned price of zero or less."""
    order = case.order
    if order.quantity > 0 and order.planned_price > 0:
        return None
    return f"quantity {order.quantity} at {order.planned_price} USD must both be above zero"


def duplicate(case: Case) -> str | None:
    """Refuse a second order of the same symbol, side and decision, sent before or in this list."""
    order = case.order
    if case.exposure.known(order):
        return f"decision {order.decision} already has an order to {order.side.value} {order.symbol}"
    return None


def max_order_qty(case: Case) -> str | None:
    """Refuse more shares than ``risk.max_order_qty``."""
    order = case.order
    if order.quantity <= exact(case.limits.max_order_qty):
        return None
    return f"{order.quantity} shares of {order.symbol} exceed {case.limits.max_order_qty:g}"


def max_order_notional(case: Case) -> str | None:
    """Refuse an order worth more than ``risk.max_order_notional`` USD, where that is set."""
    order, limit = case.order, case.limits.max_order_notional
    if limit is None or order.notional <= exact(limit):
        return None
    return f"{order.notional:.2f} USD of {order.symbol} exceed {limit:.2f}"


def max_order_equity_share(case: Case) -> str | None:
    """Refuse an order whose value exceeds ``risk.max_order_equity_share`` of equity."""
    order = case.order
    limit = case.limits.max_order_equity_share
    most = case.context.equity * exact(limit)
    if order.notional <= most:
        return None
    return f"{order.notional:.2f} USD of {order.symbol} exceed {limit:.2%} of equity, {most:.2f}"


def max_order_adv_share(case: Case) -> str | None:
    """Refuse more than ``risk.max_order_adv_share`` of the mean daily volume, or an unknown volume."""
    order = case.order
    volume = case.context.volume20.get(order.symbol)
    if volume is None or not isfinite(volume):
        return f"the mean daily volume of {order.symbol} is not known"
    most = Decimal(repr(volume)) * exact(case.limits.max_order_adv_share)
    if order.quantity <= most:
        return None
    share = f"{case.limits.max_order_adv_share:.2%} of its mean daily volume"
    return f"{order.quantity} shares of {order.symbol} exceed {share}, {most:.1f} shares"
