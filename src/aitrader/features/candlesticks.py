"""Candlesticks of one bar, some of them against the bar before.

Sizes are relative to the bars before, as ``features.candle`` says. The trend before a pattern is no part of it.
"""

from aitrader.features.candle import Candle, belt_hold, body_gap_down, body_gap_up, candles, every, marubozu
from aitrader.features.feature import feature
from aitrader.panel.expr import Expr, maximum, minimum


@feature
def candle_doji(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Open and close are almost one price.

    Unit: 1 where it is there, else 0. NaN until 11 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 8; TA-Lib CDLDOJI.
    """
    (it,) = candles(1, open, high, low, close)
    return it.doji


@feature
def candle_dragonfly_doji(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A doji with a lower shadow and no upper one.

    Unit: 1 where it is there, else 0. NaN until 11 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 8; TA-Lib CDLDRAGONFLYDOJI.
    """
    (it,) = candles(1, open, high, low, close)
    return every(it.doji, it.no_upper, it.some_lower)


@feature
def candle_gravestone_doji(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A doji with an upper shadow and no lower one.

    Unit: 1 where it is there, else 0. NaN until 11 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 8; TA-Lib CDLGRAVESTONEDOJI.
    """
    (it,) = candles(1, open, high, low, close)
    return every(it.doji, it.no_lower, it.some_upper)


@feature
def candle_long_legged_doji(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A doji with a shadow longer than its body.

    Unit: 1 where it is there, else 0. NaN until 11 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 8; TA-Lib CDLLONGLEGGEDDOJI.
    """
    (it,) = candles(1, open, high, low, close)
    return it.doji * (maximum(it.lower, it.upper) > it.body)


@feature
def candle_rickshaw_man(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A doji with two shadows and its body in the middle of its range.

    Unit: 1 where it is there, else 0. NaN until 11 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 8; TA-Lib CDLRICKSHAWMAN.
    """
    (it,) = candles(1, open, high, low, close)
    middle = it.low + it.range / 2
    central = (it.bottom <= middle + it.near) * (it.top >= middle - it.near)
    return every(it.doji, minimum(it.lower, it.upper) > it.body, central)


@feature
def candle_takuri(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A doji without upper shadow whose lower one is more than twice its body.

    Unit: 1 (bullish) where it is there, else 0. NaN until 11 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDLTAKURI.
    """
    (it,) = candles(1, open, high, low, close)
    return every(it.doji, it.no_upper, it.lower > 2 * it.body)


@feature
def candle_marubozu(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A long body with almost no shadows.

    Unit: 1 white, -1 black, 0 none. NaN until 11 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 3; TA-Lib CDLMARUBOZU.
    """
    (it,) = candles(1, open, high, low, close)
    return it.colour * marubozu(it)


@feature
def candle_closing_marubozu(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A long body that closes at its high (white) or its low (black).

    Unit: 1 white, -1 black, 0 none. NaN until 11 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDLCLOSINGMARUBOZU.
    """
    (it,) = candles(1, open, high, low, close)
    return it.long * (it.white * it.no_upper - it.black * it.no_lower)


@feature
def candle_belt_hold(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A long body that opens at its low (white) or its high (black).

    Unit: 1 white, -1 black, 0 none. NaN until 11 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 6; TA-Lib CDLBELTHOLD.
    """
    (it,) = candles(1, open, high, low, close)
    return belt_hold(it)


@feature
def candle_long_line(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A long body with short shadows.

    Unit: 1 white, -1 black, 0 none. NaN until 11 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDLLONGLINE.
    """
    (it,) = candles(1, open, high, low, close)
    return every(it.colour, it.long, it.short_shadows)


@feature
def candle_short_line(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A short body with short shadows.

    Unit: 1 white, -1 black, 0 none. NaN until 11 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDLSHORTLINE.
    """
    (it,) = candles(1, open, high, low, close)
    return every(it.colour, it.short, it.short_shadows)


@feature
def candle_spinning_top(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A short body with two shadows that are longer.

    Unit: 1 white, -1 black, 0 none. NaN until 11 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 3; TA-Lib CDLSPINNINGTOP.
    """
    (it,) = candles(1, open, high, low, close)
    return every(it.colour, it.short, minimum(it.upper, it.lower) > it.body)


@feature
def candle_high_wave(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A short body with two shadows more than twice as long.

    Unit: 1 white, -1 black, 0 none. NaN until 11 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 8; TA-Lib CDLHIGHWAVE.
    """
    (it,) = candles(1, open, high, low, close)
    return every(it.colour, it.short, minimum(it.upper, it.lower) > 2 * it.body)


@feature
def candle_hammer(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A short body with a long lower shadow, near or below the low before it.

    Unit: 1 (bullish) where it is there, else 0. NaN until 11 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 4; TA-Lib CDLHAMMER.
    """
    before, it = candles(2, open, high, low, close)
    return every(_umbrella(it), it.bottom <= before.low + before.near)


@feature
def candle_hanging_man(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A short body with a long lower shadow, near or above the high before it.

    Unit: -1 (bearish) where it is there, else 0. NaN until 11 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 4; TA-Lib CDLHANGINGMAN.
    """
    before, it = candles(2, open, high, low, close)
    return -every(_umbrella(it), it.bottom >= before.high - before.near)


@feature
def candle_inverted_hammer(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A short body with a long upper shadow, below the body before it.

    Unit: 1 (bullish) where it is there, else 0. NaN until 11 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 5; TA-Lib CDLINVERTEDHAMMER.
    """
    before, it = candles(2, open, high, low, close)
    return every(it.short, it.upper > it.body, it.no_lower, body_gap_down(it, before))


@feature
def candle_shooting_star(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A short body with a long upper shadow, above the body before it.

    Unit: -1 (bearish) where it is there, else 0. NaN until 11 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 5; TA-Lib CDLSHOOTINGSTAR.
    """
    before, it = candles(2, open, high, low, close)
    return -every(it.short, it.upper > it.body, it.no_lower, body_gap_up(it, before))


def _umbrella(it: Candle) -> Expr:
    return every(it.short, it.lower > it.body, it.no_upper)
