"""Patterns of whole bars, which look at highs and lows instead of bodies."""

from aitrader.features.bars import ROUNDING, true_range
from aitrader.features.candle import every
from aitrader.features.feature import feature
from aitrader.features.swings import or_zero
from aitrader.panel.expr import Expr


@feature
def pattern_inside_bar(high: Expr, low: Expr) -> Expr:
    """A bar within the range of the one before.

    Unit: 1 where it is there, else 0. NaN on a symbol's first bar and after a missing one.

    Source: Crabel (1990), Day Trading with Short Term Price Patterns, inside day.
    """
    return _inside(high, low)


@feature
def pattern_outside_bar(high: Expr, low: Expr, close: Expr) -> Expr:
    """A bar that reaches beyond both ends of the one before, in the direction of its close against the close before.

    Unit: 1 bullish, -1 bearish, 0 none. NaN on a symbol's first bar and after a missing one.

    Source: Crabel (1990), Day Trading with Short Term Price Patterns, outside day.
    """
    beyond = (high > high.shift(1)) * (low < low.shift(1))
    return beyond * (close - close.shift(1)).sign()


@feature
def pattern_narrow_range(high: Expr, low: Expr, *, bars: int = 7) -> Expr:
    """A bar whose range is the narrowest of ``bars`` bars (NR7); the last of equals.

    Unit: 1 where it is there, else 0. NaN until ``bars`` bars are there.

    Source: Crabel (1990), Day Trading with Short Term Price Patterns, NR7.
    """
    spread = high - low
    return spread - spread.min(bars) <= ROUNDING * high


@feature
def pattern_wide_range(high: Expr, low: Expr, close: Expr, *, bars: int = 20, width: float = 2.0) -> Expr:
    """A bar whose true range is at least ``width`` times the mean of the ``bars`` bars before, in its direction.

    Unit: 1 closed in its upper half, -1 in its lower half, 0 none. NaN until ``bars + 2`` bars are there.

    Source: Schwager (1996), Technical Analysis, wide-ranging days.
    """
    reach = true_range(high, low, close)
    return (close - (high + low) / 2).sign() * (reach >= width * reach.mean(bars).shift(1))


@feature
def pattern_key_reversal(high: Expr, low: Expr, close: Expr, *, bars: int = 20) -> Expr:
    """A new low of ``bars`` bars that closes above the close before (bullish), or a new high that closes below it.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until ``bars + 1`` bars are there.

    Source: Schwager (1996), Technical Analysis, reversal days.
    """
    up = (low < low.min(bars).shift(1)) * (close > close.shift(1))
    return up - (high > high.max(bars).shift(1)) * (close < close.shift(1))


@feature
def pattern_hikkake(high: Expr, low: Expr) -> Expr:
    """An inside bar whose break goes the wrong way: below it (bullish) or above it (bearish), with both ends.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 3 bars are there.

    Source: Chesler (2004), Active Trader 5(4); TA-Lib CDLHIKKAKE, of which this is the signal without confirmation.
    """
    below = (high < high.shift(1)) * (low < low.shift(1))
    above = (high > high.shift(1)) * (low > low.shift(1))
    return _inside(high, low).shift(1) * (below - above)


@feature
def pattern_island(high: Expr, low: Expr, *, bars: int = 10) -> Expr:
    """A window after one in the other direction, at most ``bars`` bars before: what lies between is an island.

    Unit: 1 bullish (an island at the bottom), -1 bearish, 0 none. NaN on a symbol's first bar and after a missing one.

    Source: Bulkowski (2005), Encyclopedia of Chart Patterns, Island reversals, with windows to the bar before.
    """
    window = (low > high.shift(1)) * 1 - (high < low.shift(1))
    before = or_zero((window / window.abs()).shift(1).latest(bars))
    return every(window, window * before < 0)


def _inside(high: Expr, low: Expr) -> Expr:
    return (high < high.shift(1)) * (low > low.shift(1))
