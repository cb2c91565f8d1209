"""The rows of the journal: what was run, decided, refused, sent and filled. Append-only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from aitrader.domain.orders import Fill, Order, OrderStatus
from aitrader.domain.symbols import Symbol


class Latch(StrEnum):
    """What stays shut until a person opens it: all orders, or those that add risk."""

    HALT = "HALT"
    HALT_ENTRIES = "HALT_ENTRIES"


class Told(StrEnum):
    """What is known about an order that was about to leave; ``absent``: the broker answered that it has none."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A command began to work on the book. ``config`` is the hash of its settings."""

    at: datetime
    run_id: str
    command: str
    config: str
    lake_version: int | None


@dataclass(frozen=True, slots=True)
class RunEnded:
    """How a command ended: ``status`` and ``exit_code`` as the shell saw them, and the ``reason`` where it failed."""

    at: datetime
    run_id: str
    command: str
    status: str
    exit_code: int
    reason: str


@dataclass(frozen=True, slots=True)
class BookOpened:
    """The first row: the account as it was found, without positions and with ``cash`` USD."""

    at: datetime
    account: str
    cash: Decimal


@dataclass(frozen=True, slots=True)
class BookAdjusted:
    """A person accepted the broker's word: ``quantity`` shares of ``symbol`` and ``cash`` USD were added (or taken)."""

    at: datetime
    symbol: Symbol | None
    quantity: Decimal
    cash: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """The corporate actions of ``session`` are booked, and what settles on it is settled; orders may follow."""

    at: datetime
    session: date


@dataclass(frozen=True, slots=True)
class DecisionMade:
    """Target weights (signed fractions of equity) by strategy and symbol, with the orders they lead to.

    ``models`` maps a model's name to the version that predicted; ``notes`` say what the sizing left out or shrank.
    """

    at: datetime
    decision: str
    session: date
    equity: float
    targets: Mapping[str, Mapping[Symbol, float]]
    models: Mapping[str, str]
    orders: tuple[Order, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DecisionRefused:
    """A decision was due and could not be made: the book stays as it is. ``reason`` is the error's sentence."""

    at: datetime
    decision: str
    session: date
    reason: str


@dataclass(frozen=True, slots=True)
class OrderRefused:
    """A limit forbade an order."""

    at: datetime
    decision: str
    client_id: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class OrderSending:
    """An order is about to leave: committed before the request does."""

    at: datetime
    order: Order


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """What the broker answered; ``detail`` is its own id of an accepted order, else its reason."""

    at: datetime
    client_id: str
    outcome: Told
    detail: str


@dataclass(frozen=True, slots=True)
class OrderObserved:
    """The broker's word on an order it has: where it stands, and how many shares of it were ``filled`` so far."""

    at: datetime
    client_id: str
    broker_id: str
    status: OrderStatus
    filled: Decimal


@dataclass(frozen=True, slots=True)
class FillBooked:
    """A fill changed the book."""

    at: datetime
    fill: Fill


@dataclass(frozen=True, slots=True)
class ActionBooked:
    """A corporate action changed the book: ``split`` (``value``: ratio) or ``dividend`` (USD per share)."""

    at: datetime
    symbol: Symbol
    kind: str
    value: float


@dataclass(frozen=True, slots=True)
class BookValued:
    """The book at a session's close: ``equity``, ``cash``, ``gross`` and ``net`` exposure in USD."""

    at: datetime
    session: date
    equity: float
    cash: float
    gross: float
    net: float


@dataclass(frozen=True, slots=True)
class SymbolHeld:
    """No order of ``symbol`` leaves until it is released: what is known about it does not agree."""

    at: datetime
    symbol: Symbol
    reason: str


@dataclass(frozen=True, slots=True)
class SymbolReleased:
    """Orders of ``symbol`` may leave again."""

    at: datetime
    symbol: Symbol
    reason: str


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The book was compared with the broker's; ``differences`` are sentences, none if they agree."""

    at: datetime
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Latched:
    """A latch shut. ``code`` names the control, or ``operator``."""

    at: datetime
    latch: Latch
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unlatched:
    """A person opened a latch."""

    at: datetime
    latch: Latch
    reason: str


Event = (
    RunStarted
    | RunEnded
    | BookOpened
    | BookAdjusted
    | SessionOpened
    | DecisionMade
    | DecisionRefused
    | OrderRefused
    | OrderSending
    | OrderOutcome
    | OrderObserved
    | FillBooked
    | ActionBooked
    | BookValued
    | SymbolHeld
    | SymbolReleased
    | Reconciled
    | Latched
    | Unlatched
)
