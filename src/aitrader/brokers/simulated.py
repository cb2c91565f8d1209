"""A cash account in memory whose orders meet the bars of past sessions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aitrader.brokers.broker import Market, Outcome, request_body
from aitrader.config.schema import Costs
from aitrader.domain.events import ActionBooked
from aitrader.domain.instruments import exact_price
from aitrader.domain.orders import (
    Accepted,
    ApprovedOrder,
    BrokerOrder,
    Entry,
    Fill,
    NotFound,
    Order,
    OrderStatus,
    Refused,
    Side,
)
from aitrader.domain.positions import Account, Book, Position
from aitrader.domain.quotes import Quote
from aitrader.domain.symbols import Symbol
from aitrader.errors import BrokerError
from aitrader.quant.costs import commission, cost_rate, half_spread
from aitrader.quant.fills import Bar, fill_price, fillable, reference_price

AFTER_OPEN: Final = timedelta(minutes=5)
_AT_OPEN: Final = (Entry.OPEN_AUCTION, Entry.AFTER_OPEN)


@dataclass(frozen=True, slots=True)
class SessionBars:
    """One session of every symbol, as the venue knows it.

    Arrays hold one value per symbol, at the place that ``places`` gives: prices as traded in USD, NaN where the
    symbol did not trade; ``volume20`` is the mean daily volume of the 20 sessions *before*, in shares. ``opened``
    and ``closes`` are UTC.
    """

    session: date
    opened: datetime
    closes: datetime
    places: Mapping[Symbol, int]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    vwap: NDArray[np.float64]
    volume20: NDArray[np.float64]

    def bar(self, symbol: Symbol) -> Bar:
        """Return the prices of one symbol; ``KeyError`` for an unknown one."""
        place = self.places[symbol]
        columns = (self.open, self.high, self.low, self.close, self.vwap)
        return Bar(*(float(column[place]) for column in columns))

    def price(self, prices: NDArray[np.float64], symbol: Symbol) -> Decimal | None:
        """Return one of ``prices`` as money; None where the symbol is unknown or did not trade."""
        place = self.places.get(symbol)
        return None if place is None else exact_price(float(prices[place]))


@dataclass(slots=True)
class _Sent:
    """An accepted order and what became of it."""

    order: Order
    broker_id: str
    submitted_at: datetime
    status: OrderStatus = OrderStatus.OPEN
    filled: Decimal = field(default=Decimal(0))

    def told(self) -> BrokerOrder:
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


class SimulatedBroker:
    """A cash account: no shorts, no borrowed money, day orders only, proceeds of sells at once to spend.

    The venue is driven from outside, session by session: ``open_session``, then orders, then ``close_session``.
    Orders that enter at the open are filled when they are submitted, the others at the close; what the volume cap
    leaves, and whatever meets no price, expires at the close. Prices and volumes of the running session after its
    open are used by the close only. Fill prices have six decimals, fees are whole cents.
    """

    def __init__(self, number: str, cash: Decimal, costs: Costs) -> None:
        self._number = number
        self._book = Book(cash)
        self._costs = costs
        self._bars: SessionBars | None = None
        self._now: datetime | None = None
        self._open = False
        self._marks: dict[Symbol, Decimal] = {}
        self._sent: dict[str, _Sent] = {}
        self._today: list[_Sent] = []
        self._waiting: list[_Sent] = []
        self._fills: list[Fill] = []
        self._fill_numbers: dict[str, int] = {}

    @property
    def book(self) -> Book:
        """Cash and positions."""
        return self._book

    def open_session(self, bars: SessionBars, actions: Iterable[ActionBooked] = ()) -> tuple[ActionBooked, ...]:
        """Open a session: first the corporate actions with this ex-date, then the market.

        Splits come before dividends, whose amounts are per share as of the ex-date. Dividends are paid at once.
        Returns the actions that met a holding, in the order in which they were booked.

        Raises
        ------
        ValueError
            A session is still open, or this one is not later than the last.
        """
        if self._open or (self._bars is not None and bars.session <= self._bars.session):
            raise ValueError(f"session {bars.session} cannot open after {self._bars and self._bars.session}")
        booked = tuple(a for a in sorted(actions, key=lambda a: a.kind != "split") if a.symbol in self._book.positions)
        for action in booked:
            self._book = self._book.after_action(action.symbol, action.kind, action.value)
            if action.kind == "split":
                self._marks[action.symbol] /= Decimal(repr(action.value))
        self._bars, self._now, self._open = bars, bars.opened, True
        self._mark(bars, bars.open)
        return booked

    def close_session(self) -> None:
        """Close the session: fill what enters at the close (sells first), then let every open order expire."""
        bars = self._running()
        waiting, self._waiting = self._waiting, []
        for sent in sorted(waiting, key=lambda sent: sent.order.side is Side.BUY):
            self._fill(sent, bars, bars.closes)
        for sent in self._today:
            if not sent.status.final:
                sent.status = OrderStatus.EXPIRED
        self._today = []
        self._mark(bars, bars.close)
        self._now, self._open = bars.closes, False

    def account(self) -> Account:
        """Return number, cash and equity; a holding that did not trade is valued at its last price."""
        return Account(self._number, self._book.cash, self._book.equity(self._marks))

    def positions(self) -> Mapping[Symbol, Position]:
        """Return what is held."""
        return self._book.positions

    def orders(self, since: datetime | None = None) -> list[BrokerOrder]:
        """Return every order submitted at or after ``since``, oldest first."""
        return [sent.told() for sent in self._sent.values() if since is None or sent.submitted_at >= since]

    def find(self, client_id: str) -> BrokerOrder | NotFound:
        """Return the order of that id, open or closed."""
        sent = self._sent.get(client_id)
        return sent.told() if sent else NotFound(client_id)

    def fills(self, after: str | None = None) -> list[Fill]:
        """Return the fills after the one with id ``after``."""
        if after is not None and after not in self._fill_numbers:
            raise BrokerError(
                f"Account {self._number} has no fill {after!r}.", fix="Read all fills and reconcile the book."
            )
        return self._fills[0 if after is None else self._fill_numbers[after] :]

    def submit(self, approved: ApprovedOrder) -> Outcome:
        """Take one order, or refuse it.

        Codes: ``not_approved`` (the request is not covered), ``duplicate_client_id``, ``market_closed``,
        ``unknown_symbol``, ``insufficient_shares``, ``insufficient_cash``.
        """
        order = approved.order
        if not approved.covers(request_body(order)):
            return Refused("not_approved", f"the request of {order.client_id} is not the approved order")
        if order.client_id in self._sent:
            return Refused("duplicate_client_id", "client_order_id must be unique")
        if self._bars is None or not self._open:
            return Refused("market_closed", "the simulated venue takes orders during a session only")
        refused = self._cannot_pay(order, self._bars)
        return refused or self._accept(order, self._bars)

    def cancel(self, client_id: str) -> Outcome:
        """Cancel what is still open of an order."""
        sent = self._sent.get(client_id)
        if sent is None:
            return Refused("not_found", f"account {self._number} has no order {client_id}")
        if sent.status.final:
            return Refused("final", f"order {client_id} is {sent.status.value}")
        sent.status = OrderStatus.CANCELED
        self._waiting = [other for other in self._waiting if other is not sent]
        return Accepted(sent.broker_id)

    def market(self, symbols: Sequence[Symbol] = ()) -> Market:
        """Return the venue's time and session, and the open plus and minus half the spread as quotes.

        Raises
        ------
        BrokerError
            No session was opened yet.
        """
        if self._bars is None or self._now is None:
            raise BrokerError("The simulated venue has not opened yet.", fix="Open a session first.")
        bars = self._bars
        quotes = {s: quote for s in symbols if (quote := self._quote(s, bars))} if self._open else {}
        tradable = frozenset(symbol for symbol in symbols if symbol in bars.places)
        return Market(self._now, bars.session if self._open else None, quotes, tradable)

    def _running(self) -> SessionBars:
        if self._bars is None or not self._open:
            raise ValueError("no session is open")
        return self._bars

    def _mark(self, bars: SessionBars, prices: NDArray[np.float64]) -> None:
        """Value the holdings at ``prices``; a holding without one keeps its last mark."""
        for symbol in self._book.positions:
            price = bars.price(prices, symbol)
            if price is not None:
                self._marks[symbol] = price

    def _quote(self, symbol: Symbol, bars: SessionBars) -> Quote | None:
        price = bars.price(bars.open, symbol)
        if price is None:
            return None
        half = price * Decimal(repr(half_spread(self._costs)))
        return Quote(price - half, price + half, bars.opened)

    def _cannot_pay(self, order: Order, bars: SessionBars) -> Refused | None:
        if order.symbol not in bars.places:
            return Refused("unknown_symbol", f"asset {order.symbol!r} not found")
        if order.side is Side.SELL:
            promised = sum((w.order.quantity for w in self._waiting_for(order.symbol, Side.SELL)), Decimal(0))
            free = self._book.quantity(order.symbol) - promised
            if order.quantity > free:
                return Refused("insufficient_shares", f"requested {order.quantity}, available {free}")
            return None
        needed, free = self._cash_moved(order, bars), self._free_cash(bars)
        if needed > free:
            return Refused("insufficient_cash", f"{needed:.2f} USD needed, {free:.2f} available")
        return None

    def _waiting_for(self, symbol: Symbol, side: Side) -> list[_Sent]:
        return [w for w in self._waiting if w.order.symbol == symbol and w.order.side is side]

    def _free_cash(self, bars: SessionBars) -> Decimal:
        """Return the cash that no waiting buy holds, with what waiting sells will bring."""
        held = (w.order.side.sign * self._cash_moved(w.order, bars) for w in self._waiting)
        return self._book.cash - sum(held, Decimal(0))

    def _cash_moved(self, order: Order, bars: SessionBars) -> Decimal:
        """Return what ``order`` will cost (a sell: bring) at the price known now, after the most it may cost."""
        price = bars.price(bars.open, order.symbol) or order.planned_price
        rate = 1 + order.side.sign * Decimal(repr(cost_rate(float(price), self._costs)))
        return order.quantity * price * rate

    def _accept(self, order: Order, bars: SessionBars) -> Accepted:
        at = bars.opened + AFTER_OPEN if order.entry is Entry.AFTER_OPEN else bars.opened
        sent = _Sent(order, f"{self._number}-{len(self._sent) + 1:06d}", at)
        self._sent[order.client_id] = sent
        self._today.append(sent)
        if order.entry in _AT_OPEN:
            self._fill(sent, bars, at)
        else:
            self._waiting.append(sent)
        return Accepted(sent.broker_id)

    def _fill(self, sent: _Sent, bars: SessionBars, at: datetime) -> None:
        """Fill what price, usual volume and cash allow; a missing price or volume fills nothing."""
        order = sent.order
        usual = float(bars.volume20[bars.places[order.symbol]])
        quantity = fillable(order.quantity, usual, self._costs.max_volume_share)
        reference = reference_price(order.entry, bars.bar(order.symbol))
        if not quantity:
            return
        share = float(quantity) / usual
        raw = fill_price(reference, order.side, order.entry, volume_share=share, costs=self._costs)
        price = exact_price(raw)
        if price is not None:
            self._book_fill(sent, self._affordable(order, quantity, price), price, at)

    def _affordable(self, order: Order, quantity: Decimal, price: Decimal) -> Decimal:
        """Return ``quantity``, or the whole shares of it that the cash pays: the close may lie above the estimate."""
        cash = self._book.cash
        if order.side is Side.SELL or quantity * price + commission(quantity, price, self._costs) <= cash:
            return quantity
        per_share = price + Decimal(repr(self._costs.commission_per_share))
        per_share += price * Decimal(repr(self._costs.commission_bps)) / 10_000
        whole = ((cash - Decimal("0.01")) / per_share).to_integral_value("ROUND_DOWN")
        return min(max(whole, Decimal(0)), quantity)

    def _book_fill(self, sent: _Sent, quantity: Decimal, price: Decimal, at: datetime) -> None:
        if not quantity:
            return
        order = sent.order
        fee = commission(quantity, price, self._costs)
        name = f"{self._number}-F{len(self._fills) + 1:06d}"
        fill = Fill(name, order.client_id, order.symbol, order.side, quantity, price, fee, at)
        if order.symbol not in self._book.positions:
            self._marks[order.symbol] = price
        self._book = self._book.after_fill(fill)
        self._fills.append(fill)
        self._fill_numbers[name] = len(self._fills)
        sent.filled += quantity
        done = sent.filled == order.quantity
        sent.status = OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED
