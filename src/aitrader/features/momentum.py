"""Speed: returns, and oscillators between what rose and what fell."""

from math import sqrt

from aitrader.features.bars import simple_return, typical_price
from aitrader.features.feature import feature
from aitrader.panel.expr import Expr, maximum


@feature
def momentum(close: Expr, *, bars: int = 20) -> Expr:
    """Return of the adjusted close over the last ``bars`` bars.

    Unit: fraction (0.03 is 3 %). NaN until a symbol has ``bars + 1`` bars.

    Source: Jegadeesh & Titman (1993), J. Finance 48(1), with J = bars.
    """
    return close / close.shift(bars) - 1


@feature
def momentum_12_1(close: Expr, *, bars: int = 252, skip: int = 21) -> Expr:
    """Return of the adjusted close over a year without its last month.

    Unit: fraction. NaN until a symbol has ``bars + 1`` bars.

    Source: Carhart (1997), J. Finance 52(1), PR1YR; months of 21 bars.
    """
    if skip >= bars:
        raise ValueError(f"momentum_12_1: skip = {skip} is not shorter than bars = {bars}")
    return close.shift(skip) / close.shift(bars) - 1


@feature
def momentum_acceleration(close: Expr, *, bars: int = 60) -> Expr:
    """Return over the last ``bars`` bars minus that over the ``bars`` bars before.

    Unit: fraction. NaN until ``2 * bars + 1`` bars are there.

    Source: Gettleman & Marks (2006), Acceleration Strategies, with equal spans.
    """
    recent = momentum(close, bars=bars)
    return recent - recent.shift(bars)


@feature
def momentum_to_volatility(close: Expr, *, bars: int = 120) -> Expr:
    """Return over ``bars`` bars in standard deviations of a return over so many bars.

    Unit: standard deviations. NaN until ``bars + 1`` bars are there, and where the close is constant.

    Source: Moskowitz, Ooi & Pedersen (2012), J. Financial Economics 104(2), eq. 5, volatility over the same bars.
    """
    return momentum(close, bars=bars) / (simple_return(close).std(bars) * sqrt(bars))


@feature
def information_discreteness(close: Expr, *, bars: int = 250) -> Expr:
    """Whether a return came in few large steps (high) or in many small ones (low, it tends to go on).

    Unit: share of falling minus share of rising bars, for a fall with its sign turned. NaN until ``bars + 1`` bars are
    there.

    Source: Da, Gurun & Warachka (2014), Review of Financial Studies 27(7), eq. 1.
    """
    change = simple_return(close)
    return momentum(close, bars=bars).sign() * -change.sign().mean(bars)


@feature
def momentum_rank(close: Expr, *, bars: int = 120) -> Expr:
    """Place of a symbol's return over ``bars`` bars among the members'.

    Unit: rank, 0 to 1 with mean 1/2. NaN until ``bars + 1`` bars are there, for others than members, and with too few.

    Source: Jegadeesh & Titman (1993), J. Finance 48(1), who sort by it.
    """
    return momentum(close, bars=bars).rank_across()


@feature
def reversal_rank(close: Expr, *, bars: int = 5) -> Expr:
    """Place of a symbol among the members, the worst return over ``bars`` bars first in line (highest).

    Unit: rank, 0 to 1 with mean 1/2. NaN until ``bars + 1`` bars are there, for others than members, and with too few.

    Source: Lehmann (1990), Quarterly J. of Economics 105(1).
    """
    return (-momentum(close, bars=bars)).rank_across()


@feature
def gap(open: Expr, close: Expr) -> Expr:
    """Open against the close before it.

    Unit: fraction. NaN on a symbol's first bar and after a missing one.

    Source: Lou, Polk & Skouras (2019), J. Financial Economics 134(1), overnight return.
    """
    return open / close.shift(1) - 1


@feature
def intraday_return(open: Expr, close: Expr) -> Expr:
    """Close against the open of the same bar.

    Unit: fraction. NaN where a bar is missing.

    Source: Lou, Polk & Skouras (2019), J. Financial Economics 134(1), intraday return.
    """
    return close / open - 1


@feature
def close_location(high: Expr, low: Expr, close: Expr) -> Expr:
    """Where in its bar's range the close lies.

    Unit: share, 0 at the low, 1 at the high. NaN where high equals low.

    Source: TA-Lib STOCHF with one bar.
    """
    return (close - low) / (high - low)


@feature
def rsi(close: Expr, *, bars: int = 14) -> Expr:
    """Wilder's relative strength index.

    Unit: percent, 0 to 100. NaN until ``bars + 1`` bars are there, and while the close never moved.

    Source: Wilder (1978), New Concepts, sec. VI; TA-Lib RSI.
    """
    rise, fall = _rise_and_fall(close, bars)
    return 100 * rise / (rise + fall)


@feature
def cmo(close: Expr, *, bars: int = 14) -> Expr:
    """Chande momentum oscillator with Wilder's means: twice ``rsi``, minus 100.

    Unit: percent, -100 to 100. NaN until ``bars + 1`` bars are there, and while the close never moved.

    Source: Chande & Kroll (1994), The New Technical Trader, ch. 5; TA-Lib CMO for the means.
    """
    rise, fall = _rise_and_fall(close, bars)
    return 100 * (rise - fall) / (rise + fall)


@feature
def chande_momentum(close: Expr, *, bars: int = 14) -> Expr:
    """Chande momentum oscillator with plain sums: net movement of the close over all its movement.

    Unit: percent, -100 to 100. NaN until ``bars + 1`` bars are there, and where the close is constant.

    Source: Chande & Kroll (1994), The New Technical Trader, ch. 5; Tulip CMO.
    """
    change = close - close.shift(1)
    return 100 * change.sum(bars) / change.abs().sum(bars)


@feature
def stochastic(high: Expr, low: Expr, close: Expr, *, bars: int = 14) -> Expr:
    """Fast stochastic %K: the close within the range of the last ``bars`` bars.

    Unit: percent, 0 to 100. NaN until ``bars`` bars are there, and where that range is 0.

    Source: TA-Lib STOCHF.
    """
    lowest = low.min(bars)
    return 100 * (close - lowest) / (high.max(bars) - lowest)


@feature
def stochastic_signal(high: Expr, low: Expr, close: Expr, *, bars: int = 14, smooth: int = 3) -> Expr:
    """Fast stochastic %D, which is the slow %K: the fast %K averaged over ``smooth`` bars.

    Unit: percent, 0 to 100. NaN until ``bars + smooth - 1`` bars are there, and near a range of 0.

    Source: TA-Lib STOCHF and STOCH.
    """
    return stochastic(high, low, close, bars=bars).mean(smooth)


@feature
def stochastic_slow(high: Expr, low: Expr, close: Expr, *, bars: int = 14, smooth: int = 3) -> Expr:
    """Slow stochastic %D: the fast %K averaged twice over ``smooth`` bars.

    Unit: percent, 0 to 100. NaN until ``bars + 2 * (smooth - 1)`` bars are there, and near a range of 0.

    Source: TA-Lib STOCH.
    """
    return stochastic(high, low, close, bars=bars).mean(smooth).mean(smooth)


@feature
def williams_r(high: Expr, low: Expr, close: Expr, *, bars: int = 14) -> Expr:
    """Williams %R: how far the close lies below the highest high, in the range of ``bars`` bars; ``stochastic`` - 100.

    Unit: percent, -100 to 0. NaN until ``bars`` bars are there, and where that range is 0.

    Source: TA-Lib WILLR.
    """
    highest = high.max(bars)
    return -100 * (highest - close) / (highest - low.min(bars))


@feature
def cci(high: Expr, low: Expr, close: Expr, *, bars: int = 20) -> Expr:
    """Commodity channel index: the typical price's distance from its mean in mean absolute distances.

    Unit: 1/0.015 mean absolute distances. NaN until ``bars`` bars are there, and where the price is constant.

    Source: Lambert (1980), Commodities 9(10); TA-Lib CCI.
    """
    price = typical_price(high, low, close)
    return (price - price.mean(bars)) / (0.015 * price.mad(bars))


def _rise_and_fall(close: Expr, bars: int) -> tuple[Expr, Expr]:
    change = close - close.shift(1)
    return maximum(change, 0).wilder(bars), maximum(-change, 0).wilder(bars)
