"""A candle of a pattern: its body, shadows and colour, and whether they are long or short for their time.

Long, short and near are measured against the mean of the bars just before the candle, as TA-Lib does with its default
settings: bodies and ranges of 10 bars, nearness of 5. A close at the open makes a white candle.
"""

from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import mul
from typing import Final

from aitrader.panel.expr import Expr, maximum, minimum

USUAL_BARS: Final = 10
NEAR_BARS: Final = 5


@dataclass(frozen=True, slots=True)
class Candle:
    """The bar ``ago`` bars before the current one.

    Members are expressions at the current bar: prices and lengths in USD, conditions 1 where they hold, else 0.
    """

    bar: tuple[Expr, Expr, Expr, Expr]
    ago: int

    @property
    def open(self) -> Expr:
        """Its open."""
        return self.bar[0].shift(self.ago)

    @property
    def high(self) -> Expr:
        """Its high."""
        return self.bar[1].shift(self.ago)

    @property
    def low(self) -> Expr:
        """Its low."""
        return self.bar[2].shift(self.ago)

    @property
    def close(self) -> Expr:
        """Its close."""
        return self.bar[3].shift(self.ago)

    @property
    def top(self) -> Expr:
        """Upper end of the body."""
        return maximum(self.bar[0], self.bar[3]).shift(self.ago)

    @property
    def bottom(self) -> Expr:
        """Lower end of the body."""
        return minimum(self.bar[0], self.bar[3]).shift(self.ago)

    @property
    def body(self) -> Expr:
        """Height of the body."""
        return _body(self.bar).shift(self.ago)

    @property
    def range(self) -> Expr:
        """High minus low."""
        return _range(self.bar).shift(self.ago)

    @property
    def upper(self) -> Expr:
        """Length of the upper shadow."""
        return self._upper().shift(self.ago)

    @property
    def lower(self) -> Expr:
        """Length of the lower shadow."""
        return self._lower().shift(self.ago)

    @property
    def white(self) -> Expr:
        """Close at or above the open."""
        return (self.bar[3] >= self.bar[0]).shift(self.ago)

    @property
    def black(self) -> Expr:
        """Close below the open."""
        return (self.bar[3] < self.bar[0]).shift(self.ago)

    @property
    def colour(self) -> Expr:
        """1 for white, -1 for black."""
        return 2 * self.white - 1

    @property
    def usual_body(self) -> Expr:
        """Mean body of the bars before."""
        return _body(self.bar).mean(USUAL_BARS).shift(self.ago + 1)

    @property
    def long(self) -> Expr:
        """Body above the usual one."""
        return (_body(self.bar) > _body(self.bar).mean(USUAL_BARS).shift(1)).shift(self.ago)

    @property
    def short(self) -> Expr:
        """Body below the usual one."""
        return (_body(self.bar) < _body(self.bar).mean(USUAL_BARS).shift(1)).shift(self.ago)

    @property
    def doji(self) -> Expr:
        """Body at most a tenth of the usual range."""
        return (_body(self.bar) <= self._tenth()).shift(self.ago)

    @property
    def no_upper(self) -> Expr:
        """Upper shadow below a tenth of the usual range."""
        return (self._upper() < self._tenth()).shift(self.ago)

    @property
    def no_lower(self) -> Expr:
        """Lower shadow below a tenth of the usual range."""
        return (self._lower() < self._tenth()).shift(self.ago)

    @property
    def some_upper(self) -> Expr:
        """Upper shadow above a tenth of the usual range."""
        return (self._upper() > self._tenth()).shift(self.ago)

    @property
    def some_lower(self) -> Expr:
        """Lower shadow above a tenth of the usual range."""
        return (self._lower() > self._tenth()).shift(self.ago)

    @property
    def usual_shadow(self) -> Expr:
        """Mean shadow, upper or lower, of the bars before."""
        return ((self._upper() + self._lower()).mean(USUAL_BARS) / 2).shift(self.ago + 1)

    @property
    def short_shadows(self) -> Expr:
        """Both shadows shorter than the usual one."""
        return (self.upper < self.usual_shadow) * (self.lower < self.usual_shadow)

    @property
    def doji_body(self) -> Expr:
        """The tallest body that counts as none: a tenth of the usual range."""
        return self._tenth().shift(self.ago)

    @property
    def near(self) -> Expr:
        """The distance within which a price is near: a fifth of the usual range."""
        return 0.2 * self._reach()

    @property
    def far(self) -> Expr:
        """The distance beyond which a price is far: three fifths of the usual range."""
        return 0.6 * self._reach()

    @property
    def equal(self) -> Expr:
        """The distance within which two prices count as equal: a twentieth of the usual range."""
        return 0.05 * self._reach()

    def _upper(self) -> Expr:
        return self.bar[1] - maximum(self.bar[0], self.bar[3])

    def _lower(self) -> Expr:
        return minimum(self.bar[0], self.bar[3]) - self.bar[2]

    def _tenth(self) -> Expr:
        return 0.1 * _range(self.bar).mean(USUAL_BARS).shift(1)

    def _reach(self) -> Expr:
        return _range(self.bar).mean(NEAR_BARS).shift(self.ago + 1)


def candles(count: int, *bar: Expr) -> tuple[Candle, ...]:
    """Return the last ``count`` candles of a bar (open, high, low, close), the oldest first."""
    open_, high, low, close = bar
    return tuple(Candle((open_, high, low, close), ago) for ago in range(count - 1, -1, -1))


def every(*conditions: Expr) -> Expr:
    """Return 1 where all conditions hold, else 0; NaN where one is."""
    return reduce(mul, conditions)


def within(value: Expr, centre: Expr, distance: Expr) -> Expr:
    """Return 1 where ``value`` lies at most ``distance`` from ``centre``, else 0."""
    return (value >= centre - distance) * (value <= centre + distance)


def between(value: Expr, lower: Expr, upper: Expr) -> Expr:
    """Return 1 where ``value`` lies strictly between two prices, else 0."""
    return (value > lower) * (value < upper)


def rising(*prices: Expr) -> Expr:
    """Return 1 where each price lies above the one before, else 0."""
    return every(*(later > earlier for earlier, later in pairwise(prices)))


def falling(*prices: Expr) -> Expr:
    """Return 1 where each price lies below the one before, else 0."""
    return every(*(later < earlier for earlier, later in pairwise(prices)))


def body_gap_up(later: Candle, earlier: Candle) -> Expr:
    """Return 1 where a body lies wholly above an earlier one, else 0."""
    return later.bottom > earlier.top


def body_gap_down(later: Candle, earlier: Candle) -> Expr:
    """Return 1 where a body lies wholly below an earlier one, else 0."""
    return later.top < earlier.bottom


def marubozu(candle: Candle) -> Expr:
    """Return 1 where a long body has almost no shadows, else 0."""
    return every(candle.long, candle.no_upper, candle.no_lower)


def belt_hold(candle: Candle) -> Expr:
    """Return 1 where a long white body opens at its low, -1 where a long black one opens at its high, else 0."""
    return candle.long * (candle.white * candle.no_lower - candle.black * candle.no_upper)


def crows(*three: Candle) -> Expr:
    """Return 1 where all candles are black and close at their lows, else 0."""
    return every(*(it.black * it.no_lower for it in three))


def _body(bar: tuple[Expr, Expr, Expr, Expr]) -> Expr:
    return (bar[3] - bar[0]).abs()


def _range(bar: tuple[Expr, Expr, Expr, Expr]) -> Expr:
    return bar[1] - bar[2]
