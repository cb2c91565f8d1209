"""Memory of prices: trends, reversals and clusters, and tests of whether there is any."""

from math import log, sqrt

from aitrader.features.bars import log_return, most, surprise
from aitrader.features.feature import feature
from aitrader.panel.expr import Expr


@feature
def autocorrelation(close: Expr, *, bars: int = 60, lag: int = 1) -> Expr:
    """Correlation of log returns with those ``lag`` bars before, over ``bars`` bars.

    Unit: correlation, -1 to 1. NaN until four fifths of the ``bars`` pairs are there, and where the close is constant.

    Source: Lo & MacKinlay (1988), Review of Financial Studies 1(1), rho(lag).
    """
    change = log_return(close)
    return change.corr(change.shift(lag), bars, most(bars))


@feature
def partial_autocorrelation(close: Expr, *, bars: int = 120) -> Expr:
    """Autocorrelation of log returns two bars apart that one bar apart does not explain.

    Unit: correlation, -1 to 1. NaN until four fifths of the ``bars`` returns are there, and where the close is
    constant.

    Source: Box, Jenkins & Reinsel (1994), Time Series Analysis, 3rd ed., sec. 3.2.5, lag 2.
    """
    change = log_return(close)
    first, second = (change.autocorr(bars, lag, most(bars)) for lag in (1, 2))
    return (second - first**2) / (1 - first**2)


@feature
def ljung_box(close: Expr, *, bars: int = 120, lags: int = 5) -> Expr:
    """Ljung-Box statistic of log returns: whether any of the first ``lags`` autocorrelations is there.

    Unit: chi-squared with ``lags`` degrees of freedom (above 11.07 for 5: correlated at 5 %). NaN until four fifths of
    the ``bars`` returns are there, and where the close is constant.

    Source: Ljung & Box (1978), Biometrika 65(2).
    """
    change = log_return(close)
    values = change.count(bars)
    total = change.autocorr(bars, 1, most(bars)) ** 2 / (values - 1)
    for lag in range(2, lags + 1):
        total += change.autocorr(bars, lag, most(bars)) ** 2 / (values - lag)
    return values * (values + 2) * total


@feature
def permutation_entropy(close: Expr, *, bars: int = 60) -> Expr:
    """Entropy of the order in which three closes in a row stand, over ``bars`` bars; of equal ones the older is lower.

    Unit: share of the greatest, 1 when all six orders are as frequent. NaN until four fifths of the ``bars`` triples
    are there.

    Source: Bandt & Pompe (2002), Physical Review Letters 88(17), order 3.
    """
    first, second, third = close.shift(2), close.shift(1), close
    rise, rise_again, above = first <= second, second <= third, first <= third
    orders = (
        rise * rise_again,
        rise * (1 - rise_again) * above,
        rise * (1 - rise_again) * (1 - above),
        (1 - rise) * rise_again * above,
        (1 - rise) * rise_again * (1 - above),
        (1 - rise) * (1 - rise_again),
    )
    total = surprise(orders[0].mean(bars, most(bars)))
    for order in orders[1:]:
        total += surprise(order.mean(bars, most(bars)))
    return total / log(6)


@feature
def runs_test(close: Expr, *, bars: int = 60) -> Expr:
    """Wald-Wolfowitz test: runs of rising and other bars against what independent bars would have.

    Unit: standard deviations, negative when moves go on (few runs). NaN until ``bars`` returns are there, near a
    missing bar, and where all bars rose or none.

    Source: Wald & Wolfowitz (1940), Annals of Mathematical Statistics 11(2).
    """
    up = log_return(close) > 0
    rises = up.sum(bars)
    runs = (up - up.shift(1)).abs().sum(bars - 1) + 1
    expected = 2 * rises * (bars - rises) / bars + 1
    return (runs - expected) / ((expected - 1) * (expected - 2) / (bars - 1)).sqrt()


@feature
def variance_ratio(close: Expr, *, bars: int = 120, step: int = 5) -> Expr:
    """Variance of log returns over ``step`` bars, over ``step`` times that of one bar.

    Unit: ratio, 1 for a random walk, above it with trends, below with reversals. NaN until four fifths of the returns
    of either length are there, and where the close is constant.

    Source: Lo & MacKinlay (1988), Review of Financial Studies 1(1), overlapping returns, unbiased variances.
    """
    if not 1 < step < bars:
        raise ValueError(f"variance_ratio: step = {step} is not between 1 and bars = {bars}")
    change, long = log_return(close), (close / close.shift(step)).log()
    count = bars - step + 1
    mean = change.mean(bars, most(bars))
    offset = long.mean(count, most(count)) - step * mean
    squares = long.var(count, most(count), ddof=0) + offset**2
    return squares / (step * (1 - step / bars)) / change.var(bars, most(bars))


@feature
def variance_ratio_test(close: Expr, *, bars: int = 120, step: int = 5) -> Expr:
    """Variance ratio's distance to 1, by its spread for independent returns: the ratio on another scale.

    Unit: standard deviations. NaN where ``variance_ratio`` is.

    Source: Lo & MacKinlay (1988), Review of Financial Studies 1(1), for returns of equal variance.
    """
    spread = sqrt(2 * (2 * step - 1) * (step - 1) / (3 * step * bars))
    return (variance_ratio(close, bars=bars, step=step) - 1) / spread


@feature
def hurst(close: Expr, *, bars: int = 120) -> Expr:
    """Hurst exponent: how the spread of log price changes grows with their length of 1, 2, 4, 8 and 16 bars.

    Unit: exponent, 1/2 for a random walk, more with trends. NaN until four fifths of the ``bars`` changes of 16 bars
    are there, and where the close is constant.

    Source: Di Matteo (2007), Quantitative Finance 7(1), generalised exponent with q = 2: least squares in logarithms.
    """
    powers = range(5)
    spreads = [(close / close.shift(2**p)).log().std(bars, most(bars)).log() for p in powers]
    slope = spreads[4] * 2 - spreads[0] * 2 + spreads[3] - spreads[1]
    return slope / (10 * log(2))


@feature
def rescaled_range(close: Expr, *, bars: int = 120) -> Expr:
    """Range of the running sums of log returns about their mean, in deviations that grow with the root of time.

    Unit: none, 1.15 on average for a random walk of 120 bars, more with trends. NaN until four fifths of the ``bars``
    returns are there, and where the close is constant. Costs a pass over the window per bar.

    Source: Lo (1991), Econometrica 59(5), V with q = 0, after Hurst (1951).
    """
    change = log_return(close)
    deviation = change.std(bars, most(bars), ddof=0) * change.count(bars).sqrt()
    return change.adjusted_range(bars, most(bars)) / deviation


@feature
def fractional_difference(close: Expr, *, bars: int = 100, order: float = 0.4) -> Expr:
    """Fractional difference of the log close, counted from the close before the ``bars`` last.

    It remembers the level longer than a return, and forgets it in the end. Differences of ``order - 1`` of log returns
    are those of ``order`` of the log close, and free of its level.

    Unit: log price. NaN until four fifths of the ``bars`` returns are there; a missing one counts as 0. Costs a pass
    over the window per bar.

    Source: Lopez de Prado (2018), Advances in Financial Machine Learning, sec. 5.5 (fixed-width window).
    """
    return log_return(close).fracdiff(bars, order - 1, most(bars))


@feature
def fractal_dimension(high: Expr, low: Expr, *, bars: int = 30) -> Expr:
    """Dimension of the price's path, from its range in both halves of ``bars`` bars and in the whole.

    Unit: dimension, 1 for a line, 2 for a path that fills its range. NaN until ``bars`` bars are there, and where a
    range is 0.

    Source: Ehlers (2005), Fractal Adaptive Moving Average, Stocks & Commodities 23(10).
    """
    half, odd = divmod(bars, 2)
    if odd:
        raise ValueError(f"fractal_dimension: bars = {bars} is odd, and has no halves")
    near = (high.max(half) - low.min(half)) / half
    whole = (high.max(bars) - low.min(bars)) / bars
    return ((near + near.shift(half)).log() - whole.log()) / log(2)


@feature
def dickey_fuller(close: Expr, *, bars: int = 120) -> Expr:
    """Dickey-Fuller statistic of the log close: whether its level draws it back.

    Unit: standard errors, with a constant and no lags (below -2.9: reverts at 5 %). NaN until four fifths of the
    ``bars`` pairs are there, and where the close is constant.

    Source: Dickey & Fuller (1979), J. American Statistical Association 74(366), tau with a constant.
    """
    change, before = log_return(close), close.shift(1).log()
    common = change.corr(before, bars, most(bars))
    return common * ((change.count(bars) - 2) / (1 - common**2)).sqrt()


@feature
def mean_reversion_speed(close: Expr, *, bars: int = 120) -> Expr:
    """Part of its distance to the mean that the log close loses per bar.

    Unit: share per bar, negative when it runs away. NaN until four fifths of the ``bars`` pairs are there, and where
    the close is constant.

    Source: Dickey & Fuller (1979), J. American Statistical Association 74(366), 1 - rho.
    """
    return -log_return(close).beta(close.shift(1).log(), bars, most(bars))


@feature
def arch_effect(close: Expr, *, bars: int = 120) -> Expr:
    """Engle's test of whether a large move follows a large move: squared log returns on those of the bar before.

    Unit: chi-squared with 1 degree of freedom (above 3.84: clusters at 5 %). NaN until four fifths of the ``bars``
    pairs are there, and where the squares are constant.

    Source: Engle (1982), Econometrica 50(4), number of pairs times R squared, mean return taken as 0.
    """
    square = log_return(close) ** 2
    pairs = (square * square.shift(1)).count(bars)
    return pairs * square.corr(square.shift(1), bars, most(bars)) ** 2


@feature
def leverage_effect(close: Expr, *, bars: int = 120) -> Expr:
    """Correlation of squared log returns with the return of the bar before.

    Unit: correlation, negative when falls are followed by large moves. NaN until four fifths of the ``bars`` pairs are
    there, and where one is constant.

    Source: Bouchaud, Matacz & Potters (2001), Physical Review Letters 87(22), L(1) as a correlation.
    """
    change = log_return(close)
    return (change**2).corr(change.shift(1), bars, most(bars))
