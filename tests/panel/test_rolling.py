"""Every rolling operator against a plain reading of its definition, one window at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aitrader.panel.expr import column

X, Y = column("x"), column("y")


def _moment(x, power):
    return np.mean((x - x.mean()) ** power)


def _skew(x):
    n = len(x)
    return np.sqrt(n * (n - 1)) / (n - 2) * _moment(x, 3) / _moment(x, 2) ** 1.5


def _kurt(x):
    n = len(x)
    return (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (_moment(x, 4) / _moment(x, 2) ** 2 - 3) + 6)


def _line(x, t):
    slope, start = np.polyfit(t - t[-1], x, 1)
    return slope, start


# name -> (least number of values, whether a constant window has no answer, function of values and their times)
ONE = {
    "sum": (1, False, lambda x, t, now, w: x.sum()),
    "mean": (1, False, lambda x, t, now, w: x.mean()),
    "var": (2, False, lambda x, t, now, w: x.var(ddof=1)),
    "std": (2, False, lambda x, t, now, w: x.std(ddof=1)),
    "mad": (1, False, lambda x, t, now, w: np.abs(x - x.mean()).mean()),
    "skew": (3, True, lambda x, t, now, w: _skew(x)),
    "kurt": (4, True, lambda x, t, now, w: _kurt(x)),
    "min": (1, False, lambda x, t, now, w: x.min()),
    "max": (1, False, lambda x, t, now, w: x.max()),
    "argmin": (1, False, lambda x, t, now, w: now - t[x == x.min()].max()),
    "argmax": (1, False, lambda x, t, now, w: now - t[x == x.max()].max()),
    "median": (1, False, lambda x, t, now, w: np.median(x)),
    "rank": (1, False, lambda x, t, now, w: ((x < x[-1]).sum() + ((x == x[-1]).sum() + 1) / 2) / len(x)),
    "wma": (1, False, lambda x, t, now, w: np.average(x, weights=t - now + w)),
    "slope": (2, False, lambda x, t, now, w: _line(x, t)[0]),
    "rsquare": (2, True, lambda x, t, now, w: np.corrcoef(x, t)[0, 1] ** 2),
    "residual": (2, False, lambda x, t, now, w: x[-1] - _line(x, t)[1]),
}
TWO = {
    "cov": (2, lambda x, y: np.cov(x, y)[0, 1]),
    "corr": (2, lambda x, y: np.corrcoef(x, y)[0, 1] if x.std() > 0 and y.std() > 0 else np.nan),
    "beta": (2, lambda x, y: np.cov(x, y)[0, 1] / y.var(ddof=1) if y.std() > 0 else np.nan),
}
NEED_NOW = {"rank", "residual"}

# Whole and half numbers: ties and constant stretches are common, and sums are exact.
numbers = st.one_of(st.just(np.nan), st.integers(-40, 40).map(lambda n: n / 2))
series = st.integers(1, 30).flatmap(lambda length: arrays(np.float64, (2, length), elements=numbers))
windows = st.integers(1, 34).flatmap(lambda bars: st.tuples(st.just(bars), st.none() | st.integers(1, bars)))


def _expected(name, x, bars, least):
    fewest, no_constant, function = ONE[name]
    out = np.full(len(x), np.nan)
    for now in range(len(x)):
        times = np.arange(max(0, now - bars + 1), now + 1)
        known = times[~np.isnan(x[times])]
        inside = x[known]
        if len(inside) < max(least, fewest) or (name in NEED_NOW and np.isnan(x[now])):
            continue
        if no_constant and np.ptp(inside) == 0:
            continue
        out[now] = function(inside, known.astype(float), now, bars)
    return out


@pytest.mark.parametrize("name", ONE)
@settings(max_examples=60, deadline=None)
@given(x=series, window=windows)
def test_one_series(value, name, x, window):
    bars, least = window

    got = value(getattr(X, name)(bars, least), x=x)

    for row in range(2):
        expected = _expected(name, x[row], bars, least or bars)
        np.testing.assert_allclose(got[row], expected, rtol=1e-5, atol=2e-6, err_msg=str(x[row]))


@pytest.mark.parametrize("name", TWO)
@settings(max_examples=60, deadline=None)
@given(x=series, window=windows, data=st.data())
def test_two_series(value, name, x, window, data):
    bars, least = window
    y = data.draw(arrays(np.float64, x.shape, elements=numbers))
    fewest, function = TWO[name]

    got = value(getattr(X, name)(Y, bars, least), x=x, y=y)

    for row in range(2):
        for now in range(x.shape[1]):
            a, b = (grid[row, max(0, now - bars + 1) : now + 1] for grid in (x, y))
            both = ~np.isnan(a) & ~np.isnan(b)
            enough = both.sum() >= max(least or bars, fewest)
            expected = function(a[both], b[both]) if enough else np.nan
            np.testing.assert_allclose(got[row, now], expected, rtol=1e-5, atol=2e-6)


@settings(max_examples=60, deadline=None)
@given(x=series, window=windows, share=st.floats(0, 1))
def test_quantiles_interpolate_as_numpy_does(value, x, window, share):
    bars, least = window

    got = value(X.quantile(bars, share, least), x=x)

    for row in range(2):
        for now in range(x.shape[1]):
            inside = x[row, max(0, now - bars + 1) : now + 1]
            inside = inside[~np.isnan(inside)]
            expected = np.quantile(inside, share) if len(inside) >= (least or bars) else np.nan
            np.testing.assert_allclose(got[row, now], expected, rtol=1e-5, atol=2e-6)


@settings(max_examples=60, deadline=None)
@given(x=series, bars=st.integers(1, 34))
def test_a_count_counts_values(value, x, bars):
    got = value(X.count(bars), x=x)

    for now in range(x.shape[1]):
        window = x[:, max(0, now - bars + 1) : now + 1]
        assert got[:, now].tolist() == (~np.isnan(window)).sum(axis=1).tolist()


@pytest.mark.parametrize("level", [1e6 / 3, 0.1, 7.0])
def test_a_constant_series_has_no_noise(value, level):
    x = np.full(300, level)

    for bars in (2, 7, 60, 250):
        assert set(value(X.std(bars), x=x)[0, bars:]) == {0.0}
        assert set(value(X.slope(bars), x=x)[0, bars:]) == {0.0}
        assert set(value(X.mad(bars), x=x)[0, bars:]) == {0.0}
        assert set(value(X - X.mean(bars), x=x)[0, bars:]) == {0.0}
        assert np.isnan(value(X.rsquare(bars), x=x)).all()
        assert np.isnan(value(X.skew(bars), x=x)).all()


def test_a_small_movement_on_a_high_price_keeps_its_digits(value):
    step = np.tile([0.0, 1.0], 200) / 64

    near, far = value(X.std(60), x=step), value(X.std(60), x=step + 2.0**24)

    np.testing.assert_allclose(far, near, rtol=1e-6)


def test_a_wild_bar_leaves_no_trace_after_its_window(value):
    calm = np.sin(np.arange(200.0))
    wild = calm.copy()
    wild[50] = 1e12

    got, expected = (value(X.std(20), x=x)[0, 70:] for x in (wild, calm))

    assert got.tolist() == expected.tolist()


@pytest.mark.parametrize("name", [*ONE])
def test_skipping_missing_bars_changes_no_bit_where_none_is_missing(value, name):
    x = np.random.default_rng(3).normal(size=(3, 120)).cumsum(axis=1) + 50

    full, partial = value(getattr(X, name)(23), x=x), value(getattr(X, name)(23, 5), x=x)

    np.testing.assert_array_equal(partial[:, 22:], full[:, 22:])


def test_a_price_of_a_million_keeps_its_digits(value):
    x = 1e6 + np.random.default_rng(3).integers(-50, 50, 300).cumsum() / 100
    exact = np.array([x[now - 59 : now + 1].astype(np.longdouble).std(ddof=1) for now in range(59, 300)])

    np.testing.assert_allclose(value(X.std(60), x=x)[0, 59:], exact.astype(float), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-130, 1e130])
@pytest.mark.parametrize(
    "expr", [1 / X.var(4), 1 / X.std(4), X.skew(4), X.kurt(4), X.corr(Y, 4), X.beta(Y, 4) * 1e-300, 1 / X.var(4, 2)]
)
def test_what_float64_cannot_hold_in_between_is_missing_or_right_but_never_nothing(value, expr, scale):
    x, y = np.array([1.0, 2.0, 4.0, 3.0, 7.0]), np.array([3.0, -1.0, 5.0, 2.0, 2.5])

    got = value(expr, x=x * scale * 1e25, y=y * scale)[0, 3:]

    expected = value(expr, x=x, y=y)[0, 3:]
    wrong = np.isfinite(got) & (got == 0) & (expected != 0)
    assert not wrong.any()


def test_extremes_at_both_ends_of_float64(value):
    x = [-1.7e308, 1.7e308, 1.0, 2.0]

    assert (value(X.max(2) / 1e308, x=x)[0, 1:3] > 0).all()
    assert (value(X.min(2) / 1e308, x=x)[0, 1:2] < 0).all()


def test_a_window_far_longer_than_the_series_costs_no_more_than_the_series(value):
    x = np.random.default_rng(6).normal(size=(2, 40))

    for least in (1, 7):
        got, expected = (value(X.quantile(bars, 0.3, least), x=x) for bars in (10**8, 40))
        np.testing.assert_array_equal(got, expected)
    assert np.isnan(value(X.median(10**8), x=x)).all()
    assert np.isnan(value(X.quantile(41, 0.3), x=x)).all()
    np.testing.assert_array_equal(value(X.quantile(41, 0.3, 40), x=x), value(X.quantile(40, 0.3), x=x))


@pytest.mark.parametrize("name", ["var", "std"])
def test_a_single_bar_without_a_value_has_no_spread(value, name):
    got = value(getattr(X, name)(1, ddof=0), x=[1.0, np.nan, 3.0])[0]

    np.testing.assert_equal(got, np.array([0, np.nan, 0], np.float32))


@pytest.mark.parametrize("expr", [X.ema(2).std(1), X.corr(Y.ema(2), 1), X.cumsum().slope(1), X.wilder(2).kurt(1, 1)])
def test_what_a_single_bar_cannot_tell_of_a_recursive_series_is_missing(value, expr):
    assert np.isnan(value(expr, x=[1.0, 2.0, 3.0], y=[1.0, 3.0, 3.0])).all()
