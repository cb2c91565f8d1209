"""The report of a backtest: what it earned, what it is compared with, and every reason to doubt it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from aitrader.quant.metrics import drawdown_series
from aitrader.reports.charts import Series, bars, histogram, lines
from aitrader.reports.figures import Unit
from aitrader.reports.page import render_page

FloatArray = NDArray[np.float64]
DayArray = NDArray[np.datetime64]
Verdict = Literal["good", "neutral", "bad"]
Level = Literal["red", "amber", "info"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A named number with its unit; NaN is shown as a dash."""

    name: str
    value: float
    unit: Unit


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric of every curve, in the order of ``BacktestView.curves``; ``note`` says how it is defined."""

    name: str
    unit: Unit
    values: tuple[float, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason to doubt the result: its figures, what they say, and a sentence that says it in words."""

    name: str
    figures: tuple[Figure, ...]
    verdict: Verdict
    sentence: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a reader must know first: ``red`` changes what the result means, ``amber`` its accuracy."""

    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A model that predicted: its version, and that version's status (``champion``, ``rejected``, ...)."""

    name: str
    version: str
    status: str


@dataclass(frozen=True, slots=True)
class FoldLine:
    """One walk-forward fold of one model: its spans, and the rank IC on the test span with its 95% interval."""

    model: str
    fold: int
    train_start: date
    train_end: date
    test_start: date
    test_end: date
    rank_ic: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True, slots=True)
class HaltView:
    """What a breaker would have left: ``metrics`` have two values, up to the close of ``until`` and without it."""

    until: date
    metrics: tuple[MetricRow, ...]


@dataclass(frozen=True, slots=True)
class BacktestView:
    """Everything that the report shows, as plain values.

    ``curves`` maps a name to its equity in USD at each session's close (T,); the first is the strategy, the others
    (equal weight, cash) are what it is compared with. ``gross``, ``net`` (fractions of equity) and ``turnover``
    (traded value over equity, one per session) are (T,) as well; empty ones are not drawn. ``costs`` are USD by kind
    over the whole span, ``trades`` any figures about the fills, ``refusals`` counts of refused orders by code.
    ``halted`` is None where no breaker fired.
    """

    title: str
    run_id: str
    created_at: datetime
    settings_hash: str
    lake_version: int
    strategy: str
    universe: str
    models: tuple[ModelLine, ...]
    sessions: DayArray
    curves: Mapping[str, FloatArray]
    metrics: tuple[MetricRow, ...]
    doubts: tuple[Doubt, ...]
    warnings: tuple[Warned, ...] = ()
    gross: FloatArray = field(default_factory=lambda: np.empty(0))
    net: FloatArray = field(default_factory=lambda: np.empty(0))
    turnover: FloatArray = field(default_factory=lambda: np.empty(0))
    costs: tuple[Figure, ...] = ()
    trades: tuple[Figure, ...] = ()
    refusals: Mapping[str, int] = field(default_factory=dict)
    folds: tuple[FoldLine, ...] = ()
    assumptions: tuple[str, ...] = ()
    halted: HaltView | None = None


def render(view: BacktestView) -> str:
    """Return the report as one self-contained HTML page.

    Raises
    ------
    ValueError
        There is no session or no curve, or a series has another length than ``sessions``.
    """
    _check(view)
    return render_page(
        "backtest.html",
        view=view,
        charts=_charts(view),
        months=_months(view),
        headline=view.metrics[:6],
        bounded=any(np.isfinite(fold.low) for fold in view.folds),
    )


@dataclass(frozen=True, slots=True)
class _Year:
    """A row of the heat table: twelve months and the year, NaN where there is no session."""

    year: int
    months: tuple[float, ...]
    total: float


def _check(view: BacktestView) -> None:
    count = len(view.sessions)
    if not count or not view.curves:
        raise ValueError("a backtest report needs at least one session and one curve")
    drawn = {**view.curves, "gross": view.gross, "net": view.net, "turnover": view.turnover}
    for name, values in drawn.items():
        optional = name in ("gross", "net", "turnover") and not len(values)
        if len(values) != count and not optional:
            raise ValueError(f"{name} has {len(values)} values for {count} sessions")
    for row in view.metrics:
        if len(row.values) != len(view.curves):
            raise ValueError(f"metric {row.name} has {len(row.values)} values for {len(view.curves)} curves")


def _charts(view: BacktestView) -> dict[str, object]:
    curves = [Series(name, values) for name, values in view.curves.items()]
    changes = [one.values[1:] / one.values[:-1] - 1 for one in curves]
    falls = [
        Series(one.name, np.concatenate([[0.0], -drawdown_series(change)]))
        for one, change in zip(curves, changes, strict=True)
    ]
    first = curves[0]
    years, by_year = _by_year(view)
    found: dict[str, object] = {
        "equity": lines("Equity, USD (log scale)", view.sessions, curves, unit="usd", log=True),
        "drawdown": lines("Fall from the running peak", view.sessions, falls, unit="fraction", shade=True, height=220),
        "years": bars("Return by calendar year", years, by_year, unit="fraction"),
        "daily": histogram(f"Daily returns: {first.name}", Series("sessions", changes[0]), unit="fraction"),
    }
    if len(view.gross):
        found["exposure"] = _exposure(view)
    if len(view.turnover):
        found["turnover"] = _turnover(view)
    if view.folds:
        found["folds"] = _fold_chart(view.folds)
    return found


def _exposure(view: BacktestView) -> object:
    both = [Series(name, values) for name, values in (("gross", view.gross), ("net", view.net)) if len(values)]
    title = "Exposure at the close, share of equity"
    if len(both) == 2 and np.allclose(view.gross, view.net, rtol=0, atol=1e-6):
        # Without shorts one line would hide the other.
        return lines(f"{title}: gross and net are the same", view.sessions, both[:1], unit="fraction", height=180)
    return lines(title, view.sessions, both, unit="fraction", height=180)


def _turnover(view: BacktestView) -> object:
    years = view.sessions.astype("datetime64[Y]").astype(int) + 1970
    labels = sorted(set(years.tolist()))
    values = np.array([np.nansum(view.turnover[years == year]) for year in labels])
    return bars(
        "Traded value over equity, by year",
        [str(year) for year in labels],
        [Series("turnover", values)],
        unit="ratio",
        height=180,
    )


def _fold_chart(folds: Sequence[FoldLine]) -> object:
    models = list(dict.fromkeys(fold.model for fold in folds))
    starts = sorted({fold.test_start for fold in folds})
    by_key = {(fold.model, fold.test_start): fold.rank_ic for fold in folds}
    series = [Series(model, np.array([by_key.get((model, start), np.nan) for start in starts])) for model in models]
    return bars(
        "Rank IC out of fold, by first session of the test span",
        [f"{start:%Y-%m}" for start in starts],
        series,
        unit="ic",
        height=200,
    )


def _by_year(view: BacktestView) -> tuple[list[str], list[Series]]:
    years = view.sessions.astype("datetime64[Y]").astype(int) + 1970
    labels = sorted(set(years.tolist()))
    series = [Series(name, _period_returns(values, years, labels)) for name, values in view.curves.items()]
    return [str(label) for label in labels], series


def _months(view: BacktestView) -> list[_Year]:
    months = view.sessions.astype("datetime64[M]").astype(int)
    first = int(months[0]) // 12
    last = int(months[-1]) // 12
    values = next(iter(view.curves.values()))
    grid = _period_returns(values, months, range(first * 12, last * 12 + 12)).reshape(-1, 12)
    totals = np.prod(1 + np.nan_to_num(grid, nan=0.0), axis=1) - 1
    return [_Year(1970 + first + at, tuple(row.tolist()), float(totals[at])) for at, row in enumerate(grid)]


def _period_returns(values: FloatArray, periods: NDArray[np.int64], labels: Sequence[int]) -> FloatArray:
    """Return each period's change from the last value before it; the first counts from the first value."""
    ends = {int(period): at for at, period in enumerate(periods.tolist())}
    known = sorted(ends)
    begins = {known[0]: 0} | {later: ends[earlier] for earlier, later in pairwise(known)}
    changes = [values[ends[label]] / values[begins[label]] - 1 if label in ends else np.nan for label in labels]
    return np.array(changes, dtype=np.float64)
