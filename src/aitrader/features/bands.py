"""Size of movements as bands around the price, and where it stands between them."""

from aitrader.features.bars import true_range
from aitrader.features.feature import feature
from aitrader.panel.expr import Expr, maximum, minimum


@feature
def donchian_position(high: Expr, low: Expr, close: Expr, *, bars: int = 20) -> Expr:
    """Where between the highest high and the lowest low of ``bars`` bars the close lies: ``stochastic`` / 50 - 1.

    Unit: -1 at the lowest low, 1 at the highest high. NaN until ``bars`` bars are there, and where both are equal.

    Source: Donchian (1960), Financial Analysts Journal 16(6); StockCharts, ChartSchool, Price Channels.
    """
    highest, lowest = high.max(bars), low.min(bars)
    return (2 * close - highest - lowest) / (highest - lowest)


@feature
def donchian_width(high: Expr, low: Expr, close: Expr, *, bars: int = 20) -> Expr:
    """Distance between the highest high and the lowest low of ``bars`` bars, over the mean close.

    Unit: fraction of the mean. NaN until ``bars`` bars are there.

    Source: Donchian (1960), Financial Analysts Journal 16(6); StockCharts, ChartSchool, Price Channels.
    """
    return (high.max(bars) - low.min(bars)) / close.mean(bars)


@feature
def donchian_break(high: Expr, low: Expr, close: Expr, *, bars: int = 20) -> Expr:
    """How far the close broke out of the range of the ``bars`` bars before; negative below it.

    Unit: fraction of the close, 0 within that range. NaN until ``bars + 1`` bars are there.

    Source: Faith (2007), Way of the Turtle, the entry signal before its threshold.
    """
    above = maximum(close - high.max(bars).shift(1), 0)
    return (above + minimum(close - low.min(bars).shift(1), 0)) / close


@feature
def keltner_position(high: Expr, low: Expr, close: Expr, *, span: int = 20, bars: int = 10, width: float = 2.0) -> Expr:
    """Where between its Keltner bands the close lies: ``width`` average true ranges around the exponential mean.

    Unit: -1 at the lower band, 1 at the upper. NaN until the longer of ``span`` and ``bars + 1`` bars is there,
    and while the price never moved.

    Source: Raschke's form in StockCharts, ChartSchool, Keltner Channels; Wilder's mean of the true range.
    """
    return (close - close.ema(span)) / (width * true_range(high, low, close).wilder(bars))


@feature
def keltner_width(high: Expr, low: Expr, close: Expr, *, span: int = 20, bars: int = 10, width: float = 2.0) -> Expr:
    """Distance between the Keltner bands over the middle one.

    Unit: fraction of the mean. NaN until the longer of ``span`` and ``bars + 1`` bars is there.

    Source: Raschke's form in StockCharts, ChartSchool, Keltner Channels; Wilder's mean of the true range.
    """
    return 2 * width * true_range(high, low, close).wilder(bars) / close.ema(span)


@feature
def squeeze(
    high: Expr, low: Expr, close: Expr, *, bars: int = 20, bollinger: float = 2.0, keltner: float = 1.5
) -> Expr:
    """Width of the Bollinger bands over that of the Keltner bands; below 1 the former lie inside the latter.

    Unit: log ratio, negative in a squeeze. NaN until ``bars + 1`` bars are there, and where the close is constant.

    Source: Carter (2005), Mastering the Trade, ch. 11, with plain means of the true range.
    """
    return (bollinger * close.std(bars, ddof=0) / (keltner * true_range(high, low, close).mean(bars))).log()
