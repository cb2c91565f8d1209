"""Volatility features against TA-Lib, StockCharts and Tulip, and by hand.

Tulip and StockCharts begin the mean of true ranges with the first bar's own range: one quiet bar before theirs, at its
close, gives ours the same beginning. See test_trend.py for exponential means.
"""

import numpy as np
import pytest

from aitrader.panel.expr import column

CLOSE = column("close")
MIDDLE = CLOSE.mean(20)

TALIB = {
    "true_range": lambda f: f("relative_true_range") * CLOSE.shift(1),
    "bb_middle_20_2": lambda f: f("sma"),
    "bb_upper_20_2": lambda f: MIDDLE + (CLOSE - MIDDLE) / f("bollinger_position"),
    "bb_lower_20_2": lambda f: MIDDLE * (1 - f("bollinger_width") / 2),
}

TULIP = [
    ("atr 5", 3, 11, lambda f: f("atr", bars=5)),
    ("bbands 5 2", 1, 11, lambda f: CLOSE.mean(5) * (1 - f("bollinger_width", bars=5) / 2)),
    ("bbands 5 2", 2, 11, lambda f: f("sma", bars=5)),
    ("bbands 5 2", 3, 11, lambda f: CLOSE.mean(5) * (1 + f("bollinger_width", bars=5) / 2)),
    ("md 5", 1, 11, lambda f: CLOSE.mad(5)),
    ("natr 5", 3, 11, lambda f: f("natr", bars=5)),
    ("stddev 5", 1, 11, lambda f: f("bollinger_width", bars=5) * CLOSE.mean(5) / 4),
    ("stderr 5", 1, 11, lambda f: f("bollinger_width", bars=5) * CLOSE.mean(5) / (4 * 5**0.5)),
    ("tr", 3, 15, lambda f: f("relative_true_range") * CLOSE.shift(1)),
    ("volatility 5", 1, 10, lambda f: (CLOSE / CLOSE.shift(1) - 1).std(5, ddof=0) * 252**0.5),
]

DONCHIAN = {
    "dc_percentage": lambda f: (1 + f("donchian_position")) / 2,
    "dc_band_width": lambda f: 100 * f("donchian_width"),
}
KELTNER = {
    "kc_percentage": lambda f: (1 + f("keltner_position")) / 2,
    "kc_band_width": lambda f: 100 * f("keltner_width"),
}
BOLLINGER = {
    "WidthBand": lambda f: 100 * f("bollinger_width"),
    "PercentageBand": lambda f: (1 + f("bollinger_position")) / 2,
}


@pytest.mark.parametrize("indicator", TALIB)
def test_equals_talib(assert_as_talib, declared, indicator):
    assert_as_talib(indicator, TALIB[indicator](declared))


@pytest.mark.parametrize("case", TULIP, ids=lambda case: f"{case[0]}-{case[1]}")
def test_equals_tulip_after_a_quiet_bar(
    tulip, tulip_bars, after_quiet_bars, assert_as_printed, run_one, declared, case
):
    vector, line, told, formula = case
    quiet = 1 if vector.split()[0] in {"atr", "natr", "tr"} else 0

    values = run_one(formula(declared), after_quiet_bars(tulip_bars, quiet))

    assert_as_printed(values, tulip[vector][line], told=told)


def test_chaikins_volatility_equals_tulip_with_its_beginning(
    tulip, tulip_bars, assert_as_printed, read_slowly, declared
):
    values = read_slowly(declared("chaikin_volatility", bars=5), tulip_bars)

    assert_as_printed(values, tulip["cvi 5"][2], told=6)


@pytest.mark.parametrize("title", BOLLINGER)
def test_bollinger_bands_equal_stockcharts(stockcharts, sheet_bars, assert_as_printed, run_one, declared, title):
    sheet = stockcharts("bbands")

    assert_as_printed(run_one(BOLLINGER[title](declared), sheet_bars(sheet)), sheet[title], told=23)


@pytest.mark.parametrize(("name", "bars", "told"), [("atr", 14, 17), ("atr2", 10, 21)])
def test_the_average_true_range_equals_stockcharts_after_a_quiet_bar(
    stockcharts, sheet_bars, after_quiet_bars, assert_as_printed, run_one, declared, name, bars, told
):
    sheet = stockcharts(name)

    values = run_one(declared("atr", bars=bars), after_quiet_bars(sheet_bars(sheet), 1))

    assert_as_printed(values, sheet["ATR"][-told:], told=told)


@pytest.mark.parametrize("title", DONCHIAN)
@pytest.mark.parametrize(("name", "displaced"), [("dc", 0), ("dc2", 1)])
def test_donchian_channels_equal_stockcharts(
    stockcharts, sheet_bars, assert_as_printed, run_one, declared, name, displaced, title
):
    sheet = stockcharts(name)

    values = run_one(DONCHIAN[title](declared).shift(displaced), sheet_bars(sheet))

    assert_as_printed(values, sheet[title], told=11 - displaced)


@pytest.mark.parametrize("title", KELTNER)
def test_keltner_channels_equal_stockcharts_after_quiet_bars(
    stockcharts, sheet_bars, after_quiet_bars, assert_as_printed, run_one, declared, title
):
    sheet = stockcharts("kc")
    columns = after_quiet_bars(sheet_bars(sheet), 19, without=("high", "low"))

    assert_as_printed(run_one(KELTNER[title](declared), columns), sheet[title], told=21)


def test_the_ulcer_index_equals_stockcharts(
    stockcharts, sheet_bars, after_quiet_bars, assert_as_printed, run_one, declared
):
    sheet = stockcharts("ui")
    columns = after_quiet_bars(sheet_bars(sheet), 13)  # the sheet's highest close is that of the rows so far

    assert_as_printed(run_one(declared("ulcer_index"), columns), sheet["ulcer_index"], told=1)


def test_a_straight_rise_is_not_choppy_and_a_standstill_with_ranges_is(run_one, declared):
    rise = 10.0 + np.arange(30)
    straight = run_one(declared("choppiness"), {"high": rise, "low": rise - 1, "close": rise})[-1]
    sideways = {"high": np.full(30, 11.0), "low": np.full(30, 10.0), "close": np.full(30, 10.5)}

    assert straight == pytest.approx(0, abs=1e-6)
    assert run_one(declared("choppiness"), sideways)[-1] == pytest.approx(100)


def test_a_close_inside_the_range_before_is_no_break(run_one, declared):
    close = np.array([10.0, 11, 12, 11, 14, 9])
    columns = {"high": close + 0.5, "low": close - 0.5, "close": close}

    values = run_one(declared("donchian_break", bars=3), columns)

    np.testing.assert_allclose(values[3:], [0, (14 - 12.5) / 14, (9 - 10.5) / 9], rtol=1e-6)


def test_bands_are_missing_while_the_price_never_moved(run_one, declared):
    still = {name: np.full(60, 5.0) for name in ("high", "low", "close")}

    for name in ("donchian_position", "keltner_position", "squeeze", "choppiness", "relative_volatility_index"):
        assert np.isnan(run_one(declared(name), still)).all(), name
    for name in ("donchian_width", "donchian_break", "keltner_width", "ulcer_index", "ewma_volatility"):
        assert run_one(declared(name), still)[-1] == 0, name
