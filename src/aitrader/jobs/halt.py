"""Shuts HALT_ENTRIES: from then on only orders that reduce a position leave."""

from dataclasses import dataclass
from pathlib import Path

from aitrader.config.schema import Config
from aitrader.domain.events import Latch, Latched
from aitrader.engine.state import State
from aitrader.errors import AitraderError, DataError
from aitrader.jobs.assembly.folders import JOURNAL, Visit, book_folder, no_book
from aitrader.jobs.assembly.latches import book_time, key_of, left_receipt
from aitrader.journal.database import DatabaseJournal
from aitrader.journal.halt import FileLatches, latch_folders

OPERATOR = "operator"
"""The code of a latch that a person shut."""


@dataclass(frozen=True, slots=True)
class HaltReport:
    """``latch`` is shut: by a file, and by a row of the journal where that could be written.

    ``already``: it stood in both before, and nothing was changed. ``latches`` are all that are shut now.
    """

    book: str
    account: str
    latch: Latch
    already: bool
    latches: tuple[Latch, ...]
    warnings: tuple[str, ...]


def halt(config: Config, root: Path, visit: Visit, reason: str, *, configured: bool) -> HaltReport:
    """Shut HALT_ENTRIES of the book ``config.book``, at once and beside a run that is at work: no lock is taken.

    ``configured`` says that the settings name the book: then it is halted before its first run as well. Any other name
    may be a slip, and nothing would be halted.

    Raises
    ------
    UsageError
        There is no such book, and the settings name none.
    DataError
        Neither the file nor the row could be written: the latch is not shut.
    """
    started, folder = visit.clock(), book_folder(root, config.book)
    if not (configured or folder.is_dir()):
        raise no_book(config.book)
    halts = FileLatches(latch_folders(root, config.book), environment_halt=visit.halted)
    before = Latch.HALT_ENTRIES in halts.standing()
    # The file comes first: it needs nothing that can be broken, and a run at work reads it before its next order.
    halts.latch(Latch.HALT_ENTRIES, f"{OPERATOR}: {reason}")
    number, recorded, problem = _record(config, folder, visit, reason)
    standing = halts.standing()
    if Latch.HALT_ENTRIES not in standing and (problem or not (folder / JOURNAL).exists()):
        raise DataError(
            f"HALT_ENTRIES IS NOT SHUT: {'; '.join(halts.problems)}. {problem}".rstrip(),
            fix=f"Free space or repair the disk, or make {folder / Latch.HALT_ENTRIES.value} by hand.",
        )
    warnings = (*halts.problems, *((f"The journal has no row of it: {problem}",) if problem else ()))
    already = before and not recorded and not problem
    if not already:
        outputs = {Latch.HALT_ENTRIES.value: "shut"}
        arguments = {"book": config.book, "reason": reason}
        warnings += left_receipt(config, root, visit, arguments, outputs, started=started)
    return HaltReport(config.book, number, Latch.HALT_ENTRIES, already, tuple(sorted(standing)), warnings)


def _record(config: Config, folder: Path, visit: Visit, reason: str) -> tuple[str, bool, str]:
    """Write the row, unless the journal has the latch already; return the account, whether, and why not."""
    number = ""
    try:
        key = key_of(folder, config.book)
        number = key.number
        if not (folder / JOURNAL).exists():
            return number, False, ""
        at = book_time(config, folder, key, visit)
        with DatabaseJournal.open(folder / JOURNAL, account=key) as journal:
            if Latch.HALT_ENTRIES in State.of(journal.events()).latches:
                return number, False, ""
            journal.append(Latched(at, Latch.HALT_ENTRIES, OPERATOR, reason))
    except AitraderError as error:
        return number, False, str(error)
    return number, True, ""
