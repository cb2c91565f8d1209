"""Makes features_expected_patterns.csv: run ``python tests/answers/make_features_patterns.py``.

Chart patterns as a person with a ruler would read them off at one bar, from the sources that the features name, without
any import of aitrader. ``read(bars, now)`` looks at bars up to ``now`` alone.
"""

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
WING, BARS = 3, 120


def stands_out(values, i, side):
    """Whether bar i is a swing high (side 1) or low (-1); of equals the last."""
    earlier, later = values[i - WING : i], values[i + 1 : i + WING + 1]
    return (side * values[i] >= side * earlier).all() and (side * values[i] > side * later).all()


def turns(h, lo, now):
    """(bar, price, side) of the alternating swing points confirmed in the last bars, the newest first."""
    found = []
    for i in range(now - WING, max(now - WING - BARS, WING - 1), -1):
        top, bottom = stands_out(h, i, 1), stands_out(lo, i, -1)
        if top == bottom:
            continue
        point = (i, h[i], 1) if top else (i, lo[i], -1)
        if not found or found[-1][2] != point[2]:
            found.append(point)
        elif point[2] * point[1] > point[2] * found[-1][1]:
            found[-1] = point
    return found


def reversals(points, side):
    """Double, triple, and head and shoulders: tops for side 1, bottoms turned upside down for -1."""
    if not points or points[0][2] != side:
        return 0, 0, 0
    bar, p = [point[0] for point in points], [side * point[1] for point in points]
    double = triple = shoulders = 0
    if len(p) >= 4:
        height = max(p[0], p[2]) - p[1]
        double = abs(p[0] - p[2]) <= 0.2 * height and p[3] < p[1] and bar[0] - bar[2] >= 10
    if len(p) >= 6:
        tops, lows = (p[0], p[2], p[4]), (p[1], p[3])
        triple = max(tops) - min(tops) <= 0.25 * (max(tops) - min(lows)) and p[5] < min(lows)
        height = p[2] - sum(lows) / 2
        shape = p[2] > max(p[0], p[4]) and min(p[0], p[4]) > max(lows) and p[5] < min(lows)
        shoulders = shape and abs(p[0] - p[4]) <= 0.35 * height and abs(p[1] - p[3]) <= 0.35 * height
    return int(double), int(triple), int(shoulders)


def corridors(points, tolerance=0.15):
    """What the two newest tops and bottoms make."""
    if len(points) < 4:
        return {}
    tops = [float(price) for _, price, side in points[:4] if side == 1]
    bottoms = [float(price) for _, price, side in points[:4] if side == -1]
    height = tops[1] - bottoms[1]
    if height <= 0:
        return {}
    top, bottom = (tops[0] - tops[1]) / height, (bottoms[0] - bottoms[1]) / height
    rise, fall = min(top, bottom) > tolerance, max(top, bottom) < -tolerance
    return {
        "ascending_triangle": abs(top) <= tolerance < bottom,
        "descending_triangle": -(abs(bottom) <= tolerance < -top),
        "symmetric_triangle": top < -tolerance and bottom > tolerance,
        "broadening": top > tolerance and bottom < -tolerance,
        "rectangle": abs(top) <= tolerance and abs(bottom) <= tolerance,
        "channel": (rise - fall) * (abs(top - bottom) <= tolerance),
        "rising_wedge": -(top > tolerance and bottom > top + tolerance),
        "falling_wedge": bottom < -tolerance and top < bottom - tolerance,
        "dow_trend": (top > 0 and bottom > 0) - (top < 0 and bottom < 0),
    }


CORRIDORS = (
    "ascending_triangle", "descending_triangle", "symmetric_triangle", "broadening", "rectangle", "channel",
    "rising_wedge", "falling_wedge", "dow_trend",
)  # fmt: skip


def pole(h, lo, c, now, long=10, flag=8):
    """Direction of a strong move before a flag that keeps half of it."""
    start, end = now - flag - long, now - flag
    move = c[end] - c[start]
    ranges = [max(h[i], c[i - 1]) - min(lo[i], c[i - 1]) for i in range(start - 19, start + 1)]
    top, bottom = max(h[end + 1 : now + 1]), min(lo[end + 1 : now + 1])
    kept = bottom >= c[end] - move / 2 if move > 0 else top <= c[end] - move / 2
    strong = abs(move) >= 4 * np.mean(ranges) and top - bottom <= abs(move) / 2
    return int(np.sign(move)) if kept and strong else 0


def whole_bars(h, lo, c, now):
    def inside(i):
        return h[i] < h[i - 1] and lo[i] > lo[i - 1]

    def window(i):
        return int(lo[i] > h[i - 1]) - int(h[i] < lo[i - 1])

    up, down = h[now] > h[now - 1], lo[now] < lo[now - 1]
    reaches = [max(h[i], c[i - 1]) - min(lo[i], c[i - 1]) for i in range(now - 20, now + 1)]
    spans = h[now - 6 : now + 1] - lo[now - 6 : now + 1]
    before = [window(i) for i in range(now - 1, now - 11, -1) if window(i)]
    rise = np.sign(c[now] - c[now - 1])
    low20, high20 = lo[now] < min(lo[now - 20 : now]), h[now] > max(h[now - 20 : now])
    return {
        "inside_bar": inside(now),
        "outside_bar": rise if up and down else 0,
        "narrow_range": spans[-1] <= min(spans),
        "wide_range": np.sign(2 * c[now] - h[now] - lo[now]) * (reaches[-1] >= 2 * np.mean(reaches[:-1])),
        "key_reversal": int(low20 and rise > 0) - int(high20 and rise < 0),
        "hikkake": inside(now - 1) * (int(not up and down and h[now] < h[now - 1]) - int(up and lo[now] > lo[now - 1])),
        "island": window(now) if before and before[0] == -window(now) else 0,
    }


def read(h, lo, c, now):
    """Every pattern at bar ``now``."""
    points = turns(h, lo, now)
    top, bottom = reversals(points, 1), reversals(points, -1)
    way, half = pole(h, lo, c, now), slice(now - 3, now + 1)
    drift, earlier = np.sign(c[now] - c[now - 7]), slice(now - 7, now - 3)
    halves = max(h[half]) - min(lo[half]) <= (max(h[earlier]) - min(lo[earlier])) / 2
    found = {
        "double_top": -top[0],
        "triple_top": -top[1],
        "head_and_shoulders": -top[2],
        "double_bottom": bottom[0],
        "triple_bottom": bottom[1],
        "inverse_head_and_shoulders": bottom[2],
        **dict.fromkeys(CORRIDORS, 0),
        **corridors(points),
        "flag": way if way * drift <= 0 else 0,
        "pennant": way if halves else 0,
        **whole_bars(h, lo, c, now),
    }
    return {f"pattern_{name}": int(value) for name, value in found.items()}


def main():
    table = pd.read_csv(HERE / "features_bars.csv")
    columns = ("high", "low", "close")
    parts = {symbol: [part[name].to_numpy() for name in columns] for symbol, part in table.groupby("symbol")}
    found = pd.DataFrame({symbol: read(*part, 299) for symbol, part in parts.items()})
    found.rename_axis("feature").sort_index().to_csv(HERE / "features_expected_patterns.csv")


if __name__ == "__main__":
    main()
