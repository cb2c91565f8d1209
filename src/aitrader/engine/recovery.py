"""Start and recovery: every open intent resolved, every fill booked, the book compared with the broker's."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from aitrader.brokers.broker import Broker, fills_since
from aitrader.config.schema import Reconcile
from aitrader.domain.events import (
    BookAdjusted,
    Event,
    FillBooked,
    OrderObserved,
    OrderOutcome,
    OrderSending,
    Reconciled,
    SymbolHeld,
    SymbolReleased,
    Told,
)
from aitrader.domain.orders import BrokerOrder, Entry, Fill, NotFound, Order
from aitrader.domain.symbols import Symbol
from aitrader.domain.wording import counted
from aitrader.engine.desk import Desk
from aitrader.engine.loop import follow
from aitrader.engine.order_desk import adopt, halt_on_bursts, leave_unknown, look_up
from aitrader.engine.state import CASH, State, Tracked
from aitrader.errors import RefusedError

BETWEEN_READS: Final = 6.0
"""Seconds: a broker's orders and positions may disagree for up to 10 s, and one read alone holds no symbol."""

HALF_A_CENT: Final = Decimal("0.005")
"""USD by which a broker may round the value of a fill."""

SHUTDOWN: Final = "shutdown"
"""The strategy in the ids of closing orders, which leave even where the journal cannot be written."""

_ZERO: Final = Decimal(0)

_PASSING: Final = ("position", "cash", "fills")
"""Differences that may be gone with the next read."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where book and broker disagree: ``ours`` and ``theirs`` in shares of ``symbol``, or in USD for ``CASH``.

    ``kind`` is ``position``, ``cash``, ``fills`` (of one order, or one of them), ``unknown`` (an order whose outcome
    nobody knows) or ``foreign`` (an order that the journal lacks). ``order`` is the broker's word on one of unknown
    outcome, if any.
    """

    kind: str
    symbol: Symbol
    ours: Decimal
    theirs: Decimal
    text: str
    order: BrokerOrder | None = None

    def __str__(self) -> str:
        return self.text


def recover(desk: Desk, state: State, at: datetime, reconcile: Reconcile) -> State:
    """Return the state once everything is known that the broker knows; nothing is sent.

    Comes before any new order, and after ``open_session`` of every session so far: corporate actions that the account
    has and the book not yet would be differences. An intent that the broker never had is recorded as absent; only
    the turn of its own decision may send it again. Ends as ``settle`` does.

    Raises
    ------
    RefusedError
        It is another account, or it has orders that this journal never sent.
    BrokerError
        The broker does not answer.
    """
    number = desk.ask(desk.broker.account).number
    if state.account is not None and number != state.account:
        raise RefusedError(
            f"The journal is of account {state.account}, the broker answers for {number}.",
            fix="Point the book at its own account; no order was sent.",
        )
    for one in state.unresolved:
        state = halt_on_bursts(desk, _resolved(desk, state, one.order, at), at)
    return settle(desk, state, at, reconcile)


def settle(desk: Desk, state: State, at: datetime, reconcile: Reconcile) -> State:
    """Book what the broker did, compare the book with the account, and record how they stand.

    A symbol that differs is held, one that agrees again released; a difference in cash holds ``CASH``, which stops
    every entry. A difference is believed after ``desk.reads`` reads.

    Raises
    ------
    RefusedError
        The account has orders that this journal never sent.
    BrokerError
        The broker does not answer.
    """
    ids = _Ids.of(desk.journal.events())
    found: tuple[Difference, ...] = ()
    for read in range(desk.reads):
        if read:
            desk.wait(BETWEEN_READS)
        state, same = _booked(desk, _adopted(desk, state, ids, at), ids)
        state = follow(desk, state, at)
        found = _compared(desk, state, reconcile, ids, same=same)
        if not any(one.kind in _PASSING for one in found):
            break
    state = _held_where(desk, state, found, at)
    state = desk.record(state, Reconciled(at, tuple(map(str, found))))
    foreign = [one for one in found if one.kind == "foreign"]
    if foreign:
        orders = counted(len(foreign), "order")
        raise RefusedError(
            f"Account {state.account or ''} has {orders} that this journal never sent; {foreign[0]}.",
            fix="Something else trades this account: stop it, cancel what is open, then `aitrader reconcile --accept`.",
        )
    return state


def compare(
    state: State,
    broker: Broker,
    settings: Reconcile,
    *,
    sent: Collection[str] | None = None,
    booked: Mapping[str, Fill] | None = None,
) -> tuple[Difference, ...]:
    """Return where ``state`` and the account disagree; reads only, and asks once.

    ``sent`` are the ids of all orders that the journal ever sent: with them closed foreign orders are found as well,
    those of before the last agreement excepted; without them open ones only. ``booked`` are the fills that the journal
    ever booked, by id: with them each is looked for at the account.

    Raises
    ------
    BrokerError
        The broker does not answer.
    """
    orders = broker.orders()
    return (
        *_positions(state, broker, settings),
        *_cash(state, broker, settings),
        *_orders(state, {one.client_id: one for one in orders}),
        *(_foreign(one) for one in orders if _is_foreign(one, state, sent)),
        *(_fills(broker, booked) if booked is not None else ()),
    )


def accepted(state: State, found: Sequence[Difference], at: datetime, reason: str) -> tuple[Event, ...]:
    """Return the rows with which a person accepts the broker's word: shares and cash move, and holds are released.

    An order that the broker has otherwise than it was sent is taken as the broker has it. One of which it says nothing
    stays unknown, and its symbol held.
    """
    rows = [row for one in found if (row := _taken(one, at, reason))]
    unknown = {one.symbol for one in found if one.kind == "unknown" and one.order is None}
    released = (SymbolReleased(at, symbol, reason) for symbol in state.held if symbol not in unknown)
    return (*rows, *released, Reconciled(at, ()))


def _taken(one: Difference, at: datetime, reason: str) -> Event | None:
    """Return the row that takes the broker's word in ``one``; None where it has none."""
    if one.kind == "position":
        return BookAdjusted(at, one.symbol, one.theirs - one.ours, _ZERO, reason)
    if one.kind == "cash":
        return BookAdjusted(at, None, _ZERO, one.theirs - one.ours, reason)
    told = one.order
    if told is None:
        return None
    return OrderObserved(at, told.client_id, told.broker_id, told.status, told.filled_quantity)


@dataclass(frozen=True, slots=True)
class _Ids:
    """Every order that the journal sent, and every fill that it booked."""

    sent: dict[str, Order]
    fills: dict[str, Fill]

    @staticmethod
    def of(events: Iterable[Event]) -> "_Ids":
        sent: dict[str, Order] = {}
        fills: dict[str, Fill] = {}
        for event in events:
            if isinstance(event, OrderSending):
                sent[event.order.client_id] = event.order
            elif isinstance(event, FillBooked):
                fills[event.fill.fill_id] = event.fill
        return _Ids(sent, fills)


def _compared(desk: Desk, state: State, reconcile: Reconcile, ids: _Ids, *, same: bool) -> tuple[Difference, ...]:
    booked = None if same else ids.fills
    return desk.ask(lambda: compare(state, desk.broker, reconcile, sent=ids.sent, booked=booked))


def _resolved(desk: Desk, state: State, order: Order, at: datetime) -> State:
    found = look_up(desk, order.client_id)
    if isinstance(found, BrokerOrder):
        return adopt(desk, state, order, found, at)
    if isinstance(found, NotFound):
        return desk.record(state, OrderOutcome(at, order.client_id, Told.ABSENT, "the broker has no such order"))
    return leave_unknown(desk, state, order, at, "the broker did not say")


def _adopted(desk: Desk, state: State, ids: _Ids, at: datetime) -> State:
    """Record what the broker has and the state lacks: orders that showed late, and closes that no journal saw."""
    for found in desk.ask(desk.broker.orders):
        known = state.orders.get(found.client_id)
        if known is not None and known.told in (None, Told.ABSENT, Told.UNKNOWN):
            state = adopt(desk, state, known.order, found, at)
        elif found.client_id not in ids.sent and _is_close(found, desk.rules.book):
            order = _as_order(found)
            ids.sent[order.client_id] = order
            state = desk.record(state, OrderSending(found.submitted_at, order))
            state = desk.record(state, OrderOutcome(at, order.client_id, Told.ACCEPTED, found.broker_id))
    return state


def _is_close(order: BrokerOrder, book: str) -> bool:
    parts = order.client_id.split("-")
    return len(parts) > 5 and (parts[0], parts[1], parts[3]) == ("at", book, SHUTDOWN)


def _as_order(found: BrokerOrder) -> Order:
    """Return the closing order that the broker tells of. What it was planned at is not known: 0 USD."""
    return Order(
        client_id=found.client_id,
        symbol=found.symbol,
        side=found.side,
        quantity=found.quantity,
        planned_price=_ZERO,
        strategy=SHUTDOWN,
        decision=found.client_id.split("-")[2],
        entry=Entry.AFTER_OPEN,
        reducing=True,
        closing=True,
    )


def _booked(desk: Desk, state: State, ids: _Ids) -> tuple[State, bool]:
    """Book every fill of our orders since the last agreement; brokers tell fills late, twice and in another order.

    Returns also whether the account knows the last one before: if not, it is not what it was, and all are read.
    """
    cursor = state.cursor
    told, same = desk.ask(lambda: fills_since(desk.broker, cursor))
    for fill in told:
        if fill.client_id in ids.sent and fill.fill_id not in ids.fills:
            ids.fills[fill.fill_id] = fill
            state = desk.record(state, FillBooked(fill.at, fill))
    return state, same


def _held_where(desk: Desk, state: State, found: Iterable[Difference], at: datetime) -> State:
    reasons: dict[Symbol, str] = {}
    for one in found:
        reasons.setdefault(one.symbol, str(one))
    for symbol, reason in reasons.items():
        if symbol not in state.held:
            state = desk.record(state, SymbolHeld(at, symbol, reason))
    for symbol in [symbol for symbol in state.held if symbol not in reasons]:
        state = desk.record(state, SymbolReleased(at, symbol, "book and broker agree"))
    return state


def _positions(state: State, broker: Broker, settings: Reconcile) -> Iterator[Difference]:
    theirs = {symbol: one.quantity for symbol, one in broker.positions().items()}
    ours = {symbol: one.quantity for symbol, one in state.book.positions.items()}
    for symbol in sorted({*theirs, *ours}):
        here, there = ours.get(symbol, _ZERO), theirs.get(symbol, _ZERO)
        if not abs(here - there) <= Decimal(repr(settings.qty_tol)):
            yield Difference(
                "position", symbol, here, there, f"{symbol}: {here:f} shares here, {there:f} at the broker"
            )


def _cash(state: State, broker: Broker, settings: Reconcile) -> Iterator[Difference]:
    here, there = state.book.cash, broker.account().cash
    allowed = Decimal(repr(settings.cash_tol)) + state.filled * HALF_A_CENT
    if not abs(here - there) <= allowed:
        yield Difference("cash", CASH, here, there, f"cash: {here:.2f} USD here, {there:.2f} at the broker")


def _orders(state: State, theirs: Mapping[str, BrokerOrder]) -> Iterator[Difference]:
    for name, one in state.orders.items():
        if difference := _order(one, theirs.get(name)):
            yield difference


def _order(one: Tracked, found: BrokerOrder | None) -> Difference | None:
    name, symbol = one.order.client_id, one.order.symbol
    filled = found.filled_quantity if found else _ZERO
    if one.unresolved:
        return Difference("unknown", symbol, one.booked, filled, f"{symbol}: the outcome of {name} is unknown", found)
    if found is None and one.told is Told.ACCEPTED:
        text = f"{symbol}: the broker took {name} and has no such order any more"
        return Difference("fills", symbol, one.booked, filled, text)
    if one.booked != filled or one.booked > one.order.quantity:
        text = f"{symbol}: {one.booked:f} shares of {name} are booked, {filled:f} filled at the broker"
        return Difference("fills", symbol, one.booked, filled, text)
    return None


def _fills(broker: Broker, booked: Mapping[str, Fill]) -> Iterator[Difference]:
    theirs = {fill.fill_id: fill for fill in broker.fills()}
    for name, fill in booked.items():
        found, words = theirs.get(name), f"{fill.symbol}: fill {name} of {fill.client_id} is booked"
        if found is None:
            text = f"{words}, and the account has no such fill"
            yield Difference("fills", fill.symbol, fill.quantity, _ZERO, text)
        elif found != fill:
            there = f"{found.quantity:f} shares of {found.client_id} at {found.price:f}"
            text = f"{words} with {fill.quantity:f} shares at {fill.price:f}; at the account it is {there}"
            yield Difference("fills", fill.symbol, fill.quantity, found.quantity, text)


def _is_foreign(one: BrokerOrder, state: State, sent: Collection[str] | None) -> bool:
    known = one.client_id in (state.orders if sent is None else sent)
    if known or not one.status.final:
        return not known
    return sent is not None and (state.agreed is None or one.submitted_at > state.agreed)


def _foreign(one: BrokerOrder) -> Difference:
    text = f"{one.symbol}: the journal has no {one.client_id}, to {one.side.value} {one.quantity:f}, {one.status.value}"
    return Difference("foreign", one.symbol, _ZERO, one.filled_quantity, text)
