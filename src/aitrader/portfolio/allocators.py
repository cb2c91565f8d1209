"""How the chosen symbols share the money: long-only weights that sum to one."""

from collections.abc import Mapping
from math import isfinite

from aitrader.domain.symbols import Symbol


def equal(scores: Mapping[Symbol, float]) -> dict[Symbol, float]:
    """Return the same weight for every symbol with a finite score; the others are absent.

    >>> equal({Symbol("A"): 3.0, Symbol("B"): -1.0, Symbol("C"): float("nan")})
    {'A': 0.5, 'B': 0.5}
    """
    chosen = [symbol for symbol, score in scores.items() if isfinite(score)]
    return dict.fromkeys(chosen, 1 / len(chosen)) if chosen else {}


def score(scores: Mapping[Symbol, float]) -> dict[Symbol, float]:
    """Return weights that grow linearly with the rank of the score: n parts for the best of n, one for the last.

    Ranks, because the size of a score has no unit: one outlier would take everything. Equal scores share
    their mean rank, so that scores which are all equal give equal weights. Symbols without a finite score are absent.

    Source: rank-sum weights 2 (n + 1 - r) / (n (n + 1)) of Stillwell, Seaver & Edwards (1981), Organizational
    Behavior and Human Performance 28; the long-only form of the rank weights in eq. 1 of Asness, Moskowitz &
    Pedersen (2013), J. Finance 68(3).

    >>> score({Symbol("A"): 0.1, Symbol("B"): 0.3})
    {'A': 0.3333333333333333, 'B': 0.6666666666666666}
    """
    chosen = {symbol: value for symbol, value in scores.items() if isfinite(value)}
    values = sorted(chosen.values())
    parts = len(values) * (len(values) + 1) / 2
    mean_rank = {value: values.index(value) + (values.count(value) + 1) / 2 for value in set(values)}
    return {symbol: mean_rank[value] / parts for symbol, value in chosen.items()}
