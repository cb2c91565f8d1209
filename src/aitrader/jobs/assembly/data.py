"""Configuration turned into data: the lake, and the market laid out as a panel."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aitrader.config.schema import Config
from aitrader.domain.calendars import Calendar, calendar
from aitrader.domain.clock import Clock
from aitrader.domain.frames import Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.domain.symbols import Symbol
from aitrader.domain.wording import counted
from aitrader.errors import InsufficientDataError
from aitrader.jobs.assembly.groups import read_groups
from aitrader.lake.adjust import forward
from aitrader.lake.snapshot import Snapshot
from aitrader.lake.store import Lake
from aitrader.panel.panel import Panel
from aitrader.trace import spanned
from aitrader.universe.membership import members, select

PRICES = ("open", "high", "low", "close", "volume", "vwap")
TRADED = tuple(f"traded_{name}" for name in PRICES)


@dataclass(frozen=True, slots=True)
class Market:
    """The lake's bars on the grid of the calendar's sessions, with what is known about them.

    The panel's columns are ``open`` to ``vwap`` adjusted forward, and ``traded_open`` to ``traded_vwap`` as the
    source gave them (as traded, unless ``adjusted``). Sessions of which no symbol has a bar are ``lost``: they are
    not in the grid, because a hole would blank every window that crosses it, and they are named in a warning.
    """

    panel: Panel
    calendar: Calendar
    source: str
    series: Mapping[Symbol, SeriesInfo]
    actions: pl.DataFrame
    lost: tuple[date, ...]
    lake_version: int
    bars_hash: str

    @property
    def adjusted(self) -> bool:
        """Whether any series came adjusted, so that sizes and fees are approximate."""
        return any(info.adjustment is not Adjustment.RAW for info in self.series.values())

    @property
    def survivors_only(self) -> bool:
        """Whether the source says that it holds only names that lived to its last day."""
        return any(info.survivors_only for info in self.series.values())

    @property
    def hand_picked(self) -> bool:
        """Whether somebody chose the names."""
        return any(info.hand_picked for info in self.series.values())

    @property
    def sessions(self) -> tuple[date, ...]:
        """The panel's sessions as dates."""
        days: list[date] = self.panel.sessions.tolist()
        return tuple(days)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person must know before believing any number made from these bars."""
        return cautions(self.source, self.series, lost=len(self.lost))


def cautions(source: str, series: Mapping[Symbol, SeriesInfo], *, lost: int) -> tuple[str, ...]:
    """Return what must be known of numbers made from these series, whose calendar lost so many sessions."""
    infos = tuple(series.values())
    sentences = {
        f"survivorship: every symbol of {source} lived to its last day; results are too good": any(
            info.survivors_only for info in infos
        ),
        f"hand-picked universe: {counted(len(series), 'symbol')} that somebody chose": any(
            info.hand_picked for info in infos
        ),
        "adjusted prices: sizes and fees are approximate": any(i.adjustment is not Adjustment.RAW for i in infos),
        "the adjustment of the prices was assumed, not declared": any(info.assumed for info in infos),
        f"{counted(lost, 'session')} without any bar, skipped": bool(lost),
    }
    return tuple(sentence for sentence, true in sentences.items() if true)


@spanned("open lake")
def open_lake(root: Path, clock: Clock) -> Lake:
    """Return the lake under ``root``; raises ``LakeError`` if there is none."""
    return Lake.open(root / "data_lake", clock=clock)


@spanned("load market")
def market(config: Config, snapshot: Snapshot, *, end: date | None = None) -> Market:
    """Return the bars that ``snapshot`` shows, of the configured source, symbols and dates, as a panel.

    Raises
    ------
    InsufficientDataError
        No bars are left.
    ConfigError
        `universe.groups` names a file that is none of groups.
    """
    settings = config.data
    last = min((day for day in (end, settings.end) if day is not None), default=None)
    bars = snapshot.bars(source=settings.source, start=settings.start, end=last)
    if bars.is_empty():
        raise InsufficientDataError(
            "The lake holds no bars for the configured source and dates.",
            needed=1,
            got=0,
            fix="Run `aitrader backfill`, widen `data.start` and `data.end`, or name a later --now or --as-of.",
        )
    symbols = select(tuple(Symbol(s) for s in bars["symbol"].unique()), config.universe)
    bars = bars.filter(pl.col("symbol").is_in(symbols))
    source = str(bars["source"][0])
    series = series_of(snapshot, source, symbols, settings.adjustment)
    actions = snapshot.actions(symbols=symbols, source=source)
    venue = calendar(settings.calendar)
    columns, sessions = _columns(forward(bars, actions, series), symbols)
    expected = venue.between(sessions[0].item(), sessions[-1].item())
    lost = tuple(sorted(set(expected) - set(sessions.tolist())))
    membership = members(
        symbols,
        columns["traded_close"],
        columns["traded_volume"],
        config.universe,
        adjusted=any(info.adjustment is not Adjustment.RAW for info in series.values()),
    )
    known = read_groups(config, snapshot)
    groups = known.grids(symbols, sessions, known.kinds)
    panel = Panel(venue.name, "1d", sessions, symbols, columns, membership, groups=groups)
    return Market(panel, venue, source, series, actions, lost, snapshot.version, snapshot.content_hash("bars/1d"))


def decision_session(config: Config, now: datetime) -> date:
    """Return the newest session whose bars are known at ``now`` (close plus ``data.lag_minutes``)."""
    session = calendar(config.data.calendar).last_closed(now, timedelta(minutes=config.data.lag_minutes))
    if session is None:
        raise InsufficientDataError(f"No session had closed by {now.isoformat()}.", needed=1, got=0)
    return session


def series_of(
    snapshot: Snapshot, source: str, symbols: tuple[Symbol, ...], overrides: Mapping[str, str]
) -> dict[Symbol, SeriesInfo]:
    """Return what is known about each symbol's series; ``overrides`` (source -> adjustment) are believed first."""
    stored = snapshot.series()
    found = {symbol: stored[source, symbol] for symbol in symbols}
    name = source.partition(":")[0]
    override = overrides.get(source, overrides.get(name))
    if override is None:
        return found
    return {s: replace(info, adjustment=Adjustment(override), assumed=False) for s, info in found.items()}


def _columns(
    adjusted: pl.DataFrame, symbols: tuple[Symbol, ...]
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.datetime64]]:
    days = adjusted["session"].to_numpy().astype("datetime64[D]")
    sessions = np.unique(days)
    row = np.searchsorted(np.array(symbols), adjusted["symbol"].to_numpy())
    column = np.searchsorted(sessions, days)
    columns = {}
    for name in (*PRICES, *TRADED):
        grid = np.full((len(symbols), len(sessions)), np.nan)
        grid[row, column] = adjusted[name].to_numpy()
        columns[name] = grid
    return columns, sessions
