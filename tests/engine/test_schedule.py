from datetime import UTC, date, datetime

import pytest

from aitrader.config.schema import Schedule
from aitrader.domain.calendars import calendar
from aitrader.domain.orders import Entry
from aitrader.engine.schedule import due, entry_time, window

XNYS = calendar("XNYS")


def decided(start, end, rebalance):
    return [session for session in XNYS.between(start, end) if due(session, rebalance, XNYS)]


def test_a_weekday_is_that_days_session():
    assert decided(date(2013, 8, 1), date(2013, 8, 16), "wednesday") == [date(2013, 8, 7), date(2013, 8, 14)]


def test_a_weekday_on_a_holiday_moves_to_the_next_session():
    # 2012-07-04 was a Wednesday; 2013-03-29 (Good Friday) moves to the Monday after the weekend.
    assert decided(date(2012, 7, 2), date(2012, 7, 12), "wednesday") == [date(2012, 7, 5), date(2012, 7, 11)]
    assert decided(date(2013, 3, 25), date(2013, 4, 5), "friday") == [date(2013, 4, 1), date(2013, 4, 5)]


def test_a_week_that_the_venue_was_closed_is_made_up_once():
    # The exchange was closed from 2001-09-11 to 2001-09-14.
    assert decided(date(2001, 9, 5), date(2001, 9, 20), "wednesday") == [
        date(2001, 9, 5),
        date(2001, 9, 17),
        date(2001, 9, 19),
    ]


def test_every_year_has_one_decision_a_week():
    for year in range(1995, 2020):
        assert len(decided(date(year, 1, 1), date(year, 12, 31), "monday")) in (52, 53)


def test_every_so_many_sessions_do_not_depend_on_where_a_run_starts():
    whole = decided(date(2013, 1, 1), date(2013, 12, 31), 5)
    late = decided(date(2013, 3, 7), date(2013, 12, 31), 5)

    assert late == [session for session in whole if session >= date(2013, 3, 7)]
    positions = [XNYS.position(session) for session in whole]
    assert {position % 5 for position in positions} == {0}


def test_what_was_due_on_lost_sessions_is_due_on_the_next_one():
    tuesday, thursday, friday = date(2013, 8, 6), date(2013, 8, 8), date(2013, 8, 9)

    assert due(thursday, "wednesday", XNYS, since=tuesday)
    assert not due(thursday, "wednesday", XNYS, since=date(2013, 8, 7))
    assert not due(friday, "wednesday", XNYS, since=thursday)


@pytest.mark.parametrize(
    ("entry", "time"),
    [
        (Entry.OPEN_AUCTION, (13, 25)),
        (Entry.VWAP, (13, 30)),
        (Entry.AFTER_OPEN, (13, 35)),
        (Entry.CLOSE_AUCTION, (19, 45)),
    ],
)
def test_orders_leave_at_the_time_of_their_entry(entry, time):
    assert entry_time(date(2013, 8, 8), entry, XNYS) == datetime(2013, 8, 8, *time, tzinfo=UTC)


def test_before_the_close_means_the_early_close_of_a_half_day():
    assert entry_time(date(2013, 7, 3), Entry.CLOSE_AUCTION, XNYS) == datetime(2013, 7, 3, 16, 45, tzinfo=UTC)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("entry", "opens", "closes"),
    [
        (Entry.AFTER_OPEN, "2013-08-08T13:35", "2013-08-08T19:55"),
        (Entry.VWAP, "2013-08-08T13:35", "2013-08-08T19:55"),
        (Entry.OPEN_AUCTION, "2013-08-08T13:25", "2013-08-08T13:28"),
        (Entry.CLOSE_AUCTION, "2013-08-08T19:45", "2013-08-08T19:50"),
    ],
)
def test_orders_leave_inside_the_window_of_their_entry(entry, opens, closes):
    assert window(date(2013, 8, 8), entry, XNYS, Schedule()) == (utc(opens), utc(closes))


def test_a_window_shrinks_with_the_settings_and_with_a_half_day():
    # 2012-07-03 closed at 13:00 New York, 17:00 UTC.
    late = Schedule(no_orders_first_min=30, no_orders_last_min=60)

    assert window(date(2012, 7, 3), Entry.AFTER_OPEN, XNYS, late) == (utc("2012-07-03T14:00"), utc("2012-07-03T16:00"))


def test_orders_after_the_open_leave_no_earlier_than_their_entry_time():
    free = Schedule(no_orders_first_min=0, no_orders_last_min=0)

    assert window(date(2013, 8, 8), Entry.AFTER_OPEN, XNYS, free) == (utc("2013-08-08T13:35"), utc("2013-08-08T20:00"))
