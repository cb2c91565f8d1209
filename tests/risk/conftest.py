"""A book worth 100,000 USD, and orders on it."""

from decimal import Decimal

import pytest

from aitrader.domain.orders import Entry, Order, Side, client_order_id
from aitrader.domain.positions import Book, Position
from aitrader.risk.exposure import RiskContext


@pytest.fixture(scope="session")
def make_order():
    def make(symbol="A", side=Side.BUY, quantity="10", price="100", *, number=1, decision="20260105", **kind):
        return Order(
            client_id=client_order_id("main", decision, "top5", symbol, side=side, number=number),
            symbol=symbol,
            side=side,
            quantity=Decimal(quantity),
            planned_price=Decimal(price),
            strategy="top5",
            decision=decision,
            entry=Entry.AFTER_OPEN,
            **kind,
        )

    return make


@pytest.fixture(scope="session")
def make_context():
    """A context of cash and ``held`` shares at 100 USD; keyword arguments replace single fields."""

    def make(cash=100_000, held=(), **known):
        book = Book(Decimal(cash), {s: Position(s, Decimal(q), Decimal(100)) for s, q in dict(held).items()})
        symbols = {"A", "B", "C", *dict(held)}
        prices = dict.fromkeys(symbols, Decimal(100))
        fields = {
            "equity": book.equity(prices),
            "book": book,
            "prices": prices,
            "volume20": dict.fromkeys(symbols, 1e6),
            "stale": dict.fromkeys(symbols, 0),
            "members": frozenset(symbols),
        }
        return RiskContext(**(fields | known))

    return make
