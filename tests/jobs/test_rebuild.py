"""A new journal from the broker's word: the book equals the account, and nothing counts twice."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from aitrader.config.schema import Reconcile
from aitrader.domain.events import BookAdjusted, DecisionMade, FillBooked, Latch, OrderSending, Told
from aitrader.domain.orders import BrokerOrder, Entry, Fill, NotFound, Order, OrderStatus, Side
from aitrader.domain.positions import Account, Position
from aitrader.domain.symbols import Symbol
from aitrader.engine.desk import Desk
from aitrader.engine.recovery import compare, recover
from aitrader.engine.state import State
from aitrader.jobs.assembly.rebuild import Before, Making, Opening, rebuilt
from aitrader.journal.memory import MemoryJournal

AA, BB = Symbol("AA"), Symbol("BB")
OPENED = datetime(2013, 8, 8, 13, 30, tzinfo=UTC)
SENT = datetime(2013, 8, 8, 13, 36, tzinfo=UTC)
NIGHT = datetime(2013, 8, 8, 22, 0, tzinfo=UTC)
OPENING = Opening(date(2013, 8, 8), OPENED)
BUY, CLOSE = "at-main-20130807-top-AA-buy-e-1", "at-main-20130808-shutdown-AA-sell-k-1"


@dataclass
class Account1:
    """An account that bought 100 AA at 50, which became 200 in a split, and has a close of 200 waiting."""

    cash: Decimal = Decimal(4_999)
    held: dict = field(default_factory=lambda: {AA: Position(AA, Decimal(200), Decimal(25))})
    known: list = field(
        default_factory=lambda: [
            BrokerOrder("1", BUY, AA, Side.BUY, Decimal(100), Decimal(100), OrderStatus.FILLED, SENT),
            BrokerOrder("2", CLOSE, AA, Side.SELL, Decimal(200), Decimal(0), OrderStatus.OPEN, NIGHT),
        ]
    )
    done: list = field(
        default_factory=lambda: [Fill("f1", BUY, AA, Side.BUY, Decimal(100), Decimal(50), Decimal(1), SENT)]
    )

    def account(self):
        return Account("SIM-main", self.cash, self.cash)

    def positions(self):
        return self.held

    def orders(self, since=None):
        return self.known

    def fills(self, after=None):
        names = [fill.fill_id for fill in self.done]
        return self.done[names.index(after) + 1 :] if after else self.done

    def find(self, client_id):
        return next((one for one in self.known if one.client_id == client_id), NotFound(client_id))


def rows_of(broker, **changes):
    asked = {"at": NIGHT, "opening": OPENING, "entry": Entry.AFTER_OPEN, "reason": "damaged"} | changes
    return rebuilt(broker, "main", Making(**asked))


def order_of(name, symbol=AA, quantity=100, price=49):
    return Order(name, symbol, Side.BUY, Decimal(quantity), Decimal(price), "top", "20130807", Entry.AFTER_OPEN)


def test_the_new_journal_equals_the_account():
    state = State.of(rows_of(Account1()))

    assert state.account == "SIM-main"
    assert state.book.cash == 4_999
    assert state.book.quantity(AA) == 200
    assert compare(state, Account1(), Reconcile(), sent={BUY, CLOSE}) == ()


def test_what_orders_do_not_explain_is_adjusted_with_the_reason():
    adjusted = [row for row in rows_of(Account1()) if isinstance(row, BookAdjusted)]

    assert adjusted == [BookAdjusted(NIGHT, AA, Decimal(100), Decimal(0), "damaged")]


def test_orders_of_another_book_are_not_taken_for_ours():
    broker = Account1()
    foreign = "at-other-20130807-top-BB-buy-e-1"
    broker.known.append(BrokerOrder("3", foreign, BB, Side.BUY, Decimal(5), Decimal(5), OrderStatus.FILLED, SENT))
    broker.done.append(Fill("f2", foreign, BB, Side.BUY, Decimal(5), Decimal(10), Decimal(0), SENT))
    broker.held[BB] = Position(BB, Decimal(5), Decimal(10))
    broker.cash -= 50

    rows = rows_of(broker)

    assert foreign not in {row.order.client_id for row in rows if isinstance(row, OrderSending)}
    assert BookAdjusted(NIGHT, BB, Decimal(5), Decimal(0), "damaged") in rows
    assert State.of(rows).book.cash == broker.cash


def test_the_rebuilt_book_is_halted_until_a_person_resumes():
    assert State.of(rows_of(Account1())).latches == {Latch.HALT}


def test_orders_of_the_running_session_are_counted_on_it():
    state = State.of(rows_of(Account1()))

    assert state.session == date(2013, 8, 8)
    assert state.meters.by_symbol == {AA: 2}
    assert [one.order.client_id for one in state.working] == [CLOSE]


def test_a_recovery_after_the_rebuild_books_only_what_is_new(make_rules):
    broker, journal = Account1(), MemoryJournal()
    for row in rows_of(broker):
        journal.append(row)
    broker.known[1] = BrokerOrder("2", CLOSE, AA, Side.SELL, Decimal(200), Decimal(200), OrderStatus.FILLED, NIGHT)
    broker.done.append(Fill("f2", CLOSE, AA, Side.SELL, Decimal(200), Decimal(26), Decimal(1), NIGHT))
    broker.cash, broker.held = Decimal(4_999 + 5_200 - 1), {}
    desk = Desk(None, broker, journal, {}, make_rules())

    state = recover(desk, State.of(journal.events()), NIGHT, Reconcile())

    assert state.differences == ()
    assert not state.book.positions
    assert [row.fill.fill_id for row in journal.events() if isinstance(row, FillBooked)] == ["f1", "f2"]


def test_what_was_bought_before_the_last_session_is_in_the_book_that_its_decision_is_sized_with():
    later = Opening(date(2013, 8, 9), datetime(2013, 8, 9, 13, 30, tzinfo=UTC))

    assert State.of(rows_of(Account1(), opening=later)).closing.quantity(AA) == 200
    assert State.of(rows_of(Account1())).closing.quantity(AA) == 100  # what the fill of today does not explain


LOST = "at-main-20130807-top-BB-buy-e-2"


def before():
    """A journal that decided on 90 AA and 7 BB; of AA the account has 100, of BB it knows nothing."""
    wanted = (order_of(BUY, quantity=90), order_of(LOST, BB, 7))
    made = DecisionMade(OPENED, "20130807", date(2013, 8, 7), 5_000.0, {"top": {AA: 0.9}}, wanted, {}, ())
    return Before.of([made, *(OrderSending(SENT, order) for order in wanted)])


def test_what_can_still_be_read_keeps_the_decision_and_its_plans_in_the_account_s_shares():
    state = State.of(rows_of(Account1(), before=before()))

    assert state.decision.decision == "20130807"
    assert state.standing == {"top": {AA: 0.9}}
    assert (state.orders[BUY].order.planned_price, state.orders[BUY].order.quantity) == (49, 100)
    assert compare(state, Account1(), Reconcile(), sent={BUY, LOST, CLOSE}) == ()


def test_an_id_that_left_and_that_the_account_does_not_know_is_not_used_again():
    state = State.of(rows_of(Account1(), before=before()))

    assert state.orders[LOST].told is Told.REFUSED
    assert LOST in state.sent
    assert state.orders[LOST].remaining == 0
    assert state.book == State.of(rows_of(Account1())).book


@pytest.mark.parametrize("opening", [None, OPENING])
def test_an_account_without_orders_becomes_a_book_of_its_cash(opening):
    broker = Account1(cash=Decimal(100), held={}, known=[], done=[])

    state = State.of(rows_of(broker, opening=opening))

    assert (state.book.cash, dict(state.book.positions)) == (100, {})
