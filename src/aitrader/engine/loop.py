"""The one loop of trading: a turn per session, at entry time, whatever the clock, the broker and the predictor are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Protocol

from aitrader.brokers.broker import Broker
from aitrader.domain.events import (
    ActionBooked,
    BookValued,
    DecisionMade,
    DecisionRefused,
    FillBooked,
    OrderOutcome,
    OrderRefused,
    OrderSending,
)
from aitrader.domain.orders import Accepted, ApprovedOrder, Entry, Order, Refused, Side
from aitrader.domain.positions import Book
from aitrader.domain.snapshot import MarketSnapshot
from aitrader.domain.symbols import Symbol
from aitrader.engine.decide import Rules, Weights, closes, decide, places
from aitrader.errors import BrokerError, DataError
from aitrader.journal.journal import Journal
from aitrader.journal.queries import after_event
from aitrader.portfolio.rebalance import after_splits
from aitrader.risk.exposure import RiskContext
from aitrader.risk.review import Review, review
from aitrader.strategies.strategy import Strategy


class Market(Protocol):
    """What the loop may ask about the world. The past answers from arrays, the present from lake and models."""

    def snapshot(self, session: date) -> MarketSnapshot:
        """Return what was known after ``session`` closed, and nothing later."""
        ...

    def actions(self, session: date) -> Sequence[ActionBooked]:
        """Return the corporate actions that take effect before ``session`` opens, splits first."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """What stays the same from turn to turn. ``models`` maps a model's name to the version that predicts."""

    market: Market
    broker: Broker
    journal: Journal
    strategies: Mapping[str, Strategy]
    rules: Rules
    models: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Turn:
    """``session`` is entered at ``at`` (UTC); ``last`` is the session whose bar came before.

    ``due`` names the strategies that decide on that bar, as ``engine.schedule`` says.
    """

    session: date
    at: datetime
    last: date
    due: frozenset[str]


@dataclass(frozen=True, slots=True)
class State:
    """What a turn hands to the next one; replaying the journal rebuilds it.

    ``standing`` holds each strategy's last targets, ``decision`` the last decision with the ids that were ``sent`` for
    it, ``refusal`` why this turn's decision could not be made; ``seen`` is the id of the last fill booked.
    """

    book: Book
    standing: Mapping[str, Weights] = field(default_factory=lambda: MappingProxyType({}))
    decision: DecisionMade | None = None
    sent: frozenset[str] = frozenset()
    refusal: DataError | None = None
    seen: str | None = None


def turn(desk: Desk, state: State, now: Turn) -> State:
    """Play one session, and return what the next turn needs. Every step is a row of the journal before it acts.

    Fills that came since the last turn are booked, the book is valued at the last close, today's corporate actions
    are booked; a decision that is due is made on the last bar, with the book as it stood at that close; its orders are
    translated through today's splits, reviewed and sent, sells before buys.

    Raises
    ------
    BrokerError
        The fate of an order is unknown; nothing more was sent.
    """
    state = book_fills(desk, replace(state, refusal=None))
    snapshot = desk.market.snapshot(now.last)
    value_book(desk, state, snapshot)
    actions = desk.market.actions(now.session)
    decided = _decided(desk, state, snapshot, now)
    state = replace(decided, book=_after_actions(desk, decided.book, actions))
    if decided.decision is None or decided.decision.decision != snapshot.decision:
        return state
    pending = [order for order in decided.decision.orders if order.client_id not in state.sent]
    reviewed = _review(desk, state, snapshot, pending, _ratios(actions))
    for refusal in reviewed.refused:
        order = refusal.order
        desk.journal.append(OrderRefused(now.at, order.decision, order.client_id, refusal.code, refusal.reason))
    for side in (Side.SELL, Side.BUY):
        state = _send(desk, state, [a for a in reviewed.approved if a.order.side is side], now.at)
    return state


def book_fills(desk: Desk, state: State) -> State:
    """Book what the broker filled since the last fill that was booked."""
    book, seen = state.book, state.seen
    for fill in desk.broker.fills(after=seen):
        booked = FillBooked(fill.at, fill)
        desk.journal.append(booked)
        book, seen = after_event(book, booked), fill.fill_id
    return state if seen == state.seen else replace(state, book=book, seen=seen)


def value_book(desk: Desk, state: State, snapshot: MarketSnapshot) -> BookValued:
    """Record and return the value of the book at the close of ``snapshot.session``."""
    prices = closes(snapshot, state.book.positions)
    values = [position.quantity * prices[symbol] for symbol, position in state.book.positions.items()]
    net, gross = sum(values, Decimal(0)), sum((abs(value) for value in values), Decimal(0))
    cash = state.book.cash
    valued = BookValued(snapshot.decided_at, snapshot.session, float(cash + net), float(cash), float(gross), float(net))
    desk.journal.append(valued)
    return valued


def _decided(desk: Desk, state: State, snapshot: MarketSnapshot, now: Turn) -> State:
    """Return the state with the decision of the last bar: the recorded one, or a new one if one is due."""
    if state.decision is not None and state.decision.decision == snapshot.decision:
        return state
    active = {name: strategy for name, strategy in desk.strategies.items() if name in now.due}
    if not active:
        return state
    standing: dict[str, Weights] = {n: state.standing.get(n, {}) for n in desk.strategies if n not in active}
    try:
        made = decide(snapshot, state.book, active, desk.rules, standing=standing, models=desk.models)
    except DataError as refusal:
        desk.journal.append(DecisionRefused(snapshot.decided_at, snapshot.decision, snapshot.session, str(refusal)))
        return replace(state, refusal=refusal)
    desk.journal.append(made)
    return replace(state, decision=made, sent=frozenset(), standing={**standing, **made.targets})


def _after_actions(desk: Desk, book: Book, actions: Iterable[ActionBooked]) -> Book:
    for action in actions:
        if action.symbol in book.positions:
            desk.journal.append(action)
            book = after_event(book, action)
    return book


def _ratios(actions: Iterable[ActionBooked]) -> dict[Symbol, Decimal]:
    ratios: dict[Symbol, Decimal] = {}
    for action in actions:
        if action.kind == "split":
            ratios[action.symbol] = ratios.get(action.symbol, Decimal(1)) * Decimal(repr(action.value))
    return ratios


def _review(
    desk: Desk, state: State, snapshot: MarketSnapshot, planned: Iterable[Order], ratios: Mapping[Symbol, Decimal]
) -> Review:
    """Review ``planned`` orders as today's splits make them, at the closes that they were sized with."""
    orders = after_splits(planned, ratios)
    symbols = sorted({*(order.symbol for order in orders), *state.book.positions})
    place = places(snapshot.symbols)
    known = [symbol for symbol in symbols if symbol in place]
    prices = {s: price / ratios.get(s, Decimal(1)) for s, price in closes(snapshot, known).items()}
    context = RiskContext(
        equity=Decimal(repr(state.decision.equity)) if state.decision else state.book.equity(prices),
        book=state.book,
        prices=prices,
        volume20={s: float(snapshot.volume20[place[s]]) * float(ratios.get(s, 1)) for s in known},
        stale={s: int(snapshot.stale[place[s]]) for s in known},
        members={s for s in known if snapshot.members[place[s]]},
        fresh=_fresh(desk, orders),
        sent=state.sent,
    )
    return review(orders, context, desk.rules.risk)


def _fresh(desk: Desk, orders: Iterable[Order]) -> dict[Symbol, Decimal]:
    """Return the mid quotes, which an order for the opening auction, sent before it, cannot know."""
    if desk.rules.execution.entry is Entry.OPEN_AUCTION:
        return {}
    quotes = desk.broker.market([order.symbol for order in orders]).quotes
    return {symbol: quote.mid for symbol, quote in quotes.items()}


def _send(desk: Desk, state: State, approved: Iterable[ApprovedOrder], at: datetime) -> State:
    sent = set(state.sent)
    for one in approved:
        order = one.order
        desk.journal.append(OrderSending(at, order))
        outcome = desk.broker.submit(one)
        sent.add(order.client_id)
        match outcome:
            case Accepted(broker_id):
                desk.journal.append(OrderOutcome(at, order.client_id, "accepted", broker_id))
            case Refused(code, reason):
                desk.journal.append(OrderOutcome(at, order.client_id, "refused", f"{code}: {reason}"))
            case _:
                desk.journal.append(OrderOutcome(at, order.client_id, "unknown", outcome.reason))
                raise BrokerError(
                    f"Nobody knows whether the broker has order {order.client_id}: {outcome.reason}.",
                    fix="Look the order up at the broker by that id before anything else is sent.",
                )
    return book_fills(desk, replace(state, sent=frozenset(sent)))
