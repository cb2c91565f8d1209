"""What can be asked of the last bars of a series: the rolling operators."""

from dataclasses import dataclass
from typing import Self

from aitrader.panel.operators import Param


@dataclass(frozen=True, eq=False)
class Rolling:
    """An operator on expressions, with methods that make rolling operators of it.

    They look at the last ``bars`` bars, the current one included, and are NaN where fewer than ``min_periods`` of them
    have a value; None asks for all.
    """

    op: str
    args: tuple[Self, ...] = ()
    params: tuple[Param, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a negative number of bars, also where somebody writes the operator by hand."""
        first = self.params[0] if self.params and self.op != "constant" else 0
        if not isinstance(first, str) and first < 0:
            raise ValueError(f"{self.op}({first}) looks ahead")

    def shift(self, bars: int) -> Self:
        """The value ``bars`` bars ago.

        Raises
        ------
        ValueError
            ``bars`` is negative: that would look ahead.
        """
        if bars < 0:
            raise ValueError(f"shift({bars}) looks ahead")
        return type(self)("shift", (self,), (whole("shift", bars, least=0),)) if bars else self

    def sum(self, bars: int, min_periods: int | None = None) -> Self:
        """Sum of the values that are there."""
        return self._rolling("sum", bars, min_periods)

    def mean(self, bars: int, min_periods: int | None = None) -> Self:
        """Arithmetic mean."""
        return self._rolling("mean", bars, min_periods)

    def var(self, bars: int, min_periods: int | None = None, *, ddof: int = 1) -> Self:
        """Variance with ``n - ddof`` as divisor; exactly 0 for a constant series, NaN unless n > ddof."""
        return self._rolling("var", bars, min_periods, (whole("ddof", ddof, least=0),))

    def std(self, bars: int, min_periods: int | None = None, *, ddof: int = 1) -> Self:
        """Square root of ``var``; exactly 0 for a constant series."""
        return self._rolling("std", bars, min_periods, (whole("ddof", ddof, least=0),))

    def mad(self, bars: int, min_periods: int | None = None) -> Self:
        """Mean absolute distance to the window's mean; exactly 0 for a constant series."""
        return self._rolling("mad", bars, min_periods)

    def skew(self, bars: int, min_periods: int | None = None) -> Self:
        """Bias-corrected skewness (Fisher-Pearson, as pandas); NaN for a constant series and under 3 values."""
        return self._rolling("skew", bars, min_periods)

    def kurt(self, bars: int, min_periods: int | None = None) -> Self:
        """Bias-corrected excess kurtosis (as pandas); NaN for a constant series and under 4 values."""
        return self._rolling("kurt", bars, min_periods)

    def min(self, bars: int, min_periods: int | None = None) -> Self:
        """Smallest value."""
        return self._rolling("min", bars, min_periods)

    def max(self, bars: int, min_periods: int | None = None) -> Self:
        """Largest value."""
        return self._rolling("max", bars, min_periods)

    def argmin(self, bars: int, min_periods: int | None = None, *, oldest: int = 0) -> Self:
        """Bars since the smallest value, 0 for the current bar; the newest of equals, or (``oldest=1``) the oldest."""
        return self._rolling("argmin", bars, min_periods, (whole("oldest", oldest, least=0),))

    def argmax(self, bars: int, min_periods: int | None = None, *, oldest: int = 0) -> Self:
        """Bars since the largest value, 0 for the current bar; the newest of equals, or (``oldest=1``) the oldest."""
        return self._rolling("argmax", bars, min_periods, (whole("oldest", oldest, least=0),))

    def median(self, bars: int, min_periods: int | None = None) -> Self:
        """Median."""
        return self._rolling("median", bars, min_periods)

    def quantile(self, bars: int, share: float, min_periods: int | None = None) -> Self:
        """The value below which ``share`` of the window lies, interpolated linearly (NumPy's default)."""
        if not 0 <= share <= 1:
            raise ValueError(f"quantile: share {share} is not between 0 and 1")
        return self._rolling("quantile", bars, min_periods, (float(share),))

    def rank(self, bars: int, min_periods: int | None = None) -> Self:
        """Mean rank of the current value in its window over the number of values: from above 0 to 1."""
        return self._rolling("rank", bars, min_periods)

    def count(self, bars: int) -> Self:
        """How many of the last ``bars`` bars have a value, from 0 on; never NaN."""
        return type(self)("count", (self,), (whole("count", bars, least=1),))

    def slope(self, bars: int, min_periods: int | None = None) -> Self:
        """Slope of the least-squares line through the window, per bar."""
        return self._rolling("slope", bars, min_periods)

    def rsquare(self, bars: int, min_periods: int | None = None) -> Self:
        """Share of the window's variance that its least-squares line explains; NaN for a constant series."""
        return self._rolling("rsquare", bars, min_periods)

    def residual(self, bars: int, min_periods: int | None = None) -> Self:
        """Current value minus the least-squares line at the current bar."""
        return self._rolling("residual", bars, min_periods)

    def wma(self, bars: int, min_periods: int | None = None) -> Self:
        """Mean with weights 1 to ``bars``, the newest bar heaviest."""
        return self._rolling("wma", bars, min_periods)

    def decay_linear(self, bars: int, min_periods: int | None = None) -> Self:
        """Another name of ``wma``, as in Kakushadze (2016), 101 Formulaic Alphas."""
        return self.wma(bars, min_periods)

    def product(self, bars: int, min_periods: int | None = None) -> Self:
        """Product of the values that are there."""
        return self._rolling("product", bars, min_periods)

    def fracdiff(self, bars: int, order: float, min_periods: int | None = None) -> Self:
        """Difference of a fractional order: the first ``bars`` weights of (1 - shift) ** order, times the values.

        A missing value counts as 0. Source: Hosking (1981), Biometrika 68(1); fixed width: Lopez de Prado (2018),
        Advances in Financial Machine Learning, sec. 5.5.
        """
        return self._rolling("fracdiff", bars, min_periods, (float(order),))

    def tail_mean(self, bars: int, share: float, min_periods: int | None = None) -> Self:
        """Mean of the values that are at most ``quantile(bars, share)``."""
        if not 0 <= share <= 1:
            raise ValueError(f"tail_mean: share {share} is not between 0 and 1")
        return self._rolling("tail_mean", bars, min_periods, (float(share),))

    def max_drawdown(self, bars: int, min_periods: int | None = None) -> Self:
        """Deepest fall from a peak to a later value, as a fraction of the peak; NaN unless all values are positive."""
        return self._rolling("max_drawdown", bars, min_periods)

    def adjusted_range(self, bars: int, min_periods: int | None = None) -> Self:
        """Range of the running sums of distances to the window's mean (Hurst 1951); exactly 0 for a constant series."""
        return self._rolling("adjusted_range", bars, min_periods)

    def entropy(self, bars: int, bins: int, min_periods: int | None = None) -> Self:
        """Shannon entropy of the shares of values in ``bins`` equal bins from the smallest to the largest value.

        Over that of equal shares: 0 to 1, 0 for a constant series.
        """
        return self._rolling("entropy", bars, min_periods, (whole("bins", bins, least=2),))

    def latest(self, bars: int, nth: int = 1) -> Self:
        """The ``nth`` newest value that is there; NaN if there are fewer."""
        return self._event("latest", bars, nth)

    def since(self, bars: int, nth: int = 1) -> Self:
        """Bars since the ``nth`` newest value that is there, 0 for the current bar; NaN if there are fewer."""
        return self._event("since", bars, nth)

    def _event(self, op: str, bars: int, nth: int, *others: Self) -> Self:
        return type(self)(op, (self, *others), (whole(op, bars, least=1), whole("nth", nth, least=1)))

    def _rolling(
        self,
        op: str,
        bars: int,
        min_periods: int | None,
        extra: tuple[Param, ...] = (),
        *,
        other: Self | None = None,
    ) -> Self:
        whole(op, bars, least=1)
        least = bars if min_periods is None else whole("min_periods", min_periods, least=1)
        if least > bars:
            raise ValueError(f"{op}: min_periods {least} is more than the window of {bars} bars")
        return type(self)(op, (self,) if other is None else (self, other), (bars, least, *extra))


def whole(what: str, value: object, *, least: int) -> int:
    """Return ``value`` if it is a whole number of at least ``least``; else ``ValueError`` names ``what``."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{what}: {value!r} is not a whole number of bars")
    if value < least:
        raise ValueError(f"{what}: {value} is less than {least}")
    return value
