"""What can be lost: tails, falls, and the share of risk that is the market's.

Losses are positive fractions, returns simple ones.
"""

from math import exp, pi, sqrt
from statistics import NormalDist

from aitrader.features.bars import most, on_pairs, population_shape, simple_return
from aitrader.features.feature import feature
from aitrader.panel.expr import Expr, minimum


@feature
def market_beta(close: Expr, market: Expr, *, bars: int = 120) -> Expr:
    """Least-squares slope of returns on the market's over ``bars`` bars.

    Unit: none, 1 for the market itself. NaN until four fifths of the ``bars`` pairs are there.

    Source: Fama & MacBeth (1973), J. Political Economy 81(3), eq. 8.
    """
    return simple_return(close).beta(market, bars, most(bars))


@feature
def downside_beta(close: Expr, market: Expr, *, bars: int = 250) -> Expr:
    """Least-squares slope of returns on the market's, over those of ``bars`` bars on which the market fell.

    Unit: none. NaN until a fifth of the ``bars`` bars are such pairs.

    Source: Bawa & Lindenberg (1977), J. Financial Economics 5(2), with target 0; Ang, Chen & Xing (2006), Review of
    Financial Studies 19(4), as a regression.
    """
    return simple_return(close).beta(market / (market < 0), bars, _some(bars))


@feature
def upside_beta(close: Expr, market: Expr, *, bars: int = 250) -> Expr:
    """Least-squares slope of returns on the market's, over those of ``bars`` bars on which the market rose.

    Unit: none. NaN until a fifth of the ``bars`` bars are such pairs.

    Source: Ang, Chen & Xing (2006), Review of Financial Studies 19(4), with target 0.
    """
    return simple_return(close).beta(market / (market > 0), bars, _some(bars))


@feature
def beta_rank(close: Expr, market: Expr, *, bars: int = 120) -> Expr:
    """Place of a symbol's market beta among the members'.

    Unit: rank, 0 to 1 with mean 1/2. NaN where the beta is, for others than members, and with too few of them.

    Source: Frazzini & Pedersen (2014), J. Financial Economics 111(1), who sort by it.
    """
    return market_beta(close, market, bars=bars).rank_across()


@feature
def idiosyncratic_volatility(close: Expr, market: Expr, *, bars: int = 60) -> Expr:
    """Standard deviation of what the market's returns do not explain, over ``bars`` bars.

    Unit: fraction per bar. NaN until four fifths of the ``bars`` pairs are there, and where one is constant.

    Source: Ang, Hodrick, Xing & Zhang (2006), J. Finance 61(1), with the market as the only factor.
    """
    change = simple_return(close)
    common = change.corr(market, bars, most(bars))
    return change.std(bars, most(bars)) * (1 - common**2).sqrt()


@feature
def coskewness(close: Expr, market: Expr, *, bars: int = 120) -> Expr:
    """How returns go with the square of the market's distance to its mean: negative loses when markets are wild.

    Unit: none, standardised. NaN until four fifths of the ``bars`` pairs are there, and where one is constant.

    Source: Kraus & Litzenberger (1976), J. Finance 31(4); Ang, Chen & Xing (2006), Review of Financial Studies 19(4),
    standardised with divisor n.
    """
    own, common = on_pairs(simple_return(close), market)
    mean = common.mean(bars, most(bars))
    joint = _comoment(own, common**2, bars) - 2 * mean * _comoment(own, common, bars)
    return joint / (own.std(bars, most(bars), ddof=0) * common.var(bars, most(bars), ddof=0))


@feature
def cokurtosis(close: Expr, market: Expr, *, bars: int = 120) -> Expr:
    """How returns go with the cube of the market's distance to its mean: high shares the market's extremes.

    Unit: none, standardised; 3 times the correlation for normal returns. NaN until four fifths of the ``bars`` pairs
    are there, and where one is constant.

    Source: Dittmar (2002), J. Finance 57(1); Ang, Chen & Xing (2006), Review of Financial Studies 19(4), standardised
    with divisor n.
    """
    own, common = on_pairs(simple_return(close), market)
    mean = common.mean(bars, most(bars))
    joint = _comoment(own, common**3, bars) - 3 * mean * _comoment(own, common**2, bars)
    joint += 3 * mean**2 * _comoment(own, common, bars)
    return joint / (own.std(bars, most(bars), ddof=0) * common.std(bars, most(bars), ddof=0) ** 3)


@feature
def value_at_risk(close: Expr, *, bars: int = 250, share: float = 0.05) -> Expr:
    """Loss that ``share`` of the last ``bars`` bars exceeded.

    Unit: fraction, positive for a loss. NaN until four fifths of the ``bars`` returns are there.

    Source: McNeil, Frey & Embrechts (2015), Quantitative Risk Management, sec. 2.3, historical simulation.
    """
    return -simple_return(close).quantile(bars, share, most(bars))


@feature
def expected_shortfall(close: Expr, *, bars: int = 250, share: float = 0.05) -> Expr:
    """Mean loss of the worst ``share`` of the last ``bars`` bars.

    Unit: fraction, positive for a loss. NaN until four fifths of the ``bars`` returns are there.

    Source: Acerbi & Tasche (2002), J. Banking & Finance 26(7), historical: the bars at or beyond the value at risk.
    """
    return -simple_return(close).tail_mean(bars, share, most(bars))


@feature
def gaussian_value_at_risk(close: Expr, *, bars: int = 250, share: float = 0.05) -> Expr:
    """Loss that ``share`` of bars exceed if returns are normal with the window's mean and standard deviation.

    Unit: fraction, positive for a loss. NaN until four fifths of the ``bars`` returns are there.

    Source: McNeil, Frey & Embrechts (2015), Quantitative Risk Management, sec. 2.3, variance-covariance method.
    """
    return _loss(close, bars, _normal(share))


@feature
def gaussian_expected_shortfall(close: Expr, *, bars: int = 250, share: float = 0.05) -> Expr:
    """Mean loss of the worst ``share`` of bars if returns are normal with the window's mean and deviation.

    Unit: fraction, positive for a loss. NaN until four fifths of the ``bars`` returns are there.

    Source: McNeil, Frey & Embrechts (2015), Quantitative Risk Management, sec. 2.3.
    """
    return _loss(close, bars, -_density(_normal(share)) / share)


@feature
def cornish_fisher_value_at_risk(close: Expr, *, bars: int = 250, share: float = 0.05) -> Expr:
    """Loss that ``share`` of bars exceed, the normal quantile corrected for skewness and excess kurtosis.

    Unit: fraction, positive for a loss; no quantile, and at times negative, after a jump (with an excess kurtosis above
    8: a fifth of the bars of large US stocks). NaN until four fifths of the ``bars`` returns are there, and where the
    close is constant.

    Source: Favre & Galeano (2002), J. Alternative Investments 5(2), with moments of divisor n.
    """
    z = _normal(share)
    skew, kurt = population_shape(simple_return(close), bars)
    quantile = z + skew * ((z**2 - 1) / 6) + kurt * ((z**3 - 3 * z) / 24) - skew**2 * ((2 * z**3 - 5 * z) / 36)
    return _loss(close, bars, quantile)


@feature
def cornish_fisher_expected_shortfall(close: Expr, *, bars: int = 250, share: float = 0.05) -> Expr:
    """Mean loss of the worst ``share`` of bars, under the Cornish-Fisher quantiles.

    Unit: fraction, positive for a loss; worth as little after a jump as ``cornish_fisher_value_at_risk``. NaN until
    four fifths of the ``bars`` returns are there, and where the close is constant.

    Source: Maillard (2012), A User's Guide to the Cornish Fisher Expansion, the mean of the expansion below its
    quantile.
    """
    z = _normal(share)
    skew, kurt = population_shape(simple_return(close), bars)
    factor = 1 + skew * (z / 6) + kurt * ((z**2 - 1) / 24) - skew**2 * ((2 * z**2 - 1) / 36)
    return _loss(close, bars, -_density(z) / share * factor)


@feature
def tail_ratio(close: Expr, *, bars: int = 250, share: float = 0.05) -> Expr:
    """Size of the return that the best ``share`` of bars exceed, over that of the worst.

    Unit: ratio, above 1 with the fatter tail on the right. NaN until four fifths of the ``bars`` returns are there, and
    where the lower quantile is 0.

    Source: empyrical, tail_ratio.
    """
    change = simple_return(close)
    return change.quantile(bars, 1 - share, most(bars)).abs() / change.quantile(bars, share, most(bars)).abs()


@feature
def downside_deviation(close: Expr, *, bars: int = 250) -> Expr:
    """Root of the mean squared negative return, over all of ``bars`` bars.

    Unit: fraction per bar. NaN until four fifths of the ``bars`` returns are there.

    Source: Sortino & Price (1994), J. Investing 3(3), with a target of 0.
    """
    return (minimum(simple_return(close), 0) ** 2).mean(bars, most(bars)).sqrt()


@feature
def worst_return(close: Expr, *, bars: int = 60) -> Expr:
    """Greatest loss on one of the last ``bars`` bars.

    Unit: fraction, positive for a loss. NaN until four fifths of the ``bars`` returns are there.

    Source: Longin (1996), J. Business 69(3), minimal return.
    """
    return -simple_return(close).min(bars, most(bars))


@feature
def best_return(close: Expr, *, bars: int = 20) -> Expr:
    """Greatest return on one of the last ``bars`` bars: what lottery tickets have.

    Unit: fraction. NaN until four fifths of the ``bars`` returns are there.

    Source: Bali, Cakici & Whitelaw (2011), J. Financial Economics 99(2), MAX.
    """
    return simple_return(close).max(bars, most(bars))


@feature
def current_drawdown(close: Expr, *, bars: int = 250) -> Expr:
    """How far the close stands below the highest of the last ``bars`` bars.

    Unit: fraction, 0 at the high. NaN until four fifths of the ``bars`` bars are there.

    Source: Magdon-Ismail & Atiya (2004), Risk 17(10), with a peak at most ``bars`` bars old.
    """
    return 1 - close / close.max(bars, most(bars))


@feature
def max_drawdown(close: Expr, *, bars: int = 250) -> Expr:
    """Deepest fall from a close to a later one within the last ``bars`` bars.

    Unit: fraction, 0 if the close never fell. NaN until four fifths of the ``bars`` bars are there.

    Source: Magdon-Ismail & Atiya (2004), Risk 17(10).
    """
    return close.max_drawdown(bars, most(bars))


@feature
def drawdown_age(close: Expr, *, bars: int = 250) -> Expr:
    """How long ago the highest close of the last ``bars`` bars was.

    Unit: bars. NaN until four fifths of the ``bars`` bars are there.

    Source: Magdon-Ismail & Atiya (2004), Risk 17(10), time since the peak.
    """
    return close.argmax(bars, most(bars))


@feature
def pain_index(close: Expr, *, bars: int = 120) -> Expr:
    """Mean over ``bars`` bars of the fall from the highest close of the ``bars`` bars up to each.

    Unit: fraction. NaN until four fifths of both windows are there.

    Source: Bacon (2008), Practical Portfolio Performance Measurement and Attribution, ch. 4 (pain index).
    """
    return current_drawdown(close, bars=bars).mean(bars, most(bars))


@feature
def time_under_water(close: Expr, *, bars: int = 120) -> Expr:
    """Share of ``bars`` bars whose close lies below the highest of the ``bars`` bars up to it.

    Unit: share, 0 to 1. NaN until four fifths of both windows are there.

    Source: Bailey & Lopez de Prado (2015), J. Risk 18(2), time under water.
    """
    return (close < close.max(bars, most(bars))).mean(bars, most(bars))


def _some(bars: int) -> int:
    """Bars that a condition must choose: a fifth of the window."""
    return max(2, bars // 5)


def _comoment(left: Expr, right: Expr, bars: int) -> Expr:
    """Covariance with divisor n of series that are known on the same bars."""
    values = left.count(bars)
    return left.cov(right, bars, most(bars)) * (values - 1) / values


def _loss(close: Expr, bars: int, deviations: Expr | float) -> Expr:
    """Loss ``deviations`` standard deviations from the mean."""
    change = simple_return(close)
    return -(change.mean(bars, most(bars)) + change.std(bars, most(bars)) * deviations)


def _normal(share: float) -> float:
    """Return the standard normal quantile; the share of a tail is below one half."""
    if not 0 < share < 0.5:
        raise ValueError(f"share = {share} is not between 0 and 0.5")
    return NormalDist().inv_cdf(share)


def _density(z: float) -> float:
    return exp(-z * z / 2) / sqrt(2 * pi)
