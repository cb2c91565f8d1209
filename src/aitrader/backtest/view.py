"""What the report of a backtest shows, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

import numpy as np

from aitrader.backtest.doubts import Runs
from aitrader.backtest.run import BacktestResult, Plan
from aitrader.domain.events import BookValued
from aitrader.domain.snapshot import FloatArray
from aitrader.models.passport import Passport
from aitrader.quant.fills import PROXIES
from aitrader.quant.metrics import (
    YEAR,
    annual_return,
    calmar,
    expected_shortfall,
    max_drawdown,
    sharpe,
    sortino,
    total_return,
    value_at_risk,
    volatility,
)
from aitrader.reports.backtest import Figure, FoldLine, MetricRow

CASH: Final = "cash"
EQUAL: Final = "equal weight"
NAN: Final = float("nan")


@dataclass(frozen=True, slots=True)
class Performance:
    """How one curve did. Fractions; a loss (drawdown, value at risk, shortfall) is positive; NaN where not defined."""

    name: str
    total_return: float
    annual_return: float
    volatility: float
    sharpe: float
    sortino: float
    max_drawdown: float
    calmar: float
    value_at_risk: float
    expected_shortfall: float


@dataclass(frozen=True, slots=True)
class Halted:
    """Where a breaker would have stopped the book, until a person resumed it: ``code`` names the control.

    ``performance`` ends with the close of ``until``, the last one before the latch shut at ``at`` (UTC), when equity
    was ``equity`` USD; what is told by the year is NaN where that is less than a year after the start.
    """

    at: datetime
    code: str
    reason: str
    until: date
    equity: float
    performance: Performance


def curves(runs: Runs, strategy: str) -> dict[str, FloatArray]:
    """Return equity in USD at each close, (T,): of the strategy, of equal weight, and of cash that earns nothing."""
    asked = runs.asked.equity
    return {strategy: asked, EQUAL: runs.equal_weight.equity, CASH: np.full_like(asked, asked[0])}


def performance(name: str, equity: FloatArray) -> Performance:
    """Return the figures of one curve."""
    returns = equity[1:] / equity[:-1] - 1
    return Performance(
        name,
        total_return(returns),
        annual_return(returns),
        volatility(returns),
        sharpe(returns),
        sortino(returns),
        max_drawdown(returns),
        calmar(returns),
        value_at_risk(returns),
        expected_shortfall(returns),
    )


def halted(run: BacktestResult, strategy: str) -> Halted | None:
    """Return the first latch of ``run`` with the result up to it; None where no breaker fired."""
    latched = run.latched
    if latched is None:
        return None
    before = run.events[: run.events.index(latched)]
    closes = max(sum(isinstance(event, BookValued) for event in before), 1)
    until: date = run.sessions[closes - 1].item()
    done = run.equity[:closes]
    shown = performance(strategy, done)
    if len(done) <= YEAR:
        shown = replace(shown, annual_return=NAN, sharpe=NAN, sortino=NAN, calmar=NAN)
    return Halted(latched.at, latched.code, latched.reason, until, float(done[-1]), shown)


def metric_rows(performances: Sequence[Performance]) -> tuple[MetricRow, ...]:
    """Return the figures by name, one value per curve."""

    def values(name: str) -> tuple[float, ...]:
        return tuple(getattr(one, name) for one in performances)

    return (
        MetricRow("Return a year", "fraction", values("annual_return"), "compound"),
        MetricRow("Sharpe", "ratio", values("sharpe"), "annual, risk-free rate 0"),
        MetricRow("Max drawdown", "fraction", values("max_drawdown"), "deepest fall from a peak, at closes"),
        MetricRow("Volatility", "fraction", values("volatility"), "annual"),
        MetricRow("Sortino", "ratio", values("sortino"), "annual, against losses only"),
        MetricRow("Total return", "fraction", values("total_return")),
        MetricRow("Calmar", "ratio", values("calmar"), "return a year over max drawdown"),
        MetricRow("Value at risk", "fraction", values("value_at_risk"), "a day's loss exceeded on 5% of days"),
        MetricRow("Expected shortfall", "fraction", values("expected_shortfall"), "mean loss of the worst 5% of days"),
    )


def cost_figures(run: BacktestResult) -> tuple[Figure, ...]:
    """Return what trading cost."""
    traded = float(run.turnover[1:] @ run.equity[:-1])
    return (
        Figure("Fees", float(run.fees.sum()), "usd"),
        Figure("Spread and impact", float(run.slippage.sum()), "usd"),
        Figure("Cost of a traded dollar", run.costs / traded if traded else float("nan"), "bps"),
        Figure("Cost a year over equity", _yearly((run.fees + run.slippage)[1:] / run.equity[:-1]), "fraction"),
    )


def trade_figures(run: BacktestResult) -> tuple[Figure, ...]:
    """Return how much was decided and traded."""
    return (
        Figure("Decisions", len(run.decisions), "count"),
        Figure("Orders filled", len({fill.client_id for fill in run.fills}), "count"),
        Figure("Orders refused", len(run.refusals) + len(run.turned_down), "count"),
        Figure("Turnover a year (traded value over equity)", _yearly(run.turnover[1:]), "ratio"),
        Figure("Invested at the close, mean", float(run.gross[1:].mean()), "fraction"),
    )


def fold_lines(passports: Sequence[Passport]) -> tuple[FoldLine, ...]:
    """Return the walk-forward folds of the models with their rank IC."""
    return tuple(
        FoldLine(
            passport.name,
            fold.number,
            fold.train_first,
            fold.train_last,
            fold.test_first,
            fold.test_last,
            _score(passport, fold.number),
        )
        for passport in passports
        for fold in passport.folds
    )


def assumptions(plan: Plan) -> tuple[str, ...]:
    """Return what the simulation takes for granted."""
    execution = plan.rules.execution
    costs = execution.costs
    proxy = "; the open plus costs stands in for a price five minutes later" if execution.entry in PROXIES else ""
    paid = (
        f"half of a {costs.spread_bps:g} bp spread on each fill outside auctions, impact up to {costs.impact_bps:g} bp "
        f"at {costs.max_volume_share:.0%} of usual volume, {costs.commission_bps:g} bp and "
        f"{costs.commission_per_share:g} USD a share commission"
    )
    return (
        f"decided after a close, entered in the next session ({execution.entry.value}){proxy}",
        paid,
        "cash earns 0%; dividends are paid at the open of the ex-date; no taxes",
        "whole shares" if not plan.rules.portfolio.fractional else "fractions of shares",
    )


def _yearly(values: FloatArray) -> float:
    return float(values.mean()) * YEAR if values.size else float("nan")


def _score(passport: Passport, fold: int) -> float:
    return next((period.rank_ic for period in passport.scores.by_fold if period.name == str(fold)), float("nan"))
