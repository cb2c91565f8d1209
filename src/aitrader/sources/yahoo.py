"""Daily bars from Yahoo Finance through yfinance: free and without an account, for a first try.

Not verified against the live service: the tests replay answers. The terms allow private use only.

What yfinance 1.7 does and this module works around: ``download`` returns an empty frame for every failure, so
``Ticker.history`` is used with exceptions on; failed answers for past ranges stay in a cache of the process, which is
emptied before each new try; an empty answer is called "delisted", here it only means that the bars are missing.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

import polars as pl
from pydantic import PositiveFloat, PositiveInt

from aitrader.config.fields import Section
from aitrader.domain.frames import Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.domain.symbols import Symbol
from aitrader.domain.wording import counted
from aitrader.errors import DataFetchError
from aitrader.sources.http import patiently
from aitrader.sources.source import Context, Fetched, actions_of, to_actions, to_bars
from aitrader.transport.pacing import Pacer

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS: Final = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Volume": "volume"}
_NUMBERS: Final = {**_COLUMNS, "Dividends": "dividend"}
_GIVES_UP_AFTER: Final = 3
"""Failures in a row that mean that it is not the symbols' fault."""


class Ticker(Protocol):
    """What is used of ``yfinance.Ticker``."""

    @property
    def history_metadata(self) -> Mapping[str, Any]:
        """The vendor's words about the last history: its symbol and currency."""
        ...

    def history(self, **options: Any) -> "pd.DataFrame":
        """Return one row per session, indexed by its midnight at the exchange."""
        ...


class YahooSettings(Section):
    """How patiently Yahoo is asked."""

    requests_per_minute: PositiveFloat = 60.0
    """Requests a minute, one symbol each; Yahoo publishes no limit and answers 429 in waves."""
    attempts: PositiveInt = 4
    """Tries for one symbol."""
    max_wait: PositiveFloat = 90.0
    """Seconds after which no new try for one symbol begins."""
    timeout: PositiveFloat = 10.0
    """Seconds per read."""


class YahooBars:
    """Bars adjusted for splits, dividends as actions, one request per symbol.

    Dividends are in the shares of the day of the request, as the prices are.
    """

    Settings: ClassVar[type[Section]] = YahooSettings
    name: str = "yahoo"
    batch: int = 25

    def __init__(
        self,
        settings: YahooSettings,
        context: Context,
        *,
        ticker: Callable[[str], Ticker] | None = None,
        pacer: Pacer | None = None,
    ) -> None:
        """Make no request yet; ``ticker`` replaces ``yfinance.Ticker`` and ``pacer`` the waiting, in tests."""
        self._settings = settings
        self._context = context
        self._ticker = ticker or _real_ticker
        self._pacer = pacer or Pacer(settings.requests_per_minute)

    def listing(self) -> None:
        """Return None: Yahoo has no list of its symbols."""

    def fetch(self, symbols: Sequence[Symbol], start: date, end: date) -> Fetched:
        """Return bars and dividends; a symbol without a bar is in ``failed`` where the venue had sessions.

        After three failures in a row the rest is not tried.
        """
        frames: list[pl.DataFrame] = []
        failed: dict[Symbol, str] = {}
        in_a_row = 0
        expected = len(self._context.calendar.between(start, end))
        for symbol in symbols:
            if in_a_row >= _GIVES_UP_AFTER:
                failed[symbol] = "not tried, because the ones before it failed"
                continue
            try:
                rows = self._rows(symbol, start)
            except DataFetchError as error:
                failed[symbol], in_a_row = str(error), in_a_row + 1
                continue
            in_a_row = 0
            rows = rows.filter(pl.col("session").is_between(start, end))
            if rows.height:
                frames.append(rows)
            elif expected:
                failed[symbol] = (
                    f"Yahoo has no bars of {symbol} in {counted(expected, 'session')}; that does not mean delisted"
                )
        if in_a_row and not frames:
            first = next(iter(failed.values()))
            raise DataFetchError(f"{len(failed)} of {len(symbols)} symbols failed: {first}.", fix="Run again later.")
        return self._fetched(frames, failed)

    def _fetched(self, frames: Sequence[pl.DataFrame], failed: Mapping[Symbol, str]) -> Fetched:
        schema = {"symbol": pl.String, "session": pl.Date, **dict.fromkeys(_NUMBERS.values(), pl.Float64)}
        rows = pl.concat([pl.DataFrame(schema=schema), *frames])
        found, _ = actions_of(rows, Adjustment.SPLIT)
        calendar = self._context.calendar
        bars = to_bars(rows.drop("dividend"), source=self.name, calendar=calendar, lag=self._context.lag)
        info = SeriesInfo(self.name, Adjustment.SPLIT, as_of=self._context.clock().date(), note="yfinance history")
        series = {Symbol(text): info for text in rows["symbol"].unique()}
        return Fetched(bars, series, to_actions(found, source=self.name, calendar=calendar), failed)

    def _rows(self, symbol: Symbol, start: date) -> pl.DataFrame:
        ticker, frame = self._answer(symbol, start)
        if ticker is None or frame is None or frame.empty:
            return _typed(symbol, [], {name: [] for name in _NUMBERS})
        currency = ticker.history_metadata.get("currency")
        if currency not in {None, "USD"}:
            raise DataFetchError(f"Yahoo, {symbol}: the prices are in {currency}, not in USD")
        values = {name: frame[name].tolist() if name in frame else [0.0] * len(frame) for name in _NUMBERS}
        return _typed(symbol, [stamp.date() for stamp in frame.index], values)

    def _answer(self, symbol: Symbol, start: date) -> "tuple[Ticker, pd.DataFrame] | tuple[None, None]":
        from yfinance.exceptions import YFException, YFPricesMissingError, YFTzMissingError

        def again(error: Exception) -> bool:
            _forget_failures()
            return isinstance(error, YFException | OSError | ValueError) and not isinstance(error, YFPricesMissingError)

        try:
            return patiently(
                lambda: self._history(symbol, start),
                again,
                attempts=self._settings.attempts,
                max_wait=self._settings.max_wait,
            )
        except (YFPricesMissingError, YFTzMissingError):
            return None, None  # it has no prices, which is an answer
        except (YFException, OSError, ValueError, KeyError, TypeError) as error:
            # ValueError and the like: an answer that is no JSON, or another shape than the library expects.
            raise DataFetchError(f"Yahoo, {symbol}: {type(error).__name__}: {error!s:.160}") from error

    def _history(self, symbol: Symbol, start: date) -> tuple[Ticker, "pd.DataFrame"]:
        self._pacer.wait()
        ticker = self._ticker(symbol.replace(".", "-").replace("/", "-"))
        # Up to now, whatever end is wanted: later splits are in the prices, so they belong to this answer.
        end = self._context.clock().date() + timedelta(days=2)
        frame = ticker.history(
            start=start.isoformat(),
            end=end.isoformat(),
            interval="1d",
            auto_adjust=False,
            actions=True,
            timeout=self._settings.timeout,
        )
        return ticker, frame


def _typed(symbol: Symbol, sessions: Sequence[date], values: Mapping[str, Sequence[float]]) -> pl.DataFrame:
    numbers = [pl.Series(ours, values[theirs]).cast(pl.Float64).fill_nan(None) for theirs, ours in _NUMBERS.items()]
    names = pl.Series("symbol", [symbol] * len(sessions), pl.String)
    return pl.DataFrame([names, pl.Series("session", sessions, pl.Date), *numbers])


def _real_ticker(name: str) -> Ticker:
    import yfinance

    _configured()
    ticker: Ticker = yfinance.Ticker(name)
    return ticker


@cache
def _configured() -> tempfile.TemporaryDirectory[str]:
    """Set the library up once per process: failures raise, and its cache (pickled cookies) is this process's alone."""
    import yfinance

    folder = tempfile.TemporaryDirectory(prefix="aitrader-yahoo-")  # mode 0700
    yfinance.set_tz_cache_location(folder.name)
    yfinance.config.debug.hide_exceptions = False
    return folder


def _forget_failures() -> None:
    from yfinance.data import YfData

    YfData.cache_get.cache_clear()
