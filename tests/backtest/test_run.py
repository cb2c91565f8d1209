from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitrader.backtest.run import run_backtest
from aitrader.backtest.tape import CorporateAction
from aitrader.config.schema import Costs, Execution, Portfolio
from aitrader.domain.events import BookValued, FillBooked, OrderSending
from aitrader.domain.orders import Entry, Side
from aitrader.errors import InsufficientDataError
from aitrader.journal.queries import replay

NAN = float("nan")
DEAR = Costs(commission_per_share=0.01, spread_bps=20, impact_bps=50, max_volume_share=0.05)


def random_past(past, seed, *, sessions=40, gaps=0.0, symbols=6):
    generator = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(generator.normal(0, 0.03, (symbols, sessions)), axis=1))
    opened = close * np.exp(generator.normal(0, 0.01, close.shape))
    missing = generator.random(close.shape) < gaps
    close[missing] = opened[missing] = NAN
    return past(close, open_=opened, predictions=generator.normal(size=close.shape), volume=2_000.0)


def test_three_sessions_by_hand_with_a_split_and_a_dividend(past):
    # 2,000 USD, half of it in A at 10.00: 100 shares, bought at the open of 10.20 plus 10 bp: 10.2102, so 1,021.02
    # are paid and 978.98 left. At the close of 10.40 that is 978.98 + 1,040 = 2,018.98. Next day 100 shares become
    # 200, which get 0.10 USD each: cash 998.98, and 2,098.98 at the close of 5.50.
    world = past([[10, 10.4, 5.5, 5.5]], open_=[[10, 10.2, 5.3, 5.5]])
    day = world.sessions[2]
    tape = world.tape(CorporateAction("A", day, "dividend", 0.10), CorporateAction("A", day, "split", 2.0))
    half = Portfolio(invested=0.5, no_trade_band=0.2)

    result = run_backtest(tape, world.plan(cash=2000, costs=Costs(spread_bps=20, impact_bps=0), portfolio=half))

    np.testing.assert_allclose(result.equity, [2000, 2018.98, 2098.98, 2098.98], rtol=0, atol=1e-9)
    np.testing.assert_allclose(result.slippage, [0, 1.02, 0, 0], atol=1e-9)
    np.testing.assert_allclose(result.turnover, [0, 1021.02 / 2000, 0, 0], atol=1e-12)
    assert result.book.quantity("A") == 200
    assert result.fees.sum() == 0


def test_a_decision_uses_the_close_and_is_filled_at_the_next_open(past):
    world = past([[10, 12, 12]], open_=[[10, 11, 12]])

    result = run_backtest(world.tape(), world.plan(cash=1600, portfolio=Portfolio(invested=0.5, no_trade_band=1)))

    (fill,) = result.fills
    assert (fill.price, fill.quantity, fill.at.date()) == (11, 80, world.sessions[1])
    np.testing.assert_allclose(result.equity, [1600, 720 + 960, 1680])


@given(seed=st.integers(0, 10_000), cut=st.integers(5, 38), gaps=st.sampled_from([0.0, 0.15]))
@settings(max_examples=15)
def test_bars_after_a_session_change_no_decision_on_or_before_it(past, seed, cut, gaps):
    world = random_past(past, seed, gaps=gaps)
    whole = run_backtest(world.tape(), world.plan(top=2, costs=DEAR))
    shorter = random_past(past, seed, gaps=gaps)
    for name in ("close", "open", "volume", "adjusted_volume", "predictions"):
        setattr(shorter, name, getattr(shorter, name)[:, : cut + 1])
    shorter.sessions = shorter.sessions[: cut + 1]

    part = run_backtest(shorter.tape(), shorter.plan(top=2, costs=DEAR))

    last = world.sessions[cut]
    known = [decision for decision in whole.decisions if decision.session < last]
    assert list(part.decisions) == known
    np.testing.assert_array_equal(part.equity, whole.equity[: cut + 1])


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10)
def test_disturbed_later_bars_change_no_decision(past, seed):
    world = random_past(past, seed)
    before = run_backtest(world.tape(), world.plan(top=2, costs=DEAR))
    world.close[:, 20:] *= 3.0
    world.open[:, 20:] *= 0.5
    world.predictions[:, 20:] *= -1

    after = run_backtest(world.tape(), world.plan(top=2, costs=DEAR))

    assert [d for d in after.decisions if d.session < world.sessions[20]] == [
        d for d in before.decisions if d.session < world.sessions[20]
    ]


@pytest.mark.parametrize("entry", list(Entry))
@given(seed=st.integers(0, 10_000))
@settings(max_examples=6)
def test_cash_and_positions_are_equity_and_the_journal_rebuilds_the_book(past, entry, seed):
    world = random_past(past, seed, gaps=0.1)
    actions = [
        CorporateAction("A", world.sessions[10], "dividend", 0.3),
        CorporateAction("B", world.sessions[20], "split", 1.5),
    ]
    plan = world.plan(top=3, costs=DEAR)
    plan = replace(plan, rules=replace(plan.rules, execution=Execution(entry=entry, costs=DEAR)))

    result = run_backtest(world.tape(*actions), plan)

    np.testing.assert_allclose(result.cash + result.net * result.equity, result.equity, rtol=1e-12)
    assert replay(result.events, Decimal(10_000)) == result.book
    assert (result.cash >= 0).all()
    rebuilt = result.book.cash + sum(
        position.quantity * Decimal(repr(float(world.history.close[world.symbols.index(symbol), -1])))
        for symbol, position in result.book.positions.items()
    )
    assert float(rebuilt) == pytest.approx(result.equity[-1], abs=0.01)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10)
def test_filled_never_exceeds_what_was_sent(past, seed):
    world = random_past(past, seed)
    result = run_backtest(world.tape(), world.plan(top=2, costs=DEAR))

    sent = {e.order.client_id: e.order.quantity for e in result.events if isinstance(e, OrderSending)}
    filled: dict[str, Decimal] = {}
    for fill in result.fills:
        filled[fill.client_id] = filled.get(fill.client_id, Decimal(0)) + fill.quantity
    assert all(quantity <= sent[name] for name, quantity in filled.items())
    assert len(sent) == len({e.order.client_id for e in result.events if isinstance(e, OrderSending)})


def test_equity_is_what_it_would_be_without_costs_less_the_costs_for_the_same_fills(past):
    # One purchase that is never changed: dearer trading can only cost.
    world = past([[10, 10, 11, 12]], volume=5_000)
    hold = Portfolio(invested=0.5, no_trade_band=1)
    runs = {
        factor: run_backtest(
            world.tape(),
            world.plan(costs=Costs(spread_bps=10 * factor, impact_bps=10 * factor), portfolio=hold, cash=4000),
        )
        for factor in (0, 1, 2)
    }

    assert {len(run.fills) for run in runs.values()} == {1}
    assert {run.fills[0].quantity for run in runs.values()} == {200}
    assert runs[2].equity[-1] < runs[1].equity[-1] < runs[0].equity[-1]
    for factor in (1, 2):
        assert runs[factor].equity[-1] + runs[factor].costs == pytest.approx(runs[0].equity[-1])


def test_the_same_run_twice_is_the_same_to_the_last_id(past):
    world = random_past(past, 1)

    first, second = (run_backtest(world.tape(), world.plan(top=2, costs=DEAR)) for _ in range(2))

    assert first.events == second.events


def test_a_later_start_decides_on_the_same_sessions(past):
    world = random_past(past, 2)
    weekly = {"rebalance": "wednesday"}
    whole = run_backtest(world.tape(), world.plan(**weekly))
    late = run_backtest(world.tape(), world.plan(start=world.sessions[12], **weekly))

    assert [d.decision for d in late.decisions] == [
        d.decision for d in whole.decisions if d.session >= world.sessions[12]
    ]
    assert {d.session.weekday() for d in whole.decisions} <= {2, 3}  # 2013-07-04 moves none: it is a Thursday


def test_the_last_session_is_valued_and_not_decided_on(past):
    world = random_past(past, 3, sessions=6)
    result = run_backtest(world.tape(), world.plan())

    assert result.decisions[-1].session == world.sessions[-2]
    assert [event.session for event in result.events if isinstance(event, BookValued)] == world.sessions


def test_sessions_without_predictions_are_recorded_and_hold_what_is_held(past):
    world = past([[10] * 6, [20] * 6], predictions=[[NAN, 2, 2, 2, NAN, NAN], [NAN, 1, 1, 1, NAN, NAN]])
    result = run_backtest(world.tape(), world.plan())

    assert [refused.session for refused in result.undecided] == [world.sessions[0], world.sessions[4]]
    assert {d.session for d in result.decisions} == set(world.sessions[1:4])
    assert result.book.quantity("A") == 1000


def test_a_holding_whose_bars_end_is_carried_at_its_last_price_and_named(past):
    world = past([[10, 10, 12, NAN, NAN], [20] * 5], predictions=[[2, 2, 2, 2, 2], [1] * 5])
    result = run_backtest(world.tape(), world.plan(portfolio=Portfolio(invested=0.5, no_trade_band=0.2)))

    (left,) = result.unpriced
    assert (left.symbol, left.last_bar, left.quantity, left.value) == ("A", world.sessions[2], 500, 6000.0)
    assert result.equity[-1] == pytest.approx(float(result.book.cash) + 6000 + float(result.book.quantity("B")) * 20)


def test_nothing_is_bought_twice_with_money_that_is_stuck(past):
    world = past([[10, 10, NAN, NAN, NAN], [20] * 5], predictions=[[2, 2, 2, 2, 2], [1] * 5])
    result = run_backtest(world.tape(), world.plan())

    assert result.book.quantity("A") == 1000
    assert (result.cash >= 0).all()


def test_late_entry_shifts_every_fill_by_one_session(past):
    world = past(np.full((2, 8), 10.0), predictions=[[2, 2, 2, 2, 1, 1, 1, 1], [1, 1, 1, 1, 2, 2, 2, 2]])
    plan = world.plan(rebalance=2)
    tape = world.tape()

    prompt = run_backtest(tape, plan)
    late = run_backtest(tape.with_history(tape.history.with_opinions_late(1)), replace(plan, late=1))

    prompt_days = [world.sessions.index(fill.at.date()) for fill in prompt.fills]
    late_days = [world.sessions.index(fill.at.date()) for fill in late.fills]
    assert late_days == [day + 1 for day in prompt_days if day + 1 < 8]
    assert [(f.symbol, f.side, f.quantity) for f in late.fills] == [
        (f.symbol, f.side, f.quantity) for f in prompt.fills[: len(late.fills)]
    ]


def test_lost_sessions_are_skipped_and_their_decision_is_made_up(past):
    world = past(np.full((1, 5), 10.0))  # Monday 2013-07-01 to Monday 07-08; the 4th is a holiday
    wednesday = world.sessions[2]
    world.sessions = [*world.sessions[:2], *world.sessions[3:], date(2013, 7, 9)]

    result = run_backtest(world.tape(), world.plan(rebalance="wednesday"))

    assert wednesday == date(2013, 7, 3)
    assert [decision.session for decision in result.decisions] == [date(2013, 7, 5)]


def test_sells_free_the_money_that_buys_need(past):
    world = past([[10] * 4, [20] * 4], predictions=[[2, 1, 1, 1], [1, 2, 2, 2]])
    result = run_backtest(world.tape(), world.plan())

    assert [(f.symbol, f.side) for f in result.fills] == [("A", Side.BUY), ("A", Side.SELL), ("B", Side.BUY)]
    assert result.cash[-1] == 0


def test_fills_are_rows_of_the_journal(past):
    world = random_past(past, 4)
    result = run_backtest(world.tape(), world.plan())

    assert [event.fill for event in result.events if isinstance(event, FillBooked)] == list(result.fills)


def test_progress_is_told_and_may_stop_the_run(past):
    class Enough(Exception):
        pass

    def stop(done, total):
        raise Enough(f"{done}/{total}")

    world = random_past(past, 5, sessions=6)
    with pytest.raises(Enough, match="5/5"):
        run_backtest(world.tape(), world.plan(), watch=stop)


@pytest.mark.parametrize("span", [(0, 0), (3, 2)])
def test_a_span_without_two_sessions_is_refused(past, span):
    world = random_past(past, 6)
    start, end = (world.sessions[at] for at in span)

    with pytest.raises(InsufficientDataError, match="needs two sessions"):
        run_backtest(world.tape(), world.plan(start=start, end=end))
