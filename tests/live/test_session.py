"""Which session it is, when its orders may leave, and what was missed."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from aitrader.config.schema import Config
from aitrader.domain.calendars import calendar
from aitrader.domain.events import BookOpened, DecisionMade, OrderRefused, OrderSending, RunEnded
from aitrader.domain.orders import Entry, Order, Side
from aitrader.domain.symbols import Symbol
from aitrader.errors import ConfigError
from aitrader.live.session import Diary, Stand, missed, undone

XNYS = calendar("XNYS")
DAYS = XNYS.between(date(2013, 7, 29), date(2013, 8, 9))
TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = date(2013, 8, 6), date(2013, 8, 7), date(2013, 8, 8), date(2013, 8, 9)


def at(text):
    return datetime.fromisoformat(f"{text}-04:00")


def diary(rebalance="wednesday", sessions=DAYS, **more):
    strategies = {"even": {"kind": "equal_weight", "rebalance": rebalance}}
    return Diary(XNYS, Config.model_validate({"strategies": strategies, **more}), sessions)


def order(number):
    return Order(
        f"at-main-20130807-even-S{number}-buy-e-{number}",
        Symbol(f"S{number}"),
        Side.BUY,
        Decimal(1),
        Decimal(10),
        "even",
        "20130807",
        Entry.AFTER_OPEN,
    )


def decision(*orders):
    return DecisionMade(at("2013-08-07T16:15"), "20130807", WEDNESDAY, 1e5, {}, {}, orders)


def opened(text="2013-08-01T10:00"):
    return BookOpened(at(text), "SIM-main", Decimal(1000))


def ran(text):
    return RunEnded(at(text), "run", "trade", "skipped", 0, "")


def test_a_decision_enters_in_the_next_session_from_five_after_its_open_to_five_before_its_close():
    found = diary().after(WEDNESDAY)

    assert (found.session, found.due, found.decision) == (THURSDAY, {"even"}, "20130807")
    assert (found.opens, found.closes) == (at("2013-08-08T09:35"), at("2013-08-08T15:55"))


@pytest.mark.parametrize(
    ("time", "stand"),
    [
        ("2013-08-08T09:34:59", Stand.EARLY),
        ("2013-08-08T09:35", Stand.OPEN),
        ("2013-08-08T15:54:59", Stand.OPEN),
        ("2013-08-08T15:55", Stand.MISSED),
    ],
)
def test_the_first_instant_of_the_window_is_inside_and_the_last_is_not(time, stand):
    assert diary().after(WEDNESDAY).stand(at(time)) is stand


def test_a_half_day_closes_its_window_early():
    found = diary(sessions=(date(2013, 11, 27),)).after(date(2013, 11, 27))

    assert found.session == date(2013, 11, 29)
    assert found.closes == datetime.fromisoformat("2013-11-29T12:55-05:00")


def test_the_next_decision_may_be_a_week_away():
    assert diary().next_due(THURSDAY).last == date(2013, 8, 14)
    assert diary(rebalance=1).next_due(THURSDAY).last == THURSDAY


def test_a_decision_whose_bar_was_lost_is_due_on_the_next_bar():
    without = tuple(day for day in DAYS if day != WEDNESDAY)

    assert diary(sessions=without).after(THURSDAY).due == {"even"}
    assert diary().after(THURSDAY).due == set()


def test_without_a_strategy_nothing_will_ever_be_due():
    with pytest.raises(ConfigError, match="No strategy"):
        Diary(XNYS, Config(), DAYS).next_due(THURSDAY)


def test_a_turn_decides_only_inside_a_window():
    found = diary()

    assert found.turn(THURSDAY, at("2013-08-08T09:36")).due == set()
    assert found.turn(THURSDAY, at("2013-08-08T09:36"), window=found.after(WEDNESDAY).window).due == {"even"}
    assert found.turn(THURSDAY, at("2013-08-08T09:36")).last == WEDNESDAY


def test_a_decision_is_undone_until_each_of_its_orders_left_or_was_refused():
    first, second = order(1), order(2)
    left = OrderSending(at("2013-08-08T09:36"), first)
    refused = OrderRefused(at("2013-08-08T09:36"), "20130807", second.client_id, "quote", "no quote")

    assert undone([], "20130807")
    assert undone([decision(first, second), left], "20130807")
    assert not undone([decision(first, second), left, refused], "20130807")
    assert not undone([decision()], "20130807")


class TestMissed:
    """What went by, told once, and by every run of the same day."""

    def found(self, events, time, *, since, meeting=None):
        kept = diary()
        now = at(time)
        played = tuple(day for day in DAYS if XNYS.open_of(day) <= now)
        closed = XNYS.last_closed(now, timedelta(minutes=15))
        pointed = meeting or kept.after(closed)
        return [one.session for one in missed(kept, events, pointed, since=since, played=played, at=now)]

    def test_the_window_that_just_closed(self):
        assert self.found([opened()], "2013-08-08T16:05", since=WEDNESDAY) == [THURSDAY]

    def test_not_the_one_that_is_open(self):
        assert self.found([opened()], "2013-08-08T12:00", since=WEDNESDAY) == []

    def test_one_of_an_earlier_session_that_no_run_met(self):
        assert self.found([opened()], "2013-08-09T10:00", since=TUESDAY) == [THURSDAY]

    def test_once_only_after_its_day(self):
        told = [opened(), ran("2013-08-08T18:00")]

        assert self.found(told, "2013-08-08T19:00", since=THURSDAY) == [THURSDAY]
        assert self.found(told, "2013-08-09T10:00", since=THURSDAY) == []

    def test_a_run_before_it_closed_has_not_told_of_it(self):
        killed = [opened(), ran("2013-08-08T09:00"), decision(order(1))]

        assert self.found(killed, "2013-08-09T10:00", since=THURSDAY) == [THURSDAY]

    def test_not_by_a_book_that_began_after_it(self):
        assert self.found([opened("2013-08-08T17:00")], "2013-08-08T18:00", since=THURSDAY) == []
        assert self.found([opened("2013-08-08T17:00")], "2013-08-08T18:00", since=None) == []

    def test_but_by_one_that_begins_right_after_it(self):
        assert self.found([opened("2013-08-08T15:56")], "2013-08-08T15:56", since=None) == [THURSDAY]

    def test_not_a_decision_that_was_traded(self):
        done = [opened(), decision(order(1)), OrderSending(at("2013-08-08T09:36"), order(1))]

        assert self.found(done, "2013-08-08T18:00", since=THURSDAY) == []
