"""Makes features_expected_technical.csv: run ``python tests/answers/make_features_technical.py``.

What the families trend, momentum and volatility have beside the set ``core``, on features_bars.csv, with pandas and
plain loops and without any import of aitrader: formulas as their sources write them, whole series, last bar kept.
"""

from math import log, log10, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
from make_features import ema, wilder, wilder_sum

HERE = Path(__file__).parent


def aligned(values, length):
    """Return the last values of a series, numbered from 0."""
    return pd.Series(np.asarray(values)[-length:])


def means(values, span, count):
    """Return the exponential mean, the mean of that, and so on, all over the same last bars."""
    found = [ema(values, span)]
    for _ in range(count - 1):
        found.append(ema(found[-1], span))
    return [mean.iloc[-100:].reset_index(drop=True) for mean in found]


def weighted(values):
    return float(np.average(values, weights=np.arange(1, len(values) + 1)))


def within(values, bars):
    low, high = values.rolling(bars).min(), values.rolling(bars).max()
    return 100 * (values - low) / (high - low)


def true_range(h, lo, c):
    before = c.shift(1)
    spread = pd.concat([h, before], axis=1).max(axis=1) - pd.concat([lo, before], axis=1).min(axis=1)
    spread[0] = np.nan
    return spread


def macd(c, fast, slow):
    """Both means begin on the same bar, so that the fast one leaves out the first closes."""
    quick, calm = ema(c[slow - fast :], fast), ema(c, slow)
    return aligned(quick, 250), aligned(calm, 250)


def kaufman(c):
    net, way = c.diff(10).abs(), c.diff().abs().rolling(10).sum()
    mean = c.iloc[9]
    for now in range(10, len(c)):
        constant = (net[now] / way[now] * (2 / 3 - 2 / 31) + 2 / 31) ** 2
        mean = mean + constant * (c[now] - mean)
    return mean


def parabolic(h, lo):
    """Wilder's stop after the last bar's decision: what TA-Lib prints there."""
    rising = not lo[0] - lo[1] > max(0, h[1] - h[0])
    stop, extreme, factor = (lo[0], h[1], 0.02) if rising else (h[0], lo[1], 0.02)
    printed = np.nan
    for now in range(1, len(h)):
        near = [max(now - 1, 1), now]
        if (rising and lo[now] <= stop) or (not rising and h[now] >= stop):
            stop = max(extreme, *h[near]) if rising else min(extreme, *lo[near])
            rising, factor = not rising, 0.02
            extreme = h[now] if rising else lo[now]
            printed = stop
        else:
            printed = stop
            if (rising and h[now] > extreme) or (not rising and lo[now] < extreme):
                extreme, factor = (h[now] if rising else lo[now]), min(0.2, factor + 0.02)
        stop += factor * (extreme - stop)
        stop = min(stop, *lo[near]) if rising else max(stop, *h[near])
    return printed


def supertrend(h, lo, c, tr):
    size = wilder(tr, 10)
    middle = (h + lo) / 2
    above, below, rising = np.inf, -np.inf, False
    for now in range(10, len(c)):
        upper, lower = middle[now] + 3 * size[now], middle[now] - 3 * size[now]
        above = upper if upper < above or c[now - 1] > above else above
        below = lower if lower > below or c[now - 1] < below else below
        rising = c[now] >= below if rising else c[now] > above
    return below if rising else above


def averages(c):
    first = means(c, 20, 3)
    t = means(c, 5, 6)
    tillson = 1.7**3 * t[2] - 3 * 0.7 * 1.7**2 * t[3] + 3 * 0.49 * 1.7 * t[4] - 0.343 * t[5]
    differences = [2 * weighted(c[: end or None][-8:]) - weighted(c[: end or None][-16:]) for end in (-3, -2, -1, 0)]
    found = {
        "dema": (2 * first[0] - first[1]).iloc[-1],
        "tema": (3 * first[0] - 3 * first[1] + first[2]).iloc[-1],
        "hma": weighted(differences),
        "mean_cross": c[-50:].mean() / c[-200:].mean() - 1,
        "efficiency_ratio": abs(c.iloc[-1] - c.iloc[-11]) / c.diff().abs()[-10:].sum(),
        "kama": kaufman(c),
        "detrended_price": c.iloc[-12] / c[-20:].mean() - 1,
        "distance_to_t3": c.iloc[-1] / tillson.iloc[-1] - 1,
    }
    return found | {f"distance_to_{name}": c.iloc[-1] / found[name] - 1 for name in ("dema", "tema", "hma", "kama")}


def trend(h, lo, c, tr):
    up, down = h.diff()[1:], -lo.diff()[1:]
    plus = wilder_sum(up.where((up > down) & (up > 0), 0.0), 14)
    minus = wilder_sum(down.where((down > up) & (down > 0), 0.0), 14)
    dx = 100 * (plus - minus).abs() / (plus + minus)
    adx = wilder(dx.dropna(), 14)
    third = means(c, 15, 3)[2]
    quick, calm = macd(c, 23, 50)
    cycle = aligned(ema(within(quick - calm, 10), 3), 200)
    logs = np.log(c[-90:])
    slope, fit = np.polyfit(range(90), logs, 1)[0], np.corrcoef(range(90), logs)[0, 1] ** 2
    return {
        "dx": dx.iloc[-1],
        "adxr": (adx.iloc[-1] + adx.iloc[-14]) / 2,
        "vortex_plus": (h - lo.shift(1)).abs()[-14:].sum() / tr[-14:].sum(),
        "vortex_minus": (lo - h.shift(1)).abs()[-14:].sum() / tr[-14:].sum(),
        "trix": 100 * (third.iloc[-1] / third.iloc[-2] - 1),
        "schaff_cycle": ema(within(cycle, 10), 3).iloc[-1],
        "vertical_horizontal_filter": (c[-28:].max() - c[-28:].min()) / c.diff().abs()[-28:].sum(),
        "bull_power": (h.iloc[-1] - ema(c, 13).iloc[-1]) / c.iloc[-1],
        "bear_power": (lo.iloc[-1] - ema(c, 13).iloc[-1]) / c.iloc[-1],
        "adjusted_slope": slope * fit,
    }


def channels(h, lo, c, tr):
    def middle(bars, ago=0):
        part = slice(-bars - ago, -ago or None)
        return (h[part].max() + lo[part].min()) / 2

    close, closes, places = c.iloc[-1], c[-50:], np.arange(50)
    first, second = (middle(9, 26) + middle(26, 26)) / 2, middle(52, 26)
    top, bottom = max(first, second), min(first, second)
    slope, level = np.polyfit(places, closes, 1)
    error = sqrt(((closes - level - slope * places) ** 2).sum() / 48)
    forecast = np.polyval(np.polyfit(range(14), c[-15:-1], 1), 14)
    return {
        "ichimoku_conversion": close / middle(9) - 1,
        "ichimoku_base": close / middle(26) - 1,
        "ichimoku_cross": (middle(9) - middle(26)) / close,
        "ichimoku_cloud": (close - top if close > top else close - bottom if close < bottom else 0.0) / close,
        "ichimoku_thickness": (first - second) / close,
        "sar": parabolic(h, lo),
        "distance_to_sar": close / parabolic(h, lo) - 1,
        "distance_to_supertrend": close / supertrend(h, lo, c, tr) - 1,
        "regression_position": (close - level - slope * 49) / error,
        "regression_width": error / close,
        "forecast_oscillator": 100 * (close - forecast) / close,
    }


def momentum(c):
    roc = {bars: c / c.shift(bars) - 1 for bars in (60, 120, 250)}
    simple = c / c.shift(1) - 1
    rises, falls = (simple[-250:] > 0).mean(), (simple[-250:] < 0).mean()
    change = c.diff()[-14:]
    return {
        "momentum_acceleration": roc[60].iloc[-1] - roc[60].iloc[-61],
        "momentum_to_volatility": roc[120].iloc[-1] / (simple[-120:].std() * sqrt(120)),
        "information_discreteness": np.sign(roc[250].iloc[-1]) * (falls - rises),
        "chande_momentum": 100 * (change[change > 0].sum() + change[change < 0].sum()) / change.abs().sum(),
    }


def rsi(values, bars):
    change = values.diff()[1:]
    rise, fall = wilder(change.clip(lower=0), bars), wilder((-change).clip(lower=0), bars)
    return 100 - 100 / (1 + rise / fall)


def streaks(c):
    run, found = 0, [0]
    for change in c.diff()[1:]:
        run = 0 if change == 0 else max(run, 0) + 1 if change > 0 else min(run, 0) - 1
        found.append(run)
    return pd.Series(found, dtype=float)


def fisher(middle):
    place = 2 * within(middle, 10) / 100 - 1
    smooth, turned = 0.0, 0.0
    for now in place.dropna():
        smooth = 0.33 * now + 0.67 * smooth
        bounded = min(max(smooth, -0.999), 0.999)
        turned = 0.5 * np.log((1 + bounded) / (1 - bounded)) + 0.5 * turned
    return turned


def oscillators(o, h, lo, c, tr):
    change = c.diff()[1:]
    strength = ema(ema(change, 25), 13).iloc[-1] / ema(ema(change.abs(), 25), 13).iloc[-1]
    pressure = c - pd.concat([lo, c.shift(1)], axis=1).min(axis=1)
    seven, fourteen, twentyeight = (pressure[-bars:].sum() / tr[-bars:].sum() for bars in (7, 14, 28))
    middle = (h + lo) / 2
    quick, calm = aligned(ema(c, 12), 250), aligned(ema(c, 26), 250)
    ppo = 100 * (quick - calm) / calm
    index = rsi(c, 14)
    simple = (c / c.shift(1) - 1).to_numpy()
    place = 100 * (simple[-101:-1] < simple[-1]).mean()
    roc = {bars: 100 * (c / c.shift(bars) - 1) for bars in (10, 11, 14, 15, 20, 30)}
    kst = ((10, 10, 1), (15, 10, 2), (20, 10, 3), (30, 15, 4))
    body, spread = c - o, h - lo
    vigor = [
        sum(x.iloc[-10 - ago : len(x) - ago].sum() * w for ago, w in enumerate((1, 2, 2, 1))) for x in (body, spread)
    ]
    fast_k = 100 * (c - lo.rolling(14).min()) / (h.rolling(14).max() - lo.rolling(14).min())
    return {
        "stochastic_signal": fast_k[-3:].mean(),
        "stochastic_rsi": within(index, 14).iloc[-1] / 100,
        "true_strength_index": 100 * strength,
        "ultimate_oscillator": 100 * (4 * seven + 2 * fourteen + twentyeight) / 7,
        "awesome_oscillator": (middle[-5:].mean() - middle[-34:].mean()) / c.iloc[-1],
        "ppo": ppo.iloc[-1],
        "ppo_histogram": ppo.iloc[-1] - ema(ppo, 9).iloc[-1],
        "connors_rsi": (rsi(c, 3).iloc[-1] + rsi(streaks(c), 2).iloc[-1] + place) / 3,
        "know_sure_thing": sum(roc[bars][-smooth:].mean() * weight for bars, smooth, weight in kst),
        "coppock": weighted((roc[11] + roc[14])[-10:]),
        "fisher_transform": fisher(middle),
        "balance_of_power": (body / spread)[-14:].mean(),
        "relative_vigor": vigor[0] / vigor[1],
        "qstick": body[-8:].mean() / c.iloc[-1],
    }


def volatility(o, h, lo, c, tr):
    logs = np.log(c / c.shift(1))
    short = logs.rolling(10).std()
    gaps, bodies = np.log(o / c.shift(1))[-60:].var(), np.log(c / o)[-60:].var()
    spread, change = c.rolling(10).std(ddof=0), c.diff()
    rise = wilder(spread.where(change > 0, 0.0)[9:], 14).iloc[-1]
    fall = wilder(spread.where(change < 0, 0.0)[9:], 14).iloc[-1]
    ranges = h - lo
    mean = ema(ranges, 10)
    nine = ema(ranges, 9)
    fallen = 100 * (c / c.rolling(14).max() - 1)
    return {
        "ewma_volatility": sqrt(ema(logs[1:] ** 2, 32).iloc[-1]),
        "volatility_of_volatility": short[-60:].std() / short[-60:].mean(),
        "overnight_share": gaps / (gaps + bodies),
        "relative_volatility_index": 100 * rise / (rise + fall),
        "relative_true_range": tr.iloc[-1] / c.iloc[-2],
        "range_expansion": log(tr.iloc[-1] / tr[-21:-1].mean()),
        "choppiness": 100 * log10(tr[-14:].sum() / (h[-14:].max() - lo[-14:].min())) / log10(14),
        "mass_index": (aligned(nine, 25) / aligned(ema(nine, 9), 25)).sum(),
        "chaikin_volatility": 100 * (mean.iloc[-1] - mean.iloc[-11]) / mean.iloc[-11],
        "ulcer_index": sqrt((fallen[-14:] ** 2).mean()),
    }


def bands(h, lo, c, tr):
    close, highest, lowest = c.iloc[-1], h[-20:].max(), lo[-20:].min()
    above, below = h[-21:-1].max(), lo[-21:-1].min()
    middle, size = ema(c, 20).iloc[-1], wilder(tr[1:], 10).iloc[-1]
    return {
        "donchian_position": 2 * (close - lowest) / (highest - lowest) - 1,
        "donchian_width": (highest - lowest) / c[-20:].mean(),
        "donchian_break": (close - above if close > above else close - below if close < below else 0.0) / close,
        "keltner_position": (close - middle) / (2 * size),
        "keltner_width": 4 * size / middle,
        "squeeze": log(2 * c[-20:].std(ddof=0) / (1.5 * tr[-20:].mean())),
    }


def expected(bars):
    o, h, lo, c = (bars[name].reset_index(drop=True) for name in ("open", "high", "low", "close"))
    tr = true_range(h, lo, c)
    found = averages(c) | trend(h, lo, c, tr) | channels(h, lo, c, tr) | momentum(c) | oscillators(o, h, lo, c, tr)
    return found | volatility(o, h, lo, c, tr) | bands(h, lo, c, tr)


def main():
    table = pd.read_csv(HERE / "features_bars.csv")
    columns = {symbol: expected(part) for symbol, part in table.groupby("symbol")}
    found = pd.DataFrame(columns).rename_axis("feature").sort_index()
    found.to_csv(HERE / "features_expected_technical.csv", float_format="%.12g")


if __name__ == "__main__":
    main()
