"""The file of a simulated account: its tables, its rows as text, and the hashes that show damage."""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from math import isnan
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from aitrader.brokers.ledger import Row
from aitrader.brokers.simulated import Standing
from aitrader.brokers.venue import SessionBars
from aitrader.disk.files import sync_folder
from aitrader.domain.events import ActionBooked
from aitrader.domain.symbols import Symbol
from aitrader.errors import BrokerError

VERSION: Final = 2
"""Of the tables and of what their texts hold; to be raised with every change of either."""

WAIT_SECONDS: Final = 5.0

_TABLES: Final = MetaData()
_ACCOUNT: Final = Table("account", _TABLES, Column("id", Integer, primary_key=True), Column("body", Text))
_ROWS: Final = Table(
    "rows",
    _TABLES,
    Column("seq", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("chain", Text, nullable=False),
)
_VENUE: Final = Table("venue", _TABLES, Column("id", Integer, primary_key=True), Column("body", Text))
_STANDING: Final = Table(
    "standing", _TABLES, Column("id", Integer, primary_key=True), Column("body", Text), Column("digest", Text)
)
_ACTIONS: Final = TypeAdapter(tuple[ActionBooked, ...])
_KINDS: Final = {kind.__name__: TypeAdapter(kind) for kind in get_args(Row)}


@dataclass(frozen=True, slots=True)
class Beginning:
    """How an account began: with ``cash`` USD at ``opened``; ``replay``: on the replay clock, not the machine's."""

    number: str
    cash: Decimal
    opened: datetime
    replay: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """What the file holds: the account's beginning, its rows, and what it knows besides."""

    beginning: Beginning
    rows: tuple[Row, ...]
    standing: Standing


class AccountFile:
    """One SQLite file that holds one account. Every error of it is a ``BrokerError``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        engine = create_engine("sqlite://", creator=lambda: _connected(path), poolclass=NullPool)
        self._chain, self._count, self._venue, self._body = "", 0, "", ""
        self._seen: int | None = None
        self._writing = False
        with self.guarded():
            self._db = engine.connect()

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn the database's errors into the account's."""
        try:
            yield
        except (SQLAlchemyError, UnicodeDecodeError) as error:
            reason = str(getattr(error, "orig", None) or error)
            raise BrokerError(
                f"The account file {self._path} cannot be used: {reason}.",
                fix="Check disk and permissions; if it is damaged, restore it from a backup, or begin another book.",
            ) from error

    def begin(self, beginning: Beginning) -> None:
        """Make an empty file the file of a new account; one that holds an account stays as it is."""
        with self.guarded():
            self._db.exec_driver_sql("PRAGMA journal_mode=WAL")
            self._db.commit()
        with self.transaction():
            if self._db.exec_driver_sql("PRAGMA user_version").scalar_one():
                return
            _TABLES.create_all(self._db)
            self._db.execute(insert(_ACCOUNT).values(id=1, body=_text(beginning)))
            self._chain = _hash(_text(beginning))
            self.save((), Standing(beginning.opened, None, None, False, (), {}))
            self._db.exec_driver_sql(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all that the block does, or, where it raises, nothing; no other process writes meanwhile."""
        with self.guarded():
            self._db.exec_driver_sql("BEGIN IMMEDIATE")
            self._writing = True
            try:
                yield
                self._db.commit()
            except BaseException:
                self._db.rollback()
                raise
            finally:
                self._writing = False

    @property
    def changed(self) -> bool:
        """Whether another process wrote the file since it was loaded here, or it never was."""
        with self.guarded():
            return self._seen != self._version()

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Let all that the block reads be of one instant, also outside a transaction."""
        with self.guarded():
            if self._writing:
                yield
                return
            self._db.exec_driver_sql("BEGIN")
            try:
                yield
            finally:
                self._db.rollback()

    def load(self) -> Kept:
        """Return what the file holds.

        Raises
        ------
        BrokerError
            It holds no account, one of a newer version, or not what was once written.
        """
        with self._snapshot():
            version = self._db.exec_driver_sql("PRAGMA user_version").scalar_one()
            if version != VERSION:
                raise self._unfit(version)
            if self._db.exec_driver_sql("PRAGMA quick_check(1)").scalar_one() != "ok":
                raise self._damaged("its pages")
            seen = self._version()
            kept = self._kept()
        self._seen = seen
        return kept

    def _kept(self) -> Kept:
        try:
            text = self._db.execute(select(_ACCOUNT.c.body)).scalar_one()
            rows = tuple(self._rows(_hash(text)))
            standing = self._standing()
            return Kept(TypeAdapter(Beginning).validate_json(text), rows, standing)
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            if isinstance(error, UnicodeDecodeError):
                raise
            # The hashes hold, so that it is what was written: in words that this program does not know.
            raise BrokerError(
                f"The account file {self._path} says something that this program cannot read: {error!r}.",
                fix="Use the version of aitrader that wrote it, or begin another book with --book NAME.",
            ) from error

    def save(self, rows: Sequence[Row], standing: Standing) -> None:
        """Add ``rows`` to the file, and replace what is known besides, if anything changed; inside a transaction."""
        venue, body = _venue_text(standing), _standing_text(standing)
        if not rows and (venue, body) == (self._venue, self._body):
            return
        for row in rows:
            self._add(row)
        if venue != self._venue:
            self._put(_VENUE, body=venue)
        self._put(_STANDING, body=body, digest=_hash(self._chain, self._count, venue, body))
        self._venue, self._body = venue, body

    def close(self) -> None:
        """Let go of the file."""
        with self.guarded():
            engine = self._db.engine
            self._db.close()
            engine.dispose()

    def _version(self) -> int:
        return int(self._db.exec_driver_sql("PRAGMA data_version").scalar_one())

    def _add(self, row: Row) -> None:
        kind = type(row).__name__
        body = _KINDS[kind].dump_json(row).decode()
        self._count, self._chain = self._count + 1, _hash(self._chain, kind, body)
        self._db.execute(insert(_ROWS).values(seq=self._count, kind=kind, body=body, chain=self._chain))

    def _put(self, table: Table, **values: str) -> None:
        statement = upsert(table).values(id=1, **values)
        self._db.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))

    def _rows(self, chain: str) -> Iterator[Row]:
        count = 0
        for count, (seq, kind, body, kept) in enumerate(self._db.execute(select(_ROWS).order_by(_ROWS.c.seq)), 1):
            chain = _hash(chain, kind, body)
            if seq != count or chain != kept:
                raise self._damaged(f"row {count}")
            yield _KINDS[kind].validate_json(body)
        self._chain, self._count = chain, count

    def _standing(self) -> Standing:
        body, digest = self._db.execute(select(_STANDING.c.body, _STANDING.c.digest)).one()
        self._venue = self._db.execute(select(_VENUE.c.body)).scalar_one()
        if digest != _hash(self._chain, self._count, self._venue, body):
            raise self._damaged("its last state")
        self._body = body
        return _standing_of(json.loads(body), json.loads(self._venue))

    def _damaged(self, what: str) -> BrokerError:
        return BrokerError(
            f"The account file {self._path} is damaged: {what} is not what was written.",
            fix="Restore it from a backup, or begin another book with --book NAME.",
        )

    def _unfit(self, version: int) -> BrokerError:
        if version:
            cure = "or a newer one" if version > VERSION else "or begin another book with --book NAME"
            return BrokerError(
                f"The account file {self._path} has version {version}; this program knows {VERSION}.",
                fix=f"Use the version of aitrader that wrote it, {cure}.",
            )
        return BrokerError(
            f"The account file {self._path} holds no account.",
            fix="Restore it from a backup, or begin another book with --book NAME.",
        )


def make_file(path: Path) -> None:
    """Make an empty file that only its owner may read, for good; one that exists stays as it is."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        sync_folder(path.parent)
    except OSError as error:
        raise BrokerError(
            f"The account file {path} cannot be made: {error.strerror}.", fix="Check the disk and its permissions."
        ) from error


def _connected(path: Path) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode=rw"
    driver = sqlite3.connect(address, uri=True, isolation_level=None, timeout=WAIT_SECONDS)
    try:
        driver.execute("PRAGMA synchronous=FULL")
    except sqlite3.Error:
        driver.close()
        raise
    return driver


def _hash(*parts: object) -> str:
    return sha256("\x1f".join(str(part) for part in parts).encode("utf-8", "surrogatepass")).hexdigest()


def _text(beginning: Beginning) -> str:
    return TypeAdapter(Beginning).dump_json(beginning).decode()


def _standing_text(standing: Standing) -> str:
    marks = {symbol: str(price) for symbol, price in standing.marks.items()}
    return json.dumps(
        {
            "at": standing.at and standing.at.isoformat(),
            "running": standing.running,
            "acted": _ACTIONS.dump_python(tuple(standing.acted), mode="json"),
            "marks": marks,
        }
    )


def _venue_text(standing: Standing) -> str:
    """Return what an account may need again of its venue: the opens and usual volumes told last, the last closes."""
    bars, last = standing.bars, standing.last
    return json.dumps(
        {
            "bars": bars and {**_frame(bars), "open": _values(bars.open), "volume20": _values(bars.volume20)},
            "last": last and {**_frame(last), "close": _values(last.close)},
        }
    )


def _standing_of(standing: Mapping[str, Any], venue: Mapping[str, Any]) -> Standing:
    return Standing(
        at=datetime.fromisoformat(standing["at"]),
        bars=venue["bars"] and _bars(venue["bars"]),
        last=venue["last"] and _bars(venue["last"]),
        running=standing["running"],
        acted=_ACTIONS.validate_python(standing["acted"]),
        marks={Symbol(symbol): Decimal(price) for symbol, price in standing["marks"].items()},
    )


def _frame(bars: SessionBars) -> dict[str, object]:
    times = {"session": bars.session, "opened": bars.opened, "closes": bars.closes}
    return {**{name: at.isoformat() for name, at in times.items()}, "symbols": list(bars.places)}


def _bars(kept: Mapping[str, Any]) -> SessionBars:
    symbols = kept["symbols"]
    unknown = np.full(len(symbols), np.nan)
    columns = {
        name: np.array(kept[name], dtype=np.float64) if name in kept else unknown
        for name in ("open", "high", "low", "close", "vwap", "volume20")
    }
    return SessionBars(
        session=date.fromisoformat(kept["session"]),
        opened=datetime.fromisoformat(kept["opened"]),
        closes=datetime.fromisoformat(kept["closes"]),
        places={symbol: place for place, symbol in enumerate(symbols)},
        **columns,
    )


def _values(column: NDArray[np.float64]) -> list[float | None]:
    return [None if isnan(value) else value for value in column.tolist()]  # JSON has no NaN
