"""Makes features_expected_statistical.csv: run ``python tests/answers/make_features_statistical.py``.

What is not in features_expected.csv of the families ``statistical`` and ``memory``, on features_bars.csv with NumPy,
pandas and SciPy and without any import of aitrader: one symbol at a time, the last bar's value from the last window of
log returns.
"""

from itertools import groupby
from math import log, pi, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special, stats

HERE = Path(__file__).parent


def entropy(shares):
    return stats.entropy(np.array(shares, dtype=float))


def runs_test(up):
    rises, count = sum(up), len(up)
    runs = len(list(groupby(up)))
    mean = 2 * rises * (count - rises) / count + 1
    return (runs - mean) / sqrt((mean - 1) * (mean - 2) / (count - 1))


def variance_ratio(prices, step):
    """Lo & MacKinlay (1988), sec. 1: ``prices`` are logarithms, one more than returns."""
    count = len(prices) - 1
    mean = (prices[-1] - prices[0]) / count
    short = sum((prices[k] - prices[k - 1] - mean) ** 2 for k in range(1, count + 1)) / (count - 1)
    divisor = step * (count - step + 1) * (1 - step / count)
    return sum((prices[k] - prices[k - step] - step * mean) ** 2 for k in range(step, count + 1)) / divisor / short


def hurst(prices, bars):
    lags = [1, 2, 4, 8, 16]
    spreads = [np.std((prices[lag:] - prices[:-lag])[-bars:], ddof=1) for lag in lags]
    return stats.linregress(np.log(lags), np.log(spreads)).slope


def fractal_dimension(high, low):
    half = len(high) // 2
    old, new = (np.ptp(np.r_[high[part], low[part]]) / half for part in (slice(half), slice(half, None)))
    return (log(old + new) - log(np.ptp(np.r_[high, low]) / len(high))) / log(2)


def orders(closes, count):
    """Return how often each order of three closes came, of the last ``count`` triples."""
    triples = [tuple(np.argsort(closes[end - 3 : end], kind="stable")) for end in range(3, len(closes) + 1)][-count:]
    return pd.Series(triples).value_counts().to_numpy()


def autocorrelation(x, lag):
    far = x - x.mean()
    return (far[lag:] * far[:-lag]).sum() / (far**2).sum()


def fractional_difference(prices, order):
    """Return the first weights of (1 - L) ** order times log prices, all counted from the oldest."""
    newest_first = (prices - prices[0])[::-1]
    return sum((-1) ** k * special.binom(order, k) * price for k, price in enumerate(newest_first))


def regression(x, y):
    """Return slope, its t-statistic, the last residual over the standard error."""
    fit = stats.linregress(x, y)
    rest = y - fit.intercept - fit.slope * x
    return fit.slope, fit.slope / fit.stderr, rest[-1] / sqrt((rest**2).sum() / (len(x) - 2))


def expected(b):
    high, low, close = (b[name].to_numpy() for name in ("high", "low", "close"))
    prices = np.log(close)
    r = np.diff(prices)
    quarter, half_year = r[-60:], r[-120:]
    q = {share: np.quantile(quarter, share) for share in (0.25, 0.5, 0.75, *(n / 8 for n in range(1, 8)))}
    up = (quarter > 0).mean()
    square = half_year**2, r[-121:-1] ** 2
    level = regression(prices[-121:-1], half_year)
    rho = {lag: autocorrelation(half_year, lag) for lag in range(1, 6)}
    line = regression(np.arange(60.0), prices[-60:])
    bipower = (np.abs(quarter) * np.abs(r[-61:-1])).sum()
    ratio = variance_ratio(prices[-121:], 5)
    return {
        "median_return": np.median(quarter),
        "interquartile_range": stats.iqr(quarter),
        "quantile_skewness": (q[0.75] + q[0.25] - 2 * q[0.5]) / (q[0.75] - q[0.25]),
        "quantile_kurtosis": ((q[7 / 8] - q[5 / 8]) + (q[3 / 8] - q[1 / 8])) / (q[6 / 8] - q[2 / 8]) - 1.233,
        "geary_ratio": np.abs(quarter - quarter.mean()).mean() / quarter.std(),
        "jarque_bera": stats.jarque_bera(half_year).statistic,
        "return_t_statistic": stats.ttest_1samp(quarter, 0).statistic,
        "return_zscore": stats.zscore(quarter, ddof=1)[-1],
        "return_rank": stats.rankdata(quarter)[-1] / 60,
        "price_rank": stats.rankdata(close[-250:])[-1] / 250,
        "up_share": up,
        "sign_entropy": entropy([up, 1 - up]) / log(2),
        "return_entropy": entropy(np.histogram(half_year, bins=10)[0]) / log(10),
        "trend_residual": line[2],
        "trend_t_statistic": line[1],
        "jump_share": 1 - pi / 2 * bipower / (quarter**2).sum(),
        "signed_variation": (np.sign(quarter) * quarter**2).sum() / (quarter**2).sum(),
        "partial_autocorrelation": (rho[2] - rho[1] ** 2) / (1 - rho[1] ** 2),
        "ljung_box": 120 * 122 * sum(rho[lag] ** 2 / (120 - lag) for lag in range(1, 6)),
        "rescaled_range": np.ptp(np.cumsum(half_year - half_year.mean())) / half_year.std() / sqrt(120),
        "fractional_difference": fractional_difference(prices[-101:], 0.4),
        "permutation_entropy": entropy(orders(close, 60)) / log(6),
        "runs_test": runs_test(list(quarter > 0)),
        "variance_ratio": ratio,
        "variance_ratio_test": (ratio - 1) / sqrt(2 * 9 * 4 / (3 * 5 * 120)),
        "hurst": hurst(prices, 120),
        "fractal_dimension": fractal_dimension(high[-30:], low[-30:]),
        "dickey_fuller": level[1],
        "mean_reversion_speed": -level[0],
        "arch_effect": 120 * stats.pearsonr(*square).statistic ** 2,
        "leverage_effect": stats.pearsonr(half_year**2, r[-121:-1]).statistic,
    }


def main():
    table = pd.read_csv(HERE / "features_bars.csv")
    columns = {symbol: expected(part) for symbol, part in table.groupby("symbol")}
    found = pd.DataFrame(columns).rename_axis("feature").sort_index()
    found.to_csv(HERE / "features_expected_statistical.csv", float_format="%.12g")


if __name__ == "__main__":
    main()
