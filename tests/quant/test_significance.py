import numpy as np
import pytest

from aitrader.quant.significance import expected_block, newey_west_t, stationary_bootstrap_interval


def _autoregressive(size, seed, phi=0.8, mean=0.0):
    shocks = np.random.default_rng(seed).normal(size=size + 200)
    values = np.zeros(size + 200)
    for at in range(1, size + 200):
        values[at] = phi * values[at - 1] + shocks[at]
    return values[200:] + mean


def test_without_lags_it_is_the_ordinary_t_with_a_population_variance():
    values = [1.0, 2.0, 4.0]

    # mean 7/3, variance (16 + 1 + 25) / 9 / 3 = 14/9
    assert newey_west_t(values, 0) == pytest.approx((7 / 3) / np.sqrt(14 / 9 / 3))


def test_one_lag_by_hand():
    values = [1.0, 2.0, 4.0]

    # deviations -4/3, -1/3, 5/3: gamma0 = 14/9, gamma1 = (4/9 - 5/9) / 3 = -1/27, weight 1/2
    assert newey_west_t(values, 1) == pytest.approx((7 / 3) / np.sqrt((14 / 9 - 1 / 27) / 3))


def test_dependence_shrinks_the_t_statistic():
    values = _autoregressive(2000, seed=1, mean=0.3)

    assert newey_west_t(values, 20) < 0.5 * newey_west_t(values, 0)


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0, 2.0], [np.nan, 1.0]])
def test_what_cannot_be_said_is_nan(values):
    assert np.isnan(newey_west_t(values, 3))


def test_a_block_is_longer_than_the_horizon_and_grows_with_the_sample():
    assert expected_block(5, 500) == 10
    assert expected_block(1, 8000) == 20
    assert expected_block(20, 8000) == 40


def test_the_same_seed_gives_the_same_interval_and_another_does_not():
    values = np.random.default_rng(5).normal(size=300)

    first = stationary_bootstrap_interval(values, block=10, samples=500, seed=7)

    assert first == stationary_bootstrap_interval(values, block=10, samples=500, seed=7)
    assert first != stationary_bootstrap_interval(values, block=10, samples=500, seed=8)


def test_blocks_of_one_session_give_the_interval_of_independent_draws():
    values = np.random.default_rng(5).normal(size=1000)

    low, high = stationary_bootstrap_interval(values, block=1, samples=4000, seed=1)

    half = 1.96 * values.std() / np.sqrt(1000)
    assert low == pytest.approx(values.mean() - half, abs=0.006)
    assert high == pytest.approx(values.mean() + half, abs=0.006)


def test_the_interval_of_dependent_values_covers_the_true_mean_about_as_often_as_it_says():
    covered = 0
    for seed in range(100):
        low, high = stationary_bootstrap_interval(_autoregressive(600, seed, phi=0.6), block=20, samples=300, seed=seed)
        covered += low <= 0 <= high

    assert 85 <= covered <= 99


def test_too_few_values_have_no_interval():
    assert np.isnan(stationary_bootstrap_interval([1.0], block=5, samples=200, seed=1)).all()
