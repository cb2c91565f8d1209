"""Operators with a state that begins at a symbol's first value; missing bars leave it as it was."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Kernel = Callable[[Sequence[Any], tuple[Any, ...]], Any]

_NEGLIGIBLE: Final = 1e-25
"""A past value with less weight than this changes no bit of a float64 sum of prices."""


def _smooth(inputs: Sequence[Array], params: tuple[Any, ...]) -> Array:
    """``y = decay * y + gain * x``, begun with the sum of ``count`` values over ``divisor``, ``skip`` values in.

    The first ``hidden`` results, the seed first, are NaN.

    Solved by doubling instead of bar by bar: after k steps every bar holds the weighted sum of its last 2**k bars,
    which vectorises along time and, like a merged window, does not depend on what comes before or beside it.
    """
    values, (decay, gain, count, divisor, skip, hidden) = inputs[0], params
    packed, known = _packed(values)
    state = packed * gain
    begin = skip + count - 1
    if begin >= values.shape[1]:
        return np.full_like(values, np.nan)
    state[:, :begin] = 0.0
    # cumsum adds one by one, so that the seed's bits do not depend on the block's shape.
    state[:, begin] = np.cumsum(packed[:, skip : begin + 1], axis=1)[:, -1] / divisor
    reach, weight = 1, decay
    while reach < state.shape[1] and weight > _NEGLIGIBLE:
        state[:, reach:] += state[:, :-reach] * weight
        reach, weight = reach * 2, weight * weight
    state[:, : begin + hidden] = np.nan
    return _unpacked(state, known)


def _cumsum(inputs: Sequence[Array], _: tuple[Any, ...]) -> Array:
    values = inputs[0]
    missing = np.isnan(values)
    total = np.cumsum(np.where(missing, 0.0, values), axis=1)
    total[missing] = np.nan
    return total


def _packed(values: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return each row's values moved to the front, NaN behind them, and where they were."""
    known = ~np.isnan(values)
    if known.all():
        return values, known
    packed = np.full_like(values, np.nan)
    packed[_front(known)] = values[known]
    return packed, known


def _unpacked(packed: Array, known: NDArray[np.bool_]) -> Array:
    if known.all():
        return packed
    values = np.full_like(packed, np.nan)
    values[known] = packed[_front(known)]
    return values


def _front(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    front: NDArray[np.bool_] = np.arange(known.shape[1]) < known.sum(axis=1, keepdims=True)
    return front


KERNELS: Final[Mapping[str, Kernel]] = {"smooth": _smooth, "cumsum": _cumsum}
