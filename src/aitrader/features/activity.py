"""How unusual trading is: the course of volume, and what it goes with."""

from aitrader.features.bars import log_return, most, simple_return, typical_price
from aitrader.features.feature import feature
from aitrader.panel.expr import Expr, maximum, minimum, where


@feature
def volume_rank(volume: Expr, *, bars: int = 60) -> Expr:
    """Place of the bar's volume among that of the last ``bars`` bars.

    Unit: share, above 0 to 1 for the largest. NaN until four fifths of the ``bars`` bars are there.

    Source: Gervais, Kaniel & Mingelgrin (2001), J. Finance 56(3), who sort by it over 50 days.
    """
    return volume.rank(bars, most(bars))


@feature
def volume_change(volume: Expr, *, bars: int = 10) -> Expr:
    """Volume against that of ``bars`` bars before, as a logarithm.

    Unit: log ratio. NaN until ``bars + 1`` bars are there, and where one of the two is 0.

    Source: Achelis (2001), Technical Analysis from A to Z, Volume rate of change.
    """
    return (volume / volume.shift(bars)).log()


@feature
def volume_trend(volume: Expr, *, bars: int = 20) -> Expr:
    """Slope of the least-squares line through the logarithms of volume over ``bars`` bars.

    Unit: fraction per bar. NaN until four fifths of the ``bars`` bars have volume.

    Source: Clenow (2015), Stocks on the Move, ch. 7, with volume for the price and not annualised.
    """
    return volume.log().slope(bars, most(bars))


@feature
def volume_variation(volume: Expr, *, bars: int = 20) -> Expr:
    """Standard deviation of volume over its mean, over ``bars`` bars.

    Unit: none. NaN until four fifths of the ``bars`` bars are there, and where none has volume.

    Source: Chordia, Subrahmanyam & Anshuman (2001), J. Financial Economics 59(1), CVDVOL, with shares.
    """
    return volume.std(bars, most(bars)) / volume.mean(bars, most(bars))


@feature
def volume_concentration(volume: Expr, *, bars: int = 20) -> Expr:
    """Share of the largest bar in the volume of ``bars`` bars.

    Unit: share, 1 / ``bars`` to 1. NaN until four fifths of the ``bars`` bars are there, and where none has volume.

    Source: the largest of ``bars`` shares.
    """
    return volume.max(bars, most(bars)) / volume.sum(bars, most(bars))


@feature
def volume_skewness(volume: Expr, *, bars: int = 60) -> Expr:
    """Bias-corrected skewness of volume over ``bars`` bars.

    Unit: none. NaN until four fifths of the ``bars`` bars are there, and where volume is constant.

    Source: Joanes & Gill (1998), The Statistician 47(1), G1.
    """
    return volume.skew(bars, most(bars))


@feature
def volume_persistence(volume: Expr, *, bars: int = 60) -> Expr:
    """Correlation of volume with that of the bar before, over ``bars`` bars.

    Unit: correlation, -1 to 1. NaN until four fifths of the ``bars`` pairs are there, and where volume is constant.

    Source: Lo & Wang (2000), Review of Financial Studies 13(2), autocorrelation of turnover.
    """
    return volume.corr(volume.shift(1), bars, most(bars))


@feature
def volume_peak_age(volume: Expr, *, bars: int = 60) -> Expr:
    """How long ago the largest volume of the last ``bars`` bars was.

    Unit: share of the window, 0 for the current bar. NaN until four fifths of the ``bars`` bars are there.

    Source: Chande (1995), Stocks & Commodities 13(9), Aroon, with volume for the high.
    """
    return volume.argmax(bars, most(bars)) / bars


@feature
def volume_volatility_correlation(close: Expr, volume: Expr, *, bars: int = 60) -> Expr:
    """Correlation of volume with the size of the return, over ``bars`` bars.

    Unit: correlation, -1 to 1. NaN until four fifths of the ``bars`` pairs are there, and where one is constant.

    Source: Karpoff (1987), J. Financial and Quantitative Analysis 22(1), relation 1.
    """
    return simple_return(close).abs().corr(volume, bars, most(bars))


@feature
def volume_zone(close: Expr, volume: Expr, *, span: int = 14) -> Expr:
    """Volume zone oscillator: exponential mean of volume with the sign of the change, over that of volume.

    Unit: percent, -100 to 100. NaN until ``span + 1`` bars are there.

    Source: Khalil & Steckler (2011), Stocks & Commodities 29(5).
    """
    return 100 * ((close - close.shift(1)).sign() * volume).ema(span) / volume.ema(span, skip=1)


@feature
def volume_flow(
    high: Expr, low: Expr, close: Expr, volume: Expr, *, bars: int = 130, cutoff: float = 0.2, most_volume: float = 2.5
) -> Expr:
    """Volume flow indicator: volume signed by moves that are not small, large volume cut, in usual bars of volume.

    A move counts beyond ``cutoff`` standard deviations of 30 bars, volume up to ``most_volume`` times the mean of the
    ``bars`` bars before. Unit: bars of mean volume. NaN until ``2 * bars`` bars are there.

    Source: Katsanos (2004), Stocks & Commodities 22, without the last smoothing.
    """
    price = typical_price(high, low, close)
    change, usual = price - price.shift(1), volume.mean(bars).shift(1)
    small = cutoff * log_return(price).std(30) * close
    counted = minimum(volume, most_volume * usual)
    return (((change > small) * 1 - (change < -small)) * counted).sum(bars) / usual


@feature
def twiggs_money_flow(high: Expr, low: Expr, close: Expr, volume: Expr, *, bars: int = 21) -> Expr:
    """Chaikin's money flow with true ranges and Wilder's means.

    Unit: share, -1 to 1. NaN until ``bars + 1`` bars are there; a bar without true range counts 0.

    Source: C. Twiggs, Incredible Charts, Twiggs Money Flow.
    """
    before = close.shift(1)
    top, bottom = maximum(high, before), minimum(low, before)
    location = where(top > bottom, ((close - bottom) - (top - close)) / (top - bottom), 0)
    counted = where(top >= bottom, volume, 0)  # all of it, from the first bar on whose true range is known
    return (location * volume).wilder(bars) / counted.wilder(bars)


@feature
def accumulation_days(close: Expr, volume: Expr, *, bars: int = 25, move: float = 0.002) -> Expr:
    """How many of the last ``bars`` bars rose by ``move`` or more on more volume than the bar before.

    Unit: bars. NaN until four fifths of the ``bars`` returns are there.

    Source: O'Neil (2009), How to Make Money in Stocks, ch. 9, the distribution day turned round.
    """
    return _days(simple_return(close) >= move, volume, bars)


@feature
def distribution_days(close: Expr, volume: Expr, *, bars: int = 25, move: float = 0.002) -> Expr:
    """How many of the last ``bars`` bars fell by ``move`` or more on more volume than the bar before.

    Unit: bars. NaN until four fifths of the ``bars`` returns are there.

    Source: O'Neil (2009), How to Make Money in Stocks, ch. 9.
    """
    return _days(simple_return(close) <= -move, volume, bars)


@feature
def market_facilitation(high: Expr, low: Expr, volume: Expr, *, bars: int = 20) -> Expr:
    """Range per share traded over its usual size, as a logarithm.

    Unit: log ratio, 0 for the usual. NaN until four fifths of the ``bars`` bars have volume, and without range.

    Source: Williams (1995), Trading Chaos, market facilitation index, against its own mean.
    """
    ease = (high - low) / volume
    return (ease / ease.mean(bars, most(bars))).log()


def _days(moved: Expr, volume: Expr, bars: int) -> Expr:
    return (moved * (volume > volume.shift(1))).sum(bars, most(bars))
