"""An intention to trade, what passed review, and what the market did with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Never, final

from aitrader.domain.symbols import Symbol


class Side(StrEnum):
    """Which way an order goes."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


class Entry(StrEnum):
    """When a decision enters the market; see the setting ``execution.entry``."""

    OPEN_AUCTION = "open_auction"
    AFTER_OPEN = "after_open"
    CLOSE_AUCTION = "close_auction"
    VWAP = "vwap"


@dataclass(frozen=True, slots=True)
class Order:
    """An intention: ``quantity`` shares, at about ``planned_price`` USD (the price it was sized with).

    ``reducing`` says that it only brings the position closer to zero, ``closing`` that ``emergency-shutdown`` made it:
    the only kind of order that passes a HALT.
    """

    client_id: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    planned_price: Decimal
    strategy: str
    decision: str
    entry: Entry
    reducing: bool = False
    closing: bool = False

    @property
    def notional(self) -> Decimal:
        """Value at the planned price, USD, positive."""
        return self.quantity * self.planned_price

    @property
    def signed_quantity(self) -> Decimal:
        """Shares with the side's sign."""
        return self.side.sign * self.quantity


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the serialised request may say at most: shares, and USD per share from ``low`` to ``high``."""

    quantity: Decimal
    low: Decimal
    high: Decimal


@final
@dataclass(frozen=True, slots=True, init=False)
class ApprovedOrder:
    """An order that passed every limit. Only ``risk.review`` makes one, through ``domain.approval``."""

    order: Order
    bounds: Bounds

    def __init__(self, made_by_review: Never) -> None:
        raise TypeError("ApprovedOrder is made by risk.review() only")

    def covers(self, body: Mapping[str, str]) -> bool:
        """Say whether the request about to be sent is the approved order, or less of it.

        ``body`` holds ``client_order_id``, ``symbol``, ``side``, ``qty`` and perhaps ``limit_price`` as text.
        """
        try:
            quantity = Decimal(body["qty"])
            limit = Decimal(body["limit_price"]) if "limit_price" in body else self.bounds.low
        except (KeyError, InvalidOperation):
            return False
        if not (quantity.is_finite() and limit.is_finite()):
            return False
        named = (body.get("client_order_id"), body.get("symbol"), body.get("side"))
        return (
            named == (self.order.client_id, self.order.symbol, self.order.side.value)
            and 0 < quantity <= self.bounds.quantity
            and self.bounds.low <= limit <= self.bounds.high
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """An order that a limit forbids. ``code`` is the limit's name, ``reason`` a sentence with the numbers."""

    order: Order
    code: str
    reason: str


class OrderStatus(StrEnum):
    """Where an order stands at the broker."""

    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"

    @property
    def final(self) -> bool:
        """Whether nothing can happen to the order any more."""
        return self not in (OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED)


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker tells it."""

    broker_id: str
    client_id: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    filled_quantity: Decimal
    status: OrderStatus
    submitted_at: datetime


@dataclass(frozen=True, slots=True)
class Fill:
    """What the market did: ``quantity`` shares (positive) at ``price`` USD, ``fee`` USD paid."""

    fill_id: str
    client_id: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    """The broker has the order."""

    broker_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker will not have the order, for the reason it gave."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows whether the broker has the order."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotFound:
    """The broker answered, and knows no order of that id."""

    client_id: str


def client_order_id(
    book: str, decision: str, strategy: str, symbol: Symbol, *, side: Side, number: int, leg: str = "e"
) -> str:
    """Return the id that makes an order recognisable: a function of the decision, never of the clock.

    >>> client_order_id("main", "20260105", "top5", Symbol("BTC/USD"), side=Side.BUY, number=3)
    'at-main-20260105-top5-BTC_USD-buy-e-3'
    """
    return f"at-{book}-{decision}-{strategy}-{symbol.replace('/', '_')}-{side.value}-{leg}-{number}"
