"""Chart patterns: shapes that the newest swing points make, known once the last of them is confirmed.

A pattern is there from the bar that confirms its last swing point, ``wing`` bars after it, until another one is
confirmed, and at most while its oldest one is among those that the last ``bars`` bars confirmed. Prices count as equal
within ``tolerance`` of the pattern's height.
"""

from functools import reduce

from aitrader.features.bars import seen, true_range
from aitrader.features.candle import every
from aitrader.features.feature import feature
from aitrader.features.swings import Turns, or_zero
from aitrader.panel.expr import Expr, maximum, minimum, where


@feature
def pattern_double_top(
    high: Expr, low: Expr, close: Expr, *, wing: int = 3, bars: int = 120, tolerance: float = 0.2, apart: int = 10
) -> Expr:
    """Two tops of one height, ``apart`` bars from each other or more, after a rise from below the low between them.

    Unit: -1 (bearish) where it is there, else 0. NaN until four fifths of the ``bars`` bars are there.

    Source: Bulkowski (2005), Encyclopedia of Chart Patterns, Double tops; Lo, Mamaysky & Wang (2000), J. Finance 55(4).
    """
    return -_found(close, bars, _double(Turns(high, low, wing, bars), 1, tolerance, apart))


@feature
def pattern_double_bottom(
    high: Expr, low: Expr, close: Expr, *, wing: int = 3, bars: int = 120, tolerance: float = 0.2, apart: int = 10
) -> Expr:
    """Two bottoms of one depth, ``apart`` bars from each other or more, after a fall from above the high between them.

    Unit: 1 (bullish) where it is there, else 0. NaN until four fifths of the ``bars`` bars are there.

    Source: Bulkowski (2005), Encyclopedia of Chart Patterns, Double bottoms; Lo, Mamaysky & Wang (2000), J. Finance
    55(4).
    """
    return _found(close, bars, _double(Turns(high, low, wing, bars), -1, tolerance, apart))


@feature
def pattern_triple_top(
    high: Expr, low: Expr, close: Expr, *, wing: int = 3, bars: int = 120, tolerance: float = 0.25
) -> Expr:
    """Three tops of one height after a rise from below the lows between them.

    Unit: -1 (bearish) where it is there, else 0. NaN until four fifths of the ``bars`` bars are there.

    Source: Bulkowski (2005), Encyclopedia of Chart Patterns, Triple tops.
    """
    return -_found(close, bars, _triple(Turns(high, low, wing, bars), 1, tolerance))


@feature
def pattern_triple_bottom(
    high: Expr, low: Expr, close: Expr, *, wing: int = 3, bars: int = 120, tolerance: float = 0.25
) -> Expr:
    """Three bottoms of one depth after a fall from above the highs between them.

    Unit: 1 (bullish) where it is there, else 0. NaN until four fifths of the ``bars`` bars are there.

    Source: Bulkowski (2005), Encyclopedia of Chart Patterns, Triple bottoms.
    """
    return _found(close, bars, _triple(Turns(high, low, wing, bars), -1, tolerance))


@feature
def pattern_head_and_shoulders(
    high: Expr, low: Expr, close: Expr, *, wing: int = 3, bars: int = 120, tolerance: float = 0.35
) -> Expr:
    """A top between two lower ones of one height, with lows of one depth between them, after a rise from below those.

    Unit: -1 (bearish) where it is there, else 0. NaN until four fifths of the ``bars`` bars are there.

    Source: Lo, Mamaysky & Wang (2000), J. Finance 55(4), definition 1, with swing points for kernel extremes.
    """
    return -_found(close, bars, _shoulders(Turns(high, low, wing, bars), 1, tolerance))


@feature
def pattern_inverse_head_and_shoulders(
    high: Expr, low: Expr, close: Expr, *, wing: int = 3, bars: int = 120, tolerance: float = 0.35
) -> Expr:
    """A bottom between two higher ones of one depth, with highs of one height between them, after a fall from above.

    Unit: 1 (bullish) where it is there, else 0. NaN until four fifths of the ``bars`` bars are there.

    Source: Lo, Mamaysky & Wang (2000), J. Finance 55(4), definition 1, with swing points for kernel extremes.
    """
    return _found(close, bars, _shoulders(Turns(high, low, wing, bars), -1, tolerance))


@feature
def pattern_ascending_triangle(
    high: Expr, low: Expr, close: Expr, *, wing: int = 3, bars: int = 120, tolerance: float = 0.15
) -> Expr:
    """Two tops of one height over two rising bottoms.

    Unit: 1 (bullish) where it is there, else 0. NaN until four fifths of the ``bars`` bars are there.

    Source: Bulkowski (2005), Encyclopedia of Chart Patterns, Triangles, ascending.
    """
    tops, bottoms = _moves(high, low, wing, bars)
    return _found(close, bars, (tops.abs() <= tolerance) * (bottoms > tolerance))


@feature
def pattern_descending_triangle(
    high: Expr, low: Expr, close: Expr, *, wing: int = 3, bars: int = 120, tolerance: float = 0.15
) -> Expr:
    """Two falling tops over two bottoms of one depth.

    Unit: -1 (bearish) where it is there, else 0. NaN until four fifths of the ``bars`` bars are there.

    Source: Bulkowski (2005), Encyclopedia of Chart Patterns, Triangles, descending.
    """
    tops, bottoms = _moves(high, low, wing, bars)
    return -_found(close, bars, (bottoms.abs() <= tolerance) * (tops < -tolerance))


@feature
def pattern_symmetric_triangle(
    high: Expr, low: Expr, close: Expr, *, wing: int = 3, bars: int = 120, tolerance: float = 0.15
) -> Expr:
    """Two falling tops over two rising bottoms.

    Unit: 1 where it is there, else 0. NaN until four fifths of the ``bars`` bars are there.

    Source: Bulkowski (2005), Encyclopedia of Chart Patterns, Triangles, symmetrical.
    """
    tops, bottoms = _moves(high, low, wing, bars)
    return _found(close, bars, (tops < -tolerance) * (bottoms > tolerance))


@feature
def pattern_broadening(
    high: Expr, low: Expr, close: Expr, *, wing: int = 3, bars: int = 120, tolerance: float = 0.15
) -> Expr:
    """Two rising tops over two falling bottoms.

    Unit: 1 where it is there, else 0. NaN until four fifths of the ``bars`` bars are there.

    Source: Bulkowski (2005), Encyclopedia of Chart Patterns, Broadening tops; Lo, Mamaysky & Wang (2000), J. Finance
    55(4), definition 2.
    """
    tops, bottoms = _moves(high, low, wing, bars)
    return _found(close, bars, (tops > tolerance) * (bottoms < -tolerance))


@feature
def pattern_rectangle(
    high: Expr, low: Expr, close: Expr, *, wing: int = 3, bars: int = 120, tolerance: float = 0.15
) -> Expr:
    """Two tops of one height over two bottoms of one depth.

    Unit: 1 where it is there, else 0. NaN until four fifths of the ``bars`` bars are there.

    Source: Bulkowski (2005), Encyclopedia of Chart Patterns, Rectangle tops; Lo, Mamaysky & Wang (2000), J. Finance
    55(4), definition 4.
    """
    tops, bottoms = _moves(high, low, wing, bars)
    return _found(close, bars, maximum(tops.abs(), bottoms.abs()) <= tolerance)


@feature
def pattern_channel(
    high: Expr, low: Expr, close: Expr, *, wing: int = 3, bars: int = 120, tolerance: float = 0.15
) -> Expr:
    """Two tops and two bottoms that rise, or fall, by the same amount.

    Unit: 1 rising, -1 falling, 0 none. NaN until four fifths of the ``bars`` bars are there.

    Source: Murphy (1999), Technical Analysis of the Financial Markets, ch. 4, the channel line.
    """
    tops, bottoms = _moves(high, low, wing, bars)
    way = (minimum(tops, bottoms) > tolerance) * 1 - (maximum(tops, bottoms) < -tolerance)
    return _found(close, bars, way * ((tops - bottoms).abs() <= tolerance))


@feature
def pattern_rising_wedge(
    high: Expr, low: Expr, close: Expr, *, wing: int = 3, bars: int = 120, tolerance: float = 0.15
) -> Expr:
    """Two rising tops over two bottoms that rise more.

    Unit: -1 (bearish) where it is there, else 0. NaN until four fifths of the ``bars`` bars are there.

    Source: Bulkowski (2005), Encyclopedia of Chart Patterns, Wedges, rising.
    """
    tops, bottoms = _moves(high, low, wing, bars)
    return -_found(close, bars, (tops > tolerance) * (bottoms > tops + tolerance))


@feature
def pattern_falling_wedge(
    high: Expr, low: Expr, close: Expr, *, wing: int = 3, bars: int = 120, tolerance: float = 0.15
) -> Expr:
    """Two falling bottoms under two tops that fall more.

    Unit: 1 (bullish) where it is there, else 0. NaN until four fifths of the ``bars`` bars are there.

    Source: Bulkowski (2005), Encyclopedia of Chart Patterns, Wedges, falling.
    """
    tops, bottoms = _moves(high, low, wing, bars)
    return _found(close, bars, (bottoms < -tolerance) * (tops < bottoms - tolerance))


@feature
def pattern_dow_trend(high: Expr, low: Expr, close: Expr, *, wing: int = 3, bars: int = 120) -> Expr:
    """Whether the two newest tops and the two newest bottoms rise, or fall.

    Unit: 1 both rise, -1 both fall, 0 neither. NaN until four fifths of the ``bars`` bars are there.

    Source: Rhea (1932), The Dow Theory, successive rallies and declines.
    """
    tops, bottoms = _moves(high, low, wing, bars)
    return _found(close, bars, (minimum(tops, bottoms) > 0) * 1 - (maximum(tops, bottoms) < 0))


@feature
def pattern_flag(high: Expr, low: Expr, close: Expr, *, pole: int = 10, flag: int = 8, force: float = 4.0) -> Expr:
    """A move of ``force`` mean true ranges or more, then ``flag`` bars within half of it that lean against it.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until ``pole + flag + 21`` bars are there.

    Source: Bulkowski (2005), Encyclopedia of Chart Patterns, Flags.
    """
    way = _pole(high, low, close, pole, flag, force)
    drift = close - close.shift(flag - 1)
    return way * (way * drift.sign() <= 0)


@feature
def pattern_pennant(high: Expr, low: Expr, close: Expr, *, pole: int = 10, flag: int = 8, force: float = 4.0) -> Expr:
    """A move of ``force`` mean true ranges or more, then ``flag`` bars within half of it whose range halves.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until ``pole + flag + 21`` bars are there.

    Source: Bulkowski (2005), Encyclopedia of Chart Patterns, Pennants.
    """
    half = max(1, flag // 2)
    later, earlier = (expr.max(half) for expr in (high, high.shift(half)))
    late_range, early_range = later - low.min(half), earlier - low.shift(half).min(half)
    return _pole(high, low, close, pole, flag, force) * (late_range <= early_range / 2)


def _found(close: Expr, bars: int, pattern: Expr) -> Expr:
    """``pattern``, 0 where swing points are missing, NaN where bars are."""
    return where(seen(close, bars), or_zero(pattern), 0)


def _double(turns: Turns, side: int, tolerance: float, apart: int) -> Expr:
    """Tops for ``side`` 1, bottoms, the other way up, for -1."""
    before, first, middle, last = (side * price for price in turns.prices(4))
    equal = (first - last).abs() <= tolerance * (maximum(first, last) - middle)
    return every(turns.side() * side > 0, equal, before < middle, turns.age(3) - turns.age(1) >= apart)


def _triple(turns: Turns, side: int, tolerance: float) -> Expr:
    before, first, low, second, other, third = (side * price for price in turns.prices(6))
    tops = (first, second, third)
    highest, lowest, floor = reduce(maximum, tops), reduce(minimum, tops), minimum(low, other)
    return every(turns.side() * side > 0, highest - lowest <= tolerance * (highest - floor), before < floor)


def _shoulders(turns: Turns, side: int, tolerance: float) -> Expr:
    before, left, neck, head, other, right = (side * price for price in turns.prices(6))
    height = head - (neck + other) / 2
    shape = every(
        head > maximum(left, right), minimum(left, right) > maximum(neck, other), before < minimum(neck, other)
    )
    level = ((left - right).abs() <= tolerance * height) * ((neck - other).abs() <= tolerance * height)
    return every(turns.side() * side > 0, shape, level)


def _moves(high: Expr, low: Expr, wing: int, bars: int) -> tuple[Expr, Expr]:
    """Return how far the newest top lies above the one before, and the newest bottom, both over the older height.

    NaN where the older top does not lie above the older bottom.
    """
    turns = Turns(high, low, wing, bars)
    fourth, third, second, first = turns.prices(4)
    ends_high = turns.side() > 0
    old_top, old_bottom = where(ends_high, third, fourth), where(ends_high, fourth, third)
    new_top, new_bottom = where(ends_high, first, second), where(ends_high, second, first)
    height = (old_top - old_bottom) / (old_top > old_bottom)
    return (new_top - old_top) / height, (new_bottom - old_bottom) / height


def _pole(high: Expr, low: Expr, close: Expr, pole: int, flag: int, force: float) -> Expr:
    """1 or -1 where a strong move up or down is followed by ``flag`` bars that keep half of it, else 0."""
    move = close.shift(flag) - close.shift(flag + pole)
    usual = true_range(high, low, close).mean(20).shift(flag + pole)
    strong = move.abs() >= force * usual
    top, bottom = high.max(flag), low.min(flag)
    kept = where(move > 0, bottom >= close.shift(flag) - move / 2, top <= close.shift(flag) - move / 2)
    return every(move.sign(), strong, kept, top - bottom <= move.abs() / 2)
