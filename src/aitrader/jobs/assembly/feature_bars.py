"""Bars laid out as a panel, of some symbols and sessions only: what a part of the features is computed from.

A slab of a longer history equals that part of ``assembly.data.market``'s panel bit for bit: what came before its first
session is carried into it as one row per symbol.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aitrader.config.schema import Config, Universe
from aitrader.domain.calendars import Calendar, calendar
from aitrader.domain.frames import Adjustment
from aitrader.domain.symbols import Symbol
from aitrader.jobs.assembly.data import PRICES, series_of
from aitrader.jobs.assembly.groups import read_groups
from aitrader.lake.adjust import factor_steps, relevant
from aitrader.lake.snapshot import Snapshot
from aitrader.panel.panel import Grid, Panel
from aitrader.trace import spanned
from aitrader.universe.filters import WINDOW
from aitrader.universe.membership import members

Days = NDArray[np.datetime64]

CARRIED: Final = pl.Schema(
    {
        "symbol": pl.String(),
        "begins": pl.Int64(),
        "seen": pl.Int64(),
        "last_session": pl.Date(),
        "last_close": pl.Float64(),
        "factor_price": pl.Float64(),
        "factor_volume": pl.Float64(),
    }
)
"""What is known of a symbol before a slab: the position of its first bar in the whole history (``NEVER`` if it has
none), how many closes it had, its last bar and the factors of its forward adjustment."""

NEVER: Final = 1 << 40
MEMBER_BARS: Final = WINDOW - 1
"""Sessions before the first one that membership looks back."""


@dataclass(frozen=True, slots=True)
class Slab:
    """A part of the market, which begins at position ``offset`` of the whole history."""

    panel: Panel
    offset: int
    carried: pl.DataFrame
    traded: dict[str, Grid]
    factors: dict[str, Grid | None]
    present: NDArray[np.bool_]

    def carry(self, position: int) -> pl.DataFrame:
        """Return what is known before ``position`` of the whole history, in the slab or at its end: ``CARRIED``."""
        cut = position - self.offset
        before = self.present[:, :cut]
        any_ = before.any(axis=1)
        last = np.where(any_, cut - 1 - before[:, ::-1].argmax(axis=1), 0) if cut else np.zeros(len(before), int)
        rows = np.arange(len(last))
        fresh: dict[str, NDArray[Any]] = {}
        if cut:
            fresh["last_session"] = self.panel.sessions[last]
            fresh["last_close"] = self.traded["close"][rows, last]
            for name, grid in self.factors.items():
                if grid is not None:
                    fresh[name] = grid[rows, last]
        replaced = {
            name: pl.when(pl.Series(any_)).then(pl.Series(values, dtype=CARRIED[name])).otherwise(pl.col(name))
            for name, values in fresh.items()
        }
        begins = np.where(self.panel.begins >= self.panel.shape[1], NEVER, self.panel.begins + self.offset)
        seen = np.isfinite(self.traded["close"][:, :cut]).sum(axis=1)
        return self.carried.with_columns(
            **replaced, begins=pl.Series(begins, dtype=pl.Int64()), seen=pl.col("seen") + pl.Series(seen)
        ).with_columns(pl.col("last_close").fill_nan(None))


class Bars:
    """The lake's bars of the configured source, universe and dates, read a part at a time."""

    def __init__(self, config: Config, snapshot: Snapshot) -> None:
        self.snapshot: Final = snapshot
        self.source: Final = snapshot.bar_source(config.data.source)
        self.venue: Final[Calendar] = calendar(config.data.calendar)
        known = [Symbol(symbol) for source, symbol in snapshot.series() if source == self.source]
        named = config.universe.symbols
        self.selection: Final = tuple(sorted(known if named is None else {Symbol(s) for s in named} & set(known)))
        self.series: Final = series_of(snapshot, self.source, self.selection, config.data.adjustment)
        self.groups: Final = read_groups(config, snapshot)
        self._settings = config.data
        self._universe: Universe = config.universe

    def after(self, day: date | None) -> tuple[Days, tuple[Symbol, ...]]:
        """Return the sessions after ``day`` (None: all) on which a selected symbol has a bar, and those symbols."""
        sessions: list[NDArray[Any]] = [np.empty(0, dtype="datetime64[D]")]
        symbols: set[str] = set()
        wanted = [] if self._universe.symbols is None else [pl.col("symbol").is_in(self.selection)]
        wanted += [] if day is None else [pl.col("session") > day]
        for frame in self._read(["symbol", "session"], day):
            own = frame.filter(*wanted) if wanted else frame
            sessions.append(own["session"].unique().to_numpy().astype("datetime64[D]"))
            symbols.update(own["symbol"].unique())
        return np.unique(np.concatenate(sessions)), tuple(s for s in self.selection if s in symbols)

    @spanned("load bars")
    def slab(
        self,
        symbols: Sequence[Symbol],
        sessions: Days,
        columns: frozenset[str],
        *,
        offset: int = 0,
        carried: pl.DataFrame | None = None,
        within: frozenset[str] | None = None,
    ) -> Slab:
        """Return the panel of these symbols and sessions, with those of its ``columns`` that are wanted.

        ``sessions`` begin at position ``offset`` of the whole history, of which ``carried`` is known. ``within``: the
        members of the universe are compared, in groups of these kinds as well; None: everybody is a member.
        """
        before = _nothing(symbols) if carried is None else carried
        traded, present = self._grids(symbols, sessions)
        factors = self._factors(symbols, sessions, present, traded["close"], before)
        grids = {}
        for name in PRICES:
            factor = factors["factor_volume" if name == "volume" else "factor_price"]
            if f"traded_{name}" in columns:
                grids[f"traded_{name}"] = traded[name]
            if name in columns:
                grids[name] = traded[name] if factor is None else traded[name] * factor
        known = np.zeros(present.shape, dtype=bool)
        for grid in traded.values():
            known |= np.isfinite(grid)
        first = np.where(known.any(axis=1), known.argmax(axis=1), len(sessions))
        begins = np.minimum(before["begins"].to_numpy() - offset, first)
        members_ = np.ones(present.shape, dtype=bool) if within is None else self._members(symbols, traded, before)
        groups = self.groups.grids(symbols, sessions, within or ())
        panel = Panel(self.venue.name, "1d", sessions, tuple(symbols), grids, members_, begins, groups=groups)
        return Slab(panel, offset, before, traded, factors, present)

    def _members(self, symbols: Sequence[Symbol], traded: dict[str, Grid], before: pl.DataFrame) -> NDArray[np.bool_]:
        adjusted = any(info.adjustment is not Adjustment.RAW for info in self.series.values())
        seen = before["seen"].to_numpy()
        close, volume = traded["close"], traded["volume"]
        return members(tuple(symbols), close, volume, self._universe, adjusted=adjusted, before=seen)

    def _read(self, columns: Sequence[str], start: date | None, end: date | None = None) -> Iterator[pl.DataFrame]:
        first = max((day for day in (start, self._settings.start) if day is not None), default=None)
        last = min((day for day in (end, self._settings.end) if day is not None), default=None)
        yield from self.snapshot.bar_parts(columns, source=self.source, start=first, end=last)

    def _grids(self, symbols: Sequence[Symbol], sessions: Days) -> tuple[dict[str, Grid], NDArray[np.bool_]]:
        shape = (len(symbols), len(sessions))
        grids = {name: np.full(shape, np.nan) for name in PRICES}
        present = np.zeros(shape, dtype=bool)
        days = sessions.astype(np.int64)
        column_of = np.full(int(days[-1] - days[0]) + 1, -1)
        column_of[days - days[0]] = np.arange(len(days))
        names = pl.Enum([str(symbol) for symbol in symbols])
        for frame in self._read(["symbol", "session", *PRICES], sessions[0].item(), sessions[-1].item()):
            place = frame["session"].to_physical().to_numpy() - days[0]
            row = frame["symbol"].cast(names, strict=False).to_physical().cast(pl.Int64()).fill_null(-1).to_numpy()
            column = column_of[place]
            kept = (row >= 0) & (column >= 0)
            whole = bool(kept.all())
            at = (row, column) if whole else (row[kept], column[kept])
            present[at] = True
            for name, grid in grids.items():
                values = frame[name].to_numpy()
                grid[at] = values if whole else values[kept]
        return grids, present

    @cached_property
    def _actions(self) -> pl.DataFrame:
        return relevant(self.snapshot.actions(source=self.source), self.series)

    def _factors(
        self, symbols: Sequence[Symbol], sessions: Days, present: NDArray[np.bool_], close: Grid, before: pl.DataFrame
    ) -> dict[str, Grid | None]:
        """Return the factors of the forward adjustment; None where all are 1."""
        steps = factor_steps(*self._around(symbols, sessions, present, close, before))
        row_of = {symbol: row for row, symbol in enumerate(symbols)}
        rows = np.array([row_of[Symbol(symbol)] for symbol in steps["symbol"]], dtype=np.intp)
        columns = np.searchsorted(sessions, steps["session"].to_numpy().astype("datetime64[D]"))
        found: dict[str, Grid | None] = {}
        for name in ("factor_price", "factor_volume"):
            found[name] = None
            if steps.is_empty() and bool((before[name] == 1.0).all()):
                continue
            factor = np.ones((len(symbols), len(sessions) + 1))
            factor[:, 0] = before[name].to_numpy()
            factor[rows, columns + 1] = steps[name.replace("factor", "step")].to_numpy()
            found[name] = np.cumprod(factor, axis=1, dtype=np.float64)[:, 1:]
        return found

    def _around(
        self, symbols: Sequence[Symbol], sessions: Days, present: NDArray[np.bool_], close: Grid, before: pl.DataFrame
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the bars that ``factor_steps`` needs, and the actions that set in on one of these sessions."""
        actions = self._actions.join(before.select("symbol", "last_session"), on="symbol", how="inner")
        actions = actions.filter(
            pl.col("last_session").is_null() | (pl.col("ex_date") > pl.col("last_session")),
            pl.col("ex_date") <= sessions[-1].item(),
        )
        last = dict(before.select("symbol", pl.struct("last_session", "last_close")).iter_rows())
        row_of = {str(symbol): row for row, symbol in enumerate(symbols)}
        rows: list[tuple[str, date, float | None]] = []
        for (symbol,), own in actions.group_by("symbol"):
            row = row_of[str(symbol)]
            days = np.flatnonzero(present[row])
            places = np.searchsorted(sessions[days], own["ex_date"].to_numpy().astype("datetime64[D]"))
            needed = np.unique(np.concatenate([places - 1, places]))
            if needed[0] < 0 and last[symbol]["last_session"] is not None:
                rows.append((str(symbol), last[symbol]["last_session"], last[symbol]["last_close"]))
            for place in needed[(needed >= 0) & (needed < len(days))]:
                value = close[row, days[place]]
                rows.append((str(symbol), sessions[days[place]].item(), None if np.isnan(value) else float(value)))
        schema = {"symbol": pl.String(), "session": pl.Date(), "close": pl.Float64()}
        bars = pl.DataFrame(rows, schema=schema, orient="row").sort("symbol", "session")
        return bars, actions.drop("last_session")


def _nothing(symbols: Sequence[Symbol]) -> pl.DataFrame:
    """Return what is known of symbols before their history."""
    nothing = {"begins": NEVER, "seen": 0, "factor_price": 1.0, "factor_volume": 1.0}
    rows = pl.DataFrame({"symbol": [str(symbol) for symbol in symbols]}, schema={"symbol": pl.String()})
    return rows.with_columns(
        pl.lit(nothing.get(name), dtype).alias(name) for name, dtype in CARRIED.items() if name != "symbol"
    )
