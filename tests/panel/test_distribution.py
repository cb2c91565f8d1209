"""The further statistics of a window against a plain reading of their definitions, one window at a time."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.special import binom

from aitrader.panel import program as running
from aitrader.panel.expr import column
from aitrader.panel.parse import parse
from aitrader.panel.plan import plan
from aitrader.panel.scale import level_dependent

X = column("x")

numbers = st.one_of(st.sampled_from([np.nan, np.inf, -np.inf]), st.integers(-12, 12).map(lambda n: n / 4))
series = st.integers(1, 24).flatmap(lambda length: arrays(np.float64, (2, length), elements=numbers))
windows = st.integers(1, 27).flatmap(lambda bars: st.tuples(st.just(bars), st.none() | st.integers(1, bars)))


def _tail_mean(x, share):
    ordered = np.sort(x)
    place = share * (len(x) - 1)
    low = ordered[int(place)]
    bound = low + (ordered[min(int(place) + 1, len(x) - 1)] - low) * (place - int(place))
    return x[x <= bound].mean()


def _fall(x):
    return max(1 - x[j] / x[i] for i in range(len(x)) for j in range(i, len(x))) if (x > 0).all() else np.nan


def _range(x):
    sums = np.r_[0, np.cumsum(x - x.mean())]
    return np.ptp(sums) if np.ptp(x) else 0.0


def _entropy(x, bins):
    if np.ptp(x) == 0:
        return 0.0
    place = np.minimum((x - x.min()) / np.ptp(x) * bins, bins - 1).astype(int)
    return stats.entropy(np.bincount(place)) / np.log(bins)


def _fracdiff(x, ages, order):
    return sum((-1) ** int(k) * binom(order, k) * value for k, value in zip(ages, x, strict=True))


# name -> (further parameters, function of values, their ages in bars, and the parameters)
CASES = {
    "product": ((), lambda x, ages: x.prod()),
    "tail_mean": ((0.3,), lambda x, ages, share: _tail_mean(x, share)),
    "max_drawdown": ((), lambda x, ages: _fall(x)),
    "adjusted_range": ((), lambda x, ages: _range(x)),
    "entropy": ((4,), lambda x, ages, bins: _entropy(x, bins)),
    "fracdiff": ((0.4,), _fracdiff),
}


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=80, deadline=None)
@given(x=series, window=windows, positive=st.booleans())
@example(x=np.full((2, 9), 0.1), window=(5, None), positive=True)
def test_a_window_is_what_its_values_say(value, name, x, window, positive):
    bars, least = window
    x = np.abs(x) + 0.5 if positive else x
    extra, function = CASES[name]

    got = value(getattr(X, name)(bars, *extra, min_periods=least), x=x)

    for row in range(2):
        for now in range(x.shape[1]):
            times = np.arange(max(0, now - bars + 1), now + 1)
            known = times[np.isfinite(x[row, times])]
            enough = len(known) >= (least or bars)
            expected = function(x[row, known], now - known, *extra) if enough else np.nan
            np.testing.assert_allclose(got[row, now], expected, rtol=1e-5, atol=1e-6, err_msg=str(x[row, times]))


@settings(max_examples=80, deadline=None)
@given(x=series, window=windows, lag=st.integers(1, 3))
def test_autocorrelation_is_about_the_windows_mean(value, x, window, lag):
    bars, least = window
    if bars - lag < 2:
        return

    got = value(X.autocorr(bars, lag, least), x=x)

    for row in range(2):
        for now in range(x.shape[1]):
            inside = np.where(np.isfinite(x[row]), x[row], np.nan)[max(0, now - bars + 1) : now + 1]
            far = inside - np.nanmean(inside) if np.isfinite(inside).any() else inside
            products = (far[lag:] * far[:-lag])[~np.isnan(far[lag:] * far[:-lag])]
            least_values = least or bars
            enough = np.isfinite(inside).sum() >= least_values and len(products) >= max(2, least_values - lag)
            flat = np.nanmax(inside) == np.nanmin(inside) if enough else True
            expected = np.nan if flat else products.sum() / np.nansum(far**2)
            np.testing.assert_allclose(got[row, now], expected, rtol=1e-5, atol=2e-6)


def test_the_decay_of_the_formulaic_alphas_is_the_weighted_mean(value):
    x = np.array([1.0, 4.0, 2.0, 8.0])

    assert X.decay_linear(3) == X.wma(3)
    assert value(X.decay_linear(3), x=x)[0, -1] == pytest.approx((1 * 4 + 2 * 2 + 3 * 8) / 6)


def test_a_whole_order_is_the_plain_difference(value):
    x = np.array([3.0, 7.0, 4.0, 9.0])

    np.testing.assert_allclose(value(X.fracdiff(4, 1.0), x=x)[0, -1], 9 - 4)
    np.testing.assert_allclose(value(X.fracdiff(4, 2.0), x=x)[0, -1], 9 - 2 * 4 + 7)


def test_values_do_not_depend_on_where_the_history_begins(make_panel):
    x = np.exp(np.random.default_rng(3).normal(0, 0.1, (3, 400)).cumsum(axis=1))
    x[1, [20, 250, 251]] = np.nan
    exprs = [getattr(X, name)(37, *extra, min_periods=30) for name, (extra, _) in CASES.items()]
    exprs += [getattr(X, name)(37, *extra) for name, (extra, _) in CASES.items()]
    panel, program = make_panel({"x": x}), plan(exprs)

    np.testing.assert_array_equal(program.run(panel.slice(130))[:, :, 40:], program.run(panel)[:, :, 170:])


def test_blocks_change_no_bit(make_panel, monkeypatch):
    x = np.exp(np.random.default_rng(4).normal(0, 0.1, (2, 600)).cumsum(axis=1))
    program = plan([getattr(X, name)(50, *extra, min_periods=20) for name, (extra, _) in CASES.items()])
    whole = program.run(make_panel({"x": x}))

    monkeypatch.setattr(running, "BLOCK_BARS", 128)

    np.testing.assert_array_equal(program.run(make_panel({"x": x})), whole)


@pytest.mark.parametrize(
    "text",
    [
        "close.product(5)",
        "close.fracdiff(50, 0.4)",
        "close.tail_mean(50, 0.05, min_periods=20)",
        "close.max_drawdown(20)",
        "close.adjusted_range(20)",
        "close.entropy(20, 8)",
    ],
)
def test_text_reads_back(text):
    assert parse(text).key == text


@pytest.mark.parametrize(
    "text",
    [
        "(close / open).product(5)",
        "(close / open).fracdiff(9, 0.4)",
        "close.fracdiff(9, 0.4) / close",
        "close.max_drawdown(9)",
        "close.entropy(9, 3)",
        "close.adjusted_range(9) / close.std(9)",
        "log(close).adjusted_range(9)",
        "close.autocorr(9)",
        "log(close).autocorr(9, lag=2)",
        "close.tail_mean(9, 0.1) / close",
    ],
)
def test_free_of_the_level(text):
    assert not level_dependent(parse(text))


@pytest.mark.parametrize(
    "text", ["close.product(5)", "log(close).fracdiff(9, 0.4)", "log(close).max_drawdown(9)", "close.tail_mean(9, 0.1)"]
)
def test_dependent_on_the_level(text):
    assert level_dependent(parse(text))


@pytest.mark.parametrize(
    "wrong", [lambda: X.tail_mean(9, 1.5), lambda: X.entropy(9, 1), lambda: X.autocorr(4, 3), lambda: X.autocorr(9, 0)]
)
def test_numbers_that_do_not_fit_are_refused(wrong):
    with pytest.raises(ValueError, match=r"share|bins|lag"):
        wrong()


def test_a_range_that_float64_cannot_hold_has_no_entropy(value):
    got = value(X.entropy(3, 4, 2), x=[-1.7e308, 1.7e308, 0.0, 1.0, 2.0, 3.0])[0]

    assert np.isnan(got[:4]).tolist() == [True, True, True, False]
