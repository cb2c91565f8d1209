"""The one loop of trading: a turn per session, at entry time, whatever the clock, the broker and the predictor are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from aitrader.domain.events import (
    ActionBooked,
    BookValued,
    DecisionRefused,
    FillBooked,
    Latch,
    Latched,
    OrderObserved,
    OrderRefused,
    SessionOpened,
)
from aitrader.domain.orders import Entry, NotFound, Order, Side
from aitrader.domain.snapshot import MarketSnapshot
from aitrader.domain.symbols import Symbol
from aitrader.engine.decide import Weights, closes, decide, places
from aitrader.engine.desk import Desk
from aitrader.engine.order_desk import send
from aitrader.engine.state import State
from aitrader.errors import DataError
from aitrader.portfolio.rebalance import after_splits
from aitrader.risk.breakers import losses
from aitrader.risk.exposure import RiskContext
from aitrader.risk.review import Review, review


@dataclass(frozen=True, slots=True)
class Turn:
    """``session`` opens at ``opened`` and is entered at ``at`` (UTC); ``last`` is the session whose bar came before.

    ``due`` names the strategies that decide on that bar, as ``engine.schedule`` says.
    """

    session: date
    opened: datetime
    at: datetime
    last: date
    due: frozenset[str]


def turn(desk: Desk, state: State, now: Turn) -> State:
    """Play one session, and return what the next turn needs. Every step is a row of the journal before it acts.

    The session is opened (see ``open_session``); a decision that is due is made on the last bar, with the book as it
    stood at that close, unless it is recorded already; its orders are translated through today's splits, reviewed and
    sent, sells before buys.
    """
    state = open_session(desk, replace(state, refusal=None), now)
    snapshot = desk.market.snapshot(now.last)
    state = _decided(desk, state, snapshot, now)
    if state.decision is None or state.decision.decision != snapshot.decision:
        return state
    pending = [order for order in state.decision.orders if order.client_id not in state.sent]
    reviewed = _review(desk, state, snapshot, pending, _ratios(desk.market.actions(now.session)))
    for refusal in reviewed.refused:
        order = refusal.order
        row = OrderRefused(now.at, order.decision, order.client_id, refusal.code, refusal.reason)
        state = desk.record(state, row)
    for side in (Side.SELL, Side.BUY):
        state = send(desk, state, [a for a in reviewed.approved if a.order.side is side], now.at)
        state = book_fills(desk, state)
    return state


def open_session(desk: Desk, state: State, now: Turn) -> State:
    """Book what came since the session before, value the book at its close, and book today's corporate actions.

    What was done before (an earlier run of the same session) is not done again. A loss beyond the limits latches HALT.
    """
    if state.session is not None and state.session >= now.session:
        return follow(desk, book_fills(desk, state), now.at)
    state = follow(desk, book_fills(desk, state, before=now.opened), now.opened)
    if state.valued is None or state.valued.session < now.last:
        state = value_book(desk, state, desk.market.snapshot(now.last))
    for action in desk.market.actions(now.session):
        if action.symbol in state.book.positions and (action.symbol, action.kind, action.at) not in state.acted:
            state = desk.record(state, action)
    return book_fills(desk, desk.record(state, SessionOpened(now.opened, now.session)))


def book_fills(desk: Desk, state: State, *, before: datetime | None = None) -> State:
    """Book what the broker filled since the last fill that was booked, and ``before`` a time."""
    for fill in desk.broker.fills(after=state.seen):
        if before is None or fill.at < before:
            state = desk.record(state, FillBooked(fill.at, fill))
    return state


def follow(desk: Desk, state: State, at: datetime) -> State:
    """Record what became of the orders that the broker was still working on."""
    for one in state.working:
        found = desk.broker.find(one.order.client_id)
        if isinstance(found, NotFound) or (found.status == one.status and found.filled_quantity == one.observed):
            continue
        row = OrderObserved(at, found.client_id, found.broker_id, found.status, found.filled_quantity)
        state = desk.record(state, row)
    return state


def value_book(desk: Desk, state: State, snapshot: MarketSnapshot) -> State:
    """Record the value of the book at the close of ``snapshot.session``; a loss beyond the limits latches HALT."""
    prices = closes(snapshot, state.book.positions)
    values = [position.quantity * prices[symbol] for symbol, position in state.book.positions.items()]
    net, gross = sum(values, Decimal(0)), sum((abs(value) for value in values), Decimal(0))
    cash = state.book.cash
    valued = BookValued(snapshot.decided_at, snapshot.session, float(cash + net), float(cash), float(gross), float(net))
    state = desk.record(state, valued)
    meters = state.meters
    breach = losses(previous=meters.previous, last=meters.last, peak=meters.peak, limits=desk.rules.risk)
    if breach is None or Latch.HALT in state.latches:
        return state
    return desk.shut(state, Latched(valued.at, Latch.HALT, breach.code, breach.reason))


def _decided(desk: Desk, state: State, snapshot: MarketSnapshot, now: Turn) -> State:
    """Return the state with the decision of the last bar: the recorded one, or a new one if one is due."""
    if state.decision is not None and state.decision.decision == snapshot.decision:
        return state
    active = {name: strategy for name, strategy in desk.strategies.items() if name in now.due}
    if not active:
        return state
    standing: dict[str, Weights] = {n: state.standing.get(n, {}) for n in desk.strategies if n not in active}
    try:
        made = decide(snapshot, state.closing, active, desk.rules, standing=standing, models=desk.models)
    except DataError as refusal:
        row = DecisionRefused(snapshot.decided_at, snapshot.decision, snapshot.session, str(refusal))
        return replace(desk.record(state, row), refusal=refusal)
    return desk.record(state, made)


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
