"""Measures that a universe is filtered by. Each value depends on its own session and earlier ones only."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

WINDOW: Final = 20
"""Sessions over which volumes are averaged."""


def history_of(close: FloatArray) -> NDArray[np.int64]:
    """Return how many bars each symbol has had up to and including each session; shape as ``close``."""
    count: NDArray[np.int64] = np.cumsum(np.isfinite(close), axis=1, dtype=np.int64)
    return count


def mean_volume(volume: FloatArray) -> FloatArray:
    """Return the mean volume of the last 20 sessions, in shares, over the bars that exist.

    NaN where none of the 20 exists. Shape as ``volume`` (symbols by sessions).
    """
    # Not the panel's rolling mean: its programs answer in float32, and volumes are compared with limits to the share.
    total = _window_sum(np.nan_to_num(volume))
    count = _window_sum(np.isfinite(volume).astype(np.float64))
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def mean_dollar_volume(close: FloatArray, volume: FloatArray) -> FloatArray:
    """Return the mean value traded per session over the last 20 sessions, in USD; NaN where no bar exists."""
    return mean_volume(close * volume)


def _window_sum(values: FloatArray) -> FloatArray:
    padded = np.concatenate([np.zeros((values.shape[0], WINDOW - 1)), values], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=1)
    total: FloatArray = windows.sum(axis=-1)
    return total
