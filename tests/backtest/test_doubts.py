from dataclasses import replace

import numpy as np
import pytest

from aitrader.backtest.doubts import Facts, benchmark, doubts, figures, play, stopped_orders
from aitrader.backtest.run import run_backtest
from aitrader.config.schema import Costs, Risk

NAN = float("nan")
FACTS = Facts(trials=3, symbols=6, survivors_only=True, hand_picked=True, adjusted=True, rejected=("m v1",))


@pytest.fixture(scope="module")
def world(past):
    """Eight names of which the model knows which one rises next; its shuffled copy knows nothing."""
    generator = np.random.default_rng(1)
    daily = generator.normal(0, 0.02, (8, 120))
    close = 50 * np.exp(np.cumsum(daily, axis=1))
    opened = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    known = np.concatenate([daily[:, 1:], np.zeros((8, 1))], axis=1)
    return past(close, open_=opened, predictions=known)


@pytest.fixture(scope="module")
def noise(world):
    return {"m": np.random.default_rng(2).normal(size=world.close.shape)}


@pytest.fixture(scope="module")
def runs(world, noise):
    return play(world.tape(), world.plan(top=2, costs=Costs(), cash=100_000), shuffled=noise)


def by_name(runs, facts=FACTS):
    return {doubt.name: doubt for doubt in doubts(runs, facts)}


def figure(doubt, name):
    return next(one.value for one in doubt.figures if one.name == name)


def test_every_doubt_is_raised_in_order(runs):
    assert list(by_name(runs)) == [
        "equal weight",
        "cash",
        "costs doubled",
        "entry one session later",
        "shuffled labels",
        "without its ten best days",
        "trials counted",
        "survivorship",
        "hand-picked",
        "adjusted prices",
        "gate",
    ]


def test_foresight_survives_its_doubts_and_loses_most_by_coming_late(runs):
    raised = by_name(runs)

    assert {raised[name].verdict for name in list(raised)[:3]} == {"good"}
    assert figure(raised["entry one session later"], "Sharpe") < figure(raised["costs doubled"], "Sharpe") / 2
    assert figure(raised["shuffled labels"], "Sharpe") < figure(raised["costs doubled"], "Sharpe") / 2


def test_a_strategy_that_is_equal_weight_has_no_lead(world):
    plan = benchmark(world.plan())
    raised = by_name(play(world.tape(), plan))

    assert raised["equal weight"].verdict == "bad"
    assert figure(raised["equal weight"], "strategy's lead a year") == 0
    assert raised["shuffled labels"].verdict == "neutral"
    assert "no model predicts here" in raised["shuffled labels"].sentence


def test_data_that_knew_the_future_are_red_and_better_data_are_not(runs):
    red, other = by_name(runs), by_name(runs, Facts(1, 6, False, False, False))

    assert [red[name].verdict for name in ("survivorship", "hand-picked", "gate")] == ["bad"] * 3
    assert red["adjusted prices"].sentence == "adjusted prices: sizes and fees are approximate"
    assert other["survivorship"].verdict == "neutral"
    assert not {"hand-picked", "adjusted prices", "gate"} & set(other)


def test_many_trials_ask_for_a_larger_lead(runs):
    few, many = (by_name(runs, replace(FACTS, trials=count))["trials counted"] for count in (1, 10_000))

    assert (few.verdict, figure(few, "luck of the best try"), few.sentence[:13]) == ("good", 0.0, "1 setting was")
    assert figure(many, "luck of the best try") > 5


def test_costs_doubled_pays_twice(world):
    plan = world.plan(top=2, costs=Costs(spread_bps=10, impact_bps=0, commission_bps=5), cash=100_000)
    plan = replace(plan, rebalance={"top": "wednesday"}, end=world.sessions[8])
    found = play(world.tape(), plan)

    first, dear = found.asked.fills[0], found.dearer.fills[0]
    reference = float(world.open[world.symbols.index(first.symbol), world.sessions.index(first.at.date())])
    assert float(dear.price) / reference - 1 == pytest.approx(2 * (float(first.price) / reference - 1), rel=1e-3)
    assert float(dear.fee / dear.quantity) == pytest.approx(2 * float(first.fee / first.quantity), rel=1e-2)
    assert found.dearer.equity[-1] < found.asked.equity[-1]


def test_late_entry_follows_the_opinions_of_the_session_before(runs):
    prompt, late = runs.asked.decisions, runs.late.decisions

    assert [made.targets for made in late[:20]] == [made.targets for made in prompt[:20]]
    assert [made.session for made in late[:20]] == [made.session for made in prompt[1:21]]


def test_equal_weight_decides_on_the_same_days_and_is_stopped_by_no_size_limit(world):
    tight = Risk(max_order_equity_share=0.01, max_position=0.01, max_order_qty=1, cash_reserve=0.02)
    plan = world.plan(top=2, risk=tight, rebalance="wednesday", cash=100_000)

    found = play(world.tape(), plan)

    assert [d.session for d in found.equal_weight.decisions] == [d.session for d in found.asked.decisions]
    assert found.equal_weight.refusals == ()
    assert found.equal_weight.gross[-1] > 0.9
    assert {"max_order_qty"} == set(stopped_orders(found.asked))
    assert by_name(found)["orders refused"].verdict == "bad"


def test_shuffled_predictions_end_the_run_where_they_end(world, noise):
    noise = {"m": noise["m"].copy()}
    noise["m"][:, 60:] = NAN

    found = play(world.tape(), world.plan(top=2), shuffled=noise)

    assert found.shuffled.sessions[-1].item() == world.sessions[59]
    assert f"up to {world.sessions[59]}" in by_name(found)["shuffled labels"].sentence


@pytest.mark.parametrize("rows", [None, {}, {"m": np.full((8, 120), NAN)}])
def test_without_shuffled_predictions_nothing_is_claimed(world, rows):
    assert play(world.tape(), world.plan(), shuffled=rows).shuffled is None


def test_the_ten_best_days_are_set_to_nothing(runs):
    doubt = by_name(runs)["without its ten best days"]
    daily = np.sort(runs.asked.returns)[:-10]

    expected = np.prod(1 + daily) ** (252 / len(runs.asked.returns)) - 1
    assert figure(doubt, "return a year") == pytest.approx(expected)


def test_what_could_not_be_decided_or_sold_is_said(past):
    close = np.full((2, 30), 10.0)
    close[0, 12:] = NAN
    opinions = np.tile([[2.0], [1.0]], 30)
    opinions[:, :3] = NAN
    ended = past(close, predictions=opinions)

    raised = by_name(play(ended.tape(), ended.plan()))

    assert figure(raised["decisions refused"], "decisions refused") == 3
    assert raised["holdings without bars"].verdict == "bad"
    assert f"A (last bar {ended.sessions[11]})" in raised["holdings without bars"].sentence


def test_the_runs_are_the_loop_itself(world, runs):
    again = run_backtest(world.tape(), world.plan(top=2, costs=Costs(), cash=100_000))

    assert again.events == runs.asked.events


def test_figures_of_a_curve_that_never_moved_are_not_invented():
    found = {one.name: one.value for one in figures(np.zeros(10))}

    assert (found["return a year"], found["max drawdown"]) == (0.0, 0.0)
    assert np.isnan(found["Sharpe"])


def test_progress_counts_all_runs_together(world, noise):
    seen = []
    play(world.tape(), world.plan(), shuffled=noise, watch=lambda done, total: seen.append((done, total)))

    assert seen == sorted(seen)
    assert seen[-1] == (5 * 119, 5 * 119)
