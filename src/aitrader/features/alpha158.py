"""Qlib's Alpha158, name by name and value by value, and the same columns over whole windows only.

``MA5`` is qlib's: from a symbol's first bar on, whatever part of the window is there. ``MA5_full`` waits for all five
values. The set ``alpha158`` holds qlib's 158, ``alpha158_full`` the whole windows and the columns that have none.

Where qlib divides by ``x + 1e-12``, ``share_of`` divides by ``x``, and 0 of 0 is 0. Only volume keeps the addend:
``VMA``, ``VSTD`` and ``CORR`` (``log(volume + 1)``) see the level of volume. Over whole windows they do not, and are
NaN where the volume is 0.
"""

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Final, NamedTuple

from aitrader.features.bars import average_price, simple_return
from aitrader.features.feature import Feature, register
from aitrader.panel.expr import Expr, age, maximum, minimum, share_of

WINDOWS: Final = (5, 10, 20, 30, 60)

ALPHA158: Final[list[str]] = []
"""Qlib's 158 names in qlib's order."""

ALPHA158_FULL: Final[list[str]] = []
"""The same columns over whole windows, in the same order."""

_SOURCE: Final = "pyqlib 0.9.7, qlib.contrib.data.loader.Alpha158DL"

_FLAT: Final = 2e-5
"""Up to this standard deviation qlib calls a series constant: it has no correlation."""

_GUARD: Final = 1e-12
"""Qlib's addend against a division by zero."""


class Window(NamedTuple):
    """A number of bars, and how many values among them are enough."""

    bars: int
    least: int

    @property
    def whole(self) -> bool:
        """Whether all values must be there."""
        return self.least == self.bars


Formula = Callable[..., Expr]
Declare = Callable[[Formula], Formula]


def _bar(name: str, unit: str) -> Declare:
    """Register a column that looks at one bar."""

    def declare(formula: Formula) -> Formula:
        _register(name, formula, formula, unit, "NaN on a missing bar")
        ALPHA158.append(name)
        ALPHA158_FULL.append(name)
        return formula

    return declare


def _lags(name: str, unit: str) -> Declare:
    """Register a formula of the bar that lies ``bars`` back, for every length."""

    def declare(formula: Formula) -> Formula:
        for bars in WINDOWS:
            missing = f"NaN where the bar or that of {bars} bars before is missing"
            _register(f"{name}{bars}", formula, partial(formula, bars=bars), unit, missing)
            ALPHA158.append(f"{name}{bars}")
            ALPHA158_FULL.append(f"{name}{bars}")
        return formula

    return declare


def _windows(name: str, unit: str, missing: str = "on a missing bar", *, raw_level: bool = False) -> Declare:
    """Register a formula of the window ``w`` for every length, as qlib has it and over whole windows."""

    def declare(formula: Formula) -> Formula:
        for bars in WINDOWS:
            own, whole = f"{name}{bars}", f"{name}{bars}_full"
            _register(own, formula, partial(formula, w=Window(bars, 1)), unit, f"NaN {missing}", raw_level=raw_level)
            waits = f"NaN until all {bars} values are there, and {missing}"
            _register(whole, formula, partial(formula, w=Window(bars, bars)), unit, waits)
            ALPHA158.append(own)
            ALPHA158_FULL.append(whole)
        return formula

    return declare


def _register(name: str, formula: Formula, bound: Formula, unit: str, missing: str, *, raw_level: bool = False) -> None:
    columns = tuple(p.name for p in signature(formula).parameters.values() if p.kind is not p.KEYWORD_ONLY)
    summary = formula.__doc__ or ""
    register(Feature(name, "alpha158", bound, columns, {}, raw_level, summary, unit, missing, _SOURCE))


# One bar.


@_bar("KMID", "fraction of the open")
def _body(open: Expr, close: Expr) -> Expr:
    """Change from open to close."""
    return (close - open) / open


@_bar("KLEN", "fraction of the open")
def _span(open: Expr, high: Expr, low: Expr) -> Expr:
    """Distance from low to high."""
    return (high - low) / open


@_bar("KMID2", "fraction of the bar, -1 to 1; 0 for a bar at one price")
def _body_of_bar(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Change from open to close, over the distance from low to high."""
    return share_of(close - open, high - low)


@_bar("KUP", "fraction of the open")
def _upper_shadow(open: Expr, high: Expr, close: Expr) -> Expr:
    """Distance from the body's upper end to the high."""
    return (high - maximum(open, close)) / open


@_bar("KUP2", "fraction of the bar, 0 to 1; 0 for a bar at one price")
def _upper_shadow_of_bar(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Distance from the body's upper end to the high, over the distance from low to high."""
    return share_of(high - maximum(open, close), high - low)


@_bar("KLOW", "fraction of the open")
def _lower_shadow(open: Expr, low: Expr, close: Expr) -> Expr:
    """Distance from the low to the body's lower end."""
    return (minimum(open, close) - low) / open


@_bar("KLOW2", "fraction of the bar, 0 to 1; 0 for a bar at one price")
def _lower_shadow_of_bar(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Distance from the low to the body's lower end, over the distance from low to high."""
    return share_of(minimum(open, close) - low, high - low)


@_bar("KSFT", "fraction of the open")
def _shift(open: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """How far the close lies above the bar's middle, twice."""
    return (2 * close - high - low) / open


@_bar("KSFT2", "fraction of the bar, -1 to 1; 0 for a bar at one price")
def _shift_of_bar(high: Expr, low: Expr, close: Expr) -> Expr:
    """How far the close lies above the bar's middle, twice, over the distance from low to high."""
    return share_of(2 * close - high - low, high - low)


@_bar("OPEN0", "ratio")
def _open(open: Expr, close: Expr) -> Expr:
    """Open over close."""
    return open / close


@_bar("HIGH0", "ratio")
def _high(high: Expr, close: Expr) -> Expr:
    """High over close."""
    return high / close


@_bar("LOW0", "ratio")
def _low(low: Expr, close: Expr) -> Expr:
    """Low over close."""
    return low / close


@_bar("VWAP0", "ratio")
def _vwap(vwap: Expr, high: Expr, low: Expr, close: Expr) -> Expr:
    """Volume-weighted price over close; (high + low + close) / 3 stands for it where the bar has none."""
    return average_price(vwap, high, low, close) / close


# Windows of prices.


@_lags("ROC", "ratio")
def _earlier(close: Expr, *, bars: int) -> Expr:
    """Close of that many bars ago over the close."""
    return close.shift(bars) / close


@_windows("MA", "ratio")
def _mean(close: Expr, *, w: Window) -> Expr:
    """Mean close over the close."""
    return close.mean(*w) / close


@_windows("STD", "ratio", "on a missing bar and with fewer than 2 values")
def _deviation(close: Expr, *, w: Window) -> Expr:
    """Standard deviation (n - 1) of closes over the close."""
    return close.std(*w) / close


@_windows("BETA", "fraction of the close per bar", "on a missing bar and with fewer than 2 values")
def _slope(close: Expr, *, w: Window) -> Expr:
    """Slope of the least-squares line through the closes, over the close."""
    return close.slope(*w) / close


@_windows("RSQR", "share, 0 to 1", "with fewer than 2 values and where the close is constant")
def _fit(close: Expr, *, w: Window) -> Expr:
    """Share of the closes' variance that their least-squares line explains."""
    return close.rsquare(*w)


@_windows("RESI", "fraction of the close", "on a missing bar and with fewer than 2 values")
def _residual(close: Expr, *, w: Window) -> Expr:
    """Close minus the least-squares line at the bar, over the close."""
    return close.residual(*w) / close


@_windows("MAX", "ratio")
def _highest(high: Expr, close: Expr, *, w: Window) -> Expr:
    """Highest high over the close."""
    return high.max(*w) / close


@_windows("MIN", "ratio")
def _lowest(low: Expr, close: Expr, *, w: Window) -> Expr:
    """Lowest low over the close."""
    return low.min(*w) / close


@_windows("QTLU", "ratio")
def _upper_quantile(close: Expr, *, w: Window) -> Expr:
    """80 % quantile of closes over the close."""
    return close.quantile(w.bars, 0.8, w.least) / close


@_windows("QTLD", "ratio")
def _lower_quantile(close: Expr, *, w: Window) -> Expr:
    """20 % quantile of closes over the close."""
    return close.quantile(w.bars, 0.2, w.least) / close


@_windows("RANK", "share, above 0 to 1")
def _rank(close: Expr, *, w: Window) -> Expr:
    """Mean rank of the close among the window's closes, over their number."""
    return close.rank(*w)


@_windows("RSV", "share, 0 to 1; 0 where the window has one price")
def _place(high: Expr, low: Expr, close: Expr, *, w: Window) -> Expr:
    """Distance from the lowest low to the close, over that to the highest high."""
    lowest = low.min(*w)
    return share_of(close - lowest, high.max(*w) - lowest)


@_windows("IMAX", "share of the window, above 0 to 1", "where the window has no bar")
def _place_of_highest(high: Expr, *, w: Window) -> Expr:
    """Place of the highest high, counted from the window's first bar on, the oldest of equals."""
    return (_rows(w) - high.argmax(*w, oldest=1)) / w.bars


@_windows("IMIN", "share of the window, above 0 to 1", "where the window has no bar")
def _place_of_lowest(low: Expr, *, w: Window) -> Expr:
    """Place of the lowest low, counted from the window's first bar on, the oldest of equals."""
    return (_rows(w) - low.argmin(*w, oldest=1)) / w.bars


@_windows("IMXD", "share of the window, -1 to 1", "where the window has no bar")
def _from_lowest_to_highest(high: Expr, low: Expr, *, w: Window) -> Expr:
    """Bars from the lowest low to the highest high, negative if the high came first."""
    return (low.argmin(*w, oldest=1) - high.argmax(*w, oldest=1)) / w.bars


# Prices with volume.


@_windows("CORR", "correlation, -1 to 1", "with fewer than 2 values and where one is constant", raw_level=True)
def _price_with_volume(close: Expr, volume: Expr, *, w: Window) -> Expr:
    """Correlation of the close with the logarithm of volume (of ``volume + 1`` where the window need not be whole)."""
    if w.whole:
        return close.corr(volume.log(), *w)
    return _correlation(close, (volume + 1).log(), w)


@_windows("CORD", "correlation, -1 to 1", "with fewer than 2 values and where one is constant")
def _change_with_volume_change(close: Expr, volume: Expr, *, w: Window) -> Expr:
    """Correlation of close / close before with log(volume / volume before + 1)."""
    volumes = (volume / volume.shift(1) + 1).log()
    return _correlation(close / close.shift(1), volumes, w)


# Ups and downs.


@_windows("CNTP", "share, 0 to 1", "before the first bar")
def _rises(close: Expr, *, w: Window) -> Expr:
    """Share of bars whose close rose; one whose change is unknown did not."""
    return _times(close > close.shift(1), w) / _rows(w)


@_windows("CNTN", "share, 0 to 1", "before the first bar")
def _falls(close: Expr, *, w: Window) -> Expr:
    """Share of bars whose close fell; one whose change is unknown did not."""
    return _times(close < close.shift(1), w) / _rows(w)


@_windows("CNTD", "share, -1 to 1", "before the first bar")
def _rises_less_falls(close: Expr, *, w: Window) -> Expr:
    """Share of bars whose close rose, less that of bars whose close fell."""
    before = close.shift(1)
    return (_times(close > before, w) - _times(close < before, w)) / _rows(w)


@_windows("SUMP", "share, 0 to 1; 0 where the close is constant", "where the window has no change")
def _gains(close: Expr, *, w: Window) -> Expr:
    """Sum of the close's rises over that of its rises and falls."""
    up, down = _ups_and_downs(close, w)
    return share_of(up, up + down)


@_windows("SUMN", "share, 0 to 1; 0 where the close is constant", "where the window has no change")
def _losses(close: Expr, *, w: Window) -> Expr:
    """Sum of the close's falls over that of its rises and falls."""
    up, down = _ups_and_downs(close, w)
    return share_of(down, up + down)


@_windows("SUMD", "share, -1 to 1; 0 where the close is constant", "where the window has no change")
def _gains_less_losses(close: Expr, *, w: Window) -> Expr:
    """Sum of the close's changes over that of their sizes."""
    up, down = _ups_and_downs(close, w)
    return share_of(up - down, up + down)


# Volume.


@_windows("VMA", "ratio", raw_level=True)
def _mean_volume(volume: Expr, *, w: Window) -> Expr:
    """Mean volume over the volume."""
    return volume.mean(*w) / _divisor(volume, w)


@_windows("VSTD", "ratio", "on a missing bar and with fewer than 2 values", raw_level=True)
def _volume_deviation(volume: Expr, *, w: Window) -> Expr:
    """Standard deviation (n - 1) of volume over the volume."""
    return volume.std(*w) / _divisor(volume, w)


@_windows("WVMA", "ratio; 0 where the close is constant", "with fewer than 2 values")
def _weighted_moves(close: Expr, volume: Expr, *, w: Window) -> Expr:
    """Standard deviation (n - 1) of |return| x volume over its mean."""
    moves = simple_return(close).abs() * volume
    return share_of(moves.std(*w), moves.mean(*w))


@_windows("VSUMP", "share, 0 to 1; 0 where the volume is constant", "where the window has no change")
def _volume_gains(volume: Expr, *, w: Window) -> Expr:
    """Sum of the volume's rises over that of its rises and falls."""
    return _gains(volume, w=w)


@_windows("VSUMN", "share, 0 to 1; 0 where the volume is constant", "where the window has no change")
def _volume_losses(volume: Expr, *, w: Window) -> Expr:
    """Sum of the volume's falls over that of its rises and falls."""
    return _losses(volume, w=w)


@_windows("VSUMD", "share, -1 to 1; 0 where the volume is constant", "where the window has no change")
def _volume_gains_less_losses(volume: Expr, *, w: Window) -> Expr:
    """Sum of the volume's changes over that of their sizes."""
    return _gains_less_losses(volume, w=w)


def _rows(w: Window) -> Expr | int:
    """Bars of the window since the symbol's first one."""
    return w.bars if w.whole else minimum(age() + 1, w.bars)


def _times(event: Expr, w: Window) -> Expr:
    """How often ``event`` was; in whole windows only where every bar knows."""
    return event.sum(*w) if w.whole else (1 / event).count(w.bars)  # 1 / 0 is NaN, which does not count


def _correlation(left: Expr, right: Expr, w: Window) -> Expr:
    """Correlation, unless one of the two is nearly constant."""
    return left.corr(right, *w) / (minimum(left.var(*w), right.var(*w)) > _FLAT**2)  # x / 0 is NaN


def _ups_and_downs(series: Expr, w: Window) -> tuple[Expr, Expr]:
    """Sum of the rises from bar to bar, and of the falls as a positive number."""
    change = series - series.shift(1)
    return maximum(change, 0).sum(*w), maximum(-change, 0).sum(*w)


def _divisor(volume: Expr, w: Window) -> Expr:
    return volume if w.whole else volume + _GUARD
