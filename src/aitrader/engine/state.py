"""What the journal's rows add up to: the one fold that the loop, a start and a recovery after a crash share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import singledispatch
from types import MappingProxyType
from typing import Any, Final

from aitrader.domain.events import (
    ActionBooked,
    BookAdjusted,
    BookOpened,
    BookValued,
    DecisionMade,
    DecisionRefused,
    Event,
    FillBooked,
    Latch,
    Latched,
    OrderObserved,
    OrderOutcome,
    OrderSending,
    Reconciled,
    RunStarted,
    SessionOpened,
    SymbolHeld,
    SymbolReleased,
    Told,
    Unlatched,
)
from aitrader.domain.orders import Order, OrderStatus
from aitrader.domain.positions import Book
from aitrader.domain.settlement import Settlement
from aitrader.domain.symbols import Symbol
from aitrader.engine.decide import Weights
from aitrader.journal.queries import after_event

_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Tracked:
    """An order whose intent was committed, and what is known about it.

    ``told`` is None from the intent until an answer is recorded; ``status`` is the broker's last word, or what the
    fills say; ``booked`` are the shares of the fills that were booked, ``observed`` those that the broker told of;
    ``attempts`` counts intents of the same id.
    """

    order: Order
    sent_at: datetime
    told: Told | None = None
    status: OrderStatus | None = None
    booked: Decimal = Decimal(0)
    observed: Decimal = Decimal(0)
    attempts: int = 1

    @property
    def unresolved(self) -> bool:
        """Whether nobody knows if the broker has it."""
        return self.told in (None, Told.UNKNOWN)

    @property
    def working(self) -> bool:
        """Whether the broker has it and may still fill it."""
        return self.told is Told.ACCEPTED and not (self.status is not None and self.status.final)

    @property
    def remaining(self) -> Decimal:
        """Shares that may still be filled."""
        return self.order.quantity - max(self.booked, self.observed)


@dataclass(frozen=True, slots=True)
class Meters:
    """What the breakers measure.

    ``previous`` and ``last`` are the equity at the last two closes, ``peak`` the highest close since the book, or a
    latch, was opened, all in USD. Counts are of parent orders: ``by_day`` sent per UTC day,
    ``by_symbol`` sent per symbol on the day ``day``, ``run`` and ``rejects`` since the last command began or session
    opened, ``unknown`` since the session opened.
    """

    previous: float | None = None
    last: float | None = None
    peak: float | None = None
    day: date | None = None
    by_day: int = 0
    by_symbol: Mapping[Symbol, int] = field(default_factory=lambda: _NOTHING)
    run: int = 0
    rejects: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """What a turn hands to the next one, all of it a function of the journal's rows (``refusal`` excepted).

    ``closing`` is the book at the close that was valued last, which the next decision is sized with; ``session`` the
    last session that was opened; ``seen`` the id of the last fill booked. ``orders`` holds by client id what was sent
    for the last decision, and every earlier order that is not final yet. ``standing`` are each strategy's last
    targets. ``held`` maps a symbol to why no order of it leaves. ``differences`` are those of the last reconciliation
    (None: there was none). ``refusal`` is why this turn's decision could not be made.
    """

    book: Book
    closing: Book
    account: str | None = None
    settlement: Settlement = field(default_factory=Settlement)
    standing: Mapping[str, Weights] = field(default_factory=lambda: _NOTHING)
    decision: DecisionMade | None = None
    orders: Mapping[str, Tracked] = field(default_factory=lambda: _NOTHING)
    session: date | None = None
    valued: BookValued | None = None
    seen: str | None = None
    held: Mapping[Symbol, str] = field(default_factory=lambda: _NOTHING)
    latches: frozenset[Latch] = frozenset()
    meters: Meters = Meters()
    acted: frozenset[tuple[Symbol, str, datetime]] = frozenset()
    differences: tuple[str, ...] | None = None
    refusal: Exception | None = None

    @staticmethod
    def of(events: Iterable[Event], cash: Decimal = Decimal(0)) -> "State":
        """Return the state after ``events``; without a ``BookOpened`` among them the book begins with ``cash`` USD."""
        state = State(Book(cash), Book(cash))
        for event in events:
            state = after(state, event)
        return state

    @property
    def sent(self) -> frozenset[str]:
        """The client ids that may not be sent again: all but those which the broker said it never had."""
        return frozenset(name for name, one in self.orders.items() if one.told is not Told.ABSENT)

    @property
    def unresolved(self) -> tuple[Tracked, ...]:
        """The orders of which nobody knows whether the broker has them."""
        return tuple(one for one in self.orders.values() if one.unresolved)

    @property
    def working(self) -> tuple[Tracked, ...]:
        """The orders that the broker has and may still fill."""
        return tuple(one for one in self.orders.values() if one.working)


@singledispatch
def _folded(event: Event, state: State) -> State:
    del event
    return state


def after(state: State, event: Event) -> State:
    """Return the state after one more row of the journal."""
    return _folded(event, state)


@_folded.register
def _(event: RunStarted, state: State) -> State:
    del event
    return replace(state, meters=replace(state.meters, run=0, rejects=0))


@_folded.register
def _(event: BookOpened, state: State) -> State:
    book = Book(event.cash)
    return replace(state, book=book, closing=book, account=event.account)


@_folded.register
def _(event: BookAdjusted, state: State) -> State:
    book = after_event(state.book, event)
    return replace(state, book=book, closing=after_event(state.closing, event))


@_folded.register
def _(event: SessionOpened, state: State) -> State:
    meters = replace(state.meters, run=0, rejects=0, unknown=0)
    return replace(state, session=event.session, settlement=state.settlement.next_session(), meters=meters)


@_folded.register
def _(event: DecisionMade, state: State) -> State:
    kept = {name: one for name, one in state.orders.items() if one.unresolved or one.working}
    return replace(
        state, decision=event, orders=MappingProxyType(kept), standing={**state.standing, **event.targets}, refusal=None
    )


@_folded.register
def _(event: DecisionRefused, state: State) -> State:
    del event
    return state


@_folded.register
def _(event: OrderSending, state: State) -> State:
    order = event.order
    known = state.orders.get(order.client_id)
    tracked = Tracked(order, event.at, attempts=known.attempts + 1 if known else 1)
    meters = state.meters if known else _counted(state.meters, order.symbol, event.at.date())
    return replace(state, orders=_with(state, tracked), meters=meters)


@_folded.register
def _(event: OrderOutcome, state: State) -> State:
    known = state.orders.get(event.client_id)
    if known is None:
        return state
    status = OrderStatus.REJECTED if event.outcome is Told.REFUSED else known.status
    meters = replace(
        state.meters,
        rejects=state.meters.rejects + (event.outcome is Told.REFUSED),
        unknown=state.meters.unknown + (event.outcome is Told.UNKNOWN and known.told is not Told.UNKNOWN),
    )
    return replace(state, orders=_with(state, replace(known, told=event.outcome, status=status)), meters=meters)


@_folded.register
def _(event: OrderObserved, state: State) -> State:
    known = state.orders.get(event.client_id)
    if known is None:
        return state
    seen = replace(known, told=Told.ACCEPTED, status=event.status, observed=max(known.observed, event.filled))
    return replace(state, orders=_with(state, seen))


@_folded.register
def _(event: FillBooked, state: State) -> State:
    fill = event.fill
    book = after_event(state.book, event)
    settlement = state.settlement.after_fill(fill, cash=state.book.cash)
    state = replace(state, book=book, settlement=settlement, seen=fill.fill_id)
    known = state.orders.get(fill.client_id)
    return state if known is None else replace(state, orders=_with(state, _filled(known, fill.quantity)))


@_folded.register
def _(event: ActionBooked, state: State) -> State:
    settlement = state.settlement.after_action(event.symbol, event.kind, event.value)
    acted = state.acted | {(event.symbol, event.kind, event.at)}
    return replace(state, book=after_event(state.book, event), settlement=settlement, acted=acted)


@_folded.register
def _(event: BookValued, state: State) -> State:
    meters = state.meters
    peak = event.equity if meters.peak is None else max(meters.peak, event.equity)
    meters = replace(meters, previous=meters.last, last=event.equity, peak=peak)
    return replace(state, valued=event, closing=state.book, acted=frozenset(), meters=meters)


@_folded.register
def _(event: SymbolHeld, state: State) -> State:
    return replace(state, held=MappingProxyType({**state.held, event.symbol: event.reason}))


@_folded.register
def _(event: SymbolReleased, state: State) -> State:
    return replace(state, held=MappingProxyType({s: why for s, why in state.held.items() if s != event.symbol}))


@_folded.register
def _(event: Reconciled, state: State) -> State:
    return replace(state, differences=event.differences)


@_folded.register
def _(event: Latched, state: State) -> State:
    return replace(state, latches=state.latches | {event.latch})


@_folded.register
def _(event: Unlatched, state: State) -> State:
    # What shut the latch is history: the breakers measure from here on, or they would shut it again at once.
    meters = replace(state.meters, previous=None, peak=state.meters.last, rejects=0, unknown=0)
    return replace(state, latches=state.latches - {event.latch}, meters=meters)


def _with(state: State, tracked: Tracked) -> Mapping[str, Tracked]:
    return MappingProxyType({**state.orders, tracked.order.client_id: tracked})


def _filled(known: Tracked, quantity: Decimal) -> Tracked:
    booked = known.booked + quantity
    if known.status is not None and known.status.final:
        return replace(known, booked=booked)
    done = booked >= known.order.quantity
    status = OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED
    return replace(known, told=Told.ACCEPTED, status=status, booked=booked)


def _counted(meters: Meters, symbol: Symbol, day: date) -> Meters:
    if meters.day != day:
        meters = replace(meters, day=day, by_day=0, by_symbol=_NOTHING)
    by_symbol = {**meters.by_symbol, symbol: meters.by_symbol.get(symbol, 0) + 1}
    return replace(meters, run=meters.run + 1, by_day=meters.by_day + 1, by_symbol=MappingProxyType(by_symbol))
