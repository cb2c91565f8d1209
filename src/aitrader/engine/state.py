"""What the journal's rows add up to: the one fold that the loop, a start and a recovery after a crash share."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import singledispatch
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from aitrader.domain.events import (
    ActionBooked,
    BookAdjusted,
    BookOpened,
    BookValued,
    DecisionMade,
    Event,
    FillBooked,
    Latch,
    Latched,
    OrderObserved,
    OrderOutcome,
    OrderRefused,
    OrderSending,
    Reconciled,
    RunStarted,
    SessionOpened,
    SymbolHeld,
    SymbolReleased,
    Told,
    Unlatched,
)
from aitrader.domain.orders import Fill, Order, OrderStatus, Side
from aitrader.domain.positions import Book
from aitrader.domain.settlement import Settlement
from aitrader.domain.symbols import Symbol
from aitrader.engine.decide import Weights
from aitrader.journal.queries import after_event

_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})

MINUTE: Final = timedelta(minutes=1)

CASH: Final = Symbol("USD/USD")
"""What stands for the cash where a symbol is asked for: no venue trades it. Held, it stops every entry."""


class Tracked(NamedTuple):
    """An order whose intent was committed, and what is known about it.

    ``told`` is None from the intent until an answer is recorded; ``status`` is the broker's last word, or what the
    fills say; ``booked`` are the shares of the fills that were booked, ``observed`` those that the broker told of;
    ``paid`` are the USD that the booked fills took from the cash with their fees, negative for a sale;
    ``attempts`` counts intents of the same id.
    """

    order: Order
    sent_at: datetime
    told: Told | None = None
    status: OrderStatus | None = None
    booked: Decimal = Decimal(0)
    observed: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
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
        """Shares that may still change the book: those that may be filled, and those filled and not booked."""
        if not (self.unresolved or self.working):
            return max(self.observed - self.booked, Decimal(0))
        return max(self.order.quantity - self.booked, Decimal(0))

    @property
    def settled(self) -> bool:
        """Whether nothing can come of it any more: it is final, and every share that the broker told of is booked."""
        return not (self.unresolved or self.working or self.observed > self.booked)


class Meters(NamedTuple):
    """What the breakers measure.

    ``previous`` and ``last`` are the equity at the last two closes, ``peak`` the highest close since the book, or a
    latch, was opened, all in USD. Counts are of parent orders: ``by_day`` sent per UTC day,
    ``by_symbol`` sent per symbol on the day ``day``, ``run`` and ``rejects`` since the last command began or session
    opened, ``unknown`` since the session opened. ``recent`` are the times of the last minute's requests, and
    ``last_sent`` says when each symbol was last ordered on each side.
    """

    previous: float | None = None
    last: float | None = None
    peak: float | None = None
    day: date | None = None
    by_day: int = 0
    by_symbol: Mapping[Symbol, int] = _NOTHING
    run: int = 0
    rejects: int = 0
    unknown: int = 0
    recent: tuple[datetime, ...] = ()
    last_sent: Mapping[tuple[Symbol, Side], datetime] = _NOTHING


class State(NamedTuple):
    """What a turn hands to the next one, all of it a function of the journal's rows (``refusal`` excepted).

    A tuple, because every row of a backtest makes another one: ``_replace`` takes a fifth of the time of
    ``dataclasses.replace``.

    ``closing`` is the book at the close that was valued last, which the next decision is sized with; ``session`` the
    last session that was opened; ``seen`` the id of the last fill booked, ``filled`` how many were since the book was
    opened or its cash adjusted. ``orders`` holds by client id what was sent for the last decision, and every earlier
    order of which something may still come; ``refused`` maps those that a limit forbade to its code. ``standing`` are
    each strategy's last targets. ``acted`` are the corporate actions booked since the last valuation. ``held`` maps a
    symbol to why no order of it leaves. ``differences`` are those of the last comparison with the broker, None where
    nothing was compared since an order left or the book changed; ``agreed`` is when they last were none, and ``proven``
    the last fill booked then. ``refusal`` is why this turn's decision could not be made.
    """

    book: Book
    closing: Book
    account: str | None = None
    settlement: Settlement = Settlement()
    standing: Mapping[str, Weights] = _NOTHING
    decision: DecisionMade | None = None
    orders: Mapping[str, Tracked] = _NOTHING
    refused: Mapping[str, str] = _NOTHING
    session: date | None = None
    valued: BookValued | None = None
    seen: str | None = None
    filled: int = 0
    held: Mapping[Symbol, str] = _NOTHING
    latches: frozenset[Latch] = frozenset()
    meters: Meters = Meters()
    acted: tuple[ActionBooked, ...] = ()
    differences: tuple[str, ...] | None = None
    agreed: datetime | None = None
    proven: str | None = None
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
    def cursor(self) -> str | None:
        """The id of the last fill up to which nothing can be missing: brokers tell fills late and in another order.

        The memory of a backtest, which has no account to agree with, tells them in order.
        """
        return self.seen if self.account is None else self.proven

    @property
    def reconciled(self) -> bool:
        """Whether book and broker agreed when they were last compared, and nothing changed the book since."""
        return self.differences == ()

    def why_held(self, order: Order) -> str | None:
        """Return why ``order`` may not leave: its symbol is held, or the cash that an entry needs."""
        return self.held.get(order.symbol) or (None if order.reducing else self.held.get(CASH))

    @property
    def as_planned(self) -> Book:
        """The book as if the fills of the last decision had cost what was planned.

        A run that was stopped half way measures the rest of the decision with it, and approves what it would have.
        """
        decision = self.decision.decision if self.decision else None
        own = [one for one in self.orders.values() if one.order.decision == decision and not one.order.closing]
        planned = (one.paid - one.order.side.sign * one.booked * one.order.planned_price for one in own)
        return replace(self.book, cash=self.book.cash + sum(planned, Decimal(0)))

    @property
    def open_shares(self) -> Mapping[Symbol, Decimal]:
        """Signed shares by symbol that orders sent so far may still add to the book."""
        shares: dict[Symbol, Decimal] = {}
        for one in self.orders.values():
            if one.told is not Told.ABSENT and one.remaining:
                symbol = one.order.symbol
                shares[symbol] = shares.get(symbol, Decimal(0)) + one.order.side.sign * one.remaining
        return shares

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
    return state._replace(meters=state.meters._replace(run=0, rejects=0))


@_folded.register
def _(event: BookOpened, state: State) -> State:
    book = Book(event.cash)
    return state._replace(book=book, closing=book, account=event.account)


@_folded.register
def _(event: BookAdjusted, state: State) -> State:
    book, closing = after_event(state.book, event), after_event(state.closing, event)
    filled = 0 if event.cash else state.filled
    return state._replace(book=book, closing=closing, filled=filled, differences=None)


@_folded.register
def _(event: SessionOpened, state: State) -> State:
    meters = state.meters._replace(run=0, rejects=0, unknown=0)
    # A session opens after the close before it was valued; only a rebuilt journal has no value of the book.
    closing = state.book if state.valued is None else state.closing
    settlement = state.settlement.next_session()
    return state._replace(session=event.session, closing=closing, settlement=settlement, meters=meters)


@_folded.register
def _(event: DecisionMade, state: State) -> State:
    kept = {name: one for name, one in state.orders.items() if not one.settled}
    return state._replace(
        decision=event,
        orders=MappingProxyType(kept),
        refused=_NOTHING,
        standing=MappingProxyType({**state.standing, **event.targets}),
        refusal=None,
    )


@_folded.register
def _(event: OrderRefused, state: State) -> State:
    return state._replace(refused=MappingProxyType({**state.refused, event.client_id: event.code}))


@_folded.register
def _(event: OrderSending, state: State) -> State:
    known = state.orders.get(event.order.client_id)
    tracked = known._replace(told=None, attempts=known.attempts + 1) if known else Tracked(event.order, event.at)
    meters = _counted(state.meters, event, again=known is not None)
    return state._replace(orders=_with(state, tracked), meters=meters, differences=None)


@_folded.register
def _(event: OrderOutcome, state: State) -> State:
    known = state.orders.get(event.client_id)
    if known is None or (known.told is Told.ACCEPTED and event.outcome is not Told.REFUSED):
        return state  # what the broker has cannot become unknown, nor absent
    meters, told = state.meters, event.outcome
    if told is Told.REFUSED:
        meters = meters._replace(rejects=meters.rejects + 1)
    elif told is Told.UNKNOWN and known.told is not Told.UNKNOWN:
        meters = meters._replace(unknown=meters.unknown + 1)
    elif told is Told.ABSENT:
        key = (known.order.symbol, known.order.side)
        sent = {one: at for one, at in meters.last_sent.items() if one != key}
        meters = meters._replace(last_sent=MappingProxyType(sent))
    status = OrderStatus.REJECTED if told is Told.REFUSED else known.status
    return state._replace(orders=_with(state, known._replace(told=told, status=status)), meters=meters)


@_folded.register
def _(event: OrderObserved, state: State) -> State:
    known = state.orders.get(event.client_id)
    if known is None:
        return state
    seen = known._replace(told=Told.ACCEPTED, status=event.status, observed=max(known.observed, event.filled))
    return state._replace(orders=_with(state, seen))


@_folded.register
def _(event: FillBooked, state: State) -> State:
    fill = event.fill
    known = state.orders.get(fill.client_id)
    return state._replace(
        orders=state.orders if known is None else _with(state, _filled(known, fill)),
        book=after_event(state.book, event),
        closing=_corrected(state, fill),
        settlement=state.settlement.after_fill(fill, cash=state.book.cash),
        seen=fill.fill_id,
        filled=state.filled + 1,
        differences=None,
    )


@_folded.register
def _(event: ActionBooked, state: State) -> State:
    settlement = state.settlement.after_action(event.symbol, event.kind, event.value)
    book, acted = after_event(state.book, event), (*state.acted, event)
    return state._replace(book=book, settlement=settlement, acted=acted, differences=None)


@_folded.register
def _(event: BookValued, state: State) -> State:
    meters = state.meters
    peak = event.equity if meters.peak is None else max(meters.peak, event.equity)
    meters = meters._replace(previous=meters.last, last=event.equity, peak=peak)
    return state._replace(valued=event, closing=state.book, acted=(), meters=meters)


@_folded.register
def _(event: SymbolHeld, state: State) -> State:
    return state._replace(held=MappingProxyType({**state.held, event.symbol: event.reason}))


@_folded.register
def _(event: SymbolReleased, state: State) -> State:
    return state._replace(held=MappingProxyType({s: why for s, why in state.held.items() if s != event.symbol}))


@_folded.register
def _(event: Reconciled, state: State) -> State:
    if event.differences:
        return state._replace(differences=event.differences)
    return state._replace(differences=(), agreed=event.at, proven=state.seen)


@_folded.register
def _(event: Latched, state: State) -> State:
    return state._replace(latches=state.latches | {event.latch})


@_folded.register
def _(event: Unlatched, state: State) -> State:
    # What shut the latch is history: the breakers measure from here on, or they would shut it again at once.
    meters = state.meters._replace(previous=None, peak=state.meters.last, rejects=0, unknown=0)
    return state._replace(latches=state.latches - {event.latch}, meters=meters)


def _with(state: State, tracked: Tracked) -> Mapping[str, Tracked]:
    return MappingProxyType({**state.orders, tracked.order.client_id: tracked})


def _corrected(state: State, fill: Fill) -> Book:
    """Return the book of the last close, with ``fill`` where it happened before and was told after."""
    late = state.valued is not None and fill.at <= state.valued.at
    return state.closing.after_fill(fill) if late else state.closing


def _filled(known: Tracked, fill: Fill) -> Tracked:
    booked = known.booked + fill.quantity
    paid = known.paid + fill.side.sign * fill.quantity * fill.price + fill.fee
    if known.status is not None and known.status.final:
        return known._replace(booked=booked, paid=paid)
    done = booked >= known.order.quantity
    status = OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED
    return known._replace(told=Told.ACCEPTED, status=status, booked=booked, paid=paid)


def _counted(meters: Meters, event: OrderSending, *, again: bool) -> Meters:
    """Return ``meters`` with one more request; the same order ``again`` is one order."""
    at, symbol = event.at, event.order.symbol
    recent = (*(before for before in meters.recent if at - before < MINUTE), at)
    last_sent = MappingProxyType({**meters.last_sent, (symbol, event.order.side): at})
    if again:
        return meters._replace(recent=recent, last_sent=last_sent)
    today = meters.day == at.date()
    earlier = meters.by_symbol if today else {}
    return meters._replace(
        recent=recent,
        last_sent=last_sent,
        day=at.date(),
        run=meters.run + 1,
        by_day=meters.by_day + 1 if today else 1,
        by_symbol=MappingProxyType({**earlier, symbol: earlier.get(symbol, 0) + 1}),
    )
