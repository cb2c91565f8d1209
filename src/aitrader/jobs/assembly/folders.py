"""Where a book stands and who visits it; light, so that a command which only moves a latch loads nothing else."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from aitrader.domain.clock import Clock
from aitrader.errors import UsageError
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


def paper_key(book: str) -> AccountKey:
    """Return what names the simulated account of ``book``."""
    return AccountKey(book=book, kind=SIMULATED, host="", number=f"SIM-{book}")


def no_book(book: str) -> UsageError:
    """Return the error that says that a book never began."""
    return UsageError(
        f"There is no book {book!r} yet.", fix="It begins with the first `aitrader trade`; --book names another one."
    )
