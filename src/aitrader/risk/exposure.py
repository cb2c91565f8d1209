"""How much is at stake: what a review knows, and what the book becomes as its orders pass."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from aitrader.config.schema import Risk
from aitrader.domain.events import Latch
from aitrader.domain.orders import Order, Side
from aitrader.domain.positions import Book
from aitrader.domain.quotes import Quote
from aitrader.domain.symbols import Symbol


@dataclass(frozen=True, slots=True)
class RiskContext:
    """What is known when orders are reviewed. What is missing here refuses an entry; it never waives a limit.

    ``equity`` (USD) and ``prices`` (USD per share, of every held and ordered symbol) are those the plan was
    sized with; ``fresh`` are newer prices, as far as there are any. ``volume20`` is the mean daily volume of the
    last 20 sessions in shares; ``stale`` counts the sessions since a symbol's last bar (-1: none); only
    ``members`` may be bought; ``sent`` are the client ids that left before.

    ``latches`` are shut; ``held`` maps a symbol to why no order of it may leave. ``quotes`` are the market's (None:
    nobody can know one, as before an opening auction; a symbol that is absent has none). ``at`` (UTC) is when orders
    would leave, and ``window`` from when to before when they may (None: no clock runs). Parent orders that left
    before: ``run`` with this command, ``by_day`` on this UTC day, ``by_symbol`` each on it, and when ``last_sent``.
    ``locked`` are shares that unsettled money bought; ``working`` are the signed shares of open orders.
    """

    equity: Decimal
    book: Book
    prices: Mapping[Symbol, Decimal]
    volume20: Mapping[Symbol, float]
    stale: Mapping[Symbol, int]
    members: Collection[Symbol]
    fresh: Mapping[Symbol, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    sent: Collection[str] = ()
    latches: frozenset[Latch] = frozenset()
    held: Mapping[Symbol, str] = field(default_factory=lambda: MappingProxyType({}))
    quotes: Mapping[Symbol, Quote] | None = None
    at: datetime | None = None
    window: tuple[datetime, datetime] | None = None
    run: int = 0
    by_day: int = 0
    by_symbol: Mapping[Symbol, int] = field(default_factory=lambda: MappingProxyType({}))
    last_sent: Mapping[tuple[Symbol, Side], datetime] = field(default_factory=lambda: MappingProxyType({}))
    locked: Mapping[Symbol, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    working: Mapping[Symbol, Decimal] = field(default_factory=lambda: MappingProxyType({}))


class Exposure:
    """The book as it will stand once the orders that passed so far are filled at their planned prices.

    ``cash``, ``gross`` and ``net`` in USD; ``measurable`` is False where equity, cash, or shares or price of a
    holding are missing or not finite: then nothing is known, and nothing may be added.
    """

    def __init__(self, context: RiskContext) -> None:
        self._held = {symbol: position.quantity for symbol, position in context.book.positions.items()}
        self._seen: set[object] = {parent_of(client_id) for client_id in context.sent}
        values = [quantity * price for quantity, price in _priced(self._held, context.prices)]
        sound = (is_price(context.prices.get(s)) and quantity.is_finite() for s, quantity in self._held.items())
        self.measurable = is_price(context.equity) and context.book.cash.is_finite() and all(sound)
        self.cash = context.book.cash
        self.gross = sum((abs(value) for value in values), Decimal(0))
        self.net = sum(values, Decimal(0))

    def held(self, symbol: Symbol) -> Decimal:
        """Return the signed shares of ``symbol`` after the orders so far."""
        return self._held.get(symbol, Decimal(0))

    def reduces(self, order: Order) -> bool:
        """Say whether ``order`` brings its position closer to zero, and not beyond."""
        held = self.held(order.symbol)
        return held.is_finite() and held * order.side.sign < 0 and order.quantity <= abs(held)

    def known(self, order: Order) -> bool:
        """Say whether the same symbol, side and decision already has an order, sent or in this list."""
        return parent_of(order.client_id) in self._seen or (order.symbol, order.side, order.decision) in self._seen

    def gross_after(self, order: Order) -> Decimal:
        """Return the sum of absolute positions in USD if ``order`` is filled."""
        held = self.held(order.symbol)
        return self.gross + (abs(held + order.signed_quantity) - abs(held)) * order.planned_price

    def net_after(self, order: Order) -> Decimal:
        """Return the sum of signed positions in USD if ``order`` is filled."""
        return self.net + order.signed_quantity * order.planned_price

    def add(self, order: Order) -> None:
        """Count ``order`` as filled at its planned price."""
        self.gross, self.net = self.gross_after(order), self.net_after(order)
        self.cash -= order.signed_quantity * order.planned_price
        self._held[order.symbol] = self.held(order.symbol) + order.signed_quantity
        self._seen |= {parent_of(order.client_id), (order.symbol, order.side, order.decision)}


class Case(NamedTuple):
    """One order before its judges: the order, what is known, the book so far, and the settings."""

    order: Order
    context: RiskContext
    exposure: Exposure
    limits: Risk


def is_price(value: Decimal | None) -> bool:
    """Say whether ``value`` is a finite amount above zero."""
    return value is not None and value.is_finite() and value > 0


def parent_of(client_id: str) -> str:
    """Return what a client id says but its number: book, decision, strategy, symbol, side and leg.

    >>> parent_of("at-main-20260105-top5-AAPL-buy-e-3")
    'at-main-20260105-top5-AAPL-buy-e'
    """
    return client_id.rpartition("-")[0] or client_id


@lru_cache(maxsize=256)
def exact(limit: float) -> Decimal:
    """Return a setting as the decimal that was written, so that 10 % is exactly 0.1."""
    return Decimal(repr(limit))


def _priced(held: Mapping[Symbol, Decimal], prices: Mapping[Symbol, Decimal]) -> Iterable[tuple[Decimal, Decimal]]:
    for symbol, quantity in held.items():
        price = prices.get(symbol)
        if price is not None and is_price(price) and quantity.is_finite():
            yield quantity, price
