"""Volume indicators against TA-Lib, StockCharts' worked examples and Tulip's vectors.

Those begin an exponential mean with the first value, ours with the mean of the first ``span``: bars before theirs that
hold the first value make both begin alike.
"""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from aitrader.features.bars import true_range
from aitrader.features.volume import ease, volume_force
from aitrader.panel.expr import column
from aitrader.panel.plan import plan

TIES = pl.read_csv(Path(__file__).parents[1] / "answers" / "features_ties.csv", null_values="nan")
HIGH, LOW, CLOSE, VOLUME = (column(name) for name in ("high", "low", "close", "volume"))


def _still(values, bars):
    return np.concatenate([np.full(bars, values[0]), values])


def _line_held(columns, bars):
    """The first bar, then bars without range, which leave the accumulation/distribution line where it is."""
    quiet = {name: np.full(bars, columns["volume" if name == "volume" else "close"][0]) for name in columns}
    return {name: np.concatenate([values[:1], quiet[name], values[1:]]) for name, values in columns.items()}


@pytest.fixture(scope="module")
def tulip_volume(tulip, tulip_bars):
    return {**tulip_bars, "volume": np.array(tulip["obv"][1], dtype=np.float64)}


@pytest.mark.parametrize(
    ("indicator", "name"), [("ad_line", "accumulation_distribution"), ("obv", "obv"), ("mfi_14", "money_flow_index")]
)
def test_equals_talib(assert_as_talib, declared, indicator, name):
    assert_as_talib(indicator, declared(name))


def test_the_chaikin_oscillator_equals_talib(shared_data, declared, run_one):
    parts = pl.read_parquet(shared_data / "oracles" / "talib_indicators.parquet").partition_by("symbol")
    expr = declared("chaikin_oscillator") * VOLUME.mean(10)

    for part in parts:
        columns = {name: part[name].cast(pl.Float64).to_numpy() for name in ("high", "low", "close", "volume")}
        wanted = part["adosc_3_10"].cast(pl.Float64).to_numpy()[9:]

        got = run_one(expr, _line_held(columns, 9))[18:]

        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6 * wanted.std())


@pytest.mark.parametrize(
    ("name", "title", "feature", "told"),
    [
        ("accum", "ADLine", "accumulation_distribution", 30),
        ("obv", "OBV", "obv", 29),
        ("mfi", "MFI", "money_flow_index", 16),
    ],
)
def test_equals_stockcharts(stockcharts, sheet_bars, declared, run_one, assert_as_printed, name, title, feature, told):
    sheet = stockcharts(name)

    assert_as_printed(run_one(declared(feature), sheet_bars(sheet)), sheet[title], told=told)


def test_ease_of_movement_equals_stockcharts(stockcharts, sheet_bars, declared, run_one, assert_as_printed):
    sheet = stockcharts("easeofmovement")
    columns = sheet_bars(sheet)
    columns["close"] = columns["high"]
    mean = declared("ease_of_movement") * CLOSE**2 / VOLUME.mean(14)

    assert_as_printed(run_one(ease(HIGH, LOW, VOLUME) * 1e8, columns), sheet["EMV"], told=29)
    assert_as_printed(run_one(mean * 1e8, columns), sheet["SMA_EMV"], told=16)


def test_the_force_index_equals_stockcharts(stockcharts, sheet_bars, declared, run_one, assert_as_printed):
    sheet = stockcharts("fi")
    columns = sheet_bars(sheet)
    steps = np.arange(13, 0, -1) * (columns["close"][1] - columns["close"][0])  # the first change, thirteen times
    close = np.concatenate([columns["close"][0] - steps, columns["close"]])
    volume = np.concatenate([np.full(14, columns["volume"][1]), columns["volume"][1:]])
    mean = declared("force_index") * CLOSE * VOLUME.ema(13, skip=1)

    assert_as_printed(run_one(mean, {"close": close, "volume": volume})[-30:], sheet["FI"], told=29)


def test_the_percentage_volume_oscillator_equals_stockcharts(stockcharts, declared, run_one, assert_as_printed):
    sheet = stockcharts("pvo")
    volume = _still(np.array(sheet["Volume"], dtype=np.float64), 34)

    assert_as_printed(run_one(declared("pvo"), {"volume": volume}), sheet["PVO"], told=40)
    assert_as_printed(run_one(declared("pvo_histogram"), {"volume": volume}), sheet["PVO_Histogram"], told=40)


def test_the_volume_price_trend_equals_stockcharts(stockcharts, sheet_bars, declared, run_one):
    sheet = stockcharts("vpt")
    line = np.array([float(text or "nan") for text in sheet["unsmoothed vpt"]])

    got = run_one(declared("volume_price_trend", bars=7) * VOLUME.sum(7), sheet_bars(sheet))

    np.testing.assert_allclose(got[8:], (line[7:] - line[:-7])[1:], rtol=1e-6)


def test_the_vwap_equals_stockcharts(stockcharts, sheet_bars, declared, run_one, assert_as_printed):
    sheet = stockcharts("vwap")

    got = run_one(CLOSE / (1 + declared("vwap_distance", bars=14)), sheet_bars(sheet))

    assert_as_printed(got, sheet["vwap"], told=17)


TULIP = {
    "ad": (lambda d: d("accumulation_distribution"), 15),
    "mfi 5": (lambda d: d("money_flow_index", bars=5), 10),
    "obv": (lambda d: d("obv") - 5653100, 15),
    "emv": (lambda d: ease(HIGH, LOW, VOLUME) * 1e4, 14),
    "marketfi": (lambda d: d("market_facilitation", bars=5).exp() * ((HIGH - LOW) / VOLUME).mean(5, 4), 12),
    "vosc 2 5": (lambda d: 100 * (d("volume_ratio", short=2, long=5).exp() - 1), 11),
    "vwma 5": (lambda d: (1 + d("vwma_ratio", bars=5)) * CLOSE.mean(5), 11),
}


@pytest.mark.parametrize("name", TULIP)
def test_equals_tulip(tulip, tulip_volume, declared, run_one, assert_as_printed, name):
    expr, told = TULIP[name]

    assert_as_printed(run_one(expr(declared), tulip_volume), tulip[name][-1], told=told)


def test_the_chaikin_oscillator_equals_tulip(tulip, tulip_volume, declared, run_one, assert_as_printed):
    expr = declared("chaikin_oscillator", fast=2, slow=5) * VOLUME.mean(5)

    got = run_one(expr, _line_held(tulip_volume, 4))

    assert_as_printed(got, tulip["adosc 2 5"][-1], told=11)


def test_the_klinger_oscillator_equals_tulip(tulip, tulip_volume, run_one, assert_as_printed):
    force = volume_force(HIGH, LOW, CLOSE, VOLUME)

    got = run_one(force.ewm(2 / 3) - force.ewm(2 / 6), tulip_volume)

    assert_as_printed(got, tulip["kvo 2 5"][-1], told=14)


def test_klingers_trend_goes_on_over_an_unchanged_price(run_one):
    columns = {"high": [10, 11, 12, 12, 11.0], "low": [9, 10, 10, 10, 9.0], "close": [10, 11, 12, 12, 10.0]}
    columns["volume"] = [10.0] * 5

    got = run_one(volume_force(HIGH, LOW, CLOSE, VOLUME), columns)

    # Ranges 1, 1, 2, 2 up: of 2, 4 and 6 travelled; then down with 2 of 4.
    np.testing.assert_allclose(got[1:], [0, 0, 1000 / 3, 0], atol=1e-4)


SUMS = {
    "nvi": lambda d, bars: 1000 * (1 + d("negative_volume_change", bars=bars)),
    "pvi": lambda d, bars: 1000 * (1 + d("positive_volume_change", bars=bars)),
    "wad": lambda d, bars: d("williams_accumulation", bars=bars) * true_range(HIGH, LOW, CLOSE).sum(bars),
}


@pytest.mark.parametrize("name", SUMS)
def test_sums_since_the_first_bar_equal_tulip(tulip, tulip_volume, make_panel, declared, assert_as_printed, name):
    exprs = [SUMS[name](declared, bars) for bars in range(1, 15)]

    got = plan(exprs).run(make_panel(tulip_volume))[:, 0, 1:]

    assert_as_printed(np.diagonal(got).astype(np.float64), tulip[name][-1][-14:], told=14)


def test_a_bar_without_volume_does_not_hide_its_neighbours(declared, run_one):
    rng = np.random.default_rng(3)
    close = 50 * np.exp(rng.normal(0, 0.02, 60).cumsum())
    columns = {"high": close * 1.01, "low": close * 0.99, "close": close, "volume": np.full(60, 1e5)}
    columns["volume"][40] = 0

    for name in ("ease_of_movement", "vwap_distance", "volume_price_trend", "force_index", "chaikin_oscillator"):
        assert np.isfinite(run_one(declared(name), columns)[41:]).all(), name


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("money_flow_index", {}, 106),
        ("klinger_oscillator", {"fast": 3, "slow": 10}, 110),
        ("pattern_narrow_range", {}, 114),
    ],
)
def test_sums_of_prices_that_are_equal_on_paper_are_equal(run_one, declared, name, settings, told):
    bars = {column: TIES[column].to_numpy() for column in ("high", "low", "close", "volume")}

    got = run_one(declared(name, **settings), bars)[-told:]

    np.testing.assert_allclose(got, TIES[name].to_numpy()[-told:], rtol=1e-6, atol=1e-6)
