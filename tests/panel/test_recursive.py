"""Recursive operators against their recursion, bar by bar over the values that are there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aitrader.panel.expr import column

X = column("x")
numbers = st.one_of(st.just(np.nan), st.floats(-1e3, 1e3))
series = st.integers(1, 60).flatmap(lambda length: arrays(np.float64, (2, length), elements=numbers))


def _smoothed(x, decay, gain, count, divisor, skip=0, hidden=0):
    out, state, seen = np.full(len(x), np.nan), 0.0, 0
    for now, new in enumerate(x):
        if np.isnan(new):
            continue
        seen += 1
        if seen <= skip:
            continue
        if seen <= skip + count:
            state += new / divisor
        else:
            state = decay * state + gain * new
        if seen >= skip + count + hidden:
            out[now] = state
    return out


def _check(got, x, *parameters, **more):
    for row in range(len(x)):
        np.testing.assert_allclose(got[row], _smoothed(x[row], *parameters, **more), rtol=1e-5, atol=1e-3)


@settings(max_examples=80, deadline=None)
@given(x=series, span=st.integers(1, 20), skip=st.integers(0, 5))
def test_ema_begins_with_a_mean_and_then_recurses(value, x, span, skip):
    weight = 2 / (span + 1)

    _check(value(X.ema(span, skip), x=x), x, 1 - weight, weight, span, span, skip)


@settings(max_examples=80, deadline=None)
@given(x=series, bars=st.integers(1, 20))
def test_wilders_mean(value, x, bars):
    _check(value(X.wilder(bars), x=x), x, 1 - 1 / bars, 1 / bars, bars, bars)


@settings(max_examples=80, deadline=None)
@given(x=series, bars=st.integers(2, 20))
def test_wilders_sum_hides_its_seed(value, x, bars):
    _check(value(X.wilder_sum(bars), x=x), x, 1 - 1 / bars, 1.0, bars - 1, 1, hidden=1)


@settings(max_examples=80, deadline=None)
@given(x=series)
def test_cumulative_sums_hold_over_missing_bars(value, x):
    expected = np.where(np.isnan(x), np.nan, np.cumsum(np.nan_to_num(x), axis=1))

    np.testing.assert_allclose(value(X.cumsum(), x=x), expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("expr", [X.ema(12), X.wilder(14), X.wilder_sum(14)])
def test_later_bars_and_the_history_before_the_first_change_no_bit(value, expr):
    x = np.random.default_rng(5).normal(size=700).cumsum() + 100
    full = value(expr, x=x)[0]

    early = value(expr, x=x[:300])[0]
    padded = value(expr, x=np.concatenate([np.full(57, np.nan), x]))[0, 57:]

    np.testing.assert_array_equal(early, full[:300])
    np.testing.assert_array_equal(padded, full)
