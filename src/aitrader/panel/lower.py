"""Expressions broken down to primitive instructions, equal ones once.

A rolling statistic of ``w`` bars becomes a chain of merges (``kernels.merging``): a power of two is two halves, any
other length its lowest power of two merged behind the rest. The chain depends on ``w`` alone, and all lengths share
the powers of two.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import numpy as np

from aitrader.panel.expr import Expr
from aitrader.panel.operators import BINARY, CROSS, PAIRED, RECURSIVE, ROLLING

Stat = Callable[[int], int]
"""Window length -> the instruction that holds a statistic of it."""

Rest = Callable[[int, int], float]
"""(bars of the newer part, of the older one) -> the number that a merge needs besides."""


def _plain(_newer: int, _older: int) -> float:
    return 0.0


def _newer_bars(newer: int, _: int) -> float:
    return float(newer)


def _older_bars(_: int, older: int) -> float:
    return float(older)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One primitive operator on the results of earlier instructions (their numbers)."""

    op: str
    inputs: tuple[int, ...]
    params: tuple[Any, ...] = ()


@dataclass(slots=True)
class Lowering:
    """A growing list of distinct instructions, in an order in which they can run.

    ``depth`` counts the cross-sections on the longest way to an instruction; ``recursions`` maps a recursive one to the
    digest of its expression.
    """

    instructions: list[Instruction] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    recursions: dict[int, str] = field(default_factory=dict)
    _numbers: dict[Instruction, int] = field(default_factory=dict)
    _lowered: dict[Expr, int] = field(default_factory=dict)

    def add(self, op: str, *inputs: int, params: tuple[Any, ...] = ()) -> int:
        """Return the number of this instruction, new or known."""
        instruction = Instruction(op, inputs, params)
        number = self._numbers.get(instruction)
        if number is None:
            number = self._numbers[instruction] = len(self.instructions)
            self.instructions.append(instruction)
            deepest = max((self.depth[i] for i in inputs), default=0)
            self.depth.append(deepest + (op in CROSS))
        return number

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

        A quotient leaves the machine as a product with the reciprocal, which features with one denominator share: the
        bits below float32 that this may change are dropped there.
        """
        if expr.op == "div" and all(number_of(arg) is None for arg in expr.args):
            left, right = (self.grid(arg) for arg in expr.args)
            return left, self.add("number_div", right, params=(1.0,))
        return (self.grid(expr),)

    def _lower(self, expr: Expr) -> int:
        if expr.op == "age":
            return self.add("age")
        if expr.op == "column":
            return self.add("finite", self.add("load", params=expr.params))
        if expr.op in BINARY or expr.op in {"minimum", "maximum", "share_of"}:
            return self._binary(expr)
        if expr.op in ROLLING or expr.op in PAIRED:
            return _Window(self, expr).result()
        series = [self.grid(arg) for arg in expr.args]
        if expr.op == "count":
            return self.sums(self.add("presence", *series), partial=True)(int(expr.params[0]))
        smoothing = _SMOOTHING.get(expr.op)
        if smoothing:
            number = self.add("smooth", *series, params=smoothing(*expr.params))
        else:
            number = self.add(expr.op, *series, params=expr.params)
        if expr.op in RECURSIVE:
            self.recursions[number] = expr.digest
        return number

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

    def merges(
        self, op: str, base: int, *others: Stat, partial: bool, counts: Stat | None = None, rest: Rest = _plain
    ) -> Stat:
        """Return the statistic ``op`` whose value for one bar is ``base``; ``others`` enter its merges."""

        @cache
        def of(bars: int) -> int:
            if bars == 1:
                return base
            older = bars & -bars if bars & (bars - 1) else bars // 2
            newer = bars - older
            return self._merge(op, (of, *others), counts, (newer, older, newer, partial, rest(newer, older)))

        return of

    def extremes(self, op: str, base: int, *others: Stat, partial: bool) -> Stat:
        """Return an extreme: its parts are the longest power of two, twice, and may overlap."""

        @cache
        def of(bars: int) -> int:
            if bars == 1:
                return base
            part = 1 << ((bars - 1).bit_length() - 1)
            return self._merge(op, (of, *others), None, (part, part, bars - part, partial, bars - part))

        return of

    def _merge(
        self, op: str, stats: tuple[Stat, ...], counts: Stat | None, numbers: tuple[int, int, int, bool, float]
    ) -> int:
        newer, older, shift, partial, extra = numbers
        pairs = [number for stat in stats for number in (stat(newer), stat(older))]
        pairs += pairs[:2] * (4 - len(stats))
        held = [counts(newer), counts(older)] if counts else []
        way = float(bool(partial) + bool(counts))
        return self.add(op, *pairs, *held, params=(float(newer), float(older), float(shift), way, float(extra)))

    def sums(self, base: int, *, partial: bool) -> Stat:
        """Return sums."""
        return self.merges("merge_sum", base, partial=partial)

    def counts(self, series: int) -> Stat:
        """Return how many values windows of ``series`` hold."""
        present = self.add("present", series)

        @cache
        def of(bars: int) -> int:
            if bars == 1:
                return present
            older = bars & -bars if bars & (bars - 1) else bars // 2
            newer = bars - older
            return self.add("merge_count", of(newer), of(older), params=(float(newer), float(older), float(newer)))

        return of


def number_of(expr: Expr) -> float | None:
    """Return the number that ``expr`` is whatever the panel, or None."""
    if expr.op == "constant":
        return float(expr.params[0])
    if expr.op not in _FOLDED:
        return None
    numbers = [number_of(arg) for arg in expr.args]
    if any(number is None for number in numbers):
        return None
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
"""What operators make of mere numbers."""

_NUMBER_FIRST: Final = {"sub": "number_sub", "div": "number_div"}
_MIRRORED: Final = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}


def _smooth_mean(span: Any, weight: float, skip: Any = 0) -> tuple[Any, ...]:
    return (1.0 - weight, weight, span, float(span), skip, 0)


_SMOOTHING: Final[dict[str, Callable[..., tuple[Any, ...]]]] = {
    "ema": lambda span, skip: _smooth_mean(span, 2.0 / (span + 1.0), skip),
    "ewm": lambda weight, seed: _smooth_mean(seed, weight),
    "wilder": lambda bars: _smooth_mean(bars, 1.0 / bars),
    "wilder_sum": lambda bars: (1.0 - 1.0 / bars, 1.0, bars - 1, 1.0, 0, 1),
}
"""Operator -> (decay, gain, values in the seed, their divisor, values skipped before it, results hidden from it on)."""


class _Window:
    """One rolling operator, with the series it needs: missing bars skipped (``partial``), or blanking the window."""

    def __init__(self, to: Lowering, expr: Expr) -> None:
        self.to = to
        self.op = expr.op
        self.bars, self.least = int(expr.params[0]), int(expr.params[1])
        self.extra = expr.params[2:]
        self.partial = self.least < self.bars
        self.series = [to.grid(arg) for arg in expr.args]
        if self.partial and len(self.series) == 2:
            left, right = self.series
            self.series = [to.add("both", left, right), to.add("both", right, left)]
        self.counts: Stat | None = None
        if self.partial:
            self.counts = to.counts(self.series[0])

    def result(self) -> int:
        if self.op in {"quantile", "median"}:
            share = 0.5 if self.op == "median" else self.extra[0]
            return self.to.add("quantile", self.series[0], params=(self.bars, self.least, share))
        if self.op == "rank":
            return self.to.add("rank", self.series[0], params=(self.bars, self.least))
        found = _RESULTS[self.op](self)
        if self.counts is None:
            return found
        return self.to.add("at_least", found, self.counts(self.bars), params=(float(self.least),))

    def _filled(self, series: int) -> int:
        return self.to.add("zeroed", series, self.to.add("present", series)) if self.partial else series

    def _moment(self, order: int, series: int) -> Stat:
        """Mean (order 1) or sum of powers of the distances to it."""
        if order == 1:
            return self.to.merges("merge_mean", self._filled(series), partial=self.partial, counts=self.counts)
        lower = [self._moment(o, series) for o in range(order - 1, 0, -1)]
        zeros = self._zeros()
        return self.to.merges(f"merge_m{order}", zeros, *lower, partial=self.partial, counts=self.counts)

    def _zeros(self) -> int:
        return self.to.add("fill", params=(0.0,))

    def _counted(self, op: str, statistic: int, spread: int, extra: float = 0.0) -> int:
        counts = () if self.counts is None else (self.counts(self.bars),)
        return self.to.add(op, statistic, spread, *counts, params=(float(self.bars), float(self.partial), extra))

    def _plain(self, op: str, *statistics: int, known: tuple[float, ...] = ()) -> int:
        """Add a formula of three statistics; ``known`` holds the last where it is a mere number."""
        padding = statistics[-1:] * (3 - len(statistics))
        return self.to.add(op, *statistics, *padding, params=(float(len(statistics) if known else 0), *known))

    def _sum(self) -> int:
        return self.to.sums(self._filled(self.series[0]), partial=self.partial)(self.bars)

    def _mean(self) -> int:
        return self._moment(1, self.series[0])(self.bars)

    def _var(self) -> int:
        m2 = self._moment(2, self.series[0])(self.bars)
        return self._counted("variance", m2, m2, float(self.extra[0]))

    def _std(self) -> int:
        m2 = self._moment(2, self.series[0])(self.bars)
        return self._counted("deviation", m2, m2, float(self.extra[0]))

    def _mad(self) -> int:
        return self.to.add("mean_distance", self.series[0], self._mean(), params=(self.bars,))

    def _skew(self) -> int:
        return self._counted("skewness", *(self._moment(order, self.series[0])(self.bars) for order in (3, 2)))

    def _kurt(self) -> int:
        return self._counted("kurtosis", *(self._moment(order, self.series[0])(self.bars) for order in (4, 2)))

    def _extreme(self, name: str) -> Stat:
        op = f"merge_f{name}" if self.partial else f"merge_{name}"
        return self.to.extremes(op, self.series[0], partial=self.partial)

    def _min(self) -> int:
        return self._extreme("min")(self.bars)

    def _max(self) -> int:
        return self._extreme("max")(self.bars)

    def _argument(self, name: str) -> int:
        best = self._extreme(name)
        zeros = self._zeros()
        op = f"merge_oldest_arg{name}" if self.extra[0] else f"merge_arg{name}"
        ages = self.to.extremes(op, zeros, best, partial=self.partial)
        return self.to.add("both", ages(self.bars), best(self.bars))

    def _argmin(self) -> int:
        return self._argument("min")

    def _argmax(self) -> int:
        return self._argument("max")

    def _weighted(self, series: int) -> int:
        sums = self.to.sums(series, partial=self.partial)
        return self.to.merges("merge_weighted", series, sums, partial=self.partial, rest=_older_bars)(self.bars)

    def _wma(self) -> int:
        total = self._weighted(self._filled(self.series[0]))
        if not self.partial:
            return self._plain("weighted_mean", total, known=(self.bars * (self.bars + 1) / 2.0,))
        return self._plain("weighted_mean", total, self._weighted(self.to.add("presence", self.series[0])))

    def _comoment(self) -> int:
        zeros = self._zeros()
        means = [self._moment(1, series) for series in self.series]
        return self.to.merges("merge_comoment", zeros, *means, partial=self.partial, counts=self.counts)(self.bars)

    def _cov(self) -> int:
        comoment = self._comoment()
        return self._counted("variance", comoment, comoment, 1.0)

    def _corr(self) -> int:
        return self._plain("correlation", self._comoment(), *(self._moment(2, s)(self.bars) for s in self.series))

    def _beta(self) -> int:
        return self._plain("beta", self._comoment(), self._moment(2, self.series[1])(self.bars))

    def _trend(self) -> tuple[int, tuple[int, ...], tuple[float, ...]]:
        """Comoment with the bars' ages, and the ages' own squared distances: an instruction, or a number."""
        zeros = self._zeros()
        mean = self._moment(1, self.series[0])
        if not self.partial:
            chain = self.to.merges("merge_comoment_age", zeros, mean, partial=False)
            return chain(self.bars), (), (self.bars * (self.bars**2 - 1) / 12.0,)
        age = self._ages("merge_mean", zeros)
        chain = self.to.merges("merge_comoment", zeros, mean, age, partial=True, counts=self.counts, rest=_newer_bars)
        return chain(self.bars), (self._ages("merge_m2", zeros, age)(self.bars),), ()

    def _ages(self, op: str, zeros: int, *others: Stat) -> Stat:
        return self.to.merges(op, zeros, *others, partial=True, counts=self.counts, rest=_newer_bars)

    def _slope(self) -> int:
        comoment, ages, known = self._trend()
        return self._plain("slope", comoment, *ages, known=known)

    def _rsquare(self) -> int:
        comoment, ages, known = self._trend()
        return self._plain("rsquare", comoment, self._moment(2, self.series[0])(self.bars), *ages, known=known)

    def _residual(self) -> int:
        inputs = [self.series[0], self._mean(), self._slope()]
        age = inputs[:1] if not self.partial else [self._ages("merge_mean", self._zeros())(self.bars)]
        return self.to.add("residual", *inputs, *age, params=(float(self.partial), (self.bars - 1) / 2.0))


_RESULTS: Final[dict[str, Callable[[_Window], int]]] = {
    name: getattr(_Window, f"_{name}") for name in (*ROLLING, *PAIRED) if name not in {"quantile", "median", "rank"}
}
