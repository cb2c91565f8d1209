from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from aitrader.backtest.doubts import play
from aitrader.backtest.run import run_backtest
from aitrader.backtest.view import assumptions, cost_figures, curves, halted, metric_rows, performance, trade_figures
from aitrader.config.schema import Costs, Portfolio, Risk
from aitrader.domain.events import Latch, Latched


@pytest.fixture(scope="module")
def played(past):
    world = past([[10, 10, 11, 12, 12.0], [20, 20, 20, 20, 20.0]])
    costs = Costs(spread_bps=20, impact_bps=0, commission_bps=10)
    plan = world.plan(costs=costs, portfolio=Portfolio(invested=0.5, no_trade_band=1), cash=2000)
    return plan, play(world.tape(), plan)


def figure(found, name):
    return next(one.value for one in found if one.name == name)


def test_the_strategy_stands_beside_equal_weight_and_cash(played):
    _, runs = played
    drawn = curves(runs, "top")

    assert list(drawn) == ["top", "equal weight", "cash"]
    np.testing.assert_array_equal(drawn["cash"], [2000] * 5)
    rows = metric_rows([performance(name, equity) for name, equity in drawn.items()])
    totals = next(row for row in rows if row.name == "Total return").values
    # 100 shares bought at 10.01 with 1.01 USD commission: 2,000 + 200 - 1 - 1.01.
    assert totals[0] == pytest.approx(2197.99 / 2000 - 1)
    assert totals[2] == 0


def test_costs_and_trades_by_hand(played):
    _, runs = played
    costs, trades = cost_figures(runs.asked), trade_figures(runs.asked)

    assert figure(costs, "Fees") == pytest.approx(1.01)
    assert figure(costs, "Spread and impact") == pytest.approx(1.0)
    assert figure(costs, "Cost of a traded dollar") == pytest.approx(2.01 / 1001)
    assert figure(costs, "Cost a year over equity") == pytest.approx(2.01 / 2000 / 4 * 252)
    assert figure(trades, "Orders filled") == 1
    assert figure(trades, "Decisions") == 4
    assert figure(trades, "Turnover a year (traded value over equity)") == pytest.approx(1001 / 2000 / 4 * 252)


def test_assumptions_name_the_entry_and_its_proxy(played):
    plan, _ = played

    assert any("after_open" in text and "stands in" in text for text in assumptions(plan))
    assert any("cash earns 0%" in text for text in assumptions(plan))


WIDE = {"max_order_equity_share": 1, "max_order_qty": 1e9, "max_position": 1, "max_order_adv_share": 1}


def fallen(past, **limits):
    """100 shares of A bought at 10.00 with half of 2,000 USD: closes at 1,000 + 100 times the price."""
    world = past([[10, 10, 11, 10.4, 10.3, 12.0]])
    risk = Risk(**WIDE, cash_reserve=0, **limits)
    plan = world.plan(portfolio=Portfolio(invested=0.5, no_trade_band=1), cash=2000, risk=risk)
    return world, run_backtest(world.tape(), plan)


def test_a_loss_beyond_the_limit_ends_the_result_at_its_close(past):
    # 2,000, 2,000, 2,100, 2,040 (-2.86%), 2,030, 2,200 USD.
    world, run = fallen(past, max_daily_loss=0.0285)

    found = halted(run, "top")

    assert found is not None
    assert (found.code, found.until, found.equity) == ("max_daily_loss", world.sessions[3], 2040)
    assert found.performance.total_return == pytest.approx(0.02)
    assert found.performance.max_drawdown == pytest.approx(60 / 2100)
    assert found.at.date() == world.sessions[3]
    assert run.equity[-1] == 2200


def test_a_fall_from_the_peak_counts_over_several_sessions(past):
    world, run = fallen(past, max_daily_loss=0.5, max_drawdown=0.033)

    found = halted(run, "top")

    assert found is not None
    assert (found.code, found.until, found.equity) == ("max_drawdown", world.sessions[4], 2030)


def test_without_a_breach_nothing_is_halted(past):
    assert halted(fallen(past, max_daily_loss=0.03, max_drawdown=0.034)[1], "top") is None


def test_a_latch_in_a_session_leaves_that_session_out(past):
    world, run = fallen(past, max_daily_loss=0.5, max_drawdown=0.5)
    shut = Latched(datetime(2013, 7, 2, 13, 35, tzinfo=UTC), Latch.HALT, "max_rejects_per_run", "five refused")
    first = next(at for at, event in enumerate(run.events) if type(event).__name__ == "BookValued")

    found = halted(replace(run, events=(*run.events[: first + 1], shut, *run.events[first + 1 :])), "top")

    assert found is not None
    assert (found.until, found.equity) == (world.sessions[0], 2000)
    assert np.isnan(found.performance.total_return)
