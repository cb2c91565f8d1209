"""Where the present comes from: a function that returns an aware UTC time.

This is the only module that reads the machine's clock; everything else is handed a ``Clock``,
so that a test, a replay and a backtest can hand in another one.
"""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    """Return the machine's time, UTC."""
    return datetime.now(UTC)


def fixed_clock(now: datetime) -> Clock:
    """Return a clock that stands at ``now``, which must carry an offset."""
    if now.tzinfo is None:
        raise ValueError(f"{now.isoformat()} has no UTC offset")
    instant = now.astimezone(UTC)
    return lambda: instant
