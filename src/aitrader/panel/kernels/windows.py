"""Operators that need the window itself."""

import numpy as np

from aitrader.panel.kernels.kernel import WROTE, inlined, kernel, registers

LANES = 8
"""Sorted windows that are updated side by side: one vector register of float64 on wide machines."""


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
    return WROTE


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
    return WROTE


@kernel("rank", reach=lambda numbers, _: int(numbers[0]) - 1)
def rank(cells, size, inputs, outs, numbers, memory, leads):
    """Mean rank of the current value in its window over the number of values.

    ``numbers`` holds how many windows there are, then for each, shortest first, its bars and its least values: they
    share one pass, since a longer window only looks further back.
    """
    grids = registers(cells, size)
    symbols, bars = grids[outs[0]].shape
    doubled, counts = np.empty(bars), np.empty(bars)  # twice the mean rank: 2 x smaller + equal, itself included, + 1
    for symbol in range(symbols):
        values = grids[inputs[0], symbol]
        doubled[:] = 1.0
        counts[:] = 0.0
        age = 0
        for window in range(int(numbers[0])):
            length, least = int(numbers[1 + 2 * window]), numbers[2 + 2 * window]
            while age < min(length, bars):
                now, past, score, count = values[age:], values[: bars - age], doubled[age:], counts[age:]
                for bar in range(bars - age):
                    score[bar] += (1.0 if past[bar] < now[bar] else 0.0) + (1.0 if past[bar] <= now[bar] else 0.0)
                    count[bar] += 1.0 if past[bar] == past[bar] else 0.0  # false for NaN alone
                age += 1
            out = grids[outs[window], symbol]
            for bar in range(bars):
                known = doubled[bar] / (2.0 * max(counts[bar], 1.0)) + values[bar] * 0.0
                out[bar] = known if counts[bar] >= least else np.nan
    return WROTE


@inlined
def _replace(ordered, length, old, new, before):
    """Take ``old`` out of each lane's sorted window and put ``new`` in; infinities are what is not there."""
    before[:] = -np.inf
    for place in range(length):
        for lane in range(LANES):
            here, after = ordered[place, lane], ordered[place + 1, lane]
            kept = here if here < old[lane] else after
            least = kept if kept < new[lane] else new[lane]
            ordered[place, lane] = least if least > before[lane] else before[lane]
            before[lane] = kept


@inlined
def _at(ordered, lane, count, share):
    """Return a quantile of the ``count`` smallest: NumPy's default, linear between neighbours."""
    place = share * (count - 1.0)
    below = int(place)
    part = place - below
    low = ordered[below, lane]
    return low + (ordered[below + 1, lane] - low) * part if part > 0.0 else low


@kernel("quantile", reach=lambda numbers, _: int(numbers[0]) - 1)
def quantile(cells, size, inputs, outs, numbers, memory, leads):
    """Quantiles of the last bars: ``numbers`` holds bars, least values, how many quantiles, and their shares.

    One sorted window serves all quantiles. Pieces of history and symbols are lanes that run side by side, each from
    a full window before its first bar.
    """
    grids = registers(cells, size)
    values = grids[inputs[0]]
    symbols, bars = values.shape
    length, least, wanted = int(numbers[0]), numbers[1], int(numbers[2])
    pieces = max(1, LANES // symbols)
    step = (bars + pieces - 1) // pieces
    ordered = np.empty((length + 1, LANES))
    old, new, before, counts = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    for first in range(0, symbols * pieces, LANES):
        ordered[:] = np.inf
        counts[:] = 0.0
        for move in range(1 - length, step):
            for lane in range(LANES):
                task = min(first + lane, symbols * pieces - 1)
                symbol, bar = task // pieces, (task % pieces) * step + move
                coming = values[symbol, bar] if 0 <= bar < bars else np.nan
                # A window that fills up before its first bar drops nothing.
                leaving = values[symbol, bar - length] if move > 0 and 0 <= bar - length < bars else np.nan
                new[lane] = np.inf if np.isnan(coming) else coming
                old[lane] = np.inf if np.isnan(leaving) else leaving
                counts[lane] += (0.0 if np.isnan(coming) else 1.0) - (0.0 if np.isnan(leaving) else 1.0)
            _replace(ordered, length, old, new, before)
            if move < 0:
                continue
            for lane in range(LANES):
                task = first + lane
                symbol, bar = task // pieces, (task % pieces) * step + move
                if task >= symbols * pieces or bar >= bars:
                    continue
                for which in range(wanted):
                    known = counts[lane] >= max(least, 1.0)
                    grids[outs[which], symbol, bar] = (
                        _at(ordered, lane, counts[lane], numbers[3 + which]) if known else np.nan
                    )
    return WROTE
