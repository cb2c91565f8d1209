"""What every source of bars in ``SOURCES`` promises, held against each of them on the data it has offline."""

import inspect
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType

import httpx2
import pandas as pd
import polars as pl
import pytest
from pydantic import SecretStr

from aitrader.config.fields import Section
from aitrader.config.section import parse_section
from aitrader.domain.calendars import calendar
from aitrader.domain.clock import fixed_clock
from aitrader.domain.frames import ACTIONS, BARS
from aitrader.errors import ConfigError
from aitrader.registry import lookup
from aitrader.sources import SOURCES
from aitrader.sources.source import REJECTED, Context
from aitrader.transport.pacing import Pacer

XNYS = calendar("XNYS")
CONTEXT = Context(
    XNYS,
    timedelta(minutes=15),
    fixed_clock(datetime(2024, 6, 14, 22, tzinfo=UTC)),
    secret=lambda name: SecretStr(f"test-{name}"),
)


def _sample(kind, folder):
    return kind(kind.Settings(), CONTEXT), ["AAPL", "IBM"], date(2012, 1, 3)


def _sp500_sample(kind, folder):
    return kind(kind.Settings(), CONTEXT), ["A", "BF.B"], date(2010, 1, 4)


def _files(kind, folder):
    days = XNYS.between(date(2020, 1, 2), date(2020, 6, 30))
    table = pl.DataFrame({"symbol": ["NA", "ON"], "dividend": 0.0}).join(pl.DataFrame({"date": days}), how="cross")
    numbers = dict.fromkeys(("open", "high", "low", "close", "volume"), 10.0)
    table.with_columns(**{name: pl.lit(value) for name, value in numbers.items()}).write_csv(folder / "prices.csv")
    return kind(kind.Settings(path=str(folder / "prices.csv")), CONTEXT), ["NA", "ON"], date(2020, 1, 2)


def _yahoo(kind, folder):
    class Ticker:
        history_metadata = MappingProxyType({"currency": "USD"})

        def __init__(self, name):
            self.name = name

        def history(self, *, start, end, **_):
            if self.name == "ZZZZ":
                return pd.DataFrame()
            days = XNYS.between(date.fromisoformat(start), date.fromisoformat(end))
            index = pd.DatetimeIndex(pd.to_datetime(list(days))).tz_localize("America/New_York")
            return pd.DataFrame({"Open": 1.0, "High": 2.0, "Low": 1.0, "Close": 1.5, "Volume": 7}, index=index)

    return kind(kind.Settings(), CONTEXT, ticker=Ticker, pacer=Pacer(1e9)), ["AAPL", "BRK.B"], date(2024, 1, 2)


def _alpaca(kind, folder):
    def answer(request):
        if "corporate" in request.url.path:
            return httpx2.Response(200, json={"corporate_actions": {}, "next_page_token": None})
        asked = request.url.params
        days = XNYS.between(date.fromisoformat(asked["start"]), date.fromisoformat(asked["end"]))
        bars = [{"t": f"{day}T05:00:00Z", "o": 1, "h": 2, "l": 1, "c": 1.5, "v": 7, "vw": 1.4} for day in days]
        page = {symbol: bars for symbol in asked["symbols"].split(",") if symbol != "ZZZZ"}
        return httpx2.Response(200, json={"bars": page, "next_page_token": None})

    settings = kind.Settings(requests_per_minute=1e9)
    return kind(settings, CONTEXT, transport=httpx2.MockTransport(answer)), ["AAPL", "BRK.B"], date(2024, 1, 2)


OFFLINE: dict[str, Callable] = {
    "sample": _sample,
    "sp500_sample": _sp500_sample,
    "files": _files,
    "yahoo": _yahoo,
    "alpaca": _alpaca,
}


@pytest.fixture(params=sorted(SOURCES))
def made(request, tmp_path):
    """A source with answers, two symbols that it has, and a session from which it has them."""
    return OFFLINE[request.param](lookup("sources", SOURCES, request.param), tmp_path)


@pytest.fixture(params=sorted(SOURCES))
def kind(request):
    return lookup("sources", SOURCES, request.param)


def test_bars_have_the_schema_and_are_sorted(made):
    source, symbols, start = made

    bars = source.fetch(symbols, start, start + timedelta(days=30)).bars

    assert bars.schema == BARS
    assert bars.height
    assert bars.equals(bars.sort("symbol", "session", "known_at"))


def test_both_ends_are_included_and_nothing_beyond_them_comes(made):
    source, symbols, start = made
    end = XNYS.offset(start, 5)

    bars = source.fetch(symbols, start, end).bars

    assert (bars["session"].min(), bars["session"].max()) == (start, end)
    assert set(bars["symbol"]) == set(symbols)


def test_an_unknown_symbol_is_absent_and_costs_the_others_nothing(made):
    source, symbols, start = made

    fetched = source.fetch([*symbols, "ZZZZ"], start, XNYS.offset(start, 5))

    assert set(fetched.bars["symbol"]) == set(symbols)
    assert "ZZZZ" not in fetched.series


def test_every_row_names_its_source_and_is_known_after_its_close(made):
    source, symbols, start = made

    bars = source.fetch(symbols, start, XNYS.offset(start, 5)).bars

    assert set(bars["source"]) == {source.name}
    closes = [XNYS.close_of(day) + timedelta(minutes=15) for day in bars["session"]]
    assert all(known >= close for known, close in zip(bars["known_at"], closes, strict=True))


def test_every_series_says_how_its_prices_are_adjusted(made):
    source, symbols, start = made

    fetched = source.fetch(symbols, start, XNYS.offset(start, 5))

    assert set(fetched.series) == set(symbols)
    assert {info.source for info in fetched.series.values()} == {source.name}


def test_actions_and_rejected_rows_have_their_schemas(made):
    source, symbols, start = made

    fetched = source.fetch(symbols, start, XNYS.offset(start, 5))

    assert (fetched.actions.schema, fetched.rejected.schema) == (ACTIONS, REJECTED)


def test_a_span_without_a_session_brings_nothing_and_fails_nobody(made):
    source, symbols, start = made
    saturday = start + timedelta(days=(5 - start.weekday()) % 7)

    fetched = source.fetch(symbols, saturday, saturday + timedelta(days=1))

    assert (fetched.bars.height, fetched.bars.schema, dict(fetched.failed)) == (0, BARS, {})


def test_the_listing_is_sorted_and_holds_what_can_be_fetched(made):
    source, symbols, _ = made

    listing = source.listing()

    if listing is not None:
        assert list(listing.symbols) == sorted(set(listing.symbols))
        assert set(symbols) <= set(listing.symbols)
        assert listing.rejected.schema == REJECTED


def test_the_same_question_gets_the_same_answer(made):
    source, symbols, start = made
    end = XNYS.offset(start, 5)

    assert source.fetch(symbols, start, end).bars.equals(source.fetch(symbols, start, end).bars)


def test_it_has_settings_that_refuse_unknown_keys(kind):
    assert issubclass(kind.Settings, Section)

    with pytest.raises(ConfigError):
        parse_section(kind.Settings, {"no_such_setting": "1"}, "data.sources.x")


def test_it_says_what_it_is_and_how_much_to_ask_for(kind, made):
    assert inspect.getdoc(kind)
    assert made[0].batch >= 1
