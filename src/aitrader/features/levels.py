"""Where the price stands: in its range, against old highs and lows, beside gaps.

A swing point counts from the bar that confirms it, ``wing`` bars after it.
"""

from functools import reduce

from aitrader.features.bars import most, seen, true_range
from aitrader.features.feature import feature
from aitrader.features.swings import or_zero, peaks, troughs
from aitrader.panel.expr import Expr, maximum, minimum, where


@feature
def range_position(high: Expr, low: Expr, close: Expr, *, bars: int = 250) -> Expr:
    """Where in the range of the last ``bars`` bars the close lies; 250 bars are 52 weeks.

    Unit: share, 0 at the lowest low, 1 at the highest high. NaN until four fifths of the ``bars`` bars are there, and
    where the range is 0.

    Source: Lane (1984), Stocks & Commodities 2(3), %K, over a year.
    """
    lowest = low.min(bars, most(bars))
    return (close - lowest) / (high.max(bars, most(bars)) - lowest)


@feature
def high_age(high: Expr, *, bars: int = 250) -> Expr:
    """How long ago the highest high of the last ``bars`` bars was.

    Unit: share of the window, 0 for the current bar. NaN until four fifths of the ``bars`` bars are there.

    Source: Bhootra & Hur (2013), J. Banking & Finance 37(10), recency of the 52-week high.
    """
    return high.argmax(bars, most(bars)) / bars


@feature
def low_age(low: Expr, *, bars: int = 250) -> Expr:
    """How long ago the lowest low of the last ``bars`` bars was.

    Unit: share of the window, 0 for the current bar. NaN until four fifths of the ``bars`` bars are there.

    Source: Bhootra & Hur (2013), J. Banking & Finance 37(10), with the low.
    """
    return low.argmin(bars, most(bars)) / bars


@feature
def range_contraction(high: Expr, low: Expr, *, short: int = 5, long: int = 60) -> Expr:
    """Range of the last ``short`` bars over that of the last ``long`` bars.

    Unit: share, 0 to 1. NaN until four fifths of the ``long`` bars are there, and where nothing moved.

    Source: Crabel (1990), Day Trading with Short Term Price Patterns, narrow ranges of several bars.
    """
    return _height(high, low, short) / _height(high, low, long)


@feature
def fibonacci_distance(high: Expr, low: Expr, close: Expr, *, bars: int = 60) -> Expr:
    """Distance of the close from the nearest Fibonacci level of the range of the last ``bars`` bars.

    The levels are 0, 0.236, 0.382, 0.5, 0.618, 0.786 and 1 of the range. Unit: share of the range, 0 to 0.118. NaN
    until four fifths of the ``bars`` bars are there, and where the range is 0.

    Source: Murphy (1999), Technical Analysis of the Financial Markets, ch. 13, retracements.
    """
    place = range_position(high, low, close, bars=bars)
    return reduce(minimum, ((place - level).abs() for level in (0, 0.236, 0.382, 0.5, 0.618, 0.786, 1)))


@feature
def open_position(open: Expr, high: Expr, low: Expr) -> Expr:
    """Where in the range of the bar before the open lies; outside of 0 to 1 the bar opens beyond it.

    Unit: share, 0 at the low before, 1 at the high before. NaN on a symbol's first bar, and where that range is 0.

    Source: Murphy (1999), Technical Analysis of the Financial Markets, ch. 4, price gaps.
    """
    return (open - low.shift(1)) / (high.shift(1) - low.shift(1))


@feature
def gap_size(open: Expr, high: Expr, low: Expr, close: Expr, *, bars: int = 14) -> Expr:
    """Open minus the close before, in mean true ranges of the ``bars`` bars before.

    Unit: true ranges. NaN until ``bars + 2`` bars are there, and where nothing moved.

    Source: Wilder (1978), New Concepts, true range, with a plain mean.
    """
    return (open - close.shift(1)) / true_range(high, low, close).mean(bars).shift(1)


@feature
def gap_fill(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """How much of its opening gap the bar took back.

    Unit: share, 0 to 1; 1 where there was no gap. NaN on a symbol's first bar and after a missing one.

    Source: Murphy (1999), Technical Analysis of the Financial Markets, ch. 4, filling a gap.
    """
    jump = open - close.shift(1)
    back = where(jump > 0, open - low, high - open)
    return where(back >= jump.abs(), 1, back / jump.abs())


@feature
def gap_window(high: Expr, low: Expr, close: Expr) -> Expr:
    """Prices that neither this bar nor the one before traded at: above 0 after a gap up, below 0 after a gap down.

    Unit: fraction of the close before, 0 where the bars overlap. NaN on a symbol's first bar and after a missing one.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 7, windows.
    """
    return _window(high, low) / close.shift(1)


@feature
def gap_share(high: Expr, low: Expr, *, bars: int = 60) -> Expr:
    """Share of the last ``bars`` bars that left a window to the bar before.

    Unit: share, 0 to 1. NaN until four fifths of the last ``bars`` bars follow another.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 7, windows.
    """
    return _window(high, low).sign().abs().mean(bars, most(bars))


@feature
def gap_level_distance(high: Expr, low: Expr, close: Expr, *, bars: int = 250) -> Expr:
    """Distance of the close from the price that would close the newest window, below 0 where it is closed.

    Unit: fraction of the close, 0 where the last ``bars`` bars left no window. NaN until four fifths of the ``bars``
    bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 7, windows as support and resistance.
    """
    window = _window(high, low)
    left = window.sign() / window.sign().abs()  # nothing where there is no window
    level = where(window > 0, high.shift(1), low.shift(1)) * left.abs()
    distance = or_zero(left.latest(bars) * (close - level.latest(bars)) / close)
    return where(seen(close, bars), distance, 0)


@feature
def swing_high_distance(high: Expr, close: Expr, *, wing: int = 3, bars: int = 120) -> Expr:
    """Close against the last confirmed swing high: resistance below 0, broken above 0.

    Unit: fraction. NaN where the last ``bars`` bars confirmed none.

    Source: Murphy (1999), Technical Analysis of the Financial Markets, ch. 4, support and resistance.
    """
    return close / peaks(high, wing).latest(bars) - 1


@feature
def swing_low_distance(low: Expr, close: Expr, *, wing: int = 3, bars: int = 120) -> Expr:
    """Close against the last confirmed swing low: support above 0, broken below 0.

    Unit: fraction. NaN where the last ``bars`` bars confirmed none.

    Source: Murphy (1999), Technical Analysis of the Financial Markets, ch. 4, support and resistance.
    """
    return close / troughs(low, wing).latest(bars) - 1


@feature
def swing_high_age(high: Expr, *, wing: int = 3, bars: int = 120) -> Expr:
    """Bars since the last confirmed swing high.

    Unit: bars. NaN where a bar is missing, and where the last ``bars`` bars confirmed none.

    Source: Murphy (1999), Technical Analysis of the Financial Markets, ch. 4, support and resistance.
    """
    return where(high > 0, peaks(high, wing).since(bars) + wing, 0)


@feature
def swing_low_age(low: Expr, *, wing: int = 3, bars: int = 120) -> Expr:
    """Bars since the last confirmed swing low.

    Unit: bars. NaN where a bar is missing, and where the last ``bars`` bars confirmed none.

    Source: Murphy (1999), Technical Analysis of the Financial Markets, ch. 4, support and resistance.
    """
    return where(low > 0, troughs(low, wing).since(bars) + wing, 0)


@feature
def swing_position(high: Expr, low: Expr, close: Expr, *, wing: int = 3, bars: int = 120) -> Expr:
    """Where the close lies between the last confirmed swing low and swing high; outside of 0 to 1 it has left them.

    Unit: share, 0 at the low, 1 at the high, at least -1 and at most 2. NaN where the last ``bars`` bars did not
    confirm both, and where the high does not lie above the low.

    Source: Murphy (1999), Technical Analysis of the Financial Markets, ch. 4, retracements.
    """
    top, bottom = peaks(high, wing).latest(bars), troughs(low, wing).latest(bars)
    return ((close - bottom) / (top - bottom) / (top > bottom)).clip(-1, 2)


@feature
def resistance_count(high: Expr, low: Expr, close: Expr, *, wing: int = 3, bars: int = 250, reach: float = 2.0) -> Expr:
    """How many of the last five swing highs and five swing lows lie just above the close.

    Just above is within ``reach`` mean true ranges of 20 bars. Unit: swing points, 0 to 10. NaN until 21 bars are
    there; swing points count that the last ``bars`` bars confirmed.

    Source: Osler (2000), FRBNY Economic Policy Review 6(2), which levels are called support and resistance.
    """
    unit = reach * true_range(high, low, close).mean(20)
    return _points_between(high, low, wing, bars, close, close + unit)


@feature
def support_count(high: Expr, low: Expr, close: Expr, *, wing: int = 3, bars: int = 250, reach: float = 2.0) -> Expr:
    """How many of the last five swing highs and five swing lows lie just below the close.

    Just below is within ``reach`` mean true ranges of 20 bars. Unit: swing points, 0 to 10. NaN until 21 bars are
    there; swing points count that the last ``bars`` bars confirmed.

    Source: Osler (2000), FRBNY Economic Policy Review 6(2), which levels are called support and resistance.
    """
    unit = reach * true_range(high, low, close).mean(20)
    return _points_between(high, low, wing, bars, close - unit, close)


@feature
def trendline_resistance(high: Expr, close: Expr, *, wing: int = 3, bars: int = 120) -> Expr:
    """Close minus the line through the two newest swing highs, over the close: broken above 0.

    Unit: fraction of the close. NaN where the last ``bars`` bars confirmed fewer than two.

    Source: Murphy (1999), Technical Analysis of the Financial Markets, ch. 4, trendlines.
    """
    return (close - _line(peaks(high, wing), wing, bars)) / close


@feature
def trendline_support(low: Expr, close: Expr, *, wing: int = 3, bars: int = 120) -> Expr:
    """Close minus the line through the two newest swing lows, over the close: broken below 0.

    Unit: fraction of the close. NaN where the last ``bars`` bars confirmed fewer than two.

    Source: Murphy (1999), Technical Analysis of the Financial Markets, ch. 4, trendlines.
    """
    return (close - _line(troughs(low, wing), wing, bars)) / close


def _height(high: Expr, low: Expr, bars: int) -> Expr:
    return high.max(bars, most(bars)) - low.min(bars, most(bars))


def _window(high: Expr, low: Expr) -> Expr:
    return maximum(low - high.shift(1), 0) + minimum(high - low.shift(1), 0)


def _points_between(high: Expr, low: Expr, wing: int, bars: int, lower: Expr, upper: Expr) -> Expr:
    points = [swing.latest(bars, nth) for swing in (peaks(high, wing), troughs(low, wing)) for nth in range(1, 6)]
    inside = reduce(Expr.__add__, (or_zero((point >= lower) * (point <= upper)) for point in points))
    return where(upper > lower, inside, 0)


def _line(points: Expr, wing: int, bars: int) -> Expr:
    """Return the line through the two newest points at the current bar; each became known ``wing`` bars late."""
    newer, older = points.latest(bars), points.latest(bars, 2)
    age, apart = points.since(bars) + wing, points.since(bars, 2) - points.since(bars)
    return newer + (newer - older) / apart * age
