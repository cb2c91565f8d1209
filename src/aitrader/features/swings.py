"""Swing points: highs and lows that stand out from the bars on both sides, known once the later side is there."""

from dataclasses import dataclass

from aitrader.panel.expr import Expr, where


def peaks(high: Expr, wing: int) -> Expr:
    """Swing highs, each on the bar that confirms it, NaN elsewhere, USD.

    A swing high is the highest of ``wing`` bars before and ``wing`` bars after it, the last of equals. Source: Williams
    (1995), Trading Chaos, fractals, with wing = 2.
    """
    return high.shift(wing) / _stands_out(high.argmax(2 * wing + 1), wing)


def troughs(low: Expr, wing: int) -> Expr:
    """Swing lows, each on the bar that confirms it, NaN elsewhere, USD; as ``peaks``."""
    return low.shift(wing) / _stands_out(low.argmin(2 * wing + 1), wing)


@dataclass(frozen=True, slots=True)
class Turns:
    """The newest swing points of a symbol, highs and lows in turn, numbered from 1 for the newest.

    Only what the last ``bars`` bars confirmed is seen; swing points of one side that follow each other count as one,
    the most extreme of them. Nothing is known about a swing point before the bar ``wing`` bars after it.
    """

    high: Expr
    low: Expr
    wing: int
    bars: int

    def price(self, nth: int) -> Expr:
        """Price of a turn, USD."""
        return peaks(self.high, self.wing).turn(troughs(self.low, self.wing), self.bars, nth)

    def prices(self, count: int) -> tuple[Expr, ...]:
        """Prices of the newest ``count`` turns, the oldest first."""
        return tuple(self.price(nth) for nth in range(count, 0, -1))

    def age(self, nth: int) -> Expr:
        """Bars since a turn."""
        return peaks(self.high, self.wing).turn_age(troughs(self.low, self.wing), self.bars, nth) + self.wing

    def side(self) -> Expr:
        """1 where the newest turn is a high, -1 where it is a low."""
        return peaks(self.high, self.wing).turn_side(troughs(self.low, self.wing), self.bars)


def or_zero(value: Expr) -> Expr:
    """``value``, and 0 where it is not there."""
    return where(value.count(1), value, 0)


def _stands_out(age: Expr, wing: int) -> Expr:
    """1 where the extreme of the window is its middle bar, else 0, by which nothing can be divided."""
    return (age >= wing) * (age <= wing)
