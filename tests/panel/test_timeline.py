"""Bars shorter than a session: which session they belong to, when they close, and how many there are."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from aitrader.domain.symbols import Symbol
from aitrader.panel import when
from aitrader.panel.panel import Panel
from aitrader.panel.plan import plan
from aitrader.panel.timeline import STEPS, bars_per_session, sessions_of


def starts_of(*texts):
    return np.array(texts, dtype="datetime64[s]")


def panel_of(starts, timeframe="1m", venue="XNYS"):
    values = np.ones((1, len(starts)))
    return Panel.intraday(
        venue, timeframe, starts, (Symbol("A"),), {"close": values}, members=np.ones(values.shape, bool)
    )


def minutes(first, count):
    return np.datetime64(first, "s") + np.arange(count) * np.timedelta64(60, "s")


@pytest.mark.parametrize(
    ("timeframe", "start", "session"),
    [
        ("1m", "2013-07-01T13:30", "2013-07-01"),  # summer: 09:30 in New York
        ("1m", "2013-07-01T13:29", "NaT"),
        ("1m", "2013-07-01T19:59", "2013-07-01"),
        ("1m", "2013-07-01T20:00", "NaT"),
        ("1m", "2013-01-02T14:30", "2013-01-02"),  # winter
        ("1m", "2013-01-02T14:29", "NaT"),
        ("1m", "2012-11-23T17:59", "2012-11-23"),  # a half day
        ("1m", "2012-11-23T18:00", "NaT"),
        ("1m", "2013-07-04T15:00", "NaT"),  # a holiday
        ("1h", "2013-07-01T13:00", "2013-07-01"),  # stamped 09:00, holds 09:30 to 10:00
        ("1h", "2013-07-01T12:00", "NaT"),
    ],
)
def test_a_bar_belongs_to_the_session_that_it_shares_time_with(timeframe, start, session):
    assert str(sessions_of("XNYS", timeframe, starts_of(start))[0]) == session


@pytest.mark.parametrize(
    ("timeframe", "start", "close"),
    [
        ("1m", "2013-03-08T14:30", "2013-03-08T14:31"),
        ("1m", "2013-03-11T13:30", "2013-03-11T13:31"),  # the clock went forward on Sunday
        ("1h", "2013-07-01T19:30", "2013-07-01T20:00"),  # half an hour, closes with the session
        ("1h", "2012-11-23T17:30", "2012-11-23T18:00"),
        ("30m", "2012-11-23T17:30", "2012-11-23T18:00"),
        ("1h", "2013-07-01T13:00", "2013-07-01T14:00"),
    ],
)
def test_a_bar_closes_with_its_session_at_the_latest(timeframe, start, close):
    assert panel_of(starts_of(start), timeframe).closes[0] == np.datetime64(close)


def test_a_daily_bar_closes_with_its_session():
    days = np.array(["2012-11-21", "2012-11-23", "2012-11-24"], dtype="datetime64[D]")
    values = np.ones((1, 3))
    panel = Panel("XNYS", "1d", days, (Symbol("A"),), {"close": values}, np.ones(values.shape, bool))

    closes = panel.closes

    np.testing.assert_array_equal(closes, starts_of("2012-11-21T21:00", "2012-11-23T18:00", "NaT"))


def test_a_bar_outside_the_regular_hours_is_refused():
    with pytest.raises(ValueError, match="2013-07-01T20:00"):
        panel_of(starts_of("2013-07-01T19:59", "2013-07-01T20:00"))


def test_starts_rise_and_stand_with_short_bars_alone():
    panel = panel_of(starts_of("2013-07-01T14:00", "2013-07-01T14:01"))

    with pytest.raises(ValueError, match="starts"):
        panel_of(starts_of("2013-07-01T14:00", "2013-07-01T14:00"))
    with pytest.raises(ValueError, match="starts"):
        Panel("XNYS", "1m", panel.sessions, panel.symbols, panel.columns, panel.members)
    with pytest.raises(ValueError, match="1 starts of bars, but 2 sessions"):
        Panel(
            "XNYS", "1m", panel.sessions, panel.symbols, panel.columns, panel.members, starts=panel.starts[:1]
        )  # fmt: skip
    with pytest.raises(ValueError, match="no starts"):
        Panel("XNYS", "1d", panel.sessions, panel.symbols, panel.columns, panel.members, starts=panel.starts)


def test_a_part_keeps_its_starts():
    panel = panel_of(minutes("2013-07-01T13:30", 390))

    part = panel.slice(10, 12).select(panel.symbols)

    np.testing.assert_array_equal(part.starts, starts_of("2013-07-01T13:40", "2013-07-01T13:41"))
    assert part.position(date(2013, 7, 1)) == 0
    assert part.begins.tolist() == [-10]


def test_the_number_of_a_bar_is_read_from_the_clock():
    # The second minute has no bar of any symbol; half an hour stamped at the full hour is the first of its session.
    starts = starts_of("2013-07-01T13:30", "2013-07-01T13:32", "2013-07-02T13:31")
    number = when.bar_of_session()

    assert plan([number]).run(panel_of(starts))[0, 0].tolist() == [0, 2, 1]
    outside = Panel(
        "XNYS", "1m", np.array(["2013-07-04"], "datetime64[D]"), ("A",), {"x": np.ones((1, 1))},
        np.ones((1, 1), bool), starts=starts_of("2013-07-04T13:30"),
    )  # fmt: skip
    assert np.isnan(plan([number]).run(outside)).all()
    hours = starts_of("2013-07-01T13:00", "2013-07-01T14:00", "2013-07-01T15:00")
    assert plan([number]).run(panel_of(hours, "1h"))[0, 0].tolist() == [0, 0, 1]


@pytest.mark.parametrize("timeframe", STEPS)
def test_a_full_session_has_as_many_bars_as_said(timeframe):
    step = int(STEPS[timeframe] / np.timedelta64(60, "s"))
    starts = minutes("2013-07-01T13:30", 390)[::step]

    assert panel_of(starts, timeframe).shape[1] == bars_per_session("XNYS", timeframe)
    assert panel_of(starts, timeframe).closes[-1] == np.datetime64("2013-07-01T20:00")


def test_minutes_of_spy_fall_into_full_sessions(shared_data):
    # The file stamps a bar with its end.
    bars = pl.read_parquet(shared_data / "equity_intraday" / "spy_minute_2011-01.parquet")
    starts = bars["timestamp"].dt.replace_time_zone(None).to_numpy() - np.timedelta64(60, "s")
    sessions = sessions_of("XNYS", "1m", starts)

    days, counts = np.unique(sessions[~np.isnat(sessions)], return_counts=True)

    assert len(days) == 20
    assert set(counts.tolist()) == {390}


def test_hours_of_spy_fall_into_sessions_on_half_days_too(shared_data):
    bars = pl.read_parquet(shared_data / "equity_intraday" / "lean_hourly_spy_2007_2021.parquet")
    starts = bars["timestamp"].dt.replace_time_zone(None).to_numpy()
    local = bars["timestamp"].dt.convert_time_zone("America/New_York").dt.date().to_numpy()

    sessions = sessions_of("XNYS", "1h", starts)

    inside = ~np.isnat(sessions)
    np.testing.assert_array_equal(sessions[inside], local[inside])
    half_day = starts[sessions == np.datetime64("2012-11-23")]
    assert [str(start)[11:16] for start in half_day] == ["14:00", "15:00", "16:00", "17:00"]
    # The vendor has hours after the early close of four half days.
    assert np.unique(local[~inside]).astype(str).tolist() == ["2007-07-03", "2007-12-24", "2008-07-03", "2008-12-24"]


def test_a_minute_of_crypto_may_have_any_time():
    panel = panel_of(minutes("2021-03-14T00:00", 1440), venue="24/7")

    assert set(panel.sessions.tolist()) == {date(2021, 3, 14)}
    assert panel.closes[-1] == np.datetime64("2021-03-15")
    assert bars_per_session("24/7", "1m") == 1440
