"""Expressions broken down to primitive instructions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from aitrader.panel.expr import Expr
from aitrader.panel.instructions import Instructions
from aitrader.panel.operators import BINARY, PAIRED, RECURSIVE, ROLLING, VIEWS
from aitrader.panel.windows import Window


@dataclass(slots=True)
class Lowering(Instructions):
    """The instructions of expressions; ``recursions`` maps a recursive one to the digest of its expression."""

    recursions: dict[int, str] = field(default_factory=dict)
    _lowered: dict[Expr, int] = field(default_factory=dict)

    def grid(self, expr: Expr) -> int:
        """Return the number of the instruction that holds ``expr``."""
        known = self._lowered.get(expr)
        if known is None:
            value = number_of(expr)
            known = self._lower(expr) if value is None else self.add("fill", params=(value,))
            self._lowered[expr] = known
        return known

    def feature(self, expr: Expr) -> tuple[int, ...]:
        """Return the instruction that holds ``expr``, or the two whose product it is.

        A quotient leaves the machine as a product with the reciprocal, which features with one denominator share: what
        this changes lies below float32, unless the quotient is within 1e-16 of halfway between two of its numbers.
        """
        if expr.op == "div" and all(number_of(arg) is None for arg in expr.args):
            left, right = (self.grid(arg) for arg in expr.args)
            return left, self.add("number_div", right, params=(1.0,))
        return (self.grid(expr),)

    def _lower(self, expr: Expr) -> int:
        if expr.op in VIEWS or not expr.args:
            return self._loaded(expr)
        if expr.op in BINARY or expr.op in {"minimum", "maximum", "share_of"}:
            return self._binary(expr)
        if expr.op in {*ROLLING, *PAIRED}:
            return Window(self, expr, [self.grid(arg) for arg in expr.args]).result()
        series = [self.grid(arg) for arg in expr.args]
        if expr.op == "count":
            return self.sums(self.add("presence", *series), partial=True)(int(expr.params[0]))
        if expr.op in RECURSIVE:
            return self._recursion(expr, series)
        return self.add(expr.op, *series, params=expr.params)

    def _recursion(self, expr: Expr, series: Sequence[int]) -> int:
        smoothing = _SMOOTHING.get(expr.op)
        if expr.op == "cumsum":
            number = self.add("sum_since", *series, self.add("fill", params=(0.0,)))
        elif smoothing:
            number = self.add("smooth", *series, params=smoothing(*expr.params))
        else:
            number = self.add(expr.op, *series, params=expr.params)
        self.recursions[number] = expr.digest
        return number

    def _loaded(self, expr: Expr) -> int:
        """Add what a run finds ready; the argument of a view stays an expression, since it runs on other bars."""
        if expr.op == "column":
            return self.add("finite", self.add("load", params=expr.params))
        return self.add(expr.op, params=expr.args or expr.params)

    def _binary(self, expr: Expr) -> int:
        left, right = (number_of(arg) for arg in expr.args)
        if right is None and (left is None or expr.op == "share_of"):
            return self.add(expr.op, *(self.grid(arg) for arg in expr.args))
        if right is not None:
            series = self.grid(expr.args[0])
            if expr.op == "pow" and right == 2.0:
                return self.add("mul", series, series)
            return self.add(f"{expr.op}_number", series, params=(right,))
        op = _NUMBER_FIRST.get(expr.op) or f"{_MIRRORED.get(expr.op, expr.op)}_number"
        return self.add(op, self.grid(expr.args[1]), params=(left,))


def number_of(expr: Expr) -> float | None:
    """Return the number that ``expr`` is whatever the panel, or None."""
    if expr.op == "constant":
        return float(expr.params[0])
    if expr.op not in _FOLDED:
        return None
    numbers = []
    for arg in expr.args:
        number = number_of(arg)
        if number is None:  # asked at every part of an expression: the first series found is answer enough
            return None
        numbers.append(number)
    if np.isnan(numbers[:1] if expr.op == "where" else numbers).any():
        return np.nan
    with np.errstate(all="ignore"):
        value = float(_FOLDED[expr.op](*numbers))
    return value if np.isfinite(value) else np.nan


_FOLDED: Final[dict[str, Callable[..., Any]]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": np.power,
    "gt": np.greater,
    "ge": np.greater_equal,
    "lt": np.less,
    "le": np.less_equal,
    "neg": np.negative,
    "abs": np.abs,
    "log": np.log,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "sign": np.sign,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "where": lambda condition, then, otherwise: then if condition != 0 else otherwise,
}
"""What operators make of mere numbers; what they make of NaN is NaN."""

_NUMBER_FIRST: Final = {"sub": "number_sub", "div": "number_div"}
_MIRRORED: Final = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}


def _smooth_mean(span: Any, weight: float, skip: Any = 0) -> tuple[Any, ...]:
    """Return what ``kernels.recursive.smooth`` takes for a mean begun with the mean of ``span`` values."""
    return (1.0 - weight, weight, span, float(span), skip, 0)


_SMOOTHING: Final[dict[str, Callable[..., tuple[Any, ...]]]] = {
    "ema": lambda span, skip: _smooth_mean(span, 2.0 / (span + 1.0), skip),
    "ewm": lambda weight, seed: _smooth_mean(seed, weight),
    "wilder": lambda bars: _smooth_mean(bars, 1.0 / bars),
    "wilder_sum": lambda bars: (1.0 - 1.0 / bars, 1.0, bars - 1, 1.0, 0, 1),
}
"""Operator -> (decay, gain, values in the seed, their divisor, values skipped before it, results hidden from it on)."""
