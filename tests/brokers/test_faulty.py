"""What the caller is told, and what the broker behind the bad connection really did."""

from decimal import Decimal

import pytest

from aitrader.brokers.faulty import (
    FAULTS_OF,
    LAG,
    Fault,
    FaultSettings,
    FaultyBroker,
    fault_settings,
    listed,
    seeded,
    wrap,
)
from aitrader.domain.orders import Accepted, BrokerOrder, Entry, NotFound, OrderStatus, Refused, Unknown
from aitrader.errors import BrokerError, ConfigError


@pytest.fixture
def inner(broker, bars_of):
    """A broker on an open venue; three buys of it are filled in the order of their symbols."""
    broker.open_session(bars_of(0, {"A": 20.0, "B": 10.0, "C": 5.0}))
    return broker


def faulty(inner, **faults):
    return FaultyBroker(inner, listed({(method, 1): fault for method, fault in faults.items()}))


@pytest.mark.parametrize("fault", [Fault.ACCEPT_THEN_DROP, Fault.ERROR_AFTER, Fault.DELAY, Fault.UNREADABLE])
def test_an_answer_that_is_lost_leaves_an_order_that_the_caller_does_not_know_of(inner, approve_order, fault):
    approved = approve_order("A", 10)

    outcome = faulty(inner, submit=fault).submit(approved)

    assert isinstance(outcome, Unknown)
    assert inner.find(approved.order.client_id).status is OrderStatus.FILLED


@pytest.mark.parametrize("fault", [Fault.DROP_BEFORE, Fault.ERROR_BEFORE])
def test_a_request_that_is_lost_leaves_no_order_and_may_be_sent_again(inner, approve_order, fault):
    approved, broker = approve_order("A", 10), faulty(inner, submit=fault)

    assert isinstance(broker.submit(approved), Unknown)
    assert inner.orders() == []

    assert isinstance(broker.submit(approved), Accepted)
    assert isinstance(broker.submit(approved), Refused)


def test_errors_and_drops_have_reasons_of_their_own(inner, approve_order):
    reasons = {
        fault: faulty(inner, submit=fault).submit(approve_order("A", 1, decision=f"d{number}")).reason
        for number, fault in enumerate(FAULTS_OF["submit"])
    }

    assert reasons[Fault.ACCEPT_THEN_DROP] == reasons[Fault.DROP_BEFORE]
    assert len(set(reasons.values())) == len(reasons) - 1


def test_a_delayed_order_is_seen_after_a_while(inner, approve_order):
    approved, broker = approve_order("A", 10), faulty(inner, submit=Fault.DELAY)
    broker.submit(approved)

    looks = [broker.find(approved.order.client_id) for _ in range(LAG + 1)]

    assert [type(look) for look in looks] == [NotFound] * LAG + [BrokerOrder]


def test_a_delayed_order_sent_again_is_a_duplicate(inner, approve_order):
    approved, broker = approve_order("A", 10), faulty(inner, submit=Fault.DELAY)
    broker.submit(approved)

    assert broker.orders() == []
    assert broker.submit(approved).code == "duplicate_client_id"
    assert len(inner.fills()) == 1


def test_a_cancel_whose_answer_is_lost_is_done(inner, approve_order):
    approved = approve_order("A", 10, entry=Entry.CLOSE_AUCTION)
    inner.submit(approved)

    outcome = faulty(inner, cancel=Fault.ACCEPT_THEN_DROP).cancel(approved.order.client_id)

    assert isinstance(outcome, Unknown)
    assert inner.find(approved.order.client_id).status is OrderStatus.CANCELED


@pytest.mark.parametrize("fault", [Fault.UNREADABLE, Fault.DROP_BEFORE, Fault.ERROR_BEFORE])
@pytest.mark.parametrize(
    ("method", "arguments"),
    [("account", ()), ("positions", ()), ("orders", ()), ("find", ("one",)), ("fills", ()), ("market", ())],
)
def test_a_reading_that_fails_is_an_error_and_never_empty(inner, method, arguments, fault):
    broker = faulty(inner, **{method: fault})

    with pytest.raises(BrokerError, match=f"did not answer {method}"):
        getattr(broker, method)(*arguments)

    assert getattr(broker, method)(*arguments) is not None


def bought(inner, approve_order):
    for symbol in "ABC":
        inner.submit(approve_order(symbol, 10))
    return [fill.fill_id for fill in inner.fills()]


def test_fills_come_twice(inner, approve_order):
    first, second, third = bought(inner, approve_order)

    told = faulty(inner, fills=Fault.DUPLICATE_FILLS).fills(after=first)

    assert [fill.fill_id for fill in told] == [first, second, second, third, third]


def test_fills_come_newest_first(inner, approve_order):
    first, second, third = bought(inner, approve_order)

    told = faulty(inner, fills=Fault.REORDER_FILLS).fills()

    assert [fill.fill_id for fill in told] == [third, second, first]


def test_the_same_seed_gives_the_same_faults_whatever_else_is_called():
    settings = FaultSettings(seed=7, rate=0.5)

    one, other = seeded(settings), seeded(settings)
    other("find", 1)

    calls = [(method, number) for method in FAULTS_OF for number in range(1, 50)]
    assert [one(*call) for call in calls] == [other(*call) for call in reversed(calls)][::-1]
    assert [one(*call) for call in calls] != [seeded(FaultSettings(seed=8, rate=0.5))(*call) for call in calls]


def test_about_the_wanted_share_of_calls_fails_and_in_the_wanted_ways_only():
    plan = seeded(FaultSettings(seed=1, rate=0.25, kinds=[Fault.DROP_BEFORE, Fault.DUPLICATE_FILLS]))

    sent = [plan("submit", number) for number in range(1, 2001)]

    assert {*sent} == {None, Fault.DROP_BEFORE}
    assert 400 < sum(fault is not None for fault in sent) < 600  # 500 expected, standard deviation 19


def test_no_rate_is_no_fault():
    plan = seeded(FaultSettings(rate=0))

    assert {plan(method, number) for method in FAULTS_OF for number in range(1, 100)} == {None}


def test_a_fault_that_a_method_cannot_have_is_a_mistake_of_the_plan():
    with pytest.raises(ValueError, match="cannot happen to account"):
        listed({("account", 1): Fault.DUPLICATE_FILLS})


def test_settings_are_text_and_are_checked(inner, approve_order):
    broker = wrap(inner, fault_settings({"seed": "3", "rate": "100%", "kinds": ["drop_before"]}), 0)

    assert isinstance(broker.submit(approve_order("A", 1)), Unknown)
    assert fault_settings({}) is None
    with pytest.raises(ConfigError, match="rate"):
        fault_settings({"rate": "2"})
    with pytest.raises(ConfigError, match="sed"):
        fault_settings({"sed": "2"})


def test_another_run_fails_at_other_calls_and_the_same_run_at_the_same():
    settings = FaultSettings(seed=7, rate=0.5)
    calls = [(method, number) for method in FAULTS_OF for number in range(1, 20)]
    drawn = [[seeded(settings, run)(*call) for call in calls] for run in (12, 12, 14)]

    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_a_command_that_fails_at_its_first_question_gets_through_when_it_is_run_again(inner):
    """Rows are added by every run, so that the first question meets other dice."""

    def answered(rows):
        try:
            return wrap(inner, FaultSettings(seed=7, rate=0.5), rows).account() is not None
        except BrokerError:
            return False

    assert {answered(rows) for rows in range(2, 40, 2)} == {True, False}


def test_without_faults_the_broker_is_itself(inner, approve_order):
    broker = FaultyBroker(inner, listed({}))

    broker.submit(approve_order("A", 10))

    assert broker.account() == inner.account()
    assert broker.fills() == inner.fills()
    assert broker.account().cash == Decimal(9_800)
