"""Further statistics of a window: falls, fixed weights, tails, and the shape of its values."""

import math

import numpy as np

from aitrader.panel.kernels.kernel import WRITTEN, inlined, kernel, registers


@kernel("merge_fall", reach=lambda numbers, place: int(numbers[0]) if place % 2 else 0)
def merge_fall(cells, size, inputs, outs, numbers, memory, leads):
    """Deepest fall of a window: in its newer part, its older one, or from the older one's peak to the newer one's low.

    Inputs: the newer part's fall and the older one's, the newer one's smallest value and the older one's largest.
    Numbers: bars of the newer part, and whether missing bars are skipped.
    """
    grids = registers(cells, size)
    symbols, bars = grids[outs[0]].shape
    cut = min(int(numbers[0]), bars)
    for symbol in range(symbols):
        inside, out = grids[inputs[0], symbol], grids[outs[0], symbol]
        before, low, high = grids[inputs[1], symbol], grids[inputs[2], symbol, cut:], grids[inputs[3], symbol]
        for bar in range(cut):
            out[bar] = inside[bar] if numbers[1] != 0.0 else np.nan
        newer, row = inside[cut:], out[cut:]
        for bar in range(bars - cut):
            across = 1.0 - low[bar] / high[bar]
            deeper = newer[bar] if newer[bar] > before[bar] else before[bar]
            known = deeper if numbers[1] != 0.0 else deeper + across * 0.0
            row[bar] = across if across > known else known
    return WRITTEN


@kernel("weighted_sum", reach=lambda numbers, _: int(numbers[0]) - 1)
def weighted_sum(cells, size, inputs, outs, numbers, memory, leads):
    """Sum of fixed weights times the last values. Numbers: bars, whether missing bars are skipped, weights from now on.

    Skipped values are 0 in the input.
    """
    grids = registers(cells, size)
    symbols, bars = grids[outs[0]].shape
    window, partial = int(numbers[0]), numbers[1] != 0.0
    for symbol in range(symbols):
        values, out = grids[inputs[0], symbol], grids[outs[0], symbol]
        for bar in range(bars):
            out[bar] = numbers[2] * values[bar]
        for age in range(1, min(window, bars)):
            past, total, weight = values[: bars - age], out[age:], numbers[2 + age]
            for bar in range(bars - age):
                total[bar] += weight * past[bar]
        for bar in range(0 if partial else min(window - 1, bars)):
            out[bar] = np.nan
    return WRITTEN


@kernel("tail_mean", reach=lambda numbers, _: int(numbers[0]) - 1)
def tail_mean(cells, size, inputs, outs, numbers, memory, leads):
    """Mean of the values of the last ``numbers[0]`` bars that are at most the second input, a quantile of them."""
    grids = registers(cells, size)
    symbols, bars = grids[outs[0]].shape
    counts = np.empty(bars)
    for symbol in range(symbols):
        values, bound, out = grids[inputs[0], symbol], grids[inputs[1], symbol], grids[outs[0], symbol]
        out[:] = 0.0
        counts[:] = 0.0
        for age in range(min(int(numbers[0]), bars)):
            past, least, total, count = values[: bars - age], bound[age:], out[age:], counts[age:]
            for bar in range(bars - age):
                inside = past[bar] <= least[bar]  # false for NaN
                total[bar] += past[bar] if inside else 0.0
                count[bar] += 1.0 if inside else 0.0
        for bar in range(bars):
            out[bar] = out[bar] / counts[bar] if counts[bar] > 0.0 else np.nan
    return WRITTEN


@kernel("adjusted_range", reach=lambda numbers, _: int(numbers[0]) - 1)
def adjusted_range(cells, size, inputs, outs, numbers, memory, leads):
    """Range of the running sums of distances to the second input, the mean of the last ``numbers[0]`` bars."""
    grids = registers(cells, size)
    symbols, bars = grids[outs[0]].shape
    sums, highest, lowest = np.empty(bars), np.empty(bars), np.empty(bars)
    for symbol in range(symbols):
        values, mean, out = grids[inputs[0], symbol], grids[inputs[1], symbol], grids[outs[0], symbol]
        sums[:] = 0.0
        highest[:] = 0.0
        lowest[:] = 0.0
        for back in range(min(int(numbers[0]), bars)):
            age = min(int(numbers[0]), bars) - 1 - back
            past, centre = values[: bars - age], mean[age:]
            total, high, low = sums[age:], highest[age:], lowest[age:]
            for bar in range(bars - age):
                step = past[bar] - centre[bar]
                total[bar] += step if step == step else 0.0  # false for NaN alone
                high[bar] = total[bar] if total[bar] > high[bar] else high[bar]
                low[bar] = total[bar] if total[bar] < low[bar] else low[bar]
        for bar in range(bars):
            out[bar] = highest[bar] - lowest[bar] + mean[bar] * 0.0
    return WRITTEN


@inlined
def _histogram(values, low, width, counts):
    """Count the values per bin of equal size from ``low`` on; return how many there are."""
    counts[:] = 0.0
    total = 0.0
    for place in range(len(values)):
        if not np.isnan(values[place]):
            counts[min(int((values[place] - low) / width * len(counts)), len(counts) - 1)] += 1.0
            total += 1.0
    return total


@kernel("entropy", reach=lambda numbers, place: 0 if place else int(numbers[0]) - 1)
def entropy(cells, size, inputs, outs, numbers, memory, leads):
    """Shannon entropy of the last ``numbers[0]`` values in ``numbers[1]`` equal bins, over that of equal shares.

    The bins lie between the second and the third input, the window's smallest and largest value.
    """
    grids = registers(cells, size)
    symbols, bars = grids[outs[0]].shape
    window, bins = int(numbers[0]), int(numbers[1])
    counts = np.empty(bins)
    for symbol in range(symbols):
        values, out = grids[inputs[0], symbol], grids[outs[0], symbol]
        lowest, highest = grids[inputs[1], symbol], grids[inputs[2], symbol]
        for bar in range(bars):
            low, width = lowest[bar], highest[bar] - lowest[bar]
            if not 0.0 < width < np.inf:
                out[bar] = width + width * 0.0
                continue
            total = _histogram(values[max(bar - window + 1, 0) : bar + 1], low, width, counts)
            surprise = 0.0
            for one in range(bins):
                share = counts[one] / total
                surprise -= share * math.log(share) if share > 0.0 else 0.0
            out[bar] = surprise / math.log(bins)
    return WRITTEN
