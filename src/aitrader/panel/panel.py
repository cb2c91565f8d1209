"""Many series at once: named columns on one grid of symbols and bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aitrader.domain.symbols import Symbol
from aitrader.errors import ConfigError
from aitrader.panel.timeline import STEPS, Timeframe, Times, closes_of, sessions_of

Grid = NDArray[np.float64]
"""One value per symbol and bar, shape (symbols, bars), C order."""

ADJUSTED: Final = ("open", "high", "low", "close", "volume", "vwap")
"""Columns adjusted forward from a symbol's first bar: prices in USD per first share, volume in first shares."""

TRADED: Final = tuple(f"traded_{name}" for name in ADJUSTED)
"""Columns as traded: USD per share and shares of the session."""

COLUMNS: Final = ADJUSTED + TRADED

GROUPS: Final = ("sector", "industry")
"""Kinds of groups that the language knows."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Columns of shape (symbols, bars), float64, C order; NaN where a symbol has no bar: nobody traded.

    ``sessions`` holds the session of each bar, which is what a daily bar is labelled with; they rise strictly. Bars
    shorter than a session have ``starts`` besides, their beginnings in UTC, which rise strictly, all in regular hours.
    ``members`` says which symbols count in a bar's cross-section. ``begins`` is the position of each symbol's first
    bar, a negative number where it lies before the panel, which is a part of a longer history. None: that of the first
    value of any column, and behind the last where there is none. ``groups`` says for a kind, such as sectors, which
    symbols belong together, as known on the bar: equal numbers in the shape of the grid, negative for no group.
    """

    calendar: str
    timeframe: Timeframe
    sessions: Times
    symbols: tuple[Symbol, ...]
    columns: Mapping[str, Grid]
    members: NDArray[np.bool_]
    begins: NDArray[np.int64] = None  # type: ignore[assignment]  # filled in when the panel is made
    starts: Times | None = None
    groups: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_labels(self)
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError("a symbol stands in a panel once")
        _check_grids(self)
        dense = {name: np.ascontiguousarray(values) for name, values in self.columns.items()}
        object.__setattr__(self, "columns", MappingProxyType(dense))
        object.__setattr__(self, "groups", MappingProxyType(dict(self.groups)))
        if self.begins is None:
            object.__setattr__(self, "begins", _first_bars(self))

    @classmethod
    def intraday(
        cls,
        calendar: str,
        timeframe: Timeframe,
        starts: Times,
        symbols: tuple[Symbol, ...],
        columns: Mapping[str, Grid],
        *,
        members: NDArray[np.bool_],
    ) -> "Panel":
        """Return a panel of bars shorter than a session, from their beginnings in UTC.

        Raises
        ------
        ValueError
            The starts do not rise strictly, or one lies outside the regular hours; or as ``Panel``.
        """
        sessions = sessions_of(calendar, timeframe, starts)
        if np.isnat(sessions).any():
            outside = starts[np.isnat(sessions)][0]
            raise ValueError(f"the bar of {outside} lies outside the regular hours of {calendar}")
        return cls(calendar, timeframe, sessions, symbols, columns, members, starts=starts)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of symbols, number of bars."""
        return len(self.symbols), len(self.sessions)

    @property
    def closes(self) -> Times:
        """When each bar closes, UTC, half days included; NaT on a day that is no session of the calendar."""
        return closes_of(self.calendar, self.timeframe, self.sessions, self.starts)

    def __getitem__(self, column: str) -> Grid:
        return self.columns[column]

    def group(self, name: str) -> NDArray[np.int64]:
        """Return each symbol's group of a kind such as sectors, shape of the grid; ``ConfigError`` if there is none."""
        if name not in self.groups:
            raise ConfigError(
                f"Symbols are compared within their {name}, which the data do not have.",
                fix=f"Groups: {', '.join(self.groups) or 'none'}. Leave out the features that need others.",
            )
        return self.groups[name]

    def ages(self, rows: slice, start: int, stop: int) -> Grid:
        """Return bars since each symbol's first bar at positions ``start`` up to ``stop``; NaN before it."""
        bars = np.arange(start, stop, dtype=np.float64) - self.begins[rows, None]
        return np.where(bars >= 0, bars, np.nan)

    def position(self, session: date) -> int:
        """Return the number of the first bar of ``session``; ``ValueError`` if it is not there."""
        wanted = np.datetime64(session, "D")
        place = int(np.searchsorted(self.sessions, wanted))
        if place == len(self.sessions) or self.sessions[place] != wanted:
            raise ValueError(f"{session} is not a session of this panel")
        return place

    def slice(self, start: int = 0, stop: int | None = None) -> "Panel":
        """Return the bars at positions ``start`` up to, not including, ``stop``."""
        span = slice(start, stop)
        return Panel(
            self.calendar,
            self.timeframe,
            self.sessions[span],
            self.symbols,
            {name: values[:, span] for name, values in self.columns.items()},
            np.ascontiguousarray(self.members[:, span]),
            self.begins - span.indices(self.shape[1])[0],
            None if self.starts is None else self.starts[span],
            groups={name: numbers[:, span] for name, numbers in self.groups.items()},
        )

    def select(self, symbols: Sequence[Symbol]) -> "Panel":
        """Return the panel of these symbols, in this order; ``ValueError`` for one that is not there."""
        missing = [symbol for symbol in symbols if symbol not in self.symbols]
        if missing:
            raise ValueError(f"not in this panel: {', '.join(missing)}")
        rows = [self.symbols.index(symbol) for symbol in symbols]
        return Panel(
            self.calendar,
            self.timeframe,
            self.sessions,
            tuple(symbols),
            {name: values[rows] for name, values in self.columns.items()},
            self.members[rows],
            self.begins[rows],
            self.starts,
            groups={name: numbers[rows] for name, numbers in self.groups.items()},
        )


def _check_labels(panel: Panel) -> None:
    starts, sessions = panel.starts, panel.sessions
    if (starts is not None) != (panel.timeframe in STEPS):
        raise ValueError(f"bars of {panel.timeframe} have {'' if starts is None else 'no '}starts")
    if starts is not None and starts.shape != sessions.shape:
        raise ValueError(f"{len(starts)} starts of bars, but {len(sessions)} sessions of them")
    labels = sessions.astype("datetime64[D]") if starts is None else starts
    if np.any(np.diff(labels.astype(np.int64)) <= 0):
        raise ValueError(f"the {'sessions' if starts is None else 'starts'} of a panel rise strictly")


def _check_grids(panel: Panel) -> None:
    for name, values in panel.columns.items():
        if values.shape != panel.shape or values.dtype != np.float64:
            raise ValueError(f"column {name} is {values.dtype}{values.shape}, not float64{panel.shape}")
    for name, marks in {"members": panel.members, **{f"groups {name}": g for name, g in panel.groups.items()}}.items():
        if marks.shape != panel.shape:
            raise ValueError(f"{name} have shape {marks.shape}, the grid {panel.shape}")


def _first_bars(panel: Panel) -> NDArray[np.int64]:
    known = np.zeros(panel.shape, dtype=bool)
    for values in panel.columns.values():
        known |= np.isfinite(values)
    return (
        np.where(known.any(axis=1), known.argmax(axis=1), panel.shape[1])
        if panel.shape[1]
        else np.zeros(len(known), int)
    )
