"""Direction: means, lines and the distance of the price from them."""

from aitrader.features.bars import macd_line, most, true_range, within_range
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

    Source: Wilder (1978), New Concepts, sec. IV; TA-Lib PLUS_DI, where rounding chooses between two equal moves.
    """
    up, down = _moves(high, low)
    return _directional(up, down, true_range(high, low, close), bars)


@feature
def minus_di(high: Expr, low: Expr, close: Expr, *, bars: int = 14) -> Expr:
    """Wilder's minus directional indicator: the share of the true range that went down.

    Unit: percent, 0 to 100. NaN until ``bars + 1`` bars are there.

    Source: Wilder (1978), New Concepts, sec. IV; TA-Lib MINUS_DI, where rounding chooses between two equal moves.
    """
    up, down = _moves(high, low)
    return _directional(down, up, true_range(high, low, close), bars)


@feature
def dx(high: Expr, low: Expr, close: Expr, *, bars: int = 14) -> Expr:
    """Wilder's directional movement index of the bar: the share of the directional movement that is one-sided.

    Unit: percent, 0 to 100. NaN until ``bars + 1`` bars are there, and on a bar without any directional movement.

    Source: Wilder (1978), New Concepts, sec. IV; TA-Lib DX.
    """
    plus, minus = plus_di(high, low, close, bars=bars), minus_di(high, low, close, bars=bars)
    return 100 * (plus - minus).abs() / (plus + minus)


@feature
def adx(high: Expr, low: Expr, close: Expr, *, bars: int = 14) -> Expr:
    """Wilder's average directional index: how much of the movement has one direction.

    Unit: percent, 0 to 100. NaN until ``2 * bars`` bars are there, and on a bar without any directional movement.

    Source: Wilder (1978), New Concepts, sec. IV; TA-Lib ADX.
    """
    return dx(high, low, close, bars=bars).wilder(bars)


@feature
def adxr(high: Expr, low: Expr, close: Expr, *, bars: int = 14) -> Expr:
    """Mean of Wilder's average directional index and that of ``bars - 1`` bars ago.

    Unit: percent, 0 to 100. NaN until ``3 * bars - 1`` bars are there.

    Source: Wilder (1978), New Concepts, sec. IV; TA-Lib ADXR.
    """
    index = adx(high, low, close, bars=bars)
    return (index + index.shift(bars - 1)) / 2


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
def vortex_plus(high: Expr, low: Expr, close: Expr, *, bars: int = 14) -> Expr:
    """Positive vortex indicator: the way from each low up to the next high, over the true range.

    Unit: ratio, about 1. NaN until ``bars + 1`` bars are there, and where the price is constant.

    Source: Botes & Siepman (2010), Stocks & Commodities 28(1).
    """
    return (high - low.shift(1)).abs().sum(bars) / true_range(high, low, close).sum(bars)


@feature
def vortex_minus(high: Expr, low: Expr, close: Expr, *, bars: int = 14) -> Expr:
    """Negative vortex indicator: the way from each high down to the next low, over the true range.

    Unit: ratio, about 1. NaN until ``bars + 1`` bars are there, and where the price is constant.

    Source: Botes & Siepman (2010), Stocks & Commodities 28(1).
    """
    return (low - high.shift(1)).abs().sum(bars) / true_range(high, low, close).sum(bars)


@feature
def trix(close: Expr, *, span: int = 15) -> Expr:
    """Change over one bar of the close averaged exponentially three times.

    Unit: percent. NaN until ``3 * span - 1`` bars are there.

    Source: Hutson (1983), Stocks & Commodities 1(5); TA-Lib TRIX.
    """
    mean = close.ema(span).ema(span).ema(span)
    return 100 * (mean / mean.shift(1) - 1)


@feature
def schaff_cycle(close: Expr, *, fast: int = 23, slow: int = 50, bars: int = 10, smooth: int = 3) -> Expr:
    """Schaff trend cycle: the MACD line within its range over ``bars`` bars, and the smoothed result once more.

    Unit: percent, 0 to 100. NaN until ``slow + 2 * (bars + smooth) - 4`` bars are there, and where a range is 0: under
    1e-12 of the close, or of a percent.

    Source: Schaff (1999), The Schaff Trend Cycle, whose factor 1/2 is an exponential mean over 3 bars.
    """
    first = 100 * within_range(macd_line(close, fast, slow), bars, 1e-12 * close).ema(smooth)
    return 100 * within_range(first, bars, 1e-12).ema(smooth)


@feature
def vertical_horizontal_filter(close: Expr, *, bars: int = 28) -> Expr:
    """Range of the last ``bars`` closes over the length of the way through them: high in a trend.

    Unit: ratio, 0 to 1. NaN until ``bars + 1`` bars are there, and where the close is constant.

    Source: White (1991), Futures, August; Tulip VHF.
    """
    return (close.max(bars) - close.min(bars)) / (close - close.shift(1)).abs().sum(bars)


@feature
def bull_power(high: Expr, close: Expr, *, span: int = 13) -> Expr:
    """High of the bar above the exponential mean of the close: what buyers could reach.

    Unit: fraction of the close. NaN until ``span`` bars are there.

    Source: Elder (1993), Trading for a Living, Elder-ray.
    """
    return (high - close.ema(span)) / close


@feature
def bear_power(low: Expr, close: Expr, *, span: int = 13) -> Expr:
    """Low of the bar above the exponential mean of the close: negative where sellers could push it below.

    Unit: fraction of the close. NaN until ``span`` bars are there.

    Source: Elder (1993), Trading for a Living, Elder-ray.
    """
    return (low - close.ema(span)) / close


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
def adjusted_slope(close: Expr, *, bars: int = 90) -> Expr:
    """Slope of the log close times the share of its movement that the line explains.

    Unit: fraction per bar. NaN until ``bars`` bars are there, and where the close is constant.

    Source: Clenow (2015), Stocks on the Move, ch. 7, not annualised.
    """
    return trend_slope(close, bars=bars) * trend_fit(close, bars=bars)


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


def _directional(move: Expr, other: Expr, spread: Expr, bars: int) -> Expr:
    """Share of the true range that is movement in one direction, where it is the greater of both; percent."""
    return 100 * where((move > other) * (move > 0), move, 0).wilder_sum(bars) / spread.wilder_sum(bars)
