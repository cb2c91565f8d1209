"""Statistics of a window from those of its newer and its older part.

A window of ``w`` bars is merged from fixed shorter windows, each on its own mean, so that a value depends on the
window's bars alone: not on where the history, a block or a build begins, nor on the other features asked for.
Nothing is ever subtracted again, so a constant series has no noise.

Numbers of every kernel: ``newer, older, shift, way, extra``: the lengths of both parts, how many bars the older one
lies back, and whether missing bars make the window NaN (0), are skipped (1), or are skipped and weigh nothing (2).
Inputs are four pairs of statistics, each of the newer part, then of the older one (what a formula does not read
repeats the first), then, in the last case, the pair of counts: how many values each part holds. Counts are looked at
bar by bar only where values are missing in between; else they follow from the bar's number, with the same bits.

Merged moments: Chan, Golub & LeVeque (1983), Am. Stat. 37(3), eq. 2.1; higher ones: Pébay (2008), SAND2008-6212,
eq. 3.1.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from aitrader.panel.kernels.kernel import IRREGULAR, WRITTEN, inlined, kernel, registers


@inlined
def _share(part, other):
    return part / max(part + other, 1.0)


@inlined
def _sum(now, past, n, m, extra):
    return now[0] + past[0]


@inlined
def _product(now, past, n, m, extra):
    return now[0] * past[0]


@inlined
def _weighted(now, past, n, m, extra):
    """Weights rise from 1 at the oldest bar: the newer part's lie ``extra``, the older part's length, higher."""
    return past[0] + (now[0] + now[1] * extra)


@inlined
def _mean(now, past, n, m, extra):
    """The older part's values count ``extra`` more (ages of bars; else 0)."""
    return (past[0] - now[0] + extra) * _share(m, n) + now[0]


@inlined
def _m2(now, past, n, m, extra):
    step = past[1] - now[1] + extra
    return step * step * (n * _share(m, n)) + now[0] + past[0]


@inlined
def _m3(now, past, n, m, extra):
    step, a, b = past[2] - now[2], _share(n, m), _share(m, n)
    own = step * step * (n * b * (a - b)) + 3.0 * (a * past[1] - b * now[1])
    return now[0] + past[0] + step * own


@inlined
def _m4(now, past, n, m, extra):
    step, a, b = past[3] - now[3], _share(n, m), _share(m, n)
    square = step * step
    own = square * square * (n * b * (a * a - a * b + b * b))
    spread = 6.0 * square * (a * a * past[2] + b * b * now[2])
    return now[0] + past[0] + own + spread + 4.0 * step * (a * past[1] - b * now[1])


@inlined
def _comoment(now, past, n, m, extra):
    return (past[1] - now[1]) * (past[2] - now[2] + extra) * (n * _share(m, n)) + now[0] + past[0]


@inlined
def _comoment_age(now, past, n, m, extra):
    """With the ages of the bars, where none is missing: both parts' mean ages are known numbers."""
    return (past[1] - now[1]) * ((n + m) / 2.0) * (n * _share(m, n)) + now[0] + past[0]


@inlined
def _smaller(now, past, n, m, extra):
    return (now[0] if now[0] < past[0] else past[0]) + (now[0] * 0.0 + past[0] * 0.0)


@inlined
def _larger(now, past, n, m, extra):
    return (now[0] if now[0] > past[0] else past[0]) + (now[0] * 0.0 + past[0] * 0.0)


@inlined
def _smaller_known(now, past, n, m, extra):
    return past[0] if past[0] < now[0] or np.isnan(now[0]) else now[0]


@inlined
def _larger_known(now, past, n, m, extra):
    return past[0] if past[0] > now[0] or np.isnan(now[0]) else now[0]


@inlined
def _age_of_smallest(now, past, n, m, extra):
    return past[0] + extra if past[1] < now[1] or np.isnan(now[1]) else now[0]


@inlined
def _age_of_largest(now, past, n, m, extra):
    return past[0] + extra if past[1] > now[1] or np.isnan(now[1]) else now[0]


@inlined
def _age_of_oldest_smallest(now, past, n, m, extra):
    return past[0] + extra if past[1] <= now[1] or np.isnan(now[1]) else now[0]


@inlined
def _age_of_oldest_largest(now, past, n, m, extra):
    return past[0] + extra if past[1] >= now[1] or np.isnan(now[1]) else now[0]


@inlined
def _first(now, extra):
    return now[0]


@inlined
def _first_weighted(now, extra):
    return now[0] + now[1] * extra


@inlined
def _rows(grids, inputs, part, symbol):
    """Return a symbol's four statistics of the newer part (0) or the older one (1)."""
    first, second = grids[inputs[part], symbol], grids[inputs[part + 2], symbol]
    return first, second, grids[inputs[part + 4], symbol], grids[inputs[part + 6], symbol]


@inlined
def _at(rows, bar):
    return rows[0][bar], rows[1][bar], rows[2][bar], rows[3][bar]


@inlined
def _from(rows, bar):
    return rows[0][bar:], rows[1][bar:], rows[2][bar:], rows[3][bar:]


@inlined
def _growing(numbers, cut, lead, bars):
    """Return up to which bar the older part holds nothing, and up to which one less than all its bars."""
    if numbers[3] == 0.0:
        return cut, cut
    begun = min(cut + max(lead, 0), bars)
    return begun, min(begun + int(numbers[1]), bars)


def _merging(body: Callable[..., Any], alone: Callable[..., Any] = _first) -> Callable[..., Any]:
    """Return the kernel that lets bar ``t`` meet bar ``t - shift`` in ``body``; ``alone`` has no older part yet."""

    def entry(cells, size, inputs, outs, numbers, memory, leads):
        newer, older, extra = numbers[0], numbers[1], numbers[4]
        grids = registers(cells, size)
        symbols, bars = grids[outs[0]].shape
        cut, lead = min(int(numbers[2]), bars), leads[inputs[8]] if numbers[3] > 1.0 else 0
        begun, grown = _growing(numbers, cut, lead, bars)
        for symbol in range(symbols):
            now, past, row = _rows(grids, inputs, 0, symbol), _rows(grids, inputs, 1, symbol), grids[outs[0], symbol]
            if numbers[3] > 0.0:
                for bar in range(begun):
                    row[bar] = alone(_at(now, bar), extra)
            else:
                row[:cut] = np.nan
            if lead == IRREGULAR:
                n, m = grids[inputs[8], symbol, cut:], grids[inputs[9], symbol]
                now, row = _from(now, cut), row[cut:]
                for bar in range(bars - cut):
                    row[bar] = body(_at(now, bar), _at(past, bar), n[bar], m[bar], extra)
                continue
            for bar in range(begun, grown):
                row[bar] = body(_at(now, bar), _at(past, bar - cut), newer, float(bar - begun + 1), extra)
            now, past, row = _from(now, grown), _from(past, grown - cut), row[grown:]
            for bar in range(bars - grown):
                row[bar] = body(_at(now, bar), _at(past, bar), newer, older, extra)
        return WRITTEN

    return entry


def _shift(numbers: tuple[Any, ...], place: int) -> int:
    return int(numbers[2]) if place % 2 else 0


for _name, _body in {
    "merge_sum": _sum,
    "merge_product": _product,
    "merge_mean": _mean,
    "merge_m2": _m2,
    "merge_m3": _m3,
    "merge_m4": _m4,
    "merge_comoment": _comoment,
    "merge_comoment_age": _comoment_age,
    "merge_min": _smaller,
    "merge_max": _larger,
    "merge_fmin": _smaller_known,
    "merge_fmax": _larger_known,
    "merge_argmin": _age_of_smallest,
    "merge_argmax": _age_of_largest,
    "merge_oldest_argmin": _age_of_oldest_smallest,
    "merge_oldest_argmax": _age_of_oldest_largest,
}.items():
    kernel(_name, reach=_shift)(_merging(_body))

kernel("merge_weighted", reach=_shift)(_merging(_weighted, _first_weighted))


@kernel("merge_count", reach=_shift)
def merge_count(cells, size, inputs, outs, numbers, memory, leads):
    """How many values a window holds: the sum of its parts'. Written only where values are missing in between."""
    grids = registers(cells, size)
    now, past, out = grids[inputs[0]], grids[inputs[1]], grids[outs[0]]
    symbols, bars = out.shape
    cut = min(int(numbers[2]), bars)
    leads[outs[0]] = leads[inputs[0]]
    if leads[inputs[0]] != IRREGULAR:
        return WRITTEN
    for symbol in range(symbols):
        out[symbol, :cut] = now[symbol, :cut]
        newer, older, row = now[symbol, cut:], past[symbol], out[symbol, cut:]
        for bar in range(bars - cut):
            row[bar] = newer[bar] + older[bar]
    return WRITTEN
