"""Broker, desk and operator in any order: nothing is sent twice, and no claim to know is false."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aitrader.backtest.tape import CorporateAction
from aitrader.brokers.faulty import FaultSettings, FaultyBroker, seeded
from aitrader.config.schema import Costs, Execution, Reconcile
from aitrader.domain.events import DecisionMade, FillBooked, Latch, OrderSending, Reconciled, Unlatched
from aitrader.domain.orders import Entry
from aitrader.engine.loop import open_session, turn
from aitrader.engine.recovery import accepted, compare, recover, settle
from aitrader.engine.state import State
from aitrader.errors import BrokerError, RefusedError
from aitrader.journal.queries import replay

SESSIONS = 14
SYMBOLS = "ABCD"
SEEDS = st.integers(0, 2**16)
STEPS = st.none() | st.tuples(st.integers(1, 30), st.sampled_from(["before", "after"]))
"""Where the program is killed, counted in rows and requests; None: nowhere."""


class Watched:
    """A broker that notes every request, and fails the test if one leaves that must not."""

    def __init__(self, broker, book):
        self._broker, self._book = broker, book

    def __getattr__(self, name):
        return getattr(self._broker, name)

    def submit(self, approved):
        events, order = self._book.journal.events(), approved.order
        state = State.of(events)
        shut = state.latches | frozenset(self._book.halts.shut)
        assert isinstance(events[-1], OrderSending), "no intent stands before the request"
        assert events[-1].order == order
        assert Latch.HALT not in shut
        assert Latch.HALT_ENTRIES not in shut or order.reducing
        assert order.symbol not in state.held
        assert state.orders[order.client_id].attempts <= 3 + self._book.restarts * 3
        return self._book.steps.step(lambda: self._broker.submit(approved))


class Trading(RuleBasedStateMachine):
    """One book through sessions. ``entry``, ``bench``, ``past``, ``rules`` and ``killed`` are set by the test."""

    entry = Entry.AFTER_OPEN

    @initialize(seed=SEEDS)
    def begin(self, seed):
        generator = np.random.default_rng(seed)
        close = np.round(20 * np.exp(np.cumsum(generator.normal(0, 0.03, (4, SESSIONS)), axis=1)), 2)
        opinions = generator.permuted(np.tile(np.arange(4.0)[:, None], SESSIONS), axis=0)
        world = type(self).past(close, predictions=opinions, volume=2000)
        actions = [
            CorporateAction("A", world.sessions[4], "split", 3.0),
            CorporateAction("A", world.sessions[4], "dividend", 0.5),
            CorporateAction("B", world.sessions[6], "dividend", 0.25),
            CorporateAction("B", world.sessions[6], "dividend", 0.25),
            CorporateAction("C", world.sessions[8], "split", 0.5),
        ]
        rules = type(self).rules(costs=Costs(commission_bps=1))
        limits = rules.risk.model_copy(update={"max_daily_loss": 0.9, "max_drawdown": 0.9})
        rules = replace(rules, risk=limits, execution=Execution(entry=self.entry, costs=rules.execution.costs))
        self.book = type(self).bench(world, rules, actions=actions, cash=20_000)
        self.book.restarts = 0
        self.quiet = FaultSettings(rate=0)
        self.faults = self.quiet
        self.book.desk = replace(self.book.desk, broker=Watched(FaultyBroker(self.book.account, self._plan), self.book))
        self.position, self.running, self.moved, self.strange = 0, False, 0, set()
        self._open_next()
        self._run(None)

    def _plan(self, method, number):
        return seeded(self.faults)(method, number)

    def _outside(self):
        """Note that something happened at the account of which the program cannot know yet."""
        self.moved = len(self.book.journal.events())

    # The venue

    def _open_next(self):
        if self.running:
            self.book.close()
        self.position += 1
        self.book.open(self.position)
        self.running = True
        self._outside()

    @precondition(lambda self: self.running)
    @rule()
    def close(self):
        self.book.close()
        self.running = False
        self._outside()

    @precondition(lambda self: self.position < SESSIONS - 1)
    @rule()
    def a_session_nobody_looks_at(self):
        self._open_next()

    # The program

    @precondition(lambda self: self.position < SESSIONS - 1)
    @rule(step=STEPS, seed=SEEDS, rate=st.sampled_from([0.0, 0.2, 0.5]))
    def a_session(self, step, seed, rate):
        self._open_next()
        self.run(step, seed, rate)

    @precondition(lambda self: self.position < SESSIONS - 1)
    @rule(step=STEPS, seed=SEEDS)
    def a_session_that_takes_two_attempts(self, step, seed):
        self._open_next()
        self.run(step, seed, 0.3)
        self.run(None, 0, 0.0)

    @rule(step=STEPS, seed=SEEDS, rate=st.sampled_from([0.0, 0.2, 0.5]))
    def run(self, step, seed, rate):
        self.faults = FaultSettings(seed=seed, rate=rate)
        self._run(step)

    def _run(self, step):
        book, now = self.book, self.book.now(self.position)
        book.steps.count, book.steps.kill_at = 0, step
        try:
            self._catch_up()
            book.state = recover(book.desk, book.state, now.at, Reconcile())
            if self.running:
                book.state = turn(book.desk, book.state, now)
                book.state = settle(book.desk, book.state, now.at, Reconcile())
        except (type(self).killed, BrokerError, RefusedError):
            self._restart()
        finally:
            book.steps.kill_at = None

    def _catch_up(self):
        book, sessions = self.book, self.book.world.sessions
        met = book.state.session
        for position in range(self.position if met is None else sessions.index(met), self.position + 1):
            book.state = open_session(book.desk, book.state, book.now(position, due=()))

    def _restart(self):
        self.book.restarts += 1
        self.book.restart()

    @rule()
    def restart(self):
        self._restart()

    # The operator

    @precondition(lambda self: not self.book.halts.shut)
    @rule(latch=st.sampled_from(list(Latch)))
    def halt(self, latch):
        self.book.halts.shut.add(latch)

    @precondition(lambda self: self.book.halts.shut or self.book.state.latches)
    @rule()
    def resume(self):
        self.book.halts.shut.clear()
        at = self.book.now(self.position).at
        for latch in State.of(self.book.journal.events()).latches:
            self.book.journal.append(Unlatched(at, latch, "looked into"))
        self.book.restart()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def cancel_by_hand(self, data):
        still = [one.client_id for one in self.book.account.orders() if not one.status.final]
        if still:
            self.book.account.cancel(data.draw(st.sampled_from(still)))
            self._outside()

    @precondition(lambda self: self.running and self.position > 5 and not self.strange)
    @rule(symbol=st.sampled_from(SYMBOLS))
    def trade_by_hand(self, symbol):
        name = f"by-hand-{self.position}"
        self.book.account.submit(type(self).approved(name, symbol, 7))
        self.strange.add(name)
        self._outside()

    @precondition(lambda self: self.strange)
    @rule()
    def accept(self):
        """Do what ``reconcile --accept`` does, once the program has booked what it can."""
        self.faults, now = self.quiet, self.book.now(self.position)
        self._catch_up()
        try:
            self.book.state = recover(self.book.desk, self.book.state, now.at, Reconcile())
        except RefusedError:
            self.book.restart()
        state, ids = self.book.state, {event.order.client_id for event in self.book.of(OrderSending)}
        for row in accepted(state, compare(state, self.book.account, Reconcile(), sent=ids), now.at, "by hand"):
            self.book.journal.append(row)
        self.book.restart()
        self.strange.clear()

    # What always holds

    @invariant()
    def the_state_is_what_the_journal_says(self):
        assert self.book.state == State.of(self.book.journal.events())
        assert self.book.state.book == replay(self.book.journal.events())

    @invariant()
    def who_says_reconciled_has_what_the_account_has(self):
        events = self.book.journal.events()
        last = max((at for at, event in enumerate(events) if isinstance(event, Reconciled)), default=-1)
        if not self.book.state.reconciled or last < self.moved:
            return
        theirs = {symbol: one.quantity for symbol, one in self.book.account.positions().items()}
        ours = {symbol: one.quantity for symbol, one in self.book.state.book.positions.items()}
        assert ours == theirs
        assert self.book.state.book.cash == self.book.account.account().cash

    @invariant()
    def every_order_was_wanted_and_is_there_once(self):
        wanted = {order.client_id: order for made in self.book.of(DecisionMade) for order in made.orders}
        taken = [one for one in self.book.account.orders() if not one.client_id.startswith("by-hand")]
        assert all(count == 1 for count in Counter(one.client_id for one in taken).values())
        assert {one.client_id for one in taken} <= set(wanted)
        same = Counter((wanted[one.client_id].decision, one.symbol, one.side) for one in taken)
        assert all(count == 1 for count in same.values())

    @invariant()
    def every_fill_is_booked_once_and_none_exceeds_its_order(self):
        booked = Counter(event.fill.fill_id for event in self.book.of(FillBooked))
        assert all(count == 1 for count in booked.values())
        for one in self.book.account.orders():
            assert one.filled_quantity <= one.quantity
        assert self.book.account.account().cash >= 0

    def teardown(self):
        """With a good line and no halt, one more run knows everything, by itself."""
        if self.strange or not hasattr(self, "book"):
            return
        self.faults = self.quiet
        self.book.halts.shut.clear()
        self._run(None)
        assert self.book.state.unresolved == ()
        assert self.book.state.reconciled


@pytest.fixture
def machine(bench, past, make_rules, killed, approved):
    def make(entry):
        attributes = {"bench": bench, "past": past, "killed": killed, "entry": entry}
        functions = {"rules": staticmethod(make_rules), "approved": staticmethod(approved)}
        return type("Machine", (Trading,), attributes | functions)

    return make


@pytest.mark.parametrize("entry", [Entry.AFTER_OPEN, Entry.CLOSE_AUCTION])
def test_broker_desk_and_operator_in_any_order(machine, entry):
    run_state_machine_as_test(
        machine(entry),
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
