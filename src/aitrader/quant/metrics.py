"""Figures of a return series and of predictions, each defined once.

Returns are simple returns per session, as fractions, gaps already removed. A year has 252 sessions, the risk-free
rate is zero, a standard deviation is the sample's (``ddof=1``). A drawdown, a value at risk and an expected shortfall
are losses: positive fractions. What a series cannot say (too short, no variation) is NaN, never zero.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

YEAR: Final = 252
"""Sessions in a year, for annualising."""

_ROOT_YEAR: Final = math.sqrt(YEAR)
_FLAT: Final = 1e-12
"""A standard deviation this far below the mean size of the values is rounding, not variation."""


def total_return(returns: ArrayLike) -> float:
    """Return the compounded return of the whole series, as a fraction."""
    values = _series(returns)
    return float(np.prod(1 + values) - 1) if values.size else np.nan


def annual_return(returns: ArrayLike) -> float:
    """Return the compound annual growth rate: what growth per 252 sessions gives the same total.

    A series that lost everything gives -1.
    """
    values = _series(returns)
    if not values.size:
        return np.nan
    growth = float(np.prod(1 + values))
    return float(growth ** (YEAR / values.size)) - 1 if growth > 0 else -1.0


def volatility(returns: ArrayLike) -> float:
    """Return the standard deviation per year: the sample's, times the root of 252."""
    return deviation(returns) * _ROOT_YEAR


def deviation(values: ArrayLike) -> float:
    """Return the sample standard deviation (``ddof=1``); NaN below two values."""
    series = _series(values)
    return float(np.std(series, ddof=1)) if series.size > 1 else np.nan


def sharpe(returns: ArrayLike) -> float:
    """Return mean over standard deviation, times the root of 252. NaN if the returns do not vary.

    Source: Sharpe (1994), J. Portfolio Management 21(1), with a risk-free rate of zero.
    """
    return ratio(returns) * _ROOT_YEAR


def ratio(values: ArrayLike) -> float:
    """Return mean over sample standard deviation, per session. NaN if the values do not vary."""
    series = _series(values)
    if series.size < 2:
        return np.nan
    spread = deviation(series)
    return float(np.mean(series)) / spread if spread > _FLAT * float(np.mean(np.abs(series))) else np.nan


def sortino(returns: ArrayLike) -> float:
    """Return the annual mean over the annual downside deviation. NaN if no return is negative.

    The downside deviation is the root mean square of the negative returns over *all* sessions.

    Source: Sortino & Price (1994), J. Investing 3(3), with a target of zero.
    """
    values = _series(returns)
    downside = float(np.sqrt(np.mean(np.minimum(values, 0) ** 2))) if values.size else 0.0
    return float(np.mean(values)) / downside * _ROOT_YEAR if downside > 0 else np.nan


def drawdown_series(returns: ArrayLike) -> FloatArray:
    """Return, per session, how far the value stands below its running peak: a fraction from 0 to 1.

    The starting value counts as a peak, so that a loss in the first session is a drawdown.
    """
    value = np.cumprod(1 + _series(returns))
    return np.asarray(1 - value / np.maximum.accumulate(np.maximum(value, 1.0)), dtype=np.float64)


def max_drawdown(returns: ArrayLike) -> float:
    """Return the deepest fall from a running peak, a positive fraction; 0 if the value never fell."""
    falls = drawdown_series(returns)
    return float(falls.max()) if falls.size else np.nan


def calmar(returns: ArrayLike) -> float:
    """Return annual return over maximum drawdown. NaN without a drawdown.

    Source: Young (1991), Futures 20(1), over the whole series instead of 36 months.
    """
    deepest = max_drawdown(returns)
    return annual_return(returns) / deepest if deepest > 0 else np.nan


def value_at_risk(returns: ArrayLike, tail: float = 0.05) -> float:
    """Return the loss that a session exceeds with probability ``tail``: the empirical quantile, interpolated.

    Positive for a loss. Source: McNeil, Frey & Embrechts (2015), Quantitative Risk Management, section 2.3.
    """
    values = _series(returns)
    return -float(np.quantile(values, tail)) if values.size else np.nan


def expected_shortfall(returns: ArrayLike, tail: float = 0.05) -> float:
    """Return the mean loss of the worst ``tail`` of the sessions, at least one. Positive for a loss.

    The worst ``floor((sessions - 1) * tail) + 1`` sessions are averaged.
    """
    values = np.sort(_series(returns))
    return -float(np.mean(values[: int((values.size - 1) * tail) + 1])) if values.size else np.nan


def mean_ranks(values: ArrayLike) -> FloatArray:
    """Return ranks from 1 down each column of an (N, T) array; ties share their mean rank, NaN stays NaN."""
    data = np.asarray(values, dtype=np.float64)
    order = np.argsort(data, axis=0, kind="stable")
    ordered = np.take_along_axis(data, order, axis=0)
    row = np.arange(len(data))[:, None]
    begins = np.ones(data.shape, dtype=np.bool_)
    begins[1:] = ordered[1:] != ordered[:-1]
    ends = np.ones(data.shape, dtype=np.bool_)
    ends[:-1] = begins[1:]
    first = np.maximum.accumulate(np.where(begins, row, 0), axis=0)
    last = np.minimum.accumulate(np.where(ends, row, len(data))[::-1], axis=0)[::-1]
    ranks = np.empty(data.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=0)
    return np.where(np.isnan(data), np.nan, ranks)


def ic(predictions: ArrayLike, labels: ArrayLike, *, min_names: int = 3) -> FloatArray:
    """Return the information coefficient of each session: Pearson's correlation down the columns.

    Both arrays are (N, T). Only names that have both a prediction and a label count. NaN where fewer than
    ``min_names`` do, or where either side does not vary.

    Source: Grinold & Kahn (2000), Active Portfolio Management, chapter 6.
    """
    left, right = _paired(predictions, labels)
    return _correlations(left, right, min_names)


def rank_ic(predictions: ArrayLike, labels: ArrayLike, *, min_names: int = 3) -> FloatArray:
    """Return the rank IC of each session: Spearman's correlation down the columns, ties at their mean rank.

    Shapes and NaN as for ``ic``. Source: Spearman (1904), Am. J. Psychology 15(1).
    """
    left, right = _paired(predictions, labels)
    return _correlations(mean_ranks(left), mean_ranks(right), min_names)


def _series(values: ArrayLike) -> FloatArray:
    series = np.asarray(values, dtype=np.float64)
    if series.ndim != 1:
        raise ValueError(f"a series has one dimension, not {series.ndim}")
    if np.isnan(series).any():
        raise ValueError("a series of returns has no NaN: drop or fill gaps before measuring")
    return series


def _paired(predictions: ArrayLike, labels: ArrayLike) -> tuple[FloatArray, FloatArray]:
    left, right = np.asarray(predictions, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if left.shape != right.shape or left.ndim != 2:
        raise ValueError(f"predictions {left.shape} and labels {right.shape} must be alike, (N, T)")
    both = np.isfinite(left) & np.isfinite(right)
    return np.where(both, left, np.nan), np.where(both, right, np.nan)


def _correlations(left: FloatArray, right: FloatArray, min_names: int) -> FloatArray:
    known = ~np.isnan(left)
    count = known.sum(axis=0)
    divisor = np.maximum(count, 1)
    a = np.where(known, left - np.nansum(left, axis=0) / divisor, 0.0)
    b = np.where(known, right - np.nansum(right, axis=0) / divisor, 0.0)
    size_a, size_b = np.sqrt((a * a).sum(axis=0)), np.sqrt((b * b).sum(axis=0))
    varies = (size_a > _FLAT * _size(left, known)) & (size_b > _FLAT * _size(right, known))
    fit = varies & (count >= max(min_names, 2))
    return np.where(fit, (a * b).sum(axis=0) / np.where(fit, size_a * size_b, 1.0), np.nan)


def _size(values: FloatArray, known: NDArray[np.bool_]) -> FloatArray:
    return np.asarray(np.sqrt(np.where(known, values * values, 0.0).sum(axis=0)), dtype=np.float64)
