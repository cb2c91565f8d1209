"""The content hash tells lakes apart by their rows alone."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitrader.lake.content import content_of, content_of_matrix, parse_content, total

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


def test_a_feature_that_is_renamed_moved_or_changed_is_other_content():
    index = pl.DataFrame({"symbol": ["A", "B"], "session": [date(2013, 1, 2)] * 2})
    grid = np.array([1.0, np.nan], dtype=np.float32)

    contents = [
        content_of_matrix(index, [("f", grid)]),
        content_of_matrix(index, [("g", grid)]),
        content_of_matrix(index, [("f", grid[::-1].copy())]),
        content_of_matrix(index, [("f", grid), ("g", grid)]),
        content_of_matrix(index[:1], [("f", grid[:1])]),
    ]

    assert len(set(map(str, contents))) == len(contents)
    assert str(content_of_matrix(index[::-1], [("f", grid[::-1].copy())])) == str(contents[0])
