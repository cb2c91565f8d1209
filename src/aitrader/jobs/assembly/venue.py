"""The venue of a simulated account: the sessions that the lake has bars of, of a running one only its open."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Self

import numpy as np

from aitrader.backtest.tape import CorporateAction, Tape
from aitrader.brokers.venue import SessionBars, VenueSession
from aitrader.config.schema import Config, Universe
from aitrader.domain.calendars import Calendar
from aitrader.domain.events import ActionBooked
from aitrader.domain.orders import Entry
from aitrader.engine.decide import places
from aitrader.engine.history import History
from aitrader.engine.schedule import entry_time
from aitrader.jobs.assembly.data import market
from aitrader.jobs.assembly.past import corporate_actions
from aitrader.lake.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class LakeVenue:
    """Every symbol of the configured source, whatever the universe is: an account may hold what a person left out.

    A session begins with its open; before it, where orders for its opening auction leave before: its corporate actions
    must have taken effect then. Sessions without any bar in the lake are not played, but for the one right after the
    last bar while it runs, whose prices are not known yet (NaN).
    """

    tape: Tape
    known: tuple[CorporateAction, ...]
    entry: Entry

    @classmethod
    def of(cls, config: Config, snapshot: Snapshot) -> Self:
        """Return the venue that ``snapshot``, which must hide nothing by ``known_at``, describes.

        Raises
        ------
        InsufficientDataError
            The lake holds no bars of the configured source and dates.
        """
        prices = market(config.model_copy(update={"universe": Universe()}), snapshot)
        actions = tuple(corporate_actions(prices))
        history = History.of(prices.panel, prices.calendar, features={}, predictions={}, lag=timedelta(0))
        return cls(Tape.of(prices.panel, history, actions), actions, config.execution.entry)

    @property
    def calendar(self) -> Calendar:
        """The sessions of the exchange."""
        return self.tape.history.calendar

    def begins(self, session: date) -> datetime:
        """Return when the corporate actions of ``session`` have taken effect, UTC."""
        return min(self.calendar.open_of(session), entry_time(session, self.entry, self.calendar))

    def played(self, now: datetime) -> tuple[date, ...]:
        """Return the sessions that had begun by ``now`` and can be played, in order."""
        days = self.tape.sessions
        begun = days[: bisect_right(days, now, key=self.begins)]
        coming = self.calendar.offset(days[-1], 1)
        waiting = begun == days and self.begins(coming) <= now < self.calendar.close_of(coming)
        return (*begun, coming) if waiting else begun

    def sessions(self, after: date | None, now: datetime) -> Iterator[VenueSession]:
        """Yield the sessions after ``after`` that had begun by ``now``; without ``after`` from the last closed one on.

        A session that has not closed by ``now`` comes with its usual volume and its open, if it has opened; other
        prices are NaN.
        """
        played = self.played(now)
        closed = [session for session in played[-2:] if self.calendar.close_of(session) <= now]
        first = bisect_left(played, closed[-1]) if after is None and closed else bisect_right(played, after or date.min)
        for session in played[first:]:
            ended = self.calendar.close_of(session) <= now
            yield VenueSession(self._known(session, now), self.actions(session), closed=ended)

    def actions(self, session: date) -> Sequence[ActionBooked]:
        """Return the corporate actions that take effect before ``session`` opens, splits first."""
        days = self.tape.sessions
        if session <= days[-1]:
            return self.tape.actions(session)
        opened, symbols = self.calendar.open_of(session), places(self.tape.history.symbols)
        coming = [one for one in self.known if days[-1] < one.ex_date <= session and one.symbol in symbols]
        ordered = sorted(coming, key=lambda one: (one.ex_date, one.kind != "split", one.symbol))
        return tuple(ActionBooked(opened, one.symbol, one.kind, one.value) for one in ordered)

    def _known(self, session: date, now: datetime) -> SessionBars:
        """Return what is known of ``session`` at ``now``."""
        bars = self._bars(session)
        unknown = np.full(len(self.tape.history.symbols), np.nan)
        if bars.closes <= now:
            return bars
        bars = replace(bars, high=unknown, low=unknown, close=unknown, vwap=unknown)
        return bars if bars.opened <= now else replace(bars, open=unknown)

    def _bars(self, session: date) -> SessionBars:
        position = bisect_left(self.tape.sessions, session)
        if position < len(self.tape.sessions):
            return self.tape.session_bars(position)
        unknown = np.full(len(self.tape.history.symbols), np.nan)
        opened, closes = self.calendar.open_of(session), self.calendar.close_of(session)
        before = self.tape.session_bars(position - 1)
        return replace(before, session=session, opened=opened, closes=closes, open=unknown, volume20=unknown)
