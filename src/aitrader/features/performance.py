"""Reward for risk: what a symbol earned over ``bars`` bars, over how it was earned.

Returns are simple ones, the risk-free rate is 0; nothing is annualised.
"""

from aitrader.features.bars import most, on_pairs, simple_return
from aitrader.features.feature import feature
from aitrader.features.momentum import momentum
from aitrader.features.risk import downside_deviation, idiosyncratic_volatility
from aitrader.panel.expr import Expr, maximum


@feature
def sharpe(close: Expr, *, bars: int = 250) -> Expr:
    """Mean return over its standard deviation.

    Unit: per bar, not annualised. NaN until four fifths of the ``bars`` returns are there, and where the close is
    constant.

    Source: Sharpe (1994), J. Portfolio Management 21(1), with a risk-free rate of 0.
    """
    change = simple_return(close)
    return change.mean(bars, most(bars)) / change.std(bars, most(bars))


@feature
def sortino(close: Expr, *, bars: int = 250) -> Expr:
    """Mean return over the downside deviation.

    Unit: per bar, not annualised. NaN until four fifths of the ``bars`` returns are there, and where none is negative.

    Source: Sortino & Price (1994), J. Investing 3(3), with a target of 0.
    """
    return simple_return(close).mean(bars, most(bars)) / downside_deviation(close, bars=bars)


@feature
def calmar(close: Expr, *, bars: int = 250) -> Expr:
    """Return over ``bars`` bars over the deepest fall within them; 250 bars are a year.

    Unit: ratio. NaN until ``bars + 1`` bars are there, and where the close never fell.

    Source: Young (1991), Futures 20(1), over ``bars`` bars instead of 36 months.
    """
    return momentum(close, bars=bars) / close.max_drawdown(bars + 1, most(bars))


@feature
def upside_potential(close: Expr, *, bars: int = 250) -> Expr:
    """Mean of the positive returns, the others as 0, over the downside deviation.

    Unit: none. NaN until four fifths of the ``bars`` returns are there, and where none is negative.

    Source: Sortino, van der Meer & Plantinga (1999), J. Portfolio Management 26(1), with a target of 0.
    """
    return maximum(simple_return(close), 0).mean(bars, most(bars)) / downside_deviation(close, bars=bars)


@feature
def omega(close: Expr, *, bars: int = 250) -> Expr:
    """Sum of the positive returns over the size of the sum of the negative ones.

    Unit: ratio, 1 when both are equal. NaN until four fifths of the ``bars`` returns are there, and where none is
    negative.

    Source: Keating & Shadwick (2002), J. Performance Measurement 6(3), at threshold 0.
    """
    change = simple_return(close)
    return maximum(change, 0).mean(bars, most(bars)) / maximum(-change, 0).mean(bars, most(bars))


@feature
def payoff_ratio(close: Expr, *, bars: int = 250) -> Expr:
    """Mean positive return over the mean size of the negative ones.

    Unit: ratio. NaN until four fifths of the ``bars`` returns are there, and where none is positive or none negative.

    Source: QuantStats, payoff_ratio.
    """
    rises, falls = _frequencies(close, bars)
    return omega(close, bars=bars) * falls / rises


@feature
def kelly_fraction(close: Expr, *, bars: int = 250) -> Expr:
    """Share of wealth that grows fastest on a bet which wins as often and as much as the bars that moved did.

    Unit: share, negative where the bet loses. NaN where ``payoff_ratio`` is.

    Source: Kelly (1956), Bell System Technical J. 35(4); Thorp (1969), Review of the International Statistical
    Institute 37(3), for a bet with two outcomes.
    """
    rises, falls = _frequencies(close, bars)
    return (rises - falls / payoff_ratio(close, bars=bars)) / (rises + falls)


@feature
def information_ratio(close: Expr, market: Expr, *, bars: int = 120) -> Expr:
    """Mean return beyond the market's over its standard deviation.

    Unit: per bar, not annualised. NaN until four fifths of the ``bars`` pairs are there, and where it is constant.

    Source: Goodwin (1998), Financial Analysts J. 54(4).
    """
    excess = simple_return(close) - market
    return excess.mean(bars, most(bars)) / excess.std(bars, most(bars))


@feature
def tracking_error(close: Expr, market: Expr, *, bars: int = 120) -> Expr:
    """Standard deviation of the return beyond the market's, over ``bars`` bars.

    Unit: fraction per bar. NaN until four fifths of the ``bars`` pairs are there.

    Source: Grinold & Kahn (2000), Active Portfolio Management, ch. 3.
    """
    return (simple_return(close) - market).std(bars, most(bars))


@feature
def market_alpha(close: Expr, market: Expr, *, bars: int = 120) -> Expr:
    """Mean return beyond beta times the market's, over ``bars`` bars.

    Unit: fraction per bar. NaN until four fifths of the ``bars`` pairs are there, and where the market is constant.

    Source: Jensen (1968), J. Finance 23(2), eq. 8 with a risk-free rate of 0.
    """
    own, common = on_pairs(simple_return(close), market)
    beta = own.beta(common, bars, most(bars))
    return own.mean(bars, most(bars)) - beta * common.mean(bars, most(bars))


@feature
def appraisal_ratio(close: Expr, market: Expr, *, bars: int = 120) -> Expr:
    """Market alpha over idiosyncratic volatility.

    Unit: per bar, not annualised. NaN until four fifths of the ``bars`` pairs are there, and where one is constant.

    Source: Treynor & Black (1973), J. Business 46(1).
    """
    return market_alpha(close, market, bars=bars) / idiosyncratic_volatility(close, market, bars=bars)


def _frequencies(close: Expr, bars: int) -> tuple[Expr, Expr]:
    """Share of bars with a positive and with a negative return."""
    change = simple_return(close)
    return (change > 0).mean(bars, most(bars)), (change < 0).mean(bars, most(bars))
