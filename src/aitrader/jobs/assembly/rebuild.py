"""A new journal from the broker's word: its orders, its fills, and what these do not explain."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Self

from aitrader.brokers.broker import Broker
from aitrader.domain.events import (
    BookAdjusted,
    BookOpened,
    DecisionMade,
    DecisionRefused,
    Event,
    FillBooked,
    Latch,
    Latched,
    OrderObserved,
    OrderOutcome,
    OrderRefused,
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


@dataclass(frozen=True, slots=True)
class Before:
    """What a journal that can still be read says and the account does not know.

    ``decisions`` are the rows of what was decided and refused, ``sent`` those of the orders that left, by id.
    """

    decisions: tuple[Event, ...] = ()
    sent: Mapping[str, OrderSending] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """Return what is kept of ``events``."""
        rows = tuple(events)
        sent = {row.order.client_id: row for row in rows if isinstance(row, OrderSending)}
        kept = (row for row in rows if isinstance(row, DecisionMade | DecisionRefused | OrderRefused))
        return cls(tuple(kept), MappingProxyType(sent))


@dataclass(frozen=True, slots=True)
class Making:
    """How a journal is rebuilt: at ``at`` (UTC), after ``opening``, for a book that enters by ``entry``, and why."""

    at: datetime
    opening: Opening | None
    entry: Entry
    reason: str
    before: Before = Before()


def rebuilt(broker: Broker, book: str, making: Making) -> tuple[Event, ...]:
    """Return the rows of a new journal of ``book``, after which it equals the account; reads only.

    The orders of this book (by their ids) and their fills are written again, so that no fill counts twice and no id is
    used twice. What they do not explain (splits, dividends, orders of others) is adjusted, with the reason. The course
    of the equity is lost, and so is whatever was latched: the book begins with HALT. Decisions and planned prices are
    those of ``making.before``; an order that left and that the account does not have counts as refused by it, so that
    its id stays spent.

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
    at, reason = making.at, making.reason
    rows: list[Event] = [BookOpened(at, account.number, account.cash - spent), *making.before.decisions]
    rows += _in_time(making, orders, fills)
    rows += [OrderObserved(at, one.client_id, one.broker_id, one.status, one.filled_quantity) for one in orders]
    ours = replay(rows)
    for symbol in sorted({*ours.positions, *positions}):
        theirs = positions[symbol].quantity if symbol in positions else _ZERO
        if theirs != ours.quantity(symbol):
            rows.append(BookAdjusted(at, symbol, theirs - ours.quantity(symbol), _ZERO, reason))
    rows.append(Latched(at, Latch.HALT, "rebuild", reason))
    return tuple(rows)


def _in_time(making: Making, orders: Iterable[BrokerOrder], fills: Iterable[FillBooked]) -> Iterator[Event]:
    """Yield intents, the opening of the last session and fills as they followed each other."""
    known, opening = {one.client_id: one for one in orders}, making.opening
    timed: list[tuple[datetime, int, tuple[Event, ...]]] = [
        (one.submitted_at, 1, _sent(one, making)) for one in known.values()
    ]
    timed += [(row.at, 1, _spent(row)) for name, row in making.before.sent.items() if name not in known]
    timed += [(row.at, 2, (row,)) for row in fills]
    if opening is not None:
        timed.append((opening.opened, 0, (SessionOpened(opening.opened, opening.session),)))
    for _, _, rows in sorted(timed, key=lambda one: one[:2]):
        yield from rows


def _spent(row: OrderSending) -> tuple[Event, ...]:
    reason = "the account has no such order; its id is not used again"
    return row, OrderOutcome(row.at, row.order.client_id, Told.REFUSED, reason)


def _sent(found: BrokerOrder, making: Making) -> tuple[Event, ...]:
    """Return the rows of an order as it left, in the shares that the account tells of."""
    before, at = making.before.sent.get(found.client_id), found.submitted_at
    if before is not None and (before.order.symbol, before.order.side) == (found.symbol, found.side):
        order = replace(before.order, quantity=found.quantity)
    else:
        order = _as_told(found, making.entry)
    return OrderSending(at, order), OrderOutcome(at, order.client_id, Told.ACCEPTED, found.broker_id)


def _as_told(found: BrokerOrder, entry: Entry) -> Order:
    """Return an order as its id tells it; what it was planned at is not known: 0 USD."""
    decision, strategy = found.client_id.split("-")[2:4]
    return Order(
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
