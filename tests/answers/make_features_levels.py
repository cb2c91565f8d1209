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


def swing_points(values, side, wing=3):
    """(bar, price) of every confirmed swing high (side 1) or low (side -1), the newest first; the last of equals."""
    found = []
    for i in range(len(values) - wing - 1, wing - 1, -1):
        earlier, later = values[i - wing : i], values[i + 1 : i + wing + 1]
        if (side * values[i] >= side * earlier).all() and (side * values[i] > side * later).all():
            found.append((i, values[i]))
    return found


def swings(h, lo, c):
    last, tops, bottoms = len(c) - 1, swing_points(h, 1), swing_points(lo, -1)
    (top_bar, top), (bottom_bar, bottom) = tops[0], bottoms[0]
    ranges = [max(h[i], c[i - 1]) - min(lo[i], c[i - 1]) for i in range(last - 19, last + 1)]
    reach, points = 2 * np.mean(ranges), [price for _, price in (*tops[:5], *bottoms[:5])]
    lines = [b + (b - a) / (j - i) * (last - j) for (j, b), (i, a) in (tops[:2], bottoms[:2])]
    return {
        "swing_high_distance": c[-1] / top - 1,
        "swing_low_distance": c[-1] / bottom - 1,
        "swing_high_age": last - top_bar,
        "swing_low_age": last - bottom_bar,
        "swing_position": (c[-1] - bottom) / (top - bottom),
        "resistance_count": sum(c[-1] <= point <= c[-1] + reach for point in points),
        "support_count": sum(c[-1] - reach <= point <= c[-1] for point in points),
        "trendline_resistance": 1 - lines[0] / c[-1],
        "trendline_support": 1 - lines[1] / c[-1],
    }


def gap_level(h, lo, c):
    for i in range(len(c) - 1, len(c) - 251, -1):
        if lo[i] > h[i - 1]:
            return (c[-1] - h[i - 1]) / c[-1]
        if h[i] < lo[i - 1]:
            return (lo[i - 1] - c[-1]) / c[-1]
    return 0.0


def expected(b):
    o, h, lo, c = (b[name].to_numpy() for name in ("open", "high", "low", "close"))
    year, quarter = slice(-250, None), slice(-60, None)
    near = (c[-1] - min(lo[quarter])) / (max(h[quarter]) - min(lo[quarter]))
    ranges = [max(h[i], c[i - 1]) - min(lo[i], c[i - 1]) for i in range(-15, -1)]
    jump = o[-1] - c[-2]
    back = o[-1] - lo[-1] if jump > 0 else h[-1] - o[-1]
    windows = [max(lo[i] - h[i - 1], 0) + min(h[i] - lo[i - 1], 0) for i in range(-60, 0)]
    return (
        pivots(o, h, lo, c)
        | swings(h, lo, c)
        | {
            "gap_level_distance": gap_level(h, lo, c),
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
    )


def main():
    table = pd.read_csv(HERE / "features_bars.csv")
    found = pd.DataFrame({symbol: expected(part) for symbol, part in table.groupby("symbol")})
    found.rename_axis("feature").sort_index().to_csv(HERE / "features_expected_levels.csv", float_format="%.12g")


if __name__ == "__main__":
    main()
