"""What happened last, against plain loops over arbitrary series."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aitrader.errors import ConfigError
from aitrader.panel.expr import column
from aitrader.panel.parse import parse
from aitrader.panel.plan import lookback, plan
from aitrader.panel.program import Build
from aitrader.panel.scale import level_dependent

X, Y = column("x"), column("y")
values = st.sampled_from([np.nan] * 5 + [np.inf, 0.0, 1.0, 2.0, 3.0, -1.0])


def tables(rows):
    return st.integers(1, 40).flatmap(lambda length: arrays(np.float64, (rows, length), elements=values))


def _known(x):
    return np.where(np.isfinite(x), x, np.nan)


def _newest(x, now, bars, nth):
    """Bar of the nth newest value in the window, or None."""
    places = [bar for bar in range(max(0, now - bars + 1), now + 1) if not np.isnan(x[bar])]
    return places[-nth] if len(places) >= nth else None


def _turns(peaks, troughs, now, bars):
    """(bar, value, side) of every turn in the window, the newest first."""
    found = []
    for bar in range(now, max(-1, now - bars), -1):
        if np.isnan(peaks[bar]) == np.isnan(troughs[bar]):
            continue
        side = -1.0 if np.isnan(peaks[bar]) else 1.0
        event = (bar, troughs[bar] if side < 0 else peaks[bar], side)
        if not found or found[-1][2] != side:
            found.append(event)
        elif side * event[1] > side * found[-1][1]:
            found[-1] = event
    return found


@settings(deadline=None)
@given(x=tables(1), bars=st.integers(1, 50), nth=st.integers(1, 4))
def test_the_newest_values_are_found_with_their_ages(make_panel, x, bars, nth):
    got = plan([X.latest(bars, nth), X.since(bars, nth)]).run(make_panel({"x": x}))[:, 0]

    places = [_newest(_known(x[0]), now, bars, nth) for now in range(x.shape[1])]
    np.testing.assert_array_equal(got[0], [np.nan if place is None else x[0, place] for place in places])
    ages = [np.nan if place is None else now - place for now, place in enumerate(places)]
    np.testing.assert_array_equal(got[1], ages)


@settings(deadline=None)
@given(x=tables(2), bars=st.integers(1, 50), nth=st.integers(1, 4))
def test_turns_alternate_and_are_the_extremes_of_their_side(make_panel, x, bars, nth):
    exprs = [X.turn(Y, bars, nth), X.turn_age(Y, bars, nth), X.turn_side(Y, bars, nth)]

    got = plan(exprs).run(make_panel({"x": x[:1], "y": x[1:]}))[:, 0]

    peaks, troughs = _known(x)
    turns = [_turns(peaks, troughs, now, bars)[nth - 1 : nth] for now in range(x.shape[1])]
    expected = [(turn[0][1], now - turn[0][0], turn[0][2]) if turn else [np.nan] * 3 for now, turn in enumerate(turns)]
    np.testing.assert_array_equal(got.T, np.array(expected, dtype=np.float64))


@settings(deadline=None)
@given(x=tables(2))
def test_a_sum_begins_again_with_its_event(value, x):
    got = value(X.sum_since(Y), x=x[:1], y=x[1:])[0]

    total, expected = 0.0, []
    for amount, event in _known(x).T:
        total = (total if np.isnan(event) or event == 0 else 0.0) + np.nan_to_num(amount)
        expected.append(total + 0 * amount)
    np.testing.assert_array_equal(got, expected)


def test_turns_by_hand(value):
    peaks = [np.nan, 5, np.nan, 7, np.nan, 6, np.nan, np.nan, np.nan]
    troughs = [1, np.nan, np.nan, np.nan, np.nan, np.nan, 3, 2, np.nan]

    # Peaks 5, 7 and 6 are one turn, at 7; troughs 3 and 2 another, at 2.
    np.testing.assert_array_equal(value(X.turn(Y, 9, 2), x=peaks, y=troughs)[0, -3:], [7, 7, 7])
    np.testing.assert_array_equal(value(X.turn(Y, 9), x=peaks, y=troughs)[0, -3:], [3, 2, 2])
    np.testing.assert_array_equal(value(X.turn_side(Y, 9), x=peaks, y=troughs)[0, -4:], [1, -1, -1, -1])
    np.testing.assert_array_equal(value(X.turn_age(Y, 4, 2), x=peaks, y=troughs)[0, -1:], [3])


EVENTS = [X.latest(7, 2), X.since(7), X.turn(Y, 9, 2), X.turn_age(Y, 9), X.turn_side(Y, 9)]


@pytest.mark.parametrize("expr", EVENTS)
def test_the_newest_of_a_window_needs_that_window_alone(make_panel, expr):
    rng = np.random.default_rng(2)
    x = np.where(rng.random((2, 3, 80)) < 0.4, rng.integers(0, 4, (2, 3, 80)).astype(float), np.nan)
    panel, program = make_panel({"x": x[0], "y": x[1]}), plan([expr])
    full, bars = program.run(panel), lookback(expr)

    assert bars in {6, 8}
    for cut in (20, 55, 79):
        day = program.run(panel.slice(cut - bars, cut + 1))
        np.testing.assert_array_equal(day[:, :, -1], full[:, :, cut])


@pytest.mark.parametrize("cut", [1, 7, 60, 99])
def test_a_sum_resumed_anywhere_equals_the_whole_one(make_panel, cut):
    rng = np.random.default_rng(4)
    x = rng.normal(0, 1, (3, 100))
    x[1, :20], x[2, 50:58] = np.nan, np.nan
    panel = make_panel({"x": x, "y": (rng.random((3, 100)) < 0.1).astype(float)})
    program = plan([X.sum_since(Y)])
    before = Build(program, panel.slice(0, cut))
    list(before.blocks())
    start = max(cut - program.warmup, 0)

    resumed = Build(program, panel.slice(start), first=cut - start, resume=before.states)
    rest = np.concatenate([block.values.copy() for block in resumed.blocks()], axis=1)

    np.testing.assert_array_equal(rest, program.run(panel)[:, :, cut:])
    assert lookback(X.sum_since(Y)) is None


def test_events_are_written_and_read_as_methods():
    high, low = column("high"), column("low")
    for expr in (high.latest(20), high.since(20, 3), high.turn(low, 60, 2), high.sum_since(high > low)):
        assert parse(expr.key) == expr
    with pytest.raises(ConfigError, match="nth: 0 is less than 1"):
        parse("high.turn(low, 60, 0)")


def test_events_have_the_level_of_what_happened():
    high, low, volume = column("high"), column("low"), column("volume")

    assert not level_dependent(low / high.latest(20))
    assert not level_dependent(low / high.turn(low, 60))
    assert not level_dependent(high.turn_age(low, 60) * high.turn_side(low, 60) + high.since(20))
    assert not level_dependent(high.sum_since(high > low) / low)
    assert level_dependent(high.turn(low, 60))
    assert level_dependent(high.turn(volume, 60) / low)
    assert level_dependent(high.sum_since(volume))
