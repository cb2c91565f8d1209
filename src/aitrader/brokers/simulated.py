"""A cash account whose orders meet the bars of the sessions that its venue tells of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from aitrader.brokers.broker import Market, Outcome, request_body
from aitrader.brokers.ledger import Ledger, OrderEnded, OrderMet, OrderTaken, Row, Sent, SessionBegun
from aitrader.brokers.matching import AT_OPEN, cash_moved, enters, meets, traded
from aitrader.brokers.venue import SessionBars, Venue, VenueSession
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
from aitrader.errors import BrokerError, UnknownFillError
from aitrader.quant.costs import commission, half_spread


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account knows besides its rows.

    Its time, the session that it was told of last, whether that still runs and what corporate actions it brought, the
    session that closed last, and the prices of what is held.
    """

    at: datetime | None
    bars: SessionBars | None
    last: SessionBars | None
    running: bool
    acted: Sequence[ActionBooked]
    marks: Mapping[Symbol, Decimal]


class SimulatedBroker:
    """A cash account: no shorts, no borrowed money, day orders only.

    Proceeds of sells may be spent at once; under ``cash_t1`` the shares that they bought are sold on the next session
    at the earliest (``closing`` orders excepted), under ``margin`` at once.

    Either ``advance`` follows a venue's clock, or the sessions are played from outside: ``open_session``, then orders,
    then ``close_session``, and time stands at what the orders wait for. An order meets one session: the first that it
    can still enter (for the opening auction: that has not opened; else: that has not closed). Orders for the open are
    filled there, or when they are sent later in the session, the others at the close, sells before buys; what the
    volume cap leaves, and whatever meets no price, expires at the close. Prices of the running session after its open
    are used by the close only. Fill prices have six decimals, fees are whole cents.

    An order that waits for the open when its symbol is split is canceled. A broker would ask again before a reverse
    split, and before another one make an order to buy larger than what was approved (FINRA Rule 5330).
    """

    def __init__(
        self, number: str, cash: Decimal, costs: Costs, *, settlement: Literal["cash_t1", "margin"] = "cash_t1"
    ) -> None:
        self._number = number
        self._costs = costs
        self._ledger = Ledger(cash, settles_later=settlement == "cash_t1")
        self._bars: SessionBars | None = None
        self._last: SessionBars | None = None
        self._now: datetime | None = None
        self._running = False
        self._acted: list[ActionBooked] = []
        self._driven = False

    @property
    def book(self) -> Book:
        """Cash and positions."""
        return self._ledger.book

    def open_session(self, bars: SessionBars, actions: Iterable[ActionBooked] = ()) -> tuple[ActionBooked, ...]:
        """Open a session: first the corporate actions with this ex-date, then the market, for what is queued.

        Splits come before dividends, whose amounts are per share as of the ex-date. Dividends are paid at once.
        Returns the actions that met a holding, in the order in which they were booked.

        Raises
        ------
        ValueError
            A session is still open, or this one is not later than the last.
        """
        if self._running:
            raise ValueError(f"session {bars.session} cannot open before {self._bars and self._bars.session} closes")
        self._driven, self._now = True, bars.opened
        booked = self._begin(bars, actions)
        self._meet_open(bars)
        return booked

    def close_session(self) -> None:
        """Close the session: fill what enters at the close (sells first), then let every open order expire."""
        bars = self._bars
        if bars is None or not self._running:
            raise ValueError("no session is open")
        self._close(bars)
        self._now = bars.closes

    def advance(self, venue: Venue, now: datetime) -> None:
        """Play what ``venue`` knows up to ``now`` (UTC), which becomes the account's time.

        A session that was told as running is told again until it has closed. If it never is, because its bar was lost,
        the orders that it should have met expire with it.

        Raises
        ------
        ValueError
            ``now`` lies before the account's time.
        """
        if self._now is not None and now < self._now:
            raise ValueError(f"{now.isoformat()} lies before the account's own time, {self._now.isoformat()}")
        self._driven, self._now = False, now
        for told in venue.sessions(self._played, now):
            self._play(told)

    @property
    def _played(self) -> date | None:
        """The last session of which nothing more is to be told."""
        if self._bars is None:
            return None
        return self._bars.session - timedelta(days=1) if self._running else self._bars.session

    def _play(self, told: VenueSession) -> None:
        bars = told.bars
        if self._running and self._bars is not None and bars.session != self._bars.session:
            self._end(self._bars)
        if self._running and self._bars is not None:
            known, self._bars = self._knows_opens(self._bars), bars
            self._book_actions(bars, told.actions)
            if not known:
                self._ledger.mark(bars.open, bars.places)
        else:
            self._begin(bars, told.actions)
        self._meet_open(bars)
        if told.closed:
            self._close(bars)

    def _begin(self, bars: SessionBars, actions: Iterable[ActionBooked]) -> tuple[ActionBooked, ...]:
        if self._bars is not None and bars.session <= self._bars.session:
            raise ValueError(f"session {bars.session} cannot open after {self._bars.session}")
        self._bars, self._running, self._acted = bars, True, []
        self._ledger.record(SessionBegun(bars.opened, bars.session))
        booked = self._book_actions(bars, actions)
        self._ledger.mark(bars.open, bars.places)
        return booked

    def _book_actions(self, bars: SessionBars, actions: Iterable[ActionBooked]) -> tuple[ActionBooked, ...]:
        """Book those of ``actions`` that this session has not brought yet; return those that met a holding."""
        ledger = self._ledger
        new = sorted((a for a in actions if a not in self._acted), key=lambda action: action.kind != "split")
        self._acted += new
        booked = tuple(action for action in new if action.symbol in ledger.book.positions)
        split = {action.symbol for action in new if action.kind == "split"}
        for sent in [sent for sent in ledger.open.values() if sent.order.symbol in split]:
            ledger.record(OrderEnded(bars.opened, sent.order.client_id, OrderStatus.CANCELED))
        for action in booked:
            ledger.record(action)
        return booked

    def standing(self) -> Standing:
        """Return what the account knows besides its rows."""
        ledger = self._ledger
        return Standing(self._now, self._bars, self._last, self._running, tuple(self._acted), dict(ledger.marks))

    def rows(self, after: int = 0) -> Sequence[Row]:
        """Return what happened to the account, but for its first ``after`` rows."""
        return self._ledger.rows[after:]

    def restore(self, rows: Iterable[Row], standing: Standing) -> None:
        """Make a new account what ``rows`` and ``standing`` say."""
        for row in rows:
            self._ledger.record(row)
        self._ledger.marks = dict(standing.marks)
        self._now, self._bars, self._last = standing.at, standing.bars, standing.last
        self._running, self._acted = standing.running, list(standing.acted)

    def account(self) -> Account:
        """Return number, cash and equity; a holding that did not trade is valued at its last price."""
        book = self._ledger.book
        return Account(self._number, book.cash, book.equity(self._ledger.marks))

    def positions(self) -> Mapping[Symbol, Position]:
        """Return what is held."""
        return self._ledger.book.positions

    def orders(self, since: datetime | None = None) -> list[BrokerOrder]:
        """Return every order submitted at or after ``since``, oldest first."""
        return [sent.told() for sent in self._ledger.sent.values() if since is None or sent.submitted_at >= since]

    def find(self, client_id: str) -> BrokerOrder | NotFound:
        """Return the order of that id, open or closed."""
        sent = self._ledger.sent.get(client_id)
        return sent.told() if sent else NotFound(client_id)

    def fills(self, after: str | None = None) -> list[Fill]:
        """Return the fills after the one with id ``after``."""
        numbers = self._ledger.fill_numbers
        if after is not None and after not in numbers:
            raise UnknownFillError(
                f"Account {self._number} has no fill {after!r}.", fix="Read all fills and reconcile the book."
            )
        return self._ledger.fills[0 if after is None else numbers[after] :]

    def submit(self, approved: ApprovedOrder) -> Outcome:
        """Take one order, or refuse it; while the venue is closed it is queued for the next session.

        Codes: ``not_approved`` (the request is not covered), ``duplicate_client_id``, ``unknown_symbol`` (the venue
        has told of no session with it), ``insufficient_shares``, ``unsettled``, ``insufficient_cash``.
        """
        order = approved.order
        if not approved.covers(request_body(order)):
            return Refused("not_approved", f"the request of {order.client_id} is not the approved order")
        if order.client_id in self._ledger.sent:
            return Refused("duplicate_client_id", "client_order_id must be unique")
        if self._bars is None or order.symbol not in self._bars.places:
            return Refused("unknown_symbol", f"asset {order.symbol!r} not found")
        sent_at = self._sent_at(order, self._bars)
        return self._cannot_pay(order, self._bars, sent_at) or self._accept(order, self._bars, sent_at)

    def cancel(self, client_id: str) -> Outcome:
        """Cancel what is still open of an order."""
        sent = self._ledger.sent.get(client_id)
        if sent is None:
            return Refused("not_found", f"account {self._number} has no order {client_id}")
        if sent.status.final:
            return Refused("final", f"order {client_id} is {sent.status.value}")
        self._ledger.record(OrderEnded(self._time(), client_id, OrderStatus.CANCELED))
        return Accepted(sent.broker_id)

    def market(self, symbols: Sequence[Symbol] = ()) -> Market:
        """Return the venue's time, the session that runs, and quotes: a known price plus and minus half the spread.

        The price is the open while a session runs whose opens are known, else the last close; ``at`` is its time.

        Raises
        ------
        BrokerError
            No session was opened yet.
        """
        at, bars = self._time(), self._bars
        if bars is None:
            return Market(at, None, {}, frozenset())
        session = bars.session if self._running and bars.opened <= at < bars.closes else None
        quotes = {symbol: quote for symbol in symbols if (quote := self._quote(symbol))}
        return Market(at, session, quotes, frozenset(symbol for symbol in symbols if symbol in bars.places))

    def _time(self) -> datetime:
        if self._now is None:
            raise BrokerError("The simulated venue has not opened yet.", fix="Open a session first.")
        return self._now

    def _last_prices(self) -> tuple[SessionBars, NDArray[np.float64], datetime] | None:
        """Return the newest prices that are known, with their session and time; None before any are."""
        bars, last = self._bars, self._last
        if self._running and bars is not None and self._knows_opens(bars):
            return bars, bars.open, bars.opened
        return None if last is None else (last, last.close, last.closes)

    def _knows_opens(self, bars: SessionBars) -> bool:
        return self._driven or bool(np.isfinite(bars.open).any())

    def _price(self, symbol: Symbol) -> Decimal | None:
        known = self._last_prices()
        price = None if known is None else known[0].price(known[1], symbol)
        if price is None or known is None or not self._running or known[0] is self._bars:
            return price
        ratios = [action.value for action in self._acted if action.kind == "split" and action.symbol == symbol]
        return exact_price(float(price) / prod(ratios)) if ratios else price  # a close of before the split

    def _quote(self, symbol: Symbol) -> Quote | None:
        known, price = self._last_prices(), self._price(symbol)
        if known is None or price is None:
            return None
        half = price * Decimal(repr(half_spread(self._costs)))
        return Quote(price - half, price + half, known[2])

    def _sent_at(self, order: Order, bars: SessionBars) -> datetime:
        """Return when ``order`` reaches the venue: now, but time that stands passes to the order's entry."""
        if self._driven and self._running and order.entry is Entry.AFTER_OPEN:
            return enters(order.entry, bars)
        return self._time()

    def _cannot_pay(self, order: Order, bars: SessionBars, sent_at: datetime) -> Refused | None:
        if order.side is Side.BUY:
            needed, free = self._cash_moved(order), self._free_cash()
            if needed > free:
                return Refused("insufficient_cash", f"{needed:.2f} USD needed, {free:.2f} available")
            return None
        promised = (w.order for w in self._ledger.waiting if w.order.side is Side.SELL)
        taken = sum((other.quantity for other in promised if other.symbol == order.symbol), Decimal(0))
        free = self._ledger.book.quantity(order.symbol) - taken
        if order.quantity > free:
            return Refused("insufficient_shares", f"requested {order.quantity}, available {free}")
        today = self._running and meets(order, sent_at, bars) and not order.closing
        locked = self._ledger.settlement.locked.get(order.symbol, Decimal(0)) if today else Decimal(0)
        if order.quantity > free - locked:
            settled = (free - locked).normalize()
            return Refused("unsettled", f"requested {order.quantity}, available before the next session {settled:f}")
        return None

    def _free_cash(self) -> Decimal:
        """Return the cash that no waiting buy holds, with what waiting sells will bring."""
        held = (w.order.side.sign * self._cash_moved(w.order) for w in self._ledger.waiting)
        return self._ledger.book.cash - sum(held, Decimal(0))

    def _cash_moved(self, order: Order) -> Decimal:
        """Return what ``order`` will cost (a sell: bring) at the price known now, after the most it may cost."""
        return cash_moved(order, self._price(order.symbol) or order.planned_price, self._costs)

    def _accept(self, order: Order, bars: SessionBars, sent_at: datetime) -> Accepted:
        name = f"{self._number}-{len(self._ledger.sent) + 1:06d}"
        self._ledger.record(OrderTaken(sent_at, order, name))
        if self._running:
            self._meet_open(bars)
        return Accepted(name)

    def _meet_open(self, bars: SessionBars) -> None:
        """Fill what enters at the open and is due by now, in the order of time, sells before buys."""
        if not self._knows_opens(bars):
            return
        now = enters(Entry.AFTER_OPEN, bars) if self._driven else self._time()
        due = [
            (at, sent.order.side is Side.BUY, sent)
            for sent in self._ledger.waiting
            if sent.order.entry in AT_OPEN
            and meets(sent.order, sent.submitted_at, bars)
            and (at := max(sent.submitted_at, enters(sent.order.entry, bars))) <= now
        ]
        for at, _, sent in sorted(due, key=lambda one: one[:2]):
            self._fill(sent, bars, at)

    def _close(self, bars: SessionBars) -> None:
        waiting = [sent for sent in self._ledger.waiting if meets(sent.order, sent.submitted_at, bars)]
        for sent in sorted(waiting, key=lambda sent: sent.order.side is Side.BUY):
            self._fill(sent, bars, bars.closes)
        self._end(bars)
        self._ledger.mark(bars.close, bars.places)
        self._last = bars

    def _end(self, bars: SessionBars) -> None:
        """Let the orders of a session expire with it."""
        for name, sent in list(self._ledger.open.items()):
            if meets(sent.order, sent.submitted_at, bars):
                self._ledger.record(OrderEnded(bars.closes, name, OrderStatus.EXPIRED))
        self._running = False

    def _fill(self, sent: Sent, bars: SessionBars, at: datetime) -> None:
        """Fill what price, usual volume and cash allow; a missing price or volume fills nothing."""
        order = sent.order
        done = traded(order, bars, self._costs, cash=self._ledger.book.cash)
        if done is None:
            self._ledger.record(OrderMet(at, order.client_id))
            return
        quantity, price = done
        fee = commission(quantity, price, self._costs)
        name = f"{self._number}-F{len(self._ledger.fills) + 1:06d}"
        self._ledger.record(Fill(name, order.client_id, order.symbol, order.side, quantity, price, fee, at))
        known = self._price(order.symbol)
        if known is not None:  # what the spread and the impact cost shows at once
            self._ledger.marks[order.symbol] = known
