"""Bars since the first one, ties of extremes, and shares of nothing."""

import numpy as np
import pytest

from aitrader.panel.expr import age, column, share_of
from aitrader.panel.plan import lookback, plan

X, Y = column("x"), column("y")


def test_age_counts_from_the_first_bar_over_missing_ones(value):
    x = [np.nan, 3.0, np.nan, 4.0]

    np.testing.assert_array_equal(value(age(), x=x), [[np.nan, 0, 1, 2]])
    assert lookback(age()) == 0


def test_a_part_of_a_history_knows_its_age(make_panel):
    panel = make_panel({"x": [[np.nan, 1.0, 2.0, 3.0], [np.nan] * 4]})
    part = plan([age()]).run(panel.slice(2).select(panel.symbols[:1]))

    np.testing.assert_array_equal(part, [[[1, 2]]])
    assert np.isnan(plan([age()]).run(panel)[0, 1]).all()


@pytest.mark.parametrize(("expr", "expected"), [(X.argmax(3), [0, 0, 1, 2]), (X.argmax(3, oldest=1), [0, 1, 2, 2])])
def test_the_oldest_of_equals_when_asked_for(value, expr, expected):
    got = value(type(expr)(expr.op, expr.args, (3, 1, expr.params[2])), x=[2.0, 2.0, 1.0, 0.0])

    np.testing.assert_array_equal(got, [expected])


def test_the_oldest_of_equals_reads_back():
    from aitrader.panel.parse import parse

    expr = column("close").argmin(5, 2, oldest=1)
    assert parse(expr.key, features={}) == expr
    assert parse("share_of(close, age())", features={}) == share_of(column("close"), age())


def test_a_share_of_nothing(value):
    got = value(share_of(X, Y), x=[1.0, 0.0, 2.0, np.nan, 0.0], y=[4.0, 0.0, 0.0, 1.0, np.nan])

    np.testing.assert_array_equal(got, [[0.25, 0, np.nan, np.nan, np.nan]])


def test_an_exponential_mean_with_a_weight_of_its_own(value):
    got = value(X.ewm(0.25), x=[4.0, 8.0, np.nan, 1.0])

    np.testing.assert_allclose(got, [[4, 5, np.nan, 4]])
