"""Limits on whether an order may leave at all, and when: latches, held symbols, the session's window."""

from aitrader.domain.events import Latch
from aitrader.risk.exposure import Case


def halt(case: Case) -> str | None:
    """Refuse everything while HALT is shut."""
    return "HALT is shut: nothing leaves" if Latch.HALT in case.context.latches else None


def halt_entries(case: Case) -> str | None:
    """Refuse what does not reduce a position while HALT_ENTRIES is shut."""
    if case.order.reducing or Latch.HALT_ENTRIES not in case.context.latches:
        return None
    return "HALT_ENTRIES is shut: only orders that reduce a position leave"


def hold(case: Case) -> str | None:
    """Refuse every order of a symbol that is held until what is known about it agrees again."""
    reason = case.context.held.get(case.order.symbol)
    return None if reason is None else f"{case.order.symbol} is held: {reason}"


def session_window(case: Case) -> str | None:
    """Refuse an order outside the window of its entry, from its first moment to before its last."""
    window, at = case.context.window, case.context.at
    if window is None or (at is not None and window[0] <= at < window[1]):
        return None
    now = "nobody knows the time" if at is None else f"it is {at:%Y-%m-%d %H:%M:%S}"
    first, last = window
    return f"orders leave from {first:%H:%M:%S} to before {last:%H:%M:%S} UTC on {first:%Y-%m-%d}; {now}"
