"""Questions to the journal: the book it implies, and what happened to each order."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeVar

from aitrader.domain.events import (
    ActionBooked,
    BookValued,
    DecisionMade,
    Event,
    FillBooked,
    OrderOutcome,
    OrderRefused,
    OrderSending,
)
from aitrader.domain.orders import Fill, Order
from aitrader.domain.positions import Book
from aitrader.errors import AitraderError

_E = TypeVar("_E")


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """One order that was sent: the broker's answer (empty while there is none) and what was filled.

    ``average_price`` is USD per share, None while nothing is filled; ``fees`` in USD.
    """

    order: Order
    outcome: str = ""
    detail: str = ""
    filled: Decimal = Decimal(0)
    average_price: Decimal | None = None
    fees: Decimal = Decimal(0)

    def after(self, fill: Fill) -> "OrderRecord":
        """Return the record with ``fill`` counted."""
        filled = self.filled + fill.quantity
        value = self.filled * (self.average_price or Decimal(0)) + fill.quantity * fill.price
        return replace(self, filled=filled, average_price=value / filled, fees=self.fees + fill.fee)


def replay(events: Iterable[Event], cash: Decimal) -> Book:
    """Return the book that began with ``cash`` USD and nothing else, after every fill and corporate action."""
    book = Book(cash)
    for event in events:
        book = after_event(book, event)
    return book


def after_event(book: Book, event: Event) -> Book:
    """Return ``book`` after one event; only fills and corporate actions change it."""
    if isinstance(event, FillBooked):
        return book.after_fill(event.fill)
    if isinstance(event, ActionBooked):
        return book.after_action(event.symbol, event.kind, event.value)
    return book


def decisions(events: Iterable[Event]) -> tuple[DecisionMade, ...]:
    """Return every decision, oldest first."""
    return _of(events, DecisionMade)


def refusals(events: Iterable[Event]) -> tuple[OrderRefused, ...]:
    """Return every order that a limit forbade, oldest first."""
    return _of(events, OrderRefused)


def valuations(events: Iterable[Event]) -> tuple[BookValued, ...]:
    """Return the book's value at each session's close, oldest first."""
    return _of(events, BookValued)


def fills(events: Iterable[Event]) -> tuple[Fill, ...]:
    """Return every fill, oldest first."""
    return tuple(event.fill for event in _of(events, FillBooked))


def orders(events: Iterable[Event]) -> tuple[OrderRecord, ...]:
    """Return every order that was about to leave, oldest first, with its answer and its fills.

    Raises
    ------
    AitraderError
        An answer or a fill belongs to no order of this journal.
    """
    records: dict[str, OrderRecord] = {}
    for event in events:
        match event:
            case OrderSending(order=order):
                records[order.client_id] = OrderRecord(order)
            case OrderOutcome(client_id=client_id, outcome=outcome, detail=detail):
                records[client_id] = replace(_known(records, client_id), outcome=outcome, detail=detail)
            case FillBooked(fill=fill):
                records[fill.client_id] = _known(records, fill.client_id).after(fill)
    return tuple(records.values())


def _of(events: Iterable[Event], kind: type[_E]) -> tuple[_E, ...]:
    return tuple(event for event in events if isinstance(event, kind))


def _known(records: dict[str, OrderRecord], client_id: str) -> OrderRecord:
    if client_id not in records:
        raise AitraderError(
            f"The journal tells of order {client_id}, which it never sent.",
            fix="Reconcile the book with the broker before trading on.",
        )
    return records[client_id]
