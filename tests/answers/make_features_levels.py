"""Makes features_expected_levels.csv: run ``python tests/answers/make_features_levels.py``.

The values of ``levels`` and ``pivots`` on the last of features_bars.csv, from the sources that the features name,
without any import of aitrader.
"""

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent


def pivots(o, h, lo, c):
    """Levels for the last bar from the bar before."""
    high, low, last, first = h[-2], lo[-2], c[-2], o[-2]
    reach = high - low
    floor, woodie = (high + low + last) / 3, (high + low + 2 * last) / 4
    x = high + low + last + (high if last > first else low if last < first else last)
    levels = {
        "floor": floor,
        "floor_resistance": 2 * floor - low,
        "floor_support": 2 * floor - high,
        "fibonacci_resistance": floor + 0.382 * reach,
        "fibonacci_support": floor - 0.382 * reach,
        "camarilla_resistance": last + 1.1 * reach / 4,
        "camarilla_support": last - 1.1 * reach / 4,
        "woodie": woodie,
        "woodie_resistance": 2 * woodie - low,
        "woodie_support": 2 * woodie - high,
        "demark": x / 4,
        "demark_resistance": x / 2 - low,
        "demark_support": x / 2 - high,
    }
    return {f"pivot_{name}": 1 - level / c[-1] for name, level in levels.items()}


def expected(b):
    o, h, lo, c = (b[name].to_numpy() for name in ("open", "high", "low", "close"))
    year, quarter = slice(-250, None), slice(-60, None)
    near = (c[-1] - min(lo[quarter])) / (max(h[quarter]) - min(lo[quarter]))
    ranges = [max(h[i], c[i - 1]) - min(lo[i], c[i - 1]) for i in range(-15, -1)]
    jump = o[-1] - c[-2]
    back = o[-1] - lo[-1] if jump > 0 else h[-1] - o[-1]
    windows = [max(lo[i] - h[i - 1], 0) + min(h[i] - lo[i - 1], 0) for i in range(-60, 0)]
    return pivots(o, h, lo, c) | {
        "range_position": (c[-1] - min(lo[year])) / (max(h[year]) - min(lo[year])),
        "high_age": (249 - int(np.argmax(h[year]))) / 250,
        "low_age": (249 - int(np.argmin(lo[year]))) / 250,
        "range_contraction": (max(h[-5:]) - min(lo[-5:])) / (max(h[quarter]) - min(lo[quarter])),
        "fibonacci_distance": min(abs(near - level) for level in (0, 0.236, 0.382, 0.5, 0.618, 0.786, 1)),
        "open_position": (o[-1] - lo[-2]) / (h[-2] - lo[-2]),
        "gap_size": jump / np.mean(ranges),
        "gap_fill": min(back / abs(jump), 1) if jump else 1,
        "gap_window": windows[-1] / c[-2],
        "gap_share": sum(window != 0 for window in windows) / 60,
    }


def main():
    table = pd.read_csv(HERE / "features_bars.csv")
    found = pd.DataFrame({symbol: expected(part) for symbol, part in table.groupby("symbol")})
    found.rename_axis("feature").sort_index().to_csv(HERE / "features_expected_levels.csv", float_format="%.12g")


if __name__ == "__main__":
    main()
