"""Charts as inline SVG: no script, no font, no colour of its own (the page's style has the palette).

Every function returns one ``<figure>`` with a title, a legend where there are two or more series, and a text for
people who cannot see it. Values are thinned to what the width can show, so that a page stays small.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from markupsafe import Markup

from aitrader.reports.figures import Unit, plain, show
from aitrader.reports.scales import Axis, DayArray, FloatArray, day_ticks, linear, logarithmic, thin

WIDTH: Final = 960
LEFT: Final = 64
RIGHT: Final = 12
TOP: Final = 10
BOTTOM: Final = 26
INNER: Final = WIDTH - LEFT - RIGHT


@dataclass(frozen=True, slots=True)
class Series:
    """One line or one set of bars; ``values`` has one number per day or label, NaN where there is none."""

    name: str
    values: FloatArray


def lines(
    title: str,
    days: DayArray,
    series: Sequence[Series],
    *,
    unit: Unit,
    log: bool = False,
    shade: bool = False,
    height: int = 320,
) -> Markup:
    """Return a line chart over days.

    ``log`` gives equal ratios equal length (all values above zero); ``shade`` fills between zero and the first series,
    as one draws a drawdown.
    """
    everything = np.concatenate([one.values for one in series])
    axis = logarithmic(everything) if log else linear(everything, zero=shade)
    places = _day_places(days)
    # The first series is the one that the page is about: drawn last, it lies on top.
    paths = [
        Markup('<path class="line s{}" d="{}"/>').format(number, _path(places, one.values, axis, height))
        for number, one in reversed(list(enumerate(series)))
    ]
    if shade:
        paths.insert(0, _shade(places, series[0].values, axis, height))
    body = _frame(axis, height, unit) + _day_axis(days, height) + Markup("").join(paths)
    return _figure(title, series, body, height, _line_text(title, days, series, unit))


def bars(title: str, labels: Sequence[str], series: Sequence[Series], *, unit: Unit, height: int = 240) -> Markup:
    """Return grouped bars: one group per label, one bar per series, from zero. NaN leaves a gap."""
    axis = linear(np.concatenate([one.values for one in series]), zero=True)
    slot = INNER / max(len(labels), 1)
    wide = slot * 0.8 / len(series)
    parts = [_frame(axis, height, unit)]
    for number, one in enumerate(series):
        lefts = LEFT + slot * (np.arange(len(labels), dtype=np.float64) + 0.1) + wide * number
        parts.append(_bar_group(number, lefts, wide, _edges(axis, one.values, height)))
    parts.append(_labels(labels, slot, height))
    described = "; ".join(
        f"{label}: " + ", ".join(f"{one.name} {show(one.values[at], unit)}" for one in series)
        for at, label in enumerate(labels)
    )
    return _figure(title, series, Markup("").join(parts), height, f"{title}. {described}.")


def histogram(title: str, one: Series, *, unit: Unit, bins: int = 40, height: int = 200) -> Markup:
    """Return how often values fall into ``bins`` equal intervals between the 0.5% and 99.5% quantiles.

    What lies outside is counted in the first and last interval.
    """
    finite = one.values[np.isfinite(one.values)]
    low, high = np.quantile(finite, [0.005, 0.995]) if finite.size else (0.0, 1.0)
    if high <= low:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(np.clip(finite, low, high), bins=bins, range=(low, high))
    axis = linear(counts.astype(np.float64), zero=True, count=4)
    across = linear([low, high], count=8)
    lefts = LEFT + INNER * (edges[:-1] - low) / (high - low)
    body = _frame(axis, height, "count")
    body += _bar_group(0, lefts, INNER / bins - 1, _edges(axis, counts.astype(np.float64), height))
    inside = [tick for tick in across.ticks if low <= tick <= high]
    marks = [(LEFT + INNER * (tick - low) / (high - low), show(tick, unit)) for tick in inside]
    body += _x_marks(marks, height)
    text = f"{title}. {finite.size} values, median {show(float(np.median(finite)) if finite.size else np.nan, unit)}."
    return _figure(title, (one,), body, height, text)


def _figure(title: str, series: Sequence[Series], body: Markup, height: int, text: str) -> Markup:
    legend = Markup("")
    if len(series) > 1:
        names = Markup("").join(
            Markup('<span><i class="key s{}"></i>{}</span>').format(number, plain(one.name))
            for number, one in enumerate(series)
        )
        legend = Markup('<span class="legend">{}</span>').format(names)
    return Markup(
        '<figure><figcaption>{}{}</figcaption><svg viewBox="0 0 {} {}" role="img" aria-label="{}">'
        "<title>{}</title>{}</svg></figure>"
    ).format(plain(title), legend, WIDTH, height + BOTTOM, plain(text), plain(text), body)


def _frame(axis: Axis, height: int, unit: Unit) -> Markup:
    parts = []
    for tick, y in zip(axis.ticks, _y(axis, np.array(axis.ticks), height), strict=True):
        kind = "zero" if tick == 0 and axis.low < 0 else "grid"
        parts.append(
            Markup('<path class="{}" d="M{} {:g}H{}"/><text class="y" x="{}" y="{:g}">{}</text>').format(
                kind, LEFT, y, LEFT + INNER, LEFT - 8, y + 4, show(tick, unit, short=True)
            )
        )
    return Markup("").join(parts)


def _day_axis(days: DayArray, height: int) -> Markup:
    if not len(days):
        return Markup("")
    first, last = _as_date(days[0]), _as_date(days[-1])
    span = max((last - first).days, 1)
    marks = [(LEFT + INNER * (day - first).days / span, label) for day, label in day_ticks(first, last)]
    return _x_marks(marks, height)


def _x_marks(marks: Sequence[tuple[float, str]], height: int) -> Markup:
    return Markup("").join(
        Markup('<path class="tick" d="M{:.1f} {}v5"/><text class="x" x="{:.1f}" y="{}">{}</text>').format(
            x, height, min(max(x, LEFT + 12), WIDTH - 24), height + 19, label
        )
        for x, label in marks
    )


def _labels(labels: Sequence[str], slot: float, height: int) -> Markup:
    every = max(1, -(-len(labels) * 44 // INNER))
    return Markup("").join(
        Markup('<text class="x" x="{:.1f}" y="{}">{}</text>').format(
            LEFT + slot * (at + 0.5), height + 19, plain(label)
        )
        for at, label in enumerate(labels)
        if at % every == 0
    )


def _edges(axis: Axis, values: FloatArray, height: int) -> tuple[FloatArray, FloatArray]:
    tops = _y(axis, np.maximum(values, 0), height)
    bottoms = _y(axis, np.minimum(values, 0), height)
    return tops, bottoms


def _bar_group(number: int, lefts: FloatArray, wide: float, edges: tuple[FloatArray, FloatArray]) -> Markup:
    path = "".join(
        f"M{left:.1f} {top:.1f}h{max(wide, 1):.1f}V{bottom:.1f}h-{max(wide, 1):.1f}z"
        for left, top, bottom in zip(lefts, *edges, strict=True)
        if np.isfinite(top) and bottom > top
    )
    return Markup('<path class="bar s{}" d="{}"/>').format(number, path)


def _day_places(days: DayArray) -> FloatArray:
    numbers = days.astype("datetime64[D]").astype(np.float64)
    if len(numbers) < 2:
        return np.zeros(len(numbers))
    return np.asarray((numbers - numbers[0]) / (numbers[-1] - numbers[0]))


def _path(places: FloatArray, values: FloatArray, axis: Axis, height: int) -> str:
    places, values = thin(places, values, INNER)
    with np.errstate(invalid="ignore", divide="ignore"):
        ys = _y(axis, values, height)
    xs = LEFT + INNER * places
    parts: list[str] = []
    pen = "M"
    for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
        if not np.isfinite(y):
            pen = "M"
            continue
        parts.append(f"{pen}{x:.0f} {y:.1f}")
        pen = "L"
    return "".join(parts)


def _y(axis: Axis, values: FloatArray, height: int) -> FloatArray:
    return np.round(TOP + (height - TOP) * (1 - axis.place(values)), 1)


def _shade(places: FloatArray, values: FloatArray, axis: Axis, height: int) -> Markup:
    outline = _path(places, np.nan_to_num(values, nan=0.0), axis, height)
    base = _y(axis, np.zeros(1), height)[0]
    closed = f"{outline}L{LEFT + INNER} {base:g}L{LEFT} {base:g}Z" if outline else ""
    return Markup('<path class="fill s0" d="{}"/>').format(closed)


def _line_text(title: str, days: DayArray, series: Sequence[Series], unit: Unit) -> str:
    if not len(days):
        return f"{title}: no data."
    ends = "; ".join(
        f"{one.name} from {show(_first(one.values), unit)} to {show(_first(one.values[::-1]), unit)}" for one in series
    )
    return f"{title}, {_as_date(days[0])} to {_as_date(days[-1])}: {ends}."


def _first(values: FloatArray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite[0]) if finite.size else float("nan")


def _as_date(day: np.datetime64) -> date:
    value = day.astype("datetime64[D]").item()
    assert isinstance(value, date)
    return value
