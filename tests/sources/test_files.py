"""Daily bars from one's own files: what is read, what is set aside, what is refused."""

import gzip
from datetime import UTC, date, datetime

import polars as pl
import pytest

from aitrader.config.section import parse_section
from aitrader.domain.frames import ACTIONS, BARS, Adjustment
from aitrader.errors import ConfigError, DataFetchError, UsageError
from aitrader.sources.files import FilesBars, FilesSettings

FIRST, LAST = date(1900, 1, 1), date(2100, 1, 1)
HEADER = "symbol,date,open,high,low,close,volume"


@pytest.fixture
def load(context):
    def make(path, **settings):
        source = FilesBars(FilesSettings(path=str(path), **settings), context)
        listing = source.listing()
        return listing, source.fetch(listing.symbols, FIRST, LAST)

    return make


@pytest.fixture
def csv(tmp_path):
    def make(text, name="prices.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return make


def test_columns_come_in_any_order_and_case(load, csv):
    path = csv("VOLUME,Close, Low ,High,Open,Session,Symbol\n1000,10.5,10,11,10.2,2020-01-02,AAPL\n")

    _, fetched = load(path)

    row = fetched.bars.row(0, named=True)
    assert fetched.bars.schema == BARS
    assert (row["symbol"], row["session"], row["open"], row["close"], row["volume"]) == (
        "AAPL",
        date(2020, 1, 2),
        10.2,
        10.5,
        1000.0,
    )
    assert (row["source"], row["vwap"]) == ("files", None)
    assert row["known_at"] == datetime(2020, 1, 2, 21, 15, tzinfo=UTC)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(load, csv, separator):
    text = f"{HEADER}\nAAPL,2020-01-02,1,2,1,2,5\n".replace(",", separator)

    assert load(csv(text))[1].bars.height == 1


def test_tickers_that_look_like_other_things_stay_text(load, csv):
    names = ["NA", "ON", "NO", "TRUE", "NULL", "CON", "PRN", "BRK.B", "BTC/USD", "1E5", "010"]
    path = csv("\n".join([HEADER, *(f"{name},2020-01-02,1,2,1,2,5" for name in names)]))

    listing, fetched = load(path)

    assert set(listing.symbols) == set(names)
    assert set(fetched.bars["symbol"]) == set(names)


def test_what_is_no_symbol_is_set_aside_and_listed(load, csv):
    bad = ["../../x", "a/b", "", '"AA\tPL"', "NYSE:NBL"]
    path = csv("\n".join([HEADER, *(f"{name},2020-01-02,1,2,1,2,5" for name in [*bad, "AAPL"])]))

    listing, fetched = load(path)

    assert listing.symbols == ("AAPL",)
    assert fetched.bars.height == 1
    assert listing.rejected["reason"].to_list() == ["not a symbol"] * 5
    assert set(listing.rejected["symbol"]) == {"../../x", "a/b", "", "AA\tPL", "NYSE:NBL"}
    assert "'../../x'" in listing.notices[0]


def test_mapped_columns_are_read_and_the_rest_is_ignored_with_a_notice(load, csv):
    path = csv("Ticker,Day,O,H,L,C,V,Sector\nAAPL,2020-01-02,1,2,1,2,5,Tech\n")
    mapping = {"Ticker": "symbol", "Day": "date", "O": "open", "H": "high", "L": "low", "C": "close", "V": "volume"}

    listing, fetched = load(path, columns=mapping)

    assert fetched.bars.height == 1
    assert listing.notices == ("prices.csv: columns ignored: Sector.",)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"Day": "date"}, "no column 'Day'"),
        ({"date": "when"}, "no column 'when'"),
        ({"open": "close", "close": "close"}, "two columns for close"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(load, csv, mapping, message):
    with pytest.raises(UsageError, match=message):
        load(csv(f"{HEADER}\nAAPL,2020-01-02,1,2,1,2,5\n"), columns=mapping)


def test_a_missing_column_is_named_with_those_that_are_there(load, csv):
    with pytest.raises(UsageError, match="close, volume") as caught:
        load(csv("symbol,date,open,high,low\nAAPL,2020-01-02,1,2,1\n"))

    assert "It has: symbol, date, open, high, low" in caught.value.fix


def test_two_columns_for_the_session_are_refused(load, csv):
    with pytest.raises(UsageError, match="both session"):
        load(csv("symbol,date,session,open,high,low,close,volume\nA,2020-01-02,2020-01-02,1,2,1,2,5\n"))


def test_numbers_with_thousands_separators_are_read_and_others_become_null_with_a_notice(load, csv):
    path = csv(f'{HEADER}\nA,2020-01-02,"1,234.5",2000,1,2,"1,000,000"\nB,2020-01-02,n/a,2,1,dear,5\n')

    listing, fetched = load(path)

    assert fetched.bars["open"].to_list() == [1234.5, None]
    assert fetched.bars["volume"].to_list() == [1_000_000.0, 5.0]
    assert fetched.bars["close"].to_list() == [2.0, None]
    assert listing.notices == ("prices.csv, column 'close': 1 value without a number, for example 'dear'.",)


def test_an_ambiguous_date_is_a_usage_error_that_names_the_option(load, csv):
    with pytest.raises(UsageError) as caught:
        load(csv(f"{HEADER}\nAAPL,03/04/2020,1,2,1,2,5\n"))

    assert "--date-format" in caught.value.fix


def test_rows_without_a_readable_date_are_set_aside_under_a_given_format(load, csv):
    path = csv(f"{HEADER}\nAAPL,03/04/2020,1,2,1,2,5\nAAPL,later,1,2,1,2,5\n")

    listing, fetched = load(path, date_format="%m/%d/%Y")

    assert fetched.bars["session"].to_list() == [date(2020, 3, 4)]
    assert listing.rejected["reason"].to_list() == ["session is missing"]


def test_prices_without_actions_are_handled_as_total_and_marked_assumed(load, csv):
    info = load(csv(f"{HEADER}\nAAPL,2020-01-02,1,2,1,2,5\n"))[1].series["AAPL"]

    assert (info.adjustment, info.assumed, info.as_of) == (Adjustment.TOTAL, True, date(2020, 1, 2))


@pytest.mark.parametrize("given", ["raw", "split", "total"])
def test_a_stated_adjustment_is_not_assumed(load, csv, given):
    info = load(csv(f"{HEADER}\nAAPL,2020-01-02,1,2,1,2,5\n"), adjustment=given)[1].series["AAPL"]

    assert (info.adjustment.value, info.assumed) == (given, False)


def test_dividends_and_splits_make_prices_raw_and_become_actions(load, csv):
    path = csv(
        f"{HEADER},dividend,split\n"
        "AAPL,2020-01-02,1,2,1,2,5,0,1\n"
        "AAPL,2020-01-03,1,2,1,2,5,0.5,1\n"
        "AAPL,2020-01-06,1,2,1,2,5,,2\n"
        "AAPL,2020-01-07,1,2,1,2,5,-3,0\n"
    )

    _, fetched = load(path)

    assert fetched.series["AAPL"].adjustment is Adjustment.RAW
    assert fetched.actions.schema == ACTIONS
    assert fetched.actions.select("ex_date", "kind", "ratio", "amount").rows() == [
        (date(2020, 1, 3), "dividend", None, 0.5),
        (date(2020, 1, 6), "split", 2.0, None),
    ]
    assert fetched.actions["known_at"][0] == datetime(2020, 1, 3, 14, 30, tzinfo=UTC)
    assert fetched.notices == ("1 corporate action left out, because the amount is no positive number.",)


@pytest.mark.parametrize("names", ["dividends,splits", "Dividends,Splits", " DIVIDENDS ,split"])
def test_dividends_and_splits_in_the_plural_are_read(load, csv, names):
    listing, fetched = load(csv(f"{HEADER},{names}\nAAPL,2020-01-02,1,2,1,2,5,0.5,2\n"))

    assert listing.notices == ()
    assert fetched.series["AAPL"].adjustment is Adjustment.RAW
    assert fetched.actions["kind"].to_list() == ["dividend", "split"]


def test_the_columns_of_yahoo_are_read_once_it_is_said_what_its_prices_are_corrected_for(load, csv):
    path = csv(f"{HEADER},Dividends,Stock Splits\nAAPL,2020-01-02,1,2,1,2,5,0.5,2\n")

    with pytest.raises(UsageError, match="has Yahoo's column 'Stock Splits'") as caught:
        load(path)
    assert "--adjustment split" in caught.value.fix
    kinds = {given: load(path, adjustment=given)[1].actions["kind"].to_list() for given in ("raw", "split", "total")}
    assert kinds == {"raw": ["dividend", "split"], "split": ["dividend"], "total": []}
    assert load(path, columns={"Stock Splits": "split"})[1].actions["kind"].to_list() == ["dividend", "split"]


def test_two_columns_of_splits_are_refused(load, csv):
    with pytest.raises(UsageError, match="'split' and 'Stock Splits' are both split"):
        load(csv(f"{HEADER},split,Stock Splits\nAAPL,2020-01-02,1,2,1,2,5,1,2\n"))


def test_actions_that_are_in_the_prices_already_are_left_out(load, csv):
    path = csv(f"{HEADER},dividend,split\nAAPL,2020-01-02,1,2,1,2,5,0.5,1\nAAPL,2020-01-03,1,2,1,2,5,0,2\n")

    kinds = {given: load(path, adjustment=given)[1].actions["kind"].to_list() for given in ("raw", "split", "total")}

    assert kinds == {"raw": ["dividend", "split"], "split": ["dividend"], "total": []}


def test_adj_close_multiplies_nothing_unless_the_prices_shall_be_total(load, csv):
    path = csv(f"{HEADER},Adj Close\nAAPL,2020-01-02,10,12,8,10,5,5\n")

    plain, total = load(path)[1], load(path, adjustment="total")[1]

    assert plain.bars.select("open", "high", "low", "close").row(0) == (10, 12, 8, 10)
    assert "adj_close is kept and changes no price" in plain.notices[0]
    assert total.bars.select("open", "high", "low", "close", "volume").row(0) == (5, 6, 4, 5, 5)
    assert total.notices == ()
    assert [fetched.bars["adj_close"].to_list() for fetched in (plain, total)] == [[5.0], [5.0]]


def test_publication_times_make_revisions_that_are_all_kept(load, csv):
    path = csv(
        f"{HEADER},published\n"
        "AAPL,2020-01-02,1,2,1,2,5,2020-01-03\nAAPL,2020-01-02,1,2,1,2,6,2020-01-06\nAAPL,2020-01-03,1,2,1,2,5,2020-01-02\n"
    )

    bars = load(path)[1].bars

    assert bars["volume"].to_list() == [5.0, 6.0, 5.0]
    assert bars["known_at"].to_list() == [
        datetime(2020, 1, 4, 5, tzinfo=UTC),
        datetime(2020, 1, 7, 5, tzinfo=UTC),
        datetime(2020, 1, 3, 21, 15, tzinfo=UTC),  # said to be published before its close: the close counts
    ]


def test_one_file_per_symbol_takes_the_symbol_from_its_name(load, csv, tmp_path):
    header = "Date,Open,High,Low,Close,Volume\n"
    for name in ("AAPL", "BRK.B", "BTC%2FUSD", "%43ON"):
        csv(f"{header}2020-01-02,1,2,1,2,5\n", f"{name}.csv")
    csv(header, "not a symbol.csv")
    csv("", "notes.txt")

    listing, fetched = load(tmp_path, pattern="{symbol}.csv")

    assert listing.symbols == ("AAPL", "BRK.B", "BTC/USD", "CON")
    assert set(fetched.bars["symbol"]) == set(listing.symbols)
    assert "'not a symbol.csv'" in listing.notices[0]


def test_one_damaged_file_of_many_symbols_fails_alone(load, csv, tmp_path):
    csv("Date,Open,High,Low,Close,Volume\n2020-01-02,1,2,1,2,5\n", "AAPL.csv")
    csv("", "MSFT.csv")

    _, fetched = load(tmp_path, pattern="{symbol}.csv")

    assert set(fetched.bars["symbol"]) == {"AAPL"}
    assert "MSFT.csv" in fetched.failed["MSFT"]


@pytest.mark.parametrize("pattern", ["*.csv", "{symbol}", "{symbol}/{symbol}.csv", "a/{symbol}.csv"])
def test_a_pattern_without_exactly_one_symbol_is_refused(load, tmp_path, pattern):
    with pytest.raises(UsageError, match="--pattern"):
        load(tmp_path, pattern=pattern)


def test_a_file_without_symbols_points_to_the_pattern(load, csv):
    with pytest.raises(UsageError) as caught:
        load(csv("Date,Open,High,Low,Close,Volume\n2020-01-02,1,2,1,2,5\n"))

    assert "--pattern" in caught.value.fix


def test_a_folder_is_read_as_one_table_and_hidden_files_are_not(load, csv, tmp_path):
    csv(f"{HEADER}\nAAPL,2020-01-02,1,2,1,2,5\n", "a.csv")
    pl.DataFrame(
        {"symbol": ["MSFT"], "date": [date(2020, 1, 2)]} | dict.fromkeys(["open", "high", "low", "close", "volume"], 1)
    ).write_parquet(tmp_path / "b.parquet")
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(f"{HEADER}\nIBM,2020-01-02,1,2,1,2,5\n".encode()))
    csv("garbage", ".hidden.csv")

    listing, fetched = load(tmp_path)

    assert listing.symbols == ("AAPL", "IBM", "MSFT")
    assert fetched.bars.height == 3


def test_files_that_disagree_about_actions_need_a_word(load, csv, tmp_path):
    csv(f"{HEADER}\nAAPL,2020-01-02,1,2,1,2,5\n", "a.csv")
    csv(f"{HEADER},dividend\nIBM,2020-01-02,1,2,1,2,5,0\n", "b.csv")

    with pytest.raises(UsageError) as caught:
        load(tmp_path)

    assert "--adjustment" in caught.value.fix


@pytest.mark.parametrize("text", ["", HEADER + "\n", f"{HEADER}\nA,2020-01-02,1,2,1,2,5,7,8,9\n"])
def test_an_empty_or_ragged_csv_is_an_error_that_names_the_file(load, csv, text):
    with pytest.raises(DataFetchError, match=r"prices\.csv"):
        load(csv(text))


@pytest.fixture
def parquet(tmp_path):
    path = tmp_path / "prices.parquet"
    days = pl.date_range(date(2020, 1, 1), date(2022, 12, 31), eager=True)
    numbers = {name: pl.Series(range(len(days))).cast(pl.Float64) + 1 for name in HEADER.split(",")[2:]}
    pl.DataFrame({"symbol": ["AAPL"] * len(days), "date": days, **numbers}).write_parquet(path)
    return path


@pytest.mark.parametrize("keep", [0, 3, 100, -100, -1])
def test_a_truncated_parquet_is_an_error_that_names_the_file(load, parquet, keep):
    parquet.write_bytes(parquet.read_bytes()[:keep])

    with pytest.raises(DataFetchError, match=r"prices\.parquet"):
        load(parquet)


def test_a_parquet_with_a_damaged_page_is_an_error_that_names_the_file(load, parquet):
    content = bytearray(parquet.read_bytes())
    content[60:120] = bytes(60)
    parquet.write_bytes(bytes(content))

    with pytest.raises(DataFetchError, match=r"prices\.parquet"):
        load(parquet)


def test_a_path_that_is_not_there_is_a_usage_error(load, tmp_path):
    with pytest.raises(UsageError, match="no file or folder"):
        load(tmp_path / "nowhere")


def test_no_path_is_a_usage_error(context):
    with pytest.raises(UsageError, match="no path"):
        FilesBars(FilesSettings(), context).listing()


def test_a_feed_names_its_own_series(load, csv):
    _, fetched = load(csv(f"{HEADER}\nAAPL,2020-01-02,1,2,1,2,5\n"), feed="stooq")

    assert fetched.bars["source"].to_list() == ["files:stooq"]


def test_a_misspelt_setting_is_refused():
    with pytest.raises(ConfigError, match="patern"):
        parse_section(FilesSettings, {"path": "x", "patern": "{symbol}.csv"}, "data.sources.files")


EXPECTED = {  # rows as data/README.md counts them, symbols, adjustment, assumed, refused rows
    "lean_daily_raw_1998_2021": (35_086, 11, "total", True, 0),
    "sp500_daily_2012_2017_second_vendor": (85_047, 69, "total", True, 1258),
    "sp500_daily_2013_2018": (310_126, 252, "total", True, 0),
    "us_daily_adjusted_1990_2017": (452_386, 80, "total", True, 0),
    "us_daily_as_published_2015_2017": (19_205, 19, "total", True, 0),
    "us_daily_raw_and_adj_2015_2017": (98_415, 192, "total", True, 0),
    "us_large_daily_adj_2015_2020": (132_648, 111, "total", True, 0),
    "wiki_daily_div_split_2000_2012": (4_105, 5, "raw", False, 0),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_real_files_load_as_they_are(load, shared_data, name):
    rows, symbols, adjustment, assumed, refused = EXPECTED[name]

    listing, fetched = load(shared_data / "equity_daily" / f"{name}.parquet")

    info = next(iter(fetched.series.values()))
    assert (len(listing.symbols), listing.rejected.height) == (symbols, refused)
    assert fetched.bars.height + refused == rows
    assert (info.adjustment.value, info.assumed) == (adjustment, assumed)


def test_dividends_and_splits_of_real_files_are_those_of_the_columns(load, shared_data):
    path = shared_data / "equity_daily" / "wiki_daily_div_split_2000_2012.parquet"
    table = pl.read_parquet(path)

    actions = load(path)[1].actions

    assert actions.filter(kind="dividend").height == table.filter(pl.col("dividend") > 0).height
    assert (
        actions.filter(kind="split")["ratio"].sort().to_list()
        == table.filter(pl.col("split") != 1)["split"].sort().to_list()
    )
