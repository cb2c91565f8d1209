"""Reasons in figures and words."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aitrader.scanners.explain import percentile

EVERYBODY = np.ones(4, dtype=bool)


def test_the_lowest_stands_at_zero_and_the_highest_at_one():
    values = np.array([3.0, 1.0, 2.0, 4.0])

    assert (percentile(values, 1, EVERYBODY), percentile(values, 3, EVERYBODY)) == (0.0, 1.0)


def test_equal_values_share_the_middle():
    assert percentile(np.ones(4), 2, EVERYBODY) == 0.5


def test_only_members_with_a_value_are_compared():
    values = np.array([5.0, 9.0, np.nan, 1.0])

    assert percentile(values, 0, np.array([True, False, True, True])) == 1.0


def test_an_unknown_value_has_no_place():
    assert np.isnan(percentile(np.array([np.nan, 1.0]), 0, np.array([True, True])))


def test_a_value_without_company_has_no_place():
    assert np.isnan(percentile(np.array([1.0, np.nan]), 0, np.array([True, True])))


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12))
def test_a_place_lies_between_zero_and_one(values):
    array = np.array(values)

    places = [percentile(array, at, np.ones(len(array), dtype=bool)) for at in range(len(array))]
    assert all(0 <= place <= 1 for place in places)
