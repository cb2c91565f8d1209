"""Adjusted prices are rewritten as a whole or not at all."""

from datetime import date

import polars as pl
import pytest

from aitrader.domain.frames import Adjustment
from aitrader.errors import LakeError

TOTAL = {"adjustment": Adjustment.TOTAL}
PRICES = ("open", "high", "low", "close")


def readjusted(bars, ratio=0.98):
    return bars.with_columns(pl.col(PRICES) * ratio)


def test_a_readjusted_part_of_a_series_is_refused(lake, make_bars, append):
    append(lake, make_bars(), **TOTAL)

    with pytest.raises(LakeError, match=r"2 adjusted series .* BRK\.B, ON") as caught:
        append(lake, readjusted(make_bars(first=date(2012, 12, 31), count=5)), **TOTAL)

    assert "--start 2012-12-27" in caught.value.fix
    assert lake.snapshot().version == 1


def test_an_old_edition_of_the_first_years_is_refused(lake, make_bars, append):
    append(lake, make_bars(), **TOTAL)

    with pytest.raises(LakeError, match="not whole"):
        append(lake, readjusted(make_bars(count=3)), **TOTAL)


def test_a_whole_readjusted_series_replaces_the_old_one(lake, make_bars, append):
    append(lake, make_bars(), **TOTAL)

    append(lake, readjusted(make_bars(count=8)), **TOTAL)

    shown = lake.snapshot().bars()
    assert shown.height == 16
    assert shown["close"].to_list() == readjusted(make_bars(count=8))["close"].to_list()


def test_new_bars_that_agree_where_they_overlap_are_appended(lake, make_bars, append):
    append(lake, make_bars(count=4), **TOTAL)

    assert (
        append(
            lake,
            make_bars(first=date(2012, 12, 31), count=4).with_columns(
                # the builder counts from its first bar; two sessions later its prices are two lower
                pl.col(PRICES) + 2.0
            ),
            **TOTAL,
        ).rows
        == 4
    )


def test_a_correction_inside_the_common_part_is_a_revision(lake, make_bars, append):
    append(lake, make_bars(), **TOTAL)
    corrected = (
        make_bars(first=date(2012, 12, 31), count=4)
        .with_columns(pl.col(PRICES) + 2.0)
        .with_columns(pl.when(pl.col("session") == date(2013, 1, 2)).then(14.5).otherwise("close").alias("close"))
    )

    assert append(lake, corrected, **TOTAL).rows == 2


def test_raw_series_may_be_corrected_anywhere(lake, make_bars, append):
    append(lake, make_bars())

    assert append(lake, readjusted(make_bars(first=date(2012, 12, 31), count=2))).rows == 4


def test_raw_and_adjusted_rows_of_one_symbol_never_mix(lake, make_bars, append):
    append(lake, make_bars(("ON",)))

    with pytest.raises(LakeError, match="ON of files is stored with raw prices, now come total ones"):
        append(lake, make_bars(("ON",), count=8), **TOTAL)

    assert lake.snapshot().bars().height == 6


def test_an_assumed_adjustment_may_be_declared_later(lake, make_bars, append):
    append(lake, make_bars(("ON",)), **TOTAL, assumed=True)

    commit = append(lake, make_bars(("ON",)))

    assert commit.rows == 0
    assert commit.version == 2
    info = lake.snapshot().series()["files", "ON"]
    assert (info.adjustment, info.assumed) == (Adjustment.RAW, False)
