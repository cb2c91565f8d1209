import numpy as np
import pytest
from scipy import stats


def _closes(log_returns):
    return 50 * np.exp(np.concatenate([[0.0], np.cumsum(log_returns)]))


def _walks(symbols, bars, seed=4):
    steps = np.random.default_rng(seed).normal(0, 0.01, (symbols, bars))
    return 50 * np.exp(steps.cumsum(axis=1))


def test_jarque_bera_of_a_window_with_missing_bars_is_that_of_the_values_there(value):
    closes = _walks(1, 121)[0]
    closes[[20, 50]] = np.nan
    changes = np.diff(np.log(closes))

    got = value("jarque_bera", closes)[0, -1]

    assert got == pytest.approx(stats.jarque_bera(changes[~np.isnan(changes)]).statistic, rel=1e-5)


def test_a_normal_distribution_has_the_quantiles_that_both_measures_call_none(value):
    exact = stats.norm.ppf((np.arange(2001) + 0.5) / 2001) * 1e-3
    shuffled = np.random.default_rng(0).permutation(exact)

    assert value("quantile_skewness", _closes(shuffled), bars=2001)[0, -1] == pytest.approx(0, abs=1e-5)
    assert value("quantile_kurtosis", _closes(shuffled), bars=2001)[0, -1] == pytest.approx(0, abs=2e-3)
    assert value("geary_ratio", _closes(shuffled), bars=2001)[0, -1] == pytest.approx(np.sqrt(2 / np.pi), abs=2e-3)


def test_signs_are_most_uncertain_when_half_of_them_are_up(value):
    rising, mixed = _closes(np.full(60, 0.01)), _closes(np.tile([0.02, -0.01], 30))

    assert value("sign_entropy", rising)[0, -1] == 0
    assert value("sign_entropy", mixed)[0, -1] == pytest.approx(1)
    assert value("up_share", mixed)[0, -1] == 0.5


def test_returns_spread_evenly_have_the_greatest_entropy(value):
    even = _closes(np.random.default_rng(1).permutation(np.repeat(np.linspace(-0.01, 0.01, 10), 12)))
    jumpy = _closes(np.r_[np.full(119, 0.001), 0.2])

    assert value("return_entropy", even)[0, -1] == pytest.approx(1)
    assert value("return_entropy", jumpy)[0, -1] < 0.05


def test_a_single_jump_is_nearly_all_of_the_variance(value):
    changes = np.tile([0.001, -0.001], 30)
    changes[40] = 0.2

    assert value("jump_share", _closes(changes))[0, -1] > 0.98
    assert value("signed_variation", _closes(changes))[0, -1] > 0.99


def test_the_last_close_of_a_rise_is_the_highest(value):
    assert value("price_rank", _closes(np.full(260, 0.001)))[0, -1] == 1
    assert value("return_rank", _closes(np.r_[np.full(59, 0.001), -0.1]))[0, -1] == pytest.approx(1 / 60)


def test_a_close_above_its_line_has_a_positive_residual(value):
    noise = np.random.default_rng(8).normal(0, 0.01, 60)
    noise[-1] = 0.05

    got = value("trend_residual", 20 * np.exp(0.003 * np.arange(60) + noise))[0, -1]

    assert 3 < got < 8


@pytest.mark.parametrize("name", ["return_zscore", "return_t_statistic", "jarque_bera", "geary_ratio", "trend_residual",
                                  "trend_t_statistic", "quantile_skewness", "jump_share", "signed_variation",
                                  "variance_ratio", "hurst", "dickey_fuller", "mean_reversion_speed", "arch_effect",
                                  "leverage_effect", "runs_test", "ljung_box", "rescaled_range",
                                  "fractal_dimension"])  # fmt: skip
def test_a_constant_close_has_nothing_to_measure(value, name):
    assert np.isnan(value(name, np.full((1, 300), 0.1))).all()
