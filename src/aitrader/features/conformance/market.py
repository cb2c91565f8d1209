"""A made-up market as traded, with everything that trips a feature: late listings, gaps, halts, splits, dividends."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aitrader.domain.calendars import calendar
from aitrader.domain.frames import ACTIONS, BARS, Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.domain.symbols import Symbol
from aitrader.panel.panel import COLUMNS, GROUPS, Grid, Panel

Adjust = Callable[[pl.DataFrame, pl.DataFrame, Mapping[Symbol, SeriesInfo]], pl.DataFrame]
"""Bars as traded, corporate actions and what the series are -> bars adjusted forward (``lake.adjust.forward``)."""

PRICES: Final = ("open", "high", "low", "close", "vwap")
NAMES: Final = 14
BARS_LEAST: Final = 420
SPARE: Final = 170
"""Bars beyond the longest window, so that every symbol but the late one has values at the end."""

DISTURBED: Final = 68
"""Bars at the end that rules take away or disturb, from the middle of a week and a month on; a gap lies across the
first of them."""

LATE: Final = 1
LISTED: Final = 150
"""A symbol (by its row) that is listed late, and its first bar."""

ENDED: Final = 2
ONE_GAP: Final = 3
GAP_BACK: Final = 110
"""A symbol that lacks one bar, and how many bars before the end that one is."""

GAPS: Final = 4
HALTED: Final = 5
ACTED: Final = 6
"""Further rows of symbols with something special; those after the last of them, and row 0, have every bar."""

JOINED: Final = 5
"""A symbol that the universe takes in at half time."""

_VENUE: Final = "XNYS"
_UNTIL: Final = date(2019, 12, 31)
_SERIES: Final = SeriesInfo("made up", Adjustment.RAW)


@dataclass(frozen=True, slots=True)
class Action:
    """A split (``number``: its ratio) or a dividend (USD per share) that sets in at a bar's position."""

    symbol: Symbol
    position: int
    kind: str
    number: float


@dataclass(frozen=True, slots=True)
class Market:
    """Bars as traded, (symbols, sessions) per column, NaN where there is none; and how they are adjusted."""

    bars: Mapping[str, Grid]
    actions: tuple[Action, ...]
    symbols: tuple[Symbol, ...]
    sessions: tuple[date, ...]
    members: NDArray[np.bool_]
    adjust: Adjust

    @property
    def shape(self) -> tuple[int, int]:
        """Number of symbols, number of sessions."""
        return len(self.symbols), len(self.sessions)

    def panel(self) -> Panel:
        """Lay the bars out as the program does: adjusted forward, every column beside the traded one.

        Half the symbols, by their names, are one group.
        """
        rows = self.adjust(self._bars(), self._actions(), dict.fromkeys(self.symbols, _SERIES))
        row = {str(symbol): number for number, symbol in enumerate(self.symbols)}
        place = {session: number for number, session in enumerate(self.sessions)}
        at = ([row[text] for text in rows["symbol"]], [place[session] for session in rows["session"]])
        columns = {}
        for name in COLUMNS:
            columns[name] = np.full(self.shape, np.nan)
            columns[name][at] = rows[name].to_numpy()
        days = np.array(self.sessions, dtype="datetime64[D]")
        halves = np.array([[sum(map(ord, symbol)) % 2] for symbol in self.symbols])
        groups = {name: np.broadcast_to(halves, self.shape) for name in GROUPS}
        return Panel(_VENUE, "1d", days, self.symbols, columns, self.members, groups=groups)

    def rows(self, chosen: Sequence[int]) -> "Market":
        """Return the market of the symbols at these rows, in this order."""
        bars = {name: values[list(chosen)] for name, values in self.bars.items()}
        symbols = tuple(self.symbols[number] for number in chosen)
        return replace(self, bars=bars, symbols=symbols, members=self.members[list(chosen)])

    def times(self, factor: Grid) -> "Market":
        """Return the market with prices multiplied by ``factor`` and volume divided by it, its actions as they are."""
        bars = {name: values / factor if name == "volume" else values * factor for name, values in self.bars.items()}
        return replace(self, bars=bars)

    def _bars(self) -> pl.DataFrame:
        known = ~np.isnan(self.bars["close"])
        rows, places = np.nonzero(known)
        texts = {
            "symbol": [str(self.symbols[row]) for row in rows],
            "session": [self.sessions[place] for place in places],
            "source": _SERIES.source,
            "adj_close": None,
        }
        frame = pl.DataFrame({**texts, **{name: values[known] for name, values in self.bars.items()}})
        known_at = pl.col("session").cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias("known_at")
        return frame.with_columns(known_at).select([pl.col(name).cast(kind) for name, kind in BARS.items()])

    def _actions(self) -> pl.DataFrame:
        present = set(self.symbols)
        rows = [
            {
                "symbol": str(action.symbol),
                "ex_date": self.sessions[action.position],
                "kind": action.kind,
                "ratio": action.number if action.kind == "split" else None,
                "amount": action.number if action.kind == "dividend" else None,
                "source": _SERIES.source,
            }
            for action in self.actions
            if action.symbol in present
        ]
        return pl.DataFrame(rows, schema=ACTIONS)


def made_up(adjust: Adjust, *, longest: int = 0, named: Sequence[str] = ()) -> Market:
    """Return seeded random bars of symbols S00, S01 ..., long enough for a window of ``longest`` bars.

    ``named`` symbols take the place of some that have every bar: features may compare with them.
    """
    length = max(BARS_LEAST, longest + SPARE)
    venue = calendar(_VENUE)
    last = venue.position(_UNTIL)
    sessions = venue.sessions[max(0, last - length + 1) : last + 1]
    whole = [0, *range(ACTED + 1, max(NAMES, ACTED + 5 + len(named)))]
    texts = [f"S{row:02d}" for row in range(whole[-1] + 1)]
    for row, text in zip(whole, named, strict=False):
        texts[row] = text
    symbols = tuple(map(Symbol, texts))
    shape = (len(symbols), len(sessions))
    actions = (
        Action(symbols[ACTED], 120, "split", 2.0),
        Action(symbols[ACTED], shape[1] - 160, "dividend", 0.4),
        Action(symbols[0], 200, "dividend", 0.05),
    )
    members = np.ones(shape, dtype=np.bool_)
    members[JOINED, : shape[1] // 2] = False
    return Market(_random_bars(shape), actions, symbols, sessions, members, adjust)


def _random_bars(shape: tuple[int, int]) -> dict[str, Grid]:
    rng = np.random.default_rng(77)
    end = shape[1]
    close = 40 * np.exp(rng.normal(0, 0.02, shape).cumsum(axis=1)) * np.linspace(0.2, 6, shape[0])[:, None]
    first = close * np.exp(rng.normal(0, 0.01, shape))
    high = np.maximum(first, close) * np.exp(np.abs(rng.normal(0, 0.01, shape)))
    low = np.minimum(first, close) * np.exp(-np.abs(rng.normal(0, 0.01, shape)))
    volume = rng.lognormal(13, 0.8, shape)
    bars = {"open": first, "high": high, "low": low, "close": close, "volume": volume, "vwap": (high + low) / 2}
    for values in bars.values():
        values[LATE, :LISTED] = np.nan
        values[ENDED, end - 120 :] = np.nan
        values[ONE_GAP, end - GAP_BACK] = np.nan
        values[GAPS, rng.integers(0, end, 6)] = np.nan
        values[GAPS, end - DISTURBED - 3 : end - DISTURBED + 2] = np.nan
    for name in PRICES:
        bars[name][HALTED, end - 90 : end - 75] = close[HALTED, end - 90]
    bars["volume"][HALTED, end - 87 : end - 80] = 0
    return bars
