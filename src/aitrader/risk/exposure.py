"""How much is at stake: what a review knows, and what the book becomes as its orders pass."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from aitrader.config.schema import Risk
from aitrader.domain.events import Latch
from aitrader.domain.orders import Order, Side
from aitrader.domain.positions import Book
from aitrader.domain.quotes import Quote
from aitrader.domain.symbols import Symbol

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class RiskContext:
    """What is known when orders are reviewed. What is missing here refuses an entry; it never waives a limit.

    ``equity`` (USD) and ``prices`` (USD per share, of every held and ordered symbol) are those the plan was
    sized with. ``volume20`` is the mean daily volume of the last 20 sessions in shares; ``stale`` counts the sessions
    since a symbol's last bar (-1: none); only ``members`` may be bought; ``sent`` are the client ids that left before.

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

    def mid(self, symbol: Symbol) -> Decimal | None:
        """Return the fresh price of ``symbol``; None without a quote that is a price."""
        quote = self.quotes.get(symbol) if self.quotes else None
        return None if quote is None or quote.flaw else quote.mid


class Exposure:
    """The book as it will stand once open orders, and those that passed so far, are filled at their planned prices.

    ``cash``, ``gross`` and ``net`` in USD; ``measurable`` is False where equity, cash, or shares or price of a
    holding or an open order are missing or not finite: then nothing is known, and nothing may be added. ``passed``
    counts by symbol what passed so far.
    """

    def __init__(self, context: RiskContext) -> None:
        book = {symbol: position.quantity for symbol, position in context.book.positions.items()}
        self._held = {s: _sum(book.get(s, _ZERO), context.working.get(s, _ZERO)) for s in {**book, **context.working}}
        self._closable = {symbol: _nearest_zero(shares, self._held[symbol]) for symbol, shares in book.items()}
        self._sent = frozenset(context.sent)
        self._parents = {parent_of(client_id) for client_id in context.sent}
        self._listed: set[tuple[Symbol, Side, str]] = set()
        self.passed: Counter[Symbol] = Counter()
        self.measurable = _measurable(context, self._held)
        values = _values(self._held, context.prices)
        self.cash = _sum(context.book.cash, -sum(_values(context.working, context.prices), _ZERO))
        self.gross = sum(map(abs, values), _ZERO)
        self.net = sum(values, _ZERO)

    def held(self, symbol: Symbol) -> Decimal:
        """Return the signed shares of ``symbol`` after the orders so far."""
        return self._held.get(symbol, _ZERO)

    def closable(self, symbol: Symbol) -> Decimal:
        """Return the signed shares held of ``symbol`` that no order so far closes; what an open one may add is none."""
        return self._closable.get(symbol, _ZERO)

    def reduces(self, order: Order) -> bool:
        """Say whether ``order`` brings its position closer to zero, and not beyond."""
        held = self.closable(order.symbol)
        return held.is_finite() and held * order.side.sign < 0 and order.quantity <= abs(held)

    def known(self, order: Order) -> bool:
        """Say whether the same symbol, side and decision already has an order, sent or in this list.

        Of what was sent, a closing order needs only a new id: it repeats until the position is flat.
        """
        if (order.symbol, order.side, order.decision) in self._listed:
            return True
        return order.client_id in self._sent or (not order.closing and parent_of(order.client_id) in self._parents)

    def gross_after(self, order: Order) -> Decimal:
        """Return the sum of absolute positions in USD if ``order`` is filled."""
        held = self.held(order.symbol)
        return self.gross + (abs(held + order.signed_quantity) - abs(held)) * order.planned_price

    def net_after(self, order: Order) -> Decimal:
        """Return the sum of signed positions in USD if ``order`` is filled."""
        return self.net + order.signed_quantity * order.planned_price

    def add(self, order: Order) -> None:
        """Count ``order`` as filled at its planned price."""
        if self.reduces(order):
            self._closable[order.symbol] = self.closable(order.symbol) + order.signed_quantity
        self.gross, self.net = self.gross_after(order), self.net_after(order)
        self.cash -= order.signed_quantity * order.planned_price
        self._held[order.symbol] = self.held(order.symbol) + order.signed_quantity
        self._listed.add((order.symbol, order.side, order.decision))
        self.passed[order.symbol] += 1


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


def _sum(one: Decimal, other: Decimal) -> Decimal:
    return one + other if one.is_finite() and other.is_finite() else Decimal("NaN")


def _nearest_zero(now: Decimal, later: Decimal) -> Decimal:
    """Return which of the two is closer to zero, and zero if they lie on either side of it."""
    if not later.is_finite():
        return later
    return min(now, later, key=abs) if now * later > 0 else _ZERO


def _measurable(context: RiskContext, held: Mapping[Symbol, Decimal]) -> bool:
    sound = (is_price(context.prices.get(symbol)) and shares.is_finite() for symbol, shares in held.items())
    return is_price(context.equity) and context.book.cash.is_finite() and all(sound)


def _values(held: Mapping[Symbol, Decimal], prices: Mapping[Symbol, Decimal]) -> list[Decimal]:
    """Return what the shares of each symbol are worth, USD, without those whose price or number nobody knows."""
    known = ((shares, prices.get(symbol)) for symbol, shares in held.items() if shares.is_finite())
    return [shares * price for shares, price in known if price is not None and is_price(price)]
