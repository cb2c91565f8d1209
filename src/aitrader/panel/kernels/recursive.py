"""Operators with a state that begins at a symbol's first value; missing bars leave it as it was."""

import numpy as np

from aitrader.panel.kernels.kernel import BARS, FIRST, RESUMED, STOP, WRITTEN, inlined, kernel, registers


@inlined
def _moved(seen, state, value, numbers):
    """Return the state with the ``seen``-th value in it."""
    decay, gain, divisor, skip = numbers[0], numbers[1], numbers[3], numbers[4]
    seeded = skip + numbers[2]
    if seen > seeded:
        return decay * state + gain * value
    if seen <= skip:
        return state
    return (state + value) / divisor if seen == seeded else state + value


@kernel("smooth", slots=2)
def smooth(cells, size, inputs, outs, numbers, memory, leads):
    """``y = decay * y + gain * x``, begun with the sum of ``count`` values over ``divisor``, ``skip`` values in.

    Numbers: ``decay, gain, count, divisor, skip, hidden``; the first ``hidden`` results, the seed first, are NaN.
    State: values seen, ``y`` (before the seed is complete, the sum so far).
    """
    grids = registers(cells, size)
    shown = numbers[4] + numbers[2] + numbers[5]
    for symbol in range(grids.shape[1]):
        values, out = grids[inputs[0], symbol], grids[outs[0], symbol]
        seen, state = (memory[2 * symbol], memory[2 * symbol + 1]) if size[RESUMED] else (0.0, 0.0)
        out[: size[FIRST]] = np.nan
        for bar in range(size[FIRST], size[BARS]):
            if bar == size[STOP]:
                memory[2 * symbol], memory[2 * symbol + 1] = seen, state
            out[bar] = np.nan
            if not np.isnan(values[bar]):
                seen += 1.0
                state = _moved(seen, state, values[bar], numbers)
                out[bar] = state if seen >= shown else np.nan
        if size[STOP] == size[BARS]:
            memory[2 * symbol], memory[2 * symbol + 1] = seen, state
    return WRITTEN
