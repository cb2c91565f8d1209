"""The Yahoo source on replayed answers of a fake ``yfinance.Ticker``."""

from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
import stamina
import yfinance
from yfinance.exceptions import YFPricesMissingError, YFRateLimitError, YFTzMissingError

from aitrader.domain.frames import BARS, Adjustment
from aitrader.errors import DataFetchError
from aitrader.sources import yahoo
from aitrader.sources.yahoo import YahooBars, YahooSettings
from aitrader.transport.pacing import Pacer

START, END = date(2024, 6, 10), date(2024, 6, 13)


def frame(days, **columns):
    """What history(auto_adjust=False, actions=True) returns: rows by midnight in New York."""
    index = pd.DatetimeIndex(pd.to_datetime(days)).tz_localize("America/New_York").rename("Date")
    usual = {"Open": 1.0, "High": 2.0, "Low": 1.0, "Close": 1.5, "Adj Close": 1.4, "Volume": 100, "Dividends": 0.0}
    return pd.DataFrame({**usual, "Stock Splits": 0.0, **columns}, index=index)


class Yahoo:
    """Answers by name: a frame, an exception, or a list of them in turn; notes what was asked."""

    def __init__(self):
        self.answers = {}
        self.metadata = {"currency": "USD"}
        self.asked = []

    def __call__(self, name):
        outer = self

        class Ticker:
            history_metadata = outer.metadata

            def history(self, **options):
                outer.asked.append((name, options))
                answer = outer.answers[name]
                if isinstance(answer, list):
                    answer = answer.pop(0)
                if isinstance(answer, Exception):
                    raise answer
                return answer

        return Ticker()


@pytest.fixture
def vendor():
    return Yahoo()


@pytest.fixture
def source(vendor, context_at):
    with stamina.set_testing(True, attempts=3, cap=True):
        yield YahooBars(YahooSettings(), context_at(), ticker=vendor, pacer=Pacer(1e9))


def test_bars_are_split_adjusted_and_dividends_are_actions(source, vendor):
    vendor.answers["AAPL"] = frame(
        ["2024-06-10", "2024-06-11"], Dividends=[0.0, 0.25], **{"Stock Splits": [4.0, 0.0], "Close": [1.5, 1.75]}
    )

    fetched = source.fetch(["AAPL"], START, END)

    assert fetched.bars.schema == BARS
    assert fetched.bars.select("symbol", "session", "close", "volume", "source").rows() == [
        ("AAPL", date(2024, 6, 10), 1.5, 100.0, "yahoo"),
        ("AAPL", date(2024, 6, 11), 1.75, 100.0, "yahoo"),
    ]
    info = fetched.series["AAPL"]
    assert (info.adjustment, info.assumed, info.as_of) == (Adjustment.SPLIT, False, date(2024, 6, 14))
    assert fetched.actions.select("ex_date", "kind", "amount").rows() == [(date(2024, 6, 11), "dividend", 0.25)]


def test_the_request_reaches_beyond_today_without_adjustment_and_class_shares_take_a_dash(source, vendor):
    vendor.answers["BRK-B"] = frame(["2024-06-10"])

    source.fetch(["BRK.B"], START, END)

    assert vendor.asked == [
        (
            "BRK-B",
            {
                "start": "2024-06-10",
                "end": "2024-06-16",
                "interval": "1d",
                "auto_adjust": False,
                "actions": True,
                "timeout": 10.0,
            },
        )
    ]


def test_the_forming_bar_after_the_wanted_end_is_dropped(source, vendor):
    vendor.answers["AAPL"] = frame(["2024-06-13", "2024-06-14"])

    assert source.fetch(["AAPL"], START, END).bars["session"].to_list() == [date(2024, 6, 13)]


@pytest.mark.parametrize("empty", [pd.DataFrame(), YFPricesMissingError("AAPL", ""), YFTzMissingError("AAPL")])
def test_an_empty_answer_for_sessions_goes_to_the_retry_list_and_is_not_delisted(source, vendor, empty):
    vendor.answers = {"AAPL": empty, "MSFT": frame(["2024-06-10"])}

    fetched = source.fetch(["AAPL", "MSFT"], START, END)

    assert set(fetched.bars["symbol"]) == {"MSFT"}
    assert "4 sessions" in fetched.failed["AAPL"]


def test_an_empty_answer_for_a_weekend_is_fine(source, vendor):
    vendor.answers["AAPL"] = YFPricesMissingError("AAPL", "")

    fetched = source.fetch(["AAPL"], date(2024, 6, 8), date(2024, 6, 9))

    assert (fetched.bars.height, dict(fetched.failed)) == (0, {})


@pytest.mark.parametrize(
    "bad", [YFRateLimitError(), ConnectionError("reset"), TimeoutError(), ValueError("Expecting value: line 1")]
)
def test_a_bad_moment_gets_another_real_request(source, vendor, bad):
    vendor.answers["AAPL"] = [bad, frame(["2024-06-10"])]

    assert source.fetch(["AAPL"], START, END).bars.height == 1
    assert len(vendor.asked) == 2


def test_failed_answers_in_the_cache_of_the_library_are_forgotten_before_the_next_try(source, vendor, monkeypatch):
    forgotten = []
    monkeypatch.setattr(yahoo, "_forget_failures", lambda: forgotten.append(1))
    vendor.answers["AAPL"] = [ConnectionError("reset"), frame(["2024-06-10"])]

    source.fetch(["AAPL"], START, END)

    assert forgotten


def test_one_failing_symbol_does_not_cost_the_others(source, vendor):
    vendor.answers = {"AAPL": ConnectionError("reset"), "MSFT": frame(["2024-06-10"])}

    fetched = source.fetch(["AAPL", "MSFT"], START, END)

    assert set(fetched.bars["symbol"]) == {"MSFT"}
    assert "ConnectionError: reset" in fetched.failed["AAPL"]


def test_a_dead_network_is_an_error_after_three_symbols(source, vendor):
    names = ["A", "B", "C", "D", "E"]
    vendor.answers = {name: ConnectionError("no route") for name in names}

    with pytest.raises(DataFetchError, match="5 of 5 symbols failed"):
        source.fetch(names, START, END)

    assert {name for name, _ in vendor.asked} == {"A", "B", "C"}


def test_prices_in_another_currency_are_refused(source, vendor):
    vendor.metadata = {"currency": "GBp"}
    vendor.answers = {"VOD": frame(["2024-06-10"])}

    with pytest.raises(DataFetchError, match="GBp, not in USD"):
        source.fetch(["VOD"], START, END)


def test_missing_numbers_become_null(source, vendor):
    vendor.answers["AAPL"] = frame(["2024-06-10"], Close=[float("nan")])

    assert source.fetch(["AAPL"], START, END).bars["close"].to_list() == [None]


def test_a_summer_and_a_winter_midnight_are_their_own_dates(source, vendor):
    vendor.answers["AAPL"] = frame(["2024-03-08", "2024-03-11"])

    fetched = source.fetch(["AAPL"], date(2024, 3, 1), END)

    assert fetched.bars["session"].to_list() == [date(2024, 3, 8), date(2024, 3, 11)]
    assert fetched.bars["known_at"].to_list() == [
        datetime(2024, 3, 8, 21, 15, tzinfo=UTC),
        datetime(2024, 3, 11, 20, 15, tzinfo=UTC),
    ]


def test_the_library_raises_and_keeps_its_cache_to_this_process(monkeypatch):
    places = []
    monkeypatch.setattr(yfinance, "set_tz_cache_location", places.append)
    yahoo._configured.cache_clear()

    folder = yahoo._configured()

    assert yfinance.config.debug.hide_exceptions is False
    assert places == [folder.name]
    assert Path(folder.name).stat().st_mode & 0o777 == 0o700
    folder.cleanup()
    yahoo._configured.cache_clear()
