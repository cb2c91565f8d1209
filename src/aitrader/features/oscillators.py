"""Speed: oscillators made of several averages or of other oscillators."""

from typing import Final

from aitrader.features.bars import simple_return, true_range, within_range
from aitrader.features.feature import feature
from aitrader.features.momentum import momentum, rsi
from aitrader.panel.expr import Expr, minimum, where

LONGEST_STREAK: Final = 32
"""Bars in a row that Connors' RSI counts at most."""


@feature
def stochastic_rsi(close: Expr, *, bars: int = 14) -> Expr:
    """Place of Wilder's relative strength index within its own range of ``bars`` bars.

    Unit: share, 0 to 1. NaN until ``2 * bars`` bars are there, and where that range is under 1e-9: without a movement
    the index keeps its value but for rounding.

    Source: Chande & Kroll (1994), The New Technical Trader, ch. 5.
    """
    return within_range(rsi(close, bars=bars), bars, 1e-9)


@feature
def true_strength_index(close: Expr, *, slow: int = 25, fast: int = 13) -> Expr:
    """Net movement of the close over all its movement, both averaged exponentially twice.

    Unit: percent, -100 to 100. NaN until ``slow + fast`` bars are there, and while the close never moved.

    Source: Blau (1991), Stocks & Commodities 9(11).
    """
    change = close - close.shift(1)
    return 100 * change.ema(slow).ema(fast) / change.abs().ema(slow).ema(fast)


@feature
def ultimate_oscillator(
    high: Expr, low: Expr, close: Expr, *, short: int = 7, middle: int = 14, long: int = 28
) -> Expr:
    """Buying pressure over true range on three spans, weighted 4, 2 and 1.

    Unit: percent, 0 to 100. NaN until one bar more than the longest span is there, and where a range is 0.

    Source: Williams (1985), Stocks & Commodities 3(4); TA-Lib ULTOSC.
    """
    pressure = close - minimum(low, close.shift(1))
    spread = true_range(high, low, close)
    shares = [weight * (pressure.sum(bars) / spread.sum(bars)) for weight, bars in ((4, short), (2, middle), (1, long))]
    return 100 * (shares[0] + shares[1] + shares[2]) / 7


@feature
def awesome_oscillator(high: Expr, low: Expr, close: Expr, *, fast: int = 5, slow: int = 34) -> Expr:
    """Fast minus slow mean of the middle of each bar, over the close.

    Unit: fraction of the close. NaN until ``slow`` bars are there.

    Source: Williams (1998), New Trading Dimensions, Awesome Oscillator.
    """
    middle = (high + low) / 2
    return (middle.mean(fast) - middle.mean(slow)) / close


@feature
def ppo(close: Expr, *, fast: int = 12, slow: int = 26) -> Expr:
    """Percentage price oscillator: fast minus slow exponential mean, over the slow one.

    Unit: percent of the slow mean. NaN until ``slow`` bars are there.

    Source: Appel (2005), Technical Analysis, ch. 8; TA-Lib PPO with exponential means, each begun on its own.
    """
    if fast >= slow:
        raise ValueError(f"ppo: fast = {fast} is not shorter than slow = {slow}")
    return 100 * (close.ema(fast) / close.ema(slow) - 1)


@feature
def ppo_histogram(close: Expr, *, fast: int = 12, slow: int = 26, signal: int = 9) -> Expr:
    """Percentage price oscillator minus its exponential mean over ``signal`` bars.

    Unit: percent of the slow mean. NaN until ``slow + signal - 1`` bars are there.

    Source: StockCharts, ChartSchool, Percentage Price Oscillator.
    """
    line = ppo(close, fast=fast, slow=slow)
    return line - line.ema(signal)


@feature
def connors_rsi(close: Expr, *, bars: int = 3, streak: int = 2, ranked: int = 100) -> Expr:
    """Mean of the close's RSI, the RSI of its streak of rises or falls, and the place of its return among earlier ones.

    A streak counts at most 32 bars; among equal returns half are below.

    Unit: percent, 0 to 100. NaN until ``ranked + 2`` bars are there, and while the close never moved.

    Source: Connors & Alvarez (2012), An Introduction to ConnorsRSI.
    """
    place = ((ranked + 1) * simple_return(close).rank(ranked + 1) - 1) / ranked
    return (rsi(close, bars=bars) + rsi(_streak(close), bars=streak) + 100 * place) / 3


@feature
def know_sure_thing(close: Expr) -> Expr:
    """Four rates of change over 10 to 30 bars, averaged and weighted 1 to 4.

    Unit: percent, ten times a weighted mean return. NaN until 45 bars are there.

    Source: Pring (1992), Stocks & Commodities 10(8), daily settings.
    """
    means = [100 * momentum(close, bars=bars).mean(smooth) for bars, smooth in ((10, 10), (15, 10), (20, 10), (30, 15))]
    return means[0] + 2 * means[1] + 3 * means[2] + 4 * means[3]


@feature
def coppock(close: Expr, *, short: int = 11, long: int = 14, smooth: int = 10) -> Expr:
    """Coppock curve: two rates of change added and averaged with linear weights.

    Unit: percent, the sum of two returns. NaN until ``long + smooth`` bars are there, ``long`` being the longer.

    Source: Coppock (1962), Practical Relative Strength Charting, whose bars are months.
    """
    return 100 * (momentum(close, bars=short) + momentum(close, bars=long)).wma(smooth)


@feature
def fisher_transform(high: Expr, low: Expr, *, bars: int = 10) -> Expr:
    """Place of the bar's middle in its range of ``bars`` bars, smoothed and stretched towards a normal distribution.

    Unit: none, -7.6 to 7.6, beyond 3 on a tenth of the bars. NaN until ``bars`` bars are there, and where that range is
    0.

    Source: Ehlers (2002), Stocks & Commodities 20(11): recursions that begin with 0, a bound of 0.999 not fed back.
    """
    smooth = _from_zero(2 * within_range((high + low) / 2, bars, 0) - 1, 0.33).clip(-0.999, 0.999)
    return _from_zero(((1 + smooth) / (1 - smooth)).log(), 0.5)


@feature
def balance_of_power(open: Expr, high: Expr, low: Expr, close: Expr, *, bars: int = 14) -> Expr:
    """Body of the bar over its range, averaged over ``bars`` bars; a bar without range counts 0.

    Unit: share, -1 to 1. NaN until ``bars`` bars are there.

    Source: Livshin (2001), Stocks & Commodities 19(8); TA-Lib BOP for one bar.
    """
    return where(high > low, (close - open) / (high - low), 0).mean(bars)


@feature
def relative_vigor(open: Expr, high: Expr, low: Expr, close: Expr, *, bars: int = 10) -> Expr:
    """Relative vigor index: bodies over ranges, both smoothed symmetrically over four bars and summed.

    Unit: share, -1 to 1. NaN until ``bars + 3`` bars are there, and where the range is 0.

    Source: Ehlers (2002), Stocks & Commodities 20(1).
    """
    return _symmetric(close - open).sum(bars) / _symmetric(high - low).sum(bars)


@feature
def qstick(open: Expr, close: Expr, *, bars: int = 8) -> Expr:
    """Mean body of the last ``bars`` bars, over the close.

    Unit: fraction of the close, positive when bars rise. NaN until ``bars`` bars are there.

    Source: Chande & Kroll (1994), The New Technical Trader, ch. 5; Tulip QSTICK.
    """
    return (close - open).mean(bars) / close


def _from_zero(series: Expr, weight: float) -> Expr:
    """Return the exponential mean that was 0 before the first value."""
    known = series.count(1) > 0
    return where(known, series, 0).adaptive_mean(where(known, weight, series))


def _symmetric(series: Expr) -> Expr:
    return (series + 2 * series.shift(1) + 2 * series.shift(2) + series.shift(3)) / 6


def _streak(close: Expr) -> Expr:
    """Return how many bars in a row the close rose, negative for falls, 0 on a bar without change."""
    change = close - close.shift(1)
    return _run(change > 0) - _run(change < 0)


def _run(holds: Expr) -> Expr:
    broken = 1 - holds
    unbroken = holds.count(LONGEST_STREAK)
    return where(broken.max(LONGEST_STREAK, 1) > 0, broken.argmax(LONGEST_STREAK, 1), unbroken)
