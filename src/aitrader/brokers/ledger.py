"""What a simulated account did and what that adds up to: a fold of its rows, so that a file of them is the account."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import singledispatchmethod

import numpy as np
from numpy.typing import NDArray

from aitrader.domain.events import ActionBooked
from aitrader.domain.instruments import exact_price
from aitrader.domain.orders import BrokerOrder, Fill, Order, OrderStatus
from aitrader.domain.positions import Book
from aitrader.domain.settlement import Settlement
from aitrader.domain.symbols import Symbol


@dataclass(frozen=True, slots=True)
class OrderTaken:
    """The account accepted an order."""

    at: datetime
    order: Order
    broker_id: str


@dataclass(frozen=True, slots=True)
class OrderMet:
    """The order met its session's price and filled nothing: without a price, a usual volume or money for it."""

    at: datetime
    client_id: str


@dataclass(frozen=True, slots=True)
class OrderEnded:
    """Nothing more happens to the order: it is canceled or expired."""

    at: datetime
    client_id: str
    status: OrderStatus


@dataclass(frozen=True, slots=True)
class SessionBegun:
    """What was sold before this session is settled; its corporate actions follow."""

    at: datetime
    session: date


Row = OrderTaken | OrderMet | OrderEnded | SessionBegun | ActionBooked | Fill
"""Everything that can happen to a simulated account."""


@dataclass(slots=True)
class Sent:
    """An accepted order and what became of it; ``met``: its session filled what it ever will."""

    order: Order
    broker_id: str
    submitted_at: datetime
    status: OrderStatus = OrderStatus.OPEN
    filled: Decimal = field(default=Decimal(0))
    met: bool = False

    def told(self) -> BrokerOrder:
        """Return the order as the broker tells it."""
        order = self.order
        return BrokerOrder(
            broker_id=self.broker_id,
            client_id=order.client_id,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            filled_quantity=self.filled,
            status=self.status,
            submitted_at=self.submitted_at,
        )


class Ledger:
    """The rows of one account, and what they add up to. The marks alone, the prices of what is held, are not rows."""

    def __init__(self, cash: Decimal, *, settles_later: bool) -> None:
        self._settles_later = settles_later
        self.book = Book(cash)
        self.settlement = Settlement()
        self.marks: dict[Symbol, Decimal] = {}
        self.sent: dict[str, Sent] = {}
        self.open: dict[str, Sent] = {}
        self.fills: list[Fill] = []
        self.fill_numbers: dict[str, int] = {}
        self.rows: list[Row] = []

    def record(self, row: Row) -> None:
        """Let one more thing happen."""
        self._apply(row)
        self.rows.append(row)

    def mark(self, prices: NDArray[np.float64], places: Mapping[Symbol, int]) -> None:
        """Value the holdings at ``prices``; a holding without one keeps its last mark."""
        for symbol in self.book.positions:
            place = places.get(symbol)
            price = None if place is None else exact_price(float(prices[place]))
            if price is not None:
                self.marks[symbol] = price

    @property
    def waiting(self) -> Sequence[Sent]:
        """The open orders that have not met their price yet, oldest first."""
        return [sent for sent in self.open.values() if not sent.met]

    @singledispatchmethod
    def _apply(self, row: Row) -> None:
        raise TypeError(f"{type(row).__name__} is no row of an account")

    @_apply.register
    def _(self, row: OrderTaken) -> None:
        sent = Sent(row.order, row.broker_id, row.at)
        self.sent[row.order.client_id] = self.open[row.order.client_id] = sent

    @_apply.register
    def _(self, row: OrderMet) -> None:
        self.sent[row.client_id].met = True

    @_apply.register
    def _(self, row: OrderEnded) -> None:
        self.open.pop(row.client_id).status = row.status

    @_apply.register
    def _(self, row: SessionBegun) -> None:
        del row
        self.settlement = self.settlement.next_session()

    @_apply.register
    def _(self, row: ActionBooked) -> None:
        self.book = self.book.after_action(row.symbol, row.kind, row.value)
        self.settlement = self.settlement.after_action(row.symbol, row.kind, row.value)
        if row.kind == "split":
            self.marks[row.symbol] /= Decimal(repr(row.value))

    @_apply.register
    def _(self, row: Fill) -> None:
        if row.symbol not in self.book.positions:
            self.marks[row.symbol] = row.price
        if self._settles_later:
            self.settlement = self.settlement.after_fill(row, cash=self.book.cash)
        self.book = self.book.after_fill(row)
        self.fills.append(row)
        self.fill_numbers[row.fill_id] = len(self.fills)
        sent = self.sent[row.client_id]
        sent.filled += row.quantity
        sent.met = True
        done = sent.filled == sent.order.quantity
        sent.status = OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED
        if done:
            del self.open[row.client_id]
