"""What the calendar expects and the bars lack."""

from datetime import date

import polars as pl
import pytest

from aitrader.domain.calendars import calendar
from aitrader.lake.gaps import missing

XNYS = calendar("XNYS")


def without(bars, symbol, day):
    return bars.filter((pl.col("session") != day) | ((pl.col("symbol") != symbol) if symbol else False))


def test_nothing_is_missing_from_whole_bars(make_bars):
    found = missing(make_bars(), XNYS)

    assert (found.expected, found.sessions, found.symbol_days.height) == (6, (), 0)


def test_a_session_that_nobody_has_is_named_once(make_bars):
    found = missing(without(make_bars(), None, date(2012, 12, 31)), XNYS)

    assert found.sessions == (date(2012, 12, 31),)
    assert found.symbol_days.is_empty()


def test_a_day_inside_a_symbols_life_is_missing_and_days_outside_it_are_not(make_bars):
    bars = pl.concat([make_bars(("AAPL",)), make_bars(("ON",), first=date(2012, 12, 28), count=4)])

    found = missing(without(bars, "ON", date(2012, 12, 31)), XNYS)

    assert found.symbol_days.rows() == [("ON", date(2012, 12, 31))]


@pytest.mark.parametrize(("reason", "count"), [("high is below low", 0), ("session was not over yet", 1)])
def test_a_quarantined_row_is_wrong_and_not_missing_unless_it_came_too_early(make_bars, reason, count):
    bars = make_bars()
    day = (pl.col("symbol") == "ON") & (pl.col("session") == date(2012, 12, 31))
    wrong = bars.filter(day).with_columns(pl.lit(reason).alias("reason"))

    found = missing(bars.filter(~day), XNYS, quarantined=wrong)

    assert found.symbol_days.height == count


def test_no_bars_lack_nothing(make_bars):
    assert missing(make_bars().clear(), XNYS).expected == 0
