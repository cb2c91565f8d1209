"""Bars in time: the session that each belongs to, when it closes, and how many a session has.

Sessions are those that the venue had planned (``domain.calendars.planned``), so that nothing here knows of a closure
before it came.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from aitrader.domain.calendars import planned

Timeframe = Literal["1m", "5m", "15m", "30m", "1h", "1d", "1w", "1mo"]
"""How long a bar is. Weekly and monthly bars are made from shorter ones (``panel.resample``)."""

STEPS: Final = {
    "1m": np.timedelta64(60, "s"),
    "5m": np.timedelta64(300, "s"),
    "15m": np.timedelta64(900, "s"),
    "30m": np.timedelta64(1800, "s"),
    "1h": np.timedelta64(3600, "s"),
}
"""Length of the bars that are shorter than a session."""

Times = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """A venue's planned sessions, and their regular opens and closes in UTC, half days included."""

    days: Times
    opens: Times
    closes: Times

    def places(self, sessions: Times) -> NDArray[np.int64]:
        """Return the number of each of ``sessions`` in ``days``; -1 where the venue does not plan to trade."""
        places = np.searchsorted(self.days, sessions)
        found = self.days[np.minimum(places, len(self.days) - 1)] == sessions
        return np.where(found, places, -1)


@cache
def timeline(calendar: str) -> Timeline:
    """Return the timeline of a calendar; ``UnknownNameError`` if there is none of this name."""
    venue = planned(calendar)
    return Timeline(np.array(venue.sessions, "datetime64[D]"), _times(venue.opens), _times(venue.closes))


def sessions_of(calendar: str, timeframe: Timeframe, starts: Times) -> Times:
    """Return the session of each bar that starts at ``starts`` (UTC); NaT where it lies outside the regular hours.

    A bar belongs to a session that it shares time with: one stamped 09:00 in New York that holds 09:30 to 10:00 does.
    """
    line = timeline(calendar)
    places = np.searchsorted(line.closes, starts, side="right")
    known = np.minimum(places, len(line.days) - 1)
    inside = (places < len(line.days)) & (starts + STEPS[timeframe] > line.opens[known])
    return np.where(inside, line.days[known], np.datetime64("NaT"))


def closes_of(calendar: str, timeframe: Timeframe, sessions: Times, starts: Times | None) -> Times:
    """Return when bars close, UTC: with their session at the latest. NaT where that is no session of the calendar."""
    line = timeline(calendar)
    places = line.places(sessions)
    closes: Times = np.where(places >= 0, line.closes[places], np.datetime64("NaT"))
    return closes if starts is None else np.minimum(closes, starts + STEPS[timeframe])


def bars_per_session(calendar: str, timeframe: Timeframe) -> int:
    """Return how many bars the longest session has: what turns a window in sessions into one in bars.

    A half day has fewer, so that a window of so many bars then reaches further back.

    >>> [bars_per_session("XNYS", timeframe) for timeframe in ("1m", "30m", "1h", "1d")], bars_per_session("24/7", "5m")
    ([390, 13, 7, 1], 288)
    """
    if timeframe not in STEPS:
        return 1
    line = timeline(calendar)
    return int(-(-(line.closes - line.opens).max() // STEPS[timeframe]))


def _times(moments: tuple[datetime, ...]) -> Times:
    return np.array([moment.astimezone(UTC).replace(tzinfo=None) for moment in moments], "datetime64[s]")
