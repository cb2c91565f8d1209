"""States of the market and of a symbol by rule: volatility, trend and breadth.

What is one number for the whole market stands where the symbol itself has a return. Fitted states belong to training.
"""

from itertools import pairwise

from aitrader.features.bars import most, simple_return, told
from aitrader.features.feature import feature
from aitrader.features.risk import current_drawdown
from aitrader.features.statistical import return_zscore
from aitrader.features.volatility import volatility, volatility_ratio
from aitrader.panel.expr import Expr


@feature
def volatility_percentile(close: Expr, *, bars: int = 20, history: int = 250) -> Expr:
    """Place of the volatility over ``bars`` bars among its own last ``history`` values.

    Unit: share, above 0 to 1 for the highest. NaN until four fifths of the ``history`` are there.

    Source: the rule of the volatility-managed states in Ang & Timmermann (2012), Annual Review of Financial Economics
    4, as a rank.
    """
    return volatility(close, bars=bars).rank(history, most(history))


@feature
def volatility_state(
    close: Expr, *, bars: int = 20, history: int = 250, calm: float = 0.25, wild: float = 0.75
) -> Expr:
    """Whether volatility is low or high for the symbol, by its percentile.

    Unit: state: -1 calm, 0 usual, 1 wild. NaN where ``volatility_percentile`` is.

    Source: rule on ``volatility_percentile``: at most ``calm``, above ``wild``.
    """
    if not calm <= wild:
        raise ValueError(f"volatility_state: calm = {calm} is above wild = {wild}")
    place = volatility_percentile(close, bars=bars, history=history)
    return (place > calm) + (place > wild) - 1


@feature
def trend_state(close: Expr, *, fast: int = 50, slow: int = 200) -> Expr:
    """Whether the close, its fast mean and its slow mean stand in order.

    Unit: state: 1 up (close above fast above slow), -1 down, 0 neither. NaN until ``slow`` bars are there.

    Source: Brock, Lakonishok & LeBaron (1992), J. Finance 47(5), two moving-average rules together.
    """
    return _order(close - close.mean(fast), close - close.mean(slow), fast, slow)


@feature
def trend_alignment(close: Expr) -> Expr:
    """How many of the close and its means over 10, 20, 50, 100 and 200 bars stand above the next longer one.

    Unit: -1 (none: falling in order) to 1 (all). NaN until 200 bars are there.

    Source: Murphy (1999), Technical Analysis of the Financial Markets, ch. 9, several averages in order.
    """
    lines = [close, *(close.mean(bars) for bars in (10, 20, 50, 100, 200))]
    above = lines[0] > lines[1]
    for shorter, longer in pairwise(lines[1:]):
        above += shorter > longer
    return above * 2 / (len(lines) - 1) - 1


@feature
def market_volatility_percentile(close: Expr, market: Expr, *, bars: int = 20, history: int = 250) -> Expr:
    """Place of the market's volatility over ``bars`` bars among its own last ``history`` values.

    Unit: share, above 0 to 1 for the highest. NaN until four fifths of the ``history`` are there.

    Source: the rule of ``volatility_percentile`` on the market's returns.
    """
    return told(market.std(bars, most(bars)).rank(history, most(history)), close)


@feature
def market_trend_state(close: Expr, market: Expr, *, fast: int = 50, slow: int = 200) -> Expr:
    """Whether the market's level, its fast mean and its slow mean stand in order, in logarithms.

    Unit: state: 1 up (level above fast above slow), -1 down, 0 neither. NaN until four fifths of ``slow`` bars are
    there.

    Source: Brock, Lakonishok & LeBaron (1992), J. Finance 47(5), two moving-average rules together.
    """
    return told(_order(_above_mean(market, fast), _above_mean(market, slow), fast, slow), close)


@feature
def market_trend(close: Expr, market: Expr, *, bars: int = 200) -> Expr:
    """Distance of the market's level from its mean over ``bars`` bars.

    Unit: logarithm (0.03 is about 3 %). NaN until four fifths of ``bars`` bars are there.

    Source: Faber (2007), J. Wealth Management 9(4), the signal before its threshold, in logarithms.
    """
    return told(_above_mean(market, bars), close)


@feature
def market_drawdown(close: Expr, market: Expr, *, bars: int = 250) -> Expr:
    """How far the market's level stands below its highest of the last ``bars`` bars.

    Unit: fraction, 0 at the high. NaN until four fifths of the ``bars`` returns are there.

    Source: Pagan & Sossounov (2003), J. Applied Econometrics 18(1), fall from the peak.
    """
    level = (market + 1).log().cumsum()
    return told(1 - (level - level.max(bars, most(bars))).exp(), close)


@feature
def bear_market(close: Expr, market: Expr, *, bars: int = 250, fall: float = 0.2) -> Expr:
    """Whether the market stands ``fall`` or more below its highest level of the last ``bars`` bars.

    Unit: state: 1 bear market, 0 not. NaN where ``market_drawdown`` is.

    Source: the common rule of 20 %, as in Pagan & Sossounov (2003), J. Applied Econometrics 18(1).
    """
    return market_drawdown(close, market, bars=bars) >= fall


@feature
def share_above_mean(close: Expr, *, bars: int = 200) -> Expr:
    """Share of members whose close lies above its mean over ``bars`` bars.

    Unit: share, 0 to 1. NaN until the symbol has ``bars`` bars, and with too few members that have.

    Source: Zakamulin (2017), Market Timing with Moving Averages, for the rule; counted over members.
    """
    return _breadth(close > close.mean(bars))


@feature
def share_rising(close: Expr, *, bars: int = 120) -> Expr:
    """Share of members whose close lies above that of ``bars`` bars ago.

    Unit: share, 0 to 1. NaN until the symbol has ``bars + 1`` bars, and with too few members that have.

    Source: Moskowitz, Ooi & Pedersen (2012), J. Financial Economics 104(2), sign of the return; counted over members.
    """
    return _breadth(close > close.shift(bars))


@feature
def share_more_volatile(close: Expr, *, short: int = 10, long: int = 60) -> Expr:
    """Share of members whose recent volatility is above their usual one.

    Unit: share, 0 to 1. NaN where ``volatility_ratio`` is, and with too few members that have it.

    Source: sign of ``volatility_ratio``; counted over members.
    """
    return _breadth(volatility_ratio(close, short=short, long=long) > 0)


@feature
def advance_decline(close: Expr, *, bars: int = 10) -> Expr:
    """Members that rose minus members that fell, over all that have a return, averaged over ``bars`` bars.

    Unit: share, -1 to 1. NaN until ``bars`` returns are there, and with too few members.

    Source: Zakon & Pennypacker (1968), J. Financial and Quantitative Analysis 3(3), advance-decline line by members.
    """
    return _breadth(simple_return(close).sign()).mean(bars)


@feature
def mcclellan_oscillator(close: Expr, *, fast: int = 19, slow: int = 39) -> Expr:
    """Fast minus slow exponential mean of (rising - falling members) / (rising + falling members).

    Unit: thousandths. NaN until ``slow`` returns of enough members are there, and where no member moved.

    Source: McClellan & McClellan (1970), Patterns for Profit, ratio-adjusted; both means begun on the same bar.
    """
    if fast >= slow:
        raise ValueError(f"mcclellan_oscillator: fast = {fast} is not shorter than slow = {slow}")
    net = _net_advances(close)
    return told(1000 * (net.ema(fast, skip=slow - fast) - net.ema(slow)), close)


@feature
def breadth_thrust(close: Expr, *, span: int = 10) -> Expr:
    """Exponential mean of rising members over rising and falling ones.

    Unit: share, 0 to 1; a rise from below 0.4 to above 0.615 within ten bars is the thrust. NaN until ``span``
    returns of enough members are there, and where no member moved.

    Source: Zweig (1986), Winning on Wall Street, ch. 5.
    """
    return told((_net_advances(close).ema(span) + 1) / 2, close)


@feature
def new_highs_minus_lows(high: Expr, low: Expr, *, bars: int = 250) -> Expr:
    """Members at their highest high of ``bars`` bars minus members at their lowest low, over all; 250 bars: 52 weeks.

    Unit: share, -1 to 1. NaN until the symbol has four fifths of ``bars`` bars, and with too few members that have.

    Source: Fosback (1976), Stock Market Logic, new highs and lows; counted over members.
    """
    at_high, at_low = high >= high.max(bars, most(bars)), low <= low.min(bars, most(bars))
    return _breadth(at_high - at_low)


@feature
def members_drawdown(close: Expr, *, bars: int = 250) -> Expr:
    """Mean fall of the members from their highest close of ``bars`` bars.

    Unit: fraction, 0 when all are at their high. NaN where the symbol's ``current_drawdown`` is, and with too few
    members that have it.

    Source: Magdon-Ismail & Atiya (2004), Risk 17(10), for the fall; averaged over members.
    """
    return _breadth(current_drawdown(close, bars=bars))


@feature
def return_dispersion(close: Expr) -> Expr:
    """Standard deviation of the members' returns on a bar (divisor n).

    Unit: fraction. NaN where the symbol has no return, and with too few members.

    Source: Solnik & Roulet (2000), Financial Analysts J. 56(1).
    """
    change = simple_return(close)
    return told((change.demean_across() ** 2).mean_across().sqrt(), close)


@feature
def turbulence(close: Expr, *, bars: int = 120) -> Expr:
    """Members' mean squared distance of the last return to its own mean, in standard deviations.

    Unit: none, 1 in usual times. NaN until the symbol has four fifths of the ``bars`` returns, and with too few members
    that have.

    Source: Kritzman & Li (2010), Financial Analysts J. 66(5), without correlations.
    """
    return _breadth(return_zscore(close, bars=bars) ** 2)


def _breadth(own: Expr) -> Expr:
    """The members' mean, where the symbol itself has a value."""
    return own.mean_across() + 0 * own


def _order(above_fast: Expr, above_slow: Expr, fast: int, slow: int) -> Expr:
    """1 if a level lies above its fast mean and that above the slow one, -1 if both are below, else 0."""
    if fast >= slow:
        raise ValueError(f"fast = {fast} is not shorter than slow = {slow}")
    return (above_fast > 0) + (above_slow > above_fast) - 1


def _above_mean(market: Expr, bars: int) -> Expr:
    """Log distance of the level to its mean, from returns: the older one is, the fewer of the levels it lies above."""
    if bars < 2:
        raise ValueError(f"a mean over {bars} bar is the level itself")
    return (market + 1).log().wma(bars - 1, most(bars - 1)) * ((bars - 1) / 2)


def _net_advances(close: Expr) -> Expr:
    sign = simple_return(close).sign()
    return sign.mean_across() / sign.abs().mean_across()
