"""Guesses from bars against what made the bars: known spreads, a known impact, a known split of volume.

Values on ordinary bars are held against plain loops in tests/answers/make_features_microstructure.py.
"""

import math

import numpy as np
import pytest

from aitrader.panel.expr import column
from aitrader.panel.plan import plan

STEPS = 390


def _market(bars, spread, seed=11, volatility=0.0002):
    """Bars of trades that bounce between bid and ask around a random walk without drift."""
    rng = np.random.default_rng(seed)
    middle = np.log(50) + rng.normal(0, volatility, bars * STEPS).cumsum()
    trades = np.exp(middle + rng.choice([-0.5, 0.5], bars * STEPS) * spread).reshape(bars, STEPS)
    return {"open": trades[:, 0], "high": trades.max(1), "low": trades.min(1), "close": trades[:, -1]}


@pytest.mark.parametrize("name", ["roll_spread", "corwin_schultz_spread", "abdi_ranaldo_spread", "edge_spread"])
def test_a_wide_spread_is_guessed_wider_and_nearly_right(declared, run_one, name):
    wide, narrow = (run_one(declared(name, bars=500), _market(501, spread))[-1] for spread in (0.02, 0.001))

    assert wide == pytest.approx(0.02, rel=0.25)
    assert narrow < wide / 3


def test_rolls_spread_is_exact_for_a_pure_bounce_and_0_for_a_trend(declared, run_one):
    bounce = np.exp(np.array([0.01, -0.01] * 31) / 2)
    trend = np.exp(np.linspace(0, 1, 62) ** 2)

    # 60 changes of +-s, one after the other the opposite: covariance -s^2 over 60 pairs, divisor 59.
    assert run_one(declared("roll_spread"), {"close": bounce})[-1] == pytest.approx(0.02 * math.sqrt(60 / 59))
    assert run_one(declared("roll_spread"), {"close": trend})[-1] == 0


def test_corwin_and_schultz_by_hand(declared, run_one):
    columns = {"high": [10.2, 10.4], "low": [9.9, 10.1], "close": [10.0, 10.2]}
    beta = math.log(10.2 / 9.9) ** 2 + math.log((10.4 - 0.1) / (10.1 - 0.1)) ** 2
    gamma = math.log(10.3 / 9.9) ** 2
    root = 3 - math.sqrt(8)
    alpha = (math.sqrt(2 * beta) - math.sqrt(beta)) / root - math.sqrt(gamma / root)

    got = run_one(declared("corwin_schultz_spread", bars=1), columns)

    assert np.isnan(got[0])
    assert got[1] == pytest.approx(2 * (math.exp(alpha) - 1) / (1 + math.exp(alpha)), rel=1e-6)


def test_kyles_lambda_is_the_impact_that_made_the_prices(declared, run_one):
    rng = np.random.default_rng(4)
    volume = rng.lognormal(10, 0.5, 400)
    returns = rng.choice([-1, 1], 400) * 0.01 * volume / volume.mean()
    close = 50 * np.cumprod(1 + returns)

    got = run_one(declared("kyle_lambda", bars=200), {"close": close, "volume": volume})

    assert got[-1] == pytest.approx(0.01, rel=0.1)


def test_what_comes_back_on_the_next_bar_is_found(declared, run_one):
    rng = np.random.default_rng(8)
    volume, sign = rng.lognormal(10, 0.5, 2001), rng.choice([-1, 1], 2001)
    flow = sign * volume / math.exp(10.125)
    returns = sign * 0.01 * rng.lognormal(0, 0.3, 2001)
    returns[1:] -= 0.002 * flow[:-1]
    close = 50 * np.exp(np.log1p(returns).cumsum())

    got = run_one(declared("reversal_gamma", bars=1000), {"close": close, "volume": volume})

    assert got[-1] == pytest.approx(-0.002, rel=0.2)


def test_bulk_volume_classification_splits_as_the_normal_distribution_does(make_panel, declared):
    rng = np.random.default_rng(6)
    log = rng.normal(0, 0.01, 80)
    close, volume = 20 * np.exp(log.cumsum()), rng.lognormal(10, 0.5, 80)
    deviation = column("close") / column("close").shift(1)
    panel = make_panel({"close": close, "volume": volume})

    imbalance, toxicity, spread = plan(
        [declared("order_imbalance", bars=20), declared("vpin", bars=20), deviation.log().std(20, 16)]
    ).run(panel)[:, 0]

    z = log / spread
    split = np.array([math.erf(value / math.sqrt(2)) for value in z]) * volume
    for bar in (50, 79):
        window = slice(bar - 19, bar + 1)
        assert imbalance[bar] == pytest.approx(split[window].sum() / volume[window].sum(), rel=1e-5)
        assert toxicity[bar] == pytest.approx(np.abs(split[window]).sum() / volume[window].sum(), rel=1e-5)


def test_idle_bars_are_counted(declared, run_one):
    columns = {"close": [5, 5, 6, 6, 6, 7.0], "volume": [1, 0, 2, 0, 0, 3.0]}

    assert run_one(declared("zero_return_share", bars=5), columns)[-1] == pytest.approx(0.6)
    assert run_one(declared("zero_volume_share", bars=5), columns)[-1] == pytest.approx(0.6)


def test_falls_on_little_volume_are_illiquid(declared, run_one):
    close = 50 * np.cumprod(np.tile([1.01, 1 / 1.01], 60))
    volume = np.tile([2000.0, 1000.0], 60)

    got = run_one(declared("amihud_asymmetry", bars=100), {"close": close, "volume": volume})

    # a rise ends 1 % higher and on twice the volume; its return is 1.01 times the fall's
    assert got[-1] == pytest.approx(math.log(2 * 1.01 / 1.01), rel=1e-5)
