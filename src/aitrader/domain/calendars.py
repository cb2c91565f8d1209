"""Exchange calendars: which sessions exist, when each opens and closes.

The untyped library ``exchange_calendars`` is imported here alone; what leaves are dates and UTC times.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Final

import exchange_calendars
import pandas as pd

from aitrader.registry import unknown_name

FIRST: Final = date(1990, 1, 1)
LAST: Final = date(2035, 12, 31)

NAMES: Final = ("XNYS", "24/7")
_TIME_ZONES: Final = {"XNYS": "America/New_York", "24/7": "UTC"}


@dataclass(frozen=True, slots=True)
class Calendar:
    """The sessions of one venue, in order, from ``FIRST`` to ``LAST``.

    ``opens`` and ``closes`` are UTC, one per session; half days close early.
    """

    name: str
    sessions: tuple[date, ...]
    opens: tuple[datetime, ...]
    closes: tuple[datetime, ...]

    @property
    def time_zone(self) -> str:
        """The IANA name of the zone in which the venue's days begin and end."""
        return _TIME_ZONES[self.name]

    def between(self, start: date, end: date) -> tuple[date, ...]:
        """Return the sessions from ``start`` to ``end``, both included."""
        return self.sessions[bisect_left(self.sessions, start) : bisect_right(self.sessions, end)]

    def position(self, session: date) -> int:
        """Return the number of ``session``; ``ValueError`` if the venue does not trade on that day."""
        position = bisect_left(self.sessions, session)
        if position == len(self.sessions) or self.sessions[position] != session:
            raise ValueError(f"{session} is not a session of {self.name}")
        return position

    def offset(self, session: date, count: int) -> date:
        """Return the session ``count`` sessions after (before, if negative) ``session``."""
        return self.sessions[self.position(session) + count]

    def open_of(self, session: date) -> datetime:
        """Return the regular open of ``session``, UTC."""
        return self.opens[self.position(session)]

    def close_of(self, session: date) -> datetime:
        """Return the regular close of ``session``, UTC; half days included."""
        return self.closes[self.position(session)]

    def last_closed(self, now: datetime, lag: timedelta = timedelta(0)) -> date | None:
        """Return the newest session whose close lies at least ``lag`` before ``now``; None before the first."""
        position = bisect_right(self.closes, now - lag)
        return self.sessions[position - 1] if position else None


@cache
def calendar(name: str) -> Calendar:
    """Return the calendar ``name``: ``XNYS`` (US stocks and ETFs) or ``24/7`` (crypto, UTC days).

    Raises
    ------
    UnknownNameError
        No such calendar.
    """
    if name not in NAMES:
        raise unknown_name("calendar", name, NAMES)
    source = exchange_calendars.get_calendar(name, start=FIRST.isoformat(), end=LAST.isoformat())
    schedule = source.schedule
    days: Sequence[date] = schedule.index.to_numpy().astype("datetime64[D]").tolist()
    return Calendar(name, tuple(days), _utc(schedule["open"]), _utc(schedule["close"]))


def _utc(times: pd.Series) -> tuple[datetime, ...]:
    naive = times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    return tuple(time.replace(tzinfo=UTC) for time in naive.tolist())
