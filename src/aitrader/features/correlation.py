"""What moves together: with the market, with a chosen symbol, before or after it.

The market is the configuration's; a setting ``asset`` names a symbol in use, or ``universe_mean`` (the members' mean
return). Returns are simple ones.
"""

from aitrader.features.bars import most, on_pairs, simple_return
from aitrader.features.feature import UNIVERSE_MEAN, feature, market_return
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
