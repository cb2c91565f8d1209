"""Limits on what the book becomes: positions, exposure, cash."""

from decimal import Decimal

from aitrader.domain.orders import Side
from aitrader.risk.exposure import Case, exact


def reducing(case: Case) -> str | None:
    """Refuse an order that calls itself reducing or closing and is not: exits pass where entries are stopped."""
    order = case.order
    if not (order.reducing or order.closing) or case.exposure.reduces(order):
        return None
    held = case.exposure.closable(order.symbol)
    return f"{order.side.value} {order.quantity} {order.symbol} does not reduce a position of {held} shares"


def unsettled(case: Case) -> str | None:
    """Refuse to sell shares that unsettled money bought, before it settles (``account.settlement``)."""
    order = case.order
    locked = case.context.locked.get(order.symbol, Decimal(0))
    if order.side is Side.BUY or not locked:
        return None
    held = case.exposure.closable(order.symbol)
    if locked.is_finite() and held.is_finite() and order.quantity <= held - locked:
        return None
    return f"{order.quantity} {order.symbol} to sell: unsettled money bought {locked} of {held} shares"


def valuation(case: Case) -> str | None:
    """Refuse to add anything while equity, cash or the price of a held symbol is missing or not sound."""
    if case.exposure.measurable:
        return None
    cash = case.context.book.cash
    return f"the book cannot be valued: equity {case.context.equity}, cash {cash}, or the price of a holding"


def short(case: Case) -> str | None:
    """Refuse to sell more than is held; a position never becomes negative."""
    order = case.order
    if order.side is Side.BUY:
        return None
    held = case.exposure.closable(order.symbol)
    return f"{order.quantity} {order.symbol} to sell, {held} held: short positions are not traded"


def max_position(case: Case) -> str | None:
    """Refuse a position that would exceed ``risk.max_position`` of equity."""
    order = case.order
    shares = case.exposure.held(order.symbol) + order.signed_quantity
    return _beyond(f"a position in {order.symbol}", abs(shares) * order.planned_price, case.limits.max_position, case)


def max_gross(case: Case) -> str | None:
    """Refuse a sum of absolute positions beyond ``risk.max_gross`` of equity."""
    return _beyond("gross exposure", case.exposure.gross_after(case.order), case.limits.max_gross, case)


def max_net(case: Case) -> str | None:
    """Refuse a sum of signed positions beyond ``risk.max_net`` of equity, either way."""
    return _beyond("net exposure", abs(case.exposure.net_after(case.order)), case.limits.max_net, case)


def cash_reserve(case: Case) -> str | None:
    """Refuse a buy that leaves less cash than ``risk.cash_reserve`` of equity; sells of the same list count.

    Measured at planned prices and without costs, which ``portfolio.rebalance`` keeps free beside the reserve.
    """
    order = case.order
    least = case.context.equity * exact(case.limits.cash_reserve)
    left = case.exposure.cash - order.signed_quantity * order.planned_price
    if left >= least:
        return None
    return f"cash would be {left:.2f} USD, below the reserve of {case.limits.cash_reserve:.2%} of equity, {least:.2f}"


def _beyond(what: str, value: Decimal, limit: float, case: Case) -> str | None:
    most = case.context.equity * exact(limit)
    if value <= most:
        return None
    return f"{what} of {value:.2f} USD would exceed {limit:.2%} of equity, {most:.2f}"
