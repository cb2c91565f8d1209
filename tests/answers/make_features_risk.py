"""Makes features_expected_risk.csv: run ``python tests/answers/make_features_risk.py``.

What is not in features_expected.csv of the families ``risk`` and ``performance``, on features_bars.csv with NumPy,
pandas and SciPy and without any import of aitrader: definitions written out over the last window, one symbol at a time.
"""

from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import integrate, stats

HERE = Path(__file__).parent
TAIL = 0.05


def corrected(level, skew, kurt):
    """Return the Cornish-Fisher quantile at ``level``."""
    z = stats.norm.ppf(level)
    normal = z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * kurt / 24
    return normal - (2 * z**3 - 5 * z) * skew**2 / 36


def tails(r):
    mean, deviation = r.mean(), r.std(ddof=1)
    skew, kurt = stats.skew(r), stats.kurtosis(r)
    below = integrate.quad(corrected, 0, TAIL, args=(skew, kurt), epsabs=1e-13, epsrel=1e-11)[0] / TAIL
    normal = integrate.quad(stats.norm.ppf, 0, TAIL, epsabs=1e-13, epsrel=1e-11)[0] / TAIL
    low, high = np.quantile(r, [TAIL, 1 - TAIL])
    return {
        "value_at_risk": -low,
        "expected_shortfall": -np.sort(r)[: int((len(r) - 1) * TAIL) + 1].mean(),
        "gaussian_value_at_risk": -stats.norm(mean, deviation).ppf(TAIL),
        "gaussian_expected_shortfall": -(mean + deviation * normal),
        "cornish_fisher_value_at_risk": -(mean + deviation * corrected(TAIL, skew, kurt)),
        "cornish_fisher_expected_shortfall": -(mean + deviation * below),
        "tail_ratio": abs(high) / abs(low),
    }


def falls(close, bars):
    """Return the fall from the highest of ``bars`` closes, for each of the last ``bars`` closes."""
    return np.array([1 - close[k] / close[k - bars + 1 : k + 1].max() for k in range(len(close) - bars, len(close))])


def deepest(close):
    return (1 - close / np.maximum.accumulate(close)).max()


def slope(r, market):
    return stats.linregress(market, r).slope


def against(r, market):
    """Return what compares ``r`` with the market over the same bars."""
    fit = stats.linregress(market, r)
    rest = r - fit.slope * market
    a, m = (r - r.mean()) / r.std(), (market - market.mean()) / market.std()
    return {
        "market_alpha": fit.intercept,
        "appraisal_ratio": fit.intercept / rest.std(ddof=1),
        "tracking_error": (r - market).std(ddof=1),
        "information_ratio": stats.ttest_rel(r, market).statistic / sqrt(len(r)),
        "coskewness": (a * m * m).mean(),
        "cokurtosis": (a * m * m * m).mean(),
    }


def rewards(r):
    losses, gains = r[r < 0], r[r > 0]
    downside = sqrt((losses**2).sum() / len(r))
    payoff = gains.mean() / -losses.mean()
    won = len(gains) / (len(gains) + len(losses))
    return {
        "downside_deviation": downside,
        "sharpe": r.mean() / r.std(ddof=1),
        "sortino": r.mean() / downside,
        "upside_potential": gains.sum() / len(r) / downside,
        "omega": gains.sum() / -losses.sum(),
        "payoff_ratio": payoff,
        "kelly_fraction": won - (1 - won) / payoff,
    }


def expected(close, market):
    r = close[1:] / close[:-1] - 1
    year, index = r[-250:], market[-250:]
    return {
        **tails(year),
        **rewards(year),
        **against(r[-120:], market[-120:]),
        "downside_beta": slope(year[index < 0], index[index < 0]),
        "upside_beta": slope(year[index > 0], index[index > 0]),
        "worst_return": -r[-60:].min(),
        "best_return": r[-20:].max(),
        "current_drawdown": 1 - close[-1] / close[-250:].max(),
        "max_drawdown": deepest(close[-250:]),
        "calmar": (close[-1] / close[-251] - 1) / deepest(close[-251:]),
        "drawdown_age": 249 - int(np.argmax(close[-250:])),
        "pain_index": falls(close, 120).mean(),
        "time_under_water": (falls(close, 120) > 0).mean(),
    }


def main():
    table = pd.read_csv(HERE / "features_bars.csv")
    closes = {symbol: part["close"].to_numpy() for symbol, part in table.groupby("symbol")}
    returns = {symbol: close[1:] / close[:-1] - 1 for symbol, close in closes.items()}
    market = np.mean(list(returns.values()), axis=0)
    found = pd.DataFrame({symbol: expected(close, market) for symbol, close in closes.items()})
    betas = pd.Series({symbol: slope(r[-120:], market[-120:]) for symbol, r in returns.items()})
    found.loc["beta_rank"] = (betas.rank() - 0.5) / len(betas)
    found.rename_axis("feature").sort_index().to_csv(HERE / "features_expected_risk.csv", float_format="%.12g")


if __name__ == "__main__":
    main()
