"""Direction: means, lines and the distance of the price from them."""

from aitrader.features.bars import most, true_range
from aitrader.features.feature import feature
from aitrader.panel.expr import Expr, where


@feature(raw_level=True)
def sma(close: Expr, *, bars: int = 20) -> Expr:
    """Arithmetic mean of the close over ``bars`` bars.

    Unit: USD. NaN until ``bars`` bars are there.

    Source: TA-Lib SMA.
    """
    return close.mean(bars)


@feature(raw_level=True)
def ema(close: Expr, *, span: int = 20) -> Expr:
    """Exponential mean of the close, factor 2 / (span + 1).

    Unit: USD. NaN until ``span`` bars are there.

    Source: TA-Lib EMA, which begins with the mean of the first ``span`` closes.
    """
    return close.ema(span)


@feature(raw_level=True)
def wma(close: Expr, *, bars: int = 20) -> Expr:
    """Linearly weighted mean of the close, the newest bar heaviest.

    Unit: USD. NaN until ``bars`` bars are there.

    Source: TA-Lib WMA.
    """
    return close.wma(bars)


@feature(raw_level=True)
def linear_slope(close: Expr, *, bars: int = 14) -> Expr:
    """Slope of the least-squares line through the last ``bars`` closes.

    Unit: USD per bar. NaN until ``bars`` bars are there.

    Source: TA-Lib LINEARREG_SLOPE.
    """
    return close.slope(bars)


@feature
def distance_to_mean(close: Expr, *, bars: int = 20) -> Expr:
    """Distance of the close from its arithmetic mean over ``bars`` bars.

    Unit: fraction of the mean. NaN until ``bars`` bars are there.

    Source: Brock, Lakonishok & LeBaron (1992), J. Finance 47(5), the signal before its threshold.
    """
    return close / close.mean(bars) - 1


@feature
def distance_to_ema(close: Expr, *, span: int = 20) -> Expr:
    """Distance of the close from its exponential mean.

    Unit: fraction of the mean. NaN until ``span`` bars are there.

    Source: TA-Lib EMA for the mean.
    """
    return close / close.ema(span) - 1


def macd_line(close: Expr, fast: int, slow: int) -> Expr:
    """Return fast minus slow exponential mean, USD, both begun on the same bar (as TA-Lib)."""
    if fast >= slow:
        raise ValueError(f"macd: fast = {fast} is not shorter than slow = {slow}")
    return close.ema(fast, skip=slow - fast) - close.ema(slow)


@feature
def macd(close: Expr, *, fast: int = 12, slow: int = 26) -> Expr:
    """Fast minus slow exponential mean of the close, over the close.

    Unit: fraction of the close. NaN until ``slow`` bars are there.

    Source: Appel (2005), Technical Analysis, ch. 8; TA-Lib MACD for the means.
    """
    return macd_line(close, fast, slow) / close


@feature
def macd_histogram(close: Expr, *, fast: int = 12, slow: int = 26, signal: int = 9) -> Expr:
    """MACD line minus its exponential mean over ``signal`` bars, over the close.

    Unit: fraction of the close. NaN until ``slow + signal - 1`` bars are there.

    Source: Appel (2005), Technical Analysis, ch. 8; TA-Lib MACD for the means.
    """
    line = macd_line(close, fast, slow)
    return (line - line.ema(signal)) / close


@feature
def plus_di(high: Expr, low: Expr, close: Expr, *, bars: int = 14) -> Expr:
    """Wilder's plus directional indicator: the share of the true range that went up.

    Unit: percent, 0 to 100. NaN until ``bars + 1`` bars are there.

    Source: Wilder (1978), New Concepts, sec. IV; TA-Lib PLUS_DI.
    """
    up, down = _moves(high, low)
    rise = where((up > down) * (up > 0), up, 0)
    return 100 * rise.wilder_sum(bars) / true_range(high, low, close).wilder_sum(bars)


@feature
def minus_di(high: Expr, low: Expr, close: Expr, *, bars: int = 14) -> Expr:
    """Wilder's minus directional indicator: the share of the true range that went down.

    Unit: percent, 0 to 100. NaN until ``bars + 1`` bars are there.

    Source: Wilder (1978), New Concepts, sec. IV; TA-Lib MINUS_DI.
    """
    up, down = _moves(high, low)
    fall = where((down > up) * (down > 0), down, 0)
    return 100 * fall.wilder_sum(bars) / true_range(high, low, close).wilder_sum(bars)


@feature
def adx(high: Expr, low: Expr, close: Expr, *, bars: int = 14) -> Expr:
    """Wilder's average directional index: how much of the movement has one direction.

    Unit: percent, 0 to 100. NaN until ``2 * bars`` bars are there, and on a bar without any directional movement.

    Source: Wilder (1978), New Concepts, sec. IV; TA-Lib ADX.
    """
    plus, minus = plus_di(high, low, close, bars=bars), minus_di(high, low, close, bars=bars)
    return (100 * (plus - minus).abs() / (plus + minus)).wilder(bars)


@feature
def directional_balance(high: Expr, low: Expr, close: Expr, *, bars: int = 14) -> Expr:
    """Plus minus minus directional indicator.

    Unit: percent, -100 to 100. NaN until ``bars + 1`` bars are there.

    Source: Wilder (1978), New Concepts, sec. IV.
    """
    return plus_di(high, low, close, bars=bars) - minus_di(high, low, close, bars=bars)


@feature
def aroon_up(high: Expr, *, bars: int = 25) -> Expr:
    """How new the highest high of the last ``bars + 1`` bars is.

    Unit: percent, 100 when it is the current bar's. NaN until ``bars + 1`` bars are there.

    Source: Chande (1995), Stocks & Commodities 13(9); TA-Lib AROON.
    """
    return 100 * (bars - high.argmax(bars + 1)) / bars


@feature
def aroon_down(low: Expr, *, bars: int = 25) -> Expr:
    """How new the lowest low of the last ``bars + 1`` bars is.

    Unit: percent, 100 when it is the current bar's. NaN until ``bars + 1`` bars are there.

    Source: Chande (1995), Stocks & Commodities 13(9); TA-Lib AROON.
    """
    return 100 * (bars - low.argmin(bars + 1)) / bars


@feature
def aroon(high: Expr, low: Expr, *, bars: int = 25) -> Expr:
    """Aroon oscillator: how much newer the highest high is than the lowest low.

    Unit: percent, -100 to 100. NaN until ``bars + 1`` bars are there.

    Source: Chande (1995), Stocks & Commodities 13(9); TA-Lib AROONOSC.
    """
    return aroon_up(high, bars=bars) - aroon_down(low, bars=bars)


@feature
def trend_slope(close: Expr, *, bars: int = 20) -> Expr:
    """Slope of the least-squares line through the logarithms of the last ``bars`` closes.

    Unit: fraction per bar (0.001 is about 0.1 %). NaN until ``bars`` bars are there.

    Source: Clenow (2015), Stocks on the Move, ch. 7, not annualised.
    """
    return close.log().slope(bars)


@feature
def trend_fit(close: Expr, *, bars: int = 20) -> Expr:
    """How much of the movement of the log close a straight line explains.

    Unit: share, 0 to 1. NaN until ``bars`` bars are there, and where the close is constant.

    Source: Clenow (2015), Stocks on the Move, ch. 7 (coefficient of determination).
    """
    return close.log().rsquare(bars)


@feature
def distance_to_high(high: Expr, close: Expr, *, bars: int = 250) -> Expr:
    """Distance of the close from the highest high of ``bars`` bars; 250 bars are 52 weeks.

    Unit: fraction, at most 0. NaN until four fifths of the ``bars`` bars are there.

    Source: George & Hwang (2004), J. Finance 59(5), eq. 1, minus 1.
    """
    return close / high.max(bars, most(bars)) - 1


@feature
def distance_to_low(low: Expr, close: Expr, *, bars: int = 250) -> Expr:
    """Distance of the close from the lowest low of ``bars`` bars; 250 bars are 52 weeks.

    Unit: fraction, at least 0. NaN until four fifths of the ``bars`` bars are there.

    Source: George & Hwang (2004), J. Finance 59(5), with the low.
    """
    return close / low.min(bars, most(bars)) - 1


def _moves(high: Expr, low: Expr) -> tuple[Expr, Expr]:
    return high - high.shift(1), low.shift(1) - low
