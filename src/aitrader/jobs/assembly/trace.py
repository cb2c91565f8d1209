"""One symbol's way through the last decision: what was wanted, planned, forbidden, sent, answered and filled."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from aitrader.domain.events import DecisionMade, DecisionRefused, Event, OrderRefused
from aitrader.domain.orders import Fill
from aitrader.domain.symbols import Symbol
from aitrader.jobs.assembly.courses import Course, Courses, book_weights, told


@dataclass(frozen=True, slots=True)
class Sent:
    """An order of the symbol: in words, what review or the broker said to it, and what was filled.

    ``review`` names the limit that forbade it, with its reason; ``passed`` if none did; empty where the journal does
    not say, because the order was not reviewed yet. ``answer`` is the broker's word, ``status`` where the order stands
    now; both are empty for an order that did not leave.
    """

    client_id: str
    order: str
    review: str
    sent_at: datetime | None
    answer: str
    status: str
    filled: Decimal
    average_price: Decimal | None
    fills: tuple[Fill, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """What a book's journal says of one symbol since its last decision, at ``at`` (the last row's time).

    ``weight`` is the book's target, ``by_strategy`` what each strategy asked for: signed fractions of equity.
    ``quantity`` shares are held now at ``average_cost`` USD per share (None: none are held). ``held`` says why no
    order of the symbol leaves (empty: nothing holds it); ``latches`` are shut. ``refused`` is why a decision that was
    due since then could not be made.
    """

    book: str
    at: datetime
    decision: str
    decided_at: datetime
    models: Mapping[str, str]
    weight: float
    by_strategy: Mapping[str, float]
    orders: tuple[Sent, ...]
    quantity: Decimal
    average_cost: Decimal | None
    held: str
    latches: tuple[str, ...]
    refused: str


def trace(
    events: Iterable[Event], symbol: Symbol, *, book: str, invested: float, strategies: Iterable[str] = ()
) -> Trace | None:
    """Return what ``events`` say of ``symbol`` since the last decision; None where nothing was decided yet.

    ``strategies`` are the configured ones, which share the part of equity that is ``invested``.
    """
    rows = tuple(events)
    known = told(rows)
    made = known.state.decision
    if made is None:
        return None
    since = rows[_last(rows, made) + 1 :]
    position = known.state.book.positions.get(symbol)
    return Trace(
        book=book,
        at=rows[-1].at,
        decision=made.decision,
        decided_at=made.at,
        models=made.models,
        weight=book_weights(known.state, invested, strategies).get(symbol, 0.0),
        by_strategy={name: weights.get(symbol, 0.0) for name, weights in known.state.standing.items()},
        orders=tuple(_orders(known, since, made, symbol)),
        quantity=position.quantity if position else Decimal(0),
        average_cost=position.average_cost if position else None,
        held=known.state.held.get(symbol, ""),
        latches=tuple(sorted(latch.value for latch in known.state.latches)),
        refused=next((event.reason for event in reversed(since) if isinstance(event, DecisionRefused)), ""),
    )


def _last(rows: tuple[Event, ...], made: DecisionMade) -> int:
    return max(at for at, event in enumerate(rows) if event is made)


def _orders(known: Courses, since: Iterable[Event], made: DecisionMade, symbol: Symbol) -> Iterator[Sent]:
    """Yield the planned orders of ``symbol``, then those that others made since: closes, and older ones still open."""
    refusals = {event.client_id: f"{event.code}: {event.reason}" for event in since if isinstance(event, OrderRefused)}
    planned = {order.client_id: order for order in made.orders if order.symbol == symbol}
    for name, order in planned.items():
        course = known.courses.get(name)
        words = f"{order.side.value} {order.quantity:f} at about {order.planned_price:.2f}"
        yield _sent(name, words, refusals.get(name, "passed" if course else ""), course)
    for name, course in known.courses.items():
        if name not in planned and course.tracked.order.symbol == symbol and _recent(course, made):
            yield _sent(name, _words(course), "passed", course)


def _recent(course: Course, made: DecisionMade) -> bool:
    return course.tracked.sent_at >= made.at or course.tracked.working or course.tracked.unresolved


def _words(course: Course) -> str:
    order = course.tracked.order
    closing = ", closing" if order.closing else ""
    return f"{order.side.value} {order.quantity:f} at about {course.planned_price:.2f}{closing}"


def _sent(name: str, words: str, review: str, course: Course | None) -> Sent:
    if course is None:
        return Sent(name, words, review, None, "", "", Decimal(0), None, ())
    tracked = course.tracked
    answer = f"{tracked.told.value}: {course.detail}" if tracked.told else "no answer recorded"
    return Sent(
        client_id=name,
        order=words,
        review=review,
        sent_at=tracked.sent_at,
        answer=answer,
        status=tracked.status.value.replace("_", " ") if tracked.status else "",
        filled=course.filled,
        average_price=course.average_price,
        fills=course.fills,
    )
