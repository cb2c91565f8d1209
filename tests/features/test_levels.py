"""Levels by hand: pivots of one bar, gaps drawn bar by bar, places in a range."""

import numpy as np
import pytest

BAR_BEFORE = {"open": 102.0, "high": 110.0, "low": 100.0, "close": 106.0}
CLOSE = 108.0
PIVOTS = {
    ("pivot_floor", None): 316 / 3,
    ("pivot_floor_resistance", 1): 632 / 3 - 100,
    ("pivot_floor_resistance", 2): 316 / 3 + 10,
    ("pivot_floor_resistance", 3): 110 + 2 * (316 / 3 - 100),
    ("pivot_floor_support", 1): 632 / 3 - 110,
    ("pivot_floor_support", 2): 316 / 3 - 10,
    ("pivot_floor_support", 3): 100 - 2 * (110 - 316 / 3),
    ("pivot_fibonacci_resistance", 2): 316 / 3 + 6.18,
    ("pivot_fibonacci_support", 3): 316 / 3 - 10,
    ("pivot_camarilla_resistance", 1): 106 + 11 / 12,
    ("pivot_camarilla_resistance", 4): 111.5,
    ("pivot_camarilla_support", 2): 106 - 11 / 6,
    ("pivot_camarilla_support", 3): 103.25,
    ("pivot_woodie", None): 105.5,
    ("pivot_woodie_resistance", 1): 111,
    ("pivot_woodie_support", 2): 95.5,
    ("pivot_demark", None): 426 / 4,
    ("pivot_demark_resistance", None): 113,
    ("pivot_demark_support", None): 103,
}


@pytest.mark.parametrize(("name", "level"), PIVOTS)
def test_a_pivot_is_what_the_bar_before_makes_it(declared, run_one, name, level):
    columns = {column: [value, CLOSE] for column, value in BAR_BEFORE.items()}

    got = run_one(declared(name, **({"level": level} if level else {})), columns)

    assert np.isnan(got[0])
    assert got[1] == pytest.approx((CLOSE - PIVOTS[name, level]) / CLOSE, abs=1e-7)


@pytest.mark.parametrize(("last", "sum_of_four"), [(101.0, 411.0), (102.0, 414.0), (103.0, 423.0)])
def test_demarks_pivot_leans_to_the_side_of_the_close(declared, run_one, last, sum_of_four):
    columns = {"open": [102, 100], "high": [110, 100], "low": [100, 100], "close": [last, 100]}

    got = run_one(declared("pivot_demark"), columns)

    assert got[1] == pytest.approx(1 - sum_of_four / 400, abs=1e-7)


def test_pivots_of_several_bars_take_their_extremes_and_the_last_close(declared, run_one):
    columns = {"high": [12, 15, 13, 9], "low": [9, 10, 8, 9], "close": [10, 11, 12, 9]}

    got = run_one(declared("pivot_floor", bars=3), columns)

    assert np.isnan(got[:3]).all()
    assert got[3] == pytest.approx((9 - (15 + 8 + 12) / 3) / 9)


@pytest.mark.parametrize("name", ["pivot_floor_support", "pivot_camarilla_resistance", "pivot_woodie_support"])
def test_a_level_that_does_not_exist_is_named(declared, name):
    with pytest.raises(ValueError, match=f"{name}: level = 5 is not 1 to"):
        declared(name, level=5)


def _gaps(*bars):
    return dict(zip(("open", "high", "low", "close"), np.array([(10, 11, 9, 10), *bars], dtype=float).T, strict=True))


@pytest.mark.parametrize(
    ("bar", "filled", "window"),
    [
        ((12, 13, 11.5, 12), 0.25, 0.05),
        ((12, 13, 9.5, 12), 1, 0),
        ((8, 8.5, 7, 8), 0.25, -0.05),
        ((9.5, 10.5, 9, 10), 1, 0),
        ((10, 10.5, 9.5, 10), 1, 0),
    ],
)
def test_a_gap_is_filled_as_far_as_the_bar_comes_back(declared, run_one, bar, filled, window):
    columns = _gaps(bar)

    assert run_one(declared("gap_fill"), columns)[1] == pytest.approx(filled)
    assert run_one(declared("gap_window"), columns)[1] == pytest.approx(window, abs=1e-7)


def test_places_in_a_range(declared, run_one):
    columns = {"high": [10, 14, 12, 11], "low": [8, 10, 6, 9], "close": [9, 12, 8, 10], "open": [9, 12, 8, 7.5]}

    assert run_one(declared("range_position", bars=4), columns)[3] == pytest.approx(0.5)
    assert run_one(declared("fibonacci_distance", bars=4), columns)[3] == 0
    assert run_one(declared("high_age", bars=4), columns)[3] == 0.5
    assert run_one(declared("low_age", bars=4), columns)[3] == 0.25
    assert run_one(declared("range_contraction", short=2, long=4), columns)[3] == pytest.approx(6 / 8)
    assert run_one(declared("open_position"), columns)[3] == pytest.approx(0.25)


ZIGZAG = np.array([10, 11, 12, 11, 10, 9, 10, 11, 13, 12, 11, 10.5, 11, 12, 12.5])
"""Swing highs 12 (bar 2) and 13 (bar 8), swing lows 9 (bar 5) and 10.5 (bar 11), confirmed two bars later."""


def _zigzag(stop):
    return {"high": ZIGZAG[:stop] + 0.2, "low": ZIGZAG[:stop] - 0.2, "close": ZIGZAG[:stop]}


def test_a_swing_point_counts_from_the_bar_that_confirms_it(declared, run_one):
    high = run_one(declared("swing_high_distance", wing=2, bars=10), _zigzag(15))
    age = run_one(declared("swing_low_age", wing=2, bars=10), _zigzag(15))

    assert np.isnan(high[:4]).all()
    np.testing.assert_allclose(high[4:10], ZIGZAG[4:10] / 12.2 - 1, atol=1e-7)
    np.testing.assert_allclose(high[10:], ZIGZAG[10:] / 13.2 - 1, atol=1e-7)
    np.testing.assert_array_equal(age[7:], [2, 3, 4, 5, 6, 7, 2, 3])


def test_a_swing_point_falls_out_of_the_window(declared, run_one):
    age = run_one(declared("swing_high_age", wing=2, bars=4), _zigzag(15))

    np.testing.assert_array_equal(age[4:], [2, 3, 4, 5, np.nan, np.nan, 2, 3, 4, 5, np.nan])


def test_lines_through_swing_points_reach_the_current_bar(declared, run_one):
    resistance = run_one(declared("trendline_resistance", wing=2, bars=15), _zigzag(15))[-1]
    support = run_one(declared("trendline_support", wing=2, bars=15), _zigzag(15))[-1]

    assert resistance == pytest.approx(1 - (13.2 + 6 * (1 / 6)) / 12.5)
    assert support == pytest.approx(1 - (10.3 + 3 * (1.5 / 6)) / 12.5)


def test_the_close_lies_between_swing_points(declared, run_one):
    assert run_one(declared("swing_position", wing=2, bars=15), _zigzag(15))[-1] == pytest.approx(2.2 / 2.9)


def test_old_swing_points_nearby_are_counted(declared, run_one):
    level = np.tile(ZIGZAG[:12], 4)
    columns = {"high": level + 0.2, "low": level - 0.2, "close": level}
    ranges = 20 * [0.0]
    for step, bar in enumerate(range(28, 48)):
        ranges[step] = max(level[bar] + 0.2, level[bar - 1]) - min(level[bar] - 0.2, level[bar - 1])
    unit = 2 * np.mean(ranges)

    above = run_one(declared("resistance_count", wing=2, bars=40), columns)[-1]
    below = run_one(declared("support_count", wing=2, bars=40), columns)[-1]

    # The close is 10.5. Within two true ranges: the highs at 12.2 and 13.2 above, the lows at 8.8 and 9.8 below.
    tops, bottoms = [13.2, 12.2, 13.2, 12.2, 13.2], [8.8, 9.8, 8.8, 9.8, 8.8]
    assert above == sum(10.5 <= point <= 10.5 + unit for point in tops)
    assert below == sum(10.5 - unit <= point <= 10.5 for point in bottoms)
    assert above > 0
    assert below > 0


@pytest.mark.parametrize(("last", "distance"), [(11.8, 0.8), (10.5, -0.5)])
def test_a_window_stays_open_until_the_price_comes_back_to_it(declared, run_one, last, distance):
    columns = _gaps((12, 13, 11.5, 12), (12, 12.5, min(11.6, last), last), (last, 12.2, min(11.6, last), last))

    got = run_one(declared("gap_level_distance", bars=4), columns)

    assert got[3] == pytest.approx(distance / last)


def test_a_place_between_swing_points_is_bounded(declared, run_one):
    columns = _zigzag(15)
    columns["close"] = np.append(columns["close"][:-1], 25.0)

    assert run_one(declared("swing_position", wing=2, bars=15), columns)[-1] == 2
