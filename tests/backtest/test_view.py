import numpy as np
import pytest

from aitrader.backtest.doubts import play
from aitrader.backtest.view import assumptions, cost_figures, curves, metric_rows, performance, trade_figures
from aitrader.config.schema import Costs, Portfolio


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
    assert any("cash earns 0 %" in text for text in assumptions(plan))
