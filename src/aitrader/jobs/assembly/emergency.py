"""An account opened as far as it is whole, without the lock: what is broken around it must not keep it from closing."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from aitrader.brokers.account_file import PaperAccount
from aitrader.brokers.faulty import FaultSettings, fault_settings, wrap
from aitrader.brokers.simulated import SimulatedBroker
from aitrader.config.schema import Config
from aitrader.domain.calendars import Calendar, calendar
from aitrader.domain.events import ActionBooked
from aitrader.domain.snapshot import MarketSnapshot
from aitrader.domain.symbols import Symbol
from aitrader.engine.decide import Rules, closes
from aitrader.engine.desk import Desk
from aitrader.engine.recovery import recover
from aitrader.engine.state import State
from aitrader.errors import ConfigError, LakeError, UsageError
from aitrader.jobs.assembly.folders import JOURNAL, Visit, doubts, paper_key
from aitrader.jobs.assembly.paper import open_paper
from aitrader.jobs.assembly.venue import LakeVenue
from aitrader.journal.account import AccountKey
from aitrader.journal.database import DatabaseJournal
from aitrader.journal.halt import FileLatches
from aitrader.journal.memory import MemoryJournal
from aitrader.lake.store import Lake
from aitrader.live.flatten import Notebook, look
from aitrader.live.kill_switch import Target
from aitrader.live.session import Diary, catch_up


@dataclass(frozen=True, slots=True)
class Past:
    """The loop's ``Market`` for a book in which nothing is decided any more; without a venue nothing is known."""

    venue: LakeVenue | None

    def snapshot(self, session: date) -> MarketSnapshot:
        """Return what was known after ``session`` closed."""
        if self.venue is None:
            raise LakeError("The lake could not be read.", fix="Look at it with `aitrader lake verify`.")
        return self.venue.tape.snapshot(session)

    def actions(self, session: date) -> Sequence[ActionBooked]:
        """Return the corporate actions that take effect before ``session`` opens."""
        return () if self.venue is None else self.venue.actions(session)


@dataclass(frozen=True, slots=True)
class Opened:
    """An account at ``at`` (UTC), with what of its surroundings could be read; ``problems`` say what could not.

    ``state`` is what the journal adds up to, nothing where it could not be read. Without ``venue`` the account
    stands at its own time. ``version`` is the lake's. ``waited`` are the ids of the closes that were open when the
    account was opened.
    """

    config: Config
    key: AccountKey
    paper: PaperAccount | SimulatedBroker
    journal: Notebook
    state: State
    at: datetime
    venue: LakeVenue | None
    version: int | None
    desk: Desk
    waited: tuple[str, ...]
    problems: list[str]

    @property
    def calendar(self) -> Calendar:
        """The sessions of the exchange."""
        return calendar(self.config.data.calendar)

    @property
    def last(self) -> date:
        """The last session whose bar is known."""
        known = self.calendar.last_closed(self.at, timedelta(minutes=self.config.data.lag_minutes))
        return known or self.calendar.sessions[0]

    def advance(self) -> None:
        """Let the simulated venue play what it can."""
        if self.venue is not None:
            self.paper.advance(self.venue, self.at)

    def prices(self) -> Mapping[Symbol, Decimal]:
        """Return the last closes of what the account holds, USD; none without the lake."""
        try:
            return closes(Past(self.venue).snapshot(self.last), self.paper.positions())
        except (LakeError, ValueError):  # no lake, or none that reaches so far back
            return {}

    def caught_up(self, state: State) -> State:
        """Return the state with what happened in the sessions since the journal was written last."""
        if self.venue is None or not self.journal.writing:
            return state
        diary = Diary(self.venue.calendar, self.config, self.venue.tape.sessions)
        try:
            return catch_up(self.desk, state, diary, played=self.venue.played(self.at), at=self.at)
        except Exception as error:  # noqa: BLE001 - the book can be brought up to date later, the closes cannot wait
            self.problems.append(f"the journal's book is not up to date: {error}")
            return state

    def recovered(self, state: State) -> State:
        """Return the state with what became of every order, and how book and account compare."""
        if not self.journal.writing:
            return state
        try:
            state = recover(self.desk, state, self.at, self.config.reconcile)
        except Exception as error:  # noqa: BLE001 - what the account holds is known; the next start books the rest
            self.problems.append(f"the journal's book is not up to date: {error}")
            return state
        self.problems.extend(f"book and account differ: {text}" for text in state.differences or ())
        return state


def open_account(
    config: Config, root: Path, visit: Visit, target: Target, stack: ExitStack, *, dry_run: bool = False
) -> Opened:
    """Return the account of ``target``, brought up to now, with as much of its surroundings as is whole.

    With ``dry_run`` account and journal are copies in memory, and no latch is written.

    Raises
    ------
    BrokerError
        The account itself is missing or damaged.
    UsageError
        ``visit.now`` lies before the account's own time.
    """
    problems = [f"{found.what} {found.fix}" for found in doubts(target.folder)]
    key = target.key or paper_key(target.name)
    own = config.model_copy(update={"book": target.name})
    file = stack.enter_context(open_paper(own, target.folder, key, visit))
    at = _time(file, visit, problems)
    venue, version = _venue(own, root, visit, stack, problems)
    if venue is None:
        at = file.at
    paper = file.copied() if dry_run else file
    journal, state = _journal(target.folder / JOURNAL, key, stack, problems, dry_run=dry_run)
    faults = _faults(own, problems)
    desk = Desk(
        Past(venue),
        wrap(paper, faults, len(journal.events())) if faults else paper,
        journal,
        MappingProxyType({}),
        Rules(own.book, own.portfolio, own.execution, own.risk, settlement=own.account.settlement),
        halts=None if dry_run else FileLatches(target.latch_folders, environment_halt=visit.halted),
    )
    waited = tuple(one.client_id for one in look(replace(desk, broker=paper)).closes)
    opened = Opened(own, key, paper, journal, state, at, venue, version, desk, waited, problems)
    opened.advance()
    return opened


def _faults(config: Config, problems: list[str]) -> FaultSettings | None:
    try:
        return fault_settings(config.account.faults)
    except ConfigError as error:  # no setting keeps the closes from leaving
        problems.append(f"the account is closed without faults: {error}".rstrip("."))
        return None


def _time(paper: PaperAccount, visit: Visit, problems: list[str]) -> datetime:
    """Return the account's present; a machine's clock that went back does not keep it open."""
    try:
        return paper.time(visit.now, visit.clock()).astimezone(UTC)
    except UsageError as error:
        if visit.now is not None:
            raise
        problems.append(str(error).rstrip("."))
        return paper.at


def _venue(
    config: Config, root: Path, visit: Visit, stack: ExitStack, problems: list[str]
) -> tuple[LakeVenue | None, int | None]:
    try:
        lake = stack.enter_context(Lake.open(root / "data_lake", clock=visit.clock))
        snapshot = lake.snapshot()
        return LakeVenue.of(config, snapshot), snapshot.version
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the lake, orders can be cancelled and sent
        problems.append(f"without the lake the account stands at its own time: {error}".rstrip("."))
        return None, None


def _journal(
    path: Path, key: AccountKey, stack: ExitStack, problems: list[str], *, dry_run: bool
) -> tuple[Notebook, State]:
    try:
        journal = stack.enter_context(DatabaseJournal.open(path, account=key))
        state = State.of(journal.events())
        return Notebook(MemoryJournal.of(journal.events()) if dry_run else journal), state
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the journal, the closes have to leave
        problems.append(f"the journal was not written: {error}".rstrip("."))
        return Notebook(None), State.of(())
