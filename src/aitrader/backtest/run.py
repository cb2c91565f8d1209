"""The loop over the past: one account, session by session, on bars that have happened."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aitrader.backtest.tape import Tape
from aitrader.brokers.simulated import SimulatedBroker
from aitrader.domain.events import (
    BookValued,
    DecisionMade,
    DecisionRefused,
    Event,
    FillBooked,
    Latched,
    OrderOutcome,
    OrderRefused,
    Told,
)
from aitrader.domain.orders import Fill
from aitrader.domain.positions import Book
from aitrader.domain.snapshot import FloatArray
from aitrader.domain.symbols import Symbol
from aitrader.engine.decide import Rules, places
from aitrader.engine.desk import Desk
from aitrader.engine.loop import Turn, book_fills, turn, value_book
from aitrader.engine.schedule import Rebalance, due, entry_time
from aitrader.engine.state import State
from aitrader.errors import InsufficientDataError
from aitrader.journal.memory import MemoryJournal
from aitrader.journal.queries import fills, of_kind
from aitrader.strategies.strategy import Strategy

Watch = Callable[[int, int], None]
"""Told how many sessions of how many are done; what it raises stops the run."""

WATCH_EVERY: Final = 50


@dataclass(frozen=True, slots=True)
class Plan:
    """What is played: the strategies of one book, their rules and days, the money, and the span.

    ``start`` and ``end`` are the first and the last session whose close is valued: the first decision may fall on
    ``start`` and enters one session later. With ``late`` sessions, every decision falls that much later
    (its ``Tape`` must hold opinions that are as late). ``models`` names the versions that predict.
    """

    strategies: Mapping[str, Strategy]
    rebalance: Mapping[str, Rebalance]
    rules: Rules
    cash: Decimal
    start: date
    end: date
    late: int = 0
    models: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A holding whose bars ended: ``quantity`` shares carried at the close of ``last_bar``, worth ``value`` USD."""

    symbol: Symbol
    last_bar: date
    quantity: Decimal
    value: float


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """What happened. Arrays have one value per session (T,), the first of which is the starting cash.

    ``equity``, ``cash`` in USD at the close; ``gross`` and ``net`` exposure and ``turnover`` (value traded in the
    session over the equity before it) are fractions; ``fees`` and ``slippage`` USD paid in the session, slippage
    against the price of the entry before spread and impact. ``unpriced`` are holdings at the end whose bars had ended.
    """

    sessions: NDArray[np.datetime64]
    equity: FloatArray
    cash: FloatArray
    gross: FloatArray
    net: FloatArray
    turnover: FloatArray
    fees: FloatArray
    slippage: FloatArray
    book: Book
    unpriced: tuple[Unpriced, ...]
    events: tuple[Event, ...]

    @property
    def returns(self) -> FloatArray:
        """Return per session from close to close, fractions; one fewer than sessions."""
        return np.asarray(self.equity[1:] / self.equity[:-1] - 1, dtype=np.float64)

    @property
    def costs(self) -> float:
        """USD paid for trading: fees and slippage."""
        return float(self.fees.sum() + self.slippage.sum())

    @property
    def decisions(self) -> tuple[DecisionMade, ...]:
        """Every decision."""
        return of_kind(self.events, DecisionMade)

    @property
    def undecided(self) -> tuple[DecisionRefused, ...]:
        """Every decision that was due and could not be made."""
        return of_kind(self.events, DecisionRefused)

    @property
    def refusals(self) -> tuple[OrderRefused, ...]:
        """Every order that a limit refused."""
        return of_kind(self.events, OrderRefused)

    @property
    def turned_down(self) -> tuple[OrderOutcome, ...]:
        """Every order that the venue refused."""
        return tuple(event for event in of_kind(self.events, OrderOutcome) if event.outcome is Told.REFUSED)

    @property
    def latched(self) -> Latched | None:
        """The first latch that a breaker shut; a backtest goes on as if it had not."""
        return next(iter(of_kind(self.events, Latched)), None)

    @property
    def fills(self) -> tuple[Fill, ...]:
        """Every fill."""
        return fills(self.events)


def run_backtest(tape: Tape, plan: Plan, *, watch: Watch | None = None) -> BacktestResult:
    """Play ``plan`` on ``tape``, and return what happened.

    A decision that cannot be made is recorded and leaves the book as it is.

    Raises
    ------
    InsufficientDataError
        Fewer than two sessions lie between ``plan.start`` and ``plan.end``.
    """
    span = _span(tape, plan)
    rules = plan.rules
    broker = SimulatedBroker(f"SIM-{rules.book}", plan.cash, rules.execution.costs, settlement=rules.settlement)
    journal = MemoryJournal()
    desk = Desk(tape, broker, journal, plan.strategies, plan.rules, plan.models)
    state = State.of((), plan.cash)
    turns = _turns(tape, plan, span)
    for done, (position, now) in enumerate(turns, start=1):
        broker.open_session(tape.session_bars(position), tape.actions(now.session))
        state = turn(desk, state, now)
        broker.close_session()
        if watch is not None and (done % WATCH_EVERY == 0 or done == len(span) - 1):
            watch(done, len(span) - 1)
    state = book_fills(desk, state)
    value_book(desk, state, tape.snapshot(tape.sessions[span[-1]]))
    return _result(tape, plan, span, journal.events(), state.book)


def _span(tape: Tape, plan: Plan) -> range:
    inside = [at for at, session in enumerate(tape.sessions) if plan.start <= session <= plan.end]
    if len(inside) < 2:
        raise InsufficientDataError(
            f"A backtest needs two sessions with bars; {plan.start} to {plan.end} has {len(inside)}.",
            needed=2,
            got=len(inside),
            fix="Choose --start and --end inside the lake's sessions, or backfill more.",
        )
    return range(inside[0], inside[-1] + 1)


def _turns(tape: Tape, plan: Plan, span: range) -> Iterator[tuple[int, Turn]]:
    sessions, calendar, entry = tape.sessions, tape.history.calendar, plan.rules.execution.entry
    for position in span[1:]:
        scheduled = position - 1 - plan.late
        names = _due_after(tape, plan, scheduled) if scheduled >= span[0] else ()
        session = sessions[position]
        opened, at = calendar.open_of(session), entry_time(session, entry, calendar)
        yield position, Turn(session, opened, at, sessions[position - 1], frozenset(names))


def _due_after(tape: Tape, plan: Plan, position: int) -> Iterator[str]:
    since = tape.sessions[position - 1] if position else None
    for name, rebalance in plan.rebalance.items():
        if due(tape.sessions[position], rebalance, tape.history.calendar, since=since):
            yield name


def _result(tape: Tape, plan: Plan, span: range, events: Sequence[Event], book: Book) -> BacktestResult:
    valued = of_kind(events, BookValued)
    columns = np.array([(v.equity, v.cash, v.gross, v.net) for v in valued], dtype=np.float64).T
    equity, cash, gross, net = columns
    traded, fees, slippage = _trading(tape, plan, span, events)
    turnover = np.zeros_like(equity)
    turnover[1:] = traded[1:] / equity[:-1]
    return BacktestResult(
        sessions=np.array([v.session for v in valued], dtype="datetime64[D]"),
        equity=equity,
        cash=cash,
        gross=gross / equity,
        net=net / equity,
        turnover=turnover,
        fees=fees,
        slippage=slippage,
        book=book,
        unpriced=tuple(_unpriced(tape, span[-1], book)),
        events=tuple(events),
    )


def _trading(tape: Tape, plan: Plan, span: range, events: Sequence[Event]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return value traded, fees and slippage of each session, USD. A fill stands before its session's valuation."""
    traded, fees, slippage = np.zeros((3, len(span)))
    day = 0
    for event in events:
        if isinstance(event, BookValued):
            day += 1
        elif isinstance(event, FillBooked):
            fill, quantity = event.fill, float(event.fill.quantity)
            reference = tape.reference(span[day], fill.symbol, plan.rules.execution.entry)
            traded[day] += quantity * float(fill.price)
            fees[day] += float(fill.fee)
            slippage[day] += fill.side.sign * quantity * (float(fill.price) - reference)
    return traded, fees, slippage


def _unpriced(tape: Tape, position: int, book: Book) -> Iterator[Unpriced]:
    snapshot = tape.snapshot(tape.sessions[position])
    for symbol, held in sorted(book.positions.items()):
        place = places(snapshot.symbols)[symbol]
        age = int(snapshot.stale[place])
        if age > 0:
            value = float(held.quantity) * float(snapshot.close[place])
            yield Unpriced(symbol, tape.sessions[position - age], held.quantity, value)
