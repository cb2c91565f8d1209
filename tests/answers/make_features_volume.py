"""Makes features_expected_volume.csv: run ``python tests/answers/make_features_volume.py``.

The values of the volume families on the last of features_bars.csv, with pandas and plain loops from the sources that
the features name, without any import of aitrader.
"""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from make_features import ema, wilder

HERE = Path(__file__).parent


def oscillator(values, fast, slow):
    """Fast minus slow mean, both begun on the same bar."""
    late = slow - fast
    return pd.Series([math.nan] * late + list(ema(values[late:], fast))) - ema(values, slow)


def accumulation(h, lo, c, v):
    return (((c - lo) - (h - c)) / (h - lo) * v).cumsum()


def klinger(h, lo, c, v):
    """Volume force bar by bar; high + low + close tells the trend."""
    force, trend, travelled = [math.nan], 0, h[0] - lo[0]
    for i in range(1, len(c)):
        move = (h[i] + lo[i] + c[i]) - (h[i - 1] + lo[i - 1] + c[i - 1])
        if (move > 0 and trend <= 0) or (move < 0 and trend >= 0):
            trend, travelled = (1 if move > 0 else -1), h[i - 1] - lo[i - 1]
        travelled += h[i] - lo[i]
        force.append(100 * v[i] * trend * abs(2 * (h[i] - lo[i]) / travelled - 1))
    return oscillator(pd.Series(force)[1:].reset_index(drop=True), 34, 55).iloc[-1] / v[-55:].mean()


def williams(h, lo, c):
    total, moved = 0.0, 0.0
    for i in range(len(c) - 20, len(c)):
        high, low = max(h[i], c[i - 1]), min(lo[i], c[i - 1])
        total += c[i] - low if c[i] > c[i - 1] else c[i] - high if c[i] < c[i - 1] else 0
        moved += high - low
    return total / moved


def volume_flow(h, lo, c, v):
    price = (h + lo + c) / 3
    cutoff = 0.2 * np.log(price / price.shift(1)).rolling(30).std() * c
    usual = v.rolling(130).mean().shift(1)
    total = 0.0
    for i in range(len(c) - 130, len(c)):
        move = price[i] - price[i - 1]
        sign = 1 if move > cutoff[i] else -1 if move < -cutoff[i] else 0
        total += sign * min(v[i], 2.5 * usual[i])
    return total / usual.iloc[-1]


def twiggs(h, lo, c, v):
    top, bottom = np.maximum(h, c.shift(1)), np.minimum(lo, c.shift(1))
    flow = ((c - bottom) - (top - c)) / (top - bottom) * v
    return wilder(flow[1:], 21).iloc[-1] / wilder(v[1:], 21).iloc[-1]


def expected(b):
    h, lo, c, v = (b[name].reset_index(drop=True) for name in ("high", "low", "close", "volume"))
    last = len(c) - 1
    change, simple = c.diff(), c.pct_change()
    log = np.log(c / c.shift(1))
    price, middle = (h + lo + c) / 3, (h + lo) / 2
    moved = (middle.diff() * (h - lo) / v)[-14:].mean()
    line = accumulation(h, lo, c, v)
    pvo = 100 * oscillator(v, 12, 26) / ema(v, 26)
    tail, year = v[-60:], v[-20:]
    more = v > v.shift(1)
    facilitation = (h - lo) / v
    return {
        "accumulation_distribution": line[last],
        "chaikin_oscillator": oscillator(line, 3, 10)[last] / v[-10:].mean(),
        "force_index": ema((change * v)[1:], 13).iloc[-1] / (c[last] * ema(v[1:], 13).iloc[-1]),
        "klinger_oscillator": klinger(h, lo, c, v),
        "pvo": pvo[last],
        "pvo_histogram": pvo[last] - ema(pvo[25:], 9).iloc[-1],
        "volume_price_trend": (simple * v)[-20:].sum() / year.sum(),
        "vwap_distance": c[last] / ((price * v)[-20:].sum() / year.sum()) - 1,
        "vwma_ratio": np.average(c[-20:], weights=year) / c[-20:].mean() - 1,
        "ease_of_movement": moved * v[-14:].mean() / c[last] ** 2,
        "negative_volume_change": math.exp(sum(r for r, up in zip(log[-60:], more[-60:], strict=True) if not up)) - 1,
        "positive_volume_change": math.exp(sum(r for r, up in zip(log[-60:], more[-60:], strict=True) if up)) - 1,
        "williams_accumulation": williams(h, lo, c),
        "dollar_volume": (c * v)[-20:].mean(),
        "volume_rank": (tail <= v[last]).sum() / 60,
        "volume_change": math.log(v[last] / v[last - 10]),
        "volume_trend": np.polyfit(range(20), np.log(year), 1)[0],
        "volume_variation": year.std() / year.mean(),
        "volume_concentration": year.max() / year.sum(),
        "volume_skewness": tail.skew(),
        "volume_persistence": tail.corr(v.shift(1)[-60:]),
        "volume_peak_age": (59 - int(np.argmax(tail))) / 60,
        "volume_volatility_correlation": simple.abs()[-60:].corr(tail),
        "volume_zone": 100 * ema((np.sign(change) * v)[1:], 14).iloc[-1] / ema(v[1:], 14).iloc[-1],
        "volume_flow": volume_flow(h, lo, c, v),
        "twiggs_money_flow": twiggs(h, lo, c, v),
        "accumulation_days": int(((simple >= 0.002) & more)[-25:].sum()),
        "distribution_days": int(((simple <= -0.002) & more)[-25:].sum()),
        "market_facilitation": math.log(facilitation[last] / facilitation[-20:].mean()),
    }


def main():
    table = pd.read_csv(HERE / "features_bars.csv")
    found = pd.DataFrame({symbol: expected(part) for symbol, part in table.groupby("symbol")})
    found.rename_axis("feature").sort_index().to_csv(HERE / "features_expected_volume.csv", float_format="%.12g")


if __name__ == "__main__":
    main()
