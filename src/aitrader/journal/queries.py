"""Questions to the journal: the book it implies, and its rows of one kind."""

from collections.abc import Iterable
from decimal import Decimal
from typing import TypeVar

from aitrader.domain.events import (
    ActionBooked,
    BookAdjusted,
    BookOpened,
    Event,
    FillBooked,
    Latch,
    Latched,
    Unlatched,
)
from aitrader.domain.orders import Fill
from aitrader.domain.positions import Book

E = TypeVar("E")


def replay(events: Iterable[Event], cash: Decimal = Decimal(0)) -> Book:
    """Return the book after every row that changes it; without a ``BookOpened`` it began with ``cash`` USD."""
    book = Book(cash)
    for event in events:
        book = after_event(book, event)
    return book


def after_event(book: Book, event: Event) -> Book:
    """Return ``book`` after one event; only its opening, fills, corporate actions and adjustments change it."""
    if isinstance(event, BookOpened):
        return Book(event.cash)
    if isinstance(event, BookAdjusted):
        return book.after_adjustment(event.symbol, event.quantity, event.cash)
    if isinstance(event, FillBooked):
        return book.after_fill(event.fill)
    if isinstance(event, ActionBooked):
        return book.after_action(event.symbol, event.kind, event.value)
    return book


def of_kind(events: Iterable[Event], kind: type[E]) -> tuple[E, ...]:
    """Return the events of one kind, oldest first."""
    return tuple(event for event in events if isinstance(event, kind))


def why_shut(events: Iterable[Event], latch: Latch) -> Latched | None:
    """Return the row that shut ``latch`` first since it was opened last; None where no row did."""
    found = None
    for event in events:
        if isinstance(event, Latched) and event.latch is latch:
            found = found or event
        elif isinstance(event, Unlatched) and event.latch is latch:
            found = None
    return found


def fills(events: Iterable[Event]) -> tuple[Fill, ...]:
    """Return every fill, oldest first."""
    return tuple(event.fill for event in of_kind(events, FillBooked))
