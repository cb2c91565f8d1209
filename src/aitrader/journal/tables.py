"""The tables of the journal: one chain that orders and seals all rows, and one table per family of rows.

A row's whole content is ``body``, JSON with exact text for money; the columns beside it are what people join by.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, Text

from aitrader.domain.events import (
    ActionBooked,
    BookAdjusted,
    BookOpened,
    BookValued,
    DecisionMade,
    DecisionRefused,
    Event,
    FillBooked,
    Latched,
    OrderObserved,
    OrderOutcome,
    OrderRefused,
    OrderSending,
    Reconciled,
    RunEnded,
    RunStarted,
    SessionOpened,
    SymbolHeld,
    SymbolReleased,
    Unlatched,
)

VERSION: Final = "0001"
"""The newest migration; a journal of any other version is not opened."""

METADATA: Final = MetaData()

ACCOUNT: Final = Table(
    "account",
    METADATA,
    Column("book", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("number", Text, nullable=False),
)

CHAIN: Final = Table(
    "chain",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("hash", Text, nullable=False),
)


def _family(name: str, *keys: Column[str]) -> Table:
    seq = Column("seq", Integer, ForeignKey("chain.seq"), primary_key=True, autoincrement=False)
    return Table(name, METADATA, seq, Column("at", Text, nullable=False), *keys, Column("body", Text, nullable=False))


RUNS: Final = _family("runs", Column("run_id", Text, nullable=False))
BOOK: Final = _family("book", Column("symbol", Text))
DECISIONS: Final = _family("decisions", Column("decision", Text, nullable=False))
INTENTS: Final = _family("intents", Column("client_id", Text, nullable=False))
ORDER_EVENTS: Final = _family("order_events", Column("client_id", Text, nullable=False))
FILLS: Final = _family(
    "fills", Column("fill_id", Text, nullable=False, unique=True), Column("client_id", Text, nullable=False)
)
HALTS: Final = _family("halts", Column("latch", Text, nullable=False))

FAMILIES: Final[Mapping[Table, tuple[type[Event], ...]]] = MappingProxyType(
    {
        RUNS: (RunStarted, RunEnded),
        BOOK: (
            BookOpened,
            BookAdjusted,
            SessionOpened,
            ActionBooked,
            BookValued,
            SymbolHeld,
            SymbolReleased,
            Reconciled,
        ),
        DECISIONS: (DecisionMade, DecisionRefused),
        INTENTS: (OrderSending,),
        ORDER_EVENTS: (OrderRefused, OrderOutcome, OrderObserved),
        FILLS: (FillBooked,),
        HALTS: (Latched, Unlatched),
    }
)
"""Which rows stand in which table."""

TABLE_OF: Final[Mapping[type[Event], Table]] = MappingProxyType(
    {kind: table for table, kinds in FAMILIES.items() for kind in kinds}
)
