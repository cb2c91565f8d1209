"""Expressions broken down to primitive instructions, equal ones once.

A rolling statistic of ``w`` bars becomes a chain of merges (``kernels.merging``): a power of two is two halves, any
other length its lowest power of two merged behind the rest. The chain depends on ``w`` alone, and all lengths share
the powers of two.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from aitrader.panel.expr import Expr
from aitrader.panel.operators import CROSS, ELEMENTWISE, PAIRED, ROLLING

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

    ``depth`` counts the cross-sections on the longest way to an instruction, ``scalar`` says that it is a mere number.
    """

    instructions: list[Instruction] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    scalar: list[bool] = field(default_factory=list)
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
            self.scalar.append(op == "constant" or (op in ELEMENTWISE and all(self.scalar[i] for i in inputs)))
        return number

    def expression(self, expr: Expr) -> int:
        """Return the number of the instruction that holds ``expr``."""
        known = self._lowered.get(expr)
        if known is None:
            known = self._lowered[expr] = self._lower(expr)
        return known

    def grid(self, expr: Expr) -> int:
        """As ``expression``, with a mere number spread over the grid."""
        number = self.expression(expr)
        return self.add("fill", number) if self.scalar[number] else number

    def _lower(self, expr: Expr) -> int:
        if expr.op == "column":
            return self.add("finite", self.add("load", params=expr.params))
        if expr.op == "constant":
            return self.add("constant", params=expr.params)
        if expr.op in ELEMENTWISE:
            return self.add(expr.op, *(self.expression(arg) for arg in expr.args))
        if expr.op in ROLLING or expr.op in PAIRED:
            return _Window(self, expr).result()
        series = self.grid(expr.args[0])
        if expr.op == "count":
            return self.sums(self.add("present", series), partial=True)(int(expr.params[0]))
        smoothing = _SMOOTHING.get(expr.op)
        if smoothing:
            return self.add("smooth", series, params=smoothing(*expr.params))
        return self.add(expr.op, series, params=expr.params)

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
            stats: list[Stat] = [of, *others, *([counts] if counts else [])]
            inputs = [number for stat in stats for number in (stat(newer), stat(older))]
            return self.add(op, *inputs, params=(newer, older, newer, partial, rest(newer, older)))

        return of

    def extremes(self, op: str, base: int, *others: Stat, partial: bool) -> Stat:
        """Return an extreme: its parts are the longest power of two, twice, and may overlap."""

        @cache
        def of(bars: int) -> int:
            if bars == 1:
                return base
            stats: list[Stat] = [of, *others]
            part = 1 << ((bars - 1).bit_length() - 1)
            inputs = [number for stat in stats for number in (stat(part), stat(part))]
            return self.add(op, *inputs, params=(part, part, bars - part, partial, bars - part))

        return of

    def sums(self, base: int, *, partial: bool) -> Stat:
        """Return sums."""
        return self.merges("merge_sum", base, partial=partial)


def _smooth_mean(span: Any, weight: float, skip: Any = 0) -> tuple[Any, ...]:
    return (1.0 - weight, weight, span, float(span), skip, 0)


_SMOOTHING: Final[dict[str, Callable[..., tuple[Any, ...]]]] = {
    "ema": lambda span, skip: _smooth_mean(span, 2.0 / (span + 1.0), skip),
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
            self.counts = to.sums(to.add("present", self.series[0]), partial=True)

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
        return self.to.add("zeroed", series) if self.partial else series

    def _moment(self, order: int, series: int) -> Stat:
        """Mean (order 1) or sum of powers of the distances to it."""
        if order == 1:
            return self.to.merges("merge_mean", self._filled(series), partial=self.partial, counts=self.counts)
        lower = [self._moment(o, series) for o in range(order - 1, 0, -1)]
        zeros = self.to.add("zeros", series)
        return self.to.merges(f"merge_m{order}", zeros, *lower, partial=self.partial, counts=self.counts)

    def _counted(self) -> tuple[int, ...]:
        return () if self.counts is None else (self.counts(self.bars),)

    def _sum(self) -> int:
        return self.to.sums(self._filled(self.series[0]), partial=self.partial)(self.bars)

    def _mean(self) -> int:
        return self._moment(1, self.series[0])(self.bars)

    def _var(self) -> int:
        m2 = self._moment(2, self.series[0])(self.bars)
        return self.to.add("variance", m2, *self._counted(), params=(float(self.bars), self.extra[0]))

    def _std(self) -> int:
        return self.to.add("sqrt", self._var())

    def _mad(self) -> int:
        return self.to.add("mean_distance", self.series[0], self._mean(), params=(self.bars,))

    def _skew(self) -> int:
        parts = [self._moment(order, self.series[0])(self.bars) for order in (3, 2)]
        return self.to.add("skewness", *parts, *self._counted(), params=(self.bars,))

    def _kurt(self) -> int:
        parts = [self._moment(order, self.series[0])(self.bars) for order in (4, 2)]
        return self.to.add("kurtosis", *parts, *self._counted(), params=(self.bars,))

    def _extreme(self, name: str) -> Stat:
        op = f"merge_f{name}" if self.partial else f"merge_{name}"
        return self.to.extremes(op, self.series[0], partial=self.partial)

    def _min(self) -> int:
        return self._extreme("min")(self.bars)

    def _max(self) -> int:
        return self._extreme("max")(self.bars)

    def _argument(self, name: str) -> int:
        best = self._extreme(name)
        zeros = self.to.add("zeros", self.series[0])
        ages = self.to.extremes(f"merge_arg{name}", zeros, best, partial=self.partial)
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
            return self.to.add("weighted_mean", total, params=(self.bars * (self.bars + 1) / 2.0,))
        return self.to.add("weighted_mean", total, self._weighted(self.to.add("present", self.series[0])))

    def _comoment(self) -> int:
        zeros = self.to.add("zeros", self.series[0])
        means = [self._moment(1, series) for series in self.series]
        return self.to.merges("merge_comoment", zeros, *means, partial=self.partial, counts=self.counts)(self.bars)

    def _cov(self) -> int:
        return self.to.add("variance", self._comoment(), *self._counted(), params=(float(self.bars), 1))

    def _corr(self) -> int:
        spreads = [self._moment(2, series)(self.bars) for series in self.series]
        return self.to.add("correlation", self._comoment(), *spreads)

    def _beta(self) -> int:
        return self.to.add("beta", self._comoment(), self._moment(2, self.series[1])(self.bars))

    def _trend(self) -> tuple[int, tuple[int, ...], tuple[float, ...]]:
        """Comoment with the bars' ages, and the ages' own squared distances: an instruction, or a number."""
        zeros = self.to.add("zeros", self.series[0])
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
        return self.to.add("slope", comoment, *ages, params=known)

    def _rsquare(self) -> int:
        comoment, ages, known = self._trend()
        return self.to.add("rsquare", comoment, self._moment(2, self.series[0])(self.bars), *ages, params=known)

    def _residual(self) -> int:
        inputs = [self.series[0], self._mean(), self._slope()]
        if not self.partial:
            return self.to.add("residual", *inputs, params=((self.bars - 1) / 2.0,))
        zeros = self.to.add("zeros", self.series[0])
        return self.to.add("residual", *inputs, self._ages("merge_mean", zeros)(self.bars))


_RESULTS: Final[dict[str, Callable[[_Window], int]]] = {
    name: getattr(_Window, f"_{name}") for name in (*ROLLING, *PAIRED) if name not in {"quantile", "median", "rank"}
}
