"""Limits that the market sets: who may be bought, on how fresh a price, how far from the plan."""

from aitrader.domain.orders import Side
from aitrader.domain.wording import counted
from aitrader.risk.exposure import Case, exact


def quote(case: Case) -> str | None:
    """Refuse a symbol without a quote, or with one that is crossed, zero or no number, where quotes can be known."""
    quotes, symbol = case.context.quotes, case.order.symbol
    if quotes is None:
        return None
    if symbol not in quotes:
        return f"{symbol} has no quote"
    flaw = quotes[symbol].flaw
    return None if flaw is None else f"the quote of {symbol} is {flaw}"


def members(case: Case) -> str | None:
    """Refuse to buy what is not a member of the universe on this session (the deny list is not)."""
    order = case.order
    if order.side is Side.SELL or order.symbol in case.context.members:
        return None
    return f"{order.symbol} is not a member of the universe"


def max_bar_sessions_old(case: Case) -> str | None:
    """Refuse a symbol whose last bar is older than ``risk.max_bar_sessions_old`` sessions, or that has none."""
    order = case.order
    age = case.context.stale.get(order.symbol, -1)
    if 0 <= age <= case.limits.max_bar_sessions_old:
        return None
    old = counted(age, "session")
    return f"{order.symbol} has no bar" if age < 0 else f"the last bar of {order.symbol} is {old} old"


def max_gap_from_close(case: Case) -> str | None:
    """Refuse where the fresh price lies further than ``risk.max_gap_from_close`` from the planned one.

    Where no quote can be known there is no verdict.
    """
    order, fresh = case.order, case.context.mid(case.order.symbol)
    if fresh is None:
        return None
    if abs(fresh - order.planned_price) <= exact(case.limits.max_gap_from_close) * order.planned_price:
        return None
    gap = fresh / order.planned_price - 1
    return f"{order.symbol} moved {gap:+.2%} from the planned {order.planned_price} USD to {fresh}"
