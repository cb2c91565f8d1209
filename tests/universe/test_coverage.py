"""Whether the newest session is complete."""

import numpy as np
import pytest

from aitrader.universe.coverage import coverage

NAN = np.nan


def test_who_had_a_bar_within_twenty_sessions_is_expected():
    close = np.ones((3, 40))
    close[1, -1] = NAN
    close[2, -25:] = NAN

    found = coverage(close)

    assert found.expected.tolist() == [True, True, False]
    assert found.absent.tolist() == [False, True, False]
    assert found.share == pytest.approx(0.5)


def test_a_bar_exactly_twenty_sessions_before_still_counts():
    close = np.full((2, 40), NAN)
    close[:, -1] = 1.0
    close[1, -1], close[1, -21] = NAN, 1.0

    assert coverage(close).expected.tolist() == [True, True]


def test_a_new_symbol_is_present_and_expected():
    close = np.full((1, 5), NAN)
    close[0, -1] = 1.0

    assert coverage(close).share == 1.0
