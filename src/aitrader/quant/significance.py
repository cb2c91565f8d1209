"""How sure a mean is when its values depend on their neighbours."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

_CHUNK: Final = 4_000_000
"""Resampled values held in memory at once."""


def newey_west_t(values: ArrayLike, lag: int) -> float:
    """Return the t statistic of the mean with a heteroskedasticity and autocorrelation consistent error.

    Bartlett kernel: autocovariances up to ``lag`` weigh ``1 - l / (lag + 1)``; no small-sample correction. NaN values
    are dropped; NaN is returned below two values or where they do not vary.

    Source: Newey & West (1987), Econometrica 55(3), equations 5 and 6.
    """
    series = _known(values)
    if lag < 0:
        raise ValueError("a lag cannot be negative")
    if series.size < 2:
        return np.nan
    centred = series - series.mean()
    variance = float(centred @ centred) / series.size
    for step in range(1, min(lag, series.size - 1) + 1):
        weight = 1 - step / (lag + 1)
        variance += 2 * weight * float(centred[step:] @ centred[:-step]) / series.size
    floor = 1e-24 * float(series @ series) / series.size
    return float(series.mean() / np.sqrt(variance / series.size)) if variance > floor else np.nan


def expected_block(horizon: int, sessions: int) -> int:
    """Return the mean block length, in sessions, for resampling values that each look ``horizon`` sessions ahead.

    Neighbours closer than the horizon share prices, so a block must be well longer than it: twice the horizon, and
    never below the cube root of the sample, the rate at which the best length grows.

    Source of the rate: Politis & White (2004), Econometric Reviews 23(1), section 3.
    """
    rate: int = round(sessions ** (1 / 3))
    return max(2 * horizon, rate, 1)


def stationary_bootstrap_interval(
    values: ArrayLike, *, block: float, samples: int, seed: int, level: float = 0.95
) -> tuple[float, float]:
    """Return the interval that holds the mean with probability ``level``, by resampled blocks of sessions.

    Blocks start anywhere, have geometric lengths of mean ``block`` and wrap around the end; the bounds are percentiles
    of the resampled means. NaN values are dropped first. Below two values both bounds are NaN. The same ``seed``
    gives the same interval.

    Source: Politis & Romano (1994), J. Am. Statistical Association 89(428), section 2.
    """
    series = _known(values)
    if block < 1 or samples < 1:
        raise ValueError("a block has at least one session, and at least one sample is drawn")
    if series.size < 2:
        return np.nan, np.nan
    generator = np.random.default_rng(seed)
    step = max(1, _CHUNK // series.size)
    counts = [min(step, samples - begin) for begin in range(0, samples, step)]
    means = np.concatenate([_resampled_means(series, block, count, generator) for count in counts])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _resampled_means(series: FloatArray, block: float, count: int, generator: np.random.Generator) -> FloatArray:
    size = series.size
    starts = generator.integers(size, size=(count, size))
    restarts = generator.random((count, size)) < 1 / block
    restarts[:, 0] = True
    position = np.arange(size)
    since = np.maximum.accumulate(np.where(restarts, position, 0), axis=1)
    rows = (np.take_along_axis(starts, since, axis=1) + position - since) % size
    return np.asarray(series[rows].mean(axis=1), dtype=np.float64)


def _known(values: ArrayLike) -> FloatArray:
    series = np.asarray(values, dtype=np.float64)
    return series[np.isfinite(series)]
