"""Operators that need the window itself."""

import numpy as np

from aitrader.panel.kernels.kernel import IRREGULAR, WRITTEN, inlined, kernel, registers

LANES = 24
"""Sorted windows that are updated side by side: enough to fill vectors, few enough to stay in the first cache."""


@kernel("shift", reach=lambda numbers, _: int(numbers[0]))
def shift(cells, size, inputs, outs, numbers, memory, leads):
    """The value ``numbers[0]`` bars ago."""
    grids = registers(cells, size)
    values, out = grids[inputs[0]], grids[outs[0]]
    symbols, bars = out.shape
    cut = min(int(numbers[0]), bars)
    for symbol in range(symbols):
        out[symbol, :cut] = np.nan
        out[symbol, cut:] = values[symbol, : bars - cut]
    return WRITTEN


@kernel("mean_distance", reach=lambda numbers, _: int(numbers[0]) - 1)
def mean_distance(cells, size, inputs, outs, numbers, memory, leads):
    """Mean distance of the values of the last ``numbers[0]`` bars to the second input, their mean."""
    grids = registers(cells, size)
    symbols, bars = grids[outs[0]].shape
    counts = np.empty(bars)
    for symbol in range(symbols):
        values, mean, out = grids[inputs[0], symbol], grids[inputs[1], symbol], grids[outs[0], symbol]
        out[:] = 0.0
        counts[:] = 0.0
        for age in range(min(int(numbers[0]), bars)):
            past, centre, total, count = values[: bars - age], mean[age:], out[age:], counts[age:]
            for bar in range(bars - age):
                distance = abs(past[bar] - centre[bar])
                known = distance == distance  # false for NaN alone
                count[bar] += 1.0 if known else 0.0
                total[bar] += distance if known else 0.0
        for bar in range(bars):
            out[bar] = out[bar] / max(counts[bar], 1.0) + mean[bar] * 0.0
    return WRITTEN


@inlined
def _compared(values, age, score):
    """Add to each bar's score 1 if the value ``age`` bars before it is smaller, and 1 if it is not larger."""
    now, past, score = values[age:], values[: len(values) - age], score[age:]
    for bar in range(len(now)):
        score[bar] += (1.0 if past[bar] < now[bar] else 0.0) + (1.0 if past[bar] <= now[bar] else 0.0)


@inlined
def _held(present, age, lead, counts):
    """Add to each bar's count 1 if there is a value ``age`` bars before it, unless counts follow from the lead."""
    if lead == IRREGULAR:
        past, counts = present[: len(present) - age], counts[age:]
        for bar in range(len(past)):
            counts[bar] += past[bar]


@inlined
def _grown(lead, length, counts):
    """Write how many values a window holds where that follows from the lead."""
    if lead != IRREGULAR:
        for bar in range(len(counts)):
            counts[bar] = max(min(bar - lead + 1, length), 0)


@kernel("rank", reach=lambda numbers, _: int(numbers[0]) - 1)
def rank(cells, size, inputs, outs, numbers, memory, leads):
    """Mean rank of the current value in its window over the number of values; the second input is their presence.

    ``numbers`` holds how many windows there are, then for each, shortest first, its bars and its least values: they
    share one pass, since a longer window only looks further back.
    """
    grids = registers(cells, size)
    symbols, bars = grids[outs[0]].shape
    lead = leads[inputs[1]]
    doubled, counts = np.empty(bars), np.zeros(bars)  # twice the mean rank: 2 x smaller + equal, itself included, + 1
    for symbol in range(symbols):
        values, present = grids[inputs[0], symbol], grids[inputs[1], symbol]
        doubled[:] = 1.0
        counts[:] = 0.0
        compared = 0
        for window in range(int(numbers[0])):
            length, least = int(numbers[1 + 2 * window]), numbers[2 + 2 * window]
            for age in range(compared, min(length, bars)):
                _compared(values, age, doubled)
                _held(present, age, lead, counts)
            compared = min(length, bars)
            _grown(lead, length, counts)
            out = grids[outs[window], symbol]
            for bar in range(bars):
                least_there = 0.0 if counts[bar] >= least else np.nan
                out[bar] = doubled[bar] / (2.0 * max(counts[bar], 1.0)) + values[bar] * 0.0 + least_there
    return WRITTEN


@inlined
def _feed(values, first, pieces, step, back):
    """Return what enters each lane's window, move by move, shape (back + step, lanes); infinities: nothing.

    A lane is a piece of a symbol's history: ``step`` bars, and ``back`` bars before them.
    """
    symbols, bars = values.shape
    feed = np.full((back + step, LANES), np.inf)
    for lane in range(min(LANES, symbols * pieces - first)):
        row, begin = values[(first + lane) // pieces], (first + lane) % pieces * step - back
        for move in range(max(0, -begin), min(back + step, bars - begin)):
            feed[move, lane] = np.inf if np.isnan(row[begin + move]) else row[begin + move]
    return feed


@inlined
def _replaced(now, after, length, old, new):
    """Write to ``after`` each lane's sorted window ``now`` without ``old`` and with ``new``.

    Both begin with a row of minus infinity and end with infinities. No place depends on the one before it.
    """
    for place in range(1, length + 1):
        below, here, above, out = now[place - 1], now[place], now[place + 1], after[place]
        for lane in range(LANES):
            kept_below = below[lane] if below[lane] < old[lane] else here[lane]
            kept = here[lane] if here[lane] < old[lane] else above[lane]
            least = kept if kept < new[lane] else new[lane]
            out[lane] = kept_below if kept_below > least else least


@inlined
def _counted(counts, length, old, new):
    """Bring the lanes' numbers of values up to date, and return how many lanes have fewer than ``length``."""
    short = 0
    for lane in range(LANES):
        counts[lane] += (1.0 if new[lane] < np.inf else 0.0) - (1.0 if old[lane] < np.inf else 0.0)
        short += counts[lane] != length
    return short


@inlined
def _quantile(ordered, count, share):
    place = share * max(count - 1.0, 0.0)
    low, part = ordered[1 + int(place)], place - int(place)
    if count < 1.0:
        return np.nan
    return low + (ordered[2 + int(place)] - low) * part if part > 0.0 else low


@inlined
def _quantiles(ordered, counts, length, short, share, out):
    """Quantiles of sorted windows: NumPy's default, linear between neighbours. NaN where a window is empty."""
    place = share * (length - 1.0)
    low, high = ordered[1 + int(place)], ordered[min(2 + int(place), length)]
    part = place - int(place)
    for lane in range(LANES):
        out[lane] = low[lane] + (high[lane] - low[lane]) * part
    for lane in range(LANES if short else 0):
        if counts[lane] < length:
            out[lane] = _quantile(ordered[:, lane], counts[lane], share)


@inlined
def _blanked(counts, least, out):
    """Blank the lanes with fewer than ``least`` values; there is none with fewer than one."""
    for lane in range(LANES if least > 1.0 else 0):
        out[lane] = out[lane] if counts[lane] >= least else np.nan


@inlined
def _laid_out(results, lane, out):
    for bar in range(len(out)):
        out[bar] = results[bar, lane]


@kernel("quantile", reach=lambda numbers, _: int(numbers[0]) - 1)
def quantile(cells, size, inputs, outs, numbers, memory, leads):
    """Quantiles of the last bars: ``numbers`` holds bars, least values, how many quantiles, and their shares.

    One sorted window serves all quantiles. Pieces of history, or symbols, are lanes that run side by side.
    """
    grids = registers(cells, size)
    values = grids[inputs[0]]
    symbols, bars = values.shape
    # No window is ever full that is longer than the history: how much longer makes no difference.
    length, least, wanted = min(int(numbers[0]), bars + 1), max(numbers[1], 1.0), int(numbers[2])
    pieces = max(1, min(LANES // symbols, bars))
    step = (bars + pieces - 1) // pieces
    back = length - 1 if pieces > 1 else 0
    ordered, spare = np.empty((length + 2, LANES)), np.empty((length + 2, LANES))
    counts, nothing = np.empty(LANES), np.full(LANES, np.inf)
    results = np.empty((wanted, step, LANES))
    for first in range(0, symbols * pieces, LANES):
        feed = _feed(values, first, pieces, step, back)
        ordered[0], spare[0], ordered[1:], spare[1:] = -np.inf, -np.inf, np.inf, np.inf
        counts[:] = 0.0
        for move in range(back + step):
            new = feed[move]
            old = feed[move - length] if move >= length else nothing
            short = _counted(counts, length, old, new)
            _replaced(ordered, spare, min(move + 1, length), old, new)
            ordered, spare = spare, ordered
            for which in range(wanted if move >= back else 0):
                out = results[which, move - back]
                _quantiles(ordered, counts, length, short, numbers[3 + which], out)
                _blanked(counts, least if short else 0.0, out)
        for lane in range(min(LANES, symbols * pieces - first)):
            symbol, begin = (first + lane) // pieces, (first + lane) % pieces * step
            for which in range(wanted):
                _laid_out(results[which], lane, grids[outs[which], symbol, begin : begin + step])
    return WRITTEN
