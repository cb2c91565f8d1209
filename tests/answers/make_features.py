"""Makes features_bars.csv and features_expected.csv: run ``python tests/answers/make_features.py``.

The bars are a seeded random walk rounded to cents. The expected values are computed with pandas and plain loops from
the sources that the features name, without any import of aitrader: one symbol at a time, whole series, last bar kept.
"""

import math
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
SYMBOLS, BARS = ("AAA", "BBB", "CCC", "DDD"), 300


def bars():
    rng = np.random.default_rng(20240131)
    common = rng.normal(0, 0.01, BARS)
    frames = []
    for number, symbol in enumerate(SYMBOLS):
        close = 40 * (number + 1) * np.exp((common + rng.normal(0.0004, 0.015, BARS)).cumsum())
        open_ = close * np.exp(rng.normal(0, 0.006, BARS))
        high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.006, BARS)))
        low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.006, BARS)))
        volume = rng.lognormal(12, 0.6, BARS).round()
        prices = {"open": open_, "high": high, "low": low, "close": close}
        frames.append(pd.DataFrame({"symbol": symbol, **{k: v.round(2) for k, v in prices.items()}, "volume": volume}))
    return pd.concat(frames, ignore_index=True)


def smoothed(values, count, weight):
    """Mean of the first ``count`` values, then value by value."""
    known = [v for v in values if not math.isnan(v)]
    state = sum(known[:count]) / count
    out = [math.nan] * (len(values) - len(known) + count - 1) + [state]
    for new in known[count:]:
        state = state * (1 - weight) + new * weight
        out.append(state)
    return pd.Series(out)


def ema(values, span):
    return smoothed(list(values), span, 2 / (span + 1))


def wilder(values, bars):
    return smoothed(list(values), bars, 1 / bars)


def wilder_sum(values, bars):
    known = [v for v in values if not math.isnan(v)]
    state = sum(known[: bars - 1])
    out = [math.nan] * (len(values) - len(known) + bars - 1)
    for new in known[bars - 1 :]:
        state = state - state / bars + new
        out.append(state)
    return pd.Series(out)


def line(values):
    slope = np.polyfit(np.arange(len(values)), values, 1)[0]
    return slope, np.corrcoef(np.arange(len(values)), values)[0, 1] ** 2


def expected(b, market, returns):
    o, h, lo, c, v = (b[name].reset_index(drop=True) for name in ("open", "high", "low", "close", "volume"))
    before = c.shift(1)
    change, simple, log = c - before, c / before - 1, np.log(c / before)
    tr = pd.concat([h - lo, (h - before).abs(), (lo - before).abs()], axis=1).max(axis=1)
    tr[0] = math.nan
    tp = (h + lo + c) / 3
    up, down = h.diff(), -lo.diff()
    plus = wilder_sum(up.where((up > down) & (up > 0), 0.0)[1:], 14) / wilder_sum(tr[1:], 14) * 100
    minus = wilder_sum(down.where((down > up) & (down > 0), 0.0)[1:], 14) / wilder_sum(tr[1:], 14) * 100
    rise, fall = wilder(change.clip(lower=0)[1:], 14), wilder((-change).clip(lower=0)[1:], 14)
    macd = pd.Series(ema(c[14:], 12).to_numpy()[11:] - ema(c, 26).to_numpy()[25:])
    fast_k = 100 * (c - lo.rolling(14).min()) / (h.rolling(14).max() - lo.rolling(14).min())
    flow, step = tp * v, tp.diff()
    positive = flow.where(step > 0, 0.0).rolling(14).sum()
    negative = flow.where(step < 0, 0.0).rolling(14).sum()
    spread, body = np.log(h / lo), np.log(c / o)
    rs = np.log(h / c) * np.log(h / o) + np.log(lo / c) * np.log(lo / o)
    k = 0.34 / (1.34 + 21 / 19)
    last = BARS - 1
    deviation = c.rolling(20).std(ddof=0)
    dollars = c * v
    impact = simple.abs() / dollars
    location = ((c - lo) - (h - c)) / (h - lo)
    tail, other = simple[-60:], market[-60:]
    recent = {
        "sma": c[-20:].mean(),
        "ema": ema(c, 20)[last],
        "wma": np.average(c[-20:], weights=range(1, 21)),
        "linear_slope": line(c[-14:])[0],
        "distance_to_mean": c[last] / c[-20:].mean() - 1,
        "distance_to_ema": c[last] / ema(c, 20)[last] - 1,
        "macd": macd.iloc[-1] / c[last],
        "macd_histogram": (macd.iloc[-1] - ema(macd, 9).iloc[-1]) / c[last],
        "plus_di": plus.iloc[-1],
        "minus_di": minus.iloc[-1],
        "adx": wilder(((plus - minus).abs() / (plus + minus) * 100).dropna(), 14).iloc[-1],
        "directional_balance": plus.iloc[-1] - minus.iloc[-1],
        "aroon_up": 4 * int(np.argmax(h[-26:])),
        "aroon_down": 4 * int(np.argmin(lo[-26:])),
        "trend_slope": line(np.log(c[-20:]))[0],
        "trend_fit": line(np.log(c[-20:]))[1],
        "distance_to_high": c[last] / h[-250:].max() - 1,
        "distance_to_low": c[last] / lo[-250:].min() - 1,
        "momentum": c[last] / c[last - 20] - 1,
        "momentum_12_1": c[last - 21] / c[last - 252] - 1,
        "gap": o[last] / c[last - 1] - 1,
        "intraday_return": c[last] / o[last] - 1,
        "close_location": (c[last] - lo[last]) / (h[last] - lo[last]),
        "rsi": 100 - 100 / (1 + rise.iloc[-1] / fall.iloc[-1]),
        "cmo": 100 * (rise.iloc[-1] - fall.iloc[-1]) / (rise.iloc[-1] + fall.iloc[-1]),
        "stochastic": fast_k[last],
        "stochastic_slow": fast_k.rolling(3).mean().rolling(3).mean()[last],
        "williams_r": fast_k[last] - 100,
        "cci": (tp[last] - tp[-20:].mean()) / (0.015 * (tp[-20:] - tp[-20:].mean()).abs().mean()),
        "volatility": log[-20:].std(),
        "volatility_ratio": math.log(log[-10:].std() / log[-60:].std()),
        "downside_volatility": math.sqrt((log[-20:].clip(upper=0) ** 2).mean()),
        "atr": wilder(tr[1:], 14).iloc[-1],
        "natr": 100 * wilder(tr[1:], 14).iloc[-1] / c[last],
        "bollinger_position": (c[last] - c[-20:].mean()) / (2 * deviation[last]),
        "bollinger_width": 4 * deviation[last] / c[-20:].mean(),
        "parkinson": math.sqrt((spread[-20:] ** 2).mean() / (4 * math.log(2))),
        "garman_klass": math.sqrt((spread[-20:] ** 2 / 2 - (2 * math.log(2) - 1) * body[-20:] ** 2).mean()),
        "rogers_satchell": math.sqrt(rs[-20:].mean()),
        "yang_zhang": math.sqrt(np.log(o / before)[-20:].var() + k * body[-20:].var() + (1 - k) * rs[-20:].mean()),
        "drawdown": (c / c.rolling(60).max() - 1)[-60:].min(),
        "volume_zscore": (v[last] - v[-20:].mean()) / v[-20:].std(),
        "volume_ratio": math.log(v[-5:].mean() / v[-60:].mean()),
        "obv": v[0] + (np.sign(change[1:]) * v[1:]).sum(),
        "obv_change": (np.sign(change[-20:]) * v[-20:]).sum() / v[-20:].sum(),
        "money_flow_index": 100 - 100 / (1 + positive[last] / negative[last]),
        "chaikin_money_flow": (location[-20:] * v[-20:]).sum() / v[-20:].sum(),
        "amihud_ratio": math.log(impact[-20:].mean() / impact[-250:].mean()),
        "dollar_volume_change": math.log(dollars[-20:].mean() / dollars[-250:].mean()),
        "price_volume_correlation": log[-20:].corr(np.log(v / v.shift(1))[-20:]),
        "skewness": log[-60:].skew(),
        "kurtosis": log[-60:].kurt(),
        "autocorrelation": log[-60:].corr(log.shift(1)[-60:]),
        "market_beta": np.cov(simple[-120:], market[-120:])[0, 1] / market[-120:].var(),
        "idiosyncratic_volatility": tail.std() * math.sqrt(1 - tail.corr(other) ** 2),
    }
    recent["aroon"] = recent["aroon_up"] - recent["aroon_down"]
    ranked = {
        "momentum_rank": {s: x.iloc[-1] / x.iloc[-121] for s, x in returns.items()},
        "reversal_rank": {s: -x.iloc[-1] / x.iloc[-6] for s, x in returns.items()},
        "volatility_rank": {s: np.log(x / x.shift(1))[-60:].std() for s, x in returns.items()},
    }
    symbol = b["symbol"].iloc[0]
    for name, values in ranked.items():
        recent[name] = (sum(x < values[symbol] for x in values.values()) + 0.5) / len(SYMBOLS)
    return recent


def main():
    table = bars()
    table.to_csv(HERE / "features_bars.csv", index=False)
    closes = {symbol: part["close"].reset_index(drop=True) for symbol, part in table.groupby("symbol")}
    market = pd.concat([x / x.shift(1) - 1 for x in closes.values()], axis=1).mean(axis=1)
    columns = {symbol: expected(part, market, closes) for symbol, part in table.groupby("symbol")}
    found = pd.DataFrame(columns).rename_axis("feature").sort_index()
    found.to_csv(HERE / "features_expected.csv", float_format="%.12g")


if __name__ == "__main__":
    main()
