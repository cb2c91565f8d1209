"""Lines that follow a price bar by bar; their state begins with a symbol's first values and skips missing bars."""

import numpy as np

from aitrader.panel.kernels.kernel import BARS, FIRST, RESUMED, STOP, WRITTEN, inlined, kernel, registers


@inlined
def _moved(mean, last, value, weight):
    if np.isnan(mean):
        mean = value if np.isnan(last) else last
    return mean + weight * (value - mean)


@kernel("adaptive_mean", slots=2)
def adaptive_mean(cells, size, inputs, outs, numbers, memory, leads):
    """``y = y + weight * (x - y)``, begun with the value before the first weight, or with the value of that bar.

    State: the last value, ``y`` (NaN before there is one).
    """
    grids = registers(cells, size)
    for symbol in range(grids.shape[1]):
        values, weights, out = grids[inputs[0], symbol], grids[inputs[1], symbol], grids[outs[0], symbol]
        last, mean = (memory[2 * symbol], memory[2 * symbol + 1]) if size[RESUMED] else (np.nan, np.nan)
        out[: size[FIRST]] = np.nan
        for bar in range(size[FIRST], size[BARS]):
            if bar == size[STOP]:
                memory[2 * symbol], memory[2 * symbol + 1] = last, mean
            value, weight = values[bar], weights[bar]
            known = not np.isnan(value + weight)
            mean = _moved(mean, last, value, weight) if known else mean
            out[bar] = mean if known else np.nan
            last = last if np.isnan(value) else value
        if size[STOP] == size[BARS]:
            memory[2 * symbol], memory[2 * symbol + 1] = last, mean
    return WRITTEN


@inlined
def _keep(memory, place, state):
    for number in range(len(state)):
        memory[place + number] = state[number]


_SEEN, _RISING, _LINE, _EXTREME, _FACTOR, _HIGH, _LOW = range(7)
"""State of ``sar``: bars seen (2: two or more), whether the trend rises, the line at the coming bar, the trend's
extreme, the factor, and the high and low of the bar before."""


@inlined
def _turned(state, high, low, step):
    """Turn the trend at this bar, which reached the line. Return the line at this bar: the old trend's extreme."""
    side = -1.0 if state[_RISING] else 1.0
    before, now, extreme = (state[_HIGH], high, low) if state[_RISING] else (state[_LOW], low, high)
    # side * x compares falls as rises: the line lies outside of the last two bars.
    line = side * min(side * state[_EXTREME], side * before, side * now)
    state[_RISING], state[_EXTREME], state[_FACTOR] = 1.0 - state[_RISING], extreme, step
    coming = line + step * (extreme - line)
    state[_LINE] = side * min(side * coming, side * before, side * now)
    return line


@inlined
def _went_on(state, high, low, step, limit):
    """Go on with the trend. Return the line at this bar, and keep the one at the next."""
    side = 1.0 if state[_RISING] else -1.0
    before, now, extreme = (state[_LOW], low, high) if state[_RISING] else (state[_HIGH], high, low)
    line = state[_LINE]
    if side * extreme > side * state[_EXTREME]:
        state[_EXTREME], state[_FACTOR] = extreme, min(state[_FACTOR] + step, limit)
    coming = line + state[_FACTOR] * (state[_EXTREME] - line)
    state[_LINE] = side * min(side * coming, side * before, side * now)
    return line


@inlined
def _sar_step(state, high, low, step, limit):
    """Take one bar in, and return the line at it: NaN at the first."""
    line = np.nan
    if state[_SEEN] == 1.0:
        down, up = state[_LOW] - low, high - state[_HIGH]
        rising = not (down > 0.0 and down > up)
        state[_RISING], state[_FACTOR] = (1.0 if rising else 0.0), step
        state[_LINE], state[_EXTREME] = (state[_LOW], high) if rising else (state[_HIGH], low)
        state[_HIGH], state[_LOW] = high, low
    if state[_SEEN] > 0.0:
        reached = low <= state[_LINE] if state[_RISING] else high >= state[_LINE]
        line = _turned(state, high, low, step) if reached else _went_on(state, high, low, step, limit)
    state[_SEEN], state[_HIGH], state[_LOW] = min(state[_SEEN] + 1.0, 2.0), high, low
    return line


@kernel("sar", slots=7)
def sar(cells, size, inputs, outs, numbers, memory, leads):
    """Wilder's parabolic line over highs and lows; numbers: ``step, limit``. State: see above."""
    grids = registers(cells, size)
    step, limit = numbers[0], numbers[1]
    state = np.zeros(7)
    for symbol in range(grids.shape[1]):
        high, low, out = grids[inputs[0], symbol], grids[inputs[1], symbol], grids[outs[0], symbol]
        for number in range(7):
            state[number] = memory[7 * symbol + number] if size[RESUMED] else 0.0
        out[: size[FIRST]] = np.nan
        for bar in range(size[FIRST], size[BARS]):
            if bar == size[STOP]:
                _keep(memory, 7 * symbol, state)
            known = not np.isnan(high[bar] + low[bar])
            out[bar] = _sar_step(state, high[bar], low[bar], step, limit) if known else np.nan
        if size[STOP] == size[BARS]:
            _keep(memory, 7 * symbol, state)
    return WRITTEN


_ABOVE, _BELOW, _BEFORE, _RISEN = range(4)
"""State of ``supertrend``: both bands as moved so far, the price before (all NaN at first), whether the trend rises."""


@inlined
def _supertrend_step(state, price, upper, lower):
    """Take one bar in, and return the line at it."""
    # Comparisons with the NaN of the beginning are false: the new bands are taken, and the trend falls.
    if not (upper >= state[_ABOVE] and state[_BEFORE] <= state[_ABOVE]):
        state[_ABOVE] = upper
    if not (lower <= state[_BELOW] and state[_BEFORE] >= state[_BELOW]):
        state[_BELOW] = lower
    begun = state[_BEFORE] == state[_BEFORE]
    rises = price >= state[_BELOW] if state[_RISEN] else begun and price > state[_ABOVE]
    state[_BEFORE], state[_RISEN] = price, (1.0 if rises else 0.0)
    return state[_BELOW] if rises else state[_ABOVE]


@kernel("supertrend", slots=4)
def supertrend(cells, size, inputs, outs, numbers, memory, leads):
    """The upper band while the trend falls, the lower while it rises, each moved towards the price only.

    Inputs: the price, the upper band, the lower band. State: see above.
    """
    grids = registers(cells, size)
    state = np.zeros(4)
    for symbol in range(grids.shape[1]):
        price, out = grids[inputs[0], symbol], grids[outs[0], symbol]
        uppers, lowers = grids[inputs[1], symbol], grids[inputs[2], symbol]
        state[:] = np.nan
        state[_RISEN] = 0.0
        for number in range(4):
            state[number] = memory[4 * symbol + number] if size[RESUMED] else state[number]
        out[: size[FIRST]] = np.nan
        for bar in range(size[FIRST], size[BARS]):
            if bar == size[STOP]:
                _keep(memory, 4 * symbol, state)
            known = not np.isnan(price[bar] + uppers[bar] + lowers[bar])
            out[bar] = _supertrend_step(state, price[bar], uppers[bar], lowers[bar]) if known else np.nan
        if size[STOP] == size[BARS]:
            _keep(memory, 4 * symbol, state)
    return WRITTEN
