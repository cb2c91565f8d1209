"""A desk at a simulated account behind a line that can be cut, and a program that can be killed at any step."""

from datetime import timedelta
from decimal import Decimal

import pytest

from aitrader.brokers.simulated import SimulatedBroker
from aitrader.config.schema import Reconcile, Risk, Schedule
from aitrader.domain.events import BookOpened, Latch, OrderOutcome
from aitrader.domain.orders import Entry, NotFound, Order, Side, Unknown
from aitrader.domain.positions import Book, Position
from aitrader.engine.desk import Desk
from aitrader.engine.loop import Turn, open_session, turn
from aitrader.engine.recovery import recover, settle
from aitrader.engine.schedule import entry_time, window
from aitrader.engine.state import State
from aitrader.errors import BrokerError
from aitrader.journal.memory import MemoryJournal
from aitrader.portfolio.allocators import equal
from aitrader.risk.exposure import RiskContext
from aitrader.risk.review import review
from aitrader.strategies.model_driven import ModelDriven


class Killed(BaseException):
    """What the program cannot catch."""


class Steps:
    """Counts what reaches disk or network, and kills before or after one of them."""

    def __init__(self):
        self.kill_at = None
        self.count = 0

    def step(self, action):
        self.count += 1
        if self.kill_at == (self.count, "before"):
            raise Killed
        last = self.kill_at == (self.count, "after")
        try:
            answer = action()
        except BrokerError as error:
            if last:
                raise Killed from error
            raise
        if last:
            raise Killed
        return answer


class Paper(MemoryJournal):
    """A journal on a disk that the power can be taken from."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps
        self.kill_after = None

    def append(self, event):
        new = self.steps.step(lambda: super(Paper, self).append(event))
        if type(event) is self.kill_after:
            self.kill_after = None
            raise Killed
        return new


def dropped(account, approved):
    return Unknown("reset before it was sent")


def accepted_then_dropped(account, approved):
    account.submit(approved)
    return Unknown("reset after it was sent")


def error_before(account, approved):
    raise BrokerError("504")


def error_after(account, approved):
    account.submit(approved)
    raise BrokerError("504")


class Line:
    """The line to an account. ``faults`` holds by method what the next calls meet: a function, or None for nothing."""

    def __init__(self, account, steps):
        self.account_ = account
        self.steps = steps
        self.faults = {}
        self.asked = []

    def submit(self, approved):
        self.asked.append(approved.order.client_id)
        fault = self._fault("submit")
        return self.steps.step(lambda: fault(self.account_, approved) if fault else self.account_.submit(approved))

    def find(self, client_id):
        fault = self._fault("find")
        return fault(self.account_, client_id) if fault else self.account_.find(client_id)

    def fills(self, after=None):
        fault = self._fault("fills")
        told = self.account_.fills(after)
        return fault(told) if fault else told

    def orders(self, since=None):
        return self.account_.orders(since)

    def positions(self):
        return self.account_.positions()

    def account(self):
        return self.account_.account()

    def cancel(self, client_id):
        return self.account_.cancel(client_id)

    def market(self, symbols=()):
        return self.account_.market(symbols)

    def _fault(self, method):
        waiting = self.faults.get(method)
        return waiting.pop(0) if waiting else None


class Switches:
    """Latches that a person can shut at any time."""

    def __init__(self):
        self.shut = set()
        self.reasons = []
        self.reads = 0
        self.shut_at_read = None

    def standing(self):
        self.reads += 1
        if self.reads == self.shut_at_read:
            self.shut.add(Latch.HALT)
        return frozenset(self.shut)

    def latch(self, latch, reason):
        self.shut.add(latch)
        self.reasons.append(reason)


class Bench:
    """One book through sessions, as ``trade`` runs it: open the session, recover, play the turn, settle."""

    def __init__(self, world, rules, *, top=2, actions=(), cash=1000, clock=None, **desk):
        self.world, self.tape = world, world.tape(*actions)
        self.account = SimulatedBroker("SIM-main", Decimal(cash), rules.execution.costs)
        self.steps, self.halts, self.waited = Steps(), Switches(), []
        self.line, self.journal = Line(self.account, self.steps), Paper(self.steps)
        self.clock = clock
        self.desk = Desk(
            self.tape,
            self.line,
            self.journal,
            {"top": ModelDriven("m", top, equal)},
            rules,
            halts=self.halts,
            wait=self.wait,
            clock=(lambda: self.clock) if clock else None,
            **desk,
        )
        self.journal.append(BookOpened(world.calendar.open_of(world.sessions[0]), "SIM-main", Decimal(cash)))
        self.restart()

    def wait(self, seconds):
        self.waited.append(seconds)
        if self.clock:
            self.clock += timedelta(seconds=seconds)

    def restart(self):
        """Forget everything but the journal."""
        self.state = State.of(self.journal.events())

    def open(self, position):
        session = self.world.sessions[position]
        self.account.open_session(self.tape.session_bars(position), self.tape.actions(session))

    def close(self):
        self.account.close_session()

    def now(self, position, due=("top",)):
        session, entry, calendar = self.world.sessions[position], self.desk.rules.execution.entry, self.world.calendar
        return Turn(
            session,
            calendar.open_of(session),
            entry_time(session, entry, calendar),
            self.world.sessions[position - 1],
            frozenset(due),
            window(session, entry, calendar, Schedule()),
        )

    def run(self, position, due=("top",)):
        """Run the program once on the running session."""
        now = self.now(position, due)
        self.state = open_session(self.desk, self.state, now)
        self.state = recover(self.desk, self.state, now.at, Reconcile())
        self.state = turn(self.desk, self.state, now)
        self.state = settle(self.desk, self.state, now.at, Reconcile())

    def play(self, position, due=("top",)):
        self.open(position)
        self.run(position, due)

    def of(self, kind):
        return [event for event in self.journal.events() if isinstance(event, kind)]

    def outcomes(self):
        return [event.outcome.value for event in self.of(OrderOutcome)]


@pytest.fixture(scope="session")
def bench():
    return Bench


@pytest.fixture(scope="session")
def killed():
    return Killed


@pytest.fixture(scope="session")
def faults():
    """What can happen to an order on its way, by name."""
    return {
        "dropped": dropped,
        "accepted_then_dropped": accepted_then_dropped,
        "error_before": error_before,
        "error_after": error_after,
    }


@pytest.fixture(scope="session")
def not_found():
    """A look-up that answers that there is no such order."""
    return lambda account, client_id: NotFound(client_id)


@pytest.fixture(scope="session")
def silent():
    """A look-up that fails."""

    def fail(account, client_id):
        raise BrokerError("503")

    return fail


@pytest.fixture(scope="session")
def approved():
    """An order of the decision of 2013-07-01 that passed a review; a negative quantity sells."""

    def make(client_id, symbol, quantity, *, closing=False):
        order = Order(
            client_id=client_id,
            symbol=symbol,
            side=Side.BUY if quantity > 0 else Side.SELL,
            quantity=abs(Decimal(quantity)),
            planned_price=Decimal(10),
            strategy="top",
            decision="20130701",
            entry=Entry.AFTER_OPEN,
            reducing=closing,
            closing=closing,
        )
        held = {symbol: Position(symbol, abs(Decimal(quantity)), Decimal(10))} if quantity < 0 else {}
        context = RiskContext(
            equity=Decimal(10_000),
            book=Book(Decimal(10_000), held),
            prices={symbol: Decimal(10)},
            volume20={symbol: 1e9},
            stale={symbol: 0},
            members={symbol},
        )
        (passed,) = review([order], context, Risk(max_order_equity_share=1, max_position=1)).approved
        return passed

    return make
