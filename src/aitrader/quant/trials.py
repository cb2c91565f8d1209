"""What the best of many tries shows by luck alone."""

from math import e
from statistics import NormalDist
from typing import Final

EULER: Final = 0.5772156649015329
"""The Euler-Mascheroni constant."""


def best_of_luck(trials: int, sessions: int, *, year: int = 252) -> float:
    """Return the highest annual information ratio to expect of ``trials`` worthless tries over ``sessions`` sessions.

    The ratio of a worthless try has the standard deviation ``sqrt(year / sessions)``. Zero below two trials.

    Source: Bailey & Lopez de Prado (2014), J. Portfolio Management 40(5), equation 1 (the expected maximum of
    independent normal variables).

    >>> round(best_of_luck(10, 2520), 2)
    0.5
    """
    if trials < 2 or sessions < 1:
        return 0.0
    normal = NormalDist()
    expected = (1 - EULER) * normal.inv_cdf(1 - 1 / trials) + EULER * normal.inv_cdf(1 - 1 / (trials * e))
    return float(expected * (year / sessions) ** 0.5)
