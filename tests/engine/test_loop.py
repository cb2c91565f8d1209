from dataclasses import replace
from decimal import Decimal

import pytest

from aitrader.backtest.tape import CorporateAction
from aitrader.brokers.simulated import SimulatedBroker
from aitrader.config.schema import Execution, Portfolio, Risk
from aitrader.domain.events import (
    ActionBooked,
    BookValued,
    DecisionMade,
    DecisionRefused,
    FillBooked,
    Latch,
    Latched,
    OrderOutcome,
    OrderRefused,
    OrderSending,
)
from aitrader.domain.orders import OrderStatus, Refused, Side, Unknown
from aitrader.engine.desk import Desk
from aitrader.engine.loop import Turn, turn
from aitrader.engine.schedule import entry_time
from aitrader.engine.state import State
from aitrader.errors import DataError
from aitrader.journal.memory import MemoryJournal
from aitrader.journal.queries import replay
from aitrader.portfolio.allocators import equal
from aitrader.strategies.model_driven import ModelDriven

NAN = float("nan")


class Answers(SimulatedBroker):
    """A venue that answers the first orders as it was told to, and then trades."""

    def __init__(self, *answers, costs):
        super().__init__("SIM-main", Decimal(1000), costs)
        self.answers = list(answers)
        self.asked = []

    def submit(self, approved):
        self.asked.append(approved.order)
        return self.answers.pop(0) if self.answers else super().submit(approved)


class Played:
    """A market that is played turn by turn."""

    def __init__(self, world, rules, *answers, top=1, actions=()):
        self.tape = world.tape(*actions)
        self.world = world
        self.broker = Answers(*answers, costs=rules.execution.costs)
        self.journal = MemoryJournal()
        self.desk = Desk(self.tape, self.broker, self.journal, {"top": ModelDriven("m", top, equal)}, rules)
        self.state = State.of((), Decimal(1000))

    def open(self, position):
        self.broker.open_session(self.tape.session_bars(position), self.tape.actions(self.world.sessions[position]))

    def turn(self, position, due=("top",)):
        session, entry, calendar = self.world.sessions[position], self.desk.rules.execution.entry, self.world.calendar
        now = Turn(
            session,
            calendar.open_of(session),
            entry_time(session, entry, calendar),
            self.world.sessions[position - 1],
            frozenset(due),
        )
        self.state = turn(self.desk, self.state, now)

    def play(self, position, due=("top",)):
        self.open(position)
        self.turn(position, due)
        self.broker.close_session()

    def kinds(self):
        return [type(event).__name__ for event in self.journal.events()]

    def of(self, kind):
        return [event for event in self.journal.events() if isinstance(event, kind)]


def test_every_step_is_a_row_before_it_acts(past, make_rules):
    played = Played(past([[10, 10], [20, 20]]), make_rules(), top=2)
    played.play(1)

    assert played.kinds() == [
        "BookValued",
        "SessionOpened",
        "DecisionMade",
        *["OrderSending", "OrderOutcome"] * 2,
        *["FillBooked"] * 2,
    ]


def test_the_decision_sees_the_bar_before_and_its_orders_leave_at_entry_time(past, make_rules):
    played = Played(past([[10, 12]]), make_rules())
    played.play(1)

    (made,), (sent, *_) = played.of(DecisionMade), played.of(OrderSending)
    assert (made.decision, made.at.isoformat()) == ("20130701", "2013-07-01T20:15:00+00:00")
    assert (sent.order.quantity, sent.order.planned_price) == (100, 10)
    assert sent.at.isoformat() == "2013-07-02T13:35:00+00:00"


def test_nothing_due_sends_nothing_but_values_the_book(past, make_rules):
    played = Played(past([[10, 12]]), make_rules())
    played.play(1, due=())

    assert played.kinds() == ["BookValued", "SessionOpened"]
    assert played.of(BookValued)[0].equity == 1000.0


def test_sells_are_filled_before_buys_are_sent(past, make_rules):
    world = past([[10] * 3, [20] * 3], predictions=[[2, 1, 1], [1, 2, 2]])
    played = Played(world, make_rules())
    played.play(1)
    played.play(2)

    last = [event for event in played.journal.events() if isinstance(event, OrderSending | FillBooked)][-4:]
    sides = [(type(e).__name__, e.order.side if isinstance(e, OrderSending) else e.fill.side) for e in last]
    assert sides == [
        ("OrderSending", Side.SELL),
        ("FillBooked", Side.SELL),
        ("OrderSending", Side.BUY),
        ("FillBooked", Side.BUY),
    ]
    assert played.state.book.positions["B"].quantity == 50


def test_a_split_between_decision_and_entry_changes_shares_and_planned_price(past, make_rules):
    world = past([[30, 10, 10]], open_=[[30, 10, 10]])
    played = Played(world, make_rules(), actions=[CorporateAction("A", world.sessions[1], "split", 3.0)])
    played.play(1)

    (made,), (sent,) = played.of(DecisionMade), played.of(OrderSending)
    assert (made.orders[0].quantity, made.orders[0].planned_price) == (33, 30)
    assert (sent.order.quantity, sent.order.planned_price) == (99, 10)
    assert sent.order.client_id == made.orders[0].client_id


def test_a_holding_is_split_and_paid_before_the_market_opens(past, make_rules):
    world = past([[30, 30, 15, 15]])
    actions = [
        CorporateAction("A", world.sessions[2], "dividend", 0.5),
        CorporateAction("A", world.sessions[2], "split", 2.0),
        CorporateAction("A", world.sessions[0], "dividend", 9.0),
    ]
    played = Played(world, make_rules(), actions=actions)
    played.play(1)
    played.play(2, due=())

    assert [(event.kind, event.value) for event in played.of(ActionBooked)] == [("split", 2.0), ("dividend", 0.5)]
    assert played.state.book == played.broker.book
    assert (played.state.book.quantity("A"), played.state.book.cash) == (66, Decimal("43.0"))


def test_a_refused_order_is_recorded_with_its_code_and_never_sent(past, make_rules):
    risk = Risk(max_order_equity_share=1, max_position=0.1, max_order_adv_share=1, cash_reserve=0)
    played = Played(past([[10, 10]]), make_rules(risk=risk))
    played.play(1)

    (refused,) = played.of(OrderRefused)
    assert (refused.code, refused.decision) == ("max_position", "20130701")
    assert played.of(OrderSending) == []
    assert played.broker.asked == []


def test_the_brokers_refusal_is_recorded_and_the_turn_goes_on(past, make_rules):
    played = Played(past([[10, 10], [20, 20]]), make_rules(), Refused("halted", "no trading"), top=2)
    played.play(1)

    assert [event.outcome for event in played.of(OrderOutcome)] == ["refused", "accepted"]
    assert played.of(OrderOutcome)[0].detail == "halted: no trading"
    assert set(played.state.book.positions) == {"B"}


def test_an_outcome_that_stays_unknown_holds_its_symbol_and_the_others_go_on(past, make_rules):
    played = Played(past([[10, 10], [20, 20]]), make_rules(), *[Unknown("timeout")] * 3, top=2)
    played.play(1)

    assert [event.outcome for event in played.of(OrderOutcome)] == ["absent", "absent", "unknown", "accepted"]
    assert played.state.held == {"A": "the outcome of at-main-20130701-top-A-buy-e-1 is unknown: timeout"}
    assert set(played.state.book.positions) == {"B"}


def test_the_same_turn_again_decides_and_sends_nothing_new(past, make_rules):
    played = Played(past([[10, 10]]), make_rules())
    played.open(1)
    played.turn(1)
    played.turn(1)

    assert len(played.of(DecisionMade)) == 1
    assert len(played.of(OrderSending)) == 1


def test_a_decision_that_cannot_be_made_leaves_the_book_as_it_is(past, make_rules):
    world = past([[10] * 3, [20] * 3], predictions=[[2, 1, NAN], [1, 1, NAN]])
    played = Played(world, make_rules())
    played.play(1)
    played.play(2)

    (refused,) = played.of(DecisionRefused)
    assert (refused.decision, "same value" in refused.reason) == ("20130702", True)
    assert str(played.state.refusal) == refused.reason
    assert played.state.book.quantity("A") == 100


def test_an_order_for_the_opening_auction_does_not_know_the_open(past, make_rules):
    world = past([[10, 10]], open_=[[10, 13]])
    risk = replace(make_rules()).risk.model_copy(update={"max_gap_from_close": 0.2})
    after_open = Played(world, make_rules(risk=risk))
    after_open.play(1)
    auction = make_rules(risk=risk)
    auction = replace(auction, execution=Execution(entry="open_auction", costs=auction.execution.costs))
    in_auction = Played(world, auction)
    in_auction.play(1)

    assert [refused.code for refused in after_open.of(OrderRefused)] == ["max_gap_from_close"]
    assert in_auction.of(OrderRefused) == []


def test_fills_at_the_close_are_booked_by_the_next_turn_before_the_book_is_valued(past, make_rules):
    closing = make_rules()
    closing = replace(closing, execution=Execution(entry="close_auction", costs=closing.execution.costs))
    played = Played(past([[10, 8, 9]]), closing)
    played.play(1)
    played.play(2, due=())

    assert played.kinds()[-3:] == ["FillBooked", "BookValued", "SessionOpened"]
    assert played.of(BookValued)[-1].gross == 800.0
    assert replay(played.journal.events(), Decimal(1000)) == played.broker.book


class Sure:
    """A strategy that needs a model and wants all of one symbol."""

    needs_features = ()

    def __init__(self, symbol, *models):
        self.symbol, self.needs_models = symbol, models

    def targets(self, snapshot):
        return {self.symbol: 1.0}


def test_a_model_that_learned_nothing_for_too_long_decides_nothing(past, make_rules):
    played = Played(past([[10, 10]]), make_rules())
    played.desk = replace(played.desk, ages={"m": 253})
    played.play(1)

    (refused,) = played.of(DecisionRefused)
    assert refused.reason == (
        "Too old to decide: m learned nothing for 253 sessions; risk.max_model_sessions_old is 252."
    )
    assert played.of(DecisionMade) == []
    assert str(played.state.refusal) == refused.reason


def test_a_model_as_old_as_allowed_decides(past, make_rules):
    played = Played(past([[10, 10]]), make_rules())
    played.desk = replace(played.desk, ages={"m": 252})
    played.play(1)

    assert (len(played.of(DecisionMade)), played.state.refusal) == (1, None)


def test_strategies_without_the_old_model_go_on(past, make_rules):
    played = Played(past([[10, 10], [20, 20]]), make_rules())
    both = {"old": Sure("A", "m"), "young": Sure("B", "n")}
    played.desk = replace(played.desk, strategies=both, ages={"m": 253, "n": 3})
    played.play(1, due=("old", "young"))

    (made,) = played.of(DecisionMade)
    assert made.targets == {"young": {"B": 1.0}}
    assert "m learned nothing" in str(played.state.refusal)


def test_a_loss_beyond_the_limit_shuts_halt_for_good(past, make_rules):
    # 100 shares at 10 USD lose 3 % of 1000 USD in one session; the limit is 2 %.
    played = Played(past([[10, 10, 9.7, 9.7]]), make_rules())
    for position in (1, 2, 3):
        played.play(position, due=("top",) if position == 1 else ())

    (latched,) = played.of(Latched)
    assert (latched.latch, latched.code) == (Latch.HALT, "max_daily_loss")
    assert latched.reason == ("equity fell 3.00% in one session, from 1,000.00 to 970.00 USD; the limit is 2.00%")
    assert State.of(played.journal.events()).latches == {Latch.HALT}


def test_what_an_open_order_will_cost_is_not_spent_again(bench, past, make_rules):
    # 600 of 1000 USD wait for the close in A. B would need 600 as well, and 400 are left.
    rules = replace(make_rules(), portfolio=Portfolio(invested=0.6, no_trade_band=0))
    rules = replace(rules, execution=Execution(entry="close_auction", costs=rules.execution.costs))
    book = bench(past([[10, 10], [20, 20]]), rules)
    book.desk = replace(book.desk, strategies={"one": Sure("A")})
    book.play(1, due=("one",))
    more = book.state.decision.orders[0]
    more = replace(more, client_id=more.client_id.replace("A-buy-e-1", "B-buy-e-2"), symbol="B", quantity=Decimal(30))
    more = replace(more, planned_price=Decimal(20))
    book.journal.append(replace(book.state.decision, orders=(*book.state.decision.orders, more)))
    book.restart()
    book.run(1, due=("one",))

    (refused,) = book.of(OrderRefused)
    assert (refused.client_id, refused.code) == (more.client_id, "cash_reserve")


def test_two_dividends_of_one_day_are_both_booked_after_a_stop_between_them(bench, past, make_rules, killed):
    world = past([[10] * 3])
    dividends = [CorporateAction("A", world.sessions[2], "dividend", 0.5) for _ in range(2)]
    book = bench(world, make_rules(), top=1, actions=dividends)
    book.play(1)
    book.close()
    book.journal.kill_after = ActionBooked
    with pytest.raises(killed):
        book.play(2, due=())
    book.restart()
    book.run(2, due=())

    assert len(book.of(ActionBooked)) == 2
    assert book.state.book.cash == 100
    assert book.state.reconciled


def test_an_order_that_was_open_when_the_program_stopped_is_followed_to_its_end(bench, past, make_rules):
    # 100 shares wanted, and a tenth of the usual 500 may be filled.
    closing = make_rules()
    closing = replace(closing, execution=Execution(entry="close_auction", costs=closing.execution.costs))
    book = bench(past([[10] * 30], volume=500), closing, top=1)
    book.play(25)
    book.close()
    book.restart()
    book.play(26, due=())

    (tracked,) = book.state.orders.values()
    assert (tracked.status, tracked.booked, tracked.order.quantity) == (OrderStatus.EXPIRED, 50, 100)
    assert book.state.book.quantity("A") == 50
    assert book.state.reconciled


def test_a_holding_that_nobody_can_price_is_an_error_that_names_it(past, make_rules):
    played = Played(past([[10, 10]]), make_rules())
    held = played.state.book.after_adjustment("ZZZ", Decimal(3), Decimal(0))
    played.state = played.state._replace(book=held, closing=held)
    played.open(1)

    with pytest.raises(DataError, match="ZZZ is held and has no price up to 2013-07-01"):
        played.turn(1)
