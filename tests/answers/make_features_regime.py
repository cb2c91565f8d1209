"""Makes features_expected_regime.csv: run ``python tests/answers/make_features_regime.py``.

The families ``correlation`` and ``regime`` on features_bars.csv, with pandas and SciPy and without any import of
aitrader: definitions written out on whole series, the last bar kept. All symbols are members, the first three of them
a sector.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

HERE = Path(__file__).parent


def correlation(a, b):
    return stats.pearsonr(a, b).statistic


def smoothed(values, span):
    """Exponential mean begun with the mean of the first ``span`` values."""
    state = np.mean(values[:span])
    for new in values[span:]:
        state += (new - state) * 2 / (span + 1)
    return state


def rank(values):
    return stats.rankdata(values)[-1] / len(values)


def order(level):
    """Return the state of a level among its means over 50 and 200 bars."""
    lines = [level[-1], level[-50:].mean(), level[-200:].mean()]
    return 1 if lines == sorted(lines, reverse=True) else -1 if lines == sorted(lines) else 0


def r_squared(y, *xs):
    x = np.column_stack([np.ones(len(y)), *xs])
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return 1 - (rest**2).sum() / ((y - y.mean()) ** 2).sum()


def together(r, m, dv, market_dv):
    """Return the family ``correlation``: returns, the market's, and both changes in volume."""
    down, up = m[-250:] < 0, m[-250:] > 0
    falling, rising = (correlation(r[-250:][part], m[-250:][part]) for part in (down, up))
    follows, leads = correlation(r[-120:], m[-121:-1]), correlation(r[-121:-1], m[-120:])
    quarter = correlation(r[-60:], m[-60:])
    return {
        "market_correlation": quarter,
        "correlation_change": correlation(r[-20:], m[-20:]) - correlation(r[-120:], m[-120:]),
        "downside_correlation": falling,
        "correlation_asymmetry": falling - rising,
        "volatility_correlation": correlation(abs(r[-120:]), abs(m[-120:])),
        "volume_commonality": correlation(dv[-60:], market_dv[-60:]),
        "lagged_market_correlation": follows,
        "lead_lag": leads - follows,
        "price_delay": 1 - r_squared(r[-120:], m[-120:]) / r_squared(r[-120:], m[-120:], m[-121:-1]),
        "asset_correlation": quarter,
        "asset_beta": stats.linregress(m[-120:], r[-120:]).slope,
        "asset_lead_lag": leads - follows,
    }


def with_members(symbol, r):
    """Return what needs all members' returns (a column per symbol), the first three of which are a sector."""
    matrix = np.corrcoef(r[-60:].to_numpy().T)
    others = [other for other in r if other != symbol]
    sector = r[r.columns[:3]].mean(axis=1)
    known = symbol in r.columns[:3]
    growth = (1 + r[-20:]).prod() - 1
    return {
        "peer_correlation": np.mean([correlation(r[symbol][-60:], r[other][-60:]) for other in others]),
        "average_correlation": matrix[np.triu_indices(len(matrix), 1)].mean(),
        "eigenvalue_share": np.linalg.eigvalsh(matrix)[-1] / len(matrix),
        "sector_correlation": correlation(r[symbol][-60:], sector[-60:]) if known else np.nan,
        "sector_beta": stats.linregress(sector[-120:], r[symbol][-120:]).slope if known else np.nan,
        "sector_relative_return": growth[symbol] - growth[r.columns[:3]].mean() if known else np.nan,
    }


def own_states(close):
    volatility = np.log(close / close.shift(1)).rolling(20).std().to_numpy()
    place = rank(volatility[-250:])
    c = close.to_numpy()
    lines = [c[-1], *(c[-bars:].mean() for bars in (10, 20, 50, 100, 200))]
    ordered = sum(a > b for a, b in pairwise(lines))
    return {
        "volatility_percentile": place,
        "volatility_state": 1 if place > 0.75 else 0 if place > 0.25 else -1,
        "trend_state": order(c),
        "trend_alignment": ordered / 5 * 2 - 1,
    }


def market_states(m):
    level = np.log1p(m).cumsum().to_numpy()
    fall = 1 - np.exp(level[-1] - level[-250:].max())
    return {
        "market_volatility_percentile": rank(m.rolling(20).std().to_numpy()[-250:]),
        "market_trend_state": order(level),
        "market_trend": level[-1] - level[-200:].mean(),
        "market_drawdown": fall,
        "bear_market": float(fall >= 0.2),
    }


def breadth(high, low, close):
    """Return what is counted over the members; the arguments have a column per symbol."""
    r, logs = close / close.shift(1) - 1, np.log(close / close.shift(1))
    rises, falls = (r > 0).sum(axis=1)[1:], (r < 0).sum(axis=1)[1:]
    net = ((rises - falls) / (rises + falls)).to_numpy()
    fast, slow = smoothed(net[20:], 19), smoothed(net, 39)
    at_high, at_low = high.iloc[-1] == high[-250:].max(), low.iloc[-1] == low[-250:].min()
    zscores = (logs.iloc[-1] - logs[-120:].mean()) / logs[-120:].std()
    return {
        "share_above_mean": (close.iloc[-1] > close[-200:].mean()).mean(),
        "share_rising": (close.iloc[-1] > close.iloc[-121]).mean(),
        "share_more_volatile": (logs[-10:].std() > logs[-60:].std()).mean(),
        "advance_decline": ((rises - falls) / close.shape[1])[-10:].mean(),
        "mcclellan_oscillator": 1000 * (fast - slow),
        "breadth_thrust": smoothed((rises / (rises + falls)).to_numpy(), 10),
        "new_highs_minus_lows": at_high.mean() - at_low.mean(),
        "members_drawdown": (1 - close.iloc[-1] / close[-250:].max()).mean(),
        "return_dispersion": r.iloc[-1].std(ddof=0),
        "turbulence": (zscores**2).mean(),
    }


def main():
    table = pd.read_csv(HERE / "features_bars.csv")
    wide = {name: pd.DataFrame({s: part[name].to_numpy() for s, part in table.groupby("symbol")})
            for name in ("high", "low", "close", "volume")}  # fmt: skip
    close = wide["close"]
    r, dv = (close / close.shift(1) - 1)[1:], np.log(wide["volume"] / wide["volume"].shift(1))[1:]
    m, market_dv = r.mean(axis=1), dv.mean(axis=1)
    everywhere = {**market_states(m), **breadth(wide["high"], wide["low"], close)}
    columns = {}
    for symbol in close:
        series = (values.to_numpy() for values in (r[symbol], m, dv[symbol], market_dv))
        columns[symbol] = {**together(*series), **with_members(symbol, r), **own_states(close[symbol]), **everywhere}
    found = pd.DataFrame(columns).rename_axis("feature").sort_index()
    found.to_csv(HERE / "features_expected_regime.csv", float_format="%.12g")


if __name__ == "__main__":
    main()
