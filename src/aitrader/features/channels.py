"""Direction: lines and clouds around the price, stops that follow it, and where it stands among them."""

from math import sqrt

from aitrader.features.bars import true_range
from aitrader.features.feature import feature
from aitrader.panel.expr import Expr, maximum, minimum


@feature
def ichimoku_conversion(high: Expr, low: Expr, close: Expr, *, bars: int = 9) -> Expr:
    """Distance of the close from Ichimoku's conversion line (tenkan-sen), the middle of ``bars`` bars.

    Unit: fraction of the line. NaN until ``bars`` bars are there.

    Source: Hosoda (1969), Ichimoku Kinko Hyo; StockCharts, ChartSchool, Ichimoku Clouds.
    """
    return close / _middle(high, low, bars) - 1


@feature
def ichimoku_base(high: Expr, low: Expr, close: Expr, *, bars: int = 26) -> Expr:
    """Distance of the close from Ichimoku's base line (kijun-sen), the middle of ``bars`` bars.

    Unit: fraction of the line. NaN until ``bars`` bars are there.

    Source: Hosoda (1969), Ichimoku Kinko Hyo; StockCharts, ChartSchool, Ichimoku Clouds.
    """
    return close / _middle(high, low, bars) - 1


@feature
def ichimoku_cross(high: Expr, low: Expr, close: Expr, *, fast: int = 9, slow: int = 26) -> Expr:
    """Ichimoku's conversion line minus its base line, over the close.

    Unit: fraction of the close. NaN until the longer of ``fast`` and ``slow`` bars is there.

    Source: Hosoda (1969), Ichimoku Kinko Hyo; StockCharts, ChartSchool, Ichimoku Clouds.
    """
    return (_middle(high, low, fast) - _middle(high, low, slow)) / close


@feature
def ichimoku_cloud(high: Expr, low: Expr, close: Expr, *, fast: int = 9, slow: int = 26) -> Expr:
    """How far the close stands above or below Ichimoku's cloud, which was drawn ``slow`` bars ago for this bar.

    Unit: fraction of the close, 0 inside the cloud. NaN until ``3 * slow`` bars are there.

    Source: Hosoda (1969), Ichimoku Kinko Hyo; the second span reaches over ``2 * slow`` bars.
    """
    first, second = _spans(high, low, fast, slow)
    above = maximum(close - maximum(first, second), 0)
    return (above + minimum(close - minimum(first, second), 0)) / close


@feature
def ichimoku_thickness(high: Expr, low: Expr, close: Expr, *, fast: int = 9, slow: int = 26) -> Expr:
    """First minus second span of Ichimoku's cloud at this bar, over the close; positive in a rising cloud.

    Unit: fraction of the close. NaN until ``3 * slow`` bars are there.

    Source: Hosoda (1969), Ichimoku Kinko Hyo; the spans were drawn ``slow`` bars ago.
    """
    first, second = _spans(high, low, fast, slow)
    return (first - second) / close


@feature(raw_level=True)
def sar(high: Expr, low: Expr, *, step: float = 0.02, limit: float = 0.2) -> Expr:
    """Wilder's parabolic stop and reverse: below the price in a rising trend, above it in a falling one.

    Unit: USD. NaN on a symbol's first bar.

    Source: Wilder (1978), New Concepts, sec. II; TA-Lib SAR, whose first trend falls if the second bar's low fell
    further than its high rose.
    """
    return high.sar(low, step, limit)


@feature
def distance_to_sar(high: Expr, low: Expr, close: Expr, *, step: float = 0.02, limit: float = 0.2) -> Expr:
    """Distance of the close from Wilder's parabolic stop.

    Unit: fraction of the stop, positive in a rising trend. NaN on a symbol's first bar.

    Source: Wilder (1978), New Concepts, sec. II; TA-Lib SAR.
    """
    return close / high.sar(low, step, limit) - 1


@feature
def distance_to_supertrend(high: Expr, low: Expr, close: Expr, *, bars: int = 10, width: float = 3.0) -> Expr:
    """Distance of the close from Supertrend, a stop ``width`` average true ranges behind the middle of the bar.

    Unit: fraction of the stop, positive in a rising trend. NaN until ``bars + 1`` bars are there.

    Source: Seban (2009), Supertrend; TradingView, ta.supertrend, with Wilder's mean of true ranges from the second bar.
    """
    middle, reach = (high + low) / 2, width * true_range(high, low, close).wilder(bars)
    return close / close.supertrend(middle + reach, middle - reach) - 1


@feature
def regression_position(close: Expr, *, bars: int = 50) -> Expr:
    """Where in its linear-regression channel the close lies: distance to the line in standard errors.

    Unit: standard errors of the estimate. NaN until ``bars`` bars are there, and where the close is constant.

    Source: Raff (1991), Stocks & Commodities 9(10), with the standard error (divisor bars - 2) as its width.
    """
    return close.residual(bars) / _standard_error(close, bars)


@feature
def regression_width(close: Expr, *, bars: int = 50) -> Expr:
    """Standard error of the least-squares line through the last ``bars`` closes, over the close.

    Unit: fraction of the close. NaN until ``bars`` bars are there, and where the close is constant.

    Source: Andersen (1996), Stocks & Commodities 14(9), standard error bands.
    """
    return _standard_error(close, bars) / close


@feature
def forecast_oscillator(close: Expr, *, bars: int = 14) -> Expr:
    """Close against the forecast that the line through the ``bars`` closes before it gave.

    Unit: percent of the close. NaN until ``bars + 1`` bars are there.

    Source: Chande & Kroll (1994), The New Technical Trader; TA-Lib TSF for the forecast.
    """
    forecast = (close - close.residual(bars) + close.slope(bars)).shift(1)
    return 100 * (close - forecast) / close


def _middle(high: Expr, low: Expr, bars: int) -> Expr:
    return (high.max(bars) + low.min(bars)) / 2


def _spans(high: Expr, low: Expr, fast: int, slow: int) -> tuple[Expr, Expr]:
    """Return the cloud's edges as they stand at this bar, USD: computed ``slow`` bars ago."""
    first = (_middle(high, low, fast) + _middle(high, low, slow)) / 2
    return first.shift(slow), _middle(high, low, 2 * slow).shift(slow)


def _standard_error(close: Expr, bars: int) -> Expr:
    if bars < 3:
        raise ValueError(f"regression channel: bars = {bars} is less than 3")
    unexplained = (1 - close.rsquare(bars)).sqrt()
    return close.std(bars, ddof=0) * unexplained * sqrt(bars / (bars - 2))
