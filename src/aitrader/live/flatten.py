"""Brings an account to nothing: cancels every open order, closes every position, and looks whether it is flat."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import count
from types import MappingProxyType
from typing import Final

from aitrader.domain.events import Event, OrderOutcome, OrderRefused, Told
from aitrader.domain.orders import Accepted, BrokerOrder, Entry, Order, Refusal, Side, Unknown, client_order_id
from aitrader.domain.positions import Book, Position
from aitrader.domain.quotes import Quote
from aitrader.domain.symbols import Symbol
from aitrader.engine.desk import Desk
from aitrader.engine.order_desk import refuse, send
from aitrader.engine.state import State
from aitrader.errors import BrokerError
from aitrader.journal.journal import Journal
from aitrader.risk.exposure import RiskContext, is_price
from aitrader.risk.review import review

SHUTDOWN: Final = "shutdown"
"""The strategy that closing orders are said to come from."""

LEG: Final = "k"
"""The leg in the id of a closing order."""

PAUSES: Final = (1.0, 2.0, 4.0, 8.0)
"""Seconds to wait between two rounds of cancelling, closing and looking."""

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Closing:
    """What closes are called and sized by: the last bar's name, the time (UTC), the last known closes in USD."""

    decision: str
    at: datetime
    prices: Mapping[Symbol, Decimal] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the broker said at one look: positions by symbol, every order it knows; ``book`` tells ours from others."""

    positions: Mapping[Symbol, Position]
    orders: tuple[BrokerOrder, ...]
    book: str

    @property
    def closes(self) -> tuple[BrokerOrder, ...]:
        """The closes that are open."""
        return tuple(one for one in self.orders if not one.status.final and is_close(one.client_id, self.book))

    @property
    def others(self) -> tuple[BrokerOrder, ...]:
        """The other orders that are open."""
        return tuple(one for one in self.orders if not one.status.final and not is_close(one.client_id, self.book))

    @property
    def flat(self) -> bool:
        """Whether nothing is held and nothing is open."""
        return not self.positions and all(order.status.final for order in self.orders)

    @property
    def covered(self) -> Mapping[Symbol, Decimal]:
        """The signed shares that the open closes may still move."""
        moved: dict[Symbol, Decimal] = {}
        for one in self.closes:
            shares = one.side.sign * (one.quantity - one.filled_quantity)
            moved[one.symbol] = moved.get(one.symbol, _ZERO) + shares
        return moved

    @property
    def uncovered(self) -> Mapping[Symbol, Decimal]:
        """The signed shares held that no open close takes away, by symbol; none of zero."""
        covered = self.covered
        left = {symbol: one.quantity + covered.get(symbol, _ZERO) for symbol, one in self.positions.items()}
        return {symbol: shares for symbol, shares in sorted(left.items()) if shares}

    @property
    def waiting(self) -> bool:
        """Whether all that is left is closes that wait for the market."""
        return bool(self.closes) and not self.others and not self.uncovered


@dataclass(frozen=True, slots=True)
class Flattening:
    """How it went. ``left`` is None where the last look failed: then nobody knows what is held.

    ``cancelled`` and ``sent`` are client ids, in the order in which it was done; ``problems`` are sentences, and
    ``unwritten`` says why rows are missing in the journal.
    """

    left: Holdings | None
    cancelled: tuple[str, ...]
    sent: tuple[str, ...]
    problems: tuple[str, ...]
    unwritten: tuple[str, ...] = ()

    @property
    def flat(self) -> bool:
        """Whether two looks in a row found nothing held and nothing open."""
        return self.left is not None and self.left.flat


def flatten(
    desk: Desk, state: State, closing: Closing, *, settle: Callable[[], None] = lambda: None
) -> tuple[State, Flattening]:
    """Cancel what is open, close what is held, and look, again and again until it is flat or waits for the market.

    Closes that are open already stay in place. HALT has to be shut before: a trader that goes on would open what is
    closed here. ``settle`` lets a simulated venue play what it can. A failed read is asked again in the next round,
    and never means that nothing is there.
    """
    journal = Notebook(desk.journal)
    work = _Work(desk, closing, settle, journal)
    for pause in (*PAUSES, None):
        try:
            state = work.round(state)
        except BrokerError as error:
            work.failed(error)
        if work.done or pause is None:
            break
        desk.wait(pause)
    problems = tuple(dict.fromkeys(work.problems))
    return state, Flattening(work.left, tuple(work.cancelled), tuple(work.sent), problems, tuple(journal.problems))


def look(desk: Desk) -> Holdings:
    """Return what the broker says is held and ordered.

    Raises
    ------
    BrokerError
        It does not say, asked several times.
    """
    positions = {symbol: one for symbol, one in desk.ask(desk.broker.positions).items() if one.quantity}
    return Holdings(MappingProxyType(positions), tuple(desk.ask(desk.broker.orders)), desk.rules.book)


def is_close(client_id: str, book: str) -> bool:
    """Say whether an id is that of a close of ``book``.

    >>> is_close("at-main-20130808-shutdown-AAPL-sell-k-1", "main"), is_close("at-main-20130808-top-A-buy-e-1", "main")
    (True, False)
    """
    parts = client_id.split("-")
    return len(parts) > 5 and parts[:2] == ["at", book] and parts[3] == SHUTDOWN


class Notebook:
    """A journal that never keeps anybody from acting: what it cannot write is a problem to tell, not an error."""

    def __init__(self, journal: Journal | None) -> None:
        self._journal = journal
        self.problems: list[str] = []
        self.refusals: dict[str, str] = {}

    @property
    def writing(self) -> bool:
        """Whether rows are still written."""
        return self._journal is not None

    def append(self, event: Event) -> bool:
        """Write ``event``; a row that could not be written counts as new. After the first failure none is tried."""
        if isinstance(event, OrderOutcome) and event.outcome is Told.REFUSED:
            self.refusals[event.client_id] = event.detail
        if self._journal is None:
            return True
        try:
            return self._journal.append(event)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the journal, the closes have to leave
            self._journal = None
            self.problems.append(f"the journal was not written: {error}")
            return True

    def events(self) -> Sequence[Event]:
        """Return what the journal holds; nothing where it cannot be written."""
        return () if self._journal is None else self._journal.events()


class _Work:
    """One emergency at one broker: what was done so far, and what the last look showed."""

    def __init__(self, desk: Desk, closing: Closing, settle: Callable[[], None], journal: Notebook) -> None:
        self._desk = replace(desk, journal=journal)
        self._closing = closing
        self._settle = settle
        self._journal = journal
        self.left: Holdings | None = None
        self.done = False
        self.cancelled: list[str] = []
        self.sent: list[str] = []
        self.problems: list[str] = []

    def failed(self, error: BrokerError) -> None:
        """Note that the broker did not answer: what was seen before is not what is."""
        self.left = None
        self.problems.append(str(error))

    def round(self, state: State) -> State:
        """Cancel, close and look once."""
        self.problems.clear()
        self._cancel(look(self._desk))
        state = self._close(state, look(self._desk))
        self._settle()
        self.left = look(self._desk)
        if self.left.flat:  # a trader may have had an order on its way: once more
            self.left = look(self._desk)
        waiting = self.left.waiting and self._desk.ask(self._desk.broker.market).session is None
        self.done = self.left.flat or waiting
        return state

    def _cancel(self, held: Holdings) -> None:
        for order in (*held.others, *_misfits(held)):
            try:
                outcome = self._desk.broker.cancel(order.client_id)
            except BrokerError as error:
                outcome = Unknown(str(error))
            if isinstance(outcome, Accepted):
                self.cancelled.append(order.client_id)
            else:  # filled meanwhile, or nobody knows: the next look shows it
                self.problems.append(f"{order.client_id} was not cancelled: {outcome.reason}")

    def _close(self, state: State, held: Holdings) -> State:
        if not held.uncovered:
            return state
        quotes = self._quotes(tuple(held.uncovered))
        known = frozenset(order.client_id for order in held.orders)
        # An order that may have been lost on its way is sent again by the same name; any other name is spent.
        spent = known | {name for name, one in state.orders.items() if one.told in (Told.ACCEPTED, Told.REFUSED)}
        orders = list(self._orders(held, quotes, spent))
        context = RiskContext(
            equity=_ZERO,  # a close is measured against what is held, not against what it is worth
            book=Book(_ZERO, held.positions),
            prices={order.symbol: order.planned_price for order in orders},
            volume20={},
            stale={},
            members=(),
            quotes=quotes,
            sent=known,
            working=held.covered,
        )
        reviewed = review(orders, context, self._desk.rules.risk)
        for refusal in reviewed.refused:
            state = self._refused(state, refusal)
        state = send(self._desk, state, reviewed.approved, self._closing.at)
        for one in reviewed.approved:
            self._told(one.order, state)
        return state

    def _quotes(self, symbols: Sequence[Symbol]) -> Mapping[Symbol, Quote]:
        try:
            quotes = self._desk.ask(lambda: self._desk.broker.market(symbols)).quotes
        except BrokerError as error:
            self.problems.append(f"closing without quotes: {error}")
            return {}
        return {symbol: quote for symbol, quote in quotes.items() if is_price(quote.mid)}

    def _orders(self, held: Holdings, quotes: Mapping[Symbol, Quote], spent: Collection[str]) -> Iterator[Order]:
        for symbol, shares in held.uncovered.items():
            side = Side.SELL if shares > 0 else Side.BUY
            price = self._price(held.positions[symbol], quotes.get(symbol))
            if price is None:
                self.problems.append(f"{shares:f} {symbol} cannot be closed: no price of it is known")
                continue
            yield Order(
                client_id=self._name(symbol, side, spent),
                symbol=symbol,
                side=side,
                quantity=abs(shares),
                planned_price=price,
                strategy=SHUTDOWN,
                decision=self._closing.decision,
                entry=Entry.AFTER_OPEN,
                reducing=True,
                closing=True,
            )

    def _price(self, position: Position, quote: Quote | None) -> Decimal | None:
        """Return the last price known: the quote, else the last close, else what the position cost."""
        tried = (quote.mid if quote else None, self._closing.prices.get(position.symbol), position.average_cost)
        return next((price for price in tried if is_price(price)), None)

    def _name(self, symbol: Symbol, side: Side, spent: Collection[str]) -> str:
        """Return the first id that is not spent: the same again where nobody knows whether the one before arrived."""
        book, decision = self._desk.rules.book, self._closing.decision
        for number in count(1):
            name = client_order_id(book, decision, SHUTDOWN, symbol, side=side, number=number, leg=LEG)
            if name not in spent:
                return name
        raise AssertionError("count ends nowhere")

    def _refused(self, state: State, refusal: Refusal) -> State:
        order = refusal.order
        self.problems.append(f"the close of {order.symbol} was refused ({refusal.code}): {refusal.reason}")
        row = OrderRefused(self._closing.at, order.decision, order.client_id, refusal.code, refusal.reason)
        return refuse(self._desk, state, row)

    def _told(self, order: Order, state: State) -> None:
        """Note what became of a close that was sent."""
        tracked = state.orders.get(order.client_id)
        if tracked is not None and tracked.told is Told.ACCEPTED:
            self.sent.append(order.client_id)
        elif tracked is not None and tracked.told is Told.REFUSED:
            reason = self._journal.refusals[order.client_id]
            self.problems.append(
                f"the broker refused to {order.side.value} {order.quantity:f} {order.symbol}: {reason}"
            )
        else:
            self.problems.append(f"nobody knows whether the broker has {order.client_id}")


def _misfits(held: Holdings) -> Iterator[BrokerOrder]:
    """Yield the open closes of symbols of which they would do anything but close what is held."""
    for symbol, moved in held.covered.items():
        shares = held.positions[symbol].quantity if symbol in held.positions else _ZERO
        if not abs(moved) <= abs(shares) or moved * shares > 0:
            yield from (order for order in held.closes if order.symbol == symbol)
