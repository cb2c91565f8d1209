"""What a window's merged statistics come to, and the operators that need the window itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float64]
Kernel = Callable[[Sequence[Any], tuple[Any, ...]], Any]

CELLS: Final = 1 << 20
"""Numbers in the scratch space of an operator that lays windows out: 8 MB."""


def _shift(inputs: Sequence[Array], params: tuple[Any, ...]) -> Array:
    values, bars = inputs[0], params[0]
    out = np.empty_like(values)
    cut = min(bars, values.shape[1])
    out[:, :cut] = np.nan
    out[:, cut:] = values[:, : values.shape[1] - cut]
    return out


def _at_least(inputs: Sequence[Array], params: tuple[Any, ...]) -> Array:
    values, counts = inputs
    return np.where(counts >= params[0], values, np.nan)


def _variance(inputs: Sequence[Any], params: tuple[Any, ...]) -> Any:
    bars, ddof = params
    m2, counts = inputs if len(inputs) == 2 else (inputs[0], bars)
    free = np.subtract(counts, float(ddof))
    return m2 / np.where(free > 0, free, np.nan)


def _skewness(inputs: Sequence[Any], params: tuple[Any, ...]) -> Any:
    """Joanes & Gill (1998), The Statistician 47(1), G1."""
    m3, m2, n = inputs if len(inputs) == 3 else (*inputs, float(params[0]))
    usable = np.where(np.greater(n, 2), n, np.nan)
    spread = np.where(m2 > 0, m2, np.nan)
    return usable * np.sqrt(usable - 1.0) / (usable - 2.0) * (m3 / (spread * np.sqrt(spread)))


def _kurtosis(inputs: Sequence[Any], params: tuple[Any, ...]) -> Any:
    """Joanes & Gill (1998), The Statistician 47(1), G2."""
    m4, m2, n = inputs if len(inputs) == 3 else (*inputs, float(params[0]))
    usable = np.where(np.greater(n, 3), n, np.nan)
    spread = np.where(m2 > 0, m2, np.nan)
    free = (usable - 2.0) * (usable - 3.0)
    return usable * (usable * usable - 1.0) / free * (m4 / (spread * spread)) - 3.0 * (usable - 1.0) ** 2 / free


def _ratio(top: Any, bottom: Any) -> Any:
    return top / np.where(bottom > 0, bottom, np.nan)


def _correlation(inputs: Sequence[Array], _: tuple[Any, ...]) -> Any:
    comoment, left, right = inputs
    return np.clip(_ratio(comoment, np.sqrt(left) * np.sqrt(right)), -1.0, 1.0)


def _beta(inputs: Sequence[Array], _: tuple[Any, ...]) -> Any:
    comoment, spread = inputs
    return _ratio(comoment, spread)


def _slope(inputs: Sequence[Any], params: tuple[Any, ...]) -> Any:
    """Time runs against the age of a bar, hence the minus."""
    comoment, ages = inputs if len(inputs) == 2 else (inputs[0], params[0])
    return _ratio(-comoment, ages)


def _rsquare(inputs: Sequence[Any], params: tuple[Any, ...]) -> Any:
    comoment, spread, ages = inputs if len(inputs) == 3 else (*inputs, params[0])
    return np.minimum(_ratio(_ratio(comoment, np.sqrt(spread)) ** 2, ages), 1.0)


def _residual(inputs: Sequence[Any], params: tuple[Any, ...]) -> Any:
    values, mean, slope, *rest = inputs
    age = rest[0] if rest else params[0]
    return (values - mean) - slope * age


def _weighted_mean(inputs: Sequence[Any], params: tuple[Any, ...]) -> Any:
    total, weights = inputs if len(inputs) == 2 else (inputs[0], params[0])
    return _ratio(total, weights)


def _mean_distance(inputs: Sequence[Array], params: tuple[Any, ...]) -> Array:
    values, mean = inputs
    length = values.shape[1]
    total, counts = np.zeros_like(values), np.zeros_like(values)
    for age in range(min(params[0], length)):
        distance = np.abs(values[:, : length - age] - mean[:, age:])
        known = ~np.isnan(distance)
        counts[:, age:] += known
        total[:, age:] += np.where(known, distance, 0.0)
    return np.where(np.isnan(mean), np.nan, total / np.maximum(counts, 1.0))


def _windows(values: Array, bars: int) -> Array:
    """Return every bar's window, shape (symbols, sessions, bars), padded in front with NaN. A view."""
    padded = np.concatenate([np.full((values.shape[0], bars - 1), np.nan), values], axis=1)
    return sliding_window_view(padded, bars, axis=1)


def _quantile(inputs: Sequence[Array], params: tuple[Any, ...]) -> Array:
    values, (wanted, least, share) = inputs[0], params
    bars = min(wanted, max(1, values.shape[1]))  # a window cannot hold more than there is
    windows = _windows(values, bars)
    out = np.empty_like(values)
    step = max(1, CELLS // (bars * max(1, values.shape[0])))
    for start in range(0, values.shape[1], step):
        ordered = np.sort(windows[:, start : start + step], axis=2)  # NaN go last
        counts = bars - np.isnan(ordered).sum(axis=2)
        place = share * np.maximum(counts - 1, 0)
        below = np.floor(place).astype(np.intp)
        above = np.minimum(below + 1, np.maximum(counts - 1, 0))
        low = np.take_along_axis(ordered, below[..., None], axis=2)[..., 0]
        high = np.take_along_axis(ordered, above[..., None], axis=2)[..., 0]
        found = low + (high - low) * (place - below)
        out[:, start : start + step] = np.where(counts >= least, found, np.nan)
    return out


def _rank(inputs: Sequence[Array], params: tuple[Any, ...]) -> Array:
    values, (bars, least) = inputs[0], params
    length = values.shape[1]
    doubled = np.ones_like(values)  # twice the mean rank: 2 x smaller + equal, itself included, + 1
    counts = np.zeros_like(values)
    for age in range(min(bars, length)):
        now, past = values[:, age:], values[:, : length - age]
        doubled[:, age:] += (past < now).astype(np.float64) + (past <= now)
        counts[:, age:] += ~np.isnan(past)
    known = ~np.isnan(values) & (counts >= least)
    return np.where(known, doubled / (2.0 * np.maximum(counts, 1.0)), np.nan)


KERNELS: Final[Mapping[str, Kernel]] = {
    "shift": _shift,
    "at_least": _at_least,
    "variance": _variance,
    "skewness": _skewness,
    "kurtosis": _kurtosis,
    "correlation": _correlation,
    "beta": _beta,
    "slope": _slope,
    "rsquare": _rsquare,
    "residual": _residual,
    "weighted_mean": _weighted_mean,
    "mean_distance": _mean_distance,
    "quantile": _quantile,
    "rank": _rank,
}
