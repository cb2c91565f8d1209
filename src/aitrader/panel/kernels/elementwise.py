"""Arithmetic bar by bar. A result that is not finite is NaN.

Of the binary operators there is a second form whose right operand is a number, and of the two that do not commute a
third whose left one is (``number - x``, ``number / x``).
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from aitrader.panel.kernels.kernel import IRREGULAR, SAME, WRITTEN, inlined, kernel, registers


def _of_two(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Return the kernel of an operation on two grids."""

    def entry(cells, size, inputs, outs, numbers, memory, leads):
        grids = registers(cells, size)
        left, right, out = grids[inputs[0]].ravel(), grids[inputs[1]].ravel(), grids[outs[0]].ravel()
        for cell in range(out.size):
            out[cell] = operation(left[cell], right[cell])
        return WRITTEN

    return entry


def _of_one(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Return the kernel of an operation on a grid and a number, which it need not look at."""

    def entry(cells, size, inputs, outs, numbers, memory, leads):
        grids = registers(cells, size)
        values, number, out = grids[inputs[0]].ravel(), numbers[0], grids[outs[0]].ravel()
        for cell in range(out.size):
            out[cell] = operation(values[cell], number)
        return WRITTEN

    return entry


@inlined
def _finite(value):
    # An infinity times 0 is NaN, a finite number times 0 leaves it as it is: no branch.
    return value + value * 0.0


@inlined
def _blank(left, right):
    """0, or NaN where an operand is."""
    return left * 0.0 + right * 0.0


@inlined
def _add(left, right):
    return _finite(left + right)


@inlined
def _subtract(left, right):
    return _finite(left - right)


@inlined
def _multiply(left, right):
    return _finite(left * right)


@inlined
def _divide(left, right):
    return _finite(left / right)


@inlined
def _share_of(part, whole):
    return part * 0.0 if part == 0.0 and whole == 0.0 else _finite(part / whole)


@inlined
def _power(left, right):
    return _finite(left**right) + _blank(left, right)  # whose own NaN to the power of 0 is 1


@inlined
def _greater(left, right):
    return (1.0 if left > right else 0.0) + _blank(left, right)


@inlined
def _greater_or_equal(left, right):
    return (1.0 if left >= right else 0.0) + _blank(left, right)


@inlined
def _less(left, right):
    return (1.0 if left < right else 0.0) + _blank(left, right)


@inlined
def _less_or_equal(left, right):
    return (1.0 if left <= right else 0.0) + _blank(left, right)


@inlined
def _minimum(left, right):
    return (left if left < right else right) + _blank(left, right)


@inlined
def _maximum(left, right):
    return (left if left > right else right) + _blank(left, right)


for _name, _operation in {
    "add": _add,
    "sub": _subtract,
    "mul": _multiply,
    "div": _divide,
    "pow": _power,
    "share_of": _share_of,
    "gt": _greater,
    "ge": _greater_or_equal,
    "lt": _less,
    "le": _less_or_equal,
    "minimum": _minimum,
    "maximum": _maximum,
}.items():
    kernel(_name)(_of_two(_operation))
    kernel(f"{_name}_number")(_of_one(_operation))


@inlined
def _both(left, right):
    """The left one where the right one has a value too."""
    return left + right * 0.0


kernel("both")(_of_two(_both))


@inlined
def _subtract_from(value, number):
    return _finite(number - value)


@inlined
def _divide_into(value, number):
    return _finite(number / value)


@inlined
def _negative(value, _):
    return -value


@inlined
def _absolute(value, _):
    return abs(value)


@inlined
def _logarithm(value, _):
    return _finite(math.log(value)) if value > 0.0 else np.nan


@inlined
def _root(value, _):
    return math.sqrt(value)


@inlined
def _exponential(value, _):
    return _finite(math.exp(value))


@inlined
def _sign(value, _):
    return (1.0 if value > 0.0 else 0.0) - (1.0 if value < 0.0 else 0.0) + value * 0.0


@inlined
def _itself(value, _):
    return _finite(value)


@inlined
def _presence(value, _):
    """1 where there is a value, 0 where not."""
    return 0.0 if np.isnan(value) else 1.0


for _name, _operation in {
    "number_sub": _subtract_from,
    "number_div": _divide_into,
    "neg": _negative,
    "abs": _absolute,
    "log": _logarithm,
    "sqrt": _root,
    "exp": _exponential,
    "sign": _sign,
    "finite": _itself,
    "presence": _presence,
}.items():
    kernel(_name)(_of_one(_operation))


@kernel("where")
def where(cells, size, inputs, outs, numbers, memory, leads):
    """The second input where the first is not 0, else the third; NaN where the first is."""
    grids = registers(cells, size)
    condition, then, otherwise = grids[inputs[0]].ravel(), grids[inputs[1]].ravel(), grids[inputs[2]].ravel()
    out = grids[outs[0]].ravel()
    for cell in range(out.size):
        chosen = then[cell] if condition[cell] != 0.0 else otherwise[cell]
        out[cell] = chosen + condition[cell] * 0.0
    return WRITTEN


@kernel("fill")
def fill(cells, size, inputs, outs, numbers, memory, leads):
    """A number on every bar."""
    out = registers(cells, size)[outs[0]].ravel()
    for cell in range(out.size):
        out[cell] = numbers[0]
    return WRITTEN


@inlined
def _lead(values):
    """Return the bars before the first value, the same for each symbol, if none is missing after it."""
    symbols, bars = values.shape
    lead = 0
    while lead < bars and np.isnan(values[0, lead]):
        lead += 1
    for symbol in range(symbols):
        odd = 0
        for bar in range(lead):
            odd += values[symbol, bar] == values[symbol, bar]
        row = values[symbol, lead:]
        for bar in range(len(row)):
            odd += row[bar] != row[bar]  # true for NaN alone
        if odd:
            return IRREGULAR
    return lead


@kernel("present")
def present(cells, size, inputs, outs, numbers, memory, leads):
    """1 where there is a value, 0 where not. Written only where values are missing in between."""
    grids = registers(cells, size)
    values, out = grids[inputs[0]], grids[outs[0]]
    leads[outs[0]] = _lead(values)
    if leads[outs[0]] == IRREGULAR:
        for symbol in range(out.shape[0]):
            for bar in range(out.shape[1]):
                out[symbol, bar] = 0.0 if np.isnan(values[symbol, bar]) else 1.0
    return WRITTEN


@kernel("zeroed")
def zeroed(cells, size, inputs, outs, numbers, memory, leads):
    """The first input, with 0 where it has no value; the second one is its presence."""
    grids = registers(cells, size)
    values, out = grids[inputs[0]].ravel(), grids[outs[0]].ravel()
    if leads[inputs[1]] == 0:
        return SAME
    for cell in range(out.size):
        out[cell] = 0.0 if np.isnan(values[cell]) else values[cell]
    return WRITTEN
