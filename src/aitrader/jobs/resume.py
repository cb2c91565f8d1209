"""Opens both latches of a book, after a person has named its account."""

from dataclasses import dataclass
from pathlib import Path

from aitrader.config.schema import Config
from aitrader.disk.files import make_folder
from aitrader.domain.events import Latch, Unlatched
from aitrader.engine.state import State
from aitrader.errors import RefusedError, UsageError
from aitrader.jobs.assembly.folders import JOURNAL, SIMULATED, Visit, at_work, no_book, safe_folder
from aitrader.jobs.assembly.latches import book_time, key_of, left_receipt
from aitrader.journal.account import AccountKey, read_account
from aitrader.journal.database import DatabaseJournal
from aitrader.journal.halt import FileLatches, latch_folders


@dataclass(frozen=True, slots=True)
class Asked:
    """``number`` as it was typed; ``attended`` says that a person sits at a terminal."""

    visit: Visit
    number: str
    reason: str
    attended: bool


@dataclass(frozen=True, slots=True)
class Resumed:
    """The ``opened`` latches (none: nothing was shut) and the ``removed`` files."""

    book: str
    account: str
    opened: tuple[Latch, ...]
    removed: tuple[str, ...]
    warnings: tuple[str, ...]


def resume(config: Config, root: Path, asked: Asked) -> Resumed:
    """Open HALT and HALT_ENTRIES of the book ``config.book``, in its journal and as files.

    Raises
    ------
    UsageError
        There is no such book, or ``number`` is not that of its account; nothing is opened.
    RefusedError
        The environment shuts HALT, nobody sits at the terminal for a real account, or a file could not be removed.
    LockHeldError
        Another process works on the book.
    JournalError, BrokerError
        Journal or account are missing, damaged, or not of this book; nothing is opened.
    """
    visit, started, folder = asked.visit, asked.visit.clock(), safe_folder(root, config.book)
    halts = FileLatches(latch_folders(root, config.book), environment_halt=visit.halted)
    if not folder.is_dir():
        if not halts.standing():
            raise no_book(config.book)
        make_folder(folder, 0o700)  # the latch of all books was shut before any of them began
    with at_work(folder):
        key = key_of(folder, config.book)
        _refuse(key, asked)
        rows = _unlatched(config, folder, key, asked, shut=halts.standing())
        files = _cleared(halts, config.book)
    opened = tuple(latch for latch in Latch if latch in rows or files[latch])
    removed = tuple(str(path.relative_to(root)) for latch in Latch for path in files[latch])
    warnings: tuple[str, ...] = ()
    if opened:
        arguments = {"book": config.book, "account": asked.number, "reason": asked.reason}
        outputs = dict.fromkeys((latch.value for latch in opened), "open")
        warnings = left_receipt(config, root, visit, arguments, outputs, started=started)
    return Resumed(config.book, key.number, opened, removed, warnings)


def _refuse(key: AccountKey, asked: Asked) -> None:
    if asked.number != key.number:
        raise UsageError(
            f"{asked.number!r:.60} is not the account of the book {key.book}. Nothing was opened.",
            fix="Type the number of the account that you mean to trade; `aitrader status` shows it.",
        )
    if key.kind != SIMULATED and not asked.attended:
        raise RefusedError(
            f"{key.number} is a real account, and nobody sits at this terminal. Nothing was opened.",
            fix="Run it by hand, at a terminal.",
        )
    if asked.visit.halted:
        raise RefusedError(
            "AITRADER_HALT is set in the environment: it shuts HALT, and only its end opens it. Nothing was opened.",
            fix="Unset AITRADER_HALT wherever it is set (crontab, unit, shell), then run it again.",
        )


def _cleared(halts: FileLatches, book: str) -> dict[Latch, tuple[Path, ...]]:
    """Remove the files of both latches, and return them."""
    files = {latch: halts.clear(latch) for latch in Latch}
    if halts.standing():
        raise RefusedError(
            f"The book {book} stays halted: {'; '.join(halts.problems)}.",
            fix="Remove the file by hand, then run it again.",
        )
    return files


def _unlatched(
    config: Config, folder: Path, key: AccountKey, asked: Asked, *, shut: frozenset[Latch]
) -> frozenset[Latch]:
    """Write a row for each latch that is shut, in the journal or outside; return those that the journal had.

    The rows come before the files: where a crash comes between, the files still shut.
    """
    if read_account(folder) is None and not (folder / JOURNAL).exists():
        return frozenset()
    with DatabaseJournal.open(folder / JOURNAL, account=key) as journal:
        latches = State.of(journal.events()).latches
        opened = [latch for latch in Latch if latch in latches | shut]
        if opened:
            at = book_time(config, folder, key, asked.visit)
            for latch in opened:
                journal.append(Unlatched(at, latch, asked.reason))
    return latches
