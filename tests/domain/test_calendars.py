"""Sessions, half days and daylight saving, checked against the exchange's published hours and another calendar."""

from datetime import UTC, date, datetime, timedelta

import exchange_calendars
import pytest

from aitrader.domain.calendars import FIRST, LAST, NAMES, calendar, planned
from aitrader.errors import UnknownNameError


@pytest.mark.parametrize("name", NAMES)
def test_every_session_opens_and_closes_as_another_calendar_says(name):
    schedule = exchange_calendars.get_calendar(name, start=FIRST.isoformat(), end=LAST.isoformat()).schedule

    venue = calendar(name)

    assert list(venue.sessions) == schedule.index.date.tolist()
    assert list(venue.opens) == schedule["open"].dt.to_pydatetime().tolist()
    assert list(venue.closes) == schedule["close"].dt.to_pydatetime().tolist()


def test_holidays_and_weekends_are_no_sessions():
    venue = calendar("XNYS")

    closed = [date(2026, 11, 26), date(2026, 12, 25), date(2026, 7, 3), date(2012, 10, 29), date(2026, 11, 21)]

    assert not set(closed) & set(venue.sessions)
    assert date(2026, 11, 20) in venue.sessions


def test_a_half_day_closes_at_one_in_new_york():
    assert calendar("XNYS").close_of(date(2026, 11, 27)) == datetime(2026, 11, 27, 18, 0, tzinfo=UTC)


def test_the_close_moves_with_daylight_saving_in_new_york():
    venue = calendar("XNYS")

    assert venue.close_of(date(2026, 3, 6)).hour == 21
    assert venue.close_of(date(2026, 3, 9)).hour == 20
    assert venue.open_of(date(2026, 11, 2)).hour == 14


def test_a_session_counts_as_closed_only_after_its_lag():
    venue = calendar("XNYS")
    close = venue.close_of(date(2013, 8, 7))

    assert venue.last_closed(close + timedelta(minutes=14), timedelta(minutes=15)) == date(2013, 8, 6)
    assert venue.last_closed(close + timedelta(minutes=15), timedelta(minutes=15)) == date(2013, 8, 7)
    assert venue.last_closed(datetime(1980, 1, 1, tzinfo=UTC)) is None


def test_offsets_and_ranges_count_sessions():
    venue = calendar("XNYS")

    assert venue.offset(date(2013, 6, 20), 6) == date(2013, 6, 28)
    assert venue.between(date(2013, 7, 3), date(2013, 7, 5)) == (date(2013, 7, 3), date(2013, 7, 5))
    with pytest.raises(ValueError, match="2013-07-04"):
        venue.position(date(2013, 7, 4))


def test_crypto_trades_every_utc_day():
    venue = calendar("24/7")

    assert date(2026, 12, 25) in venue.sessions
    assert venue.close_of(date(2026, 12, 25)) == datetime(2026, 12, 26, tzinfo=UTC)


def test_an_unknown_calendar_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match="XNYS"):
        calendar("XLON")


def test_a_closure_that_nobody_could_plan_is_a_session_of_the_plan():
    surprises = set(planned("XNYS").sessions) - set(calendar("XNYS").sessions)

    assert date(2001, 9, 11) in surprises
    assert date(2012, 10, 29) in surprises
    assert len(surprises) == 11
    assert set(calendar("XNYS").sessions) < set(planned("XNYS").sessions)
    assert planned("XNYS").close_of(date(2001, 9, 11)) == datetime(2001, 9, 11, 20, 0, tzinfo=UTC)
    assert planned("24/7") is calendar("24/7")
    with pytest.raises(UnknownNameError):
        planned("XLON")
