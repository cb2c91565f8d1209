"""Shows what a book holds, beside what its account holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from aitrader.brokers.broker import Broker
from aitrader.config.schema import Config
from aitrader.domain.positions import Position
from aitrader.domain.symbols import Symbol
from aitrader.engine.state import State
from aitrader.jobs.assembly.book import Visit, open_book
from aitrader.jobs.assembly.desk import looked_at

_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class PositionLine:
    """One holding: ``quantity`` shares in our book, ``account_quantity`` at the broker.

    ``average_cost`` and ``price`` (the middle of the quote of ``priced_at``, UTC; None where there is none) in USD per
    share, ``value`` in USD, ``weight`` as a fraction of equity, ``gain`` over the average cost as a fraction.
    ``held`` says why no order of the symbol leaves.
    """

    symbol: Symbol
    quantity: Decimal
    account_quantity: Decimal
    average_cost: Decimal
    price: Decimal | None
    priced_at: datetime | None
    value: Decimal | None
    weight: float
    gain: float
    held: str


@dataclass(frozen=True, slots=True)
class PositionList:
    """What is held at ``at`` (UTC). ``cash`` is our book's, ``account_cash`` and ``equity`` the broker's, USD."""

    book: str
    account: str
    at: datetime
    equity: Decimal
    cash: Decimal
    account_cash: Decimal
    positions: tuple[PositionLine, ...]
    warnings: tuple[str, ...]


def positions(config: Config, root: Path, visit: Visit) -> PositionList:
    """Return what the book ``config.book`` holds now; nothing is written.

    Raises
    ------
    UsageError
        There is no such book yet.
    JournalError, BrokerError
        Journal or account are missing, damaged, or not of this book.
    """
    with open_book(config, root, visit, mode="read") as book:
        state, _, problem = looked_at(config, book, visit)
        account = book.broker.account()
        lines = tuple(_lines(state, book.broker, account.equity))
        differences = state.differences or ()
        return PositionList(
            book.name,
            account.number,
            book.at,
            account.equity,
            state.book.cash,
            account.cash,
            lines,
            (*differences, problem) if problem and not differences else differences,
        )


def _lines(state: State, broker: Broker, equity: Decimal) -> Iterator[PositionLine]:
    theirs = broker.positions()
    symbols = sorted({*state.book.positions, *theirs})
    quotes = broker.market(symbols).quotes
    for symbol in symbols:
        there = theirs.get(symbol) or Position(symbol, _ZERO, _ZERO)
        here = state.book.positions.get(symbol) or Position(symbol, _ZERO, there.average_cost)
        quote = quotes.get(symbol)
        price = quote.mid if quote else None
        value = None if price is None else price * here.quantity
        yield PositionLine(
            symbol=symbol,
            quantity=here.quantity,
            account_quantity=there.quantity,
            average_cost=here.average_cost,
            price=price,
            priced_at=quote.at if quote else None,
            value=value,
            weight=_share(value, equity),
            gain=_share(None if price is None else price - here.average_cost, here.average_cost),
            held=state.held.get(symbol, ""),
        )


def _share(part: Decimal | None, whole: Decimal) -> float:
    return float(part / whole) if part is not None and whole else float("nan")
