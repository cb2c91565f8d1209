"""Exchange calendars: which sessions exist, when each opens and closes."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from aitrader.domain.closures import CLOSED, CLOSES_AT_13, CLOSES_AT_14, UNPLANNED
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
    return _new_york(frozenset(_listed(CLOSED))) if name == "XNYS" else _always()


@cache
def planned(name: str) -> Calendar:
    """Return the calendar as it was known long before: a day on which the venue was shut by surprise is a session.

    Raises
    ------
    UnknownNameError
        No such calendar.
    """
    return _new_york(frozenset(_listed(CLOSED)).difference(_listed(UNPLANNED))) if name == "XNYS" else calendar(name)


def _new_york(closed: frozenset[date]) -> Calendar:
    zone = ZoneInfo(_TIME_ZONES["XNYS"])
    early = dict.fromkeys(_listed(CLOSES_AT_13), time(13)) | dict.fromkeys(_listed(CLOSES_AT_14), time(14))
    sessions = tuple(day for day in _days() if day.weekday() < 5 and day not in closed)
    opens = tuple(datetime.combine(day, time(9, 30), zone).astimezone(UTC) for day in sessions)
    closes = tuple(datetime.combine(day, early.get(day, time(16)), zone).astimezone(UTC) for day in sessions)
    return Calendar("XNYS", sessions, opens, closes)


def _always() -> Calendar:
    opens = tuple(datetime.combine(day, time(0), UTC) for day in _days())
    return Calendar("24/7", tuple(_days()), opens, tuple(opened + timedelta(days=1) for opened in opens))


def _days() -> Iterator[date]:
    return (date.fromordinal(number) for number in range(FIRST.toordinal(), LAST.toordinal() + 1))


def _listed(table: str) -> Iterator[date]:
    """Yield the days of a table of ``domain.closures``."""
    for line in table.split("\n")[1:-1]:
        year, *days = line.split()
        for day in days:
            yield date(int(year), int(day[:2]), int(day[2:]))
