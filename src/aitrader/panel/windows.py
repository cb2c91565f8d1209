"""Rolling operators as instructions: chains of merges, or kernels that need the window itself."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from aitrader.panel.expr import Expr
from aitrader.panel.instructions import Instructions, Stat, halves, newer_bars, older_bars
from aitrader.panel.operators import PAIRED, ROLLING


class Window:
    """One rolling operator, with the series it needs: missing bars skipped (``partial``), or blanking the window."""

    def __init__(self, to: Instructions, expr: Expr, series: Sequence[int]) -> None:
        self.to = to
        self.op = expr.op
        self.bars, self.least = int(expr.params[0]), int(expr.params[1])
        self.extra = expr.params[2:]
        self.partial = self.least < self.bars
        self.series = list(series)
        if self.partial and len(self.series) == 2:
            left, right = self.series
            self.series = [to.add("both", left, right), to.add("both", right, left)]
        self.counts: Stat | None = None
        if self.partial:
            self.counts = to.counts(self.series[0])

    def result(self) -> int:
        """Return the instruction that holds the operator's value."""
        if self.op in {"quantile", "median"}:
            share = 0.5 if self.op == "median" else self.extra[0]
            return self.to.add("quantile", self.series[0], params=(self.bars, self.least, share))
        if self.op == "rank":
            present = self.to.add("present", self.series[0])
            return self.to.add("rank", self.series[0], present, params=(self.bars, self.least))
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
        """Return what all distances of one bar are: 0, and NaN in a window of one bar that lacks a value."""
        zeros = self.to.add("fill", params=(0.0,))
        for series in self.series if self.bars == 1 else ():
            zeros = self.to.add("both", zeros, series)
        return zeros

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
        return self.to.merges(op, self.series[0], partial=self.partial)

    def _min(self) -> int:
        return self._extreme("min")(self.bars)

    def _max(self) -> int:
        return self._extreme("max")(self.bars)

    def _argument(self, name: str) -> int:
        best = self._extreme(name)
        zeros = self._zeros()
        op = f"merge_oldest_arg{name}" if self.extra[0] else f"merge_arg{name}"
        ages = self.to.merges(op, zeros, best, partial=self.partial, rest=newer_bars)
        return self.to.add("both", ages(self.bars), best(self.bars))

    def _argmin(self) -> int:
        return self._argument("min")

    def _argmax(self) -> int:
        return self._argument("max")

    def _weighted(self, series: int) -> int:
        sums = self.to.sums(series, partial=self.partial)
        return self.to.merges("merge_weighted", series, sums, partial=self.partial, rest=older_bars)(self.bars)

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
        chain = self.to.merges("merge_comoment", zeros, mean, age, partial=True, counts=self.counts, rest=newer_bars)
        return chain(self.bars), (self._ages("merge_m2", zeros, age)(self.bars),), ()

    def _ages(self, op: str, zeros: int, *others: Stat) -> Stat:
        return self.to.merges(op, zeros, *others, partial=True, counts=self.counts, rest=newer_bars)

    def _product(self) -> int:
        base = self.series[0]
        if self.partial:  # what is missing is a factor of 1
            gaps = self.to.add("number_sub", self.to.add("presence", base), params=(1.0,))
            base = self.to.add("add", self._filled(base), gaps)
        return self.to.add("finite", self.to.merges("merge_product", base, partial=self.partial)(self.bars))

    def _max_drawdown(self) -> int:
        low, high = self._extreme("min"), self._extreme("max")

        @cache
        def fall(bars: int) -> int:
            if bars == 1:
                return self._zeros()
            newer, older = halves(bars)
            inputs = (fall(newer), fall(older), low(newer), high(older))
            return self.to.add("merge_fall", *inputs, params=(float(newer), float(self.partial)))

        return self.to.add("both", fall(self.bars), self.to.add("log", low(self.bars)))

    def _fracdiff(self) -> int:
        weights = [1.0]
        for place in range(1, self.bars):
            weights.append(weights[-1] * (place - 1 - float(self.extra[0])) / place)
        values = self._filled(self.series[0])
        return self.to.add("weighted_sum", values, params=(float(self.bars), float(self.partial), *weights))

    def _tail_mean(self) -> int:
        bound = self.to.add("quantile", self.series[0], params=(self.bars, self.least, self.extra[0]))
        return self.to.add("tail_mean", self.series[0], bound, params=(self.bars,))

    def _adjusted_range(self) -> int:
        return self.to.add("adjusted_range", self.series[0], self._mean(), params=(self.bars,))

    def _entropy(self) -> int:
        bounds = [self._extreme(name)(self.bars) for name in ("min", "max")]
        return self.to.add("entropy", self.series[0], *bounds, params=(self.bars, self.extra[0]))

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


_RESULTS: Final[dict[str, Callable[[Window], int]]] = {
    name: getattr(Window, f"_{name}") for name in (*ROLLING, *PAIRED) if name not in {"quantile", "median", "rank"}
}
