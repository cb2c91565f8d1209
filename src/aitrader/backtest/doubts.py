"""Reasons not to believe a backtest: the same past played in other ways, and what is wrong with the data."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np

from aitrader.backtest.run import BacktestResult, Plan, Watch, run_backtest
from aitrader.backtest.tape import Tape
from aitrader.config.schema import Costs
from aitrader.domain.snapshot import FloatArray
from aitrader.quant.metrics import YEAR, annual_return, max_drawdown, ratio, sharpe
from aitrader.quant.significance import expected_block, stationary_bootstrap_interval
from aitrader.quant.trials import best_of_luck
from aitrader.reports.backtest import Doubt, Figure, Verdict
from aitrader.strategies.equal_weight import EqualWeight

BENCHMARK: Final = "equal_weight"
BEST_DAYS: Final = 10
SAMPLES: Final = 1000

MANY_REFUSED: Final = 0.05
"""Share of orders refused above which a result is not that of the strategy any more."""

_WEEK: Final = 5

_UNBOUNDED: Final[Mapping[str, float | None]] = {
    "max_order_equity_share": 1.0,
    "max_order_qty": 1e12,
    "max_order_adv_share": 1e12,
    "max_order_notional": None,
    "max_position": 1.0,
    "max_orders_per_run": 10**9,
    "max_orders_per_day": 10**9,
    "max_orders_per_symbol_day": 10**9,
}
"""What equal weight is not bound by: it stands for the market, of any number of names."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the runs cannot know. ``trials`` counts the different settings tried on these data.

    ``rejected`` names the models that did not pass their gate (``name version``), ``symbols`` is the size of the
    universe; the rest says what is wrong with its choice and its prices.
    """

    trials: int
    symbols: int
    survivors_only: bool
    hand_picked: bool
    adjusted: bool
    rejected: tuple[str, ...] = ()
    seed: int = 7


@dataclass(frozen=True, slots=True)
class Runs:
    """The same past played as asked, and otherwise.

    ``equal_weight`` holds every member in equal parts, rebalanced on the same days at the same costs, under the cash
    reserve but no limit on size or count; ``dearer`` pays every cost twice; ``late`` decides on opinions one session
    old; ``shuffled`` follows models that learned permuted labels, None where there are none.
    """

    asked: BacktestResult
    equal_weight: BacktestResult
    dearer: BacktestResult
    late: BacktestResult
    shuffled: BacktestResult | None


def play(
    tape: Tape, plan: Plan, *, shuffled: Mapping[str, FloatArray] | None = None, watch: Watch | None = None
) -> Runs:
    """Play ``plan`` on ``tape``, and what it is doubted by.

    ``shuffled`` are the predictions (N, T) by model of folds that learned permuted labels; that run ends where
    they do. ``watch`` is told the sessions of all runs together.

    Raises
    ------
    InsufficientDataError
        Fewer than two sessions lie between ``plan.start`` and ``plan.end``.
    """
    late = tape.with_history(tape.history.with_opinions_late(1))
    lucky = _shuffled(tape, plan, shuffled)
    total = 4 + (lucky is not None)
    watches = [_part(watch, number, total) for number in range(total)]
    return Runs(
        asked=run_backtest(tape, plan, watch=watches[0]),
        equal_weight=run_backtest(tape, benchmark(plan), watch=watches[1]),
        dearer=run_backtest(tape, _dearer(plan), watch=watches[2]),
        late=run_backtest(late, replace(plan, late=1), watch=watches[3]),
        shuffled=run_backtest(*lucky, watch=watches[4]) if lucky else None,
    )


def benchmark(plan: Plan) -> Plan:
    """Return the plan that holds every member in equal parts, on the days of the plan's first strategy."""
    rules = replace(plan.rules, risk=plan.rules.risk.model_copy(update=_UNBOUNDED))
    days = next(iter(plan.rebalance.values()))
    return replace(plan, strategies={BENCHMARK: EqualWeight()}, rebalance={BENCHMARK: days}, rules=rules, models={})


def doubts(runs: Runs, facts: Facts) -> tuple[Doubt, ...]:
    """Return every doubt with its figures and what it says; the worst kinds of data first among the last."""
    asked = runs.asked.returns
    return (
        _beside_equal_weight(runs, facts.seed),
        _beside_cash(asked),
        _other_run("costs doubled", runs.dearer, runs, f"every cost paid twice: {runs.dearer.costs:,.0f} USD"),
        _other_run("entry one session later", runs.late, runs, "the same opinions traded one session later"),
        _beside_luck(runs),
        _without_best_days(runs),
        _beside_trials(runs, facts.trials),
        *_about_data(facts),
        *_about_models(facts),
        *_about_orders(runs.asked),
    )


def figures(returns: FloatArray) -> tuple[Figure, ...]:
    """Return annual return, Sharpe ratio and deepest fall of a series of daily returns."""
    return (
        Figure("return a year", annual_return(returns), "fraction"),
        Figure("Sharpe", sharpe(returns), "ratio"),
        Figure("max drawdown", max_drawdown(returns), "fraction"),
    )


def stopped_orders(run: BacktestResult) -> dict[str, int]:
    """Return how many orders were refused by each limit, and by the venue for each of its reasons, most first."""
    codes = [one.code for one in run.refusals] + [one.detail.partition(":")[0] for one in run.turned_down]
    return dict(Counter(codes).most_common())


def _dearer(plan: Plan) -> Plan:
    costs = plan.rules.execution.costs
    doubled = Costs(
        commission_per_share=2 * costs.commission_per_share,
        commission_bps=2 * costs.commission_bps,
        spread_bps=2 * costs.spread_bps,
        impact_bps=2 * costs.impact_bps,
        max_volume_share=costs.max_volume_share,
    )
    execution = plan.rules.execution.model_copy(update={"costs": doubled})
    return replace(plan, rules=replace(plan.rules, execution=execution))


def _shuffled(tape: Tape, plan: Plan, shuffled: Mapping[str, FloatArray] | None) -> tuple[Tape, Plan] | None:
    if not shuffled:
        return None
    known = np.isfinite(np.stack(list(shuffled.values()))).any(axis=1).all(axis=0)
    days = [tape.sessions[at] for at in np.flatnonzero(known)]
    inside = [day for day in days if plan.start <= day <= plan.end]
    if len(inside) < 2:
        return None
    return tape.with_history(tape.history.with_predictions(shuffled)), replace(plan, end=inside[-1])


def _part(watch: Watch | None, number: int, total: int) -> Watch | None:
    if watch is None:
        return None
    tell = watch
    return lambda done, sessions: tell(number * sessions + done, total * sessions)


def _beside_equal_weight(runs: Runs, seed: int) -> Doubt:
    asked, other = runs.asked.returns, runs.equal_weight.returns
    more = asked - other
    block = expected_block(_WEEK, len(more))
    low, high = stationary_bootstrap_interval(more, block=block, samples=SAMPLES, seed=seed)
    better = sharpe(asked) > sharpe(other)
    verdict: Verdict = "bad" if not better else "good" if low > 0 else "neutral"
    words = {
        "good": "the strategy earned more, and more than chance would",
        "neutral": "the strategy did better, by no more than chance may explain",
        "bad": "holding everything in equal parts was as good for its risk, or better",
    }
    figure = Figure("strategy's lead a year", float(more.mean()) * YEAR, "fraction")
    sentence = f"{words[verdict]} (95% interval of the lead: {low * YEAR:+.1%} to {high * YEAR:+.1%} a year)"
    return Doubt("equal weight", (*figures(other), figure), verdict, sentence)


def _beside_cash(asked: FloatArray) -> Doubt:
    earned = annual_return(asked)
    verdict: Verdict = "good" if earned > 0 else "bad"
    words = "more than cash" if earned > 0 else "no more than cash"
    return Doubt("cash", (Figure("return a year", 0.0, "fraction"),), verdict, f"{words}, which is taken to earn 0%")


def _other_run(name: str, run: BacktestResult, runs: Runs, what: str) -> Doubt:
    good = sharpe(run.returns) > sharpe(runs.equal_weight.returns)
    words = "still better for its risk than equal weight" if good else "no better for its risk than equal weight"
    return Doubt(name, figures(run.returns), "good" if good else "bad", f"{what}: {words}")


def _beside_luck(runs: Runs) -> Doubt:
    if runs.shuffled is None:
        sentence = "nothing to compare with: no model predicts here, or its folds left no rows on these sessions"
        return Doubt("shuffled labels", (), "neutral", sentence)
    returns = runs.shuffled.returns
    same = runs.asked.returns[: len(returns)]
    good = sharpe(same) > sharpe(returns)
    until: date = runs.shuffled.sessions[-1].item()
    words = "the model did better" if good else "nonsense did as well"
    sentence = f"models that learned permuted labels, up to {until}: {words} (Sharpe {sharpe(same):.2f} with the model)"
    return Doubt("shuffled labels", figures(returns), "good" if good else "bad", sentence)


def _without_best_days(runs: Runs) -> Doubt:
    asked, other = (_without_best(run.returns) for run in (runs.asked, runs.equal_weight))
    left, reference = annual_return(asked), annual_return(other)
    verdict: Verdict = "bad" if not left > 0 else "good" if left > reference else "neutral"
    sentence = f"{left:.1%} a year remain; equal weight keeps {reference:.1%} without its own ten best days"
    return Doubt("without its ten best days", figures(asked), verdict, sentence)


def _without_best(returns: FloatArray) -> FloatArray:
    """Return ``returns`` with the best days set to zero, as if one had been out of the market."""
    left = returns.copy()
    left[np.argsort(-returns, kind="stable")[:BEST_DAYS]] = 0.0
    return left


def _beside_trials(runs: Runs, trials: int) -> Doubt:
    more = runs.asked.returns - runs.equal_weight.returns
    reached, luck = ratio(more) * YEAR**0.5, best_of_luck(trials, len(more))
    good = reached > luck
    shown = (
        Figure("settings tried", trials, "count"),
        Figure("lead over equal weight by its risk", reached, "ratio"),
        Figure("luck of the best try", luck, "ratio"),
    )
    words = "more than" if good else "no more than"
    count = "1 setting was" if trials == 1 else f"{trials} settings were"
    sentence = f"{count} tried on these data; the lead is {words} the best of so many worthless tries would show"
    return Doubt("trials counted", shown, "good" if good else "bad", sentence)


def _about_data(facts: Facts) -> Iterator[Doubt]:
    if facts.survivors_only:
        sentence = (
            f"all {facts.symbols} symbols lived to the last day: nobody could have known that, results are too good"
        )
        yield Doubt("survivorship", (), "bad", sentence)
    else:
        yield Doubt("survivorship", (), "neutral", "the source does not say that it holds survivors only")
    if facts.hand_picked:
        yield Doubt("hand-picked", (), "bad", f"somebody chose these {facts.symbols} symbols, knowing how they fared")
    if facts.adjusted:
        yield Doubt("adjusted prices", (), "neutral", "adjusted prices: sizes and fees are approximate")


def _about_models(facts: Facts) -> Iterator[Doubt]:
    if facts.rejected:
        names = ", ".join(facts.rejected)
        yield Doubt("gate", (), "bad", f"rejected at the gate, shown because --allow-rejected was given: {names}")


def _about_orders(run: BacktestResult) -> Iterator[Doubt]:
    stopped, undecided = stopped_orders(run), run.undecided
    if stopped:
        count = sum(stopped.values())
        orders = len({fill.client_id for fill in run.fills}) + count
        codes = ", ".join(f"{code} {number}" for code, number in stopped.items())
        shown = (Figure("of", orders, "count"), Figure("orders refused", count, "count"))
        verdict: Verdict = "bad" if count > MANY_REFUSED * orders else "neutral"
        yield Doubt("orders refused", shown, verdict, f"it did not hold all that it wanted: {codes}")
    if undecided:
        missing = (Figure("decisions refused", len(undecided), "count"),)
        yield Doubt(
            "decisions refused", missing, "neutral", f"the first, on {undecided[0].session}: {undecided[0].reason}"
        )
    if run.unpriced:
        worth = sum(one.value for one in run.unpriced)
        names = ", ".join(f"{one.symbol} (last bar {one.last_bar})" for one in run.unpriced)
        sentence = f"carried at their last price, which nobody may have paid: {names}"
        yield Doubt("holdings without bars", (Figure("value at the end", worth, "usd"),), "bad", sentence)
