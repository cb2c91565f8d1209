"""Requests leave no faster than the vendor allows."""

import pytest

from aitrader.transport.pacing import Pacer


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def time():
    return Time()


def test_requests_are_spread_over_the_minute(time):
    pacer = Pacer(60, clock=time, sleep=time.sleep)

    leaving = [pacer.wait() or time.now for _ in range(3)]

    assert [time.now, leaving[0]] == [2.0, 0.0]


def test_a_burst_passes_at_once_and_the_rest_waits(time):
    pacer = Pacer(60, burst=3, clock=time, sleep=time.sleep)

    waits = [pacer.wait() for _ in range(5)]

    assert waits == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_a_pause_saves_no_more_than_one_burst(time):
    pacer = Pacer(60, burst=2, clock=time, sleep=time.sleep)
    time.now = 1000.0

    waits = [pacer.wait() for _ in range(4)]

    assert sum(waits[:2]) == 0.0
    assert waits[3] == 1.0


def test_a_hold_stops_everybody(time):
    pacer = Pacer(60, burst=3, clock=time, sleep=time.sleep)

    pacer.hold(30)

    assert pacer.wait() == 30.0


def test_a_budget_of_nothing_is_refused():
    with pytest.raises(ValueError, match="positive"):
        Pacer(0)
