"""A broker that fails as it is told to: answers get lost, come late or unreadable, and fills come twice."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from random import Random
from typing import Any, Final, TypeVar

from aitrader.brokers.broker import Broker, Market, Outcome
from aitrader.config.fields import Section, Share
from aitrader.config.section import parse_section
from aitrader.domain.orders import Accepted, ApprovedOrder, BrokerOrder, Fill, NotFound, Unknown
from aitrader.domain.positions import Account, Position
from aitrader.domain.symbols import Symbol
from aitrader.errors import BrokerError

T = TypeVar("T")


class Fault(StrEnum):
    """What goes wrong with one call.

    ``accept_then_drop``: done, and the connection lost before the answer; ``drop_before``: lost before it was done.
    ``error_after``, ``error_before``: the same with a server error for an answer. ``delay``: done and not answered,
    and ``find`` and ``orders`` do not see the order the next two times. ``unreadable``: done, and the answer is not
    one. ``duplicate_fills``: the last fill known, and every new one twice; ``reorder_fills``: the newest first.
    """

    ACCEPT_THEN_DROP = "accept_then_drop"
    DROP_BEFORE = "drop_before"
    ERROR_AFTER = "error_after"
    ERROR_BEFORE = "error_before"
    DELAY = "delay"
    UNREADABLE = "unreadable"
    DUPLICATE_FILLS = "duplicate_fills"
    REORDER_FILLS = "reorder_fills"


LAG: Final = 2
"""Looks at a delayed order that do not find it."""

_REASONS: Final = {
    Fault.ACCEPT_THEN_DROP: "the connection was reset",
    Fault.DROP_BEFORE: "the connection was reset",
    Fault.ERROR_AFTER: "504 Gateway Timeout",
    Fault.ERROR_BEFORE: "503 Service Unavailable",
    Fault.DELAY: "no answer in 10 s",
    Fault.UNREADABLE: "an answer of 200 OK that is not JSON",
}
_BEFORE: Final = (Fault.DROP_BEFORE, Fault.ERROR_BEFORE)
_LOST: Final = (Fault.DROP_BEFORE, Fault.ERROR_BEFORE, Fault.UNREADABLE)
_SENDING: Final = tuple(_REASONS)
FAULTS_OF: Final[Mapping[str, tuple[Fault, ...]]] = {
    "submit": _SENDING,
    "cancel": tuple(fault for fault in _SENDING if fault is not Fault.DELAY),
    "account": _LOST,
    "positions": _LOST,
    "orders": _LOST,
    "find": _LOST,
    "fills": (*_LOST, Fault.DUPLICATE_FILLS, Fault.REORDER_FILLS),
    "market": _LOST,
}
"""What can go wrong with each method."""

Plan = Callable[[str, int], Fault | None]
"""What goes wrong with the n-th call (from 1) of a method; None: nothing."""


class FaultSettings(Section):
    """How often a broker fails, in which ways, and with which dice."""

    seed: int = 0
    """The same seed gives the same faults to the same runs."""
    rate: Share = 0.2
    """Share of the calls that fail."""
    kinds: tuple[Fault, ...] = tuple(Fault)
    """What may go wrong."""


def listed(faults: Mapping[tuple[str, int], Fault]) -> Plan:
    """Return the plan in which exactly ``faults`` happen, by method and number of its call.

    Raises
    ------
    ValueError
        A fault that its method cannot have.
    """
    for (method, _), fault in faults.items():
        if fault not in FAULTS_OF[method]:
            raise ValueError(f"{fault} cannot happen to {method}; what can: {', '.join(FAULTS_OF[method])}")
    return lambda method, number: faults.get((method, number))


def seeded(settings: FaultSettings, run: int = 0) -> Plan:
    """Return the plan in which a share of all calls fails at random, each call for itself.

    ``run`` is what differs from one run to the next: without it every run would fail at the same call, and none would
    get beyond it.
    """

    def plan(method: str, number: int) -> Fault | None:
        dice = Random(f"{settings.seed} {run} {method} {number}")  # noqa: S311 - faults, not secrets
        possible = [fault for fault in FAULTS_OF[method] if fault in settings.kinds]
        return dice.choice(possible) if possible and dice.random() < settings.rate else None

    return plan


def fault_settings(settings: Mapping[str, Any]) -> FaultSettings | None:
    """Return what the user's ``account.faults`` say; None where they are empty.

    Raises
    ------
    ConfigError
        A setting is wrong. Ask before the account is touched.
    """
    return parse_section(FaultSettings, settings, "account.faults") if settings else None


def wrap(broker: Broker, settings: FaultSettings, run: int) -> "FaultyBroker":
    """Return ``broker`` with the faults that ``settings`` ask for. ``run``: rows in the journal when the run began."""
    return FaultyBroker(broker, seeded(settings, run))


class FaultyBroker:
    """Any broker, seen through a bad connection. What it loses is ``Unknown``, or a ``BrokerError`` of a reading."""

    def __init__(self, inner: Broker, plan: Plan) -> None:
        self._inner = inner
        self._plan = plan
        self._calls: Counter[str] = Counter()
        self._late: dict[str, int] = {}

    def account(self) -> Account:
        """Return number, cash and equity."""
        return self._read("account", self._inner.account)

    def positions(self) -> Mapping[Symbol, Position]:
        """Return what is held."""
        return self._read("positions", self._inner.positions)

    def orders(self, since: datetime | None = None) -> list[BrokerOrder]:
        """Return every order submitted at or after ``since`` that is not delayed, oldest first."""
        orders = self._read("orders", lambda: self._inner.orders(since))
        return [order for order in orders if not self._delayed(order.client_id)]

    def find(self, client_id: str) -> BrokerOrder | NotFound:
        """Return the order of that id, unless it is delayed."""
        found = self._read("find", lambda: self._inner.find(client_id))
        return NotFound(client_id) if self._delayed(client_id) else found

    def fills(self, after: str | None = None) -> list[Fill]:
        """Return the fills after the one with id ``after``."""
        fault = self._next("fills")
        fills = self._answered("fills", fault, lambda: self._inner.fills(after))
        if fault is Fault.REORDER_FILLS:
            return fills[::-1]
        if fault is Fault.DUPLICATE_FILLS:
            known = [fill for fill in self._inner.fills() if fill.fill_id == after]
            return [*known, *(fill for fill in fills for _ in range(2))]
        return fills

    def submit(self, approved: ApprovedOrder) -> Outcome:
        """Take one order, or refuse it, or leave it open which."""
        return self._send("submit", approved.order.client_id, lambda: self._inner.submit(approved))

    def cancel(self, client_id: str) -> Outcome:
        """Cancel what is still open of an order, or leave it open whether."""
        return self._send("cancel", client_id, lambda: self._inner.cancel(client_id))

    def market(self, symbols: Sequence[Symbol] = ()) -> Market:
        """Return the venue's time, session and quotes."""
        return self._read("market", lambda: self._inner.market(symbols))

    def _next(self, method: str) -> Fault | None:
        self._calls[method] += 1
        return self._plan(method, self._calls[method])

    def _read(self, method: str, read: Callable[[], T]) -> T:
        return self._answered(method, self._next(method), read)

    def _answered(self, method: str, fault: Fault | None, read: Callable[[], T]) -> T:
        if fault in _LOST:
            raise BrokerError(f"The broker did not answer {method}: {_REASONS[fault]}.", fix="Run the command again.")
        return read()

    def _send(self, method: str, client_id: str, send: Callable[[], Outcome]) -> Outcome:
        fault = self._next(method)
        if fault in _BEFORE:
            return Unknown(_REASONS[fault])
        outcome = send()
        if fault is None:
            return outcome
        if fault is Fault.DELAY and isinstance(outcome, Accepted):
            self._late[client_id] = LAG
        return Unknown(_REASONS[fault])

    def _delayed(self, client_id: str) -> bool:
        left = self._late.pop(client_id, 0)
        if left > 1:
            self._late[client_id] = left - 1
        return left > 0
