from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from aitrader.domain.events import (
    ActionBooked,
    BookAdjusted,
    BookOpened,
    BookValued,
    DecisionMade,
    FillBooked,
    Latch,
    Latched,
    OrderObserved,
    OrderOutcome,
    OrderRefused,
    OrderSending,
    Reconciled,
    SessionOpened,
    SymbolHeld,
    Told,
    Unlatched,
)
from aitrader.domain.orders import Entry, Fill, Order, OrderStatus, Side
from aitrader.engine.state import CASH, State, after

AT = datetime(2013, 7, 2, 13, 35, tzinfo=UTC)
OPENED = BookOpened(AT - timedelta(days=1), "SIM-main", Decimal(1000))


def order(name="one", symbol="A", side=Side.BUY, quantity=10, **more):
    return Order(name, symbol, side, Decimal(quantity), Decimal(10), "top", "20130701", Entry.AFTER_OPEN, **more)


def sent(name="one", at=AT, **more):
    return OrderSending(at, order(name, **more))


def told(outcome, name="one"):
    return OrderOutcome(AT, name, outcome, "said")


def filled(number=1, name="one", quantity=10, at=AT, price=10):
    return FillBooked(at, Fill(f"F{number}", name, "A", Side.BUY, Decimal(quantity), Decimal(price), Decimal(0), at))


def decided(decision="20130702"):
    return DecisionMade(AT, decision, date(2013, 7, 2), 1000.0, {"top": {"A": 0.1}}, {}, ())


def state(*events):
    return State.of((OPENED, *events))


def test_an_intent_is_unresolved_until_an_answer_is_recorded():
    assert [one.order.client_id for one in state(sent()).unresolved] == ["one"]
    assert state(sent(), told(Told.UNKNOWN)).unresolved
    for outcome in (Told.ACCEPTED, Told.REFUSED, Told.ABSENT):
        assert state(sent(), told(outcome)).unresolved == ()


def test_only_an_absent_order_may_be_sent_again():
    for outcome in (Told.ACCEPTED, Told.REFUSED, Told.UNKNOWN):
        assert state(sent(), told(outcome)).sent == {"one"}
    assert state(sent()).sent == {"one"}
    assert state(sent(), told(Told.ABSENT)).sent == frozenset()


@pytest.mark.parametrize("later", [Told.UNKNOWN, Told.ABSENT])
def test_what_the_broker_has_can_not_become_unknown_or_absent(later):
    for known in (told(Told.ACCEPTED), filled(quantity=3)):
        assert state(sent(), known, told(later)).orders["one"].told is Told.ACCEPTED


def test_a_fill_says_that_the_broker_had_the_order():
    partly, wholly = state(sent(), filled(quantity=3)), state(sent(), filled(quantity=3), filled(2, quantity=7))

    assert (partly.orders["one"].status, partly.orders["one"].remaining) == (OrderStatus.PARTIALLY_FILLED, 7)
    assert (wholly.orders["one"].status, wholly.orders["one"].remaining) == (OrderStatus.FILLED, 0)


def test_an_order_of_which_fills_are_missing_is_followed_beyond_the_next_decision():
    ended = OrderObserved(AT, "one", "b1", OrderStatus.EXPIRED, Decimal(4))
    owing = state(sent(), told(Told.ACCEPTED), ended, decided())

    assert (owing.orders["one"].remaining, owing.open_shares) == (4, {"A": 4})
    assert state(sent(), told(Told.ACCEPTED), ended, filled(quantity=4), decided()).orders == {}


def test_open_shares_are_those_that_may_still_change_the_book():
    rows = (
        sent("bought", quantity=10),
        told(Told.ACCEPTED, "bought"),
        filled(name="bought", quantity=4),
        sent("asked", symbol="B", side=Side.SELL, quantity=5),
        sent("gone", symbol="C"),
        told(Told.ABSENT, "gone"),
        sent("wrong", symbol="D"),
        told(Told.REFUSED, "wrong"),
    )
    assert state(*rows).open_shares == {"A": 6, "B": -5}


@pytest.mark.parametrize(
    "row",
    [
        sent("two"),
        filled(),
        ActionBooked(AT, "A", "dividend", 0.5),
        BookAdjusted(AT, None, Decimal(0), Decimal(1), "interest"),
    ],
)
def test_nobody_claims_to_be_reconciled_after_the_book_changed_or_an_order_left(row):
    agreed = state(Reconciled(AT, ()))

    assert agreed.reconciled
    assert not after(agreed, row).reconciled
    assert after(agreed, row).differences is None


def test_an_agreement_proves_the_fills_up_to_it():
    found = state(sent(), filled(), Reconciled(AT, ()))
    doubted = state(sent(), filled(), Reconciled(AT, ("A: 10 shares here, 0 at the broker",)))

    assert (found.cursor, found.agreed) == ("F1", AT)
    assert (doubted.cursor, doubted.agreed, doubted.reconciled) == (None, None, False)


def test_a_fill_that_comes_after_its_session_was_valued_corrects_that_close():
    valued = BookValued(AT + timedelta(hours=7), date(2013, 7, 2), 1000.0, 1000.0, 0.0, 0.0)
    late, new = filled(), filled(2, at=AT + timedelta(days=1))

    assert state(sent(), valued, late).closing.quantity("A") == 10
    assert state(sent(), valued, new).closing.quantity("A") == 0


def test_counts_are_of_orders_and_not_of_attempts():
    meters = state(sent(), told(Told.ABSENT), sent(), sent("two")).meters

    assert (meters.run, meters.by_day, meters.by_symbol) == (2, 2, {"A": 2})
    assert len(meters.recent) == 3


def test_counts_of_the_day_begin_anew_at_midnight_utc():
    meters = state(sent(), sent("two", at=AT + timedelta(days=1))).meters

    assert (meters.by_day, meters.by_symbol, meters.day) == (1, {"A": 1}, date(2013, 7, 3))


def test_the_last_minute_is_sixty_seconds():
    times = [AT, AT + timedelta(seconds=30), AT + timedelta(seconds=60)]
    meters = state(*(sent(str(number), at=at) for number, at in enumerate(times))).meters

    assert meters.recent == (times[1], times[2])


def test_an_order_that_never_was_does_not_count_as_the_last_one_of_its_symbol():
    assert state(sent(), told(Told.ABSENT)).meters.last_sent == {}
    assert state(sent(), told(Told.REFUSED)).meters.last_sent == {("A", Side.BUY): AT}


def test_unknown_outcomes_count_once_for_an_order_and_until_the_next_session():
    twice = state(sent(), told(Told.UNKNOWN), told(Told.UNKNOWN), sent("two"), told(Told.UNKNOWN, "two"))

    assert twice.meters.unknown == 2
    assert after(twice, SessionOpened(AT, date(2013, 7, 3))).meters.unknown == 0


def test_a_refusal_is_remembered_until_the_next_decision():
    refused = state(OrderRefused(AT, "20130701", "one", "max_gross", "too much"))

    assert refused.refused == {"one": "max_gross"}
    assert after(refused, decided()).refused == {}


def test_held_cash_stops_entries_and_no_exits():
    held = state(SymbolHeld(AT, CASH, "cash differs"))

    assert held.why_held(order()) == "cash differs"
    assert held.why_held(order(side=Side.SELL, reducing=True)) is None


def test_a_latch_that_a_person_opened_lets_the_breakers_measure_from_there():
    valued = [
        BookValued(AT + timedelta(days=day), date(2013, 7, 2 + day), equity, equity, 0.0, 0.0)
        for day, equity in enumerate((1000.0, 700.0))
    ]
    opened = state(*valued, Latched(AT, Latch.HALT, "max_drawdown", "fell"), Unlatched(AT, Latch.HALT, "seen"))

    assert (opened.latches, opened.meters.previous, opened.meters.peak) == (frozenset(), None, 700.0)
