"""What several families read from a bar, each formula once."""

from typing import Final

from aitrader.panel.expr import Expr, Operand, maximum, where

ROUNDING: Final = 1e-12
"""Part of a price by which sums of prices differ through rounding alone; no tick is as small."""


def simple_return(close: Expr) -> Expr:
    """Return over one bar, as a fraction."""
    return close / close.shift(1) - 1


def log_return(close: Expr) -> Expr:
    """Logarithm of the return over one bar."""
    return (close / close.shift(1)).log()


def true_range(high: Expr, low: Expr, close: Expr) -> Expr:
    """Range of a bar with the gap before it, USD; NaN on a symbol's first bar. Source: Wilder (1978), p. 21."""
    before = close.shift(1)
    return maximum(maximum(high - low, (high - before).abs()), (low - before).abs())


def typical_price(high: Expr, low: Expr, close: Expr) -> Expr:
    """Mean of high, low and close, USD."""
    return (high + low + close) / 3


def direction(price: Expr) -> Expr:
    """Sign of the change of a price that is a sum of others: 0 where they are equal but for rounding."""
    change = price - price.shift(1)
    return change.sign() * (change.abs() > ROUNDING * price)


def macd_line(close: Expr, fast: int, slow: int) -> Expr:
    """Return fast minus slow exponential mean, USD, both begun on the same bar (as TA-Lib)."""
    if fast >= slow:
        raise ValueError(f"macd: fast = {fast} is not shorter than slow = {slow}")
    return close.ema(fast, skip=slow - fast) - close.ema(slow)


def within_range(series: Expr, bars: int, least: Operand) -> Expr:
    """Place of a value in its range of ``bars`` bars, 0 to 1; NaN where that range is not above ``least``."""
    lowest = series.min(bars)
    spread = series.max(bars) - lowest
    return (series - lowest) / where(spread > least, spread, 0)


def average_price(vwap: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Volume-weighted price, USD; the typical price of a bar that carries none."""
    return where(vwap.count(1), vwap, typical_price(high, low, close))


def most(bars: int) -> int:
    """Bars that a long window needs: four fifths, so that one missing bar does not blank a quarter of a year."""
    return max(1, bars * 4 // 5)


def seen(close: Expr, bars: int) -> Expr:
    """1 where a bar is there and most of the bars before it, else NaN."""
    return close / close.mean(bars, most(bars)) > 0


def population_shape(change: Expr, bars: int) -> tuple[Expr, Expr]:
    """Skewness and excess kurtosis of a window without bias correction (divisor n).

    Undoes the correction of ``skew`` and ``kurt``: Joanes & Gill (1998), The Statistician 47(1), G1 and G2.
    """
    values = change.count(bars)
    skew = change.skew(bars, most(bars)) * (values - 2) / (values * (values - 1)).sqrt()
    kurt = change.kurt(bars, most(bars)) * (values - 2) * (values - 3) / (values - 1) - 6
    return skew, kurt / (values + 1)


def surprise(share: Expr) -> Expr:
    """``-p log p``, a term of Shannon's entropy; 0 at p = 0."""
    return -share * maximum(share, 1e-300).log()


def on_pairs(left: Expr, right: Expr) -> tuple[Expr, Expr]:
    """Both series, each free of the level, on the bars where both are known."""
    return left + 0 * right, right + 0 * left


def told(state: Expr, close: Expr) -> Expr:
    """A number of the whole market, where the symbol itself has a return."""
    return state + 0 * simple_return(close)
