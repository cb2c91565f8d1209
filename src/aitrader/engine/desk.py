"""What a book is traded with: market, broker, journal, strategies, rules; and how a row becomes part of the state."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Final, Protocol, TypeVar

from aitrader.brokers.broker import Broker
from aitrader.domain.clock import Clock
from aitrader.domain.events import ActionBooked, Event, Latch, Latched
from aitrader.domain.snapshot import MarketSnapshot
from aitrader.engine.decide import Rules
from aitrader.engine.state import State, after
from aitrader.errors import BrokerError
from aitrader.journal.journal import Journal
from aitrader.strategies.strategy import Strategy

T = TypeVar("T")

READ_AGAIN: Final = (0.5, 1.0, 2.0)
"""Seconds to wait before a question that the broker did not answer is asked again."""


class Market(Protocol):
    """What the loop may ask about the world. The past answers from arrays, the present from lake and models."""

    def snapshot(self, session: date) -> MarketSnapshot:
        """Return what was known after ``session`` closed, and nothing later."""
        ...

    def actions(self, session: date) -> Sequence[ActionBooked]:
        """Return the corporate actions that take effect before ``session`` opens, splits first."""
        ...


class Halts(Protocol):
    """The latches outside the journal: a file that anybody can make, the environment."""

    def standing(self) -> frozenset[Latch]:
        """Return the latches that are shut now; read before every order."""
        ...

    def latch(self, latch: Latch, reason: str) -> None:
        """Shut ``latch``; a failure to write it is told, never raised."""
        ...


@dataclass(frozen=True, slots=True)
class Desk:
    """What stays the same from turn to turn. ``models`` maps a model's name to the version that predicts.

    Without ``halts`` latches are recorded and not obeyed, as in a backtest, which shows what came after as well.
    ``wait`` takes seconds of the wall clock, where there is one to wait for; without a ``clock`` time stands during
    a turn. ``ages`` are the sessions since the last price that each model learned from, where they are to be limited.
    With ``live`` a count of orders beyond its limit shuts HALT. A difference between book and account is believed
    after ``reads`` of it: a broker's orders and positions may disagree for seconds, a simulated account's cannot.
    """

    market: Market
    broker: Broker
    journal: Journal
    strategies: Mapping[str, Strategy]
    rules: Rules
    models: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    halts: Halts | None = None
    wait: Callable[[float], None] = lambda _: None
    clock: Clock | None = None
    ages: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    live: bool = False
    reads: int = 3

    def time(self, at: datetime) -> datetime:
        """Return the time of a row: ``at``, when the turn began, or what the clock shows since; never earlier."""
        return at if self.clock is None else max(at, self.clock())

    def ask(self, question: Callable[[], T]) -> T:
        """Return the broker's answer to a question that changes nothing, asked again a few times where it fails.

        Raises
        ------
        BrokerError
            The last attempt failed as well.
        """
        for seconds in READ_AGAIN:
            try:
                return question()
            except BrokerError:
                self.wait(seconds)
        return question()

    def latches(self, state: State) -> frozenset[Latch]:
        """Return the latches that orders have to obey now."""
        return frozenset() if self.halts is None else state.latches | self.halts.standing()

    def record(self, state: State, event: Event) -> State:
        """Commit ``event``, and return the state after it; a fill that was recorded before changes nothing."""
        return after(state, event) if self.journal.append(event) else state

    def shut(self, state: State, latched: Latched) -> State:
        """Shut a latch for good: outside the journal, where a full disk may still let it be, and as a row."""
        if self.halts is not None:
            self.halts.latch(latched.latch, latched.reason)
        return self.record(state, latched)
