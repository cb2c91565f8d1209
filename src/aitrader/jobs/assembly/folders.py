"""Where a book stands and who visits it; light, so that a command which only moves a latch loads nothing else."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from aitrader.disk.lock import locked, refuse_held
from aitrader.disk.trust import Doubt, doubt
from aitrader.domain.clock import Clock
from aitrader.domain.events import Latch
from aitrader.errors import JournalError, UsageError
from aitrader.journal.account import AccountKey

JOURNAL: Final = "journal.sqlite"
PAPER: Final = "paper.sqlite"
LOCK: Final = "lock"
SIMULATED: Final = "simulated"


@dataclass(frozen=True, slots=True)
class Visit:
    """Who opens a book, and when. ``now`` is the replay clock, ``halted`` says that AITRADER_HALT is set."""

    command: str
    run_id: str
    now: datetime | None
    clock: Clock
    halted: bool = False


def book_folder(root: Path, book: str) -> Path:
    """Return the folder that holds everything of one book."""
    return root / "state" / book


def safe_folder(root: Path, book: str) -> Path:
    """Return the folder of ``book``, which may not be there yet.

    Raises
    ------
    JournalError
        Somebody else could have written what is in it.
    """
    folder = book_folder(root, book)
    for found in doubts(folder):
        raise JournalError(f"{found.what} What is in the book {book!r} cannot be believed.", fix=found.fix)
    return folder


def doubts(folder: Path) -> Iterator[Doubt]:
    """Yield why the folder of a book, or what is read of it, cannot be believed; latches count whatever they are."""
    latches = {latch.value for latch in Latch}
    try:
        inside = [path for path in folder.iterdir() if path.name not in latches]
    except OSError:
        inside = []  # there is nothing, or what opens it says why it cannot be read
    for path in (folder.parent, folder, *sorted(inside)):
        with suppress(OSError):
            if found := doubt(path):
                yield found


def at_work(folder: Path) -> AbstractContextManager[None]:
    """Hold the lock of the book in ``folder`` until the block ends; ``LockHeldError`` where another process has it."""
    return locked(folder / LOCK, f"is working on the book {folder.name}")


def refuse_at_work(root: Path, book: str) -> None:
    """Raise ``LockHeldError`` where another process works on ``book``: before much is loaded to do the same."""
    refuse_held(book_folder(root, book) / LOCK, f"is working on the book {book}")


def paper_key(book: str) -> AccountKey:
    """Return what names the simulated account of ``book``."""
    return AccountKey(book=book, kind=SIMULATED, host="", number=f"SIM-{book}")


def no_book(book: str) -> UsageError:
    """Return the error that says that a book never began."""
    return UsageError(
        f"There is no book {book!r} yet.", fix="It begins with the first `aitrader trade`; --book names another one."
    )
