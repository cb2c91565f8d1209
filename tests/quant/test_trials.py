import numpy as np
import pytest

from aitrader.quant.trials import best_of_luck


@pytest.mark.parametrize("trials", [5, 20, 200])
def test_it_is_the_mean_maximum_of_that_many_normal_draws(trials):
    simulated = np.random.default_rng(3).normal(size=(20_000, trials)).max(axis=1).mean()

    assert best_of_luck(trials, 252) == pytest.approx(simulated, rel=0.04)


def test_ten_times_the_sessions_leave_a_root_of_ten_less_room_for_luck():
    assert best_of_luck(50, 252) / best_of_luck(50, 2520) == pytest.approx(10**0.5)


@pytest.mark.parametrize("trials", [0, 1])
def test_one_try_is_not_the_best_of_many(trials):
    assert best_of_luck(trials, 252) == 0.0
