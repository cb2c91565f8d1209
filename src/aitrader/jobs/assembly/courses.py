"""What the journal says of each order, from its intent to its last fill."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType

from aitrader.domain.events import (
    ActionBooked,
    DecisionMade,
    Event,
    FillBooked,
    OrderObserved,
    OrderOutcome,
    OrderSending,
)
from aitrader.domain.orders import Fill, Order
from aitrader.domain.symbols import Symbol
from aitrader.engine.decide import combined
from aitrader.engine.state import State, Tracked, after


@dataclass(frozen=True, slots=True)
class Course:
    """An order from its intent on: where it stands, the broker's last word, its fills, the price it was planned at.

    The planned price follows splits, the order itself stays as it was sent.
    """

    tracked: Tracked
    planned_price: Decimal
    detail: str = ""
    fills: tuple[Fill, ...] = ()

    @property
    def filled(self) -> Decimal:
        """Shares filled so far, as booked or as the broker told."""
        return max(sum((fill.quantity for fill in self.fills), Decimal(0)), self.tracked.observed)

    @property
    def average_price(self) -> Decimal | None:
        """The mean price of the booked fills, USD per share; None without any."""
        shares = sum((fill.quantity for fill in self.fills), Decimal(0))
        return sum((fill.quantity * fill.price for fill in self.fills), Decimal(0)) / shares if shares else None


@dataclass(frozen=True, slots=True)
class Courses:
    """What rows add up to: the state, every order's course by client id, and the orders that decisions planned."""

    state: State
    courses: Mapping[str, Course]
    planned: Mapping[str, Order] = field(default_factory=lambda: MappingProxyType({}))


def told(events: Iterable[Event]) -> Courses:
    """Return what ``events`` add up to."""
    state = State.of(())
    courses: dict[str, Course] = {}
    planned: dict[str, Order] = {}
    for event in events:
        state = after(state, event)
        if isinstance(event, DecisionMade):
            planned |= {order.client_id: order for order in event.orders}
        for name in touched(event, courses):
            courses[name] = _followed(courses.get(name), state.orders.get(name), event)
    return Courses(state, courses, planned)


def book_weights(state: State, invested: float, configured: Iterable[str]) -> dict[Symbol, float]:
    """Return the book's target weights, signed fractions of equity, as the last decision shared them out.

    A strategy that is ``configured`` and wants nothing yet has its part of ``invested`` all the same; one that is
    configured no more has none, unless it took part in the last decision.
    """
    last = state.decision.targets if state.decision else {}
    names = sorted({*configured, *last})
    return combined({name: state.standing.get(name, {}) for name in names}, invested)


def touched(event: Event, courses: Mapping[str, Course]) -> tuple[str, ...]:
    """Return the client ids of those ``courses`` that ``event`` says something about."""
    if isinstance(event, OrderSending):
        return (event.order.client_id,)
    if isinstance(event, OrderOutcome | OrderObserved):
        return (event.client_id,) if event.client_id in courses else ()
    if isinstance(event, FillBooked):
        return (event.fill.client_id,) if event.fill.client_id in courses else ()
    if isinstance(event, ActionBooked) and event.kind == "split":
        return tuple(name for name, one in courses.items() if one.tracked.order.symbol == event.symbol)
    return ()


def _followed(course: Course | None, tracked: Tracked | None, event: Event) -> Course:
    """Return an order's course after ``event``; ``tracked`` is None where the state forgot a closed order."""
    if isinstance(event, OrderSending):
        assert tracked is not None
        return Course(tracked, event.order.planned_price)
    assert course is not None
    if tracked is not None:
        course = replace(course, tracked=tracked)
    if isinstance(event, OrderOutcome):
        return replace(course, detail=event.detail)
    if isinstance(event, FillBooked):
        return replace(course, fills=(*course.fills, event.fill))
    if isinstance(event, ActionBooked) and not course.fills:
        return replace(course, planned_price=course.planned_price / Decimal(repr(event.value)))
    return course
