"""A book opened: its folder locked, its account brought up to now, its journal folded."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from aitrader.brokers.account_file import PaperAccount
from aitrader.brokers.broker import Broker
from aitrader.brokers.faulty import FaultSettings, fault_settings, wrap
from aitrader.brokers.simulated import SimulatedBroker
from aitrader.config.schema import Config
from aitrader.disk.files import make_folder
from aitrader.domain.calendars import Calendar
from aitrader.domain.events import BookOpened, Latch
from aitrader.engine.state import State
from aitrader.errors import JournalError
from aitrader.jobs.assembly.folders import (
    JOURNAL,
    PAPER,
    SIMULATED,
    Visit,
    at_work,
    no_book,
    paper_key,
    safe_folder,
)
from aitrader.jobs.assembly.paper import open_paper
from aitrader.jobs.assembly.venue import LakeVenue
from aitrader.journal.account import AccountKey, read_account, write_account
from aitrader.journal.database import DatabaseJournal
from aitrader.journal.halt import FileLatches, latch_folders
from aitrader.journal.journal import Journal
from aitrader.journal.memory import MemoryJournal
from aitrader.lake.store import Lake

__all__ = [
    "JOURNAL", "SIMULATED", "Mode", "OpenBook", "Visit", "at_work", "no_book", "open_book", "paper_key",
    "safe_folder",
]  # fmt: skip

Mode = Literal["write", "unlocked", "read"]
"""``write`` takes the lock; ``unlocked`` writes without it (the kill switch); ``read`` writes nothing anywhere."""


@dataclass(frozen=True, slots=True)
class OpenBook:
    """One account with its journal, at ``at`` (UTC): the replay clock's time, or the machine's.

    ``broker`` knows everything up to ``at`` that the lake's bars tell. ``state`` is what the journal added up to when
    it was opened, and may lack what the broker did since. ``venue`` is what the account is played on. Opened to be
    read, ``journal`` and ``broker`` are copies in memory: what is recorded and sent there ends with the block.
    ``replayed`` says that the account lives on the replay clock, ``waits`` that the machine's time may be waited for.
    """

    name: str
    folder: Path
    key: AccountKey
    journal: Journal
    broker: Broker
    state: State
    at: datetime
    halts: FileLatches
    venue: LakeVenue
    lake: Lake
    replayed: bool
    waits: bool

    @property
    def calendar(self) -> Calendar:
        """The sessions of the exchange."""
        return self.venue.calendar

    @property
    def latches(self) -> frozenset[Latch]:
        """The latches that are shut: in the journal, as a file, or in the environment."""
        return self.state.latches | self.halts.standing()


@contextmanager
def open_book(
    config: Config, root: Path, visit: Visit, *, mode: Mode = "write", create: bool = False
) -> Iterator[OpenBook]:
    """Yield the book ``config.book``, brought up to ``visit.now``, else to its own replay time, else to the present.

    With ``create`` a book that never began is begun: account, journal, and at last ``account.json``, which says that
    the two belong together. What goes missing later is never made anew.

    Raises
    ------
    LockHeldError
        Another process works on the book.
    JournalError, BrokerError
        Journal or account are missing, damaged, of another account or of a newer version, or others may write them.
    LakeError, InsufficientDataError
        There is no lake, or no bars in it.
    UsageError
        There is no such book yet (without ``create``), or ``now`` lies before the account's own time.
    """
    folder, faults = safe_folder(root, config.book), fault_settings(config.account.faults)
    with ExitStack() as stack:
        _enter(stack, folder, mode, create=create)
        key, fresh = _key(folder, config.book, create=create)
        lake = stack.enter_context(Lake.open(root / "data_lake", clock=visit.clock))
        venue = LakeVenue.of(config, lake.snapshot())
        kind = _Watched if mode == "read" else FileLatches
        halts = kind(latch_folders(root, config.book), environment_halt=visit.halted)
        if mode == "read" and fresh:
            made = _imagined(config, key, visit, venue)
        else:
            paper = stack.enter_context(open_paper(config, folder, key, visit, create=fresh))
            kept = stack.enter_context(DatabaseJournal.open(folder / JOURNAL, account=key, create=fresh))
            if mode == "read":
                made = _read(paper, kept, visit, venue)
            else:
                made = _faulty(_advanced(paper, kept, visit, venue), faults)
            if fresh:
                write_account(folder, key)
        state = State.of(made.journal.events())
        yield OpenBook(
            config.book,
            folder,
            key,
            made.journal,
            made.broker,
            state,
            made.at,
            halts,
            venue,
            lake,
            made.replayed,
            waits=mode != "read" and not made.replayed,
        )


def _enter(stack: ExitStack, folder: Path, mode: Mode, *, create: bool) -> None:
    """Make the folder and take the lock, as far as they are wanted."""
    if mode == "read":
        return
    if create:
        make_folder(folder, 0o700)
    if mode == "write" and folder.is_dir():
        stack.enter_context(at_work(folder))


class _Watched(FileLatches):
    """Latches that are read and never shut: a loss that somebody only looks at halts nothing."""

    def latch(self, latch: Latch, reason: str) -> None:
        """Leave the latch as it is."""
        del latch, reason


@dataclass(frozen=True, slots=True)
class _Made:
    """Account and journal at one time."""

    broker: Broker
    journal: Journal
    at: datetime
    replayed: bool


def _advanced(paper: PaperAccount, journal: Journal, visit: Visit, venue: LakeVenue) -> _Made:
    at = paper.time(visit.now, visit.clock()).astimezone(UTC)
    paper.advance(venue, at)
    if not journal.events():
        account = paper.account()
        journal.append(BookOpened(at, account.number, account.cash))
    return _Made(paper, journal, at, paper.replay)


def _faulty(made: _Made, faults: FaultSettings | None) -> _Made:
    return replace(made, broker=wrap(made.broker, faults, len(made.journal.events()))) if faults else made


def _read(paper: PaperAccount, journal: Journal, visit: Visit, venue: LakeVenue) -> _Made:
    at, account = paper.time(visit.now, visit.clock()).astimezone(UTC), paper.copied()
    account.advance(venue, at)
    return _Made(account, MemoryJournal.of(journal.events()), at, paper.replay)


def _imagined(config: Config, key: AccountKey, visit: Visit, venue: LakeVenue) -> _Made:
    """Return the book as it would be begun now."""
    settings, at = config.account, (visit.now or visit.clock()).astimezone(UTC)
    account = SimulatedBroker(key.number, settings.cash, config.execution.costs, settlement=settings.settlement)
    account.advance(venue, at)
    journal = MemoryJournal()
    journal.append(BookOpened(at, key.number, settings.cash))
    return _Made(account, journal, at, visit.now is not None)


def _key(folder: Path, book: str, *, create: bool) -> tuple[AccountKey, bool]:
    """Return the account's key, and whether the book is to be begun: again, where that was interrupted.

    The account is begun before the journal, and both before ``account.json``.
    """
    key, wanted = read_account(folder), paper_key(book)
    if key is not None:
        if key != wanted:
            raise JournalError(
                f"{folder} is the book {key.book!r} of {key}, not {book!r} of {wanted}.",
                fix="Put the folder back where it came from; --book names another book.",
            )
        return key, False
    begun = (folder / PAPER).exists()
    if not begun and (folder / JOURNAL).exists():
        return wanted, False  # an account that went missing: to open it says so
    if not create:
        raise no_book(book)
    return wanted, True
