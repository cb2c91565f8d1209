"""Shape of the returns' distribution, memory, and what is common with the market."""

from aitrader.features.bars import log_return, most, simple_return
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
def autocorrelation(close: Expr, *, bars: int = 60, lag: int = 1) -> Expr:
    """Correlation of log returns with those ``lag`` bars before, over ``bars`` bars.

    Unit: correlation, -1 to 1. NaN until four fifths of the ``bars`` pairs are there, and where the close is constant.

    Source: Lo & MacKinlay (1988), Review of Financial Studies 1(1), rho(lag).
    """
    change = log_return(close)
    return change.corr(change.shift(lag), bars, most(bars))


@feature
def market_beta(close: Expr, market: Expr, *, bars: int = 120) -> Expr:
    """Least-squares slope of returns on the market's over ``bars`` bars.

    Unit: none, 1 for the market itself. NaN until four fifths of the ``bars`` pairs are there.

    Source: Fama & MacBeth (1973), J. Political Economy 81(3), eq. 8.
    """
    return simple_return(close).beta(market, bars, most(bars))


@feature
def idiosyncratic_volatility(close: Expr, market: Expr, *, bars: int = 60) -> Expr:
    """Standard deviation of what the market's returns do not explain, over ``bars`` bars.

    Unit: fraction per bar. NaN until four fifths of the ``bars`` pairs are there, and where one is constant.

    Source: Ang, Hodrick, Xing & Zhang (2006), J. Finance 61(1), with the market as the only factor.
    """
    change = simple_return(close)
    common = change.corr(market, bars, most(bars))
    return change.std(bars, most(bars)) * (1 - common**2).sqrt()
