"""Candlestick patterns of two bars.

Sizes are relative to the bars before, as ``features.candle`` says. The trend before a pattern is no part of it.
"""

from aitrader.features.candle import (
    Candle,
    belt_hold,
    between,
    body_gap_down,
    body_gap_up,
    candles,
    every,
    marubozu,
    within,
)
from aitrader.features.feature import feature
from aitrader.panel.expr import Expr, maximum


@feature
def candle_engulfing(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A body that holds the one before, which has the other colour; an end may be the same.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 2 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 4; TA-Lib CDLENGULFING.
    """
    first, second = candles(2, open, high, low, close)
    larger = maximum(
        (second.top >= first.top) * (second.bottom < first.bottom),
        (second.top > first.top) * (second.bottom <= first.bottom),
    )
    return every(second.colour, first.white * second.black + first.black * second.white, larger)


@feature
def candle_harami(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A short body inside the long one before it, as opposed to that one's colour; an end may be the same.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 12 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 6; TA-Lib CDLHARAMI.
    """
    first, second = candles(2, open, high, low, close)
    return -every(first.colour, first.long, second.short, _inside(second, first))


@feature
def candle_harami_cross(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A doji inside the long body before it, as opposed to that one's colour; an end may be the same.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 12 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 6; TA-Lib CDLHARAMICROSS.
    """
    first, second = candles(2, open, high, low, close)
    return -every(first.colour, first.long, second.doji, _inside(second, first))


@feature
def candle_piercing(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A long white body from below the low of a long black one to above its middle.

    Unit: 1 (bullish) where it is there, else 0. NaN until 12 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 4; TA-Lib CDLPIERCING.
    """
    first, second = candles(2, open, high, low, close)
    entered = between(second.close, first.close + first.body / 2, first.open)
    return every(first.black, first.long, second.white, second.long, second.open < first.low, entered)


@feature
def candle_dark_cloud_cover(open: Expr, high: Expr, low: Expr, close: Expr, *, penetration: float = 0.5) -> Expr:
    """A black body from above the high of a long white one to below its middle.

    Unit: -1 (bearish) where it is there, else 0. NaN until 12 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 4; TA-Lib CDLDARKCLOUDCOVER.
    """
    first, second = candles(2, open, high, low, close)
    entered = between(second.close, first.open, first.close - first.body * penetration)
    return -every(first.white, first.long, second.black, second.open > first.high, entered)


@feature
def candle_doji_star(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A doji beyond the end of a long body, as opposed to that one's colour.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 12 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 5; TA-Lib CDLDOJISTAR.
    """
    first, second = candles(2, open, high, low, close)
    star = first.black * body_gap_down(second, first) - first.white * body_gap_up(second, first)
    return every(star, first.long, second.doji)


@feature
def candle_kicking(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Two marubozu of opposite colours with a gap between them, in the direction of the second.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 12 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDLKICKING.
    """
    first, second = candles(2, open, high, low, close)
    kick = every(first.black, second.white, second.low > first.high) - every(
        first.white, second.black, second.high < first.low
    )
    return every(kick, marubozu(first), marubozu(second))


@feature
def candle_matching_low(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Two black candles with the same close.

    Unit: 1 (bullish) where it is there, else 0. NaN until 7 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDLMATCHINGLOW.
    """
    first, second = candles(2, open, high, low, close)
    return every(first.black, second.black, within(second.close, first.close, first.equal))


@feature
def candle_homing_pigeon(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A short black body inside the long black one before it.

    Unit: 1 (bullish) where it is there, else 0. NaN until 12 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDLHOMINGPIGEON.
    """
    first, second = candles(2, open, high, low, close)
    inner = (second.open < first.open) * (second.close > first.close)
    return every(first.black, second.black, first.long, second.short, inner)


@feature
def candle_counterattack(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Two long bodies of opposite colours with the same close.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 12 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 6; TA-Lib CDLCOUNTERATTACK.
    """
    first, second = candles(2, open, high, low, close)
    turned = first.black * second.white - first.white * second.black
    return every(turned, first.long, second.long, within(second.close, first.close, first.equal))


@feature
def candle_separating_lines(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A belt hold that opens where the opposite candle before it opened.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 11 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 7; TA-Lib CDLSEPARATINGLINES.
    """
    first, second = candles(2, open, high, low, close)
    turned = first.black * second.white + first.white * second.black
    return every(turned, belt_hold(second), within(second.open, first.open, first.equal))


@feature
def candle_on_neck(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A white candle from below the low of a long black one back to that low.

    Unit: -1 (bearish) where it is there, else 0. NaN until 12 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 4; TA-Lib CDLONNECK.
    """
    first, second = candles(2, open, high, low, close)
    return -every(_rebound(first, second), within(second.close, first.low, first.equal))


@feature
def candle_in_neck(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A white candle from below the low of a long black one to its close, or slightly above.

    Unit: -1 (bearish) where it is there, else 0. NaN until 12 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 4; TA-Lib CDLINNECK.
    """
    first, second = candles(2, open, high, low, close)
    reached = (second.close >= first.close) * (second.close <= first.close + first.equal)
    return -every(_rebound(first, second), reached)


@feature
def candle_thrusting(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A white candle from below the low of a long black one into its body, not above its middle.

    Unit: -1 (bearish) where it is there, else 0. NaN until 12 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 4; TA-Lib CDLTHRUSTING.
    """
    first, second = candles(2, open, high, low, close)
    reached = (second.close > first.close + first.equal) * (second.close <= first.close + first.body / 2)
    return -every(_rebound(first, second), reached)


@feature
def candle_tweezers(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Two candles of opposite colours with the same low (bullish) or the same high (bearish).

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 7 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 6.
    """
    first, second = candles(2, open, high, low, close)
    bottoms = every(first.black, second.white, within(second.low, first.low, first.equal))
    return bottoms - every(first.white, second.black, within(second.high, first.high, first.equal))


def _inside(inner: Candle, outer: Candle) -> Expr:
    return (inner.top <= outer.top) * (inner.bottom >= outer.bottom)


def _rebound(first: Candle, second: Candle) -> Expr:
    return every(first.black, first.long, second.white, second.open < first.low)
