"""The one loop of trading: a turn per session, at entry time, whatever the clock, the broker and the predictor are."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from aitrader.brokers.broker import fills_since
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
from aitrader.domain.orders import BrokerOrder, Entry, NotFound, Order, Refusal, Side
from aitrader.domain.quotes import Quote
from aitrader.domain.snapshot import MarketSnapshot
from aitrader.domain.symbols import Symbol
from aitrader.engine.decide import Weights, closes, decide, known_closes, places
from aitrader.engine.desk import Desk
from aitrader.engine.order_desk import refuse, send
from aitrader.engine.schedule import Window
from aitrader.engine.state import State
from aitrader.errors import DataError
from aitrader.portfolio.rebalance import after_splits
from aitrader.risk.breakers import losses
from aitrader.risk.exposure import RiskContext
from aitrader.risk.review import Review, review
from aitrader.strategies.strategy import Strategy

COUNTS: Final = ("max_orders_per_run", "max_orders_per_day", "max_orders_per_symbol_day")
"""Limits that stop a program which repeats itself."""


@dataclass(frozen=True, slots=True)
class Turn:
    """``session`` opens at ``opened`` and is entered at ``at`` (UTC); ``last`` is the session whose bar came before.

    ``due`` names the strategies that decide on that bar, as ``engine.schedule`` says. Orders leave inside ``window``
    only; without one no clock runs that could leave it.
    """

    session: date
    opened: datetime
    at: datetime
    last: date
    due: frozenset[str]
    window: Window | None = None


def turn(desk: Desk, state: State, now: Turn) -> State:
    """Play one session, and return what the next turn needs. Every step is a row of the journal before it acts.

    The session is opened (see ``open_session``); a decision that is due is made on the last bar, with the book as it
    stood at that close, unless it is recorded already; its orders are translated through today's splits, reviewed and
    sent, sells before buys.
    """
    state = book_fills(desk, open_session(desk, state._replace(refusal=None), now))
    snapshot = desk.market.snapshot(now.last)
    state = _decided(desk, state, snapshot, now)
    if state.decision is None or state.decision.decision != snapshot.decision:
        return state
    ratios = _ratios(desk.market.actions(now.session))
    wanted = after_splits(state.decision.orders, ratios)
    reviewed = _review(desk, state, snapshot, _Planned(wanted, ratios), now)
    state = _refused(desk, state, reviewed.refused, now)
    for side in (Side.SELL, Side.BUY):
        approved = [one for one in reviewed.approved if one.order.side is side]
        state = send(desk, state, approved, now.at, wanted=wanted, window=now.window)
        state = book_fills(desk, state)
    return state


def open_session(desk: Desk, state: State, now: Turn) -> State:
    """Book what came since the session before, value the book at its close, and book today's corporate actions.

    What was done before (an earlier run of the same session) is not done again, and fills of ``now.session`` itself
    are left for ``book_fills``: sessions that went by are opened one after the other. A loss beyond the limits latches
    HALT.
    """
    if state.session is not None and state.session >= now.session:
        return follow(desk, book_fills(desk, state), now.at)
    state = follow(desk, book_fills(desk, state, before=now.opened), now.opened)
    if state.valued is None or state.valued.session < now.last:
        state = value_book(desk, state, desk.market.snapshot(now.last))
    for action in _still_to_book(desk.market.actions(now.session), state.acted):
        if action.symbol in state.book.positions:
            state = desk.record(state, action)
    return desk.record(state, SessionOpened(now.opened, now.session))


def book_fills(desk: Desk, state: State, *, before: datetime | None = None) -> State:
    """Book what the broker filled of our orders since nothing was missing, and ``before`` a time; each fill once."""
    cursor = state.cursor
    for fill in desk.ask(lambda: fills_since(desk.broker, cursor))[0]:
        if fill.client_id in state.orders and (before is None or fill.at < before):
            state = desk.record(state, FillBooked(fill.at, fill))
    return state


def follow(desk: Desk, state: State, at: datetime) -> State:
    """Record what became of the orders that the broker was still working on."""
    for one in state.working:
        found = _found(desk, one.order.client_id)
        if isinstance(found, NotFound) or (found.status == one.status and found.filled_quantity == one.observed):
            continue
        row = OrderObserved(at, found.client_id, found.broker_id, found.status, found.filled_quantity)
        state = desk.record(state, row)
    return state


def _found(desk: Desk, client_id: str) -> BrokerOrder | NotFound:
    return desk.ask(lambda: desk.broker.find(client_id))


def value_book(desk: Desk, state: State, snapshot: MarketSnapshot) -> State:
    """Record the value of the book at the close of ``snapshot.session``; a loss beyond the limits latches HALT."""
    prices = known_closes(snapshot, state.book.positions)
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
    due = {name: strategy for name, strategy in desk.strategies.items() if name in now.due}
    active = {name: strategy for name, strategy in due.items() if not _too_old(desk, strategy)}
    if len(active) < len(due):
        state = _undecided(desk, state, snapshot, _old_models(desk, due))
    if not active:
        return state
    standing: dict[str, Weights] = {n: state.standing.get(n, {}) for n in desk.strategies if n not in active}
    try:
        made = decide(snapshot, state.closing, active, desk.rules, standing=standing, models=desk.models)
    except DataError as refusal:
        return _undecided(desk, state, snapshot, refusal)
    return desk.record(state, made)._replace(refusal=state.refusal)


def _undecided(desk: Desk, state: State, snapshot: MarketSnapshot, refusal: DataError) -> State:
    row = DecisionRefused(snapshot.decided_at, snapshot.decision, snapshot.session, str(refusal))
    return desk.record(state, row)._replace(refusal=refusal)


def _too_old(desk: Desk, strategy: Strategy) -> list[str]:
    """Return the models of ``strategy`` that learned nothing for too long."""
    most = desk.rules.risk.max_model_sessions_old
    return [name for name in strategy.needs_models if desk.ages.get(name, 0) > most]


def _old_models(desk: Desk, due: Mapping[str, Strategy]) -> DataError:
    names = sorted({name for strategy in due.values() for name in _too_old(desk, strategy)})
    ages = ", ".join(f"{name} learned nothing for {desk.ages[name]} sessions" for name in names)
    most = desk.rules.risk.max_model_sessions_old
    return DataError(
        f"Too old to decide: {ages}; risk.max_model_sessions_old is {most}.",
        fix="Run `aitrader train`; what is held stays, and open orders are followed.",
    )


def _still_to_book(actions: Iterable[ActionBooked], booked: Iterable[ActionBooked]) -> Iterator[ActionBooked]:
    """Yield what an earlier run did not book; two dividends of one symbol on one day are two."""
    done = list(booked)
    for action in actions:
        if action in done:
            done.remove(action)
        else:
            yield action


def _ratios(actions: Iterable[ActionBooked]) -> dict[Symbol, Decimal]:
    ratios: dict[Symbol, Decimal] = {}
    for action in actions:
        if action.kind == "split":
            ratios[action.symbol] = ratios.get(action.symbol, Decimal(1)) * Decimal(repr(action.value))
    return ratios


@dataclass(frozen=True, slots=True)
class _Planned:
    """A decision's ``orders`` as today's splits make them; ``ratios`` are new shares per old one."""

    orders: tuple[Order, ...]
    ratios: Mapping[Symbol, Decimal]


def _review(desk: Desk, state: State, snapshot: MarketSnapshot, planned: _Planned, now: Turn) -> Review:
    """Review what was not sent yet, at the closes that it was sized with."""
    sent = state.sent
    orders = [order for order in planned.orders if order.client_id not in sent]
    context = _context(desk, state, snapshot, planned.ratios, orders)
    return review(orders, _with_counts(desk, state, context, now), desk.rules.risk)


def _context(
    desk: Desk, state: State, snapshot: MarketSnapshot, ratios: Mapping[Symbol, Decimal], orders: Sequence[Order]
) -> RiskContext:
    """Return what the limits look at: the book, and what the last bar says of its symbols and those of ``orders``."""
    working = state.open_shares
    symbols = sorted({*(order.symbol for order in orders), *state.book.positions, *working})
    place = places(snapshot.symbols)
    known = [symbol for symbol in symbols if symbol in place]
    prices = {s: price / ratios.get(s, Decimal(1)) for s, price in closes(snapshot, known).items()}
    quotes = _quotes(desk, [order.symbol for order in orders])
    return RiskContext(
        equity=Decimal(repr(state.decision.equity)) if state.decision else state.book.equity(prices),
        book=state.as_planned,
        prices=prices,
        volume20={s: float(snapshot.volume20[place[s]]) * float(ratios.get(s, 1)) for s in known},
        stale={s: int(snapshot.stale[place[s]]) for s in known},
        members={s for s in known if snapshot.members[place[s]]},
        sent=state.sent,
        latches=desk.latches(state),
        held={order.symbol: why for order in orders if (why := state.why_held(order))},
        quotes=quotes,
        working=working,
    )


def _with_counts(desk: Desk, state: State, context: RiskContext, now: Turn) -> RiskContext:
    """Return ``context`` with the time, what left before, and what may not be sold yet."""
    meters, at = state.meters, desk.time(now.at)
    today = meters.day == at.date()
    return replace(
        context,
        at=at,
        window=now.window,
        run=meters.run,
        by_day=meters.by_day if today else 0,
        by_symbol=meters.by_symbol if today else {},
        last_sent=meters.last_sent,
        locked=state.settlement.locked if desk.rules.settlement == "cash_t1" else {},
    )


def _quotes(desk: Desk, symbols: Sequence[Symbol]) -> Mapping[Symbol, Quote] | None:
    """Return the quotes of ``symbols``; None for the opening auction, before which nobody can know one."""
    if desk.rules.execution.entry is Entry.OPEN_AUCTION:
        return None
    return desk.ask(lambda: desk.broker.market(symbols)).quotes if symbols else {}


def _refused(desk: Desk, state: State, refusals: Iterable[Refusal], now: Turn) -> State:
    """Record what the limits forbade; in live, more orders than a count allows shut HALT."""
    at = desk.time(now.at)
    for one in refusals:
        order = one.order
        state = refuse(desk, state, OrderRefused(at, order.decision, order.client_id, one.code, one.reason))
        if desk.live and one.code in COUNTS and Latch.HALT not in state.latches:
            state = desk.shut(state, Latched(at, Latch.HALT, one.code, one.reason))
    return state
