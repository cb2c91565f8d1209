"""A new journal from the broker's word alone: its orders, its fills, and what these do not explain."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from aitrader.brokers.broker import Broker
from aitrader.domain.events import (
    BookAdjusted,
    BookOpened,
    Event,
    FillBooked,
    Latch,
    Latched,
    OrderObserved,
    OrderOutcome,
    OrderSending,
    SessionOpened,
    Told,
)
from aitrader.domain.orders import BrokerOrder, Entry, Order
from aitrader.engine.recovery import SHUTDOWN
from aitrader.journal.queries import replay

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Opening:
    """The last session that the account has met, and when it opened (UTC): its corporate actions are in the account."""

    session: date
    opened: datetime


def rebuilt(
    broker: Broker, book: str, *, at: datetime, opening: Opening | None, entry: Entry, reason: str
) -> tuple[Event, ...]:
    """Return the rows of a new journal of ``book``, after which it equals the account; reads only.

    The orders of this book (by their ids) and their fills are written again, so that no fill counts twice and no id is
    used twice. What they do not explain (splits, dividends, orders of others) is adjusted, with ``reason``. Decisions,
    planned prices and the course of the equity are lost, and so is whatever was latched: the book begins with HALT.

    Raises
    ------
    BrokerError
        The broker does not answer.
    """
    account, positions = broker.account(), broker.positions()
    orders = [one for one in broker.orders() if one.client_id.startswith(f"at-{book}-")]
    names = {one.client_id for one in orders}
    fills = [FillBooked(fill.at, fill) for fill in broker.fills() if fill.client_id in names]
    spent = replay(fills).cash
    rows: list[Event] = [BookOpened(at, account.number, account.cash - spent)]
    rows += _in_time(opening, orders, fills, entry)
    rows += [OrderObserved(at, one.client_id, one.broker_id, one.status, one.filled_quantity) for one in orders]
    ours = replay(rows)
    for symbol in sorted({*ours.positions, *positions}):
        theirs = positions[symbol].quantity if symbol in positions else _ZERO
        if theirs != ours.quantity(symbol):
            rows.append(BookAdjusted(at, symbol, theirs - ours.quantity(symbol), _ZERO, reason))
    rows.append(Latched(at, Latch.HALT, "rebuild", reason))
    return tuple(rows)


def _in_time(
    opening: Opening | None, orders: Iterable[BrokerOrder], fills: Iterable[FillBooked], entry: Entry
) -> Iterator[Event]:
    """Yield intents, the opening of the last session and fills as they followed each other."""
    timed: list[tuple[datetime, int, tuple[Event, ...]]] = [(one.submitted_at, 1, _sent(one, entry)) for one in orders]
    timed += [(row.at, 2, (row,)) for row in fills]
    if opening is not None:
        timed.append((opening.opened, 0, (SessionOpened(opening.opened, opening.session),)))
    for _, _, rows in sorted(timed, key=lambda one: one[:2]):
        yield from rows


def _sent(found: BrokerOrder, entry: Entry) -> tuple[Event, ...]:
    """Return the rows of an order as its id tells it; what it was planned at is not known: 0 USD."""
    decision, strategy = found.client_id.split("-")[2:4]
    order = Order(
        client_id=found.client_id,
        symbol=found.symbol,
        side=found.side,
        quantity=found.quantity,
        planned_price=_ZERO,
        strategy=strategy,
        decision=decision,
        entry=entry,
        reducing=strategy == SHUTDOWN,
        closing=strategy == SHUTDOWN,
    )
    at = found.submitted_at
    return OrderSending(at, order), OrderOutcome(at, order.client_id, Told.ACCEPTED, found.broker_id)
