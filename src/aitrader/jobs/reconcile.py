"""Compares our book with the broker's account; takes the account's word where a person says so."""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Final

from aitrader.config.schema import Config
from aitrader.disk.files import sync_folder
from aitrader.domain.events import (
    ActionBooked,
    BookAdjusted,
    Event,
    FillBooked,
    Latch,
    OrderSending,
    Reconciled,
    RunEnded,
    RunStarted,
    SymbolReleased,
)
from aitrader.domain.receipts import Receipt
from aitrader.domain.symbols import Symbol
from aitrader.engine.recovery import Difference, accepted, compare
from aitrader.engine.state import State
from aitrader.errors import BrokerError, JournalError, LostJournalError, RefusedError, UsageError
from aitrader.jobs.assembly.book import (
    JOURNAL,
    OpenBook,
    Visit,
    at_work,
    no_book,
    open_book,
    paper_key,
    safe_folder,
)
from aitrader.jobs.assembly.desk import brought_up_to_date
from aitrader.jobs.assembly.paper import open_paper
from aitrader.jobs.assembly.rebuild import Before, Making, Opening, rebuilt
from aitrader.jobs.assembly.runs import recorded
from aitrader.jobs.assembly.venue import LakeVenue
from aitrader.jobs.receipt import versions, write_receipt
from aitrader.journal.account import NAME as ACCOUNT
from aitrader.journal.account import AccountKey, read_account, write_account
from aitrader.journal.anchor import SUFFIX as ANCHOR
from aitrader.journal.database import DatabaseJournal
from aitrader.journal.halt import FileLatches, latch_folders
from aitrader.lake.store import Lake
from aitrader.models.passport import digest

FORCED: Final = '`aitrader reconcile --rebuild --force --reason "..."`'
"""What ends it where journal and account tell of different fills."""

_SIDE_FILES: Final = ("-wal", "-shm", ANCHOR, "")
"""What is kept of one journal, the database itself last: without it the others say nothing."""

_NAMES: Final[Mapping[type[Event], str]] = MappingProxyType({FillBooked: "fills", ActionBooked: "corporate actions"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What ``reconcile`` is asked for. ``accept`` and ``rebuild`` need a ``reason``, which goes into the journal.

    ``force`` rebuilds also a journal that is sound, because it is not that of what happened to the account.
    """

    visit: Visit
    accept: bool = False
    rebuild: bool = False
    force: bool = False
    reason: str = ""
    origins: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """How book and account stand at ``at``: ``agreed`` if there are no ``differences`` (any more).

    ``positions`` are those that agree, ``cash`` is the account's, USD. ``unbooked`` counts what the account did and
    the journal lacks yet: it is no difference, the next run books it. ``accepted`` are the rows with which the book
    took the account's word, ``released`` the symbols that may be traded again, ``kept`` the files of the journal that
    was replaced.
    """

    book: str
    account: str
    at: datetime
    agreed: bool
    differences: tuple[Difference, ...]
    positions: int
    cash: Decimal
    unbooked: Mapping[str, int]
    accepted: tuple[BookAdjusted, ...] = ()
    released: tuple[Symbol, ...] = ()
    kept: tuple[str, ...] = ()
    receipt: str = ""


def reconcile(config: Config, root: Path, asked: Asked) -> Reconciliation:
    """Compare the book ``config.book`` with its account.

    Without ``accept`` and ``rebuild`` nothing is written: what the account did since the last run is booked in memory
    only. With ``accept`` it is booked, what differs then is adjusted to the account's word, and held symbols are
    released. With ``rebuild`` a journal that cannot be used is kept beside, and a new one is written from the account;
    it begins with HALT. With ``force`` as well, a sound journal is replaced; its decisions and spent ids are kept.

    Raises
    ------
    UsageError
        There is no such book, no reason is given, or there is nothing to rebuild.
    LockHeldError
        Another process works on the book.
    JournalError, BrokerError
        Journal (without ``rebuild``) or account are missing, damaged, or not of this book; or the fills of the
        journal are not the account's, which cannot be accepted.
    LakeError
        The lake cannot be read, or the receipt not written.
    """
    changing = asked.accept or asked.rebuild
    _refuse_odd_words(asked, changing=changing)
    started = asked.visit.clock()
    kept = _rebuild(config, root, asked) if asked.rebuild else ()
    found = _accepted(config, root, asked) if asked.accept else _compared(config, root, asked.visit)
    found = replace(found, kept=kept)
    return _receipt(config, root, asked, found, started) if changing else found


def _refuse_odd_words(asked: Asked, *, changing: bool) -> None:
    if asked.force and not asked.rebuild:
        raise UsageError("--force belongs to --rebuild.", fix="`aitrader reconcile` alone compares.")
    if asked.accept and asked.rebuild:
        raise UsageError("--accept and --rebuild exclude each other.", fix="Rebuild first, then look again.")
    if changing and not asked.reason.strip():
        raise UsageError("The journal wants to know why.", fix='Add --reason "..." in your own words.')


def _compared(config: Config, root: Path, visit: Visit) -> Reconciliation:
    with open_book(config, root, visit, mode="read") as book:
        begun = len(book.journal.events())
        # A loss that would shut HALT shuts nothing here: the next run that may write will.
        silent = replace(book, halts=FileLatches((), environment_halt=False))
        state, differences = _looked(config, silent, visit, book.state)
        return _told(book, state, differences, book.journal.events()[begun:])


def _accepted(config: Config, root: Path, asked: Asked) -> Reconciliation:
    with open_book(config, root, asked.visit) as book, recorded(book, asked.visit, config) as run:
        state, differences = _looked(config, book, asked.visit, run.state)
        _refuse_other_fills(differences)
        rows = accepted(state, differences, book.at, asked.reason) if differences or state.held else ()
        for row in rows:
            book.journal.append(row)
        state = State.of(book.journal.events())
        left = _differences(config, book, state)
        if left:
            book.journal.append(Reconciled(book.at, tuple(map(str, left))))
            run.status, run.exit_code, run.reason = "failed", 5, "; ".join(map(str, left))
        else:
            run.ended("done", asked.reason)
        return replace(
            _told(book, state, left, ()),
            accepted=tuple(row for row in rows if isinstance(row, BookAdjusted)),
            released=tuple(row.symbol for row in rows if isinstance(row, SymbolReleased)),
        )


def _refuse_other_fills(differences: Iterable[Difference]) -> None:
    """Refuse to adjust a book whose fills are not the account's: they would differ for ever, and hold their symbols."""
    fills = [str(one) for one in differences if one.kind == "fills"]
    if fills:
        more = f" ({len(fills) - 1} more)" if len(fills) > 1 else ""
        raise BrokerError(
            f"The fills of the journal are not the account's, and cannot be accepted: {fills[0]}{more}.",
            fix=f"Look again in a minute; if they still differ, run {FORCED}.",
        )


def _looked(config: Config, book: OpenBook, visit: Visit, state: State) -> tuple[State, tuple[Difference, ...]]:
    """Book what happened since the last run, and return what still differs."""
    with suppress(RefusedError):  # orders of others are among the differences
        brought_up_to_date(config, book, visit, state)
    state = State.of(book.journal.events())
    return state, _differences(config, book, state)


def _differences(config: Config, book: OpenBook, state: State) -> tuple[Difference, ...]:
    rows = book.journal.events()
    sent = {row.order.client_id for row in rows if isinstance(row, OrderSending)}
    booked = {row.fill.fill_id: row.fill for row in rows if isinstance(row, FillBooked)}
    return compare(state, book.broker, config.reconcile, sent=sent, booked=booked)


def _told(book: OpenBook, state: State, differences: tuple[Difference, ...], new: Iterable[Event]) -> Reconciliation:
    differing = {one.symbol for one in differences}
    kinds = Counter(_NAMES[type(row)] for row in new if type(row) in _NAMES)
    return Reconciliation(
        book=book.name,
        account=book.key.number,
        at=book.at,
        agreed=not differences,
        differences=differences,
        positions=len(set(state.book.positions) - differing),
        cash=book.broker.account().cash,
        unbooked=dict(kinds),
    )


def _rebuild(config: Config, root: Path, asked: Asked) -> tuple[str, ...]:
    """Put a new journal in the place of one that cannot be used; return the files of the old one, kept beside it."""
    folder, visit = safe_folder(root, config.book), asked.visit
    if not folder.is_dir():
        raise no_book(config.book)
    with ExitStack() as stack:
        stack.enter_context(at_work(folder))
        key, doubtful = _key(folder, config.book)
        damage = _damage(folder, key)
        if damage is None and not doubtful and not asked.force:
            raise UsageError(
                f"The journal of the book {config.book!r} is sound: there is nothing to rebuild.",
                fix=f"`aitrader reconcile` compares it with the account; if its fills are not the account's: {FORCED}.",
            )
        before = _before(folder, key) if damage is None else Before()
        lake = stack.enter_context(Lake.open(root / "data_lake", clock=visit.clock))
        version, venue = lake.snapshot().version, LakeVenue.of(config, lake.snapshot())
        paper = stack.enter_context(open_paper(config, folder, key, visit))
        at = paper.time(visit.now, visit.clock())
        paper.advance(venue, at)
        # What was latched in the old journal is not known: shut before the new one can be read.
        FileLatches(latch_folders(root, config.book), environment_halt=False).latch(Latch.HALT, asked.reason)
        played = venue.played(at)
        opening = Opening(played[-1], venue.calendar.open_of(played[-1])) if played else None
        making = Making(at, opening, config.execution.entry, asked.reason, before)
        rows = rebuilt(paper, config.book, making)
        settings = digest(config.model_dump(mode="json"))
        runs = (
            RunStarted(at, visit.run_id, visit.command, settings, version),
            RunEnded(at, visit.run_id, visit.command, "done", 0, f"{damage or doubtful or 'forced'}; {asked.reason}"),
        )
        kept = _replaced(folder, key, (*rows, *runs), visit.run_id)
    return tuple(str(path.relative_to(root)) for path in kept)


def _key(folder: Path, book: str) -> tuple[AccountKey, str]:
    """Return what names the account, and why ``account.json`` cannot be believed (empty: it can)."""
    wanted = paper_key(book)
    try:
        key = read_account(folder)
    except LostJournalError as error:
        return wanted, str(error)
    if key is not None and key != wanted:
        raise JournalError(
            f"{folder} is the book {key.book!r} of {key}, not {book!r} of {wanted}.",
            fix="Put the folder back where it came from; --book names another book.",
        )
    return wanted, ""


def _damage(folder: Path, key: AccountKey) -> str | None:
    """Return what is wrong with the journal; None where nothing is. One that a newer version wrote is not wrong."""
    try:
        with DatabaseJournal.open(folder / JOURNAL, account=key) as journal:
            return "; ".join(journal.check()) or None
    except LostJournalError as error:
        return str(error)


def _before(folder: Path, key: AccountKey) -> Before:
    with DatabaseJournal.open(folder / JOURNAL, account=key) as journal:
        return Before.of(journal.events())


def _replaced(folder: Path, key: AccountKey, rows: Iterable[Event], run_id: str) -> tuple[Path, ...]:
    """Write ``rows`` as a journal beside, move the old one away, and put the new one in its place.

    Ended at any instant, the next ``--rebuild`` finds a journal that is damaged or missing, and begins again.
    """
    made = folder / f".tmp-{run_id}.sqlite"
    with DatabaseJournal.open(made, account=key, create=True) as journal:
        for row in rows:
            journal.append(row)
    kept = []
    try:
        for suffix in _SIDE_FILES:
            old, beside = folder / f"{JOURNAL}{suffix}", folder / f"journal-{run_id}.sqlite{suffix}"
            if old.exists():
                kept.append(old.rename(beside))
        made.with_name(f"{made.name}{ANCHOR}").unlink(missing_ok=True)  # the next row makes its own
        made.rename(folder / JOURNAL)
        if (folder / ACCOUNT).exists() and not _readable(folder):
            kept.append((folder / ACCOUNT).rename(folder / f"account-{run_id}.json"))
        sync_folder(folder)
    except OSError as error:
        raise JournalError(
            f"The journal in {folder} could not be replaced: {error}.",
            fix="Free space or repair the disk, then rebuild again: nothing is deleted.",
        ) from error
    write_account(folder, key)
    return tuple(kept)


def _readable(folder: Path) -> bool:
    try:
        return read_account(folder) is not None
    except LostJournalError:
        return False


def _receipt(config: Config, root: Path, asked: Asked, found: Reconciliation, started: datetime) -> Reconciliation:
    visit = asked.visit
    receipt = Receipt(
        run_id=visit.run_id,
        command="reconcile",
        arguments={
            "accept": asked.accept,
            "rebuild": asked.rebuild,
            "force": asked.force,
            "reason": asked.reason,
            "now": visit.now,
        },
        started_at=started,
        finished_at=visit.clock(),
        lake_version=None,
        inputs={},
        outputs={str(number): str(row) for number, row in enumerate(found.accepted)}
        | dict.fromkeys(found.kept, "kept"),
        settings=config.model_dump(mode="json"),
        origins=asked.origins,
        seed=None,
        versions=versions(),
    )
    write_receipt(root / "data_lake", receipt)
    return replace(found, receipt=f"data_lake/receipts/{visit.run_id}.json")
