"""What the calendar says of a session: against a wall calendar, and against loops over Python's own dates."""

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest

from aitrader.domain.calendars import calendar, planned
from aitrader.domain.symbols import Symbol
from aitrader.errors import ConfigError
from aitrader.panel import almanac, when
from aitrader.panel.expr import column
from aitrader.panel.panel import Panel
from aitrader.panel.parse import parse
from aitrader.panel.plan import lookback, plan
from aitrader.panel.scale import level_dependent
from aitrader.panel.timeline import Timeline, timeline

OF_SESSIONS = [name for name in when.WORDS if name not in {*when.VIEWS, "bar_of_session"}]


def panel_of(days, venue="XNYS", close=None):
    values = np.full((1, len(days)), 50.0) if close is None else np.atleast_2d(np.array(close, dtype=float))
    labels = np.array(days, dtype="datetime64[D]")
    symbols = tuple(Symbol(f"S{row}") for row in range(len(values)))
    return Panel(venue, "1d", labels, symbols, {"close": values}, np.ones(values.shape, dtype=bool))


def said(word, *days, venue="XNYS"):
    """Return what a word says of some days: first symbol, float64."""
    return plan([when.WORDS[word]()]).run(panel_of(days, venue))[0, 0].tolist()


@pytest.mark.parametrize(
    ("word", "day", "value"),
    [
        ("session_of_week", date(2013, 1, 22), 1),  # Monday was Martin Luther King's day
        ("session_of_week", date(2013, 1, 25), 4),
        ("session_of_month", date(2013, 1, 2), 1),
        ("sessions_to_month_end", date(2013, 3, 28), 0),  # Good Friday was the 29th
        ("month_end", date(2013, 3, 28), 1),
        ("month_end", date(2013, 3, 27), 0),
        ("month_of_year", date(2013, 12, 31), 12),
        ("month_sine", date(2013, 4, 1), 1),
        ("month_cosine", date(2013, 1, 2), 1),
        ("quarter_cosine", date(2013, 10, 1), 1),
        ("sessions_to_expiry", date(2013, 1, 18), 0),
        ("sessions_to_expiry", date(2014, 4, 17), 0),  # the third Friday was Good Friday
        ("sessions_to_expiry", date(2008, 3, 20), 0),  # as here
        ("sessions_to_expiry", date(2014, 4, 21), 19),
        ("sessions_to_holiday", date(2012, 11, 21), 0),  # Thanksgiving was the 22nd
        ("sessions_to_holiday", date(2012, 11, 19), 2),
        ("sessions_since_holiday", date(2012, 11, 23), 0),
        ("sessions_since_holiday", date(2012, 11, 27), 2),
        ("half_day", date(2012, 11, 23), 1),
        ("half_day", date(2012, 11, 26), 0),
    ],
)
def test_a_day_of_new_york(word, day, value):
    assert said(word, day) == [pytest.approx(value, abs=1e-7)]


def test_a_closure_that_nobody_could_plan_is_not_foreseen():
    # The exchange was shut on Monday and Tuesday, October 29 and 30, 2012, by a hurricane.
    friday = date(2012, 10, 26)

    assert said("sessions_to_month_end", friday) == [3]
    assert said("sessions_to_holiday", friday) == [18]
    assert said("sessions_to_holiday", date(2001, 9, 10)) == [52]
    assert said("session_of_week", date(2012, 10, 31)) == [3]


def test_a_venue_that_never_closes_has_no_holidays():
    sunday = date(2021, 1, 31)

    assert said("session_of_week", sunday, venue="24/7") == [7]
    assert said("month_end", sunday, venue="24/7") == [1]
    assert said("sessions_to_expiry", date(2021, 1, 10), venue="24/7") == [5]
    assert said("half_day", sunday, venue="24/7") == [0]
    assert np.isnan(said("sessions_to_holiday", sunday, venue="24/7")).all()


def _counted(days, expiries, place):
    """Return what the words say of a day, counted from its neighbours one by one."""
    day, later = days[place], days[place:]
    month = [other for other in days[place - 30 : place + 31] if (other.year, other.month) == (day.year, day.month)]
    gaps = [(after - other).days - 1 - 2 * (other.weekday() > after.weekday()) for other, after in pairwise(later)]
    return {
        "session_of_week": sum(
            other.isocalendar()[:2] == day.isocalendar()[:2] for other in days[place - 7 : place + 1]
        ),
        "session_of_month": month.index(day) + 1,
        "sessions_to_month_end": len(month) - month.index(day) - 1,
        "month_of_year": day.month,
        "sessions_to_expiry": days.index(min(expiry for expiry in expiries if expiry >= day)) - place,
        "sessions_to_holiday": next(step for step, weekdays in enumerate(gaps) if weekdays > 0),
    }


def test_the_words_agree_with_loops_over_dates():
    days = list(planned("XNYS").between(date(2004, 1, 1), date(2012, 12, 31)))
    firsts = [date(2004 + number // 12, number % 12 + 1, 1) for number in range(108)]
    fridays = [first + timedelta((4 - first.weekday()) % 7 + 14) for first in firsts]
    expiries = [max(day for day in days if day <= friday) for friday in fridays]
    words = list(_counted(days, expiries, 1000))
    values = plan([when.WORDS[word]() for word in words]).run(panel_of(days))[:, 0]

    for place in range(40, len(days) - 300, 23):
        assert dict(zip(words, values[:, place].tolist(), strict=True)) == _counted(days, expiries, place)


def test_nothing_is_said_before_the_first_bar_nor_of_a_day_that_is_no_session():
    days = [date(2013, 1, 3), date(2013, 1, 4), date(2013, 1, 5), date(2013, 1, 7)]
    panel = panel_of(days, close=[[np.nan, 1, 1, np.nan], [np.nan] * 4])

    values = plan([when.session_of_week()]).run(panel)[0]

    np.testing.assert_array_equal(values, [[np.nan, 4, np.nan, 1], [np.nan] * 4])


@pytest.mark.parametrize("word", OF_SESSIONS)
def test_a_word_reads_back_needs_no_history_and_sees_no_level(word):
    expr = when.WORDS[word]()

    assert parse(expr.key, features={}) == expr
    assert parse(f"{word}() * 2", features={}) == expr * 2
    assert lookback(expr) == 0
    assert not level_dependent(expr)


def test_a_part_of_a_history_is_told_the_same():
    days = calendar("XNYS").between(date(2012, 1, 1), date(2013, 12, 31))
    panel = panel_of(days, close=np.where(np.arange(len(days)) < 40, np.nan, 1.0))
    program = plan([when.WORDS[word]() for word in OF_SESSIONS])
    full = program.run(panel)

    for start, stop in [(0, 1), (39, 42), (100, 101), (250, len(days))]:
        np.testing.assert_array_equal(program.run(panel.slice(start, stop)), full[:, :, start:stop])


def test_a_word_takes_no_argument_and_a_view_takes_one():
    with pytest.raises(ConfigError, match="month_end"):
        parse("month_end(3)", features={})
    with pytest.raises(ConfigError, match="weekly"):
        parse("weekly()", features={})
    assert parse("weekly(close.mean(3))", features={}) == when.weekly(column("close").mean(3))


def test_a_calendar_may_begin_behind_an_expiry():
    line = timeline("XNYS")
    late = slice(*np.searchsorted(line.days, np.array(["2013-01-21", "2013-03-05"], "datetime64[D]")))
    part = Timeline(line.days[late], line.opens[late], line.closes[late])

    counted = almanac._sessions_to_expiry(part)

    assert counted[0] == np.flatnonzero(part.days == np.datetime64("2013-02-15"))[0]
    assert np.isnan(counted[-1])
