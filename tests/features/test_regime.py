import numpy as np
import pytest

UP, DOWN = np.geomspace(100, 200, 260), np.geomspace(200, 100, 260)


def test_breadth_counts_the_members(value):
    closes = [UP, UP, UP, DOWN]

    assert value("share_above_mean", closes)[:, -1].tolist() == [0.75] * 4
    assert value("share_rising", closes)[:, -1].tolist() == [0.75] * 4
    assert value("advance_decline", closes)[:, -1].tolist() == [0.5] * 4
    assert value("new_highs_minus_lows", closes)[:, -1].tolist() == [0.5] * 4


def test_members_that_stood_still_neither_rose_nor_fell(value):
    closes = [UP, DOWN, DOWN, np.full(260, 50.0)]

    assert value("advance_decline", closes)[0, -1] == -0.25
    assert value("breadth_thrust", closes)[0, -1] == pytest.approx(1 / 3)
    assert value("mcclellan_oscillator", closes)[0, -1] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "name",
    ["share_above_mean", "advance_decline", "market_trend", "market_drawdown", "return_dispersion", "turbulence"],
)
def test_the_state_of_the_market_is_told_where_the_symbol_has_a_return(value, name):
    rng = np.random.default_rng(1)
    closes = 50 * np.exp(rng.normal(0, 0.01, (4, 300)).cumsum(axis=1))
    closes[3, 280:] = np.nan

    got = value(name, closes)

    assert np.isfinite(got[:3, -1]).all()
    assert np.isnan(got[3, 280:]).all()


def test_a_rising_trend_is_in_order_and_a_falling_one_against_it(value):
    assert value("trend_state", [UP, DOWN])[:, -1].tolist() == [1, -1]
    assert value("trend_alignment", [UP, DOWN])[:, -1].tolist() == [1, -1]
    assert value("market_trend_state", [UP, DOWN], market="S000")[:, -1].tolist() == [1, 1]


def test_the_markets_distance_to_its_mean_is_that_of_its_log_level(value):
    closes = 50 * np.exp(np.random.default_rng(2).normal(0, 0.01, 260).cumsum())
    level = np.log(closes)

    got = value("market_trend", [closes], market="S000", bars=200)[0, -1]

    assert got == pytest.approx(level[-1] - level[-200:].mean(), rel=1e-6)


def test_a_fall_of_a_fifth_is_a_bear_market(value):
    closes = np.r_[np.linspace(80, 100, 210), [90, 81, 79.9, 85, 100.5]]

    assert value("market_drawdown", [closes], market="S000")[0, -5:] == pytest.approx(
        [0.1, 0.19, 0.201, 0.15, 0], abs=1e-6
    )
    assert value("bear_market", [closes], market="S000")[0, -5:].tolist() == [0, 0, 1, 0, 0]


def test_calm_and_wild_are_the_outer_quarters_of_its_own_past(value):
    rng = np.random.default_rng(3)
    quiet_then_wild = np.r_[rng.normal(0, 0.01, 260), rng.normal(0, 0.04, 40)]
    wild_then_quiet = np.r_[rng.normal(0, 0.04, 260), rng.normal(0, 0.01, 40)]
    closes = 50 * np.exp(np.array([quiet_then_wild, wild_then_quiet]).cumsum(axis=1))

    assert value("volatility_state", closes)[:, -1].tolist() == [1, -1]
    assert value("volatility_percentile", closes)[0, -1] > 0.9


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("volatility_state", {"calm": 0.8}),
        ("trend_state", {"fast": 200}),
        ("mcclellan_oscillator", {"fast": 39}),
        ("market_trend", {"bars": 1}),
    ],
)
def test_settings_that_contradict_each_other_are_refused(registry, name, settings):
    with pytest.raises(ValueError, match=r"calm|fast|mean over"):
        registry[name].expression(**settings)
