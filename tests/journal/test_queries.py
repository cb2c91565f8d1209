"""Replaying the journal rebuilds the book; its rows can be asked for by kind."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from aitrader.domain.events import (
    BookValued,
    DecisionMade,
    FillBooked,
    Latch,
    Latched,
    OrderOutcome,
    OrderRefused,
    OrderSending,
    Unlatched,
)
from aitrader.domain.orders import Entry, Fill, Order, Side
from aitrader.domain.positions import Book
from aitrader.domain.symbols import Symbol
from aitrader.journal.memory import MemoryJournal
from aitrader.journal.queries import fills, of_kind, replay, why_shut

AT = datetime(2026, 1, 5, tzinfo=UTC)


def test_without_events_the_book_is_its_cash():
    assert replay([], Decimal(5)) == Book(Decimal(5))


@pytest.fixture
def told():
    """The journal of one order sent, accepted and filled in two parts, and one refused."""
    journal = MemoryJournal()
    order = Order("id", Symbol("A"), Side.BUY, Decimal(30), Decimal(12), "top5", "d1", Entry.AFTER_OPEN)
    journal.append(DecisionMade(AT, "d1", date(2026, 1, 5), 1e5, {"top5": {"A": 0.1}}, {"m": "1"}, (order,)))
    journal.append(OrderRefused(AT, "d1", "other", "max_gross", "too much"))
    journal.append(OrderSending(AT, order))
    journal.append(OrderOutcome(AT, order.client_id, "accepted", "SIM-1"))
    for number, (quantity, price) in enumerate([(10, 10), (20, 13)]):
        fill = Fill(f"F{number}", order.client_id, "A", Side.BUY, Decimal(quantity), Decimal(price), Decimal("0.1"), AT)
        journal.append(FillBooked(AT, fill))
    journal.append(BookValued(AT, date(2026, 1, 5), 1e5, 9e4, 1e4, 1e4))
    return journal.events()


def test_each_kind_of_event_can_be_asked_for(told):
    assert [event.decision for event in of_kind(told, DecisionMade)] == ["d1"]
    assert [event.code for event in of_kind(told, OrderRefused)] == ["max_gross"]
    assert [fill.quantity for fill in fills(told)] == [10, 20]
    assert [event.equity for event in of_kind(told, BookValued)] == [1e5]


def test_the_first_row_that_shut_a_latch_says_why_until_it_is_opened():
    loss = Latched(AT, Latch.HALT, "max_daily_loss", "equity fell")
    again = Latched(AT, Latch.HALT, "operator", "stop")
    opened = Unlatched(AT, Latch.HALT, "looked at it")

    assert why_shut([loss, again], Latch.HALT) is loss
    assert why_shut([loss, opened], Latch.HALT) is None
    assert why_shut([loss, opened, again], Latch.HALT) is again
    assert why_shut([loss], Latch.HALT_ENTRIES) is None
