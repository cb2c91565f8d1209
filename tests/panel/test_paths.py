"""Lines that follow a price, against plain loops, and resumed anywhere."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aitrader.errors import ConfigError
from aitrader.panel.expr import column
from aitrader.panel.parse import parse
from aitrader.panel.plan import lookback, plan
from aitrader.panel.program import Build
from aitrader.panel.scale import level_dependent

X, Y, Z = column("x"), column("y"), column("z")
levels = st.one_of(st.sampled_from([np.nan, np.inf, 3.0, 4.0]), st.floats(1, 100).map(lambda x: round(x, 1)))


def tables(rows):
    return st.integers(1, 50).flatmap(lambda length: arrays(np.float64, (rows, length), elements=levels))


def _missing(*series):
    return ~np.isfinite(series).all(axis=0)


def _adaptive(x, weight):
    out, mean, last = np.full(len(x), np.nan), None, None
    for now, value in enumerate(x):
        if np.isfinite(value + weight[now]):
            mean = (value if last is None else last) if mean is None else mean
            out[now] = mean = mean + weight[now] * (value - mean)
        last = value if np.isfinite(value) else last
    return out


def _sar(high, low, step, limit):
    """Wilder's rules; the first trend falls if the second low fell further than the high rose."""
    places, out = np.flatnonzero(~_missing(high, low)), np.full(len(high), np.nan)
    rising = None
    for before, now in pairwise(places):
        lows, highs = (low[before], low[now]), (high[before], high[now])
        if rising is None:
            rising = not (lows[0] - lows[1] > max(0, highs[1] - highs[0]))
            line, extreme, factor = (lows[0], highs[1], step) if rising else (highs[0], lows[1], step)
            lows, highs = lows[1:], highs[1:]
        if low[now] <= line if rising else high[now] >= line:
            out[now] = max(extreme, *highs, -np.inf) if rising else min(extreme, *lows, np.inf)
            rising, line, extreme, factor = not rising, out[now], low[now] if rising else high[now], step
        else:
            out[now] = line
            further = max(extreme, high[now]) if rising else min(extreme, low[now])
            factor = factor if further == extreme else min(limit, factor + step)
            extreme = further
        line += factor * (extreme - line)
        line = min(line, *lows, np.inf) if rising else max(line, *highs, -np.inf)
    return out


def _supertrend(price, upper, lower):
    out, above, below, rising, before = np.full(len(price), np.nan), None, None, False, None
    for now in np.flatnonzero(~_missing(price, upper, lower)):
        if above is None or upper[now] < above or before > above:
            above = upper[now]
        if below is None or lower[now] > below or before < below:
            below = lower[now]
        rising = not price[now] < below if rising else before is not None and price[now] > above
        out[now], before = below if rising else above, price[now]
    return out


@settings(deadline=None)
@given(x=tables(2))
def test_an_adaptive_mean_moves_by_its_weight(value, x):
    got = value(X.adaptive_mean(Y / 100), x=x[:1], y=x[1:])[0]

    np.testing.assert_allclose(got, _adaptive(x[0], x[1] / 100), rtol=1e-6)


def test_an_adaptive_mean_begins_with_the_value_before_the_first_weight(value):
    got = value(X.adaptive_mean(Y), x=[8.0, 4.0, 6.0, 7.0], y=[np.nan, 0.5, np.nan, 1.0])[0]

    np.testing.assert_array_equal(got, [np.nan, 6.0, np.nan, 7.0])


@settings(deadline=None)
@given(x=tables(2), step=st.sampled_from([0.02, 0.1]), limit=st.sampled_from([0.1, 0.2]))
def test_the_parabolic_stop_follows_wilders_rules(value, x, step, limit):
    high, low = np.maximum(*x), np.minimum(*x)

    got = value(X.sar(Y, step, limit), x=high, y=low)[0]

    np.testing.assert_allclose(got, _sar(high, low, step, limit), rtol=1e-6)


@settings(deadline=None)
@given(x=tables(3))
def test_supertrend_holds_its_bands_until_they_are_crossed(value, x):
    with np.errstate(invalid="ignore"):
        price, upper, lower = x[0], x[0] + x[1] / 10, x[0] - x[2] / 10

    got = value(X.supertrend(Y, Z), x=price, y=upper, z=lower)[0]

    np.testing.assert_allclose(got, _supertrend(price, upper, lower), rtol=1e-6)


def test_supertrend_turns_when_the_price_crosses_its_line(value):
    price = [10.0, 10.5, 13.0, 12.0, 14.0, 9.0]

    got = value(X.supertrend(X + 2, X - 2), x=price)[0]

    # The first upper band stands at 12 until 13 crosses it; then the lower one rises to 12 and breaks at 9.
    np.testing.assert_array_equal(got, [12.0, 12.0, 11.0, 11.0, 12.0, 11.0])


PATHS = [X.adaptive_mean(Y), X.sar(X - 1), X.supertrend(X + Y, X - Y).ema(3)]


@pytest.mark.parametrize("expr", PATHS)
@pytest.mark.parametrize("cut", [1, 2, 3, 40, 199])
def test_a_path_resumed_anywhere_equals_the_whole_one(make_panel, expr, cut):
    rng = np.random.default_rng(8)
    x = 50 * np.exp(rng.normal(0, 0.03, (5, 200)).cumsum(axis=1))
    x[1, :30], x[2, 90:95] = np.nan, np.nan
    panel, program = make_panel({"x": x, "y": rng.uniform(0, 1, x.shape)}), plan([expr])
    full = program.run(panel)
    before = Build(program, panel.slice(0, cut))
    list(before.blocks())
    start = max(cut - program.warmup, 0)

    resumed = Build(program, panel.slice(start), first=cut - start, resume=before.states)
    rest = np.concatenate([block.values.copy() for block in resumed.blocks()], axis=1)

    np.testing.assert_array_equal(rest, full[:, :, cut:])


@pytest.mark.parametrize("expr", PATHS)
def test_a_path_remembers_everything(expr):
    assert lookback(expr) is None


def test_paths_are_written_and_read_as_methods():
    high, low, close = column("high"), column("low"), column("close")
    for expr in (close.adaptive_mean(close / high), high.sar(low, 0.02, 0.2), close.supertrend(high, low)):
        assert parse(expr.key) == expr
    assert parse("high.sar(low)") == high.sar(low)
    with pytest.raises(ConfigError, match=r"sar: step 0\.3 is not above 0 and at most the limit 0\.2"):
        parse("high.sar(low, 0.3)")


def test_a_path_has_the_level_of_what_it_follows():
    high, low, close, volume = (column(name) for name in ("high", "low", "close", "volume"))

    assert not level_dependent(close / high.sar(low))
    assert not level_dependent(close / close.supertrend(high, low))
    assert not level_dependent(close / close.adaptive_mean(low / high))
    assert level_dependent(close.adaptive_mean(volume) / close)
    assert level_dependent(close.supertrend(high, volume))
