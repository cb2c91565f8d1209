"""Candlestick patterns of four and five bars.

Sizes are relative to the bars before, as ``features.candle`` says. The trend before a pattern is no part of it.
"""

from itertools import pairwise

from aitrader.features.candle import (
    Candle,
    between,
    body_gap_down,
    body_gap_up,
    candles,
    crows,
    every,
    falling,
    rising,
)
from aitrader.features.feature import feature
from aitrader.panel.expr import Expr, maximum


@feature
def candle_three_black_crows(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Three black candles that close ever lower near their lows, each opening in the body before, after a white one.

    Unit: -1 (bearish) where it is there, else 0. NaN until 13 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 6; TA-Lib CDL3BLACKCROWS.
    """
    before, *three = candles(4, open, high, low, close)
    first, second, third = three
    lower = falling(before.high, first.close, second.close, third.close)
    opened = between(second.open, first.close, first.open) * between(third.open, second.close, second.open)
    return -every(before.white, crows(*three), lower, opened)


@feature
def candle_three_line_strike(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Three candles in one direction, then one that takes them all back, in the direction of the three.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 9 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDL3LINESTRIKE.
    """
    *three, last = candles(4, open, high, low, close)
    opened = every(*(_near_body(after.open, it) for it, after in pairwise(three)))
    way = [*(it.close for it in three), last.open]
    up = every(*(it.white for it in three), last.black, rising(*way), last.close < three[0].open)
    down = every(*(it.black for it in three), last.white, falling(*way), last.close > three[0].open)
    return (up - down) * opened


@feature
def candle_concealing_baby_swallow(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Two black marubozu, a black candle that gaps down with an upper shadow, and one that engulfs it.

    Unit: 1 (bullish) where it is there, else 0. NaN until 14 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDLCONCEALBABYSWALL.
    """
    first, second, third, last = candles(4, open, high, low, close)
    opening = every(*(it.black * it.no_upper * it.no_lower for it in (first, second)))
    swallowed = every(third.black, body_gap_down(third, second), third.some_upper, third.high > second.close)
    return every(opening, swallowed, last.black, last.high > third.high, last.low < third.low)


@feature
def candle_ladder_bottom(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Three black candles that open and close ever lower, one with an upper shadow, and a white one above it.

    Unit: 1 (bullish) where it is there, else 0. NaN until 12 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDLLADDERBOTTOM.
    """
    *three, fourth, last = candles(5, open, high, low, close)
    down = every(*(it.black for it in three), falling(*(it.open for it in three)), falling(*(it.close for it in three)))
    turn = every(last.white, last.open > fourth.open, last.close > fourth.high)
    return every(down, fourth.black, fourth.some_upper, turn)


@feature
def candle_breakaway(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A long body, a gap and two further candles the same way, then one back into the gap.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 15 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDLBREAKAWAY.
    """
    first, *three, last = candles(5, open, high, low, close)
    second, _, fourth = three
    highs, lows = [it.high for it in three], [it.low for it in three]
    down = every(first.black, second.black, fourth.black, last.white, body_gap_down(second, first))
    up = every(first.white, second.white, fourth.white, last.black, body_gap_up(second, first))
    back_up = every(falling(*highs), falling(*lows), between(last.close, second.open, first.close))
    back_down = every(rising(*highs), rising(*lows), between(last.close, first.close, second.open))
    return first.long * (down * back_up - up * back_down)


@feature
def candle_three_methods(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A long body, three short ones that move back inside its range, and a long one that goes on.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 15 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 7; TA-Lib CDLRISEFALL3METHODS.
    """
    first, *three, last = candles(5, open, high, low, close)
    held = every(*(it.short * (it.bottom < first.high) * (it.top > first.low) for it in three))
    closes = [it.close for it in three]
    dip = every(*(it.black for it in three), falling(*closes), last.open > closes[-1], last.close > first.close)
    rally = every(*(it.white for it in three), rising(*closes), last.open < closes[-1], last.close < first.close)
    moves = first.white * last.white * dip - first.black * last.black * rally
    return every(moves, held, first.long, last.long)


@feature
def candle_mat_hold(open: Expr, high: Expr, low: Expr, close: Expr, *, penetration: float = 0.5) -> Expr:
    """A long white body, a gap and three short ones that fall back into it, and a white one to a new high.

    Unit: 1 (bullish) where it is there, else 0. NaN until 15 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDLMATHOLD.
    """
    first, *three, last = candles(5, open, high, low, close)
    second, third, fourth = three
    floor = first.close - first.body * penetration
    held = every(*(between(it.bottom, floor, first.close) for it in (third, fourth)), *(it.short for it in three))
    drop = every(second.black, body_gap_up(second, first), falling(second.open, third.top, fourth.top))
    highest = maximum(maximum(second.high, third.high), fourth.high)
    onward = every(last.white, last.open > fourth.close, last.close > highest)
    return every(first.white, first.long, held, drop, onward)


def _near_body(price: Expr, candle: Candle) -> Expr:
    return (price >= candle.bottom - candle.near) * (price <= candle.top + candle.near)
