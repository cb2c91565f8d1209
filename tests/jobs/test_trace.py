"""One symbol's way through the last decision, told by rows that were written by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from aitrader.domain.events import (
    BookOpened,
    DecisionMade,
    DecisionRefused,
    FillBooked,
    Latch,
    Latched,
    OrderOutcome,
    OrderRefused,
    OrderSending,
    SymbolHeld,
    Told,
)
from aitrader.domain.orders import Entry, Fill, Order, Side
from aitrader.domain.symbols import Symbol
from aitrader.jobs.assembly.trace import trace

AA, BB, CC = Symbol("AA"), Symbol("BB"), Symbol("CC")
EVENING = datetime(2013, 8, 7, 20, 15, tzinfo=UTC)
MORNING = datetime(2013, 8, 8, 13, 36, tzinfo=UTC)
NIGHT = datetime(2013, 8, 8, 22, 0, tzinfo=UTC)


def order(symbol, side, quantity, price, *, strategy="top", closing=False):
    name = f"at-main-20130807-{strategy}-{symbol}-{side}-e-1"
    return Order(
        name, symbol, side, Decimal(quantity), Decimal(price), strategy, "20130807", Entry.AFTER_OPEN, closing=closing
    )


BUY_A, BUY_B = order(AA, Side.BUY, 100, 50), order(BB, Side.BUY, 40, 100)
CLOSE_A = order(AA, Side.SELL, 100, 54, strategy="shutdown", closing=True)
DECIDED = (
    BookOpened(EVENING, "SIM-main", Decimal(10_000)),
    DecisionMade(EVENING, "20130807", date(2013, 8, 7), 1e4, {"top": {AA: 0.5, BB: 0.4}}, {"m": "v1"}, (BUY_A, BUY_B)),
)
SENT = (
    *DECIDED,
    OrderRefused(MORNING, "20130807", BUY_B.client_id, "max_position", "40.0 % of equity, at most 10 %"),
    OrderSending(MORNING, BUY_A),
    OrderOutcome(MORNING, BUY_A.client_id, Told.ACCEPTED, "7"),
    FillBooked(MORNING, Fill("f1", BUY_A.client_id, AA, Side.BUY, Decimal(100), Decimal(51), Decimal(1), MORNING)),
)


def of(symbol, events):
    return trace(events, symbol, book="main", invested=0.98)


def test_without_a_decision_there_is_nothing_to_trace():
    assert of(AA, DECIDED[:1]) is None


def test_an_order_that_did_not_leave_yet_says_what_was_planned_and_nothing_more():
    found = of(AA, DECIDED)

    assert found.weight == pytest.approx(0.49)
    assert found.by_strategy == {"top": 0.5}
    (sent,) = found.orders
    assert (sent.order, sent.review, sent.answer) == ("buy 100 at about 50.00", "", "")
    assert found.quantity == 0


def test_a_forbidden_order_names_its_limit():
    (sent,) = of(BB, SENT).orders

    assert sent.review == "max_position: 40.0 % of equity, at most 10 %"
    assert sent.sent_at is None


def test_a_filled_order_is_followed_to_the_position():
    found = of(AA, SENT)

    (sent,) = found.orders
    assert (sent.review, sent.answer, sent.status) == ("passed", "accepted: 7", "filled")
    assert (sent.filled, sent.average_price) == (100, 51)
    assert (found.quantity, found.average_cost) == (100, 51)


def test_closes_of_the_emergency_stand_after_what_was_planned():
    events = (*SENT, Latched(NIGHT, Latch.HALT, "operator", "drill"), OrderSending(NIGHT, CLOSE_A))

    found = of(AA, events)

    assert [sent.order for sent in found.orders] == ["buy 100 at about 50.00", "sell 100 at about 54.00, closing"]
    assert found.orders[1].answer == "no answer recorded"
    assert found.latches == ("HALT",)


def test_a_symbol_that_is_held_back_says_why():
    assert of(AA, (*SENT, SymbolHeld(NIGHT, AA, "3 here, 5 there"))).held == "3 here, 5 there"


def test_a_later_decision_that_could_not_be_made_is_told():
    refused = DecisionRefused(NIGHT, "20130808", date(2013, 8, 8), "the model is too old")

    found = of(AA, (*SENT, refused))

    assert (found.decision, found.refused) == ("20130807", "the model is too old")


def test_a_symbol_that_nobody_asked_for_has_no_orders():
    found = of(CC, SENT)

    assert (found.weight, found.orders, found.average_cost) == (0.0, (), None)
