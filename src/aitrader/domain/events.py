"""The rows of the journal: what was run, decided, refused, sent and filled. Append-only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from aitrader.domain.orders import Fill, Order
from aitrader.domain.symbols import Symbol


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
    """What the broker answered: ``accepted``, ``refused`` or ``unknown``."""

    at: datetime
    client_id: str
    outcome: str
    detail: str


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


Event = (
    DecisionMade | DecisionRefused | OrderRefused | OrderSending | OrderOutcome | FillBooked | ActionBooked | BookValued
)
