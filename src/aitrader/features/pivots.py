"""Pivot points: levels that the bars before hand to this one, as distances of its close.

``bars`` is how many bars before make the levels: 1 the bar before, 5 about a week, 21 about a month. Each distance is
the close minus the level, over the close: above 0 where the close lies above it.
"""

from aitrader.features.bars import typical_price
from aitrader.features.feature import feature
from aitrader.panel.expr import Expr, where


@feature
def pivot_floor(high: Expr, low: Expr, close: Expr, *, bars: int = 1) -> Expr:
    """Distance to the floor traders' pivot: the mean of high, low and close before.

    Unit: fraction of the close. NaN until ``bars + 1`` bars are there.

    Source: StockCharts ChartSchool, Pivot Points, standard.
    """
    return _distance(close, typical_price(*_before(high, low, close, bars)))


@feature
def pivot_floor_resistance(high: Expr, low: Expr, close: Expr, *, bars: int = 1, level: int = 1) -> Expr:
    """Distance to the first, second or third level above the floor traders' pivot.

    Unit: fraction of the close. NaN until ``bars + 1`` bars are there.

    Source: StockCharts ChartSchool, Pivot Points, standard; the third level as floor traders have it.
    """
    highest, lowest, last = _before(high, low, close, bars)
    pivot = typical_price(highest, lowest, last)
    first, second = 2 * pivot - lowest, pivot + (highest - lowest)
    third = highest + 2 * (pivot - lowest)
    return _distance(close, _chosen("pivot_floor_resistance", level, first, second, third))


@feature
def pivot_floor_support(high: Expr, low: Expr, close: Expr, *, bars: int = 1, level: int = 1) -> Expr:
    """Distance to the first, second or third level below the floor traders' pivot.

    Unit: fraction of the close. NaN until ``bars + 1`` bars are there.

    Source: StockCharts ChartSchool, Pivot Points, standard; the third level as floor traders have it.
    """
    highest, lowest, last = _before(high, low, close, bars)
    pivot = typical_price(highest, lowest, last)
    first, second = 2 * pivot - highest, pivot - (highest - lowest)
    third = lowest - 2 * (highest - pivot)
    return _distance(close, _chosen("pivot_floor_support", level, first, second, third))


@feature
def pivot_fibonacci_resistance(high: Expr, low: Expr, close: Expr, *, bars: int = 1, level: int = 1) -> Expr:
    """Distance to the pivot plus 0.382, 0.618 or 1 of the range before.

    Unit: fraction of the close. NaN until ``bars + 1`` bars are there.

    Source: StockCharts ChartSchool, Pivot Points, Fibonacci.
    """
    highest, lowest, last = _before(high, low, close, bars)
    pivot, reach = typical_price(highest, lowest, last), highest - lowest
    levels = (pivot + share * reach for share in (0.382, 0.618, 1.0))
    return _distance(close, _chosen("pivot_fibonacci_resistance", level, *levels))


@feature
def pivot_fibonacci_support(high: Expr, low: Expr, close: Expr, *, bars: int = 1, level: int = 1) -> Expr:
    """Distance to the pivot minus 0.382, 0.618 or 1 of the range before.

    Unit: fraction of the close. NaN until ``bars + 1`` bars are there.

    Source: StockCharts ChartSchool, Pivot Points, Fibonacci.
    """
    highest, lowest, last = _before(high, low, close, bars)
    pivot, reach = typical_price(highest, lowest, last), highest - lowest
    levels = (pivot - share * reach for share in (0.382, 0.618, 1.0))
    return _distance(close, _chosen("pivot_fibonacci_support", level, *levels))


@feature
def pivot_camarilla_resistance(high: Expr, low: Expr, close: Expr, *, bars: int = 1, level: int = 3) -> Expr:
    """Distance to the Camarilla level, 1 to 4, above the close before.

    Unit: fraction of the close. NaN until ``bars + 1`` bars are there.

    Source: N. Scott (1989), Camarilla equation, as in Ochoa (2010), Secrets of a Pivot Boss.
    """
    highest, lowest, last = _before(high, low, close, bars)
    levels = (last + 1.1 / parts * (highest - lowest) for parts in (12, 6, 4, 2))
    return _distance(close, _chosen("pivot_camarilla_resistance", level, *levels))


@feature
def pivot_camarilla_support(high: Expr, low: Expr, close: Expr, *, bars: int = 1, level: int = 3) -> Expr:
    """Distance to the Camarilla level, 1 to 4, below the close before.

    Unit: fraction of the close. NaN until ``bars + 1`` bars are there.

    Source: N. Scott (1989), Camarilla equation, as in Ochoa (2010), Secrets of a Pivot Boss.
    """
    highest, lowest, last = _before(high, low, close, bars)
    levels = (last - 1.1 / parts * (highest - lowest) for parts in (12, 6, 4, 2))
    return _distance(close, _chosen("pivot_camarilla_support", level, *levels))


@feature
def pivot_woodie(high: Expr, low: Expr, close: Expr, *, bars: int = 1) -> Expr:
    """Distance to Woodie's pivot, which counts the close before twice.

    Unit: fraction of the close. NaN until ``bars + 1`` bars are there.

    Source: K. Wood (Woodies CCI Club), with the close before, P = (H + L + 2C) / 4.
    """
    return _distance(close, _woodie(*_before(high, low, close, bars)))


@feature
def pivot_woodie_resistance(high: Expr, low: Expr, close: Expr, *, bars: int = 1, level: int = 1) -> Expr:
    """Distance to the first or second level above Woodie's pivot.

    Unit: fraction of the close. NaN until ``bars + 1`` bars are there.

    Source: K. Wood (Woodies CCI Club), with the close before, P = (H + L + 2C) / 4.
    """
    highest, lowest, last = _before(high, low, close, bars)
    pivot = _woodie(highest, lowest, last)
    levels = (2 * pivot - lowest, pivot + (highest - lowest))
    return _distance(close, _chosen("pivot_woodie_resistance", level, *levels))


@feature
def pivot_woodie_support(high: Expr, low: Expr, close: Expr, *, bars: int = 1, level: int = 1) -> Expr:
    """Distance to the first or second level below Woodie's pivot.

    Unit: fraction of the close. NaN until ``bars + 1`` bars are there.

    Source: K. Wood (Woodies CCI Club), with the close before, P = (H + L + 2C) / 4.
    """
    highest, lowest, last = _before(high, low, close, bars)
    pivot = _woodie(highest, lowest, last)
    levels = (2 * pivot - highest, pivot - (highest - lowest))
    return _distance(close, _chosen("pivot_woodie_support", level, *levels))


@feature
def pivot_demark(open: Expr, high: Expr, low: Expr, close: Expr, *, bars: int = 1) -> Expr:
    """Distance to DeMark's pivot, which leans to the side where the bars before closed.

    Unit: fraction of the close. NaN until ``bars + 1`` bars are there.

    Source: DeMark (1994), The New Science of Technical Analysis; StockCharts ChartSchool, Pivot Points, Demark.
    """
    total, _, _ = _demark(open, high, low, close, bars)
    return _distance(close, total / 4)


@feature
def pivot_demark_resistance(open: Expr, high: Expr, low: Expr, close: Expr, *, bars: int = 1) -> Expr:
    """Distance to DeMark's resistance.

    Unit: fraction of the close. NaN until ``bars + 1`` bars are there.

    Source: DeMark (1994), The New Science of Technical Analysis; StockCharts ChartSchool, Pivot Points, Demark.
    """
    total, _, lowest = _demark(open, high, low, close, bars)
    return _distance(close, total / 2 - lowest)


@feature
def pivot_demark_support(open: Expr, high: Expr, low: Expr, close: Expr, *, bars: int = 1) -> Expr:
    """Distance to DeMark's support.

    Unit: fraction of the close. NaN until ``bars + 1`` bars are there.

    Source: DeMark (1994), The New Science of Technical Analysis; StockCharts ChartSchool, Pivot Points, Demark.
    """
    total, highest, _ = _demark(open, high, low, close, bars)
    return _distance(close, total / 2 - highest)


def _before(high: Expr, low: Expr, close: Expr, bars: int) -> tuple[Expr, Expr, Expr]:
    return high.max(bars).shift(1), low.min(bars).shift(1), close.shift(1)


def _woodie(highest: Expr, lowest: Expr, last: Expr) -> Expr:
    return (highest + lowest + 2 * last) / 4


def _demark(open_: Expr, high: Expr, low: Expr, close: Expr, bars: int) -> tuple[Expr, Expr, Expr]:
    """Return DeMark's sum of four prices, and the high and low before."""
    highest, lowest, last = _before(high, low, close, bars)
    first = open_.shift(bars)
    heavier = where(last > first, highest, where(last < first, lowest, last))
    return highest + lowest + last + heavier, highest, lowest


def _distance(close: Expr, level: Expr) -> Expr:
    return (close - level) / close


def _chosen(name: str, level: int, *levels: Expr) -> Expr:
    if not 1 <= level <= len(levels):
        raise ValueError(f"{name}: level = {level} is not 1 to {len(levels)}")
    return levels[level - 1]
