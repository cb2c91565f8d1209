"""An account that takes orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from aitrader.domain.orders import Accepted, ApprovedOrder, BrokerOrder, Fill, NotFound, Order, Refused, Unknown
from aitrader.domain.positions import Account, Position
from aitrader.domain.quotes import Quote
from aitrader.domain.symbols import Symbol
from aitrader.errors import UnknownFillError

Outcome = Accepted | Refused | Unknown
"""The three things that can have happened to a request."""


@dataclass(frozen=True, slots=True)
class Market:
    """The venue as the broker sees it: its time (UTC), the session that is open (None: closed), quotes.

    A symbol without a current quote is absent from ``quotes``; ``tradable`` are those of the asked symbols that the
    broker takes orders for.
    """

    at: datetime
    session: date | None
    quotes: Mapping[Symbol, Quote]
    tradable: frozenset[Symbol]


class Broker(Protocol):
    """An account that takes orders.

    Every reading method returns all there is or raises ``BrokerError``: an empty answer means that nothing is there.
    """

    def account(self) -> Account:
        """Return number, cash and equity; equity at the broker's own last prices."""
        ...

    def positions(self) -> Mapping[Symbol, Position]:
        """Return what is held; no position of zero shares."""
        ...

    def orders(self, since: datetime | None = None) -> list[BrokerOrder]:
        """Return open and closed orders submitted at or after ``since``, oldest first."""
        ...

    def find(self, client_id: str) -> BrokerOrder | NotFound:
        """Return the order of that id, or the broker's word that it has none."""
        ...

    def fills(self, after: str | None = None) -> list[Fill]:
        """Return the fills after the one with id ``after`` (None: all), in the order in which they happened.

        Raises
        ------
        UnknownFillError
            No fill has the id ``after``.
        """
        ...

    def submit(self, approved: ApprovedOrder) -> Outcome:
        """Send one order once. An id that was accepted before is refused for ever, code ``duplicate_client_id``."""
        ...

    def cancel(self, client_id: str) -> Outcome:
        """Cancel what is still open of an order; refused where nothing is (``not_found``, ``final``)."""
        ...

    def market(self, symbols: Sequence[Symbol] = ()) -> Market:
        """Return the venue's time and session, and the quotes of ``symbols``."""
        ...


def fills_since(broker: Broker, known: str | None) -> tuple[list[Fill], bool]:
    """Return the fills after the one with id ``known``, and True; all of them, and False, where it is none of them."""
    try:
        return broker.fills(after=known), True
    except UnknownFillError:
        return broker.fills(), False


def request_body(order: Order) -> dict[str, str]:
    """Return the request that says ``order``, as text; ``ApprovedOrder.covers`` checks it before it leaves."""
    return {
        "client_order_id": order.client_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "qty": f"{order.quantity:f}",
    }
