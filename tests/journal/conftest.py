"""Rows of every kind, and a journal to put them in."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from aitrader.domain import events
from aitrader.domain.orders import Entry, Fill, Order, OrderStatus, Side
from aitrader.domain.symbols import Symbol
from aitrader.journal.account import AccountKey
from aitrader.journal.database import DatabaseJournal

KEY = AccountKey(book="main", kind="simulated", host="", number="SIM-main")
AT = datetime(2026, 1, 5, 14, 30, 0, 123456, tzinfo=UTC)

ID = "at-main-20260102-top5-ON-buy-e-1"
ORDER = Order(ID, Symbol("ON"), Side.BUY, Decimal(100), Decimal("12.30"), "top5", "20260102", Entry.OPEN_AUCTION)
FILL = Fill("f-1", ID, Symbol("ON"), Side.BUY, Decimal(40), Decimal("12.310"), Decimal("0.01"), AT)
STORY = (
    events.RunStarted(AT, "run-1", "trade", "c0ffee", 3),
    events.BookOpened(AT, "SIM-main", Decimal("100000.00")),
    events.SessionOpened(AT, date(2026, 1, 5)),
    events.DecisionMade(
        AT, "20260102", date(2026, 1, 2), 100000.1, {"top5": {Symbol("ON"): 0.1}}, {"m": "v1"}, (ORDER,), ("x",)
    ),
    events.OrderSending(AT, ORDER),
    events.OrderOutcome(AT, ID, events.Told.ACCEPTED, "b-1"),
    events.FillBooked(AT, FILL),
    events.OrderObserved(AT, ID, "b-1", OrderStatus.PARTIALLY_FILLED, Decimal(40)),
    events.ActionBooked(AT, Symbol("ON"), "dividend", 0.125),
    events.BookValued(AT, date(2026, 1, 5), 100012.3, 99507.59, 492.4, 492.4),
    events.Latched(AT, events.Latch.HALT_ENTRIES, "operator", "news"),
    events.RunEnded(AT, "run-1", "trade", "done", 0, ""),
)
"""A day of a book: 12 rows, in all seven tables."""


@pytest.fixture
def key():
    return KEY


@pytest.fixture
def story():
    return STORY


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "main" / "journal.sqlite"


@pytest.fixture
def journal(path):
    """A journal with a day in it, open."""
    with DatabaseJournal.open(path, account=KEY, create=True) as made:
        for event in STORY:
            made.append(event)
        yield made


@pytest.fixture
def closed(path):
    """The path of a journal with a day in it, closed."""
    with DatabaseJournal.open(path, account=KEY, create=True) as made:
        for event in STORY:
            made.append(event)
    return path
