"""Costs of trading and who trades, guessed from bars: spreads, price impact, order flow, idle bars."""

from dataclasses import dataclass
from functools import reduce
from math import sqrt
from operator import add, mul

from aitrader.features.bars import log_return, most, simple_return
from aitrader.features.feature import feature
from aitrader.panel.expr import Expr, maximum, minimum, where

_CORWIN_SCHULTZ = 3 - 2 * sqrt(2)


@feature(raw_level=True)
def amihud(close: Expr, volume: Expr, *, bars: int = 250) -> Expr:
    """Illiquidity: mean absolute return per million USD traded.

    Unit: fraction per million USD of a symbol's first bar. NaN until four fifths of the ``bars`` returns have volume.

    Source: Amihud (2002), J. Financial Markets 5(1), eq. 1.
    """
    return 1e6 * impact(close, volume).mean(bars, most(bars))


@feature
def amihud_variation(close: Expr, volume: Expr, *, bars: int = 60) -> Expr:
    """How unsteady illiquidity is: standard deviation over mean of the absolute return per USD traded.

    Unit: none. NaN until four fifths of the ``bars`` returns have volume, and where the close never moved.

    Source: Akbas, Armstrong & Petkova (2011), The Volatility of Liquidity and Expected Stock Returns, over its mean.
    """
    illiquidity = impact(close, volume)
    return illiquidity.std(bars, most(bars)) / illiquidity.mean(bars, most(bars))


@feature
def amihud_asymmetry(close: Expr, volume: Expr, *, bars: int = 120) -> Expr:
    """Illiquidity of falling bars over that of rising ones, as a logarithm.

    Unit: log ratio. NaN unless a fifth of the ``bars`` bars fell and a fifth rose.

    Source: Brennan, Huh & Subrahmanyam (2013), J. Financial and Quantitative Analysis 48(4), half-Amihud measures.
    """
    change, illiquidity, least = simple_return(close), impact(close, volume), max(1, bars // 5)
    falls, rises = illiquidity / (change < 0), illiquidity / (change > 0)  # a condition that does not hold divides by 0
    return (falls.mean(bars, least) / rises.mean(bars, least)).log()


@feature
def roll_spread(close: Expr, *, bars: int = 60) -> Expr:
    """Effective spread that the bid-ask bounce of the closes implies; 0 where their changes do not bounce.

    Unit: fraction of the price. NaN until four fifths of the ``bars`` pairs of returns are there.

    Source: Roll (1984), J. Finance 39(4), with log returns.
    """
    change = log_return(close)
    return 2 * maximum(-change.cov(change.shift(1), bars, most(bars)), 0).sqrt()


@feature
def corwin_schultz_spread(high: Expr, low: Expr, close: Expr, *, bars: int = 20) -> Expr:
    """Spread that highs and lows of one and of two bars imply; two bars with a negative one count 0.

    Unit: fraction of the price. NaN until four fifths of the ``bars`` pairs of bars are there.

    Source: Corwin & Schultz (2012), J. Finance 67(2), eq. 14 and 18, their correction for overnight returns included.
    """
    before = close.shift(1)
    moved = maximum(low - before, 0) + minimum(high - before, 0)
    top, bottom = high - moved, low - moved
    beta = (high.shift(1) / low.shift(1)).log() ** 2 + (top / bottom).log() ** 2
    gamma = (maximum(top, high.shift(1)) / minimum(bottom, low.shift(1))).log() ** 2
    alpha = ((2 * beta).sqrt() - beta.sqrt()) / _CORWIN_SCHULTZ - (gamma / _CORWIN_SCHULTZ).sqrt()
    spread = 2 * (alpha.exp() - 1) / (1 + alpha.exp())
    return maximum(spread, 0).mean(bars, most(bars))


@feature
def abdi_ranaldo_spread(high: Expr, low: Expr, close: Expr, *, bars: int = 20) -> Expr:
    """Spread that closes away from the middle of their bar's and the next bar's range imply.

    Unit: fraction of the price. NaN until four fifths of the ``bars`` pairs of bars are there.

    Source: Abdi & Ranaldo (2017), Review of Financial Studies 30(12), the two-day corrected version.
    """
    last = close.shift(1)
    own = ((last / high.shift(1)).log() + (last / low.shift(1)).log()) / 2
    following = ((last / high).log() + (last / low).log()) / 2
    return (2 * maximum(own * following, 0).sqrt()).mean(bars, most(bars))


@feature
def edge_spread(open: Expr, high: Expr, low: Expr, close: Expr, *, bars: int = 60) -> Expr:
    """Spread that all four prices imply, whether a bar's first and last trades were also its extremes or not.

    About forty windows: one of the expensive features. Unit: fraction of the price. NaN until four fifths of the
    ``bars`` pairs of bars are there, and where every open or every close is an extreme of its bar.

    Source: Ardia, Guidotti & Kroencke (2024), J. Financial Economics 161, EDGE, absolute value; equal to their bidask.
    """
    last, middle = close.shift(1), (high * low).sqrt()
    up, back = (middle / open).log(), (open / middle.shift(1)).log()
    rise, fall, night = (middle / last).log(), (last / middle.shift(1)).log(), (open / last).log()
    traded = maximum(high > low, (low - last).sign().abs())
    mean = _Means(traded, bars)
    inner_open = (open - high).sign().abs() + (open - low).sign().abs()
    inner_close = (last - high.shift(1)).sign().abs() + (last - low.shift(1)).sign().abs()
    at_open, at_close = -4 / mean.of(traded, inner_open), -4 / mean.of(traded, inner_close)
    guess, spread = mean.moments((at_open, up, back), (at_close, rise, fall))
    other, its_spread = mean.moments((at_open, up, night), (at_close, night, fall))
    both = spread + its_spread
    return where(both > 0, (its_spread * guess + spread * other) / both, (guess + other) / 2).abs().sqrt()


@dataclass(frozen=True, slots=True)
class _Means:
    """Means of products over the window, and moments of EDGE's sums of weighted, demeaned products."""

    traded: Expr
    bars: int

    def of(self, *factors: Expr) -> Expr:
        return reduce(mul, factors).mean(self.bars, most(self.bars))

    def moments(self, *parts: tuple[Expr, Expr, Expr]) -> tuple[Expr, Expr]:
        """Mean and variance of the sum of ``weight * (x - shift) * y``, ``shift`` the mean of x where bars traded."""
        shifts = [self.of(x) / self.of(self.traded) for _, x, _ in parts]
        mean = [w * (self.of(x, y) - k * self.of(self.traded, y)) for (w, x, y), k in zip(parts, shifts, strict=True)]
        square = [
            w * v * (self.of(x, z, y, u) - j * self.of(self.traded, x, y, u) - k * self.of(self.traded, z, y, u)
                     + k * j * self.of(self.traded, y, u))
            for (w, x, y), k in zip(parts, shifts, strict=True)
            for (v, z, u), j in zip(parts, shifts, strict=True)
        ]  # fmt: skip
        whole = reduce(add, mean)
        return whole, reduce(add, square) - whole**2


@feature
def kyle_lambda(close: Expr, volume: Expr, *, bars: int = 60) -> Expr:
    """Price impact: slope of returns on volume with the sign of the return.

    Unit: fraction per usual bar of volume. NaN until twice four fifths of the ``bars`` bars are there.

    Source: Kyle (1985), Econometrica 53(6), lambda, with volume signed by the bar as for bars without trades.
    """
    change = simple_return(close)
    return change.beta(change.sign() * volume / volume.mean(bars, most(bars)), bars, most(bars))


@feature
def hasbrouck_impact(close: Expr, volume: Expr, *, bars: int = 60) -> Expr:
    """Price impact: slope of log returns on the root of the value traded, with the sign of the return.

    Unit: fraction per root of the usual value. NaN until twice four fifths of the ``bars`` bars are there.

    Source: Hasbrouck (2009), J. Finance 64(3), on bars and against the mean value traded.
    """
    change, value = log_return(close), close * volume
    size = (value / value.mean(bars, most(bars))).sqrt()
    return change.beta(change.sign() * size, bars, most(bars))


@feature
def reversal_gamma(close: Expr, volume: Expr, *, bars: int = 60) -> Expr:
    """How much of a move on volume comes back on the next bar: slope of the return on the signed volume before.

    The return before is the other regressor. Unit: fraction per usual bar of volume, below 0 where liquidity is short.
    NaN until twice four fifths of the ``bars`` bars are there, and where the regressors are collinear.

    Source: Pastor & Stambaugh (2003), J. Political Economy 111(3), eq. 1, with the stock's own return.
    """
    change = simple_return(close)
    before, flow = change.shift(1), (change.sign() * volume / volume.mean(bars, most(bars))).shift(1)
    change, before, flow = change + 0 * flow, before + 0 * (change + flow), flow + 0 * change
    spread, both = before.var(bars, most(bars)), before.cov(flow, bars, most(bars))
    top = change.cov(flow, bars, most(bars)) * spread - change.cov(before, bars, most(bars)) * both
    return top / (spread * flow.var(bars, most(bars)) - both**2)


@feature
def order_imbalance(close: Expr, volume: Expr, *, bars: int = 50) -> Expr:
    """Bought minus sold volume over all of it, each bar's split guessed from its standardised return.

    Unit: share, -1 to 1. NaN until twice four fifths of the ``bars`` bars are there, and where nothing traded.

    Source: Easley, Lopez de Prado & O'Hara (2012), Review of Financial Studies 25(5), bulk volume classification.
    """
    flow = _bought_minus_sold(close, bars) * volume
    return flow.sum(bars, most(bars)) / volume.sum(bars, most(bars))


@feature
def vpin(close: Expr, volume: Expr, *, bars: int = 50) -> Expr:
    """Toxicity of order flow: absolute imbalance of bought and sold volume over all volume, bar by bar.

    Unit: share, 0 to 1. NaN until twice four fifths of the ``bars`` bars are there, and where nothing traded.

    Source: Easley, Lopez de Prado & O'Hara (2012), Review of Financial Studies 25(5), with bars of time for the
    buckets of volume, and bulk volume classification.
    """
    flow = (_bought_minus_sold(close, bars) * volume).abs()
    return flow.sum(bars, most(bars)) / volume.sum(bars, most(bars))


@feature
def imbalance_persistence(close: Expr, volume: Expr, *, bars: int = 60) -> Expr:
    """Correlation of a bar's imbalance of bought and sold volume with that of the bar before.

    Unit: correlation, -1 to 1. NaN until twice four fifths of the ``bars`` bars are there, and where one is constant.

    Source: Chordia, Roll & Subrahmanyam (2002), J. Financial Economics 65(1), autocorrelation of order imbalances.
    """
    flow = _bought_minus_sold(close, bars) * volume
    return flow.corr(flow.shift(1), bars, most(bars))


@feature
def zero_return_share(close: Expr, *, bars: int = 60) -> Expr:
    """Share of bars that closed where the bar before did.

    Unit: share, 0 to 1. NaN until four fifths of the ``bars`` returns are there.

    Source: Lesmond, Ogden & Trzcinka (1999), Review of Financial Studies 12(5).
    """
    return 1 - (close - close.shift(1)).sign().abs().mean(bars, most(bars))


@feature
def zero_volume_share(volume: Expr, *, bars: int = 60) -> Expr:
    """Share of bars without trade.

    Unit: share, 0 to 1. NaN until four fifths of the ``bars`` bars are there.

    Source: Liu (2006), J. Financial Economics 82(3), zero-volume days.
    """
    return (volume <= 0).mean(bars, most(bars))


@feature
def overnight_reversal(open: Expr, close: Expr, *, bars: int = 60) -> Expr:
    """Correlation of the day's return with that of the night before it; below 0 where the day takes the night back.

    Unit: correlation, -1 to 1. NaN until four fifths of the ``bars`` returns are there, and where one is constant.

    Source: Lou, Polk & Skouras (2019), J. Financial Economics 134(1), tug of war.
    """
    return (close / open).log().corr((open / close.shift(1)).log(), bars, most(bars))


def impact(close: Expr, volume: Expr) -> Expr:
    """Return a bar's absolute return per USD traded; NaN without volume."""
    return simple_return(close).abs() / (close * volume)


def _bought_minus_sold(close: Expr, bars: int) -> Expr:
    """Return the share bought minus the share sold: 2 Phi(return / its standard deviation) - 1."""
    change = log_return(close)
    return _two_sided(change / change.std(bars, most(bars)))


def _two_sided(z: Expr) -> Expr:
    """Return 2 Phi(z) - 1 to within 1.5e-7. Source: Abramowitz & Stegun (1964), 7.1.26, an odd function here."""
    size = z.abs() / sqrt(2)
    t = 1 / (1 + 0.3275911 * size)
    tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return z.sign() * (1 - tail * (-(size**2)).exp())
