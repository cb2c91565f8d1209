"""Makes features_ties.csv: run ``python tests/answers/make_features_ties.py`` with TA-Lib (0.8.2 made this).

Seeded bars a few cents high, so that sums of prices are often equal on paper and differ in their last bits. The
money flow index is TA-Lib's, and asserted to be that of whole cents; Klinger's oscillator (of 3 and 10 bars) and the
narrowest range of 7 bars are loops over whole cents.
"""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import talib
from make_features_volume import oscillator

HERE = Path(__file__).parent
BARS = 120


def bars():
    random = np.random.default_rng(21)
    close = 4266 + random.integers(-3, 4, BARS).cumsum()
    high, low = close + random.integers(0, 5, BARS), close - random.integers(1, 6, BARS)
    return high, low, close, random.integers(1, 100, BARS) * 1000


def klinger(high, low, total, volume, fast=3, slow=10):
    trend, travelled, force = 0, 0, []
    for bar in range(1, BARS):
        spread, move = high[bar] - low[bar], int(np.sign(total[bar] - total[bar - 1])) or trend
        if bar == 1:
            travelled = high[0] - low[0] + spread
        elif move == trend:
            travelled += spread
        else:
            travelled = high[bar - 1] - low[bar - 1] + spread
        trend = move
        force.append(100 * volume[bar] * trend * abs(2 * spread / travelled - 1))
    line = oscillator(pd.Series(force), fast, slow)
    return pd.Series([np.nan, *line]) / pd.Series(volume).rolling(slow).mean()


def money_flow(total, volume, bars=14):
    out = [np.nan] * bars
    for end in range(bars, BARS):
        window = range(end - bars + 1, end + 1)
        rise, fall = (
            sum(int(total[bar]) * int(volume[bar]) for bar in window if side * (total[bar] - total[bar - 1]) > 0)
            for side in (1, -1)
        )
        out.append(100 * rise / (rise + fall))
    return out


def main():
    high, low, close, volume = bars()
    total = high + low + close
    flow = talib.MFI(high / 100, low / 100, close / 100, volume.astype(float), 14)
    np.testing.assert_allclose(flow, money_flow(total, volume), rtol=1e-12)
    rounded = np.diff((high / 100 + low / 100 + close / 100) / 3)
    assert np.count_nonzero((rounded != 0) & (np.diff(total) == 0)) > 2, "the bars have no ties that rounding hides"
    narrow = [
        int(bar >= 6 and high[bar] - low[bar] == min(high[bar - 6 : bar + 1] - low[bar - 6 : bar + 1]))
        for bar in range(BARS)
    ]
    head = ("high", "low", "close", "volume", "money_flow_index", "klinger_oscillator", "pattern_narrow_range")
    columns = [high / 100, low / 100, close / 100, volume, flow, klinger(high, low, total, volume), narrow]
    with (HERE / "features_ties.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows([f"{value:.12g}" for value in row] for row in zip(*columns, strict=True))


if __name__ == "__main__":
    main()
