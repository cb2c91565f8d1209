"""Axes and thinning."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.reports.scales import day_ticks, linear, logarithmic, thin

FINITE = st.floats(-1e12, 1e12, allow_subnormal=False)


@given(st.lists(FINITE, min_size=1, max_size=20), st.booleans())
def test_a_linear_axis_holds_every_value_between_its_ends(values, zero):
    axis = linear(values, zero=zero)

    margin = 1e-6 * (axis.high - axis.low)
    assert axis.low - margin <= min(values) <= max(values) <= axis.high + margin
    assert 2 <= len(axis.ticks) <= 12
    assert not zero or axis.low <= 0 <= axis.high


def test_a_linear_axis_of_nothing_runs_from_zero_to_one():
    assert (linear([float("nan")]).low, linear([float("nan")]).high) == (0.0, 1.0)


def test_equal_ratios_have_equal_length_on_a_logarithmic_axis():
    places = logarithmic([1.0, 100.0]).place(np.array([2.0, 4.0, 8.0]))

    assert places[1] - places[0] == pytest.approx(places[2] - places[1])


def test_a_logarithmic_axis_over_decades_marks_one_two_and_five():
    assert logarithmic([90.0, 2_100.0]).ticks == (100.0, 200.0, 500.0, 1000.0, 2000.0)


def test_values_at_or_below_zero_make_the_axis_linear():
    assert not logarithmic([-1.0, 10.0]).log


def test_a_long_span_is_marked_by_years_and_a_short_one_by_months():
    years = day_ticks(date(1998, 1, 2), date(2013, 8, 9))
    months = day_ticks(date(2013, 1, 10), date(2013, 6, 20))

    assert [label for _, label in years] == ["2000", "2002", "2004", "2006", "2008", "2010", "2012"]
    assert months[0] == (date(2013, 2, 1), "Feb 2013")


def test_a_span_within_one_month_is_marked_by_its_first_day():
    assert day_ticks(date(2013, 8, 5), date(2013, 8, 9)) == ((date(2013, 8, 5), "2013-08-05"),)


def test_thinning_keeps_the_lowest_and_highest_value():
    values = np.sin(np.arange(10_000) / 50.0)
    values[7777], values[1234] = 9.0, -9.0

    places, kept = thin(np.linspace(0, 1, 10_000), values, 300)

    assert len(kept) <= 600
    assert (kept.max(), kept.min()) == (9.0, -9.0)
    assert (np.diff(places) >= 0).all()


def test_thinning_keeps_gaps():
    values = np.ones(10_000)
    values[4000:6000] = np.nan

    _, kept = thin(np.linspace(0, 1, 10_000), values, 300)

    assert np.isnan(kept).sum() >= 59


def test_a_short_line_is_not_thinned():
    places = np.linspace(0, 1, 5)

    assert thin(places, places, 300)[1] is places
