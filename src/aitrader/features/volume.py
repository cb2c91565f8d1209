"""Trading activity, and its direction."""

from aitrader.features.bars import log_return, most, simple_return, typical_price
from aitrader.features.feature import feature
from aitrader.panel.expr import Expr, where


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
    change, flow = price - price.shift(1), price * volume
    rise = ((change > 0) * flow).sum(bars)
    return 100 * rise / (rise + ((change < 0) * flow).sum(bars))


@feature
def chaikin_money_flow(high: Expr, low: Expr, close: Expr, volume: Expr, *, bars: int = 20) -> Expr:
    """Volume weighted by where in its range each bar closed, over all volume of ``bars`` bars.

    Unit: share, -1 to 1. NaN until ``bars`` bars are there; a bar without range counts 0.

    Source: Achelis (2001), Technical Analysis from A to Z, Chaikin money flow.
    """
    location = where(high > low, ((close - low) - (high - close)) / (high - low), 0)
    return (location * volume).sum(bars) / volume.sum(bars)


@feature
def amihud_ratio(close: Expr, volume: Expr, *, short: int = 20, long: int = 250) -> Expr:
    """Recent illiquidity over the usual one, as a logarithm: absolute return per USD traded.

    Unit: log ratio, 0 when both are equal. NaN until four fifths of the ``long`` bars are there; bars without
    volume do not count.

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
