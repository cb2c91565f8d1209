"""Cancelling, closing and looking, until nothing is held and nothing is open."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from aitrader.brokers.faulty import Fault, FaultSettings, FaultyBroker, listed, seeded
from aitrader.brokers.simulated import SimulatedBroker
from aitrader.config.schema import Costs, Risk
from aitrader.domain.events import OrderOutcome, OrderSending
from aitrader.domain.orders import Accepted, Entry, Order, OrderStatus, Refused, Side, client_order_id
from aitrader.domain.positions import Book, Position
from aitrader.engine.desk import Desk
from aitrader.engine.state import State
from aitrader.errors import BrokerError, JournalError
from aitrader.journal.memory import MemoryJournal
from aitrader.live.flatten import Closing, flatten, is_close
from aitrader.risk.exposure import RiskContext
from aitrader.risk.review import review

FREE = Costs(spread_bps=0, impact_bps=0)
WIDE = Risk(max_order_equity_share=1, max_order_qty=1e9, max_position=1, max_order_adv_share=1, cash_reserve=0)
BEFORE = 20
A_CLOSE = "at-main-20130701-shutdown-A-sell-k-1"


class Full(MemoryJournal):
    """A journal on a disk that is full after ``room`` rows."""

    def __init__(self, room):
        super().__init__()
        self.room = room

    def append(self, event):
        if len(self.events()) >= self.room:
            raise JournalError("No space left on device.")
        return super().append(event)


class Scene:
    """A simulated account of 10,000 USD that holds shares bought in the first session, and a desk at it."""

    def __init__(self, past, make_rules, held=(("A", 10),), *, prices=None, volume=1e6):
        prices = prices or [[10, 11, 12, 13], [20, 19, 18, 17], [30, 30, 30, 30]]
        # Volume shares are measured by the twenty sessions before.
        self.world = past([[row[0]] * BEFORE + row for row in prices], volume=volume)
        self.tape = self.world.tape()
        self.account = SimulatedBroker("SIM-main", Decimal(10_000), FREE)
        self.rules = make_rules()
        self.journal = MemoryJournal()
        self.waited = []
        self.open(0)
        for symbol, shares in held:
            assert isinstance(self.order(symbol, shares), Accepted)

    def open(self, position):
        self.account.open_session(self.tape.session_bars(BEFORE + position))

    def close(self):
        self.account.close_session()

    def order(self, symbol, signed, *, entry=Entry.AFTER_OPEN, strategy="top", decision="20130628"):
        signed = Decimal(signed)
        side = Side.BUY if signed > 0 else Side.SELL
        order = Order(
            client_order_id("main", decision, strategy, symbol, side=side, number=1),
            symbol,
            side,
            abs(signed),
            Decimal(10),
            strategy,
            decision,
            entry,
        )
        held = {symbol: Position(symbol, Decimal(10_000), Decimal(10))} if signed < 0 else {}
        context = RiskContext(
            Decimal(10**9), Book(Decimal(10**9), held), {symbol: Decimal(10)}, {symbol: 1e9}, {symbol: 0}, {symbol}
        )
        (approved,) = review([order], context, WIDE).approved
        return self.account.submit(approved)

    def desk(self, **changed):
        desk = Desk(self.tape, self.account, self.journal, {}, self.rules, wait=self.waited.append)
        return replace(desk, **changed)

    def flatten(self, decision="20130701", state=None, settle=lambda: None, **changed):
        closing = Closing(decision, datetime.fromisoformat("2013-07-01T20:30:00+00:00"))
        return flatten(self.desk(**changed), state or State.of(()), closing, settle=settle)[1]

    def of(self, kind):
        return [event for event in self.journal.events() if isinstance(event, kind)]


@pytest.fixture
def scene(past, make_rules):
    return lambda *held, **options: Scene(past, make_rules, held or (("A", 10),), **options)


def test_in_a_running_session_everything_is_sold_and_seen_flat(scene):
    held = scene(("A", 10), ("B", 5))

    done = held.flatten()

    assert done.flat
    assert held.account.positions() == {}
    assert done.sent == (A_CLOSE, "at-main-20130701-shutdown-B-sell-k-1")
    assert done.problems == ()
    assert held.waited == []


def test_an_account_with_nothing_is_flat_at_once(scene):
    held = scene()
    held.flatten()

    again = held.flatten()

    assert again.flat
    assert (again.sent, again.cancelled) == ((), ())


def test_while_the_venue_is_closed_closes_wait_and_nothing_is_called_flat(scene):
    held = scene()
    held.close()

    done = held.flatten()

    assert not done.flat
    assert done.left.waiting
    assert done.sent == (A_CLOSE,)
    assert held.waited == []


def test_a_second_run_leaves_waiting_closes_in_place(scene):
    held = scene()
    held.close()
    held.flatten()

    again = held.flatten()

    assert again.left.waiting
    assert (again.sent, again.cancelled) == ((), ())
    assert [order.client_id for order in again.left.closes] == [A_CLOSE]


def test_after_the_open_the_second_run_finds_it_flat(scene):
    held = scene()
    held.close()
    held.flatten()
    held.open(1)

    assert held.flatten().flat
    assert held.account.find(A_CLOSE).status is OrderStatus.FILLED


def test_orders_of_others_are_cancelled_first(scene):
    held = scene()
    held.order("B", 5, entry=Entry.CLOSE_AUCTION)

    done = held.flatten()

    assert done.cancelled == ("at-main-20130628-top-B-buy-e-1",)
    assert done.flat


def test_a_waiting_sale_that_holds_the_shares_is_cancelled_before_they_are_closed(scene):
    held = scene()
    held.order("A", -10, entry=Entry.CLOSE_AUCTION)

    done = held.flatten()

    assert done.cancelled == ("at-main-20130628-top-A-sell-e-1",)
    assert done.flat


def test_a_close_that_would_open_something_is_cancelled(scene):
    held = scene()
    held.order("B", 5, entry=Entry.CLOSE_AUCTION, strategy="shutdown")

    done = held.flatten()

    assert done.cancelled == ("at-main-20130628-shutdown-B-buy-e-1",)
    assert done.flat


def test_a_close_that_was_cancelled_is_followed_by_one_with_the_next_number(scene):
    held = scene()
    held.close()
    held.flatten()
    held.account.cancel(A_CLOSE)

    assert held.flatten().sent == ("at-main-20130701-shutdown-A-sell-k-2",)


def test_only_what_no_waiting_close_covers_is_closed(scene):
    held = scene()
    held.close()
    held.flatten()
    held.account.cancel(A_CLOSE)
    held.order("A", -4, strategy="shutdown", decision="20130630")

    done = held.flatten()

    assert done.cancelled == ()
    assert done.sent == ("at-main-20130701-shutdown-A-sell-k-2",)
    assert {order.quantity for order in done.left.closes} == {Decimal(4), Decimal(6)}
    assert done.left.waiting


def test_what_the_volume_cap_leaves_is_not_called_flat_and_is_closed_in_the_next_session(scene):
    # The cap is a tenth of the usual volume: 30 shares, bought on two days.
    held = scene(("A", 30), prices=[[10, 10, 10, 10]], volume=300)
    held.close()
    held.open(1)
    held.order("A", 20, decision="20130702")

    first = held.flatten()
    held.close()
    held.open(2)
    second = held.flatten(decision="20130703")

    assert not first.flat
    assert [(order.quantity, order.filled_quantity) for order in first.left.closes] == [(50, 30)]
    assert second.flat
    assert second.sent == ("at-main-20130703-shutdown-A-sell-k-1",)


def test_fractions_are_closed_as_well(scene):
    assert scene(("A", "0.123456")).flatten().flat


def test_every_close_has_its_intent_and_its_outcome_in_the_journal(scene):
    held = scene(("A", 10), ("B", 5))

    held.flatten()

    assert [(row.order.symbol, row.order.closing, row.order.reducing) for row in held.of(OrderSending)] == [
        ("A", True, True),
        ("B", True, True),
    ]
    assert [row.outcome.value for row in held.of(OrderOutcome)] == ["accepted", "accepted"]


def test_a_close_is_planned_at_the_quote(scene):
    held = scene()
    held.close()
    held.open(1)

    held.flatten()

    assert held.of(OrderSending)[0].order.planned_price == 11


@pytest.mark.parametrize("room", [0, 1, 2, 3])
def test_a_journal_that_is_full_keeps_no_close_from_leaving(scene, room):
    held = scene(("A", 10), ("B", 5))

    done = held.flatten(journal=Full(room))

    assert done.flat
    assert done.unwritten == ("the journal was not written: No space left on device.",)


def test_without_the_journal_the_numbers_still_go_on(scene):
    held = scene()
    held.close()
    held.flatten(journal=Full(0))
    held.account.cancel(A_CLOSE)

    assert held.flatten(journal=Full(0)).sent == ("at-main-20130701-shutdown-A-sell-k-2",)


def test_an_order_that_a_trader_sends_meanwhile_is_found_and_closed(scene):
    held = scene()
    late = [("B", 5, Entry.AFTER_OPEN), ("C", 5, Entry.CLOSE_AUCTION)]

    def trader():
        if late:
            symbol, shares, entry = late.pop()
            held.order(symbol, shares, entry=entry)

    done = held.flatten(settle=trader)

    assert done.flat
    assert held.account.positions() == {}
    assert "at-main-20130628-top-C-buy-e-1" in done.cancelled
    assert "at-main-20130701-shutdown-B-sell-k-1" in done.sent


def test_where_the_last_look_fails_nothing_is_called_flat(scene):
    held = scene()

    class Blind(FaultyBroker):
        def positions(self):
            raise BrokerError("The broker does not answer.")

    done = held.flatten(broker=Blind(held.account, listed({})))

    assert done.left is None
    assert not done.flat
    assert done.problems == ("The broker does not answer.",)


def test_one_failed_read_is_asked_again(scene):
    held = scene()
    faults = {("positions", 1): Fault.ERROR_BEFORE, ("orders", 2): Fault.UNREADABLE, ("orders", 5): Fault.DROP_BEFORE}

    assert held.flatten(broker=FaultyBroker(held.account, listed(faults))).flat


def test_a_lost_close_is_sent_again_by_its_own_name(scene):
    held = scene()

    done = held.flatten(broker=FaultyBroker(held.account, listed({("submit", 1): Fault.DROP_BEFORE})))

    assert done.flat
    assert [row.order.client_id for row in held.of(OrderSending)] == [A_CLOSE, A_CLOSE]
    assert [order.client_id for order in held.account.orders()][1:] == [A_CLOSE]


def test_a_close_that_is_never_answered_is_told_and_tried_again(scene):
    held = scene()
    faults = {("submit", number): Fault.DROP_BEFORE for number in range(1, 4)}

    done = held.flatten(broker=FaultyBroker(held.account, listed(faults)))

    assert done.flat
    assert [order.client_id for order in held.account.orders()][1:] == [A_CLOSE]


def test_what_the_broker_refuses_is_told_with_its_reason(scene):
    held = scene()

    class Strict(FaultyBroker):
        def submit(self, approved):
            return Refused("halted", "trading in A is halted")

    done = held.flatten(broker=Strict(held.account, listed({})))

    assert not done.flat
    assert done.left.uncovered == {"A": Decimal(10)}
    assert done.problems == ("the broker refused to sell 10 A: halted: trading in A is halted",)
    assert held.waited == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_under_faults_it_is_never_called_flat_when_it_is_not_and_nothing_is_sold_twice(scene, seed, closed):
    held = scene(("A", 10), ("B", 5), ("C", 1))
    held.order("C", 3, entry=Entry.CLOSE_AUCTION)
    if closed:
        held.close()
    bad = FaultyBroker(held.account, seeded(FaultSettings(seed=seed, rate=0.3)))

    for _ in range(3):
        done = held.flatten(broker=bad)
        open_orders = [order for order in held.account.orders() if not order.status.final]
        assert done.flat <= (not held.account.positions() and not open_orders)

    sells = [fill for fill in held.account.fills() if fill.side is Side.SELL]
    assert all(position.quantity > 0 for position in held.account.positions().values())
    assert sum(fill.quantity for fill in sells if fill.symbol == "A") <= 10
    ids = [order.client_id for order in held.account.orders()]
    assert len(ids) == len(set(ids))
    if not closed:
        assert done.flat


def test_ids_tell_the_closes_of_a_book():
    assert is_close("at-main-20130808-shutdown-BRK.B-sell-k-12", "main")
    assert not is_close("at-other-20130808-shutdown-A-sell-k-1", "main")
    assert not is_close("at-main-20130808-shutdow-A-sell-k-1", "main")
    assert not is_close("manual", "main")
