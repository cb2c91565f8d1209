"""Longer bars from shorter ones, and who sees which when; sessions that stand alone."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.domain.calendars import calendar, planned
from aitrader.domain.symbols import Symbol
from aitrader.errors import ConfigError
from aitrader.panel import program as running
from aitrader.panel.expr import column
from aitrader.panel.panel import Panel
from aitrader.panel.parse import parse
from aitrader.panel.plan import columns_of, lookback, looks_across, plan
from aitrader.panel.program import Build
from aitrader.panel.resample import longer
from aitrader.panel.scale import level_dependent
from aitrader.panel.timeline import STEPS, bars_per_session, sessions_of
from aitrader.panel.when import daily, month_end, monthly, weekly, within_session

CLOSE, HIGH, VOLUME, VWAP = (column(name) for name in ("close", "high", "volume", "vwap"))
NAMES = ("open", "high", "low", "close", "volume", "vwap")
VIEWS = ("daily", "weekly", "monthly")


def daily_panel(days, columns, venue="XNYS"):
    grids = {name: np.atleast_2d(np.array(values, dtype=float)) for name, values in columns.items()}
    shape = next(iter(grids.values())).shape
    symbols = tuple(Symbol(f"S{row}") for row in range(shape[0]))
    return Panel(venue, "1d", np.array(days, "datetime64[D]"), symbols, grids, np.ones(shape, dtype=bool))


def random_bars(shape, seed=3, missing=0.03):
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(rng.normal(0, 0.01, shape).cumsum(axis=1))
    first, spread = close * np.exp(rng.normal(0, 0.005, shape)), np.exp(np.abs(rng.normal(0, 0.005, shape)))
    high, low = np.maximum(first, close) * spread, np.minimum(first, close) / spread
    volume = rng.lognormal(10, 1, shape).round()
    bars = {"open": first, "high": high, "low": low, "close": close, "volume": volume, "vwap": (high + low) / 2}
    lost = rng.random(shape) < missing
    return {name: np.where(lost, np.nan, values) for name, values in bars.items()}


@pytest.fixture(scope="module")
def days():
    return calendar("XNYS").between(date(2012, 6, 1), date(2014, 3, 14))


@pytest.fixture(scope="module")
def panel(days):
    """A year and three quarters; some sessions are lost, one symbol is listed late."""
    kept = np.flatnonzero(np.random.default_rng(1).random(len(days)) > 0.03)
    bars = random_bars((7, len(kept)))
    for values in bars.values():
        values[2, :77] = np.nan
    return daily_panel([days[place] for place in kept], bars)


@pytest.fixture(scope="module")
def half_hours(days):
    """Ten weeks of half hours with a half day in them, a tenth of the bars on no grid."""
    opens = [np.datetime64(calendar("XNYS").open_of(day).replace(tzinfo=None), "s") for day in days[90:140]]
    starts = (np.array(opens)[:, None] + np.arange(13) * STEPS["30m"]).ravel()
    starts = starts[~np.isnat(sessions_of("XNYS", "30m", starts))]
    starts = starts[np.random.default_rng(2).random(len(starts)) > 0.1]
    bars = random_bars((3, len(starts)))
    symbols = tuple(Symbol(name) for name in "ABC")
    return Panel.intraday("XNYS", "30m", starts, symbols, bars, members=np.ones((3, len(starts)), dtype=bool))


# What a longer bar is, and when it is seen.


def test_a_week_is_seen_on_its_last_session_and_until_the_next_is_over():
    days = calendar("XNYS").between(date(2013, 5, 20), date(2013, 6, 4))  # Monday, May 27 was a holiday
    panel = daily_panel(days, {"close": np.arange(1.0, 12.0)})

    values = plan([weekly(CLOSE)]).run(panel)[0, 0]

    np.testing.assert_array_equal(values, [np.nan] * 4 + [5] * 4 + [9] * 3)


def test_a_week_that_ends_by_surprise_is_seen_when_the_next_one_begins():
    # Of the week of September 10, 2001 only Monday came to pass, and on Monday nobody knew.
    days = calendar("XNYS").between(date(2001, 9, 6), date(2001, 9, 18))
    panel = daily_panel(days, {"close": [1, 2, 3, 4, 5]})

    assert [str(day) for day in days] == ["2001-09-06", "2001-09-07", "2001-09-10", "2001-09-17", "2001-09-18"]
    np.testing.assert_array_equal(plan([weekly(CLOSE)]).run(panel)[0, 0], [np.nan, 2, 2, 3, 3])


def test_a_day_is_seen_by_its_last_minute_on_a_half_day_too():
    starts = np.array(["2012-11-21T20:58", "2012-11-21T20:59", "2012-11-23T17:58", "2012-11-23T17:59"], "datetime64[s]")
    panel = Panel.intraday(
        "XNYS", "1m", starts, (Symbol("A"),), {"close": np.array([[1.0, 2, 3, 4]])}, members=np.ones((1, 4), bool)
    )

    np.testing.assert_array_equal(plan([daily(CLOSE)]).run(panel)[0, 0], [np.nan, 2, 2, 4])


def test_a_day_whose_last_minute_is_lost_is_seen_the_next_morning():
    starts = np.array(["2013-07-01T19:58", "2013-07-02T13:30", "2013-07-02T13:31"], "datetime64[s]")
    panel = Panel.intraday(
        "XNYS", "1m", starts, (Symbol("A"),), {"close": np.array([[1.0, 2, 3]])}, members=np.ones((1, 3), bool)
    )

    np.testing.assert_array_equal(plan([daily(CLOSE)]).run(panel)[0, 0], [np.nan, 1, 1])


def test_columns_are_put_together_and_missing_bars_are_skipped():
    days = calendar("XNYS").between(date(2013, 7, 8), date(2013, 7, 19))
    hole = np.nan
    columns = {
        "open": [hole, 2, 3, 4, 5, 6, 7, 8, 9, hole],
        "high": [hole, 5, 9, hole, 6, 1, 2, 1, 1, hole],
        "low": [hole, 5, 3, hole, 6, 4, 2, 7, 3, hole],
        "close": [hole, 1, 2, 3, hole, 5, 6, 7, 8, hole],
        "volume": [hole, 10, 30, 0, hole, 1, 1, hole, 2, hole],
        "vwap": [hole, 1, 2, 7, 9, 4, hole, 5, 1, hole],
        "mood": [hole, 1, np.inf, hole, hole, 3, 4, hole, hole, hole],
    }

    weeks = longer(daily_panel(days, columns), "weekly", columns)

    assert {name: weeks.panel[name].tolist() for name in columns} == {
        "open": [[2, 6]],
        "high": [[9, 2]],
        "low": [[3, 2]],
        "close": [[3, 8]],
        "volume": [[40, 4]],
        "vwap": [[(10 + 60) / 40, (4 + 2) / 3]],
        "mood": [[1, 4]],
    }
    assert weeks.panel.sessions.astype(str).tolist() == ["2013-07-12", "2013-07-19"]
    assert weeks.panel.timeframe == "1w"


def test_members_and_groups_of_a_longer_bar_are_those_of_its_last_session():
    days = calendar("XNYS").between(date(2013, 7, 8), date(2013, 7, 12))
    values = np.ones((2, 5))
    members = np.array([[True, True, True, True, False], [False, False, False, False, True]])
    groups = {"sector": np.array([[1, 1, 1, 1, 2], [3, 3, 3, 3, 4]])}
    labels = np.array(days, "datetime64[D]")
    panel = Panel("XNYS", "1d", labels, ("A", "B"), {"close": values}, members, groups=groups)

    week = longer(panel, "weekly", ["close"]).panel

    assert week.members.tolist() == [[False], [True]]
    assert week.groups["sector"].tolist() == [[2], [4]]


def _label(view, session):
    return {"daily": session, "weekly": session.isocalendar()[:2], "monthly": (session.year, session.month)}[view]


def _put_together(name, rows):
    values = [row[name] for row in rows if np.isfinite(row[name])]
    if name == "vwap":
        traded = [(row["vwap"], row["volume"]) for row in rows if np.isfinite(row["vwap"] + row["volume"])]
        total = sum(volume for _, volume in traded)
        return sum(price * volume for price, volume in traded) / total if total else np.nan
    how = {"open": lambda v: v[0], "high": max, "low": min, "volume": sum}.get(name, lambda v: v[-1])
    return how(values) if values else np.nan


def _plain(panel, view, name):
    """Return what each bar of one symbol sees, by a loop over longer bars and Python's dates."""
    venue = planned(panel.calendar)
    known = set(venue.sessions)
    runs = {}
    for bar, session in enumerate(panel.sessions.tolist()):
        if session in known:
            runs.setdefault(_label(view, session), []).append(bar)
    ends = {_label(view, session): close for session, close in zip(venue.sessions, venue.closes, strict=True)}
    seen = np.full(panel.shape[1], np.nan)
    for label, bars in runs.items():
        rows = [{each: panel[each][0, bar] for each in panel.columns} for bar in bars]
        closed = np.datetime64(ends[label].replace(tzinfo=None))
        later = np.flatnonzero(panel.closes >= closed)
        if len(later):
            seen[later[0] :] = _put_together(name, rows)
    return seen


@st.composite
def histories(draw):
    """One symbol's bars on some days of a year, holidays and weekends among them."""
    venue = draw(st.sampled_from(["XNYS", "24/7"]))
    first = draw(st.dates(date(2001, 8, 20), date(2012, 12, 31)))
    steps = draw(st.lists(st.integers(1, 4), min_size=1, max_size=45))
    days = np.datetime64(first) + np.cumsum(steps)
    value = st.one_of(st.just(np.nan), st.just(np.inf), st.integers(-5, 5).map(float))
    columns = {name: draw(st.lists(value, min_size=len(days), max_size=len(days))) for name in NAMES}
    return daily_panel(days, columns, venue)


@given(histories(), st.sampled_from(VIEWS), st.sampled_from(NAMES))
def test_a_view_is_the_plain_loop_over_longer_bars(panel, view, name):
    expr = {"daily": daily, "weekly": weekly, "monthly": monthly}[view](column(name))

    values = plan([expr]).run(panel)[0, 0]

    np.testing.assert_allclose(values, _plain(panel, view, name).astype(np.float32), rtol=1e-6)


@pytest.mark.parametrize("view", VIEWS)
def test_half_hours_too(half_hours, view):
    expr = {"daily": daily, "weekly": weekly, "monthly": monthly}[view](VWAP)

    values = plan([expr]).run(half_hours)[0, 0]

    np.testing.assert_allclose(values, _plain(half_hours, view, "vwap"), rtol=1e-6)


# Against Polars, on real bars.


def _grid(bars, times, names=NAMES[:5]):
    """Lay one symbol's rows out; what is not there is missing."""
    return {name: bars[name].cast(pl.Float64).fill_null(np.nan).to_numpy()[None] for name in names}, times


@pytest.mark.parametrize(("view", "every"), [("weekly", "1w"), ("monthly", "1mo")])
def test_weeks_and_months_of_stocks_agree_with_polars(shared_data, view, every):
    bars = pl.read_parquet(shared_data / "equity_daily" / "sp500_daily_2013_2018.parquet")
    for symbol in ("AAPL", "GOOG", "ES", "WRK"):
        own = bars.filter(pl.col("symbol") == symbol).sort("date")
        columns, days = _grid(own, own["date"].to_numpy())
        expected = own.group_by_dynamic("date", every=every).agg(
            pl.col("open").drop_nulls().first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").drop_nulls().last(),
            pl.col("volume").sum(),
        )

        found = longer(daily_panel(days, columns), view, NAMES[:5]).panel

        count = found.shape[1]
        assert count in {len(expected), len(expected) - 1}  # the file ends in the middle of a week and a month
        for name in NAMES[:5]:
            np.testing.assert_array_equal(found[name][0], expected[name].cast(pl.Float64).to_numpy()[:count])


@pytest.mark.parametrize(
    ("file", "symbol", "timeframe", "venue", "late"),
    [
        ("equity_intraday/spy_minute_2011-01.parquet", "SPY", "1m", "XNYS", 60),
        ("equity_intraday/minute_trades_quotes.parquet", "AIG", "1m", "XNYS", 0),
        ("equity_intraday/lean_hourly_raw_2007_2021.parquet", "AIG", "1h", "XNYS", 0),
        ("crypto/btc_perp_1m_2022-01.parquet", "BTC-PERP", "1m", "24/7", 60),
        ("crypto/coinbase_minute_trades_quotes.parquet", "BTC/USD", "1m", "24/7", 0),
    ],
)
def test_days_of_minutes_and_hours_agree_with_polars(shared_data, file, symbol, timeframe, venue, late):
    # ``late``: seconds by which the file stamps a bar behind its beginning.
    bars = pl.read_parquet(shared_data / file).filter(pl.col("symbol") == symbol).sort("timestamp")
    bars = bars.with_columns((pl.col("timestamp") - pl.duration(seconds=late)).alias("start"))
    starts = bars["start"].dt.replace_time_zone(None).to_numpy()
    inside = ~np.isnat(sessions_of(venue, timeframe, starts))
    bars, starts = bars.filter(pl.Series(inside)), starts[inside]
    columns, _ = _grid(bars, starts)
    local = bars.with_columns(pl.col("start").dt.convert_time_zone(calendar(venue).time_zone))
    expected = local.group_by_dynamic("start", every="1d").agg(
        pl.col("open").drop_nulls().first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").drop_nulls().last(),
        pl.col("volume").sum(),
    )

    members = np.ones(columns["close"].shape, bool)
    panel = Panel.intraday(venue, timeframe, starts, (Symbol("A"),), columns, members=members)
    found = longer(panel, "daily", NAMES[:5]).panel

    count = found.shape[1]
    assert count >= len(expected) - 1 > 0
    np.testing.assert_array_equal(found.sessions, expected["start"].dt.date().to_numpy()[:count])
    for name in NAMES[:5]:
        exact = expected[name].cast(pl.Float64).to_numpy()[:count]
        np.testing.assert_allclose(found[name][0], exact, rtol=1e-12 if name == "volume" else 0)


# Any expression may be looked at.

INNER = [
    CLOSE.mean(3),
    CLOSE.std(4, 2),
    (VWAP / CLOSE.shift(1)).quantile(5, 0.3) * 1,
    CLOSE.ema(4).shift(1),
    VOLUME.rank_across() + CLOSE.wilder(3).rank_across(),
    CLOSE.corr(HIGH.mean_across(), 6),
    CLOSE * month_end(),
    CLOSE * 0 + 3,
]


@pytest.mark.parametrize("inner", INNER, ids=lambda inner: inner.key)
def test_a_view_of_an_expression_is_that_of_the_longer_bars(panel, inner):
    weeks = longer(panel, "weekly", NAMES)
    known = plan([inner]).run(weeks.panel, min_names=3)[0]

    found = plan([weekly(inner)]).run(panel, min_names=3)[0]

    expected = np.concatenate([np.full((7, 1), np.nan), known], axis=1)[:, weeks.seen]
    np.testing.assert_array_equal(found, expected)
    assert np.isfinite(found).mean() > 0.5


def test_views_keep_all_digits():
    days = calendar("XNYS").between(date(2013, 7, 8), date(2013, 7, 12))
    panel = daily_panel(days, {"close": np.array([1, 1, 1, 1, 1 / 3])})

    np.testing.assert_array_equal(plan([weekly(CLOSE) - CLOSE]).run(panel)[0, 0], [np.nan] * 4 + [0])


EXPRS = [
    weekly(CLOSE),
    CLOSE / weekly(HIGH.max(4)) - 1,
    monthly(VOLUME.shift(1)) + weekly(VWAP),
    weekly(CLOSE.ema(5)),
    weekly(CLOSE.ema(3)).mean(7) / CLOSE.ema(3),
    (weekly(CLOSE.wilder(3).std(3)) + CLOSE.ema(9)).ema(5),
    weekly((CLOSE / CLOSE.shift(1)).rank_across().ema(2)).zscore_across(),
    monthly(CLOSE.cumsum()).shift(3),
    daily(CLOSE.ema(6)),
    within_session(CLOSE.cumsum()) + weekly(CLOSE),
]
KEYS = [expr.key for expr in EXPRS]


def _built_alone(panel, expr, session_bars=1):
    program = plan([expr], session_bars)
    full = program.run(panel, min_names=2)[0]
    back = lookback(expr, session_bars)
    for cut in np.random.default_rng(7).integers(0, panel.shape[1], 25):
        start = 0 if back is None else max(cut - back, 0)
        part = program.run(panel.slice(start, cut + 1), min_names=2)[0]
        np.testing.assert_array_equal(part[:, -1], full[:, cut])
    assert np.isfinite(full).mean() > 0.2


@pytest.mark.parametrize("expr", EXPRS, ids=KEYS)
def test_a_day_built_alone_equals_the_full_build(panel, expr):
    _built_alone(panel, expr)


@pytest.mark.parametrize("expr", [daily(CLOSE.mean(3)), within_session(CLOSE.ema(3)), weekly(CLOSE) / CLOSE])
def test_a_bar_built_alone_equals_the_full_build(half_hours, expr):
    assert lookback(expr, 13) is not None
    _built_alone(half_hours, expr, session_bars=13)


def _resumed(panel, expr, cut, session_bars=1):
    program = plan([expr], session_bars)
    full = Build(program, panel, min_names=2)
    values = np.concatenate([block.values.copy() for block in full.blocks()], axis=1)
    before = Build(program, panel.slice(0, cut), min_names=2)
    list(before.blocks())
    if not program.resumable(before.states):
        return False
    start = max(cut - program.warmup, 0)

    rest = Build(program, panel.slice(start), min_names=2, first=cut - start, resume=before.states)
    found = np.concatenate([block.values.copy() for block in rest.blocks()], axis=1)

    np.testing.assert_array_equal(found, values[:, :, cut:])
    assert rest.states.keys() == full.states.keys()
    for name, state in full.states.items():
        np.testing.assert_array_equal(rest.states[name].values, state.values)
        assert rest.states[name].lag == state.lag
    return True


@pytest.mark.parametrize("cut", [130, 131, 132, 133, 134, 135, 290, 400])
@pytest.mark.parametrize("expr", EXPRS, ids=KEYS)
def test_a_build_resumed_anywhere_equals_the_full_one(panel, expr, cut):
    assert _resumed(panel, expr, cut)


@pytest.mark.parametrize("cut", [*range(240, 254), 333])
@pytest.mark.parametrize("expr", [daily(CLOSE.ema(4)).mean(3), within_session(CLOSE.ema(3)) + CLOSE.ema(2)])
def test_a_build_resumed_in_a_session_equals_the_full_one(half_hours, expr, cut):
    assert _resumed(half_hours, expr, cut, session_bars=bars_per_session("XNYS", "30m"))


def test_a_view_whose_state_does_not_reach_back_is_built_anew(panel):
    assert not _resumed(panel, weekly(CLOSE.ema(3)).mean(60), 130)


def test_blocks_and_threads_change_no_bit(panel, half_hours, monkeypatch):
    for bars in (panel, half_hours):
        expected = plan(EXPRS).run(bars, min_names=2)
        monkeypatch.setattr(running, "BLOCK_BARS", 90)
        with ThreadPoolExecutor(3) as executor:
            found = plan(EXPRS).run(bars, min_names=2, executor=executor)
        monkeypatch.undo()

        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("expr", EXPRS, ids=KEYS)
def test_the_company_of_other_views_changes_no_bit(panel, expr):
    place = EXPRS.index(expr)

    np.testing.assert_array_equal(plan([expr]).run(panel)[0], plan(EXPRS).run(panel)[place])


def test_a_history_that_is_too_short_for_a_longer_bar_shows_none(days):
    panel = daily_panel(days[:2], {"close": [[1, 2], [3, np.nan]]})

    assert np.isnan(plan([monthly(CLOSE.ema(1))]).run(panel)).all()
    empty = daily_panel(days[:0], {"close": np.empty((2, 0))})
    assert plan([monthly(CLOSE), within_session(CLOSE)]).run(empty).shape == (2, 2, 0)


# Sessions that stand alone.


@pytest.mark.parametrize(
    "inner", [CLOSE.mean(3), CLOSE.ema(2), CLOSE.shift(1), VOLUME.cumsum(), (VWAP * VOLUME).sum(20, 1)]
)
def test_a_session_for_itself_sees_nothing_before_its_open(half_hours, inner):
    found = plan([within_session(inner)]).run(half_hours)[0]

    firsts = np.flatnonzero(np.diff(half_hours.sessions.astype(int), prepend=0))
    for first, end in zip(firsts, [*firsts[1:], half_hours.shape[1]], strict=True):
        alone = plan([inner]).run(half_hours.slice(first, end))[0]
        np.testing.assert_array_equal(found[:, first:end], alone)


# What may be said.


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("weekly(monthly(close))", "monthly"),
        ("weekly(close * age())", "age"),
        ("within_session(close.rank_across())", "rank_across"),
        ("within_session(month_end() * close)", "month_end|sessions_to_month_end"),
        ("daily(within_session(close))", "within_session"),
    ],
)
def test_what_a_view_cannot_look_at_is_refused(text, what):
    with pytest.raises(ConfigError, match=what):
        parse(text, features={})


@pytest.mark.parametrize("expr", EXPRS, ids=KEYS)
def test_a_view_reads_back(expr):
    assert parse(expr.key, features={}) == expr


def test_what_a_view_needs_follows_from_its_argument():
    assert [lookback(expr) for expr in (weekly(CLOSE), weekly(CLOSE.mean(4)), monthly(CLOSE))] == [12, 33, 60]
    assert lookback(daily(CLOSE.shift(5)), 390) == 7 * 390 - 2
    assert lookback(weekly(CLOSE.ema(3))) is None
    assert lookback(within_session(CLOSE.ema(3)), 390) == 389
    assert columns_of(weekly(VWAP)) == {"vwap", "volume"}
    assert looks_across(weekly(CLOSE.rank_across()))


def test_the_level_of_prices_is_seen_through_a_view():
    assert level_dependent(weekly(CLOSE))
    assert not level_dependent(CLOSE / weekly(CLOSE.mean(10)))
    assert not level_dependent(weekly(VWAP * VOLUME) / monthly(CLOSE * VOLUME))
