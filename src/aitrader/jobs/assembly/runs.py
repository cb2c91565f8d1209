"""The rows that a command leaves in the journal: that it began, and how it ended."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from aitrader.config.schema import Config
from aitrader.domain.events import RunEnded, RunStarted
from aitrader.engine.state import State, after
from aitrader.envelope import Status
from aitrader.errors import AitraderError, RefusedError, Stopped, exit_code_of
from aitrader.jobs.assembly.book import OpenBook, Visit
from aitrader.models.passport import digest

INTERRUPTED: Final = 130


@dataclass(slots=True)
class Recorded:
    """A command whose beginning is a row. ``state`` is the book's with that row; ``status`` is how it will end."""

    state: State
    status: Status = "done"
    exit_code: int = 0
    reason: str = ""
    notes: list[str] = field(default_factory=list)

    def ended(self, status: Status, reason: str) -> None:
        """Say how the command ended well: ``done``, ``partial`` or ``skipped``, and why."""
        self.status, self.reason = status, reason


@contextmanager
def recorded(book: OpenBook, visit: Visit, config: Config) -> Iterator[Recorded]:
    """Write the row of a beginning, and when the block ends, however it ends, the row of its end.

    Where that last row cannot be written any more (a full disk), the error that ended the block is the one raised.
    """
    version = book.lake.snapshot().version
    started = RunStarted(book.at, visit.run_id, visit.command, digest(config.model_dump(mode="json")), version)
    book.journal.append(started)
    run = Recorded(after(book.state, started))
    try:
        yield run
    except BaseException as error:
        status, code = _failure(error)
        with suppress(AitraderError, OSError):
            book.journal.append(RunEnded(book.at, visit.run_id, visit.command, status, code, str(error)))
        raise
    book.journal.append(RunEnded(book.at, visit.run_id, visit.command, run.status, run.exit_code, run.reason))


def _failure(error: BaseException) -> tuple[Status, int]:
    if isinstance(error, KeyboardInterrupt):
        return "stopped", INTERRUPTED
    if not isinstance(error, AitraderError):
        return "failed", AitraderError.exit_code
    status: Status = (
        "stopped" if isinstance(error, Stopped) else "refused" if isinstance(error, RefusedError) else "failed"
    )
    return status, exit_code_of(error)
