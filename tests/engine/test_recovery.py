from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest

from aitrader.backtest.tape import CorporateAction
from aitrader.config.schema import Execution, Portfolio, Reconcile, Risk
from aitrader.domain.events import (
    BookAdjusted,
    DecisionMade,
    FillBooked,
    Latch,
    OrderRefused,
    OrderSending,
    Reconciled,
    SymbolReleased,
    Told,
)
from aitrader.engine.loop import open_session
from aitrader.engine.recovery import BETWEEN_READS, accepted, compare, recover, settle
from aitrader.engine.state import CASH, State
from aitrader.errors import BrokerError, RefusedError

A, B = "at-main-20130701-top-A-buy-e-1", "at-main-20130701-top-B-buy-e-2"
TIGHT = Risk(max_order_equity_share=1, max_order_qty=1e9, max_position=1, max_order_adv_share=1, cash_reserve=0.02)
CLOSE = "at-main-20130702-shutdown-A-sell-k-1"


@pytest.fixture
def two(bench, past, make_rules):
    """A book that wants 50 shares of A and 25 of B on a running session; on the next one nothing changes."""

    def make():
        book = bench(past([[10] * 3, [20] * 3]), make_rules())
        book.open(1)
        return book

    return make


def agrees(book):
    """Say whether the journal alone tells what the account says."""
    state = State.of(book.journal.events())
    shares = {symbol: one.quantity for symbol, one in book.account.positions().items()}
    booked = {symbol: one.quantity for symbol, one in state.book.positions.items()}
    return (booked, state.book.cash) == (shares, book.account.account().cash)


def run_killed(book, position, step, killed):
    """Run the program until it is killed at ``step``; say whether it was."""
    book.steps.count, book.steps.kill_at = 0, step
    try:
        book.run(position)
    except killed:
        book.restart()
        return True
    finally:
        book.steps.kill_at = None
    return False


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("fault", [None, "accepted_then_dropped", "dropped", "error_after"])
def test_killed_at_any_step_every_wanted_order_is_accepted_once(bench, past, make_rules, killed, faults, when, fault):
    points, came = 0, True
    while came:
        points += 1
        world = past([[10, 10, 10], [20, 20, 20]], predictions=[[2, 1, 1], [1, 2, 2]])
        actions = [CorporateAction("A", world.sessions[2], kind, 2.0) for kind in ("split", "dividend", "dividend")]
        book = bench(world, make_rules(), top=1, actions=actions)
        book.play(1)
        book.close()
        book.open(2)
        book.line.faults["submit"] = [faults.get(fault), None, faults.get(fault)]
        came = run_killed(book, 2, (points, when), killed)
        book.run(2)

        wanted = [order.client_id for made in book.of(DecisionMade) for order in made.orders]
        assert [order.client_id for order in book.account.orders()] == wanted
        assert len(wanted) == 3
        assert {event.fill.fill_id for event in book.of(FillBooked)} == {fill.fill_id for fill in book.account.fills()}
        assert agrees(book)
        assert book.state.reconciled

    assert points > 16


@pytest.mark.parametrize("position", range(1, 20))
def test_a_run_stopped_half_way_approves_what_it_would_have(bench, past, make_rules, killed, position):
    """48 A and 24 B were planned for 960 of 1,000 USD; A costs 504 instead of 480, B then leaves 16 and not 20."""
    rules = make_rules(portfolio=Portfolio(invested=0.96, no_trade_band=0), risk=TIGHT)
    book = bench(past([[10] * 3, [20] * 3], open_=[[10, 10.5, 10], [20] * 3]), rules)
    book.open(1)
    run_killed(book, 1, (position, "after"), killed)
    book.run(1)

    assert book.of(OrderRefused) == []
    assert {symbol: one.quantity for symbol, one in book.account.positions().items()} == {"A": 48, "B": 24}
    assert book.account.account().cash == 16


def test_an_order_whose_answer_was_never_recorded_is_found_without_a_start_too(two, killed):
    """``emergency-shutdown`` compares book and account and does not recover."""
    book, step = two(), 0
    while not book.line.asked:
        step += 1
        book = two()
        run_killed(book, 1, (step, "after"), killed)
    assert book.state.orders[A].told is None

    state = settle(book.desk, book.state, book.now(1).at, Reconcile())

    assert state.orders[A].told is Told.ACCEPTED
    assert state.reconciled


@pytest.mark.parametrize("steps", [(9, 6, 3), (4, 4, 4), (2, 7, 1), (6, 1, 2)])
def test_killed_three_times_in_a_row_it_still_ends_with_each_order_once(two, killed, faults, steps):
    book = two()
    book.line.faults["submit"] = [faults["accepted_then_dropped"], faults["dropped"]]
    kills = [run_killed(book, 1, (step, "after"), killed) for step in steps]
    book.run(1)

    assert kills == [True, True, True]
    assert [order.client_id for order in book.account.orders()] == [A, B]
    assert agrees(book)


@pytest.fixture
def intent(two, killed):
    """A book whose program was killed between the intent of its first order and the request."""
    book = two()
    book.journal.kill_after = OrderSending
    with pytest.raises(killed):
        book.run(1)
    book.restart()
    return book


def test_an_intent_of_today_that_never_left_is_sent_by_its_own_turn(intent):
    intent.run(1)

    assert intent.outcomes() == ["absent", "accepted", "accepted"]
    assert intent.line.asked == [A, B]


def test_an_intent_of_yesterday_that_never_left_expires(intent):
    intent.close()
    intent.open(2)
    intent.run(2, due=())

    assert intent.state.orders[A].told is Told.ABSENT
    assert (intent.line.asked, intent.account.orders()) == ([], [])
    assert intent.state.reconciled


def test_recovery_itself_sends_nothing(intent):
    state = recover(intent.desk, intent.state, intent.now(1).at, Reconcile())

    assert intent.line.asked == []
    assert (state.sent, state.reconciled) == (frozenset(), True)


def test_an_intent_that_nobody_can_ask_about_stays_unknown_and_holds_its_symbol(intent, silent):
    intent.line.faults["find"] = [silent] * 5
    state = recover(intent.desk, intent.state, intent.now(1).at, Reconcile())

    assert [one.order.client_id for one in state.unresolved] == [A]
    assert state.differences == (f"A: the outcome of {A} is unknown",)
    assert set(state.held) == {"A"}


def test_a_symbol_is_released_once_its_order_is_known(intent, silent):
    intent.line.faults["find"] = [silent] * 5
    intent.state = recover(intent.desk, intent.state, intent.now(1).at, Reconcile())
    intent.run(1)

    assert [event.symbol for event in intent.of(SymbolReleased)] == ["A"]
    assert set(intent.account.positions()) == {"A", "B"}


def backwards(fills):
    return list(reversed(fills))


@pytest.mark.parametrize(
    "tell", [lambda fills: [fill for fill in fills for _ in range(2)], backwards, lambda fills: [], lambda f: f[1:]]
)
def test_fills_that_come_twice_or_late_or_in_another_order_are_booked_once(two, tell):
    book = two()
    book.line.faults["fills"] = [tell] * 6
    book.run(1)

    assert Counter(event.fill.client_id for event in book.of(FillBooked)) == {A: 1, B: 1}
    assert agrees(book)
    assert book.state.reconciled


def test_fills_in_another_order_survive_a_kill_between_them(two, killed):
    step, came = 0, True
    while came:
        step += 1
        book = two()
        book.line.faults["fills"] = [backwards] * 20
        came = run_killed(book, 1, (step, "after"), killed)
        book.run(1)

        assert agrees(book)
        assert book.state.reconciled
    assert step > 12


def test_a_fill_told_late_is_booked_before_the_split_that_comes_after_it(bench, past, make_rules, killed):
    # Both buys are filled at the close; B's fill is told first, and the program dies before it has booked A's.
    world = past([[10, 10, 5], [20, 20, 20]])
    auction = make_rules()
    auction = replace(auction, execution=Execution(entry="close_auction", costs=auction.execution.costs))
    book = bench(world, auction, actions=[CorporateAction("A", world.sessions[2], "split", 2.0)])
    book.play(1)
    book.close()
    book.line.faults["fills"] = [backwards]
    book.journal.kill_after = FillBooked
    with pytest.raises(killed):
        book.play(2, due=())
    book.restart()
    book.run(2, due=())

    assert (book.state.book.quantity("A"), book.state.book.quantity("B")) == (100, 25)
    assert book.state.reconciled


def test_an_order_of_somebody_else_is_refused_and_told(two, approved):
    book = two()
    book.account.submit(approved("by-hand", "B", 3))
    with pytest.raises(RefusedError, match="has 1 order that this journal never sent"):
        book.run(1)

    state = State.of(book.journal.events())
    assert (book.of(FillBooked), book.line.asked) == ([], [])
    assert state.differences == (
        "B: 0 shares here, 3 at the broker",
        "cash: 1000.00 USD here, 940.00 at the broker",
        "B: the journal has no by-hand, to buy 3, filled",
    )
    assert set(state.held) == {"B", CASH}


def test_what_a_person_accepted_is_not_refused_again(two, approved):
    book = two()
    book.account.submit(approved("by-hand", "B", 3))
    at = book.now(1).at
    for row in accepted(book.state, compare(book.state, book.account, Reconcile(), sent=()), at, "bought by hand"):
        book.journal.append(row)
    book.restart()
    book.state = recover(book.desk, book.state, at, Reconcile())

    assert [(row.symbol, row.quantity, row.cash) for row in book.of(BookAdjusted)] == [("B", 3, 0), (None, 0, -60)]
    assert book.state.reconciled


def test_an_order_that_the_broker_has_otherwise_can_be_accepted_as_it_is(intent, approved):
    # 50 shares of A were to be bought; under their id the account has bought 7.
    intent.account.submit(approved(A, "A", 7))
    at = intent.now(1).at
    halted = recover(intent.desk, intent.state, at, Reconcile())
    sent = {A}
    for row in accepted(halted, compare(halted, intent.account, Reconcile(), sent=sent), at, "looked at it"):
        intent.journal.append(row)
    intent.restart()
    state = settle(intent.desk, intent.state, at, Reconcile())

    assert halted.latches == {Latch.HALT}
    assert (state.unresolved, state.book.quantity("A"), state.reconciled) == ((), 7, True)


def test_two_orders_that_nobody_can_ask_about_after_a_stop_shut_halt(two, approved, silent):
    book = two()
    for one in (approved(A, "A", 50), approved(B, "B", 25)):
        book.journal.append(OrderSending(book.now(1).at, one.order))
    book.restart()
    book.line.faults["find"] = [silent] * 10
    state = recover(book.desk, book.state, book.now(1).at, Reconcile())

    assert [one.order.client_id for one in state.unresolved] == [A, B]
    assert state.latches == {Latch.HALT}


def test_a_close_that_no_journal_saw_is_adopted(two, approved):
    book = two()
    book.run(1)
    book.account.submit(approved(CLOSE, "A", -50, closing=True))
    book.restart()
    book.state = settle(book.desk, book.state, book.now(1).at, Reconcile())

    assert book.state.orders[CLOSE].told is Told.ACCEPTED
    assert book.state.orders[CLOSE].order.closing
    assert agrees(book)
    assert book.state.reconciled


@pytest.fixture
def lost_fill(two):
    """A book whose journal agreed on a fill, the last one, that its account does not have (any more)."""
    book = two()
    book.run(1)
    known = book.of(FillBooked)[-1].fill
    book.journal.append(FillBooked(known.at, replace(known, fill_id="gone", quantity=Decimal(3))))
    book.journal.append(Reconciled(known.at, ()))
    book.restart()
    return book


def test_a_fill_that_the_account_does_not_have_is_a_difference_and_holds_its_symbol(lost_fill):
    asked = len(lost_fill.line.asked)

    state = recover(lost_fill.desk, lost_fill.state, lost_fill.now(1).at, Reconcile())

    (symbol,) = [symbol for symbol in state.held if symbol != CASH]
    assert f"{symbol}: fill gone of {B} is booked, and the account has no such fill" in state.differences
    assert len(lost_fill.line.asked) == asked


def test_where_the_last_fill_is_not_known_all_are_read_and_each_is_booked_once(lost_fill, approved):
    lost_fill.close()
    lost_fill.open(2)
    lost_fill.account.submit(approved(CLOSE, "A", -50, closing=True))
    before = [row.fill.fill_id for row in lost_fill.of(FillBooked)]

    recover(lost_fill.desk, lost_fill.state, lost_fill.now(2).at, Reconcile())

    after = [row.fill.fill_id for row in lost_fill.of(FillBooked)]
    assert after[: len(before)] == before
    assert after[len(before) :] == [fill.fill_id for fill in lost_fill.account.fills() if fill.client_id == CLOSE]


def test_a_fill_that_says_something_else_at_the_account_is_a_difference(two):
    book = two()
    book.run(1)
    booked = {row.fill.fill_id: row.fill for row in book.of(FillBooked)}
    name, fill = next(iter(booked.items()))

    found = compare(book.state, book.account, Reconcile(), booked={**booked, name: replace(fill, price=Decimal(9))})

    assert compare(book.state, book.account, Reconcile(), booked=booked) == ()
    assert [(one.kind, one.symbol) for one in found] == [("fills", fill.symbol)]
    assert f"at the account it is {fill.quantity:f} shares of {fill.client_id}" in str(found[0])


def test_another_account_than_the_journals_is_refused(two):
    book = two()
    with pytest.raises(RefusedError, match="The journal is of account SIM-other, the broker answers for SIM-main"):
        recover(book.desk, book.state._replace(account="SIM-other"), book.now(1).at, Reconcile())


def test_a_broker_that_does_not_answer_is_asked_again_and_then_it_is_an_error(two):
    book = two()

    def fail(fills):
        raise BrokerError("503")

    book.line.faults["fills"] = [fail] * 3
    book.run(1)
    assert book.waited == [0.5, 1.0, 2.0]

    book.line.faults["fills"] = [fail] * 4
    with pytest.raises(BrokerError):
        book.run(1)


class Beside:
    """An account that says something else of cash or positions."""

    def __init__(self, account, *, cash=0, positions=None):
        self._account, self._cash, self._positions = account, Decimal(cash), positions

    def __getattr__(self, name):
        return getattr(self._account, name)

    def account(self):
        said = self._account.account()
        return replace(said, cash=said.cash + self._cash)

    def positions(self):
        return self._account.positions() if self._positions is None else self._positions


def test_cash_that_differs_stops_entries_and_lets_exits_leave(bench, past, make_rules):
    book = bench(past([[10] * 3, [20] * 3], predictions=[[2, 1, 1], [1, 2, 2]]), make_rules(), top=1)
    book.play(1)
    book.close()
    book.line.account_ = Beside(book.account, cash="-0.05")
    book.play(2)

    assert [event.order.client_id for event in book.of(OrderSending)][1:] == ["at-main-20130702-top-A-sell-e-1"]
    assert [(row.client_id, row.code) for row in book.of(OrderRefused)] == [
        ("at-main-20130702-top-B-buy-e-2", "hold"),
    ]
    assert book.state.differences == ("cash: 1000.00 USD here, 999.95 at the broker",)


def test_half_a_cent_for_each_fill_is_no_difference(two):
    book = two()
    book.run(1)

    def found(cash):
        return [one.kind for one in compare(book.state, Beside(book.account, cash=cash), Reconcile())]

    # 0.01 USD and half a cent for each of two fills
    assert (found("0.02"), found("0.021"), found("-0.021")) == ([], ["cash"], ["cash"])


def test_a_position_that_differs_is_held_after_three_reads_and_released_when_it_agrees(two):
    book = two()
    book.run(1)
    book.line.account_ = Beside(book.account, positions={})
    at = book.now(1).at
    book.state = settle(book.desk, book.state, at, Reconcile())

    assert book.state.differences == ("A: 50 shares here, 0 at the broker", "B: 25 shares here, 0 at the broker")
    assert set(book.state.held) == {"A", "B"}
    assert book.waited == [BETWEEN_READS] * 2

    book.line.account_ = book.account
    book.state = settle(book.desk, book.state, at, Reconcile())
    assert (book.state.held, book.state.reconciled) == ({}, True)


def test_no_answer_is_not_a_flat_account(two):
    book = two()
    book.run(1)

    class Down(Beside):
        def positions(self):
            raise BrokerError("503")

    book.line.account_ = Down(book.account)
    with pytest.raises(BrokerError):
        settle(book.desk, book.state, book.now(1).at, Reconcile())
    assert len(book.of(Reconciled)) == 2


def test_to_compare_writes_and_sends_nothing(two):
    book = two()
    rows = len(book.journal.events())

    assert compare(book.state, book.account, Reconcile()) == ()
    assert len(book.journal.events()) == rows


def test_missed_sessions_are_opened_one_after_the_other(bench, past, make_rules):
    # 100 shares are bought on the first session; nobody looks on the second, when A splits.
    world = past([[10, 10, 5, 5]])
    book = bench(world, make_rules(), top=1, actions=[CorporateAction("A", world.sessions[2], "split", 2.0)])
    book.play(1)
    book.close()
    book.open(2)
    book.close()
    book.open(3)
    for position in (2, 3):
        book.state = open_session(book.desk, book.state, book.now(position, due=()))
    book.state = recover(book.desk, book.state, book.now(3).at, Reconcile())

    assert book.state.book.quantity("A") == 200
    assert book.state.reconciled
