"""The past as the loop meets it: what each close made known, and what the market did in the next session."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Self

import numpy as np

from aitrader.brokers.venue import SessionBars
from aitrader.domain.events import ActionBooked
from aitrader.domain.orders import Entry
from aitrader.domain.snapshot import FloatArray, MarketSnapshot
from aitrader.domain.symbols import Symbol
from aitrader.engine.decide import places
from aitrader.engine.history import History
from aitrader.panel.panel import Panel
from aitrader.quant.fills import Bar, reference_price

PRICES: Final = ("open", "high", "low", "close", "vwap")


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """A ``split`` (``value``: new shares per old one) or a ``dividend`` (USD per share), effective at ``ex_date``."""

    symbol: Symbol
    ex_date: date
    kind: str
    value: float


@dataclass(frozen=True, slots=True)
class Tape:
    """The loop's ``Market`` over the past, with the bars that the simulated venue plays.

    ``bars`` hold the prices as traded by name, sessions by symbols (T, N), NaN where a symbol did not trade;
    ``actions`` those of each session, splits first.
    """

    history: History
    bars: Mapping[str, FloatArray]
    actions_of: Mapping[date, tuple[ActionBooked, ...]]

    @classmethod
    def of(cls, panel: Panel, history: History, actions: Iterable[CorporateAction]) -> Self:
        """Return the past that ``panel`` holds. An action between two sessions takes effect in the later one."""
        bars = {name: np.ascontiguousarray(panel.columns[f"traded_{name}"].T) for name in PRICES}
        return cls(history, bars, _by_session(history, actions))

    @property
    def sessions(self) -> tuple[date, ...]:
        """The sessions of which there are bars."""
        return self.history.sessions

    def snapshot(self, session: date) -> MarketSnapshot:
        """Return what was known after ``session`` closed."""
        return self.history.snapshot(session)

    def actions(self, session: date) -> tuple[ActionBooked, ...]:
        """Return the corporate actions that take effect before ``session`` opens."""
        return self.actions_of.get(session, ())

    def session_bars(self, position: int) -> SessionBars:
        """Return the session at ``position`` as the simulated venue takes it."""
        session, calendar = self.sessions[position], self.history.calendar
        rows = {name: values[position] for name, values in self.bars.items()}
        return SessionBars(
            session=session,
            opened=calendar.open_of(session),
            closes=calendar.close_of(session),
            places=places(self.history.symbols),
            volume20=self.history.usual_volume[:, position],
            **rows,
        )

    def reference(self, position: int, symbol: Symbol, entry: Entry) -> float:
        """Return the price, before costs, at which ``entry`` traded ``symbol`` in the session at ``position``."""
        place = places(self.history.symbols)[symbol]
        return reference_price(entry, Bar(*(float(self.bars[name][position, place]) for name in PRICES)))

    def with_history(self, history: History) -> "Tape":
        """Return the same past seen through another history (other predictions, or late ones)."""
        return replace(self, history=history)


def _by_session(history: History, actions: Iterable[CorporateAction]) -> dict[date, tuple[ActionBooked, ...]]:
    sessions = np.array(history.sessions, dtype="datetime64[D]")
    found: dict[date, list[ActionBooked]] = {}
    for action in sorted(actions, key=lambda action: (action.ex_date, action.kind != "split", action.symbol)):
        position = int(np.searchsorted(sessions, np.datetime64(action.ex_date, "D")))
        if position < len(sessions) and action.symbol in places(history.symbols):
            session = history.sessions[position]
            opened = history.calendar.open_of(session)
            found.setdefault(session, []).append(ActionBooked(opened, action.symbol, action.kind, action.value))
    return {session: tuple(booked) for session, booked in found.items()}
