"""What moves together: with the market, the other members, a sector, a chosen symbol; before or after it.

The market is the configuration's; a setting ``asset`` names a symbol in use, or ``universe_mean`` (the members' mean
return). Returns are simple ones.
"""

from aitrader.features.bars import most, on_pairs, simple_return, told
from aitrader.features.feature import UNIVERSE_MEAN, feature, market_return
from aitrader.features.momentum import momentum
from aitrader.panel.expr import Expr


@feature
def market_correlation(close: Expr, market: Expr, *, bars: int = 60) -> Expr:
    """Correlation of returns with the market's over ``bars`` bars.

    Unit: correlation, -1 to 1. NaN until four fifths of the ``bars`` pairs are there, and where one is constant.

    Source: Elton, Gruber & Urich (1978), J. Finance 33(5).
    """
    return simple_return(close).corr(market, bars, most(bars))


@feature
def correlation_change(close: Expr, market: Expr, *, short: int = 20, long: int = 120) -> Expr:
    """Recent correlation with the market minus the usual one.

    Unit: difference of correlations, -2 to 2. NaN until four fifths of the ``long`` pairs are there, and where one is
    constant.

    Source: correlation over ``short`` and over ``long`` bars.
    """
    return market_correlation(close, market, bars=short) - market_correlation(close, market, bars=long)


@feature
def downside_correlation(close: Expr, market: Expr, *, bars: int = 250) -> Expr:
    """Correlation of returns with the market's, over those of ``bars`` bars on which the market fell.

    Unit: correlation, -1 to 1. NaN until a fifth of the ``bars`` bars are such pairs, and where one is constant.

    Source: Ang & Chen (2002), J. Financial Economics 63(3), exceedance of the market alone, at 0.
    """
    return simple_return(close).corr(market / (market < 0), bars, max(2, bars // 5))


@feature
def correlation_asymmetry(close: Expr, market: Expr, *, bars: int = 250) -> Expr:
    """Correlation with a falling market minus that with a rising one.

    Unit: difference of correlations, -2 to 2. NaN until a fifth of the ``bars`` bars are pairs of each kind, and where
    one is constant.

    Source: Hong, Tu & Zhou (2007), Review of Financial Studies 20(5), exceedance of the market alone, at 0.
    """
    rising = simple_return(close).corr(market / (market > 0), bars, max(2, bars // 5))
    return downside_correlation(close, market, bars=bars) - rising


@feature
def volatility_correlation(close: Expr, market: Expr, *, bars: int = 120) -> Expr:
    """Correlation of the size of returns with that of the market's.

    Unit: correlation, -1 to 1. NaN until four fifths of the ``bars`` pairs are there, and where one is constant.

    Source: Ding, Granger & Engle (1993), J. Empirical Finance 1(1), absolute returns as volatility.
    """
    return simple_return(close).abs().corr(market.abs(), bars, most(bars))


@feature
def volume_commonality(volume: Expr, *, bars: int = 60) -> Expr:
    """Correlation of the change in volume with the members' mean change.

    Unit: correlation, -1 to 1. NaN until four fifths of the ``bars`` pairs of bars with volume are there, and where one
    is constant.

    Source: Chordia, Roll & Subrahmanyam (2000), J. Financial Economics 56(1), with volume and the symbol itself among
    the members.
    """
    change = (volume / volume.shift(1)).log()
    return change.corr(change.mean_across(), bars, most(bars))


@feature
def peer_correlation(close: Expr, *, bars: int = 60) -> Expr:
    """Mean correlation of returns with each of the other members over ``bars`` bars.

    Unit: correlation, -1 to 1. NaN until ``bars`` returns are there, after a missing bar, where the close is constant,
    for others than members, and with too few of them. All pairs of members per bar: among the dearest features.

    Source: Pollet & Wilson (2010), J. Financial Economics 96(3), one row of their average.
    """
    return simple_return(close).correlation_across(bars)


@feature
def average_correlation(close: Expr, *, bars: int = 60) -> Expr:
    """Mean correlation of all pairs of members over ``bars`` bars, told to every symbol that has a return.

    Unit: correlation, high when diversifying helps little. NaN until ``bars`` returns of enough members are there.
    As dear as ``peer_correlation``.

    Source: Pollet & Wilson (2010), J. Financial Economics 96(3), with equal weights.
    """
    return told(simple_return(close).correlation_across(bars).mean_across(), close)


@feature
def eigenvalue_share(close: Expr, *, bars: int = 60) -> Expr:
    """Part of the members' variance that their first common factor takes up, told to every symbol that has a return.

    Unit: share: the largest eigenvalue of the correlation matrix over the number of members. NaN until ``bars``
    returns of enough members are there. An eigenvalue problem per bar: the dearest feature of all.

    Source: Kritzman, Li, Page & Rigobon (2011), J. Portfolio Management 37(4), absorption ratio of one eigenvector, of
    correlations.
    """
    return told(simple_return(close).eigenvalue_across(bars), close)


@feature
def sector_correlation(close: Expr, *, bars: int = 60) -> Expr:
    """Correlation of returns with the mean return of the sector's members over ``bars`` bars.

    Unit: correlation, -1 to 1. NaN until four fifths of the ``bars`` pairs are there, for symbols in no sector, and
    where a sector has too few members. Needs sectors.

    Source: Moskowitz & Grinblatt (1999), J. Finance 54(4), for industries as portfolios of equal weights.
    """
    change = simple_return(close)
    return change.corr(change.mean_across(by="sector"), bars, most(bars))


@feature
def sector_beta(close: Expr, *, bars: int = 120) -> Expr:
    """Least-squares slope of returns on the mean return of the sector's members over ``bars`` bars.

    Unit: none, 1 for the sector itself. NaN until four fifths of the ``bars`` pairs are there, for symbols in no
    sector, and where a sector has too few members. Needs sectors.

    Source: Moskowitz & Grinblatt (1999), J. Finance 54(4), for industries as portfolios of equal weights.
    """
    change = simple_return(close)
    return change.beta(change.mean_across(by="sector"), bars, most(bars))


@feature
def sector_relative_return(close: Expr, *, bars: int = 20) -> Expr:
    """Return over ``bars`` bars beyond the mean of the sector's members.

    Unit: fraction. NaN until ``bars + 1`` bars are there, for others than members of a sector, and where a sector has
    too few. Needs sectors.

    Source: Moskowitz & Grinblatt (1999), J. Finance 54(4), return less the industry's.
    """
    return momentum(close, bars=bars).demean_across(by="sector")


@feature
def lagged_market_correlation(close: Expr, market: Expr, *, bars: int = 120, lag: int = 1) -> Expr:
    """Correlation of returns with the market's ``lag`` bars before: how much a symbol follows.

    Unit: correlation, -1 to 1. NaN until four fifths of the ``bars`` pairs are there, and where one is constant.

    Source: Lo & MacKinlay (1990), Review of Financial Studies 3(2).
    """
    return simple_return(close).corr(market.shift(lag), bars, most(bars))


@feature
def lead_lag(close: Expr, market: Expr, *, bars: int = 120, lag: int = 1) -> Expr:
    """How much more a symbol goes before the market than after it, ``lag`` bars apart.

    Unit: difference of correlations, -2 to 2, positive when it leads. NaN until four fifths of the ``bars`` pairs are
    there, and where one is constant.

    Source: Lo & MacKinlay (1990), Review of Financial Studies 3(2), asymmetry of cross-autocorrelations.
    """
    return _lead(simple_return(close), market, bars, lag)


@feature
def price_delay(close: Expr, market: Expr, *, bars: int = 120) -> Expr:
    """Part of what the market explains of returns that only its return of the bar before does.

    Unit: share, 0 (at once) to 1 (a bar late). NaN until four fifths of the ``bars`` pairs are there, and where one is
    constant.

    Source: Hou & Moskowitz (2005), Review of Financial Studies 18(3), D1 with one lag.
    """
    before = market.shift(1)
    own, common = on_pairs(simple_return(close) + 0 * before, market)
    late = before + 0 * own
    now, after, between = (a.corr(b, bars, most(bars)) for a, b in ((own, common), (own, late), (common, late)))
    explained = (now**2 + after**2 - 2 * now * after * between) / (1 - between**2)
    return 1 - now**2 / explained


@feature
def asset_correlation(close: Expr, *, asset: str = UNIVERSE_MEAN, bars: int = 60) -> Expr:
    """Correlation of returns with those of a chosen symbol over ``bars`` bars.

    Unit: correlation, -1 to 1. NaN until four fifths of the ``bars`` pairs are there, and where one is constant.

    Source: Elton, Gruber & Urich (1978), J. Finance 33(5).
    """
    return simple_return(close).corr(market_return(asset), bars, most(bars))


@feature
def asset_beta(close: Expr, *, asset: str = UNIVERSE_MEAN, bars: int = 120) -> Expr:
    """Least-squares slope of returns on those of a chosen symbol over ``bars`` bars.

    Unit: none, 1 for the symbol itself. NaN until four fifths of the ``bars`` pairs are there, and where the chosen
    symbol's returns are constant.

    Source: Fama & MacBeth (1973), J. Political Economy 81(3), with that symbol as the market.
    """
    return simple_return(close).beta(market_return(asset), bars, most(bars))


@feature
def asset_lead_lag(close: Expr, *, asset: str = UNIVERSE_MEAN, bars: int = 120, lag: int = 1) -> Expr:
    """How much more a symbol goes before a chosen one than after it, ``lag`` bars apart.

    Unit: difference of correlations, -2 to 2, positive when it leads. NaN until four fifths of the ``bars`` pairs are
    there, and where one is constant.

    Source: Lo & MacKinlay (1990), Review of Financial Studies 3(2), asymmetry of cross-autocorrelations.
    """
    return _lead(simple_return(close), market_return(asset), bars, lag)


def _lead(own: Expr, other: Expr, bars: int, lag: int) -> Expr:
    ahead = own.shift(lag).corr(other, bars, most(bars))
    return ahead - own.corr(other.shift(lag), bars, most(bars))
