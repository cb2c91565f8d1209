"""A panel's bars put together: into longer bars, of which each bar sees those that are closed, and into sessions."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aitrader.domain.symbols import Symbol
from aitrader.panel.almanac import months, weeks
from aitrader.panel.panel import Grid, Panel
from aitrader.panel.timeline import Timeframe, timeline

Places = NDArray[np.int64]

_TIMEFRAMES: Final[dict[str, Timeframe]] = {"daily": "1d", "weekly": "1w", "monthly": "1mo"}


@dataclass(frozen=True, slots=True, eq=False)
class Longer:
    """Longer bars of a panel: those that are closed at the end of it, labelled with the session that closes them.

    ``seen`` is, for each bar of the panel, how many of them are closed at its own close.
    """

    panel: Panel
    seen: Places


def longer(panel: Panel, view: str, names: Iterable[str]) -> Longer:
    """Return the ``daily``, ``weekly`` or ``monthly`` bars of a panel, with the columns ``names``.

    A longer bar closes with the last session that the venue had planned for it. It holds the bars that the panel has
    of it; where the panel begins in its middle, that is a part. A column is NaN where no bar has a value, ``vwap``
    where nothing was traded. Days that are no sessions of the calendar are left out. Members and groups are those of
    the last bar.
    """
    line = timeline(panel.calendar)
    places = line.places(panel.sessions)
    kept = np.flatnonzero(places >= 0)
    lasts = _lasts(panel.calendar, view)[places[kept]]
    firsts = np.flatnonzero(np.diff(lasts, prepend=-1))
    seen = np.searchsorted(line.closes[lasts[firsts]], panel.closes[kept], side="right")
    closed = int(seen[-1]) if len(seen) else 0
    end = int(firsts[closed]) if closed < len(firsts) else len(kept)
    firsts = firsts[:closed]
    newest_bars = kept[np.append(firsts[1:], end)[:closed] - 1]
    bars = _Bars(panel, kept[:end], firsts)
    return Longer(
        Panel(
            panel.calendar,
            _TIMEFRAMES[view],
            line.days[lasts[firsts]],
            panel.symbols,
            {name: bars.column(name) for name in names},
            panel.members[:, newest_bars],
            _begins(panel.begins, kept[:end], firsts),
            groups={name: numbers[:, newest_bars] for name, numbers in panel.groups.items()},
        ),
        np.append(0, seen)[np.searchsorted(kept, np.arange(panel.shape[1]), side="right")],
    )


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """Some symbols' sessions as rows of a panel: one row per symbol and session, its bars from the open on.

    ``session`` and ``bar`` are where each bar of the piece stands in it.
    """

    panel: Panel
    session: Places
    bar: Places

    def joined(self, values: Grid) -> Grid:
        """Return values of the rows as symbols x bars of the piece again."""
        by_session = values.reshape(-1, int(self.session[-1]) + 1, values.shape[1])
        return by_session[:, self.session, self.bar]


def sessions(panel: Panel, names: Iterable[str], rows: slice, start: int, stop: int) -> Sessions:
    """Return the sessions that the bars ``start`` up to, not including, ``stop`` belong to, each from its first bar."""
    first = int(np.searchsorted(panel.sessions, panel.sessions[start]))
    days = panel.sessions[first:stop]
    begins = np.append(True, days[1:] != days[:-1])
    session = np.cumsum(begins) - 1
    bar = np.arange(len(days)) - np.flatnonzero(begins)[session]
    shape = (rows.stop - rows.start, int(session[-1]) + 1, int(bar.max()) + 1)
    columns = {}
    for name in names:
        grid = np.full(shape, np.nan)
        grid[:, session, bar] = panel.columns[name][rows, first:stop]
        columns[name] = grid.reshape(-1, shape[2])
    count = shape[0] * shape[1]
    row_names = tuple(Symbol(str(number)) for number in range(count))
    labels = np.arange(shape[2]).astype("datetime64[D]")
    alone = Panel(panel.calendar, "1d", labels, row_names, columns, np.ones((count, shape[2]), dtype=bool))
    return Sessions(alone, session[start - first :], bar[start - first :])


@cache
def _lasts(calendar: str, view: str) -> Places:
    """Return for each planned session the last one of its longer bar."""
    days = timeline(calendar).days
    labels = {"daily": days.astype(np.int64), "weekly": weeks(days), "monthly": months(days)}
    changes = np.diff(labels[view]) != 0
    lasts: Places = np.append(np.flatnonzero(changes), len(days) - 1)[np.append(0, np.cumsum(changes))]
    return lasts


def _begins(begins: Places, kept: Places, firsts: Places) -> Places:
    """Return the longer bar that each symbol begins in; -1 where it begins before the panel."""
    places = np.searchsorted(kept, begins)
    found = np.where(places < len(kept), np.searchsorted(firsts, places, side="right") - 1, len(firsts))
    return np.where(begins < 0, -1, found)


class _Bars:
    """Columns put together over runs of bars that begin at ``firsts``; a value that is not finite is missing."""

    def __init__(self, panel: Panel, kept: Places, firsts: Places) -> None:
        self._panel = panel
        self._kept = slice(0, len(kept)) if len(kept) and kept[-1] == len(kept) - 1 else kept
        self._firsts = firsts

    def column(self, name: str) -> Grid:
        base = name.removeprefix("traded_")
        if base == "vwap":
            return self._weighted(name, name.replace("vwap", "volume"))
        return _HOW.get(base, _Bars.last)(self, self.values(name))

    def values(self, name: str) -> Grid:
        values = self._panel.columns[name][:, self._kept]
        return np.where(np.isfinite(values), values, np.nan)

    def first(self, values: Grid) -> Grid:
        return self._at(values, np.minimum, values.shape[1])

    def last(self, values: Grid) -> Grid:
        return self._at(values, np.maximum, -1)

    def highest(self, values: Grid) -> Grid:
        return np.asarray(np.fmax.reduceat(values, self._firsts, axis=1))

    def lowest(self, values: Grid) -> Grid:
        return np.asarray(np.fmin.reduceat(values, self._firsts, axis=1))

    def total(self, values: Grid) -> Grid:
        known = np.isfinite(self.highest(values))
        return np.where(known, np.add.reduceat(np.nan_to_num(values), self._firsts, axis=1), np.nan)

    def _weighted(self, name: str, weight: str) -> Grid:
        values, weights = self.values(name), self.values(weight)
        with np.errstate(all="ignore"):
            return self.total(values * weights) / self.total(np.where(np.isnan(values), np.nan, weights))

    def _at(self, values: Grid, extreme: np.ufunc, nowhere: int) -> Grid:
        places = np.where(np.isnan(values), nowhere, np.arange(values.shape[1]))
        chosen = extreme.reduceat(places, self._firsts, axis=1)
        known = np.take_along_axis(values, np.clip(chosen, 0, max(values.shape[1] - 1, 0)), axis=1)
        return np.where(chosen == nowhere, np.nan, known)


_HOW: Final[dict[str, Callable[[_Bars, Grid], Grid]]] = {
    "open": _Bars.first,
    "high": _Bars.highest,
    "low": _Bars.lowest,
    "volume": _Bars.total,
}
"""How a column is put together; any other is its last value."""
