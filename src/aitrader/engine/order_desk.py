"""Sends approved orders, each once: the intent is committed before the request leaves, and no outcome is guessed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, TypeGuard

from aitrader.brokers.broker import Outcome
from aitrader.domain.events import Latch, Latched, OrderOutcome, OrderRefused, OrderSending, SymbolHeld, Told
from aitrader.domain.orders import Accepted, ApprovedOrder, BrokerOrder, NotFound, Order, Refused, Side, Unknown
from aitrader.domain.symbols import Symbol
from aitrader.engine.desk import Desk
from aitrader.engine.schedule import Window
from aitrader.engine.state import State
from aitrader.errors import BrokerError
from aitrader.risk.breakers import bursts

LOOK_UPS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds to wait before each look-up of an order whose outcome is unknown."""

ATTEMPTS: Final = 3
"""How often one id is sent at most: a broker takes an id once, so that this cannot make two orders."""

DUPLICATE: Final = "duplicate_client_id"
"""How a broker refuses an id that it accepted before."""

MINUTE: Final = timedelta(minutes=1)

Totals = Mapping[tuple[Symbol, Side], Decimal]


@dataclass(frozen=True, slots=True)
class _Errand:
    """What holds for all orders of one call: when it began, what may leave at most, and the window's end."""

    at: datetime
    most: Totals
    until: datetime | None


def send(
    desk: Desk,
    state: State,
    approved: Iterable[ApprovedOrder],
    at: datetime,
    *,
    wanted: Iterable[Order] = (),
    window: Window | None = None,
) -> State:
    """Send ``approved`` in their order, and return the state with what is known of them.

    ``wanted`` are all orders of the decision: shares beyond them shut HALT. Only closing orders need not be among
    them: they are bounded by what is held. Latches, holds and the end of the ``window`` are read before each
    request. An order whose outcome stays unknown holds its symbol, and the others go on.
    """
    errand = _Errand(at, _totals(wanted), window.closes if window else None)
    for one in approved:
        order = one.order
        if not order.closing:
            _pace(desk, state, at)
        excess = _excess(state, order, errand.most)
        if excess:
            state = desk.shut(state, Latched(desk.time(at), Latch.HALT, "orders_out", excess))
            state = refuse(desk, state, OrderRefused(at, order.decision, order.client_id, "orders_out", excess))
            continue
        state = halt_on_bursts(desk, _deliver(desk, state, one, errand), at)
    return state


def halt_on_bursts(desk: Desk, state: State, at: datetime) -> State:
    """Shut HALT where the broker refused, or left unknown, more orders than may be."""
    breach = bursts(rejects=state.meters.rejects, unknown=state.meters.unknown, limits=desk.rules.risk)
    if breach is None or Latch.HALT in state.latches:
        return state
    return desk.shut(state, Latched(desk.time(at), Latch.HALT, breach.code, breach.reason))


def refuse(desk: Desk, state: State, row: OrderRefused) -> State:
    """Record a refusal, but not the same one again: a turn that is run twice reviews twice."""
    return state if state.refused.get(row.client_id) == row.code else desk.record(state, row)


def look_up(desk: Desk, client_id: str) -> BrokerOrder | NotFound | None:
    """Return what the broker says of an order that it may have; None where it does not say.

    An order may show late: only after the last look-up is it absent. A failed look-up says nothing.
    """
    answer: BrokerOrder | NotFound | None = None
    for seconds in LOOK_UPS:
        desk.wait(seconds)
        try:
            answer = desk.broker.find(client_id)
        except BrokerError:
            answer = None
        if isinstance(answer, BrokerOrder):
            return answer
    return answer


def adopt(desk: Desk, state: State, order: Order, found: BrokerOrder, at: datetime) -> State:
    """Record that the broker has ``order``; one of that id that says something else shuts HALT and holds its symbol."""
    if (found.symbol, found.side, found.quantity) == (order.symbol, order.side, order.quantity):
        return desk.record(state, OrderOutcome(at, order.client_id, Told.ACCEPTED, found.broker_id))
    reason = (
        f"the broker's {order.client_id} is to {found.side.value} {found.quantity} {found.symbol}, "
        f"ours to {order.side.value} {order.quantity} {order.symbol}"
    )
    state = leave_unknown(desk, state, order, at, reason)
    return state if Latch.HALT in state.latches else desk.shut(state, Latched(at, Latch.HALT, "order_mismatch", reason))


def leave_unknown(desk: Desk, state: State, order: Order, at: datetime, reason: str) -> State:
    """Record that nobody knows what became of ``order``, and hold its symbol."""
    known = state.orders.get(order.client_id)
    if known is None or known.told is not Told.UNKNOWN:
        state = desk.record(state, OrderOutcome(at, order.client_id, Told.UNKNOWN, reason))
    if order.symbol in state.held:
        return state
    return desk.record(state, SymbolHeld(at, order.symbol, f"the outcome of {order.client_id} is unknown: {reason}"))


def _deliver(desk: Desk, state: State, one: ApprovedOrder, errand: _Errand) -> State:
    """Send one order, the same id again where the broker answered that it has none, until its outcome is known."""
    order = one.order
    reason = ""
    for attempt in range(ATTEMPTS):
        now = desk.time(errand.at)
        stop = _stopped(desk, state, order, errand)
        if stop:
            return refuse(desk, state, OrderRefused(now, order.decision, order.client_id, *stop))
        state = desk.record(state, OrderSending(now, order))
        answer = _submit(desk, one)
        if isinstance(answer, Accepted):
            return desk.record(
                state, OrderOutcome(desk.time(errand.at), order.client_id, Told.ACCEPTED, answer.broker_id)
            )
        if _refused(answer):
            detail = f"{answer.code}: {answer.reason}"
            return desk.record(state, OrderOutcome(desk.time(errand.at), order.client_id, Told.REFUSED, detail))
        reason = answer.reason
        found = look_up(desk, order.client_id)
        now = desk.time(errand.at)
        if isinstance(found, BrokerOrder):
            return adopt(desk, state, order, found, now)
        if found is None or isinstance(answer, Refused) or attempt == ATTEMPTS - 1:
            break
        state = desk.record(state, OrderOutcome(now, order.client_id, Told.ABSENT, f"{reason}; the broker has none"))
    return leave_unknown(desk, state, order, desk.time(errand.at), reason)


def _refused(answer: Refused | Unknown) -> TypeGuard[Refused]:
    """Say whether the broker does not want the order; that it has one of that id is no such answer."""
    return isinstance(answer, Refused) and answer.code != DUPLICATE


def _submit(desk: Desk, one: ApprovedOrder) -> Outcome:
    try:
        return desk.broker.submit(one)
    except BrokerError as error:
        return Unknown(str(error))


def _stopped(desk: Desk, state: State, order: Order, errand: _Errand) -> tuple[str, str] | None:
    """Return the code and the sentence that keep ``order`` from leaving now."""
    if order.closing:
        return None
    latches = desk.latches(state)
    if Latch.HALT in latches:
        return "halt", "HALT is shut: only the closes of emergency-shutdown leave"
    if Latch.HALT_ENTRIES in latches and not order.reducing:
        return "halt_entries", "HALT_ENTRIES is shut: only orders that reduce a position leave"
    held = state.why_held(order)
    if held:
        return "hold", held
    now = desk.time(errand.at)
    if errand.until is not None and now >= errand.until:
        return "session_window", f"it is {now:%H:%M:%S} UTC, the window closed at {errand.until:%H:%M:%S}"
    return None


def _pace(desk: Desk, state: State, at: datetime) -> None:
    """Wait until one more order keeps within ``risk.max_orders_per_min``."""
    most, now = desk.rules.risk.max_orders_per_min, desk.time(at)
    recent = [sent for sent in state.meters.recent if now - sent < MINUTE]
    if len(recent) >= most:
        desk.wait((recent[-most] + MINUTE - now).total_seconds())


def _totals(orders: Iterable[Order]) -> Totals:
    sums: dict[tuple[Symbol, Side], Decimal] = {}
    for order in orders:
        key = (order.symbol, order.side)
        sums[key] = sums.get(key, Decimal(0)) + order.quantity
    return sums


def _excess(state: State, order: Order, most: Totals) -> str | None:
    """Return the sentence that says that more shares would leave than the decision wanted."""
    if order.closing:
        return None
    out = (
        one.order.quantity
        for one in state.orders.values()
        if (one.order.symbol, one.order.side, one.order.decision) == (order.symbol, order.side, order.decision)
        and one.told not in (Told.ABSENT, Told.REFUSED)
    )
    total, wanted = sum(out, order.quantity), most.get((order.symbol, order.side), Decimal(0))
    if total <= wanted:
        return None
    return f"{order.client_id} would be one more: {order.side.value} {total} {order.symbol} in all, {wanted} are wanted"
