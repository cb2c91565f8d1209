"""Trading activity, and its direction."""

from aitrader.features.bars import direction, log_return, macd_line, most, simple_return, true_range, typical_price
from aitrader.features.feature import feature
from aitrader.features.swings import or_zero
from aitrader.panel.expr import Expr, maximum, minimum, where


@feature
def volume_zscore(volume: Expr, *, bars: int = 20) -> Expr:
    """Volume's distance from its mean over ``bars`` bars in standard deviations.

    Unit: standard deviations. NaN until four fifths of the ``bars`` bars are there, and where volume is constant.

    Source: Gervais, Kaniel & Mingelgrin (2001), J. Finance 56(3), who rank the same quantity.
    """
    return (volume - volume.mean(bars, most(bars))) / volume.std(bars, most(bars))


@feature
def volume_ratio(volume: Expr, *, short: int = 5, long: int = 60) -> Expr:
    """Recent mean volume over the usual one, as a logarithm.

    Unit: log ratio, 0 when both are equal. NaN until four fifths of the ``long`` bars are there, and where one is 0.

    Source: mean volume over ``short`` and over ``long`` bars.
    """
    return (volume.mean(short, most(short)) / volume.mean(long, most(long))).log()


@feature(raw_level=True)
def obv(close: Expr, volume: Expr) -> Expr:
    """On-balance volume: volume added on rises, subtracted on falls, from a symbol's first bar with its volume.

    Unit: shares. NaN where a bar is missing.

    Source: Granville (1963), New Key to Stock Market Profits; TA-Lib OBV.
    """
    first = (close * 0 + 1).cumsum() <= 1
    return where(first, volume, (close - close.shift(1)).sign() * volume).cumsum()


@feature
def obv_change(close: Expr, volume: Expr, *, bars: int = 20) -> Expr:
    """Change of on-balance volume over ``bars`` bars, over the volume traded in them.

    Unit: share, -1 to 1. NaN until ``bars + 1`` bars are there.

    Source: Granville (1963), New Key to Stock Market Profits, normalised.
    """
    return ((close - close.shift(1)).sign() * volume).sum(bars) / volume.sum(bars)


@feature
def money_flow_index(high: Expr, low: Expr, close: Expr, volume: Expr, *, bars: int = 14) -> Expr:
    """Value traded on rises of the typical price, over that on rises and falls.

    Unit: percent, 0 to 100. NaN until ``bars + 1`` bars are there, and where nothing moved.

    Source: Quong & Soudack (1989), Stocks & Commodities 7(3); TA-Lib MFI.
    """
    price = typical_price(high, low, close)
    move, flow = direction(price), price * volume
    rise = ((move > 0) * flow).sum(bars)
    return 100 * rise / (rise + ((move < 0) * flow).sum(bars))


@feature
def chaikin_money_flow(high: Expr, low: Expr, close: Expr, volume: Expr, *, bars: int = 20) -> Expr:
    """Volume weighted by where in its range each bar closed, over all volume of ``bars`` bars.

    Unit: share, -1 to 1. NaN until ``bars`` bars are there; a bar without range counts 0.

    Source: Achelis (2001), Technical Analysis from A to Z, Chaikin money flow.
    """
    return _money_flow(high, low, close, volume).sum(bars) / volume.sum(bars)


@feature(raw_level=True)
def accumulation_distribution(high: Expr, low: Expr, close: Expr, volume: Expr) -> Expr:
    """Accumulation/distribution line: volume weighted by where in its range each bar closed, from a symbol's first bar.

    Unit: shares. NaN where a bar is missing; a bar without range counts 0.

    Source: Achelis (2001), Technical Analysis from A to Z, Accumulation/distribution; TA-Lib AD. Its change over the
    volume traded is ``chaikin_money_flow``.
    """
    return _money_flow(high, low, close, volume).cumsum()


@feature
def amihud_ratio(close: Expr, volume: Expr, *, short: int = 20, long: int = 250) -> Expr:
    """Recent illiquidity over the usual one, as a logarithm: absolute return per USD traded.

    Unit: log ratio, 0 when both are equal. NaN until four fifths of the ``long`` returns are there; bars
    without volume do not count.

    Source: Amihud (2002), J. Financial Markets 5(1), eq. 1, against its own year.
    """
    impact = simple_return(close).abs() / (close * volume)
    return (impact.mean(short, most(short)) / impact.mean(long, most(long))).log()


@feature
def dollar_volume_change(close: Expr, volume: Expr, *, short: int = 20, long: int = 250) -> Expr:
    """Recent mean value traded over the usual one, as a logarithm.

    Unit: log ratio, 0 when both are equal. NaN until four fifths of the ``long`` bars are there, and where one is 0.

    Source: Chordia, Subrahmanyam & Anshuman (2001), J. Financial Economics 59(1), DVOL, against its own year.
    """
    value = close * volume
    return (value.mean(short, most(short)) / value.mean(long, most(long))).log()


@feature
def price_volume_correlation(close: Expr, volume: Expr, *, bars: int = 20) -> Expr:
    """Correlation of log returns with log changes of volume over ``bars`` bars.

    Unit: correlation, -1 to 1. NaN until four fifths of the ``bars`` changes are there, and where one is constant.

    Source: Karpoff (1987), J. Financial and Quantitative Analysis 22(1), relation 2.
    """
    return log_return(close).corr((volume / volume.shift(1)).log(), bars, most(bars))


@feature
def chaikin_oscillator(high: Expr, low: Expr, close: Expr, volume: Expr, *, fast: int = 3, slow: int = 10) -> Expr:
    """Fast minus slow exponential mean of the accumulation/distribution line, in usual bars of volume.

    Unit: bars of mean volume (over ``slow`` bars). NaN until ``slow`` bars are there, and where none has volume.

    Source: Achelis (2001), Technical Analysis from A to Z, Chaikin oscillator; TA-Lib ADOSC, which begins its means
    with the first value.
    """
    line = accumulation_distribution(high, low, close, volume)
    return macd_line(line, fast, slow) / volume.mean(slow)


@feature
def force_index(close: Expr, volume: Expr, *, span: int = 13) -> Expr:
    """Exponential mean of change times volume, over the close times that of volume: the move that volume forced.

    Unit: fraction per bar. NaN until ``span + 1`` bars are there, and where none of them has volume.

    Source: Elder (1993), Trading for a Living, normalised; StockCharts begins the mean with the first value.
    """
    return force(close, volume).ema(span) / (close * volume.ema(span, skip=1))


def force(close: Expr, volume: Expr) -> Expr:
    """Return a bar's force: its change times its volume, USD."""
    return (close - close.shift(1)) * volume


@feature
def klinger_oscillator(high: Expr, low: Expr, close: Expr, volume: Expr, *, fast: int = 34, slow: int = 55) -> Expr:
    """Klinger oscillator: fast minus slow exponential mean of the volume force, over the mean volume.

    Unit: percent of the mean volume of ``slow`` bars. NaN until ``slow + 1`` bars are there, and where none has volume.

    Source: Klinger (1997), Stocks & Commodities 15(12); Tulip KVO, which begins its means with the first value.
    """
    return macd_line(volume_force(high, low, close, volume), fast, slow) / volume.mean(slow)


def volume_force(high: Expr, low: Expr, close: Expr, volume: Expr) -> Expr:
    """Return Klinger's volume force: volume in the trend's direction, weighted by the bar's part of the trend's range.

    The trend is that of high + low + close, and goes on where this does not change. 100 times shares.
    """
    move = direction(typical_price(high, low, close))
    trend = (move / move.abs()).latest(20)
    turned = or_zero((trend - trend.shift(1)).abs())
    spread = high - low
    travelled = (spread + where(turned, spread.shift(1), 0)).sum_since(turned)
    return 100 * volume * trend * (2 * spread / travelled - 1).abs()


@feature
def pvo(volume: Expr, *, fast: int = 12, slow: int = 26) -> Expr:
    """Percentage volume oscillator: fast minus slow exponential mean of volume, over the slow one.

    Unit: percent. NaN until ``slow`` bars are there, and where none has volume.

    Source: StockCharts ChartSchool, Percentage Volume Oscillator, which begins its means with the first value.
    """
    return 100 * macd_line(volume, fast, slow) / volume.ema(slow)


@feature
def pvo_histogram(volume: Expr, *, fast: int = 12, slow: int = 26, signal: int = 9) -> Expr:
    """Percentage volume oscillator minus its exponential mean over ``signal`` bars.

    Unit: percent. NaN until ``slow + signal - 1`` bars are there, and where none has volume.

    Source: StockCharts ChartSchool, Percentage Volume Oscillator, which begins its means with the first value.
    """
    line = pvo(volume, fast=fast, slow=slow)
    return line - line.ema(signal)


@feature
def volume_price_trend(close: Expr, volume: Expr, *, bars: int = 20) -> Expr:
    """Change of the volume price trend over ``bars`` bars, over the volume traded in them: the volume-weighted return.

    Unit: fraction per bar. NaN until ``bars + 1`` bars are there.

    Source: Achelis (2001), Technical Analysis from A to Z, Price and volume trend, normalised.
    """
    return (simple_return(close) * volume).sum(bars) / volume.sum(bars)


@feature
def vwap_distance(high: Expr, low: Expr, close: Expr, volume: Expr, *, bars: int = 20) -> Expr:
    """Distance of the close from the volume-weighted typical price of ``bars`` bars.

    Unit: fraction of that price. NaN until ``bars`` bars are there, and where none of them has volume.

    Source: StockCharts ChartSchool, Volume-Weighted Average Price, over a rolling window.
    """
    return close / ((typical_price(high, low, close) * volume).sum(bars) / volume.sum(bars)) - 1


@feature
def vwma_ratio(close: Expr, volume: Expr, *, bars: int = 20) -> Expr:
    """Volume-weighted mean of the close over the plain one: above 0 where volume goes with high prices.

    Unit: fraction of the plain mean. NaN until ``bars`` bars are there, and where none of them has volume.

    Source: Tulip VWMA for the weighted mean.
    """
    return (close * volume).sum(bars) / volume.sum(bars) / close.mean(bars) - 1


@feature
def ease_of_movement(high: Expr, low: Expr, close: Expr, volume: Expr, *, bars: int = 14) -> Expr:
    """How far the middle of the bar moved for its volume, mean of ``bars`` bars, at their mean volume.

    Unit: squared fraction of the close. NaN until ``bars`` bars are there; a bar without volume does not count.

    Source: Arms (1983), Volume Cycles in the Stock Market; StockCharts ChartSchool, Ease of Movement, times the mean
    volume over the squared close.
    """
    return ease(high, low, volume).mean(bars, most(bars)) * volume.mean(bars) / close**2


def ease(high: Expr, low: Expr, volume: Expr) -> Expr:
    """Return a bar's ease of movement: the middle's move times the range, per share; USD squared per share."""
    middle = (high + low) / 2
    return (middle - middle.shift(1)) * (high - low) / volume


@feature
def negative_volume_change(close: Expr, volume: Expr, *, bars: int = 60) -> Expr:
    """Change of the negative volume index over ``bars`` bars: the return of the bars whose volume fell.

    Unit: fraction. NaN until ``bars + 1`` bars are there.

    Source: Fosback (1976), Stock Market Logic; Tulip NVI.
    """
    return where(volume < volume.shift(1), log_return(close), 0).sum(bars).exp() - 1


@feature
def positive_volume_change(close: Expr, volume: Expr, *, bars: int = 60) -> Expr:
    """Change of the positive volume index over ``bars`` bars: the return of the bars whose volume rose.

    Unit: fraction. NaN until ``bars + 1`` bars are there.

    Source: Fosback (1976), Stock Market Logic; Tulip PVI.
    """
    return where(volume > volume.shift(1), log_return(close), 0).sum(bars).exp() - 1


@feature
def williams_accumulation(high: Expr, low: Expr, close: Expr, *, bars: int = 20) -> Expr:
    """Change of Williams' accumulation/distribution over ``bars`` bars, over the true ranges in them.

    Unit: share, -1 to 1. NaN until ``bars + 1`` bars are there, and where nothing moved.

    Source: Achelis (2001), Technical Analysis from A to Z, Williams' accumulation/distribution; Tulip WAD.
    """
    return williams_flow(high, low, close).sum(bars) / true_range(high, low, close).sum(bars)


def williams_flow(high: Expr, low: Expr, close: Expr) -> Expr:
    """Return a bar's part of Williams' accumulation (its rise from the true low) or distribution, USD."""
    before = close.shift(1)
    fall = where(close < before, close - maximum(high, before), 0)
    return where(close > before, close - minimum(low, before), fall)


@feature(raw_level=True)
def dollar_volume(close: Expr, volume: Expr, *, bars: int = 20) -> Expr:
    """Mean value traded per bar over ``bars`` bars.

    Unit: USD of a symbol's first bar. NaN until four fifths of the ``bars`` bars are there.

    Source: Chordia, Subrahmanyam & Anshuman (2001), J. Financial Economics 59(1), DVOL, before its logarithm.
    """
    return (close * volume).mean(bars, most(bars))


def _money_flow(high: Expr, low: Expr, close: Expr, volume: Expr) -> Expr:
    return where(high > low, ((close - low) - (high - close)) / (high - low), 0) * volume
