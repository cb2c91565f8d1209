from datetime import date

import numpy as np
import pytest

from aitrader.errors import LakeError
from aitrader.training.ledger import Trial, count_trials, naive_returns, read_trials, trial_number


def _trial(settings, source="sample", start=date(2000, 1, 3), end=date(2010, 1, 4)):
    return Trial(settings, "trees", source, start, end, date(2005, 1, 3), (0.01, -0.02))


def test_a_trial_survives_its_line():
    assert read_trials([_trial("a").to_line()]) == (_trial("a"),)


def test_equal_settings_count_once_and_other_data_do_not_count():
    trials = [_trial("a"), _trial("a", end=date(2011, 1, 3)), _trial("b"), _trial("c", source="files")]

    count = count_trials(trials, source="sample", start=date(2001, 1, 1), end=date(2009, 1, 1))

    assert count == 2
    assert count_trials(trials, source="sample", start=date(1990, 1, 1), end=date(1991, 1, 1)) == 0


def test_settings_keep_their_number():
    trials = [_trial("a"), _trial("b")]

    assert trial_number(trials, _trial("a")) == 1
    assert trial_number(trials, _trial("c")) == 3


def test_a_damaged_line_is_an_error_that_names_it():
    with pytest.raises(LakeError, match="Line 2"):
        read_trials([_trial("a").to_line(), "{"])


def test_the_naive_portfolio_by_hand():
    predictions = np.full((5, 6), np.nan)
    predictions[:, 1] = [5, 1, 2, 3, 4]
    prices = np.full((5, 6), 100.0)
    prices[0] = [100, 100, 100, 110, 121, 121]
    prices[1] = [100, 100, 100, 100, 100, 50]

    returns = naive_returns(predictions, prices, horizon=2, cost=0.001)

    # decided after session 1: long the first, short the second, half of each, held over sessions 2 and 3
    assert returns[:5] == pytest.approx([0, 0, 0.5 * 0.10 - 0.001, 0.5 * 0.10, -0.001])
    assert np.isnan(returns[5])
