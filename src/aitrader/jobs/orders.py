"""Lists the orders of a book: what was planned, whether it left, and what became of it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aitrader.config.schema import Config
from aitrader.jobs.assembly.book import Visit, open_book
from aitrader.jobs.assembly.desk import looked_at
from aitrader.jobs.assembly.orders import OrderLine, order_lines


@dataclass(frozen=True, slots=True)
class OrderList:
    """Orders, oldest first: those of the newest decision and all that are open, or with ``everything`` all."""

    book: str
    account: str
    at: datetime
    everything: bool
    orders: tuple[OrderLine, ...]
    warnings: tuple[str, ...]


def orders(config: Config, root: Path, visit: Visit, *, everything: bool = False) -> OrderList:
    """Return the orders of the book ``config.book`` as they stand now; nothing is written.

    Raises
    ------
    UsageError
        There is no such book yet.
    JournalError, BrokerError
        Journal or account are missing, damaged, or not of this book.
    """
    with open_book(config, root, visit, mode="read") as book:
        state, _, problem = looked_at(config, book, visit)
        found = order_lines(book.journal.events())
        newest = state.decision.decision if state.decision else None
        shown = tuple(line for line in found if everything or line.open or line.decision == newest)
        return OrderList(book.name, book.key.number, book.at, everything, shown, (problem,) if problem else ())
