"""The desk of an open book, and the book brought up to date: what happened since it was looked at last."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from types import MappingProxyType

from aitrader.config.schema import Config
from aitrader.domain.events import Latch
from aitrader.engine.desk import Desk, Halts, Market
from aitrader.engine.recovery import recover
from aitrader.engine.state import State
from aitrader.errors import RefusedError
from aitrader.jobs.assembly.book import OpenBook, Visit
from aitrader.jobs.assembly.present import Present
from aitrader.jobs.assembly.trading import rules_of
from aitrader.live.session import Appointment, Diary, catch_up, missed

Pause = Callable[[], None]
"""Called where it is safe to stop; raises ``Stopped`` after a signal."""


@dataclass(frozen=True, slots=True)
class Heeded:
    """The latches of a book, read before every order: the moment at which a run may also stop."""

    halts: Halts
    pause: Pause

    def standing(self) -> frozenset[Latch]:
        """Return the latches that are shut now."""
        self.pause()
        return self.halts.standing()

    def latch(self, latch: Latch, reason: str) -> None:
        """Shut ``latch``."""
        self.halts.latch(latch, reason)


@dataclass(frozen=True, slots=True)
class Current:
    """A book after everything that happened up to now is booked and compared with the account.

    ``since`` is the session that it had met before, ``played`` are those that the venue opened so far.
    """

    desk: Desk
    state: State
    market: Present
    diary: Diary
    played: tuple[date, ...]
    since: date | None
    at: datetime

    def missed(self, meeting: Appointment) -> tuple[Appointment, ...]:
        """Return the appointments that were missed; ``meeting`` is the one that the clock points at."""
        rows = self.desk.journal.events()
        return missed(self.diary, rows, meeting, since=self.since, played=self.played, at=self.at)

    def after(self, state: State) -> "Current":
        """Return the same with what the journal adds up to now."""
        return replace(self, state=state)


def desk_of(config: Config, book: OpenBook, visit: Visit, market: Market, *, pause: Pause = lambda: None) -> Desk:
    """Return the desk of ``book``, without strategies. Under the replay clock time stands."""
    return Desk(
        market,
        book.broker,
        book.journal,
        MappingProxyType({}),
        rules_of(config),
        halts=Heeded(book.halts, pause),
        wait=time.sleep if book.waits else (lambda _: None),
        clock=None if book.replayed else visit.clock,
        live=config.mode == "live",
        reads=3 if config.account.faults else 1,
    )


def brought_up_to_date(
    config: Config, book: OpenBook, visit: Visit, state: State, *, pause: Pause = lambda: None
) -> Current:
    """Book what happened since ``state``, resolve what was not known, and compare the book with the account.

    Nothing is decided or sent. What does not agree holds its symbol, and is told in the state.

    Raises
    ------
    RefusedError
        The account has orders that nobody here sent.
    DataError
        No bars are known.
    """
    market = Present.of(config, book.lake, book.venue, state.book.positions, book.at)
    diary = Diary(book.calendar, config, market.sessions)
    desk = desk_of(config, book, visit, market, pause=pause)
    played = book.venue.played(book.at)
    caught = catch_up(desk, state, diary, played=played, at=book.at)
    caught = recover(desk, caught, book.at, config.reconcile)
    return Current(desk, caught, market, diary, played, state.session, book.at)


def looked_at(config: Config, book: OpenBook, visit: Visit) -> tuple[State, Current | None, str]:
    """Return what a book that was opened to be read adds up to now, and why it is not comparable (empty: it is)."""
    try:
        now = brought_up_to_date(config, book, visit, book.state)
    except RefusedError as error:
        return State.of(book.journal.events()), None, str(error)
    return now.state, now, ""
