"""Shape of the returns' distribution, and where the last return and price stand in their own past."""

from math import log, pi

from aitrader.features.bars import log_return, most, population_shape, surprise
from aitrader.features.feature import feature
from aitrader.panel.expr import Expr


@feature
def skewness(close: Expr, *, bars: int = 60) -> Expr:
    """Bias-corrected skewness of log returns over ``bars`` bars.

    Unit: none. NaN until four fifths of the ``bars`` returns are there, and where the close is constant.

    Source: Joanes & Gill (1998), The Statistician 47(1), G1.
    """
    return log_return(close).skew(bars, most(bars))


@feature
def kurtosis(close: Expr, *, bars: int = 60) -> Expr:
    """Bias-corrected excess kurtosis of log returns over ``bars`` bars.

    Unit: none, 0 for a normal distribution. NaN until four fifths of the ``bars`` returns are there, and where the
    close is constant.

    Source: Joanes & Gill (1998), The Statistician 47(1), G2.
    """
    return log_return(close).kurt(bars, most(bars))


@feature
def median_return(close: Expr, *, bars: int = 60) -> Expr:
    """Median of log returns over ``bars`` bars.

    Unit: log return per bar. NaN until four fifths of the ``bars`` returns are there.

    Source: Hyndman & Fan (1996), The American Statistician 50(4), definition 7, at one half.
    """
    return log_return(close).median(bars, most(bars))


@feature
def interquartile_range(close: Expr, *, bars: int = 60) -> Expr:
    """Distance between the quartiles of log returns over ``bars`` bars: a volatility that outliers do not move.

    Unit: log return per bar. NaN until four fifths of the ``bars`` returns are there.

    Source: Hyndman & Fan (1996), The American Statistician 50(4), definition 7.
    """
    return _quantile(close, bars, 0.75) - _quantile(close, bars, 0.25)


@feature
def quantile_skewness(close: Expr, *, bars: int = 60) -> Expr:
    """Skewness of log returns from their quartiles and median.

    Unit: none, -1 to 1. NaN until four fifths of the ``bars`` returns are there, and where the quartiles are equal.

    Source: Kim & White (2004), Finance Research Letters 1(1), SK2 (Bowley's coefficient).
    """
    low, middle, high = (_quantile(close, bars, share) for share in (0.25, 0.5, 0.75))
    return (high + low - 2 * middle) / (high - low)


@feature
def quantile_kurtosis(close: Expr, *, bars: int = 60) -> Expr:
    """Excess kurtosis of log returns from their octiles.

    Unit: none, 0 for a normal distribution. NaN until four fifths of the ``bars`` returns are there, and where the
    quartiles are equal.

    Source: Kim & White (2004), Finance Research Letters 1(1), KR2 (Moors' coefficient, centred).
    """
    first, second, third, fifth, sixth, seventh = (_quantile(close, bars, n / 8) for n in (1, 2, 3, 5, 6, 7))
    return ((seventh - fifth) + (third - first)) / (sixth - second) - 1.2330


@feature
def geary_ratio(close: Expr, *, bars: int = 60) -> Expr:
    """Mean absolute distance of log returns from their mean, over their standard deviation.

    Unit: none, 0.798 for a normal distribution, less with heavy tails. NaN until four fifths of the ``bars`` returns
    are there, and where the close is constant.

    Source: Geary (1935), Biometrika 27(3/4).
    """
    change = log_return(close)
    return change.mad(bars, most(bars)) / change.std(bars, most(bars), ddof=0)


@feature
def jarque_bera(close: Expr, *, bars: int = 120) -> Expr:
    """Jarque-Bera statistic of log returns: how far skewness and kurtosis are from a normal distribution's.

    Unit: chi-squared with 2 degrees of freedom (above 5.99: not normal at 5 %). NaN until four fifths of the ``bars``
    returns are there, and where the close is constant.

    Source: Jarque & Bera (1980), Economics Letters 6(3), with the sample's moments.
    """
    change = log_return(close)
    skew, kurt = population_shape(change, bars)
    return change.count(bars) / 6 * (skew**2 + kurt**2 / 4)


@feature
def return_t_statistic(close: Expr, *, bars: int = 60) -> Expr:
    """Mean log return over its standard error.

    Unit: standard errors. NaN until four fifths of the ``bars`` returns are there, and where the close is constant.

    Source: Student (1908), Biometrika 6(1).
    """
    change = log_return(close)
    spread = change.std(bars, most(bars)) / change.count(bars).sqrt()
    return change.mean(bars, most(bars)) / spread


@feature
def return_zscore(close: Expr, *, bars: int = 60) -> Expr:
    """Last log return's distance to the mean of ``bars`` bars.

    Unit: standard deviations. NaN until four fifths of the ``bars`` returns are there, and where the close is constant.

    Source: Kritzman & Li (2010), Financial Analysts J. 66(5), turbulence of one asset, not squared.
    """
    change = log_return(close)
    return (change - change.mean(bars, most(bars))) / change.std(bars, most(bars))


@feature
def return_rank(close: Expr, *, bars: int = 60) -> Expr:
    """Place of the last log return among those of ``bars`` bars; equal ones share their mean rank.

    Unit: share, above 0 to 1 for the highest. NaN until four fifths of the ``bars`` returns are there.

    Source: Spearman (1904), American J. of Psychology 15(1), for the ranks.
    """
    return log_return(close).rank(bars, most(bars))


@feature
def price_rank(close: Expr, *, bars: int = 250) -> Expr:
    """Place of the close among those of ``bars`` bars; equal ones share their mean rank.

    Unit: share, above 0 to 1 for the highest. NaN until four fifths of the ``bars`` bars are there.

    Source: Spearman (1904), American J. of Psychology 15(1), for the ranks.
    """
    return close.rank(bars, most(bars))


@feature
def up_share(close: Expr, *, bars: int = 60) -> Expr:
    """Share of bars whose close rose, over ``bars`` bars.

    Unit: share, 0 to 1. NaN until four fifths of the ``bars`` returns are there.

    Source: Cowles & Jones (1937), Econometrica 5(3), for the signs of returns.
    """
    return (log_return(close) > 0).mean(bars, most(bars))


@feature
def sign_entropy(close: Expr, *, bars: int = 60) -> Expr:
    """Shannon entropy of whether the close rose, over ``bars`` bars.

    Unit: share of the greatest, 1 when half the bars rose. NaN until four fifths of the ``bars`` returns are there.

    Source: Shannon (1948), Bell System Technical J. 27(3), sec. 6.
    """
    up = up_share(close, bars=bars)
    return (surprise(up) + surprise(1 - up)) / log(2)


@feature
def return_entropy(close: Expr, *, bars: int = 120, bins: int = 10) -> Expr:
    """Entropy of log returns in ``bins`` equal bins between the smallest and the largest of ``bars`` bars.

    Unit: share of the greatest, 1 when every bin holds as many; less with heavy tails. NaN until four fifths of the
    ``bars`` returns are there. Costs a pass over the window per bar: among the dearest features.

    Source: Shannon (1948), Bell System Technical J. 27(3), sec. 6.
    """
    return log_return(close).entropy(bars, bins, most(bars))


@feature
def trend_residual(close: Expr, *, bars: int = 60) -> Expr:
    """Log close's distance to its least-squares line, by the line's standard error.

    Unit: standard errors of the regression. NaN until ``bars`` bars are there, and where the close is constant.

    Source: Greene (2012), Econometric Analysis, 7th ed., ch. 4, for the standard error.
    """
    price = close.log()
    error = price.std(bars) * ((1 - price.rsquare(bars)) * (bars - 1) / (bars - 2)).sqrt()
    return price.residual(bars) / error


@feature
def trend_t_statistic(close: Expr, *, bars: int = 60) -> Expr:
    """Slope of the least-squares line through the log close, over its standard error.

    Unit: standard errors. NaN until ``bars`` bars are there, and where the close is constant or a perfect line.

    Source: Greene (2012), Econometric Analysis, 7th ed., ch. 4, slope against 0.
    """
    price = close.log()
    fit = price.rsquare(bars)
    return price.slope(bars).sign() * (fit * (bars - 2) / (1 - fit)).sqrt()


@feature
def jump_share(close: Expr, *, bars: int = 60) -> Expr:
    """Part of the variance that came in jumps: 1 minus bipower over realised variation.

    Unit: share, below 0 by chance. NaN until four fifths of the ``bars`` pairs are there, and where the close is
    constant.

    Source: Barndorff-Nielsen & Shephard (2004), J. Financial Econometrics 2(1).
    """
    size = log_return(close).abs()
    bipower = (size * size.shift(1)).mean(bars, most(bars)) * (pi / 2)
    return 1 - bipower / (size**2).mean(bars, most(bars))


@feature
def signed_variation(close: Expr, *, bars: int = 60) -> Expr:
    """Squares of rises minus squares of falls, over all squares of log returns.

    Unit: share, -1 (falls alone) to 1. NaN until four fifths of the ``bars`` returns are there, and where the close is
    constant.

    Source: Patton & Sheppard (2015), Review of Economics and Statistics 97(3), signed jump variation over its total.
    """
    change = log_return(close)
    return (change * change.abs()).mean(bars, most(bars)) / (change**2).mean(bars, most(bars))


def _quantile(close: Expr, bars: int, share: float) -> Expr:
    return log_return(close).quantile(bars, share, most(bars))
