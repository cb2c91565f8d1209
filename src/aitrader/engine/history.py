"""Arrays of many sessions, from which each decision gets one session and nothing later."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from types import MappingProxyType
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aitrader.domain.calendars import Calendar
from aitrader.domain.snapshot import BoolArray, FloatArray, MarketSnapshot
from aitrader.domain.symbols import Symbol
from aitrader.panel.panel import Panel
from aitrader.universe.filters import mean_volume

Matrices = Mapping[str, ArrayLike]
"""Values by name (feature, or model), each symbols by sessions (N, T), NaN where not known."""


@dataclass(frozen=True, slots=True)
class History:
    """What each session's close made known, symbols by sessions (N, T); column t uses sessions up to t only.

    ``close`` is the last close as traded (carried over gaps, NaN before the first bar), ``stale`` the sessions
    since that bar (-1: none yet), ``volume20`` the mean volume of 20 sessions in shares of that session;
    ``usual_volume`` is the mean of the 20 sessions before, in shares of the session itself: what its open knows.
    ``lag`` is the time from a session's close until its bar is known.
    """

    calendar: Calendar
    sessions: tuple[date, ...]
    symbols: tuple[Symbol, ...]
    members: BoolArray
    close: FloatArray
    stale: NDArray[np.int64]
    volume20: FloatArray
    usual_volume: FloatArray
    features: Mapping[str, FloatArray]
    predictions: Mapping[str, FloatArray]
    lag: timedelta = timedelta(0)

    @classmethod
    def of(cls, panel: Panel, calendar: Calendar, *, features: Matrices, predictions: Matrices, lag: timedelta) -> Self:
        """Return the history that ``panel`` (with its columns as traded) and the matrices make."""
        traded = np.asarray(panel.columns["traded_close"], dtype=np.float64)
        close, stale = carried(traded)
        days: list[date] = panel.sessions.tolist()
        volume20, usual_volume = _volumes(panel)
        return cls(
            calendar=calendar,
            sessions=tuple(days),
            symbols=panel.symbols,
            members=panel.members,
            close=close,
            stale=stale,
            volume20=volume20,
            usual_volume=usual_volume,
            features=_floats(features),
            predictions=_floats(predictions),
            lag=lag,
        )

    def position(self, session: date) -> int:
        """Return the column of ``session``; of the last session before it where the history has no such session.

        Raises
        ------
        ValueError
            ``session`` lies before the first one.
        """
        found = bisect_right(self.sessions, session) - 1
        if found < 0:
            raise ValueError(f"{session} lies before the first session, {self.sessions[0]}")
        return found

    def snapshot(self, session: date) -> MarketSnapshot:
        """Return the market as known once the bars of ``session`` were; raises ``ValueError`` as ``position``."""
        at = self.position(session)
        return MarketSnapshot(
            session=self.sessions[at],
            decided_at=self.calendar.close_of(self.sessions[at]) + self.lag,
            symbols=self.symbols,
            members=self.members[:, at],
            close=self.close[:, at],
            stale=self.stale[:, at],
            volume20=self.volume20[:, at],
            features=MappingProxyType({name: values[:, at] for name, values in self.features.items()}),
            predictions=MappingProxyType({name: values[:, at] for name, values in self.predictions.items()}),
        )

    def with_predictions(self, predictions: Matrices) -> "History":
        """Return the same history with other predictions."""
        return replace(self, predictions=_floats(predictions))

    def with_opinions_late(self, sessions: int) -> "History":
        """Return the same history in which features and predictions arrive ``sessions`` sessions late."""
        return replace(
            self,
            features={name: _late(values, sessions) for name, values in self.features.items()},
            predictions={name: _late(values, sessions) for name, values in self.predictions.items()},
        )


def carried(values: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return the last finite value of each row up to each column, and how many columns ago it stood.

    Before the first one the value is NaN and the count -1. Shapes as ``values`` (N, T).
    """
    columns = np.arange(values.shape[1], dtype=np.int64)
    last = np.maximum.accumulate(np.where(np.isfinite(values), columns, -1), axis=1)
    filled = np.where(last >= 0, np.take_along_axis(values, np.maximum(last, 0), axis=1), np.nan)
    return filled, np.where(last >= 0, columns - last, -1)


def _volumes(panel: Panel) -> tuple[FloatArray, FloatArray]:
    # Before a split fewer, dearer shares change hands: the mean is taken in shares of the first bar, which a split
    # does not change, and told in shares of the session.
    traded = np.asarray(panel.columns["traded_volume"], dtype=np.float64)
    adjusted = np.asarray(panel.columns["volume"], dtype=np.float64)
    ratio = np.divide(traded, adjusted, out=np.full_like(traded, np.nan), where=adjusted > 0)
    shares = np.nan_to_num(carried(ratio)[0], nan=1.0)
    mean = mean_volume(adjusted)
    return mean * shares, _late(mean, 1) * shares


def _floats(matrices: Matrices) -> Mapping[str, FloatArray]:
    return MappingProxyType({name: np.asarray(values, dtype=np.float64) for name, values in matrices.items()})


def _late(values: FloatArray, sessions: int) -> FloatArray:
    late = np.full_like(values, np.nan)
    late[:, sessions:] = values[:, : values.shape[1] - sessions]
    return late
