"""What a window's merged statistics come to.

Kernels that end in counts find them among their inputs where missing bars are skipped; ``numbers[0]`` is the window's
length, ``numbers[1]`` tells whether counts are there.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from aitrader.panel.kernels.kernel import IRREGULAR, SAME, WRITTEN, inlined, kernel, registers


@inlined
def _ratio(top, bottom):
    """The quotient, or NaN unless the bottom is positive and finite."""
    return top / (bottom if 0.0 < bottom < np.inf else np.nan)


@inlined
def _variance(m2, _, n, ddof):
    return m2 * _ratio(1.0, n - ddof) + m2 * 0.0


@inlined
def _deviation(m2, _, n, ddof):
    return math.sqrt(m2 * _ratio(1.0, n - ddof)) + m2 * 0.0


@inlined
def _skewness(m3, m2, n, _):
    """Joanes & Gill (1998), The Statistician 47(1), G1."""
    spread = m2 if n > 2.0 else np.nan
    return n * math.sqrt(n - 1.0) / (n - 2.0) * _ratio(m3, spread * math.sqrt(spread))


@inlined
def _kurtosis(m4, m2, n, _):
    """Joanes & Gill (1998), The Statistician 47(1), G2."""
    spread = m2 if n > 3.0 else np.nan
    free = (n - 2.0) * (n - 3.0)
    return n * (n * n - 1.0) / free * _ratio(m4, spread * spread) - 3.0 * (n - 1.0) * (n - 1.0) / free


def _counted(formula: Callable[..., Any]) -> Callable[..., Any]:
    """Return the kernel of a formula of two statistics, the number of values and ``numbers[2]``."""

    def entry(cells, size, inputs, outs, numbers, memory, leads):
        grids = registers(cells, size)
        window, partial, extra = numbers[0], numbers[1] != 0.0, numbers[2]
        lead = leads[inputs[2]] if partial else 0
        symbols, bars = grids[outs[0]].shape
        grown = min(lead + int(window), bars) if partial else 0
        for symbol in range(symbols):
            first, second = grids[inputs[0], symbol], grids[inputs[1], symbol]
            out = grids[outs[0], symbol]
            if lead == IRREGULAR:
                counts = grids[inputs[2], symbol]
                for bar in range(bars):
                    out[bar] = formula(first[bar], second[bar], counts[bar], extra)
                continue
            for bar in range(grown):
                out[bar] = formula(first[bar], second[bar], float(max(bar - lead + 1, 0)), extra)
            first, second, out = first[grown:], second[grown:], out[grown:]
            for bar in range(bars - grown):
                out[bar] = formula(first[bar], second[bar], window, extra)
        return WRITTEN

    return entry


for _name, _formula in {
    "variance": _variance,
    "deviation": _deviation,
    "skewness": _skewness,
    "kurtosis": _kurtosis,
}.items():
    kernel(_name)(_counted(_formula))


@inlined
def _correlation(comoment, left, right):
    ratio = _ratio(comoment, math.sqrt(left * right))
    bounded = 1.0 if ratio > 1.0 else ratio
    return -1.0 if bounded < -1.0 else bounded


@inlined
def _beta(comoment, spread, _):
    return _ratio(comoment, spread)


@inlined
def _slope(comoment, ages, _):
    """Time runs against the age of a bar, hence the minus."""
    return _ratio(-comoment, ages)


@inlined
def _rsquare(comoment, spread, ages):
    share = _ratio(comoment * comoment, spread * ages)
    return 1.0 if share > 1.0 else share


@inlined
def _weighted_mean(total, weights, _):
    return _ratio(total, weights)


def _plain(formula: Callable[..., Any]) -> Callable[..., Any]:
    """Return the kernel of a formula of three grids; the last is a number where ``numbers[0]`` says how many are not.

    A formula of fewer statistics repeats the last.
    """

    def entry(cells, size, inputs, outs, numbers, memory, leads):
        grids = registers(cells, size)
        first, second, third = grids[inputs[0]].ravel(), grids[inputs[1]].ravel(), grids[inputs[2]].ravel()
        out = grids[outs[0]].ravel()
        if numbers[0] == 1.0:
            for cell in range(out.size):
                out[cell] = formula(first[cell], numbers[1], numbers[1])
        elif numbers[0] == 2.0:
            for cell in range(out.size):
                out[cell] = formula(first[cell], second[cell], numbers[1])
        else:
            for cell in range(out.size):
                out[cell] = formula(first[cell], second[cell], third[cell])
        return WRITTEN

    return entry


for _name, _formula in {
    "correlation": _correlation,
    "beta": _beta,
    "slope": _slope,
    "rsquare": _rsquare,
    "weighted_mean": _weighted_mean,
}.items():
    kernel(_name)(_plain(_formula))


@kernel("residual")
def residual(cells, size, inputs, outs, numbers, memory, leads):
    """Value - mean - slope x the bars' mean age: ``numbers[1]``, or a fourth input if ``numbers[0]``."""
    grids = registers(cells, size)
    values, mean, slope = grids[inputs[0]].ravel(), grids[inputs[1]].ravel(), grids[inputs[2]].ravel()
    ages, out = grids[inputs[3]].ravel(), grids[outs[0]].ravel()
    counted, age = numbers[0] != 0.0, numbers[1]
    for cell in range(out.size):
        out[cell] = (values[cell] - mean[cell]) - slope[cell] * (ages[cell] if counted else age)
    return WRITTEN


@kernel("at_least")
def at_least(cells, size, inputs, outs, numbers, memory, leads):
    """The first input where the second, a count of a window's values, is at least ``numbers[0]``."""
    grids = registers(cells, size)
    values, out, least = grids[inputs[0]], grids[outs[0]], numbers[0]
    lead = leads[inputs[1]]
    symbols, bars = out.shape
    if lead == IRREGULAR:
        counts = grids[inputs[1]]
        for symbol in range(symbols):
            for bar in range(bars):
                out[symbol, bar] = values[symbol, bar] if counts[symbol, bar] >= least else np.nan
        return WRITTEN
    hidden = min(lead + int(least) - 1, bars)
    if hidden == 0:
        return SAME
    for symbol in range(symbols):
        out[symbol, :hidden] = np.nan
        out[symbol, hidden:] = values[symbol, hidden:]
    return WRITTEN
