"""Operators with a state that begins at a symbol's first value; missing bars leave it as it was."""

import numpy as np

from aitrader.panel.kernels.kernel import BARS, FIRST, RESUMED, STOP, WROTE, kernel, registers


@kernel("smooth", slots=2)
def smooth(cells, size, inputs, outs, numbers, memory, leads):
    """``y = decay * y + gain * x``, begun with the sum of ``count`` values over ``divisor``, ``skip`` values in.

    Numbers: ``decay, gain, count, divisor, skip, hidden``; the first ``hidden`` results, the seed first, are NaN.
    State: values seen, ``y`` (before the seed is complete, the sum so far).
    """
    grids = registers(cells, size)
    decay, gain, divisor, skip = numbers[0], numbers[1], numbers[3], numbers[4]
    seeded = skip + numbers[2]
    shown = seeded + numbers[5]
    for symbol in range(grids.shape[1]):
        values, out = grids[inputs[0], symbol], grids[outs[0], symbol]
        seen, state = (memory[2 * symbol], memory[2 * symbol + 1]) if size[RESUMED] else (0.0, 0.0)
        out[: size[FIRST]] = np.nan
        for bar in range(size[FIRST], size[BARS]):
            if bar == size[STOP]:
                memory[2 * symbol], memory[2 * symbol + 1] = seen, state
            value = values[bar]
            out[bar] = np.nan
            if np.isnan(value):
                continue
            seen += 1.0
            if seen > seeded:
                state = decay * state + gain * value
            elif seen > skip:
                state += value
                if seen == seeded:
                    state /= divisor
            if seen >= shown:
                out[bar] = state
        if size[STOP] == size[BARS]:
            memory[2 * symbol], memory[2 * symbol + 1] = seen, state
    return WROTE


@kernel("cumsum", slots=1)
def cumsum(cells, size, inputs, outs, numbers, memory, leads):
    """Sum of all values so far."""
    grids = registers(cells, size)
    for symbol in range(grids.shape[1]):
        values, out = grids[inputs[0], symbol], grids[outs[0], symbol]
        total = memory[symbol] if size[RESUMED] else 0.0
        out[: size[FIRST]] = np.nan
        for bar in range(size[FIRST], size[BARS]):
            if bar == size[STOP]:
                memory[symbol] = total
            value = values[bar]
            if not np.isnan(value):
                total += value
            out[bar] = total + value * 0.0
        if size[STOP] == size[BARS]:
            memory[symbol] = total
    return WROTE
