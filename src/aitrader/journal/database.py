"""The journal that lasts: an SQLite file of one account, which only grows and which every reader checks."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

from sqlalchemy import Connection, NullPool, create_engine, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from aitrader.disk.files import make_folder, sync_folder
from aitrader.domain.events import Event, FillBooked
from aitrader.errors import JournalError, LockHeldError, LostJournalError
from aitrader.journal.account import AccountKey
from aitrader.journal.anchor import Anchor, note, noted
from aitrader.journal.integrity import Damage, doubts, first_hash, seal, unsealed
from aitrader.journal.rows import Row
from aitrader.journal.tables import ACCOUNT, CHAIN, FAMILIES, VERSION

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_PRAGMAS: Final = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "fullfsync = ON",  # macOS: fsync does not reach the platter there
    "checkpoint_fullfsync = ON",
    "foreign_keys = ON",
    "cell_size_check = ON",
    "trusted_schema = OFF",
)
_PATIENCE_S: Final = 5.0
_LAST_ROWS: Final = select(*(select(func.max(table.c.seq)).scalar_subquery() for table in (CHAIN, *FAMILIES)))
"""The number of the last row of each table; made once, because it is asked before every row."""

_BEGIN: Final = {kind: text(f"BEGIN {kind}") for kind in ("IMMEDIATE", "DEFERRED")}
_RESTORE: Final = "Restore it from a backup, or rebuild it from the broker with `aitrader reconcile --rebuild`."
_FREE: Final = "Free space or repair the disk, then run again: nothing is lost."


class DatabaseJournal:
    """The journal of one account. Use it as a context manager.

    Every row is checked against the seals of all rows before it when it is first read, and a row is only added to
    rows that were checked. Another process may add rows at the same time.
    """

    def __init__(self, path: Path, connection: Connection, account: AccountKey) -> None:
        self.path: Final = path
        self.account: Final = account
        self._connection = connection
        self._rows: list[Row] = []
        self._fills: set[str] = set()
        self._hashes = [first_hash(account)]

    @classmethod
    def open(cls, path: Path, *, account: AccountKey | None, create: bool = False) -> Self:
        """Open the journal at ``path``; with ``create`` one that was never finished or begun is made for ``account``.

        ``account`` None opens the journal of whichever account it is.

        Raises
        ------
        JournalError
            It is missing, damaged, of another account or written by a newer version, or the disk failed.
        LockHeldError
            Another process has been writing it for seconds.
        """
        if create:
            if account is None:
                raise ValueError("a journal is made for an account")
            _make_file(path)
        elif not path.exists():
            raise LostJournalError(f"The journal {path} is missing.", fix=_RESTORE)
        with _told(path):
            connection = create_engine("sqlite://", creator=lambda: _connect(path), poolclass=NullPool).connect()
        try:
            with _told(path):
                if create and account is not None:
                    _build(connection, account)
                found = _identity(connection, path)
            if account is not None and found != account:
                raise LostJournalError(
                    f"{path} is the journal of the {found} of book {found.book}, not of the {account} of book "
                    f"{account.book}.",
                    fix="Restore the journal of this account, or rebuild it with `aitrader reconcile --rebuild`.",
                )
            return cls(path, connection, found)
        except BaseException:
            connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        self._connection.close()

    def append(self, event: Event) -> bool:
        """Record ``event`` for good; False, and no row, for a fill whose id is recorded already.

        Raises
        ------
        JournalError
            The journal is damaged, and nothing is added to it; or the disk is full or failing, and nothing was added.
        LockHeldError
            Another process has been writing it for seconds.
        TypeError, ValueError
            Not one of ``domain.events.Event``, or a time in it has no offset.
        """
        with _told(self.path), _transaction(self._connection, "IMMEDIATE"):
            self._read_news()
            if isinstance(event, FillBooked) and event.fill.fill_id in self._fills:
                return False
            seq = len(self._rows) + 1
            sealed = seal(self._hashes[-1], seq, event)
            self._connection.execute(insert(CHAIN), {"seq": seq, "kind": sealed.kind, "hash": sealed.hash})
            self._connection.execute(insert(sealed.table), dict(sealed.columns))
        self._keep(Row(seq, event.at, sealed.kind, event), sealed.hash)
        note(self.path, Anchor(seq, sealed.hash))
        return True

    def events(self) -> tuple[Event, ...]:
        """Return everything recorded, oldest first, all of it checked; ``JournalError`` where it is damaged."""
        return tuple(row.event for row in self.rows())

    def rows(self, after: int = 0) -> tuple[Row, ...]:
        """Return the rows with numbers above ``after``, oldest first, all of them checked.

        Raises
        ------
        JournalError
            A row is missing, or is not what was written.
        """
        with _told(self.path), _transaction(self._connection, "DEFERRED"):
            self._read_news()
        return tuple(self._rows[after:])

    def check(self) -> tuple[str, ...]:
        """Read everything again, and return what is wrong as sentences; none if the journal is sound."""
        fresh = DatabaseJournal(self.path, self._connection, self.account)
        found: list[str] = []
        try:
            with _told(self.path), _transaction(self._connection, "DEFERRED"):
                for pragma in ("integrity_check", "foreign_key_check"):
                    rows = self._connection.execute(text(f"PRAGMA {pragma}"))
                    found += [f"SQLite: {' '.join(map(str, row))}." for row in rows if tuple(row) != ("ok",)]
            found += doubts(fresh.rows())
        except JournalError as error:
            found.append(str(error))
        return tuple(found)

    def _read_news(self) -> None:
        """Take in the rows that were added since the last look; inside a transaction that read nothing yet."""
        anchor = noted(self.path)  # before the rows, which another process may be adding to
        if self._grown():
            self._read(len(self._rows))
        if anchor is not None and anchor.hash not in self._hashes[anchor.seq : anchor.seq + 1]:
            raise Damage(f"row {anchor.seq} was recorded and is gone; {len(self._rows)} rows are left")

    def _grown(self) -> bool:
        return any((last or 0) > len(self._rows) for last in self._connection.execute(_LAST_ROWS).one())

    def _read(self, known: int) -> None:
        chain = self._connection.execute(
            select(CHAIN.c.seq, CHAIN.c.kind, CHAIN.c.hash).where(CHAIN.c.seq > known).order_by(CHAIN.c.seq)
        )
        families = {
            table.name: list(map(dict, self._connection.execute(select(table).where(table.c.seq > known)).mappings()))
            for table in FAMILIES
        }
        for row, sealed in unsealed(self._hashes[-1], known, map(tuple, chain), families):
            self._keep(row, sealed)

    def _keep(self, row: Row, sealed: str) -> None:
        self._rows.append(row)
        self._hashes.append(sealed)
        if isinstance(row.event, FillBooked):
            self._fills.add(row.event.fill.fill_id)


def _make_file(path: Path) -> None:
    try:
        make_folder(path.parent, 0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        sync_folder(path.parent)
    except OSError as error:
        raise JournalError(f"The journal {path} could not be made: {error}.", fix=_FREE) from error


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_PATIENCE_S)
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _transaction(connection: Connection, kind: str) -> Iterator[None]:
    """Run the block in one transaction; ``IMMEDIATE`` shuts out other writers before anything is read."""
    with connection.begin():
        connection.execute(_BEGIN[kind])
        yield


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say what a failure of the database, or a row that does not fit, means."""
    try:
        yield
    except DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise LockHeldError(
                f"Another process has been writing {path} for {_PATIENCE_S:.0f} seconds.",
                fix="Wait until it is done, then run again.",
            ) from error
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            raise JournalError(f"{path} could not be read or written: {error.orig}.", fix=_FREE) from error
        raise _damaged(path, error.orig) from error
    except (Damage, UnicodeDecodeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, why: Any) -> JournalError:
    return LostJournalError(f"The journal {path} is damaged: {why}.", fix=_RESTORE)


def _build(connection: Connection, account: AccountKey) -> None:
    """Make the tables, all of them or none, where there are none yet."""
    from alembic import command
    from alembic.config import Config

    with _transaction(connection, "IMMEDIATE"):
        if connection.execute(text("SELECT count(*) FROM sqlite_master")).scalar():
            return
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        command.upgrade(config, "head")
        names = [column.name for column in ACCOUNT.columns]
        connection.execute(insert(ACCOUNT), dict(zip(names, astuple(account), strict=True)))


def _identity(connection: Connection, path: Path) -> AccountKey:
    """Return whose journal it is, after comparing its version with this program's."""
    with _transaction(connection, "DEFERRED"):
        versions = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
        if versions != [VERSION]:
            raise JournalError(
                f"{path} has the version {', '.join(map(repr, versions)) or 'none'}; this aitrader reads {VERSION!r}.",
                fix="Use the aitrader that wrote it, or restore the journal from a backup.",
            )
        accounts = connection.execute(select(ACCOUNT)).all()
    if len(accounts) != 1 or not all(isinstance(part, str) for part in accounts[0]):
        raise _damaged(path, "it does not say whose it is")
    return AccountKey(*accounts[0])
