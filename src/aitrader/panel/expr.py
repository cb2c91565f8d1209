"""The feature language: immutable expressions over a panel's columns, without a word for the future.

Every operator looks at the current bar and bars before it. Missing is NaN and stays NaN; a division by zero,
the logarithm of a number that is not positive and every other result that is not finite is NaN too.

>>> momentum = column("close") / column("close").shift(20) - 1
>>> momentum.key
'((close / close.shift(20)) - 1)'
"""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from math import isfinite
from typing import Union

from aitrader.panel.operators import Param, text_of
from aitrader.panel.rolling import Rolling, whole

Number = int | float
Operand = Union["Expr", Number]


@dataclass(frozen=True, eq=False)
class Expr(Rolling):
    """An operator on expressions. Two expressions are equal when they read the same.

    ``op`` names the operator, ``params`` its numbers in a fixed order (a column's or constant's own value).
    """

    @cached_property
    def key(self) -> str:
        """The canonical text; ``panel.parse`` reads it back."""
        return text_of(self.op, [arg.key for arg in self.args], self.params)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of operator, numbers and arguments: equal for equal expressions, whatever their size."""
        parts = [self.op, *(repr(param) for param in self.params), *(arg.digest for arg in self.args)]
        return sha256("\x1f".join(parts).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expr) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __bool__(self) -> bool:
        raise TypeError("an expression has no truth value before it is computed; use where(condition, a, b)")

    def __repr__(self) -> str:
        return f"Expr({self.key})"

    # Elementwise.

    def __add__(self, other: Operand) -> "Expr":
        return Expr("add", (self, lift(other)))

    def __radd__(self, other: Number) -> "Expr":
        return Expr("add", (lift(other), self))

    def __sub__(self, other: Operand) -> "Expr":
        return Expr("sub", (self, lift(other)))

    def __rsub__(self, other: Number) -> "Expr":
        return Expr("sub", (lift(other), self))

    def __mul__(self, other: Operand) -> "Expr":
        return Expr("mul", (self, lift(other)))

    def __rmul__(self, other: Number) -> "Expr":
        return Expr("mul", (lift(other), self))

    def __truediv__(self, other: Operand) -> "Expr":
        return Expr("div", (self, lift(other)))

    def __rtruediv__(self, other: Number) -> "Expr":
        return Expr("div", (lift(other), self))

    def __pow__(self, exponent: Number) -> "Expr":
        return Expr("pow", (self, constant(exponent)))

    def __neg__(self) -> "Expr":
        return constant(-float(self.params[0])) if self.op == "constant" else Expr("neg", (self,))

    def __gt__(self, other: Operand) -> "Expr":
        return Expr("gt", (self, lift(other)))

    def __ge__(self, other: Operand) -> "Expr":
        return Expr("ge", (self, lift(other)))

    def __lt__(self, other: Operand) -> "Expr":
        return Expr("lt", (self, lift(other)))

    def __le__(self, other: Operand) -> "Expr":
        return Expr("le", (self, lift(other)))

    def abs(self) -> "Expr":
        """Absolute value."""
        return Expr("abs", (self,))

    def log(self) -> "Expr":
        """Natural logarithm; NaN unless positive."""
        return Expr("log", (self,))

    def sqrt(self) -> "Expr":
        """Square root; NaN if negative."""
        return Expr("sqrt", (self,))

    def exp(self) -> "Expr":
        """Exponential."""
        return Expr("exp", (self,))

    def sign(self) -> "Expr":
        """-1, 0 or 1."""
        return Expr("sign", (self,))

    def clip(self, lower: Number | None = None, upper: Number | None = None) -> "Expr":
        """Values below ``lower`` become it, values above ``upper`` become that; None is no bound."""
        if lower is not None and upper is not None and lower > upper:
            raise ValueError(f"clip: lower {lower} lies above upper {upper}")
        result = self if lower is None else maximum(self, lower)
        return result if upper is None else minimum(result, upper)

    # Rolling, with a second series; those of one series are in ``panel.rolling``.

    def corr(self, other: Operand, bars: int, min_periods: int | None = None) -> "Expr":
        """Correlation over bars where both have a value; NaN where one is constant."""
        return self._rolling("corr", bars, min_periods, other=lift(other))

    def cov(self, other: Operand, bars: int, min_periods: int | None = None) -> "Expr":
        """Covariance (divisor n - 1) over bars where both have a value."""
        return self._rolling("cov", bars, min_periods, other=lift(other))

    def beta(self, other: Operand, bars: int, min_periods: int | None = None) -> "Expr":
        """Least-squares slope on ``other`` over bars where both have a value; NaN where ``other`` is constant."""
        return self._rolling("beta", bars, min_periods, other=lift(other))

    def autocorr(self, bars: int, lag: int = 1, min_periods: int | None = None) -> "Expr":
        """Autocorrelation of the values in the window, about their common mean; NaN for a constant series.

        Source: Box, Jenkins & Reinsel (1994), Time Series Analysis, 3rd ed., eq. 2.1.12.
        """
        within = bars - whole("lag", lag, least=1)
        if within < 2:
            raise ValueError(f"autocorr: lag {lag} leaves no two pairs in a window of {bars} bars")
        least = bars if min_periods is None else min_periods
        now, past = self + 0 * self.shift(lag), self.shift(lag) + 0 * self
        pairs = now.count(within)
        enough = max(2, least - lag)
        middle = self.mean(bars, least)
        apart = (now.mean(within, enough) - middle) * (past.mean(within, enough) - middle)
        together = now.cov(past, within, enough) * (pairs - 1) + pairs * apart
        return together / (self.var(bars, least, ddof=0) * self.count(bars))

    # Turns: peaks (this series) and troughs, each a value on the bars that make one known. Those of one side that
    # follow each other are one turn, the most extreme of them; a bar that makes both known is passed over.

    def turn(self, troughs: Operand, bars: int, nth: int = 1) -> "Expr":
        """Value of the ``nth`` newest turn of the last ``bars`` bars; NaN if there are fewer."""
        return self._event("turn", bars, nth, lift(troughs))

    def turn_age(self, troughs: Operand, bars: int, nth: int = 1) -> "Expr":
        """Bars since the ``nth`` newest turn became known."""
        return self._event("turn_age", bars, nth, lift(troughs))

    def turn_side(self, troughs: Operand, bars: int, nth: int = 1) -> "Expr":
        """1 if the ``nth`` newest turn is a peak, -1 if it is a trough."""
        return self._event("turn_side", bars, nth, lift(troughs))

    # Recursive: a state from the symbol's first value on. A missing bar is NaN and leaves the state as it was.

    def ema(self, span: int, skip: int = 0) -> "Expr":
        """Exponential mean, factor 2 / (span + 1), begun with the mean of the first ``span`` values (as TA-Lib).

        ``skip`` leaves out that many first values, so that two means of one series can begin on the same bar.
        """
        return Expr("ema", (self,), (whole("ema", span, least=1), whole("skip", skip, least=0)))

    def ewm(self, weight: float, seed: int = 1) -> "Expr":
        """Exponential mean whose newest value weighs ``weight``, begun with the mean of the first ``seed`` values.

        A half-life of ``h`` bars is ``weight = 1 - 0.5 ** (1 / h)``.
        """
        if not 0 < weight <= 1:
            raise ValueError(f"ewm: weight {weight} is not above 0 and at most 1")
        return Expr("ewm", (self,), (float(weight), whole("seed", seed, least=1)))

    def wilder(self, bars: int) -> "Expr":
        """Wilder's mean, factor 1 / bars, begun with the mean of the first ``bars`` values (as TA-Lib)."""
        return Expr("wilder", (self,), (whole("wilder", bars, least=1),))

    def wilder_sum(self, bars: int) -> "Expr":
        """Wilder's sum ``s - s / bars + x``, begun with the sum of the first ``bars - 1`` values (as TA-Lib's DI).

        That sum itself is NaN: the first number is the next bar's.
        """
        return Expr("wilder_sum", (self,), (whole("wilder_sum", bars, least=2),))

    def cumsum(self) -> "Expr":
        """Sum of all values so far. Its level depends on the first bar: use its changes, not itself."""
        return Expr("cumsum", (self,))

    def sum_since(self, event: Operand) -> "Expr":
        """Sum of the values since ``event`` was last neither 0 nor NaN, that bar included; before that, of all."""
        return Expr("sum_since", (self, lift(event)))

    def adaptive_mean(self, weight: Operand) -> "Expr":
        """Mean that moves by ``weight`` of the way to the value, begun with the value before the first weight."""
        return Expr("adaptive_mean", (self, lift(weight)))

    def sar(self, low: Operand, step: float = 0.02, limit: float = 0.2) -> "Expr":
        """Wilder's parabolic stop of highs (this series) and lows, from the second bar on (begun as TA-Lib).

        It nears the trend's extreme by ``step`` of the way, and by ``step`` more at each new one, up to ``limit``.
        """
        if not 0 < step <= limit:
            raise ValueError(f"sar: step {step} is not above 0 and at most the limit {limit}")
        return Expr("sar", (self, lift(low)), (float(step), float(limit)))

    def supertrend(self, upper: Operand, lower: Operand) -> "Expr":
        """Supertrend of a price between two bands: the upper one while it falls, the lower one while it rises.

        A band only moves towards the price until the price has crossed it; the first trend falls.
        """
        return Expr("supertrend", (self, lift(upper), lift(lower)))

    # Cross-section: within a bar, over the universe's members. Others are NaN and influence nobody; a bar with
    # fewer than ``min_names`` members that have a value is NaN.

    # ``by`` names groups of the panel, such as sectors: then each group is a universe of its own.

    def rank_across(self, by: str | None = None) -> "Expr":
        """(mean rank - 1/2) / names: between 0 and 1, mean exactly 1/2."""
        return Expr("rank_across", (self,), _by(by))

    def zscore_across(self, by: str | None = None) -> "Expr":
        """Distance to the members' mean in standard deviations (divisor n - 1); NaN where all are equal."""
        return Expr("zscore_across", (self,), _by(by))

    def demean_across(self, by: str | None = None) -> "Expr":
        """Distance to the members' mean."""
        return Expr("demean_across", (self,), _by(by))

    def winsorize_across(self, share: float = 0.01) -> "Expr":
        """Values beyond the members' ``share`` and ``1 - share`` quantiles become those."""
        if not 0 <= share < 0.5:
            raise ValueError(f"winsorize_across: share {share} is not between 0 and 0.5")
        return Expr("winsorize_across", (self,), (float(share),))

    def neutralize_across(self, *others: Operand) -> "Expr":
        """What a least-squares fit on ``others`` and a constant leaves, over the members that have all of them.

        NaN unless there are more names than fitted numbers. Others that add nothing to those before are left out.
        """
        if not others:
            raise ValueError("neutralize_across: nothing to neutralize against")
        return Expr("neutralize_across", (self, *map(lift, others)))

    def correlation_across(self, bars: int) -> "Expr":
        """Mean correlation with each other member over ``bars`` bars; its ``mean_across`` is the average of all pairs.

        Members count that have every bar and are not constant.
        """
        return Expr("correlation_across", (self,), (whole("correlation_across", bars, least=2),))

    def eigenvalue_across(self, bars: int) -> "Expr":
        """Share of the largest eigenvalue of the members' correlation matrix over ``bars`` bars, told to every symbol.

        1 over their number when nothing goes together, 1 when all do; members count as in ``correlation_across``.
        """
        return Expr("eigenvalue_across", (self,), (whole("eigenvalue_across", bars, least=2),))

    def mean_across(self, by: str | None = None) -> "Expr":
        """The members' mean, the same number for every symbol, members or not: the market, or the own group."""
        return Expr("mean_across", (self,), _by(by))

    def of_symbol(self, symbol: str) -> "Expr":
        """The value of one symbol, the same for every symbol; it need not be a member."""
        return Expr("of_symbol", (self,), (symbol,))


def age() -> Expr:
    """Bars since the symbol's first bar: 0 on it, counted on over missing bars, NaN before it."""
    return Expr("age")


def column(name: str) -> Expr:
    """Return the panel's column ``name``."""
    return Expr("column", (), (name,))


def constant(value: Number) -> Expr:
    """Return a number; it must be finite."""
    if not isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    return Expr("constant", (), (float(value) + 0.0,))  # + 0.0: there is no negative zero


def lift(value: Operand) -> Expr:
    """Return ``value`` as an expression."""
    return value if isinstance(value, Expr) else constant(value)


def where(condition: Operand, then: Operand, otherwise: Operand) -> Expr:
    """``then`` where ``condition`` is not 0, else ``otherwise``; NaN where the condition is."""
    return Expr("where", (lift(condition), lift(then), lift(otherwise)))


def minimum(left: Operand, right: Operand) -> Expr:
    """The smaller of two; NaN if one is."""
    return Expr("minimum", (lift(left), lift(right)))


def share_of(part: Operand, whole: Operand) -> Expr:
    """``part / whole``, and 0 where both are 0; NaN where only ``whole`` is, or one is NaN."""
    return Expr("share_of", (lift(part), lift(whole)))


def maximum(left: Operand, right: Operand) -> Expr:
    """The larger of two; NaN if one is."""
    return Expr("maximum", (lift(left), lift(right)))


def _by(name: str | None) -> tuple[Param, ...]:
    if name is not None and not name.isidentifier():
        raise ValueError(f"by: {name!r} is not the name of groups")
    return () if name is None else (name,)
