"""Axes: nice tick marks for numbers, logarithms and days, and thinning a line to what a screen can show."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
DayArray = NDArray[np.datetime64]

_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_MONTH_STEPS: Final = (1, 2, 3, 6, 12, 24, 60, 120, 240)


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values, its tick marks, and whether distances are logarithmic."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def place(self, values: FloatArray) -> FloatArray:
        """Return each value's place, 0 at ``low`` and 1 at ``high``; NaN stays NaN."""
        if self.log:
            low, high = math.log(self.low), math.log(self.high)
            return (np.log(values) - low) / (high - low)
        return (values - self.low) / (self.high - self.low)


def linear(values: Sequence[float] | FloatArray, *, zero: bool = False, count: int = 5) -> Axis:
    """Return an axis from a round number to a round number around ``values``; NaN and infinities are left out.

    ``zero`` keeps zero inside. Without any finite value the axis runs from 0 to 1.

    >>> linear([0.031, 0.118]).ticks
    (0.02, 0.04, 0.06, 0.08, 0.1, 0.12)
    """
    low, high = _extent(values, zero=zero)
    step = _nice_step((high - low) / count)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(float(f"{number * step:.12g}") for number in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)


def logarithmic(values: Sequence[float] | FloatArray) -> Axis:
    """Return an axis in which equal ratios have equal length; linear where a value is not above zero.

    >>> logarithmic([90_000.0, 450_000.0]).ticks
    (100000.0, 200000.0, 300000.0, 400000.0)
    """
    finite = _finite(values)
    if not finite.size or float(finite.min()) <= 0:
        return linear(values)
    low, high = float(finite.min()), float(finite.max())
    if high / low < 1.05:
        low, high = low / 1.03, high * 1.03
    return Axis(low / 1.02, high * 1.02, _log_ticks(low, high), log=True)


def day_ticks(first: date, last: date, count: int = 9) -> tuple[tuple[date, str], ...]:
    """Return at most about ``count`` first days of months or years inside the span, each with its label.

    A span with none gets its first day.
    """
    months = (last.year - first.year) * 12 + last.month - first.month
    step = next((step for step in _MONTH_STEPS if months / step <= count), _MONTH_STEPS[-1])
    start = first.year * 12 + first.month - 1
    numbers = range(-(-start // step) * step, last.year * 12 + last.month, step)
    days = (date(number // 12, number % 12 + 1, 1) for number in numbers)
    ticks = tuple((day, f"{day:%Y}" if step >= 12 else f"{day:%b %Y}") for day in days if first <= day <= last)
    return ticks or ((first, first.isoformat()),)


def thin(places: FloatArray, values: FloatArray, width: int) -> tuple[FloatArray, FloatArray]:
    """Return the points that a chart ``width`` pixels wide can show: each pixel's lowest and highest.

    ``places`` run from 0 to 1. Extremes survive; a pixel without a finite value keeps one NaN: gaps stay.
    """
    if len(values) <= 2 * width:
        return places, values
    pixel = np.minimum((places * width).astype(np.int64), width - 1)
    keep: list[int] = []
    for start, stop in _runs(pixel):
        part = values[start:stop]
        finite = np.flatnonzero(np.isfinite(part))
        if not finite.size:
            keep.append(start)
            continue
        ends = {int(finite[np.argmin(part[finite])]), int(finite[np.argmax(part[finite])])}
        keep.extend(start + offset for offset in sorted(ends))
    index = np.array(keep)
    return places[index], values[index]


def _runs(groups: NDArray[np.int64]) -> list[tuple[int, int]]:
    cuts = np.flatnonzero(np.diff(groups)) + 1
    edges = [0, *cuts.tolist(), len(groups)]
    return list(pairwise(edges))


def _finite(values: Sequence[float] | FloatArray) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    return array[np.isfinite(array)]


def _extent(values: Sequence[float] | FloatArray, *, zero: bool) -> tuple[float, float]:
    finite = _finite(values)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= 1e-12 * max(abs(low), abs(high), 1.0):
        margin = abs(high) * 0.05 or 0.5
        low, high = low - margin, high + margin
    return low, high


def _nice_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return power * next(step for step in _STEPS if rough <= step * power * (1 + 1e-9))


def _log_ticks(low: float, high: float) -> tuple[float, ...]:
    if high / low < 8:
        return tuple(tick for tick in linear([low, high]).ticks if low <= tick <= high)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    wide = high / low > 1000
    ticks = (digit * 10.0**power for power in powers for digit in ((1,) if wide else (1, 2, 5)))
    return tuple(tick for tick in ticks if low <= tick <= high)
