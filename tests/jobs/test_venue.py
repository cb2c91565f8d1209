"""What the venue of a simulated account tells of a session, and when."""

from datetime import date, datetime, timedelta

import numpy as np
import pytest

from aitrader.backtest.tape import CorporateAction
from aitrader.domain.orders import Entry
from aitrader.domain.symbols import Symbol
from aitrader.jobs.assembly.venue import LakeVenue

A, B = Symbol("A"), Symbol("B")
CLOSES = [[10.0, 11.0, 12.0], [20.0, 21.0, 22.0]]
OPENS = [[9.0, 10.5, 11.5], [19.0, 20.5, 21.5]]
FIRST, SECOND, THIRD = date(2013, 7, 1), date(2013, 7, 2), date(2013, 7, 3)
FOURTH = date(2013, 7, 5)  # the fourth of July is no session


def at(text):
    return datetime.fromisoformat(f"{text}-04:00")


@pytest.fixture
def venue(past):
    def make(*actions, entry=Entry.AFTER_OPEN):
        made = past(CLOSES, open_=OPENS)
        return LakeVenue(made.tape(*actions), actions, entry)

    return make


def told(venue, after, text):
    return list(venue.sessions(after, at(text)))


def test_of_a_running_session_only_the_open_is_told(venue):
    (running,) = told(venue(), SECOND, "2013-07-03T09:31")

    assert (running.bars.session, running.closed) == (THIRD, False)
    assert running.bars.open.tolist() == [11.5, 21.5]
    for prices in (running.bars.high, running.bars.low, running.bars.close, running.bars.vwap):
        assert np.isnan(prices).all()


def test_of_a_closed_session_everything_is_told(venue):
    first, second, third = told(venue(), date(2013, 6, 28), "2013-07-03T13:00")

    assert [one.bars.session for one in (first, second, third)] == [FIRST, SECOND, THIRD]
    assert all(one.closed for one in (first, second, third))
    assert third.bars.close.tolist() == [12.0, 22.0]


def test_before_the_open_the_session_is_not_told(venue):
    assert told(venue(), SECOND, "2013-07-03T09:29:59") == []


def test_orders_for_the_opening_auction_meet_a_session_that_has_begun_and_not_opened(venue):
    split = CorporateAction(A, THIRD, "split", 2.0)

    (begun,) = told(venue(split, entry=Entry.OPEN_AUCTION), SECOND, "2013-07-03T09:25")

    assert np.isnan(begun.bars.open).all()
    assert [action.value for action in begun.actions] == [2.0]
    assert told(venue(entry=Entry.OPEN_AUCTION), SECOND, "2013-07-03T09:24:59") == []


def test_a_session_whose_bars_are_not_known_yet_runs_with_its_corporate_actions(venue):
    dividend = CorporateAction(B, FOURTH, "dividend", 0.5)

    (running,) = told(venue(dividend), THIRD, "2013-07-05T09:36")

    assert (running.bars.session, running.closed) == (FOURTH, False)
    assert running.bars.opened == at("2013-07-05T09:30")
    assert np.isnan(running.bars.open).all()
    assert [(action.symbol, action.kind, action.value) for action in running.actions] == [(B, "dividend", 0.5)]


@pytest.mark.parametrize("text", ["2013-07-05T16:00", "2013-07-08T10:00"])
def test_a_session_that_closed_without_bars_is_not_told(venue, text):
    assert told(venue(), THIRD, text) == []


def test_a_new_account_hears_of_the_last_closed_session_and_of_the_running_one(venue):
    both = told(venue(), None, "2013-07-03T10:00")
    evening = told(venue(), None, "2013-07-03T18:00")

    assert [(one.bars.session, one.closed) for one in both] == [(SECOND, True), (THIRD, False)]
    assert [(one.bars.session, one.closed) for one in evening] == [(THIRD, True)]


def test_an_action_between_two_sessions_takes_effect_in_the_later_one(venue):
    made = venue(CorporateAction(A, date(2013, 7, 4), "split", 3.0))

    assert [action.at for action in made.actions(FOURTH)] == [at("2013-07-05T09:30")]
    assert made.actions(THIRD) == ()


def test_played_sessions_are_those_that_had_begun(venue):
    made = venue()

    assert made.played(at("2013-07-02T09:30")) == (FIRST, SECOND)
    assert made.played(at("2013-07-05T09:30")) == (FIRST, SECOND, THIRD, FOURTH)
    assert made.played(at("2013-07-05T09:30") - timedelta(seconds=1)) == (FIRST, SECOND, THIRD)
