"""The content hash tells lakes apart by their rows alone."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitrader.lake.content import content_of, content_of_values, parse_content, total

SCHEMA = {"symbol": pl.String(), "session": pl.Date(), "close": pl.Float64(), "fold": pl.Int32()}
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["ON", "NO", "", None]),
        st.one_of(st.none(), st.dates(date(1990, 1, 1), date(2030, 1, 1))),
        st.one_of(st.none(), st.floats(allow_nan=False)),
        st.one_of(st.none(), st.integers(-5, 5)),
    ),
    max_size=12,
)


def content(rows):
    return content_of(pl.DataFrame(rows, schema=SCHEMA, orient="row"))


@settings(max_examples=80, deadline=None)
@given(ROWS, ROWS)
def test_equal_content_is_equal_rows_in_any_order_and_any_cut(one, two):
    key = repr  # rows with nulls have no order of their own

    assert (content(one) == content(two)) == (sorted(map(key, one)) == sorted(map(key, two))) or 0.0 in [
        row[2] for row in one + two
    ]
    assert content(one + two) == total([content(two[::-1]), content(one)])


@pytest.mark.parametrize(
    "other",
    [
        [("ON", date(2013, 1, 2), 2.0, 1), ("NO", date(2013, 1, 2), 1.0, 1)],
        [("ON", date(2013, 1, 2), 1.0, 1), ("NO", date(2013, 1, 2), 2.0, None)],
        [("ON", date(2013, 1, 2), 1.0, 1), ("NO", date(2013, 1, 2), 2.0000000000000004, 1)],
        [("ON", date(2013, 1, 2), 1.0, 1)],
        [("ON", date(2013, 1, 2), 1.0, 1)] * 2,
    ],
)
def test_exchanged_changed_missing_and_doubled_rows_are_other_content(other):
    rows = [("ON", date(2013, 1, 2), 1.0, 1), ("NO", date(2013, 1, 2), 2.0, 1)]

    assert content(rows) != content(other)


def test_content_survives_its_text():
    made = content([("ON", date(2013, 1, 2), 1.0, 1)])

    assert parse_content(str(made)) == made


DAYS = np.array(["2013-01-02", "2013-01-03"], dtype="datetime64[D]")


def test_a_feature_that_is_renamed_moved_or_changed_is_other_content():
    grid = np.array([[1.0, np.nan], [0.0, -0.0]], dtype=np.float32)
    names, symbols, later = ["f"], ["A", "B"], DAYS + np.timedelta64(1, "D")

    contents = [
        content_of_values(symbols, DAYS, names, grid[None]),
        content_of_values(symbols, DAYS, ["g"], grid[None]),
        content_of_values(["A", "C"], DAYS, names, grid[None]),
        content_of_values(symbols, later, names, grid[None]),
        content_of_values(symbols, DAYS, names, grid[None, ::-1]),
        content_of_values(symbols, DAYS, names, grid[None, :, ::-1]),
        content_of_values(symbols, DAYS, ["f", "g"], np.stack([grid, grid])),
        content_of_values(symbols[:1], DAYS, names, grid[None, :1]),
        content_of_values(symbols, DAYS, names, np.zeros((1, 2, 2), np.float32)),
        content_of_values(symbols[:1], DAYS, names, np.zeros((1, 1, 2), np.float32)),
    ]

    assert len(set(map(str, contents))) == len(contents)


@given(st.integers(1, 3), st.integers(1, 4))
def test_content_of_features_adds_up_over_any_cut(row, column):
    values = np.random.default_rng(1).normal(size=(3, 4, 5)).astype(np.float32)
    names, symbols = ["f", "g", "h"], ["A", "B", "C", "D"]
    days = DAYS[0] + np.arange(5)
    parts = [
        content_of_values(symbols[rows], days[columns], names, values[:, rows, columns])
        for rows in (slice(row), slice(row, None))
        for columns in (slice(column), slice(column, None))
    ]

    assert total(parts) == content_of_values(symbols, days, names, values)


@given(st.integers(0, 2), st.integers(0, 3), st.integers(0, 31))
def test_one_flipped_bit_is_other_content(name, row, bit):
    values = np.random.default_rng(1).normal(size=(3, 4, 2)).astype(np.float32)
    flipped = values.copy()
    flipped.view(np.uint32)[name, row, 1] ^= np.uint32(1 << bit)

    before, after = (content_of_values("ABCD", DAYS, ["f", "g", "h"], grid) for grid in (values, flipped))

    assert before.first != after.first
    assert before.second != after.second
