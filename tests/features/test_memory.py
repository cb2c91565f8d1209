import math

import numpy as np
import pytest


def _closes(log_returns):
    return 50 * np.exp(np.concatenate([[0.0], np.cumsum(log_returns)]))


def _anis_lloyd(bars):
    """Return the mean rescaled range of independent normal returns: Anis & Lloyd (1976), Biometrika 63(1)."""
    sums = sum(math.sqrt((bars - n) / n) for n in range(1, bars))
    return math.gamma((bars - 1) / 2) / math.gamma(bars / 2) * sums / math.sqrt(math.pi * bars)


@pytest.fixture(scope="module")
def walks():
    """Two hundred random walks of 400 closes."""
    steps = np.random.default_rng(4).normal(0, 0.01, (200, 400))
    return 50 * np.exp(steps.cumsum(axis=1))


def test_runs_are_counted_as_in_the_textbook(value):
    # 13 up and 9 down in 6 runs: expected 2 x 13 x 9 / 22 + 1 = 11.636 runs.
    signs = np.array([1 if sign == "+" else -1 for sign in "++++---+++--++++++----"])

    got = value("runs_test", _closes(0.01 * signs), bars=22)[0, -1]

    mean = 2 * 13 * 9 / 22 + 1
    assert got == pytest.approx((6 - mean) / math.sqrt((mean - 1) * (mean - 2) / 21), rel=1e-6)


def test_returns_that_alternate_cancel_and_returns_that_repeat_add_up(value):
    alternating = _closes(np.tile([0.01, -0.01], 70))
    in_blocks = _closes(np.repeat(np.tile([0.01, -0.01], 7), 10))

    assert value("variance_ratio", alternating, step=2)[0, -1] == pytest.approx(0, abs=1e-9)
    assert value("variance_ratio", in_blocks)[0, -1] > 3
    assert value("variance_ratio_test", in_blocks)[0, -1] > 5


def test_random_walks_look_like_random_walks(value, walks):
    assert value("variance_ratio", walks)[:, -1].mean() == pytest.approx(1, abs=0.05)
    assert value("variance_ratio_test", walks)[:, -1].std() == pytest.approx(1, abs=0.15)
    assert value("runs_test", walks)[:, -1].std() == pytest.approx(1, abs=0.15)
    assert value("hurst", walks)[:, -1].mean() == pytest.approx(0.5, abs=0.06)
    assert value("permutation_entropy", walks)[:, -1].mean() > 0.93
    assert np.quantile(value("dickey_fuller", walks)[:, -1], 0.05) == pytest.approx(-2.9, abs=0.3)


def test_the_statistics_of_random_walks_have_their_distribution(value, walks):
    assert (value("ljung_box", walks)[:, -1] > 11.07).mean() == pytest.approx(0.05, abs=0.04)
    assert value("rescaled_range", walks)[:, -1].mean() == pytest.approx(_anis_lloyd(120), abs=0.04)
    assert value("partial_autocorrelation", walks)[:, -1].mean() == pytest.approx(
        -2 / 120, abs=0.02
    )  # small-sample bias


def test_a_difference_between_none_and_one_lies_between_level_and_return(value):
    closes = 50 * np.exp(np.random.default_rng(1).normal(0, 0.01, 300).cumsum())
    prices = np.log(closes)

    level, change = (value("fractional_difference", closes, order=order)[0, -1] for order in (1e-9, 1.0))

    assert level == pytest.approx(prices[-1] - prices[-101], rel=1e-5)
    assert change == pytest.approx(prices[-1] - prices[-2], rel=1e-5)


def test_a_trend_has_a_greater_exponent_than_a_price_that_is_drawn_back(value):
    rng = np.random.default_rng(5)
    slow = np.convolve(rng.normal(0, 0.01, 420), np.ones(20) / 20, mode="valid")
    drawn = np.diff(rng.normal(0, 0.01, 400))

    trending, reverting = (value("hurst", _closes(steps))[0, -1] for steps in (slow, drawn))

    assert trending > 0.8
    assert reverting < 0.2


def test_the_speed_of_a_price_that_is_drawn_back_is_found(value):
    level, levels = 0.0, []
    for shock in np.random.default_rng(6).normal(0, 0.01, 3000):
        level = 0.9 * level + shock
        levels.append(level)

    closes = 40 * np.exp(np.array(levels))

    assert value("mean_reversion_speed", closes, bars=2900)[0, -1] == pytest.approx(0.1, abs=0.02)
    assert value("dickey_fuller", closes, bars=2900)[0, -1] < -10


def test_three_closes_that_zigzag_have_two_orders(value):
    zigzag = _closes(np.tile([0.02, -0.01], 40))

    assert value("permutation_entropy", zigzag)[0, -1] == pytest.approx(math.log(2) / math.log(6), rel=1e-6)
    assert value("permutation_entropy", _closes(np.full(80, 0.01)))[0, -1] == 0


def test_the_path_of_a_straight_line_has_dimension_one(value):
    assert value("fractal_dimension", np.linspace(10, 20, 3001)[None], bars=3000)[0, -1] == pytest.approx(1, abs=1e-3)


def test_large_moves_in_clusters_are_seen(value):
    rng = np.random.default_rng(9)
    spread = np.repeat(np.where(np.arange(12) % 2, 0.03, 0.003), 20)

    assert value("arch_effect", _closes(rng.normal(0, 1, 240) * spread))[0, -1] > 3.84


@pytest.mark.parametrize(
    ("name", "settings"),
    [("variance_ratio", {"step": 1}), ("variance_ratio", {"step": 120}), ("fractal_dimension", {"bars": 31})],
)
def test_settings_that_contradict_each_other_are_refused(registry, name, settings):
    with pytest.raises(ValueError, match=name):
        registry[name].expression(**settings)
