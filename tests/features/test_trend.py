"""Trend features against TA-Lib, StockCharts and Tulip.

TA-Lib's beginnings are ours: an exponential mean begins with the mean of its first values. Tulip and StockCharts'
sheets begin theirs with the first value alone, Wilder's sums one bar earlier, his mean with the first bar's range. Such
vectors are met by reading the same formula with that beginning (``read_slowly``), or by quiet bars before the sheet.
"""

import numpy as np
import pytest

from aitrader.features.bars import true_range
from aitrader.panel.expr import column

CLOSE = column("close")
TRUE_RANGE = true_range(column("high"), column("low"), CLOSE)
LINE = CLOSE - CLOSE.residual(5)

TALIB = {
    "dema_20": lambda f: f("dema"),
    "tema_20": lambda f: f("tema"),
    "trix_15": lambda f: f("trix"),
    "kama_30": lambda f: f("kama", bars=30),
    "sar_002_02": lambda f: f("sar"),
    "macd_signal": lambda f: (f("macd") - f("macd_histogram")) * CLOSE,
}

TULIP = [
    ("aroon 5", 2, 10, lambda f: f("aroon_down", bars=5)),
    ("aroon 5", 3, 10, lambda f: f("aroon_up", bars=5)),
    ("kama 5", 1, 10, lambda f: f("kama", bars=5)),
    ("vidya 2 5 .2", 1, 11, lambda f: CLOSE.adaptive_mean(0.2 * CLOSE.std(2, ddof=0) / CLOSE.std(5, ddof=0))),
    ("psar .2 2", 2, 14, lambda f: f("sar", step=0.2, limit=2.0)),
    ("aroonosc 5", 2, 10, lambda f: f("aroon", bars=5)),
    ("dpo 5", 1, 11, lambda f: f("detrended_price", bars=5) * CLOSE.mean(5)),
    ("fosc 5", 1, 10, lambda f: f("forecast_oscillator", bars=5)),
    ("hma 5", 1, 10, lambda f: f("hma", bars=5)),
    ("linreg 5", 1, 11, lambda f: LINE),
    ("linregintercept 5", 1, 11, lambda f: LINE - 4 * f("linear_slope", bars=5)),
    ("linregslope 5", 1, 11, lambda f: f("linear_slope", bars=5)),
    ("tsf 5", 1, 11, lambda f: LINE + f("linear_slope", bars=5)),
    ("sma 5", 1, 11, lambda f: f("sma", bars=5)),
    ("wma 5", 1, 11, lambda f: f("wma", bars=5)),
    ("trima 5", 1, 11, lambda f: f("sma", bars=3).mean(3)),
    ("vhf 5", 1, 10, lambda f: f("vertical_horizontal_filter", bars=5)),
    ("wilders 5", 1, 11, lambda f: CLOSE.wilder(5)),
]
TULIP_BEGUN_EARLIER = [
    ("adx 5", 2, 7, lambda f: f("adx", bars=5)),
    ("adxr 5", 2, 3, lambda f: f("adxr", bars=5)),
    ("dx 5", 2, 11, lambda f: f("dx", bars=5)),
    ("di 5", 3, 11, lambda f: f("plus_di", bars=5)),
    ("di 5", 4, 11, lambda f: f("minus_di", bars=5)),
    ("dm 5", 2, 11, lambda f: f("plus_di", bars=5) / 100 * TRUE_RANGE.wilder_sum(5)),
    ("dm 5", 3, 11, lambda f: f("minus_di", bars=5) / 100 * TRUE_RANGE.wilder_sum(5)),
    ("ema 5", 1, 15, lambda f: f("ema", span=5)),
    ("apo 2 5", 1, 14, lambda f: f("macd", fast=2, slow=5) * CLOSE),
    ("macd 2 5 9", 1, 11, lambda f: f("macd", fast=2, slow=5) * CLOSE),
]
TULIP_MEANS_OF_MEANS = [
    ("dema 5", 1, 7, lambda f: f("dema", span=5)),
    ("tema 5", 1, 3, lambda f: f("tema", span=5)),
    ("macd 2 5 9", 3, 3, lambda f: f("macd_histogram", fast=2, slow=5, signal=9) * CLOSE),
    ("trix 5", 1, 2, lambda f: f("trix", span=5) / (1 + f("trix", span=5) / 100)),  # over the new mean, not the old
]


@pytest.mark.parametrize("indicator", TALIB)
def test_equals_talib(assert_as_talib, declared, indicator):
    assert_as_talib(indicator, TALIB[indicator](declared))


def _named(case):
    return f"{case[0]}-{case[1]}"


@pytest.mark.parametrize("case", TULIP, ids=_named)
def test_equals_tulip(tulip, tulip_bars, assert_as_printed, run_one, declared, case):
    vector, line, told, formula = case

    assert_as_printed(run_one(formula(declared), tulip_bars), tulip[vector][line], told=told)


@pytest.mark.parametrize("case", TULIP_BEGUN_EARLIER, ids=_named)
def test_equals_tulip_with_its_beginning(tulip, tulip_bars, assert_as_printed, read_slowly, declared, case):
    vector, line, told, formula = case

    assert_as_printed(read_slowly(formula(declared), tulip_bars), tulip[vector][line], told=told)


@pytest.mark.parametrize("case", TULIP_MEANS_OF_MEANS, ids=_named)
def test_equals_tulip_where_means_of_means_wait_for_a_full_span(
    tulip, tulip_bars, assert_as_printed, read_slowly, declared, case
):
    vector, line, told, formula = case

    assert_as_printed(read_slowly(formula(declared), tulip_bars, hidden=True), tulip[vector][line], told=told)


@pytest.mark.parametrize(("name", "title"), [("vortex_plus", "+VI14"), ("vortex_minus", "-VI14")])
def test_vortex_equals_stockcharts(stockcharts, sheet_bars, assert_as_printed, run_one, declared, name, title):
    sheet = stockcharts("vortex")

    assert_as_printed(run_one(declared(name), sheet_bars(sheet)), sheet[title], told=16)


@pytest.mark.parametrize(("name", "title"), [("plus_di", "+DI14"), ("minus_di", "-DI14"), ("dx", "DX"), ("adx", "ADX")])
def test_directional_indices_equal_stockcharts_once_its_beginning_is_forgotten(
    stockcharts, sheet_bars, assert_as_printed, run_one, declared, name, title
):
    sheet = stockcharts("adx")

    assert_as_printed(run_one(declared(name), sheet_bars(sheet)), sheet[title][-250:], told=250)


def test_kaufmans_mean_equals_stockcharts(stockcharts, sheet_bars, assert_as_printed, run_one, declared):
    sheet = stockcharts("kama")

    assert_as_printed(run_one(declared("kama"), sheet_bars(sheet)), sheet["KAMA"], told=39)


def test_the_parabolic_stop_equals_stockcharts_from_its_first_turn_on(
    stockcharts, sheet_bars, assert_as_printed, run_one, declared
):
    sheet = stockcharts("psar")
    stops = [up or down for up, down in zip(sheet["psar_up"], sheet["psar_down"], strict=True)]

    # The sheet begins a bar later, in the same direction.
    assert_as_printed(run_one(declared("sar"), sheet_bars(sheet)), stops[8:], told=22)


def test_macd_equals_stockcharts(stockcharts, sheet_bars, assert_as_printed, read_slowly, declared):
    sheet = stockcharts("macd")

    line = read_slowly(declared("macd") * CLOSE, sheet_bars(sheet))

    assert_as_printed(line, sheet["MACD_line"], told=123)


def test_the_histogram_of_macd_equals_stockcharts_once_its_beginning_is_forgotten(
    stockcharts, sheet_bars, assert_as_printed, read_slowly, declared
):
    sheet = stockcharts("macd")

    histogram = read_slowly(declared("macd_histogram") * CLOSE, sheet_bars(sheet))

    assert_as_printed(histogram, sheet["MACD_diff"][-45:], told=45)


def test_the_schaff_cycle_equals_stockcharts_once_its_beginning_is_forgotten(
    stockcharts, sheet_bars, after_quiet_bars, assert_as_printed, run_one, declared
):
    sheet = stockcharts("stc")

    cycle = run_one(declared("schaff_cycle"), after_quiet_bars(sheet_bars(sheet), 80))

    assert_as_printed(cycle, sheet["stc"][-70:], told=70)


@pytest.fixture(scope="module")
def walk():
    """Three hundred bars of a random walk."""
    rng = np.random.default_rng(6)
    close = 50 * np.exp(rng.normal(0, 0.02, 300).cumsum())
    high, low = close * np.exp(rng.uniform(0, 0.02, 300)), close * np.exp(-rng.uniform(0, 0.02, 300))
    return {"high": high, "low": low, "close": close}


def test_tillsons_mean_is_a_double_mean_taken_three_times(run_one, declared, walk):
    mean = CLOSE
    for _ in range(3):
        mean = 1.7 * mean.ema(5) - 0.7 * mean.ema(5).ema(5)

    expected = run_one(CLOSE / mean - 1, walk)

    np.testing.assert_allclose(run_one(declared("distance_to_t3"), walk)[100:], expected[100:], atol=1e-8)


def test_the_cloud_is_that_of_earlier_bars_and_zero_inside(run_one, declared):
    close = np.array([*np.full(80, 10.0), 12.0, 8.0, 10.0])
    columns = {"high": close + 1, "low": close - 1, "close": close}
    columns["high"][:80], columns["low"][:80] = 11.0, 10.5  # both edges of the cloud at 10.75 from bar 78 on

    values = run_one(declared("ichimoku_cloud"), columns)

    np.testing.assert_allclose(values[-4:], [-0.075, (12 - 10.75) / 12, (8 - 10.75) / 8, -0.075], rtol=1e-6)


def test_the_distance_to_supertrend_is_positive_while_the_price_rises(run_one, declared):
    close = np.array([*np.linspace(10, 20, 60), *np.linspace(20, 10, 60)])
    values = run_one(declared("distance_to_supertrend"), {"high": close + 0.1, "low": close - 0.1, "close": close})

    assert (values[40:60] > 0).all()
    assert (values[80:] < 0).all()


def test_a_straight_way_is_efficient_and_a_return_is_not(run_one, declared):
    straight = run_one(declared("efficiency_ratio", bars=4), {"close": [1.0, 2.0, 3.0, 4.0, 5.0]})
    return_trip = run_one(declared("efficiency_ratio", bars=4), {"close": [1.0, 2.0, 3.0, 2.0, 1.0]})

    assert (straight[-1], return_trip[-1]) == (1.0, 0.0)


def test_the_regression_channel_is_that_of_a_hand_fitted_line(run_one, declared, walk):
    closes = walk["close"][-50:]
    bars = np.arange(50)
    slope, level = np.polyfit(bars, closes, 1)
    error = np.sqrt(((closes - level - slope * bars) ** 2).sum() / 48)

    position = run_one(declared("regression_position"), walk)[-1]
    width = run_one(declared("regression_width"), walk)[-1]

    assert position == pytest.approx((closes[-1] - level - slope * 49) / error, rel=1e-6)
    assert width == pytest.approx(error / closes[-1], rel=1e-6)
