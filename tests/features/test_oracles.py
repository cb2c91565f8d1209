"""Indicators against TA-Lib on three stocks, and against StockCharts' worked examples where theirs is the same formula.

Where TA-Lib begins later than the values are known (an output of several series begins with the last of them), only
its own bars are compared. StockCharts' sheets for RSI, MACD, ATR and ADX begin their recursion elsewhere than TA-Lib.
"""

import csv

import numpy as np
import polars as pl
import pytest

from aitrader.panel.expr import column
from aitrader.panel.plan import plan

CLOSE = column("close")
LATER_IN_TALIB = {"stoch_fastk_14", "macd_12_26_9"}
TALIB = {
    "sma_20": ("sma", {}),
    "ema_12": ("ema", {"span": 12}),
    "ema_26": ("ema", {"span": 26}),
    "wma_20": ("wma", {}),
    "rsi_14": ("rsi", {}),
    "atr_14": ("atr", {}),
    "natr_14": ("natr", {}),
    "adx_14": ("adx", {}),
    "plus_di_14": ("plus_di", {}),
    "minus_di_14": ("minus_di", {}),
    "cci_20": ("cci", {}),
    "stoch_fastk_14": ("stochastic", {}),
    "stoch_slowd_3": ("stochastic_slow", {}),
    "willr_14": ("williams_r", {}),
    "aroon_up_25": ("aroon_up", {}),
    "aroon_down_25": ("aroon_down", {}),
    "cmo_14": ("cmo", {}),
    "linreg_slope_14": ("linear_slope", {}),
}
DERIVED = {
    "stddev_20": lambda f: CLOSE.std(20, ddof=0),
    "roc_10": lambda f: 100 * f["momentum"].expression(bars=10),
    "bb_upper_20_2": lambda f: CLOSE.mean(20) * (1 + f["bollinger_width"].expression() / 2),
    "macd_12_26_9": lambda f: f["macd"].expression() * CLOSE,
    "macd_hist": lambda f: f["macd_histogram"].expression() * CLOSE,
}


@pytest.fixture(scope="module")
def talib(shared_data):
    return pl.read_parquet(shared_data / "oracles" / "talib_indicators.parquet").partition_by("symbol")


@pytest.mark.parametrize("indicator", [*TALIB, *DERIVED])
def test_equals_talib(talib, registry, make_panel, indicator):
    name, settings = TALIB.get(indicator, (None, None))
    expr = registry[name].expression(**settings) if name else DERIVED[indicator](registry)
    columns = ("open", "high", "low", "close", "volume")
    panel = make_panel({c: [part[c].cast(pl.Float64).to_numpy() for part in talib] for c in columns})
    expected = np.array([part[indicator].cast(pl.Float64).fill_null(np.nan).to_numpy() for part in talib])

    got = plan([expr]).run(panel)[0]

    if indicator in LATER_IN_TALIB:
        got = np.where(np.isnan(expected), np.nan, got)
    scale = np.nanstd(expected, axis=1, keepdims=True)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
    assert np.nanmax(np.abs(got - expected) / (np.abs(expected) + 1e-3 * scale)) < 1e-6


STOCKCHARTS = [
    ("cs-bbands.csv", "bollinger_width", {}, "WidthBand", 0.01, 1e-5),
    ("cs-bbands.csv", "sma", {}, "MiddleBand", 1, 1e-6),
    ("cs-cci.csv", "cci", {}, "CCI", 1, 1e-4),
    ("cs-percentr.csv", "williams_r", {}, "Williams_%R", 1, 1e-6),
    ("cs-soo.csv", "stochastic", {}, "SO", 1, 1e-6),
    ("cs-roc.csv", "momentum", {"bars": 12}, "ROC", 0.01, 1e-6),
    ("cs-wma.csv", "wma", {"bars": 9}, "WMA", 1, 1e-4),
]


def _sheet(path):
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    head = [title.strip() for title in rows[0]]
    return {title: [row[place].strip() for row in rows[1:]] for place, title in enumerate(head) if title}


def _numbers(texts):
    return np.array([float(text) if text else np.nan for text in texts])


@pytest.mark.parametrize("case", STOCKCHARTS, ids=lambda case: case[1])
def test_equals_stockcharts(shared_data, registry, make_panel, case):
    file, name, settings, title, factor, tolerance = case
    sheet = _sheet(shared_data / "oracles" / "stockcharts" / file)
    wanted = next(key for key in sheet if key.startswith(title))
    columns = {
        key.lower(): _numbers(texts) for key, texts in sheet.items() if key in {"High", "Low", "Close", "Volume"}
    }
    expected = _numbers(sheet[wanted]) * factor

    got = plan([registry[name].expression(**settings)]).run(make_panel(columns))[0, 0]

    told = ~np.isnan(expected) & ~np.isnan(got)
    assert told.sum() > 5
    np.testing.assert_allclose(got[told], expected[told], rtol=tolerance, atol=tolerance * np.abs(expected[told]).max())
