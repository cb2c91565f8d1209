"""Candlesticks against TA-Lib on five years of 234 stocks, and against drawings, bar by bar.

TA-Lib begins some patterns one bar later than the values are known, so the comparison begins at bar 20. Its running
sums round: twice a body that equals the usual one exactly counts as shorter there.
"""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from aitrader.panel.plan import plan

ANSWERS = pl.read_csv(Path(__file__).parents[1] / "answers" / "candles_talib.csv")
SKIPPED = 20
TIES = {"candle_harami": (1, 1, 441, 25)}
COLUMNS = ("open", "high", "low", "close")


@pytest.fixture(scope="module")
def found(shared_data, registry, make_panel):
    file = shared_data / "equity_daily" / "sp500_daily_2013_2018.parquet"
    bars = pl.read_parquet(file).drop_nulls().sort("symbol", "date")
    parts = [part for part in bars.partition_by("symbol") if len(part) == 1259]
    panel = make_panel({name: [part[name].cast(pl.Float64).to_numpy() for part in parts] for name in COLUMNS})
    names = ANSWERS["feature"].to_list()
    return dict(zip(names, plan([registry[name].expression() for name in names]).run(panel), strict=True))


@pytest.mark.parametrize("row", ANSWERS.rows(), ids=lambda row: row[0])
def test_a_candlestick_equals_talib_on_real_bars(found, row):
    name, *expected = row
    signs = found[name][:, SKIPPED:]

    ups, downs = np.nonzero(signs > 0)[1] + SKIPPED, np.nonzero(signs < 0)[1] + SKIPPED

    got = np.array([len(ups), len(downs), ups.sum(), downs.sum()])
    assert (got + TIES.get(name, 0)).tolist() == expected
    assert set(np.unique(signs)) <= {-1.0, 0.0, 1.0}


BACKGROUND = [(100, 101, 99, 101), (101, 102, 100, 100)] * 8
"""Bodies of 1, ranges of 2: long is above 1, a shadow short below 0.2, near within 0.4, equal within 0.1."""
DRAWINGS = {
    "hammer": ([(98.5, 99, 95, 99)], 1),
    "hanging_man": ([(103, 103.5, 100, 103.5)], -1),
    "engulfing": ([(101, 101, 98, 99), (98.5, 102, 98, 101.5)], 1),
    "dark_cloud_cover": ([(98, 102, 98, 102), (103, 103, 99, 99.5)], -1),
    "tweezers": ([(101, 102, 98, 99), (99.2, 102, 98.05, 101)], 1),
    "morning_star": ([(100, 100, 96, 96), (95, 95.5, 94, 94.5), (95, 99, 95, 99)], 1),
    "three_white_soldiers": ([(97, 99, 97, 99), (98, 100.5, 98, 100.5), (99.5, 102, 99.5, 102)], 1),
    "three_black_crows": (
        [(100, 103.5, 100, 103), (103, 103, 101, 101), (102, 102, 99.5, 99.5), (101, 101, 98, 98)],
        -1,
    ),
    "three_methods": (
        [(99, 103, 99, 103), (102.5, 103, 102, 102), (102, 102, 101.5, 101.6), (101.5, 101.6, 101, 101),
         (102, 105, 102, 105)],
        1,
    ),
    "concealing_baby_swallow": (
        [(100, 100, 98, 98), (98, 98, 96, 96), (95.5, 97, 94.5, 94.5), (97.5, 97.5, 93.5, 93.5)],
        1,
    ),
    "breakaway": (
        [(100, 100, 97, 97), (96, 96, 95, 95), (95, 95.5, 94, 94.5), (94, 95, 93, 93.5), (93.5, 97, 93.5, 96.5)],
        1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_candlestick_is_found_where_it_is_drawn(registry, make_panel, name):
    drawn, sign = DRAWINGS[name]
    mirrored = [(200 - o, 200 - low, 200 - high, 200 - c) for o, high, low, c in (*BACKGROUND, *drawn)]
    bars = np.array([[*BACKGROUND, *drawn], mirrored]).transpose(2, 0, 1)

    got = plan([registry[f"candle_{name}"].expression()]).run(make_panel(dict(zip(COLUMNS, bars, strict=True))))[0]

    assert got[0, -1] == sign
    assert got[1, -1] in {0, -sign}


def test_a_candlestick_is_missing_until_its_bars_are_there_and_near_a_missing_bar(registry, make_panel):
    bars = np.tile(np.array([(100.0, 102.0, 99.0, 101.0)] * 40).T[:, None, :], (1, 2, 1))
    bars[:, 1, 25] = np.nan

    got = plan([registry["candle_three_inside"].expression()]).run(make_panel(dict(zip(COLUMNS, bars, strict=True))))[0]

    assert np.isnan(got[0]).tolist() == [True] * 12 + [False] * 28
    assert np.isnan(got[1, 25:38]).all()
    assert not np.isnan(got[1, 38:]).any()
