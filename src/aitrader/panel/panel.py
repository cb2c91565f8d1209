"""Many series at once: named columns on one grid of symbols and sessions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from aitrader.domain.symbols import Symbol

Grid = NDArray[np.float64]
"""One value per symbol and session, shape (symbols, sessions), C order."""

ADJUSTED: Final = ("open", "high", "low", "close", "volume", "vwap")
"""Columns adjusted forward from a symbol's first bar: prices in USD per first share, volume in first shares."""

TRADED: Final = tuple(f"traded_{name}" for name in ADJUSTED)
"""Columns as traded: USD per share and shares of the session."""

COLUMNS: Final = ADJUSTED + TRADED


@dataclass(frozen=True, slots=True)
class Panel:
    """Columns of shape (symbols, sessions), float64, C order; NaN where a symbol has no bar.

    ``sessions`` rise strictly; ``members`` says which symbols count in a session's cross-section.
    """

    calendar: str
    timeframe: Literal["1d"]
    sessions: NDArray[np.datetime64]
    symbols: tuple[Symbol, ...]
    columns: Mapping[str, Grid]
    members: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if np.any(np.diff(self.sessions.astype("datetime64[D]").astype(np.int64)) <= 0):
            raise ValueError("the sessions of a panel rise strictly")
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError("a symbol stands in a panel once")
        if self.members.shape != self.shape:
            raise ValueError(f"members have shape {self.members.shape}, the grid {self.shape}")
        for name, values in self.columns.items():
            if values.shape != self.shape or values.dtype != np.float64:
                raise ValueError(f"column {name} is {values.dtype}{values.shape}, not float64{self.shape}")
        dense = {name: np.ascontiguousarray(values) for name, values in self.columns.items()}
        object.__setattr__(self, "columns", MappingProxyType(dense))

    @property
    def shape(self) -> tuple[int, int]:
        """Number of symbols, number of sessions."""
        return len(self.symbols), len(self.sessions)

    def __getitem__(self, column: str) -> Grid:
        return self.columns[column]

    def position(self, session: date) -> int:
        """Return the number of ``session`` in the grid; ``ValueError`` if it is not there."""
        wanted = np.datetime64(session, "D")
        place = int(np.searchsorted(self.sessions, wanted))
        if place == len(self.sessions) or self.sessions[place] != wanted:
            raise ValueError(f"{session} is not a session of this panel")
        return place

    def slice(self, start: int = 0, stop: int | None = None) -> "Panel":
        """Return the sessions at positions ``start`` up to, not including, ``stop``."""
        span = slice(start, stop)
        return Panel(
            self.calendar,
            self.timeframe,
            self.sessions[span],
            self.symbols,
            {name: values[:, span] for name, values in self.columns.items()},
            np.ascontiguousarray(self.members[:, span]),
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
        )
