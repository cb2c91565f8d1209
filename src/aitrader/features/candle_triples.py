"""Candlestick patterns of three bars.

Sizes are relative to the bars before, as ``features.candle`` says. The trend before a pattern is no part of it.
"""

from aitrader.features.candle import Candle, between, body_gap_down, body_gap_up, candles, crows, every, within
from aitrader.features.feature import feature
from aitrader.panel.expr import Expr, maximum


@feature
def candle_morning_star(open: Expr, high: Expr, low: Expr, close: Expr, *, penetration: float = 0.3) -> Expr:
    """A long black body, a short one below it, and a white one that reaches back into the first.

    Unit: 1 (bullish) where it is there, else 0. NaN until 13 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 5; TA-Lib CDLMORNINGSTAR.
    """
    first, second, third = candles(3, open, high, low, close)
    return every(_morning(first, second, third, penetration), second.short)


@feature
def candle_evening_star(open: Expr, high: Expr, low: Expr, close: Expr, *, penetration: float = 0.3) -> Expr:
    """A long white body, a short one above it, and a black one that reaches back into the first.

    Unit: -1 (bearish) where it is there, else 0. NaN until 13 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 5; TA-Lib CDLEVENINGSTAR.
    """
    first, second, third = candles(3, open, high, low, close)
    return -every(_evening(first, second, third, penetration), second.short)


@feature
def candle_morning_doji_star(open: Expr, high: Expr, low: Expr, close: Expr, *, penetration: float = 0.3) -> Expr:
    """A morning star whose middle is a doji.

    Unit: 1 (bullish) where it is there, else 0. NaN until 13 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 5; TA-Lib CDLMORNINGDOJISTAR.
    """
    first, second, third = candles(3, open, high, low, close)
    return every(_morning(first, second, third, penetration), second.doji)


@feature
def candle_evening_doji_star(open: Expr, high: Expr, low: Expr, close: Expr, *, penetration: float = 0.3) -> Expr:
    """An evening star whose middle is a doji.

    Unit: -1 (bearish) where it is there, else 0. NaN until 13 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 5; TA-Lib CDLEVENINGDOJISTAR.
    """
    first, second, third = candles(3, open, high, low, close)
    return -every(_evening(first, second, third, penetration), second.doji)


@feature
def candle_abandoned_baby(open: Expr, high: Expr, low: Expr, close: Expr, *, penetration: float = 0.3) -> Expr:
    """A doji star whose doji, shadows included, stands apart from both neighbours.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 13 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 5; TA-Lib CDLABANDONEDBABY.
    """
    first, second, third = candles(3, open, high, low, close)
    below = (second.high < first.low) * (third.low > second.high)
    above = (second.low > first.high) * (third.high < second.low)
    bottom = every(first.black, third.white, third.close > first.close + first.body * penetration, below)
    top = every(first.white, third.black, third.close < first.close - first.body * penetration, above)
    return every(bottom - top, first.long, second.doji, third.body > third.usual_body)


@feature
def candle_tri_star(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Three doji, the middle one beyond both others.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 13 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 8; TA-Lib CDLTRISTAR.
    """
    first, second, third = candles(3, open, high, low, close)
    all_doji = every(*(it.body <= first.doji_body for it in (first, second, third)))
    bottom = body_gap_down(second, first) * (third.bottom > second.bottom)
    return every(bottom - body_gap_up(second, first) * (third.top < second.top), all_doji)


@feature
def candle_three_white_soldiers(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Three white candles that close ever higher near their highs, each opening in or near the body before.

    Unit: 1 (bullish) where it is there, else 0. NaN until 13 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 6; TA-Lib CDL3WHITESOLDIERS.
    """
    first, second, third = candles(3, open, high, low, close)
    closed_high = every(first.no_upper, second.no_upper, third.no_upper)
    strong = (second.body > first.body - first.far) * (third.body > second.body - second.far)
    return every(_advance(first, second), _advance(second, third), closed_high, strong, third.body > third.usual_body)


@feature
def candle_identical_three_crows(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Three black candles that close ever lower near their lows, each opening at the close before.

    Unit: -1 (bearish) where it is there, else 0. NaN until 13 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDLIDENTICAL3CROWS.
    """
    first, second, third = candles(3, open, high, low, close)
    lower = (second.close < first.close) * (third.close < second.close)
    opened = within(second.open, first.close, first.equal) * within(third.open, second.close, second.equal)
    return -every(crows(first, second, third), lower, opened)


@feature
def candle_three_inside(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A harami that the third candle confirms beyond the first one's open.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 13 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDL3INSIDE.
    """
    first, second, third = candles(3, open, high, low, close)
    inner = (second.top < first.top) * (second.bottom > first.bottom)
    up = every(first.black, third.white, third.close > first.open)
    return every(up - every(first.white, third.black, third.close < first.open), first.long, second.short, inner)


@feature
def candle_three_outside(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """An engulfing pair that the third candle confirms with its close.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 3 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDL3OUTSIDE.
    """
    first, second, third = candles(3, open, high, low, close)
    up = every(first.black, second.white, third.close > second.close)
    down = every(first.white, second.black, third.close < second.close)
    return every(up - down, second.top > first.top, second.bottom < first.bottom)


@feature
def candle_three_stars_in_the_south(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Three black candles with ever higher lows and ever smaller bodies.

    Unit: 1 (bullish) where it is there, else 0. NaN until 13 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDL3STARSINSOUTH.
    """
    first, second, third = candles(3, open, high, low, close)
    opening = every(first.black, first.long, first.lower > first.body)
    smaller = every(second.black, second.body < first.body, second.open > first.close, second.open <= first.high)
    held = every(second.low < first.close, second.low >= first.low, second.some_lower)
    closing = every(
        third.black, third.short, third.no_lower, third.no_upper, third.low > second.low, third.high < second.high
    )
    return every(opening, smaller, held, closing)


@feature
def candle_stick_sandwich(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A white candle between two black ones that close at the same price.

    Unit: 1 (bullish) where it is there, else 0. NaN until 8 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDLSTICKSANDWICH.
    """
    first, second, third = candles(3, open, high, low, close)
    same = within(third.close, first.close, first.equal)
    return every(first.black, second.white, third.black, second.low > first.close, same)


@feature
def candle_two_crows(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A long white body, a black one above it, and a black one from inside the second into the first.

    Unit: -1 (bearish) where it is there, else 0. NaN until 13 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDL2CROWS.
    """
    first, second, third = candles(3, open, high, low, close)
    crows = every(second.black, body_gap_up(second, first), third.black, between(third.open, second.close, second.open))
    return -every(first.white, first.long, crows, between(third.close, first.open, first.close))


@feature
def candle_upside_gap_two_crows(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A long white body, a short black one above it, and a black one that engulfs the second above the first.

    Unit: -1 (bearish) where it is there, else 0. NaN until 13 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 6; TA-Lib CDLUPSIDEGAP2CROWS.
    """
    first, second, third = candles(3, open, high, low, close)
    crows = every(second.black, second.short, body_gap_up(second, first), third.black, third.open > second.open)
    return -every(first.white, first.long, crows, between(third.close, first.close, second.close))


@feature
def candle_tasuki_gap(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A gap between two bodies, the second with the gap's colour, and a candle like it that closes inside the gap.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 7 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 7; TA-Lib CDLTASUKIGAP.
    """
    first, second, third = candles(3, open, high, low, close)
    alike = (second.body - third.body).abs() < second.near
    entered = between(third.open, second.bottom, second.top)
    up = every(body_gap_up(second, first), second.white, third.black, between(third.close, first.top, second.open))
    down = every(
        body_gap_down(second, first), second.black, third.white, between(third.close, second.open, first.bottom)
    )
    return every(up - down, alike, entered)


@feature
def candle_side_by_side_white(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Two white candles of the same size and open, both beyond a gap, in the direction of the gap.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 7 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 7; TA-Lib CDLGAPSIDESIDEWHITE.
    """
    first, second, third = candles(3, open, high, low, close)
    up = body_gap_up(second, first) * body_gap_up(third, first)
    down = body_gap_down(second, first) * body_gap_down(third, first)
    alike = within(third.body, second.body, second.near) * within(third.open, second.open, second.equal)
    return every(up - down, second.white, third.white, alike)


@feature
def candle_gap_three_methods(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A gap between two candles of one colour that a third of the other colour closes, in the first two's direction.

    Unit: 1 bullish, -1 bearish, 0 none. NaN until 3 bars are there.

    Source: Bulkowski (2008), Encyclopedia of Candlestick Charts; TA-Lib CDLXSIDEGAP3METHODS.
    """
    first, second, third = candles(3, open, high, low, close)
    closed = between(third.open, second.bottom, second.top) * between(third.close, first.bottom, first.top)
    up = every(first.white, second.white, third.black, body_gap_up(second, first))
    down = every(first.black, second.black, third.white, body_gap_down(second, first))
    return (up - down) * closed


@feature
def candle_unique_three_river(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """A long black candle, a black one with a new low that closes higher, and a short white one above that low.

    Unit: 1 (bullish) where it is there, else 0. NaN until 13 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 6; TA-Lib CDLUNIQUE3RIVER.
    """
    first, second, third = candles(3, open, high, low, close)
    middle = every(second.black, second.close > first.close, second.open <= first.open, second.low < first.low)
    return every(first.black, first.long, middle, third.white, third.short, third.open > second.low)


@feature
def candle_advance_block(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Three white candles that close ever higher with ever more doubt: smaller bodies or long upper shadows.

    Unit: -1 (bearish) where it is there, else 0. NaN until 13 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 6; TA-Lib CDLADVANCEBLOCK.
    """
    first, second, third = candles(3, open, high, low, close)
    shrinking = (third.body < second.body) * (second.body < first.body)
    second_fails = (second.body < first.body - first.far) * (third.body < second.body + second.near)
    third_fails = third.body < second.body - second.far
    doubt = shrinking * maximum(third.upper > third.usual_shadow, second.upper > second.usual_shadow)
    refused = (third.body < second.body) * (third.upper > third.body)
    blocked = maximum(maximum(second_fails, third_fails), maximum(doubt, refused))
    return -every(
        _advance(first, second), _advance(second, third), first.long, first.upper < first.usual_shadow, blocked
    )


@feature
def candle_stalled(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Two long white candles, then a small one at their top.

    Unit: -1 (bearish) where it is there, else 0. NaN until 13 bars are there.

    Source: Nison (1991), Japanese Candlestick Charting Techniques, ch. 6; TA-Lib CDLSTALLEDPATTERN.
    """
    first, second, third = candles(3, open, high, low, close)
    two = every(_advance(first, second), first.long, second.long, second.no_upper)
    shoulder = third.open >= second.close - third.body - second.near
    return -every(two, third.white, third.close > second.close, third.short, shoulder)


def _morning(first: Candle, second: Candle, third: Candle, penetration: float) -> Expr:
    recovered = third.white * (third.body > third.usual_body) * (third.close > first.close + first.body * penetration)
    return every(first.black, first.long, body_gap_down(second, first), recovered)


def _evening(first: Candle, second: Candle, third: Candle, penetration: float) -> Expr:
    fallen = third.black * (third.body > third.usual_body) * (third.close < first.close - first.body * penetration)
    return every(first.white, first.long, body_gap_up(second, first), fallen)


def _advance(earlier: Candle, later: Candle) -> Expr:
    opened = (later.open > earlier.open) * (later.open <= earlier.close + earlier.near)
    return every(earlier.white, later.white, later.close > earlier.close, opened)
