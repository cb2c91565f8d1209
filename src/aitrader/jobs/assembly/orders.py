"""Orders as people read them: what was planned, whether it left, and what became of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from aitrader.domain.events import DecisionMade, Event, OrderRefused, Told
from aitrader.domain.orders import Order, OrderStatus
from aitrader.domain.symbols import Symbol
from aitrader.engine.state import CASH, State
from aitrader.jobs.assembly.courses import Course, told

DISAGREE: Final = "Book and account do not agree"
"""How the reason of a run begins that ended because of it."""

_NAMED: Final = 2


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One order. Prices in USD per share; ``sent_at`` (UTC) is None where it never left.

    ``planned_price`` is None where no plan is known: of a close that the kill switch sent without the journal.

    ``status`` is the broker's (open, filled, ...), or planned (not sent yet), refused (a limit forbade it), sending or
    unknown (nobody knows whether the broker has it), absent (the broker has none). ``reason`` says why it is not what
    it should be; ``closing`` that it is of an emergency-shutdown.
    """

    client_id: str
    decision: str
    symbol: Symbol
    side: str
    quantity: Decimal
    planned_price: Decimal | None
    status: str
    filled: Decimal = Decimal(0)
    average_price: Decimal | None = None
    sent_at: datetime | None = None
    reason: str = ""
    closing: bool = False

    @property
    def open(self) -> bool:
        """Whether something may still happen to it."""
        return self.status in {"planned", "sending", "unknown", *(s.value for s in OrderStatus if not s.final)}


def named(texts: Sequence[str]) -> tuple[str, ...]:
    """Return ``texts``, of which a long list ends with how many more there are.

    >>> named(("a", "b", "c", "d"))
    ('a', 'b', 'and 2 more')
    """
    return tuple(texts) if len(texts) <= _NAMED + 1 else (*texts[:_NAMED], f"and {len(texts) - _NAMED} more")


def held_back(symbol: Symbol, reason: str) -> str:
    """Say why no order of ``symbol`` leaves; where it stands for the cash, why no buy does."""
    return f"no buy leaves: {reason}" if symbol == CASH else f"{symbol} is held: {reason}"


def differences(state: State) -> tuple[str, ...]:
    """Return each thing that is not known or does not agree, once: what is held is held for one of them."""
    told = list(state.differences or ())
    orders = (one.order.client_id for one in state.unresolved)
    told += [f"the fate of {name} is unknown" for name in orders if not any(name in text for text in told)]
    told += [held_back(symbol, why) for symbol, why in sorted(state.held.items()) if why not in told]
    return tuple(dict.fromkeys(told))


def order_lines(events: Iterable[Event]) -> tuple[OrderLine, ...]:
    """Return every order that a decision planned or a command sent, in the order in which they appeared."""
    rows = list(events)
    courses = told(rows).courses
    refused = {row.client_id: row for row in rows if isinstance(row, OrderRefused)}
    planned = {order.client_id: order for row in rows if isinstance(row, DecisionMade) for order in row.orders}
    sent = {name: course.tracked.order for name, course in courses.items()}
    return tuple(_lines({**planned, **sent}, courses, refused))


def _lines(
    orders: Mapping[str, Order], courses: Mapping[str, Course], refused: Mapping[str, OrderRefused]
) -> Iterator[OrderLine]:
    for name, order in orders.items():
        if name in courses:
            yield _sent(courses[name])
        elif name in refused:
            yield _unsent(order, "refused", f"{refused[name].code}: {refused[name].reason}")
        else:
            yield _unsent(order, "planned", "")


def _unsent(order: Order, status: str, reason: str) -> OrderLine:
    return OrderLine(
        order.client_id,
        order.decision,
        order.symbol,
        order.side.value,
        order.quantity,
        order.planned_price,
        status,
        reason=reason,
    )


def _sent(course: Course) -> OrderLine:
    tracked, order = course.tracked, course.tracked.order
    return OrderLine(
        order.client_id,
        order.decision,
        order.symbol,
        order.side.value,
        order.quantity,
        order.planned_price or None,
        _status(course),
        course.filled,
        course.average_price,
        tracked.sent_at,
        course.detail if tracked.told in {Told.REFUSED, Told.UNKNOWN} else "",
        order.closing,
    )


def _status(course: Course) -> str:
    tracked = course.tracked
    if tracked.told is None:
        return "sending"
    if tracked.told in {Told.UNKNOWN, Told.ABSENT}:
        return tracked.told.value
    return (tracked.status or OrderStatus.OPEN).value
