"""What a calendar says of its sessions, one number each, all of it known long before."""

from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aitrader.panel.panel import Panel
from aitrader.panel.timeline import STEPS, Timeline, timeline

Numbers = NDArray[np.float64]

_NEVER: Final = np.iinfo(np.int64).max
THURSDAY: Final = 3
"""Weekday of 1970-01-01, Monday being 0."""


def almanac(panel: Panel, what: str) -> Numbers:
    """Return what the calendar says of each of the panel's bars.

    ``what`` is a key of the table below, or ``bar_of_session``. NaN on a day that is no session of the calendar.
    """
    places = timeline(panel.calendar).places(panel.sessions)
    if what in _BY_SESSION:
        return np.where(places >= 0, _numbers(panel.calendar, what)[places], np.nan)
    if panel.starts is None:
        return np.where(places >= 0, 0.0, np.nan)
    since = (panel.starts - timeline(panel.calendar).opens[places]) // STEPS[panel.timeframe]
    return np.where(
        places >= 0, np.maximum(since, 0).astype(np.float64), np.nan
    )  # an hour's stamp may precede the open


def weeks(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return the number of each day's week; a week begins on a Monday."""
    return (days.astype("datetime64[D]").astype(np.int64) + THURSDAY) // 7


def months(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return the number of each day's month; January of a year is divisible by 12."""
    return days.astype("datetime64[M]").astype(np.int64)


@cache
def _numbers(calendar: str, what: str) -> Numbers:
    return _BY_SESSION[what](timeline(calendar)).astype(np.float64)


def _since_change(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many sessions of its group stand before each; groups are runs of equal numbers."""
    places = np.arange(len(groups))
    return places - np.maximum.accumulate(np.where(np.diff(groups, prepend=groups[0] - 1) != 0, places, 0))


def _until(marked: NDArray[np.bool_]) -> Numbers:
    """Return the sessions from each one to the next that is marked, 0 on it; NaN behind the last."""
    places = np.arange(len(marked))
    coming = np.minimum.accumulate(np.where(marked, places, _NEVER)[::-1])[::-1]
    return np.where(coming < _NEVER, (coming - places).astype(np.float64), np.nan)


def _session_of_week(line: Timeline) -> NDArray[np.int64]:
    return _since_change(weeks(line.days)) + 1


def _session_of_month(line: Timeline) -> NDArray[np.int64]:
    return _since_change(months(line.days)) + 1


def _sessions_to_month_end(line: Timeline) -> Numbers:
    return _until(np.diff(months(line.days), append=months(line.days)[-1]) != 0)


def _month_of_year(line: Timeline) -> NDArray[np.int64]:
    return months(line.days) % 12 + 1


def _sessions_to_expiry(line: Timeline) -> Numbers:
    firsts = np.unique(line.days.astype("datetime64[M]")).astype("datetime64[D]")
    fridays = np.busday_offset(firsts, 2, roll="forward", weekmask="Fri")
    expiries = np.searchsorted(line.days, fridays, side="right") - 1  # that Friday, or the session before
    marked = np.zeros(len(line.days), dtype=np.bool_)
    marked[expiries[(line.days[0] <= fridays) & (fridays <= line.days[-1])]] = True
    return _until(marked)


def _holiday_follows(line: Timeline) -> NDArray[np.bool_]:
    """Say whether a weekday without a session lies between each session and the next."""
    between = np.busday_count(line.days[:-1] + 1, line.days[1:])
    return np.append(between, 0) > 0


def _sessions_to_holiday(line: Timeline) -> Numbers:
    return _until(_holiday_follows(line))


def _sessions_since_holiday(line: Timeline) -> Numbers:
    return _until(np.append(False, _holiday_follows(line)[:-1])[::-1])[::-1]


def _half_day(line: Timeline) -> NDArray[np.bool_]:
    lengths = (line.closes - line.opens).astype(np.int64)
    return np.asarray(lengths < lengths.max())


def _phase(part: np.ufunc, cycle: int) -> Callable[[Timeline], Numbers]:
    """Return the sine or cosine of the month's place in a cycle of so many months that begins in January."""
    return lambda line: np.asarray(part(2.0 * np.pi / cycle * (months(line.days) % cycle)))


_BY_SESSION: Final[dict[str, Callable[[Timeline], NDArray[np.generic]]]] = {
    "session_of_week": _session_of_week,
    "session_of_month": _session_of_month,
    "sessions_to_month_end": _sessions_to_month_end,
    "month_of_year": _month_of_year,
    "sessions_to_expiry": _sessions_to_expiry,
    "sessions_to_holiday": _sessions_to_holiday,
    "sessions_since_holiday": _sessions_since_holiday,
    "half_day": _half_day,
    "month_sine": _phase(np.sin, 12),
    "month_cosine": _phase(np.cos, 12),
    "quarter_sine": _phase(np.sin, 3),
    "quarter_cosine": _phase(np.cos, 3),
}
