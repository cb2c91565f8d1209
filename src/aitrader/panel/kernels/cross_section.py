"""Arithmetic within a bar over the universe's members, on (symbols, sessions) grids.

Symbols are taken in the order of their names, so that shuffling them changes no bit; who is not a member or has
no value takes no part.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aitrader.panel.kernels.comovement import correlation_across, eigenvalue_across

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Section:
    """Who is compared with whom: the members of every session, shape (symbols, sessions), at least ``min_names``.

    ``groups`` holds a number per symbol and session, negative for those in no group: symbols are compared within their
    group alone. None: with all.
    """

    members: NDArray[np.bool_]
    min_names: int
    groups: NDArray[np.int64] | None = None


Kernel = Callable[[Sequence[Array], Section, tuple[Any, ...]], Array]
"""(series, who is compared, parameters) -> values of the same shape."""

One = Callable[[Array, int, tuple[Any, ...]], Array]
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


def neutralize_across(series: Sequence[Array], section: Section, _: tuple[Any, ...]) -> Array:
    """Residual of the least-squares fit of the first series on the others and a constant.

    The others are made orthogonal one after the other (Gram-Schmidt): what one adds nothing to is left out.
    """
    known = section.members & ~np.isnan(np.sum(series, axis=0))
    names = max(section.min_names, len(series) + 1)
    target, *others = [demean_across(np.where(known, values, np.nan), names, ()) for values in series]
    used: list[tuple[Array, Array]] = []
    for other in others:
        size, rest = _total(other * other), other
        for direction, length in used:
            rest = rest - direction * (_total(rest * direction) / length)
        left = _total(rest * rest)
        used.append((rest, np.where(left > _COLLINEAR * size, left, np.inf)))
    for direction, length in used:
        target = target - direction * (_total(target * direction) / length)
    return target


_COLLINEAR: Final = 1e-24
"""A column whose squares shrink by this is a sum of those before it, up to rounding."""


def _within(kernel: One) -> Kernel:
    """Return the kernel over the members, or over each group of them."""

    def over(series: Sequence[Array], section: Section, params: tuple[Any, ...]) -> Array:
        values = np.where(section.members, series[0], np.nan)
        if section.groups is None:
            return kernel(values, section.min_names, params)
        out = np.full(values.shape, np.nan)
        for group in np.unique(section.groups[section.groups >= 0]):
            inside = section.groups == group
            found = kernel(np.where(inside, values, np.nan), section.min_names, params)
            out[inside] = found[inside]
        return out

    return over


def _in_window(kernel: Callable[[Array, NDArray[np.bool_], int, int], Array]) -> Kernel:
    """Return the kernel of a window that ends at the session whose members count."""
    return lambda series, section, params: kernel(series[0], section.members, section.min_names, params[0])


KERNELS: Final[Mapping[str, Kernel]] = {
    "mean_across": _within(mean_across),
    "demean_across": _within(demean_across),
    "zscore_across": _within(zscore_across),
    "rank_across": _within(rank_across),
    "winsorize_across": _within(winsorize_across),
    "neutralize_across": neutralize_across,
    "correlation_across": _in_window(correlation_across),
    "eigenvalue_across": _in_window(eigenvalue_across),
}
