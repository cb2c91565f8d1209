"""The loop over the present: sessions that went by are caught up with, and the one whose window is open is played.

What is decided, sent and booked is decided by ``engine.loop``; here stands only which session it is, and when.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from aitrader.config.schema import Config
from aitrader.domain.calendars import Calendar
from aitrader.domain.events import ActionBooked, BookOpened, DecisionMade, Event, OrderRefused, OrderSending, RunEnded
from aitrader.engine.desk import Desk
from aitrader.engine.loop import Turn, book_fills, open_session
from aitrader.engine.recovery import compare
from aitrader.engine.schedule import Window, due, window
from aitrader.engine.state import State
from aitrader.errors import ConfigError
from aitrader.journal.memory import MemoryJournal
from aitrader.journal.queries import of_kind

TRADE: Final = "trade"
"""The command whose runs are looked for in the journal."""


class Stand(StrEnum):
    """Where a time stands in a window."""

    EARLY = "early"
    OPEN = "open"
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class Appointment:
    """When the decision on the bar of ``last`` enters: in ``session``, from ``opens`` to before ``closes`` (UTC).

    ``due`` names the strategies that decide on that bar; without any, nothing new enters in ``session``.
    """

    last: date
    session: date
    opens: datetime
    closes: datetime
    due: frozenset[str]

    @property
    def decision(self) -> str:
        """The decision's name, as in a snapshot of ``last``."""
        return f"{self.last:%Y%m%d}"

    @property
    def window(self) -> Window:
        """When its orders may leave."""
        return Window(self.opens, self.closes)

    def stand(self, now: datetime) -> Stand:
        """Say where ``now`` stands in the window."""
        if now < self.opens:
            return Stand.EARLY
        return Stand.OPEN if now < self.closes else Stand.MISSED


@dataclass(frozen=True, slots=True)
class Diary:
    """What appointments follow from: the exchange's calendar, the settings, and the ``sessions`` with bars."""

    calendar: Calendar
    config: Config
    sessions: Sequence[date]

    def after(self, last: date) -> Appointment:
        """Return the appointment of the decision on the bar of ``last``."""
        session = self.calendar.offset(last, 1)
        hours = window(session, self.config.execution.entry, self.calendar, self.config.schedule)
        return Appointment(last, session, hours.opens, hours.closes, frozenset(self._due(last)))

    def next_due(self, last: date) -> Appointment:
        """Return the first appointment with a decision, on the bar of ``last`` or of a later session.

        Raises
        ------
        ConfigError
            No strategy is configured, so none will ever decide.
        """
        if not self.config.strategies:
            raise ConfigError("No strategy is configured.", fix="Add one under `strategies`, as `aitrader init` shows.")
        while not (found := self.after(last)).due:
            last = found.session
        return found

    def turn(self, session: date, at: datetime, *, window: Window | None = None) -> Turn:
        """Return the turn of ``session`` at ``at``, after the last session with bars before it.

        Only with a ``window`` something is decided in it.
        """
        last = self.sessions[bisect_left(self.sessions, session) - 1]
        names = frozenset(self._due(last)) if window else frozenset()
        return Turn(session, self.calendar.open_of(session), at, last, names, window)

    def _due(self, last: date) -> Iterator[str]:
        place = bisect_left(self.sessions, last)
        since = self.sessions[place - 1] if place and last in self.sessions[place : place + 1] else None
        for name, settings in self.config.strategies.items():
            if due(last, settings.rebalance, self.calendar, since=since):
                yield name


def catch_up(desk: Desk, state: State, diary: Diary, *, played: Sequence[date], at: datetime) -> State:
    """Book what happened in the sessions that were ``played`` up to ``at`` and are not opened yet, and what is new.

    A book that never met a session begins with the last one played. Nothing is decided, and nothing is sent.

    Corporate actions of the session that was met last may come to be known after it was opened, with its bars. They are
    booked first, where book and account agree with them and not without: the account may not have heard of them either.

    Raises
    ------
    BrokerError
        The broker does not answer.
    """
    late = _late_actions(desk, state)
    if late:
        without = _disagreeing(desk, state, diary, played=played, at=at)
        told = _recorded(_shadow(desk), state, late)
        if without and not _disagreeing(desk, told, diary, played=played, at=at):
            state = _recorded(desk, state, late)
    return _opened(desk, state, diary, played=played, at=at)


def _opened(desk: Desk, state: State, diary: Diary, *, played: Sequence[date], at: datetime) -> State:
    # The session that was met last is looked at again only while none came after it: all its fills would be booked,
    # and those of later ones with them, before the book is valued at its close.
    later = len(played) if state.session is None else bisect_right(played, state.session)
    for session in played[max(min(later, len(played) - 1), 0) :]:
        state = open_session(desk, state, diary.turn(session, at))
    return state


def _late_actions(desk: Desk, state: State) -> tuple[ActionBooked, ...]:
    """Return the corporate actions on holdings in the session that was met last which are not booked."""
    if state.session is None:
        return ()
    new = Counter(desk.market.actions(state.session)) - Counter(state.acted)
    return tuple(action for action in new.elements() if action.symbol in state.book.positions)


def _disagreeing(desk: Desk, state: State, diary: Diary, *, played: Sequence[date], at: datetime) -> bool:
    """Say whether positions or cash would differ from the account's once everything was booked, in memory only."""
    shadow = _shadow(desk)
    state = book_fills(shadow, _opened(shadow, state, diary, played=played, at=at))
    found = desk.ask(lambda: compare(state, desk.broker, diary.config.reconcile))
    return any(one.kind in {"position", "cash"} for one in found)


def _shadow(desk: Desk) -> Desk:
    return replace(desk, journal=MemoryJournal.of(desk.journal.events()), halts=None)


def _recorded(desk: Desk, state: State, actions: Iterable[ActionBooked]) -> State:
    for action in actions:
        state = desk.record(state, action)
    return state


def missed(
    diary: Diary,
    events: Collection[Event],
    meeting: Appointment,
    *,
    since: date | None,
    played: Sequence[date],
    at: datetime,
) -> tuple[Appointment, ...]:
    """Return the appointments whose window closed with something left undone, and of which no run has told yet.

    ``meeting`` is the one that the clock points at, ``since`` the last session that the book had met (None: none),
    ``played`` are the sessions so far. While the session of an appointment is the newest, every run tells of it;
    afterwards one does. A book that began after a window missed nothing, unless it points at it.
    """
    days = {meeting.session, *(played[bisect_left(played, since) :] if since else ())}
    began = next((row.at for row in of_kind(events, BookOpened)), at)
    told = max((row.at for row in of_kind(events, RunEnded) if row.command == TRADE), default=began)
    news = (
        one
        for one in (diary.after(diary.turn(day, at).last) for day in sorted(days))
        if one == meeting or (began < one.closes and (one.session in played[-1:] or told < one.closes))
    )
    return tuple(one for one in news if _left_behind(one, events, at))


def _left_behind(one: Appointment, events: Collection[Event], at: datetime) -> bool:
    return bool(one.due) and one.stand(at) is Stand.MISSED and undone(events, one.decision)


def undone(events: Collection[Event], decision: str) -> bool:
    """Say whether ``decision`` was not made, or has orders that were neither sent nor refused."""
    made = [event for event in events if isinstance(event, DecisionMade) and event.decision == decision]
    met = {event.order.client_id for event in events if isinstance(event, OrderSending)}
    met |= {event.client_id for event in events if isinstance(event, OrderRefused)}
    return not made or any(order.client_id not in met for order in made[-1].orders)
