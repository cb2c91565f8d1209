"""Sends approved orders, each once: the intent is committed before the request leaves."""

from collections.abc import Iterable
from datetime import datetime

from aitrader.domain.events import Latch, Latched, OrderOutcome, OrderRefused, OrderSending, SymbolHeld, Told
from aitrader.domain.orders import Accepted, ApprovedOrder, Order, Refused
from aitrader.engine.desk import Desk
from aitrader.engine.state import State
from aitrader.risk.breakers import bursts


def send(desk: Desk, state: State, approved: Iterable[ApprovedOrder], at: datetime) -> State:
    """Send ``approved`` in their order, and return the state with what the broker answered.

    The latches are read before each order. An unknown outcome holds its symbol, and the others go on.
    """
    for one in approved:
        code = _stopped(desk, state, one.order)
        if code:
            order = one.order
            state = desk.record(
                state, OrderRefused(at, order.decision, order.client_id, code, f"{code} is shut: nothing leaves")
            )
            continue
        state = _send(desk, state, one, at)
        breach = bursts(rejects=state.meters.rejects, unknown=state.meters.unknown, limits=desk.rules.risk)
        if breach and Latch.HALT not in state.latches:
            state = desk.shut(state, Latched(at, Latch.HALT, breach.code, breach.reason))
    return state


def _stopped(desk: Desk, state: State, order: Order) -> str | None:
    latches = desk.latches(state)
    if Latch.HALT in latches and not order.closing:
        return "halt"
    if Latch.HALT_ENTRIES in latches and not order.reducing:
        return "halt_entries"
    return None


def _send(desk: Desk, state: State, one: ApprovedOrder, at: datetime) -> State:
    order = one.order
    state = desk.record(state, OrderSending(at, order))
    outcome = desk.broker.submit(one)
    match outcome:
        case Accepted(broker_id):
            return desk.record(state, OrderOutcome(at, order.client_id, Told.ACCEPTED, broker_id))
        case Refused(code, reason):
            return desk.record(state, OrderOutcome(at, order.client_id, Told.REFUSED, f"{code}: {reason}"))
        case _:
            state = desk.record(state, OrderOutcome(at, order.client_id, Told.UNKNOWN, outcome.reason))
            return desk.record(state, SymbolHeld(at, order.symbol, f"the outcome of {order.client_id} is unknown"))
