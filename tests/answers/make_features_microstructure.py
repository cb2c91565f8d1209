"""Makes features_expected_microstructure.csv: run ``python tests/answers/make_features_microstructure.py``.

The values of ``microstructure`` on the last of features_bars.csv, with NumPy and plain loops from the sources that the
features name, without any import of aitrader.
"""

import math
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent


def roll(log, bars):
    covariance = np.cov(log[-bars:], log[-bars - 1 : -1])[0, 1]
    return 2 * math.sqrt(max(-covariance, 0))


def corwin_schultz(h, lo, c, bars):
    found = []
    for i in range(len(c) - bars, len(c)):
        move = c[i - 1] - lo[i] if lo[i] > c[i - 1] else c[i - 1] - h[i] if h[i] < c[i - 1] else 0.0
        high, low = h[i] + move, lo[i] + move
        beta = math.log(h[i - 1] / lo[i - 1]) ** 2 + math.log(high / low) ** 2
        gamma = math.log(max(high, h[i - 1]) / min(low, lo[i - 1])) ** 2
        root = 3 - 2 * math.sqrt(2)
        alpha = (math.sqrt(2 * beta) - math.sqrt(beta)) / root - math.sqrt(gamma / root)
        found.append(max(2 * (math.exp(alpha) - 1) / (1 + math.exp(alpha)), 0))
    return sum(found) / bars


def abdi_ranaldo(h, lo, c, bars):
    close, middle = np.log(c), (np.log(h) + np.log(lo)) / 2
    products = [4 * (close[i] - middle[i]) * (close[i] - middle[i + 1]) for i in range(len(c) - bars - 1, len(c) - 1)]
    return sum(math.sqrt(max(product, 0)) for product in products) / bars


def edge(o, h, lo, c, bars):
    """EDGE of the last bars; equal to ``bidask.edge`` (2.1) to ten digits."""
    o, h, lo, c = (np.log(x[-bars - 1 :]) for x in (o, h, lo, c))
    m = (h + lo) / 2
    h1, l1, c1, m1, o, h, lo, m = h[:-1], lo[:-1], c[:-1], m[:-1], o[1:], h[1:], lo[1:], m[1:]
    traded = ((h != lo) | (lo != c1)).astype(float)
    at_open = -4 / ((traded * (o != h)).mean() + (traded * (o != lo)).mean())
    at_close = -4 / ((traded * (c1 != h1)).mean() + (traded * (c1 != l1)).mean())
    up, rise, night = (x - x.mean() / traded.mean() * traded for x in (m - o, m - c1, o - c1))
    one = at_open * up * (o - m1) + at_close * rise * (c1 - m1)
    two = at_open * up * (o - c1) + at_close * night * (c1 - m1)
    return math.sqrt(abs((two.var() * one.mean() + one.var() * two.mean()) / (one.var() + two.var())))


def usual(values, bars):
    return np.array(
        [math.nan] * (bars - 1) + [values[i + 1 - bars : i + 1].mean() for i in range(bars - 1, len(values))]
    )


def reversal(simple, volume, bars):
    """Regression of returns on the return and the signed volume before, by least squares."""
    flow = np.sign(simple) * volume / usual(volume, bars)
    regressors = np.column_stack([np.ones(bars), simple[-bars - 1 : -1], flow[-bars - 1 : -1]])
    return np.linalg.lstsq(regressors, simple[-bars:], rcond=None)[0][2]


def bought_minus_sold(log, bars):
    """2 Phi(z) - 1, with the return over its deviation of the last bars."""
    deviation = pd.Series(log).rolling(bars).std().to_numpy()
    return np.array(
        [math.erf(x / s / math.sqrt(2)) if s > 0 else math.nan for x, s in zip(log, deviation, strict=True)]
    )


def expected(b):
    o, h, lo, c, v = (b[name].to_numpy(dtype=float) for name in ("open", "high", "low", "close", "volume"))
    simple = np.concatenate([[math.nan], c[1:] / c[:-1] - 1])
    log = np.log1p(simple)
    impact = np.abs(simple) / (c * v)
    night, day = np.concatenate([[math.nan], np.log(o[1:] / c[:-1])]), np.log(c / o)
    falls, rises = (impact[-120:][(side * simple > 0)[-120:]].mean() for side in (-1, 1))
    signed = np.sign(simple) * v / usual(v, 60)
    rooted = np.sign(simple) * np.sqrt(c * v / usual(c * v, 60))
    flow, longer = bought_minus_sold(log, 50) * v, bought_minus_sold(log, 60) * v
    return {
        "amihud": 1e6 * impact[-250:].mean(),
        "amihud_variation": impact[-60:].std(ddof=1) / impact[-60:].mean(),
        "amihud_asymmetry": math.log(falls / rises),
        "roll_spread": roll(log, 60),
        "corwin_schultz_spread": corwin_schultz(h, lo, c, 20),
        "abdi_ranaldo_spread": abdi_ranaldo(h, lo, c, 20),
        "edge_spread": edge(o, h, lo, c, 60),
        "kyle_lambda": np.polyfit(signed[-60:], simple[-60:], 1)[0],
        "hasbrouck_impact": np.polyfit(rooted[-60:], log[-60:], 1)[0],
        "reversal_gamma": reversal(simple, v, 60),
        "order_imbalance": flow[-50:].sum() / v[-50:].sum(),
        "vpin": np.abs(flow[-50:]).sum() / v[-50:].sum(),
        "imbalance_persistence": np.corrcoef(longer[-60:], longer[-61:-1])[0, 1],
        "zero_return_share": (c[-60:] == c[-61:-1]).mean(),
        "zero_volume_share": (v[-60:] == 0).mean(),
        "overnight_reversal": np.corrcoef(day[-60:], night[-60:])[0, 1],
    }


def main():
    table = pd.read_csv(HERE / "features_bars.csv")
    found = pd.DataFrame({symbol: expected(part) for symbol, part in table.groupby("symbol")})
    found.rename_axis("feature").sort_index().to_csv(
        HERE / "features_expected_microstructure.csv", float_format="%.12g"
    )


if __name__ == "__main__":
    main()
