"""Direction: averages that follow the price with less delay, and how far the price stands from them."""

from math import isqrt

from aitrader.features.feature import feature
from aitrader.panel.expr import Expr, where


@feature(raw_level=True)
def dema(close: Expr, *, span: int = 20) -> Expr:
    """Double exponential mean of the close: twice the mean, minus the mean of the mean.

    Unit: USD. NaN until ``2 * span - 1`` bars are there.

    Source: Mulloy (1994), Stocks & Commodities 12(1); TA-Lib DEMA.
    """
    return _dema(close, span)


@feature(raw_level=True)
def tema(close: Expr, *, span: int = 20) -> Expr:
    """Triple exponential mean of the close.

    Unit: USD. NaN until ``3 * span - 2`` bars are there.

    Source: Mulloy (1994), Stocks & Commodities 12(2); TA-Lib TEMA.
    """
    return _tema(close, span)


@feature(raw_level=True)
def hma(close: Expr, *, bars: int = 16) -> Expr:
    """Hull's mean of the close: weighted means of ``bars / 2`` and ``bars`` bars, smoothed over their root.

    Unit: USD. NaN until ``bars + isqrt(bars) - 1`` bars are there.

    Source: Hull (2005), Hull Moving Average; both lengths rounded down.
    """
    return _hma(close, bars)


@feature(raw_level=True)
def kama(close: Expr, *, bars: int = 10, fast: int = 2, slow: int = 30) -> Expr:
    """Kaufman's adaptive mean of the close: quick where the close goes straight, slow where it goes to and fro.

    Unit: USD. NaN until ``bars + 1`` bars are there; it begins with the close of the bar before.

    Source: Kaufman (1995), Smarter Trading; TA-Lib KAMA, whose constant close counts as straight.
    """
    return _kama(close, bars, fast, slow)


@feature
def distance_to_dema(close: Expr, *, span: int = 20) -> Expr:
    """Distance of the close from its double exponential mean.

    Unit: fraction of the mean. NaN until ``2 * span - 1`` bars are there.

    Source: Mulloy (1994), Stocks & Commodities 12(1), for the mean.
    """
    return close / _dema(close, span) - 1


@feature
def distance_to_tema(close: Expr, *, span: int = 20) -> Expr:
    """Distance of the close from its triple exponential mean.

    Unit: fraction of the mean. NaN until ``3 * span - 2`` bars are there.

    Source: Mulloy (1994), Stocks & Commodities 12(2), for the mean.
    """
    return close / _tema(close, span) - 1


@feature
def distance_to_hma(close: Expr, *, bars: int = 16) -> Expr:
    """Distance of the close from Hull's mean.

    Unit: fraction of the mean. NaN until ``bars + isqrt(bars) - 1`` bars are there.

    Source: Hull (2005), Hull Moving Average, for the mean.
    """
    return close / _hma(close, bars) - 1


@feature
def distance_to_kama(close: Expr, *, bars: int = 10, fast: int = 2, slow: int = 30) -> Expr:
    """Distance of the close from Kaufman's adaptive mean.

    Unit: fraction of the mean. NaN until ``bars + 1`` bars are there.

    Source: Kaufman (1995), Smarter Trading, for the mean; TA-Lib KAMA.
    """
    return close / _kama(close, bars, fast, slow) - 1


@feature
def distance_to_t3(close: Expr, *, span: int = 5, volume_factor: float = 0.7) -> Expr:
    """Distance of the close from Tillson's T3: a generalised double exponential mean taken three times.

    Unit: fraction of the mean. NaN until ``6 * span - 5`` bars are there.

    Source: Tillson (1998), Stocks & Commodities 16(1); TA-Lib T3 for the mean.
    """
    third = close.ema(span).ema(span).ema(span)
    fourth = third.ema(span)
    fifth = fourth.ema(span)
    v = volume_factor
    mean = (1 + v) ** 3 * third - 3 * v * (1 + v) ** 2 * fourth + 3 * v**2 * (1 + v) * fifth - v**3 * fifth.ema(span)
    return close / mean - 1


@feature
def mean_cross(close: Expr, *, fast: int = 50, slow: int = 200) -> Expr:
    """Mean of the close over ``fast`` bars against that over ``slow`` bars; it changes sign at a golden cross.

    Unit: fraction of the slow mean. NaN until ``slow`` bars are there.

    Source: Brock, Lakonishok & LeBaron (1992), J. Finance 47(5), variable-length moving average, before its sign.
    """
    if fast >= slow:
        raise ValueError(f"mean_cross: fast = {fast} is not shorter than slow = {slow}")
    return close.mean(fast) / close.mean(slow) - 1


@feature
def efficiency_ratio(close: Expr, *, bars: int = 10) -> Expr:
    """Net movement of the close over the length of its way there.

    Unit: share, 0 to 1 (a straight way). NaN until ``bars + 1`` bars are there, and where the close is constant.

    Source: Kaufman (1995), Smarter Trading.
    """
    net, way = _ways(close, bars)
    return net / way


@feature
def detrended_price(close: Expr, *, bars: int = 20) -> Expr:
    """Close half a cycle ago against the mean over the cycle: the detrended price oscillator, without looking ahead.

    Unit: fraction of the mean. NaN until ``bars`` bars are there.

    Source: StockCharts, ChartSchool, Detrended Price Oscillator: the close of ``bars / 2 + 1`` bars ago, not displaced.
    """
    mean = close.mean(bars)
    return (close.shift(bars // 2 + 1) - mean) / mean


def _dema(series: Expr, span: int) -> Expr:
    first = series.ema(span)
    return 2 * first - first.ema(span)


def _tema(series: Expr, span: int) -> Expr:
    first = series.ema(span)
    second = first.ema(span)
    return 3 * (first - second) + second.ema(span)


def _hma(series: Expr, bars: int) -> Expr:
    if bars < 2:
        raise ValueError(f"hma: bars = {bars} is less than 2")
    return (2 * series.wma(bars // 2) - series.wma(bars)).wma(isqrt(bars))


def _ways(close: Expr, bars: int) -> tuple[Expr, Expr]:
    return (close - close.shift(bars)).abs(), (close - close.shift(1)).abs().sum(bars)


def _kama(close: Expr, bars: int, fast: int, slow: int) -> Expr:
    if fast >= slow:
        raise ValueError(f"kama: fast = {fast} is not shorter than slow = {slow}")
    net, way = _ways(close, bars)
    straight = where(way > 0, net / way, 1)
    quickest, slowest = 2 / (fast + 1), 2 / (slow + 1)
    return close.adaptive_mean((straight * (quickest - slowest) + slowest) ** 2)
