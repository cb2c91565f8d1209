"""Makes features_expected_candles.csv and candles_talib.csv: ``python tests/answers/make_features_candles.py DATA``.

It needs TA-Lib (0.8.2 made these) and Polars. DATA is the folder of market data beside the checkout. The first table
holds TA-Lib's sign on the last bar of features_bars.csv, tweezers by hand. The second sums up TA-Lib's signs on the
symbols with all 1259 bars of sp500_daily_2013_2018.parquet, from bar 20 on: how many are up, how many down, and the
sums of their bars' numbers. Concealing baby swallow never occurs there.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import polars as pl
import talib

HERE = Path(__file__).parent
SKIPPED = 20
TALIB = {
    "doji": "DOJI", "dragonfly_doji": "DRAGONFLYDOJI", "gravestone_doji": "GRAVESTONEDOJI",
    "long_legged_doji": "LONGLEGGEDDOJI", "rickshaw_man": "RICKSHAWMAN", "takuri": "TAKURI", "marubozu": "MARUBOZU",
    "closing_marubozu": "CLOSINGMARUBOZU", "belt_hold": "BELTHOLD", "long_line": "LONGLINE", "short_line": "SHORTLINE",
    "spinning_top": "SPINNINGTOP", "high_wave": "HIGHWAVE", "hammer": "HAMMER", "hanging_man": "HANGINGMAN",
    "inverted_hammer": "INVERTEDHAMMER", "shooting_star": "SHOOTINGSTAR", "engulfing": "ENGULFING",
    "harami": "HARAMI", "harami_cross": "HARAMICROSS", "piercing": "PIERCING", "dark_cloud_cover": "DARKCLOUDCOVER",
    "doji_star": "DOJISTAR", "kicking": "KICKING", "matching_low": "MATCHINGLOW", "homing_pigeon": "HOMINGPIGEON",
    "counterattack": "COUNTERATTACK", "separating_lines": "SEPARATINGLINES", "on_neck": "ONNECK", "in_neck": "INNECK",
    "thrusting": "THRUSTING", "morning_star": "MORNINGSTAR", "evening_star": "EVENINGSTAR",
    "morning_doji_star": "MORNINGDOJISTAR", "evening_doji_star": "EVENINGDOJISTAR", "abandoned_baby": "ABANDONEDBABY",
    "tri_star": "TRISTAR", "three_white_soldiers": "3WHITESOLDIERS", "three_black_crows": "3BLACKCROWS",
    "identical_three_crows": "IDENTICAL3CROWS", "three_inside": "3INSIDE", "three_outside": "3OUTSIDE",
    "three_line_strike": "3LINESTRIKE", "three_stars_in_the_south": "3STARSINSOUTH",
    "stick_sandwich": "STICKSANDWICH", "two_crows": "2CROWS", "upside_gap_two_crows": "UPSIDEGAP2CROWS",
    "tasuki_gap": "TASUKIGAP", "side_by_side_white": "GAPSIDESIDEWHITE", "gap_three_methods": "XSIDEGAP3METHODS",
    "unique_three_river": "UNIQUE3RIVER", "advance_block": "ADVANCEBLOCK", "stalled": "STALLEDPATTERN",
    "concealing_baby_swallow": "CONCEALBABYSWALL", "ladder_bottom": "LADDERBOTTOM", "breakaway": "BREAKAWAY",
    "three_methods": "RISEFALL3METHODS", "mat_hold": "MATHOLD",
}  # fmt: skip
COLUMNS = ("open", "high", "low", "close")


def signs(part, function):
    return np.sign(getattr(talib, f"CDL{function}")(*(part[c].cast(pl.Float64).to_numpy() for c in COLUMNS)))


def tweezers(part):
    """Same low after black then white, same high after white then black, within a twentieth of five bars' range."""
    o, h, lo, c = (part[name].to_list() for name in COLUMNS)
    near = 0.05 * sum(h[i] - lo[i] for i in range(-7, -2)) / 5
    first_white, second_white = c[-2] >= o[-2], c[-1] >= o[-1]
    bottom = not first_white and second_white and abs(lo[-1] - lo[-2]) <= near
    return int(bottom) - int(first_white and not second_white and abs(h[-1] - h[-2]) <= near)


def last_bars():
    parts = pl.read_csv(HERE / "features_bars.csv").partition_by("symbol", maintain_order=True)
    rows = [[f"candle_{name}", *(int(signs(part, function)[-1]) for part in parts)] for name, function in TALIB.items()]
    rows.append(["candle_tweezers", *(tweezers(part) for part in parts)])
    write("features_expected_candles.csv", ["feature", *(part["symbol"][0] for part in parts)], sorted(rows))


def real_bars(data):
    bars = pl.read_parquet(data / "equity_daily" / "sp500_daily_2013_2018.parquet").drop_nulls().sort("symbol", "date")
    parts = [part for part in bars.partition_by("symbol") if len(part) == 1259]
    rows = []
    for name, function in TALIB.items():
        found = np.array([signs(part, function) for part in parts])[:, SKIPPED:]
        ups, downs = np.nonzero(found > 0)[1] + SKIPPED, np.nonzero(found < 0)[1] + SKIPPED
        rows.append([f"candle_{name}", len(ups), len(downs), ups.sum(), downs.sum()])
    write("candles_talib.csv", ["feature", "up", "down", "up_bars", "down_bars"], rows)


def write(name, head, rows):
    with (HERE / name).open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])


if __name__ == "__main__":
    last_bars()
    real_bars(Path(sys.argv[1]))
