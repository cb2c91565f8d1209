"""How the members move together over a window: those count that are members at its end and have all of its bars.

Sums over symbols run in the order given, or are exact, so that the order of the symbols changes no bit.
"""

from collections.abc import Iterator
from math import floor, log2
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aitrader.panel.kernels.kernel import looks_back

Array = NDArray[np.float64]

_EXACT_BITS: Final = 53
"""Whole numbers up to 2 ** 53 are exact in float64."""

for _name in ("correlation_across", "eigenvalue_across"):
    looks_back(_name, lambda params, _: int(params[0]) - 1)


def correlation_across(values: Array, members: NDArray[np.bool_], min_names: int, bars: int) -> Array:
    """Mean correlation of each member with the other members.

    The sum of a symbol's correlations is the product of its standardised series with the sum of all of them.
    """
    out = np.full(values.shape, np.nan)
    for end, rows, unit in _windows(values, members, min_names, bars):
        together = (unit * unit.sum(axis=0)).sum(axis=1)
        out[rows, end] = np.clip((together - 1.0) / (len(rows) - 1), -1.0, 1.0)
    return out


def eigenvalue_across(values: Array, members: NDArray[np.bool_], min_names: int, bars: int) -> Array:
    """Largest eigenvalue of the members' correlation matrix over their number, told to everybody.

    Standardised values are rounded to whole numbers so large that their products still add up exactly.
    """
    out = np.full(values.shape, np.nan)
    for end, rows, unit in _windows(values, members, min_names, bars):
        scale = 2.0 ** floor((_EXACT_BITS - log2(len(rows))) / 2)
        whole = np.rint(unit * scale)
        products = whole @ whole.T if len(rows) < bars else whole.T @ whole
        out[:, end] = np.linalg.eigvalsh(products / scale**2)[-1] / len(rows)
    return out


def _windows(
    values: Array, members: NDArray[np.bool_], min_names: int, bars: int
) -> Iterator[tuple[int, NDArray[np.intp], Array]]:
    """Yield the windows with enough names: their last session, the rows that count, and these as unit vectors.

    Distances are taken to a window's first value before its mean is, so that a constant series is exactly that.
    """
    for end in range(bars - 1, values.shape[1]):
        window = values[:, end - bars + 1 : end + 1]
        rows = np.flatnonzero(members[:, end] & ~np.isnan(window).any(axis=1))
        apart = window[rows] - window[rows, :1]
        apart -= apart.mean(axis=1, keepdims=True)
        length = np.sqrt((apart * apart).sum(axis=1))
        moving = (length > 0) & np.isfinite(length)
        if moving.sum() >= max(min_names, 2):
            yield end, rows[moving], apart[moving] / length[moving, None]
