"""Arithmetic within a bar over the universe's members, on (symbols, sessions) grids.

Symbols are taken in the order of their names, so that shuffling them changes no bit; who is not a member or has
no value takes no part.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Kernel = Callable[[Array, int, tuple[Any, ...]], Array]
"""(values with NaN for those who take no part, least number of names, parameters) -> values of the same shape."""


def _total(values: Array) -> Array:
    # One addition per symbol in a fixed order; NumPy's own sum may pair them by the array's shape.
    total = np.zeros(values.shape[1])
    for row in values:
        total += np.where(np.isnan(row), 0.0, row)
    return total


def _counts(values: Array, min_names: int) -> Array:
    counts = (~np.isnan(values)).sum(axis=0).astype(np.float64)
    return np.where(counts >= max(min_names, 1), counts, np.nan)


def _mean(values: Array, min_names: int) -> Array:
    # Taken from the smallest value on, so that equal values have exactly that mean.
    base: Array = np.fmin.reduce(values, axis=0)
    return base + _total(values - base) / _counts(values, min_names)


def mean_across(values: Array, min_names: int, _: tuple[Any, ...]) -> Array:
    """Members' mean on every row."""
    return np.broadcast_to(_mean(values, min_names), values.shape).copy()


def demean_across(values: Array, min_names: int, _: tuple[Any, ...]) -> Array:
    """Distance to the members' mean."""
    return values - _mean(values, min_names)


def zscore_across(values: Array, min_names: int, _: tuple[Any, ...]) -> Array:
    """Distance to the members' mean in standard deviations; NaN where all are equal."""
    distance = demean_across(values, min_names, ())
    variance = _total(distance * distance) / (_counts(values, min_names) - 1.0)
    deviation = np.sqrt(np.where(variance > 0, variance, np.nan))
    return distance / deviation


def rank_across(values: Array, min_names: int, _: tuple[Any, ...]) -> Array:
    """(mean rank - 1/2) / names."""
    by_session = np.ascontiguousarray(values.T)
    order = np.argsort(by_session, axis=1)
    ordered = np.take_along_axis(by_session, order, axis=1)
    places = np.broadcast_to(np.arange(ordered.shape[1], dtype=np.float64), ordered.shape)
    begins = np.ones(ordered.shape, dtype=bool)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    ends = np.ones(ordered.shape, dtype=bool)
    ends[:, :-1] = begins[:, 1:]
    first = np.maximum.accumulate(np.where(begins, places, -np.inf), axis=1)
    last = np.minimum.accumulate(np.where(ends, places, np.inf)[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty_like(by_session)
    np.put_along_axis(ranks, order, (first + last) / 2.0 + 0.5, axis=1)
    known = np.where(np.isnan(values), np.nan, ranks.T)
    return known / _counts(values, min_names)


def winsorize_across(values: Array, min_names: int, params: tuple[Any, ...]) -> Array:
    """Values beyond the members' quantiles ``share`` and ``1 - share`` become those."""
    ordered = np.sort(values, axis=0)  # NaN go last
    counts = _counts(values, min_names)
    last = np.nan_to_num(counts - 1.0)
    bounds = [_at(ordered, share * last) for share in (params[0], 1.0 - params[0])]
    return np.where(np.isnan(counts), np.nan, np.clip(values, *bounds))


def _at(ordered: Array, place: Array) -> Array:
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, ordered.shape[0] - 1)
    columns = np.arange(ordered.shape[1])
    low = ordered[below, columns]
    part = place - below
    return np.where(part > 0, low + (ordered[above, columns] - low) * part, low)


KERNELS: Final[Mapping[str, Kernel]] = {
    "mean_across": mean_across,
    "demean_across": demean_across,
    "zscore_across": zscore_across,
    "rank_across": rank_across,
    "winsorize_across": winsorize_across,
}
