"""Limits on how many orders leave, and how soon the next one: what stops a program that repeats itself."""

from datetime import timedelta

from aitrader.domain.wording import counted
from aitrader.risk.exposure import Case


def duplicate_window_s(case: Case) -> str | None:
    """Refuse the same symbol and side again within ``risk.duplicate_window_s`` seconds, whatever the decision."""
    order, at, seconds = case.order, case.context.at, case.limits.duplicate_window_s
    last = case.context.last_sent.get((order.symbol, order.side))
    if last is None or not seconds or (at is not None and at - last >= timedelta(seconds=seconds)):
        return None
    then = last.isoformat(timespec="seconds")
    return f"{order.symbol} had an order to {order.side.value} at {then}; the next may follow {seconds:g} s later"


def max_orders_per_run(case: Case) -> str | None:
    """Refuse more orders of one command than ``risk.max_orders_per_run``."""
    count = case.context.run + case.exposure.passed.total()
    return _beyond(count, case.limits.max_orders_per_run, "in this run")


def max_orders_per_day(case: Case) -> str | None:
    """Refuse more orders on one UTC day than ``risk.max_orders_per_day``."""
    count = case.context.by_day + case.exposure.passed.total()
    return _beyond(count, case.limits.max_orders_per_day, "today")


def max_orders_per_symbol_day(case: Case) -> str | None:
    """Refuse more orders of one symbol on one UTC day than ``risk.max_orders_per_symbol_day``."""
    symbol = case.order.symbol
    count = case.context.by_symbol.get(symbol, 0) + case.exposure.passed[symbol]
    return _beyond(count, case.limits.max_orders_per_symbol_day, f"of {symbol} today")


def _beyond(count: int, limit: int, what: str) -> str | None:
    return None if count < limit else f"{counted(count, 'order')} left {what}; the limit is {limit}"
