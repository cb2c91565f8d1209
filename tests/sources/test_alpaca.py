"""The Alpaca source on replayed answers, shaped as in the vendor's OpenAPI description (market data 1.1)."""

from datetime import UTC, date, datetime

import httpx2
import pytest
import stamina

from aitrader.domain.frames import ACTIONS, BARS, Adjustment
from aitrader.errors import ConfigError, DataFetchError
from aitrader.sources.alpaca import AlpacaBars, AlpacaSettings

KEYS = {"APCA_API_KEY_ID": "PKTESTKEY", "APCA_API_SECRET_KEY": "verysecretvalue"}
START, END = date(2024, 6, 3), date(2024, 6, 14)


def bar(day, close=10.0, hour="04"):
    return {"t": f"{day}T{hour}:00:00Z", "o": 9.5, "h": 10.5, "l": 9.0, "c": close, "v": 1118, "n": 65, "vw": 10.1}


class Vendor:
    """Answers like the market data API from prepared bars and actions, one symbol a page; notes every request."""

    def __init__(self):
        self.bars = {}
        self.actions = {}
        self.invalid = set()
        self.requests = []
        self.answer = None
        self.broken = ""

    def __call__(self, request):
        self.requests.append(request)
        if self.answer:
            return self.answer
        if request.url.path == self.broken:
            return httpx2.Response(503)
        if request.url.path == "/v1/corporate-actions":
            return httpx2.Response(200, json={"corporate_actions": self.actions, "next_page_token": None})
        symbols = request.url.params["symbols"].split(",")
        bad = self.invalid & set(symbols)
        if bad:
            return httpx2.Response(400, json={"message": f"invalid symbol: {sorted(bad)[0]}"})
        known = [symbol for symbol in symbols if symbol in self.bars]
        position = int(request.url.params.get("page_token", "0"))
        token = str(position + 1) if position + 1 < len(known) else None
        page = {symbol: self.bars[symbol] for symbol in known[position : position + 1]}
        return httpx2.Response(200, json={"bars": page, "next_page_token": token})


@pytest.fixture
def vendor():
    return Vendor()


@pytest.fixture
def source(vendor, context_at):
    with stamina.set_testing(True, attempts=3, cap=True):
        settings = AlpacaSettings(requests_per_minute=1e9)
        yield AlpacaBars(settings, context_at(secrets=KEYS), transport=httpx2.MockTransport(vendor))


def test_bars_come_as_traded_over_all_pages(source, vendor):
    vendor.bars = {"AAPL": [bar("2024-06-03"), bar("2024-06-04", 11.0)], "MSFT": [bar("2024-06-03")]}

    fetched = source.fetch(["AAPL", "MSFT", "ZZZZ"], START, END)

    assert fetched.bars.schema == BARS
    assert fetched.bars.select("symbol", "session", "close").rows() == [
        ("AAPL", date(2024, 6, 3), 10.0),
        ("AAPL", date(2024, 6, 4), 11.0),
        ("MSFT", date(2024, 6, 3), 10.0),
    ]
    row = fetched.bars.row(0, named=True)
    assert (row["volume"], row["vwap"], row["source"]) == (1118.0, 10.1, "alpaca:sip")
    assert row["known_at"] == datetime(2024, 6, 3, 20, 15, tzinfo=UTC)
    assert fetched.series["AAPL"].adjustment is Adjustment.RAW
    assert dict(fetched.failed) == {}


def test_the_request_asks_for_raw_daily_bars_of_the_feed_with_keys_in_headers_only(source, vendor):
    source.fetch(["AAPL", "BRK.B"], START, END)

    asked = vendor.requests[0]
    assert dict(asked.url.params) == {
        "symbols": "AAPL,BRK.B",
        "timeframe": "1Day",
        "start": "2024-06-03",
        "end": "2024-06-14",
        "adjustment": "raw",
        "feed": "sip",
        "limit": "10000",
    }
    assert asked.headers["APCA-API-SECRET-KEY"] == "verysecretvalue"
    assert "verysecretvalue" not in str(asked.url)


def test_midnight_in_new_york_is_the_session_in_summer_and_in_winter(source, vendor):
    vendor.bars = {"AAPL": [bar("2024-03-08", hour="05"), bar("2024-03-11", hour="04")]}

    fetched = source.fetch(["AAPL"], date(2024, 3, 1), END)

    assert fetched.bars["session"].to_list() == [date(2024, 3, 8), date(2024, 3, 11)]


def test_one_invalid_symbol_does_not_cost_the_others(source, vendor):
    symbols = [f"S{number}" for number in range(20)]
    vendor.bars = {symbol: [bar("2024-06-03")] for symbol in symbols}
    vendor.invalid = {"S7"}

    fetched = source.fetch(symbols, START, END)

    assert set(fetched.bars["symbol"]) == set(symbols) - {"S7"}
    assert "invalid symbol" in fetched.failed["S7"]


def test_a_refusal_of_the_keys_is_an_error_that_shows_no_key(source, vendor):
    vendor.answer = httpx2.Response(401, json={"message": "request is not authorized for verysecretvalue"})

    with pytest.raises(DataFetchError, match="HTTP 401") as caught:
        source.fetch(["AAPL"], START, END)

    assert "keys" in caught.value.fix


def test_a_later_bar_than_asked_for_is_dropped_because_it_may_still_be_forming(source, vendor):
    vendor.bars = {"AAPL": [bar("2024-06-14"), bar("2024-06-17")]}

    assert source.fetch(["AAPL"], START, END).bars["session"].to_list() == [date(2024, 6, 14)]


def test_a_number_that_is_none_becomes_null_and_spares_the_page(source, vendor):
    vendor.bars = {"AAPL": [bar("2024-06-03", close=None), bar("2024-06-04", close="ten"), bar("2024-06-05")]}

    assert source.fetch(["AAPL"], START, END).bars["close"].to_list() == [None, None, 10.0]


def test_answers_for_other_symbols_are_dropped_with_a_notice(source, vendor):
    vendor.answer = httpx2.Response(200, json={"bars": {"EVIL": [bar("2024-06-03")]}, "next_page_token": None})

    fetched = source.fetch(["AAPL"], START, END)

    assert fetched.bars.is_empty()
    assert "EVIL" in fetched.notices[0]


def test_a_symbol_without_data_and_an_empty_page_are_absent(source, vendor):
    vendor.answer = httpx2.Response(200, json={"bars": None, "next_page_token": None})

    fetched = source.fetch(["AAPL"], START, END)

    assert (fetched.bars.height, dict(fetched.series), dict(fetched.failed)) == (0, {}, {})


def test_splits_and_dividends_become_actions(source, vendor):
    common = {"process_date": "2024-06-10", "cusip": "0"}
    vendor.bars = {"AAPL": [bar("2024-06-03")], "MNTS": [bar("2024-06-03")]}
    vendor.actions = {
        "forward_splits": [
            {"id": "1", "symbol": "AAPL", "new_rate": 4, "old_rate": 1, "ex_date": "2024-06-10", **common}
        ],
        "reverse_splits": [
            {"id": "2", "symbol": "MNTS", "new_rate": 1, "old_rate": 50, "ex_date": "2024-06-11", **common}
        ],
        "stock_dividends": [{"id": "3", "symbol": "MNTS", "rate": 0.05, "ex_date": "2024-06-12", **common}],
        "cash_dividends": [
            {"id": "4", "symbol": "AAPL", "rate": 0.25, "special": False, "ex_date": "2024-06-05", **common},
            {"id": "5", "symbol": "AAPL", "rate": 1.0, "special": True, "ex_date": "2024-06-05", **common},
            {"id": "4", "symbol": "AAPL", "rate": 0.25, "special": False, "ex_date": "2024-06-05", **common},
            {"id": "6", "symbol": "AAPL", "rate": 0.25, "ex_date": "2024-07-05", **common},
        ],
    }

    actions = source.fetch(["AAPL", "MNTS"], START, END).actions

    assert actions.schema == ACTIONS
    assert actions.select("symbol", "ex_date", "kind", "ratio", "amount").rows() == [
        ("AAPL", date(2024, 6, 5), "dividend", None, 1.25),
        ("AAPL", date(2024, 6, 10), "split", 4.0, None),
        ("MNTS", date(2024, 6, 11), "split", 0.02, None),
        ("MNTS", date(2024, 6, 12), "split", 1.05, None),
    ]
    assert actions["known_at"][1] == datetime(2024, 6, 10, 13, 30, tzinfo=UTC)


def test_actions_are_sought_by_the_day_they_are_processed_with_room_for_late_ones(source, vendor):
    source.fetch(["AAPL"], START, END)

    asked = vendor.requests[-1].url.params
    assert (asked["start"], asked["end"]) == ("2024-05-04", "2024-10-12")


def test_actions_that_are_not_understood_are_named(source, vendor):
    vendor.bars = {"AAPL": [bar("2024-06-03")]}
    vendor.actions = {
        "spin_offs": [{"id": "1", "symbol": "AAPL", "ex_date": "2024-06-05"}],
        "forward_splits": [{"id": "2", "symbol": "AAPL", "ex_date": "2024-06-05", "new_rate": 1, "old_rate": 0}],
    }

    assert (
        "2 corporate actions not understood: AAPL spin_offs, AAPL forward_splits"
        in (source.fetch(["AAPL"], START, END).notices[0])
    )


def test_bars_without_their_actions_are_not_returned(source, vendor):
    vendor.bars = {"AAPL": [bar("2024-06-03")]}
    vendor.broken = "/v1/corporate-actions"

    with pytest.raises(DataFetchError, match="corporate-actions"):
        source.fetch(["AAPL"], START, END)


@pytest.mark.parametrize("missing", list(KEYS))
def test_a_missing_key_is_named_before_anything_is_fetched(context_at, missing):
    keys = {name: value for name, value in KEYS.items() if name != missing}

    with pytest.raises(ConfigError, match=missing):
        AlpacaBars(AlpacaSettings(), context_at(secrets=keys))


def test_a_base_url_with_a_path_is_refused(context_at):
    with pytest.raises(ConfigError, match="more than a host"):
        AlpacaBars(AlpacaSettings(base_url="https://data.alpaca.markets/v2"), context_at(secrets=KEYS))
