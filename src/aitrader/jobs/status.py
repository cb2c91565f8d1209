"""Says whether every book is well: fresh, reconciled, not halted, and traded as it should have been."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from aitrader.config.schema import Config
from aitrader.domain.events import Event, Latch, RunEnded, RunStarted
from aitrader.engine.state import State
from aitrader.errors import AitraderError, BrokerError, RefusedError, Stopped, UsageError
from aitrader.jobs.assembly.book import JOURNAL, OpenBook, Visit, open_book
from aitrader.jobs.assembly.desk import Current, looked_at
from aitrader.jobs.assembly.orders import DISAGREE, differences, named
from aitrader.journal.account import NAME as ACCOUNT
from aitrader.journal.queries import why_shut
from aitrader.live.session import Appointment, Stand, undone

NOT_RECONCILED: Final = BrokerError.exit_code
NOT_WELL: Final = RefusedError.exit_code


@dataclass(frozen=True, slots=True)
class LastRun:
    """The last ``trade`` of a book: ``status`` and ``reason`` as it ended; ``running`` where it has not."""

    at: datetime
    run_id: str
    status: str
    exit_code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class BookStatus:
    """How one book stands at ``at`` (UTC); of one that cannot be opened only ``problems`` say something.

    ``session`` is the last that it met, ``bars`` the last session with bars. ``unwell`` are reasons not to be at ease,
    ``differences`` where book and account do not agree (None: they could not be compared).
    """

    book: str
    account: str = ""
    at: datetime | None = None
    session: date | None = None
    bars: date | None = None
    next_session: date | None = None
    next_opens: datetime | None = None
    equity: Decimal | None = None
    cash: Decimal | None = None
    positions: int = 0
    open_orders: int = 0
    latches: tuple[str, ...] = ()
    last_trade: LastRun | None = None
    differences: tuple[str, ...] | None = None
    unwell: tuple[str, ...] = ()

    @property
    def reconciled(self) -> bool:
        """Whether book and account were compared, and agree."""
        return self.differences == ()

    @property
    def well(self) -> bool:
        """Whether there is nothing to do."""
        return self.reconciled and not self.unwell


@dataclass(frozen=True, slots=True)
class StatusReport:
    """Every book, and whether all of them are ``well``."""

    books: tuple[BookStatus, ...]
    well: bool
    reconciled: bool

    @property
    def exit_code(self) -> int:
        """0 if all is well, 5 where a book is not reconciled, 4 otherwise."""
        return 0 if self.well else NOT_WELL if self.reconciled else NOT_RECONCILED

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is not as it should be, with its book; of more than a few things of one kind the first are named."""
        return tuple(
            f"{one.book}: {text}" for one in self.books for text in (*named(one.differences or ()), *named(one.unwell))
        )


def status(config: Config, root: Path, visit: Visit, *, book: str | None = None) -> StatusReport:
    """Look at ``book``, or at every book under ``root``; nothing is written.

    Raises
    ------
    RefusedError
        There is no book yet.
    UsageError
        ``visit.now`` lies before a book's own time.
    """
    names = (book,) if book else _books(root)
    if not names:
        raise RefusedError("There is no book yet.", fix="It begins with the first `aitrader trade`.")
    found = tuple(_status(config.model_copy(update={"book": name}), root, visit) for name in names)
    return StatusReport(found, all(one.well for one in found), all(one.reconciled for one in found))


def _books(root: Path) -> tuple[str, ...]:
    folders = sorted((root / "state").iterdir()) if (root / "state").is_dir() else []
    return tuple(one.name for one in folders if (one / ACCOUNT).exists() or (one / JOURNAL).exists())


def _status(config: Config, root: Path, visit: Visit) -> BookStatus:
    try:
        with open_book(config, root, visit, mode="read") as book:
            state, now, problem = looked_at(config, book, visit)
            return _told(book, state, now, problem)
    except (Stopped, UsageError):
        raise
    except AitraderError as error:
        return BookStatus(config.book, unwell=(f"{error} {error.fix}",))


def _told(book: OpenBook, state: State, now: Current | None, problem: str) -> BookStatus:
    account, events = book.broker.account(), book.journal.events()
    last = _last_trade(events)
    latches = tuple(sorted(latch.value for latch in book.halts.standing() | book.state.latches))
    coming = _coming(book, now) if now and now.diary.config.strategies else None
    found = differences(state)
    return BookStatus(
        book=book.name,
        account=account.number,
        at=book.at,
        session=state.session,
        bars=now.market.sessions[-1] if now else None,
        next_session=coming.session if coming else None,
        next_opens=coming.opens if coming else None,
        equity=account.equity,
        cash=account.cash,
        positions=len(book.broker.positions()),
        open_orders=sum(not one.status.final for one in book.broker.orders()),
        latches=latches,
        last_trade=last,
        differences=found or ((problem,) if problem else ()),
        unwell=tuple(_unwell(book, now, latches, last)),
    )


def _coming(book: OpenBook, now: Current) -> Appointment:
    """Return the next appointment with a decision that has not left, in a window that has not closed."""
    coming = now.diary.next_due(now.market.last)
    over = coming.stand(book.at) is Stand.MISSED or not undone(book.journal.events(), coming.decision)
    return now.diary.next_due(coming.session) if over else coming


def _unwell(book: OpenBook, now: Current | None, latches: Collection[str], last: LastRun | None) -> Iterator[str]:
    for latch in latches:
        row = why_shut(book.journal.events(), Latch(latch))
        why = f" since {row.at:%Y-%m-%d %H:%M} UTC ({row.code}): {row.reason}" if row else ""
        yield f"{latch} is shut{why}"
    for latch in sorted((now.state.latches if now else frozenset()) - book.state.latches):
        yield f"{latch.value} will be shut by the next run: a loss is beyond its limit"
    yield from _last_unwell(last, halted=bool(latches))
    if now is None:
        return
    if now.market.last != now.market.sessions[-1]:
        yield f"the newest bars are of {now.market.sessions[-1]}, those of {now.market.due} should be there"
    for one in now.missed(now.diary.after(now.market.last)):
        yield f"window_missed: the decision on the bars of {one.last} was to enter on {one.session}, and did not"


def _last_unwell(last: LastRun | None, *, halted: bool) -> Iterator[str]:
    if last is None:
        yield "`aitrader trade` never ran"
    elif last.exit_code is None:
        yield f"the last `aitrader trade` ({last.at:%Y-%m-%d %H:%M} UTC) has not ended"
    elif last.exit_code != 0:
        why, _, _ = last.reason.partition(":") if last.reason.startswith(DISAGREE) else (last.reason, "", "")
        what = "" if halted else "; run `aitrader trade` again"
        told = why.rstrip(".")
        yield f"the last `aitrader trade` ({last.at:%Y-%m-%d %H:%M} UTC) ended with {last.exit_code}: {told}{what}"


def _last_trade(events: Sequence[Event]) -> LastRun | None:
    for row in reversed(events):
        if isinstance(row, RunEnded) and row.command == "trade":
            return LastRun(row.at, row.run_id, row.status, row.exit_code, row.reason)
        if isinstance(row, RunStarted) and row.command == "trade":
            return LastRun(row.at, row.run_id, "running", None, "")
    return None
