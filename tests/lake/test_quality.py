"""What is admitted, what is quarantined and why, and what is worth a warning."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitrader.domain.calendars import calendar
from aitrader.domain.frames import BARS, INSTANT
from aitrader.lake.quality import admit, inspect

XNYS = calendar("XNYS")
LATER = datetime(2020, 1, 1, tzinfo=UTC)


def admitted(rows, now=LATER):
    return admit(rows, XNYS, now)


def test_good_bars_pass_unchanged(make_bars):
    bars = make_bars()

    result = admitted(bars)

    assert result.accepted.equals(bars)
    assert result.quarantined.is_empty()
    assert (result.counts, result.duplicates, result.notes) == ({}, 0, ())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"high": 8.0}, "high is below low; open is outside [low, high]; close is outside [low, high]"),
        ({"open": 12.0000001}, "open is outside [low, high]"),
        ({"close": 8.9999999}, "close is outside [low, high]"),
        ({"low": 0.0}, "price is not positive"),
        ({"open": -1.0, "low": -1.0}, "price is not positive"),
        ({"close": float("nan")}, "price is missing or not finite"),
        ({"high": float("inf")}, "price is missing or not finite"),
        ({"open": None}, "price is missing or not finite"),
        ({"volume": -1.0}, "volume is negative"),
        ({"volume": None}, "volume is missing or not finite"),
        ({"symbol": None}, "symbol is missing"),
        ({"symbol": "../../x"}, "not a symbol"),
        ({"symbol": "a/b"}, "not a symbol"),
        ({"symbol": ""}, "not a symbol"),
        ({"symbol": "A\x00"}, "not a symbol"),
        ({"session": None}, "session is missing"),
        ({"session": date(2013, 1, 5)}, "not a session of XNYS"),
        ({"session": date(2012, 12, 25)}, "not a session of XNYS"),
        ({"known_at": None}, "known_at is missing"),
        ({"known_at": datetime(2012, 12, 27, 20, 59, tzinfo=UTC)}, "known before its session closed"),
    ],
)
def test_a_bar_that_cannot_be_right_is_quarantined_with_its_reason(make_bars, change, reason):
    rows = pl.concat([make_bars(("AAPL",)), make_bars(("ON",), count=1, **change)])

    result = admitted(rows)

    assert result.accepted.equals(make_bars(("AAPL",)))
    assert result.quarantined["reason"].to_list() == [reason]
    assert result.counts == dict.fromkeys(reason.split("; "), 1)


def test_the_forming_bar_and_the_future_are_not_over_yet(make_bars):
    bars = make_bars(("ON",))
    now = datetime(2012, 12, 31, 21, 14, tzinfo=UTC)  # a minute before the bar of the 31st is known

    result = admitted(bars, now)

    assert result.accepted["session"].max() == date(2012, 12, 28)
    assert result.counts == {"session was not over yet": 4}
    assert admitted(bars, now + timedelta(minutes=1)).accepted["session"].max() == date(2012, 12, 31)


def test_a_half_day_is_over_at_its_early_close(make_bars):
    bars = make_bars(("ON",), first=date(2012, 12, 24), count=1)

    assert bars["known_at"].to_list() == [datetime(2012, 12, 24, 18, 15, tzinfo=UTC)]
    assert admitted(bars, datetime(2012, 12, 24, 18, 15, tzinfo=UTC)).accepted.height == 1


@pytest.mark.parametrize("day", [date(2026, 3, 9), date(2026, 11, 2)])
def test_the_days_after_a_clock_change_are_sessions(make_bars, day):
    bars = make_bars(("ON",), first=day, count=1)

    assert admitted(bars, datetime(2027, 1, 1, tzinfo=UTC)).accepted["session"].to_list() == [day]


def test_repeated_rows_are_dropped_and_counted(make_bars):
    bars = make_bars()

    result = admitted(pl.concat([bars, bars.reverse(), bars[:1]]))

    assert result.accepted.sort("symbol", "session").equals(bars)
    assert result.duplicates == 13
    assert result.quarantined.is_empty()


def test_rows_that_contradict_each_other_are_all_quarantined(make_bars):
    bars = make_bars(("ON",))
    other = bars[:1].with_columns(pl.lit(11.5).alias("close"))

    result = admitted(pl.concat([bars, other, other]))

    assert result.accepted.equals(bars[1:])
    assert result.quarantined["close"].sort().to_list() == [11.0, 11.5]
    assert result.counts == {"contradicts another row of its day": 2}


def test_a_revision_with_its_own_publication_is_no_contradiction(make_bars):
    bars = make_bars(("ON",), count=1)
    revised = bars.with_columns(pl.lit(11.5).alias("close"), pl.col("known_at") + timedelta(days=1))

    assert admitted(pl.concat([revised, bars])).accepted.height == 2


@pytest.mark.parametrize("name", ["vwap", "adj_close"])
def test_an_optional_price_of_zero_is_missing(make_bars, name):
    result = admitted(make_bars(("ON",), **{name: 0.0}))

    assert result.accepted[name].null_count() == 6
    assert f"6 values of {name}" in result.notes[0]


NUMBERS = st.one_of(st.floats(min_value=1, max_value=3), st.sampled_from([None, float("nan"), float("inf"), 0.0, -1.0]))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "symbol": st.sampled_from(["ON", "AAPL", "bad symbol", None]),
            "session": st.dates(date(2012, 12, 26), date(2013, 1, 6)),
            **dict.fromkeys(("open", "high", "low", "close", "volume"), NUMBERS),
        }
    ),
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_every_row_is_accepted_quarantined_or_a_repetition_and_what_is_accepted_is_sound(rows):
    frame = pl.DataFrame(
        rows,
        schema=dict.fromkeys(("symbol",), pl.String())
        | {"session": pl.Date()}
        | dict.fromkeys(("open", "high", "low", "close", "volume"), pl.Float64()),
    )
    known = pl.Series(XNYS.closes, dtype=INSTANT)
    frame = frame.with_columns(
        *(pl.lit(None, pl.Float64()).alias(name) for name in ("vwap", "adj_close")),
        pl.lit("x").alias("source"),
        pl.col("session").replace_strict(pl.Series(XNYS.sessions), known, default=known[0]).alias("known_at"),
    )

    result = admitted(frame.select(BARS.names()))

    good = result.accepted
    assert good.height + result.quarantined.height + result.duplicates == frame.height
    assert not good.select("symbol", "session").is_duplicated().any()
    sound = (pl.col("low") > 0) & (pl.col("low") <= pl.col("open")) & (pl.col("open") <= pl.col("high"))
    assert good.filter(~(sound & pl.col("close").is_between("low", "high") & (pl.col("volume") >= 0))).is_empty()
    assert (result.quarantined["reason"] != "").all()


def test_the_second_sample_set_has_its_known_faults(sp500_sample):
    result = admitted(sp500_sample)
    report = inspect(result.accepted, XNYS, 0.20, quarantined=result.quarantined)

    assert sp500_sample.height == result.accepted.height + 78
    assert result.counts == {"open is outside [low, high]": 78}
    assert report.symbols == 524
    assert (report.missing.expected, len(report.missing.sessions)) == (252, 7)
    assert report.missing.symbol_days.height == 290
    assert report.gaps["symbol"].to_list() == (
        [
            "AMD",
            "ARG",
            "BDK",
            "BNI",
            "CAH",
            "CCE",
            "CVS",
            "DHR",
            "EK",
            "ESRX",
            "ETFC",
            "GIS",
            "MFE",
            "NOVL",
            "STR",
            "WY",
        ]
    )


def test_a_gap_is_measured_from_the_last_close_before_it(make_bars):
    bars = make_bars(("ON",), count=3)
    jump = make_bars(("ON",), first=date(2013, 1, 2), count=1, open=16.25, high=20.0)  # 25 % above the close of 13

    report = inspect(pl.concat([bars, jump]), XNYS, 0.20)

    assert report.gaps.select("session", "last_close", "last_session", "gap").rows() == [
        (date(2013, 1, 2), 13.0, date(2012, 12, 31), 0.25)
    ]
    assert inspect(pl.concat([bars, jump]), XNYS, 0.25).gaps.is_empty()
