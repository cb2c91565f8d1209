"""What happened last: values that are there only now and then, looked up or added up from bar to bar."""

from collections.abc import Callable
from typing import Any

import numpy as np

from aitrader.panel.kernels.kernel import BARS, FIRST, RESUMED, STOP, WRITTEN, inlined, kernel, registers


def _window(numbers: tuple[Any, ...], _: int) -> int:
    return int(numbers[0]) - 1


@inlined
def _value(value, _age, _side):
    return value


@inlined
def _age(_value, age, _side):
    return age


@inlined
def _side(_value, _age, side):
    return side


def _newest(pick: Callable[..., Any]) -> Callable[..., Any]:
    """Return the kernel that tells something of the ``numbers[1]``-th newest value in ``numbers[0]`` bars."""

    def entry(cells, size, inputs, outs, numbers, memory, leads):
        grids = registers(cells, size)
        symbols, bars = grids[outs[0]].shape
        window, nth = int(numbers[0]), int(numbers[1])
        places = np.empty(bars, np.int64)
        for symbol in range(symbols):
            values, out = grids[inputs[0], symbol], grids[outs[0], symbol]
            count = 0
            for bar in range(bars):
                if not np.isnan(values[bar]):
                    places[count] = bar
                    count += 1
                out[bar] = np.nan
                if count >= nth and bar - places[count - nth] < window:
                    place = places[count - nth]
                    out[bar] = pick(values[place], float(bar - place), 0.0)
        return WRITTEN

    return entry


kernel("latest", reach=_window)(_newest(_value))
kernel("since", reach=_window)(_newest(_age))


@inlined
def _turn(places, values, sides, count, oldest, nth):
    """Return which event is the ``nth`` newest turn; -1 if there is none from bar ``oldest`` on.

    Events of one side that follow each other are one turn: the most extreme of them, the newest of equals.
    """
    event = count - 1
    for _ in range(nth):
        if event < 0 or places[event] < oldest:
            return -1
        best, side = event, sides[event]
        while event >= 0 and places[event] >= oldest and sides[event] == side:
            if side * values[event] > side * values[best]:
                best = event
            event -= 1
    return best


def _turns(pick: Callable[..., Any]) -> Callable[..., Any]:
    """Return the kernel that tells something of the ``numbers[1]``-th newest turn in ``numbers[0]`` bars.

    Inputs: peaks and troughs where they are known. A bar that has both says nothing.
    """

    def entry(cells, size, inputs, outs, numbers, memory, leads):
        grids = registers(cells, size)
        symbols, bars = grids[outs[0]].shape
        window, nth = int(numbers[0]), int(numbers[1])
        places, values, sides = np.empty(bars, np.int64), np.empty(bars), np.empty(bars)
        for symbol in range(symbols):
            peaks, troughs, out = grids[inputs[0], symbol], grids[inputs[1], symbol], grids[outs[0], symbol]
            count = 0
            for bar in range(bars):
                peak, trough = peaks[bar], troughs[bar]
                if np.isnan(peak) != np.isnan(trough):
                    places[count], values[count] = bar, trough if np.isnan(peak) else peak
                    sides[count] = -1.0 if np.isnan(peak) else 1.0
                    count += 1
                event = _turn(places, values, sides, count, bar - window + 1, nth)
                out[bar] = np.nan
                if event >= 0:
                    out[bar] = pick(values[event], float(bar - places[event]), sides[event])
        return WRITTEN

    return entry


kernel("turn", reach=_window)(_turns(_value))
kernel("turn_age", reach=_window)(_turns(_age))
kernel("turn_side", reach=_window)(_turns(_side))


@kernel("sum_since", slots=1)
def sum_since(cells, size, inputs, outs, numbers, memory, leads):
    """Sum of the first input since the second was last neither 0 nor NaN, that bar included. State: the sum."""
    grids = registers(cells, size)
    for symbol in range(grids.shape[1]):
        values, events, out = grids[inputs[0], symbol], grids[inputs[1], symbol], grids[outs[0], symbol]
        total = memory[symbol] if size[RESUMED] else 0.0
        out[: size[FIRST]] = np.nan
        for bar in range(size[FIRST], size[BARS]):
            if bar == size[STOP]:
                memory[symbol] = total
            value, event = values[bar], events[bar]
            total = 0.0 if event != 0.0 and not np.isnan(event) else total
            total += 0.0 if np.isnan(value) else value
            out[bar] = total + value * 0.0
        if size[STOP] == size[BARS]:
            memory[symbol] = total
    return WRITTEN
