"""Makes features_expected_alpha158.csv: run ``python tests/answers/make_features_alpha158.py``.

The last of the bars in features_bars.csv, by qlib's formulas in plain NumPy. All windows are whole there, so that a
column and its ``_full`` differ only by qlib's guards of the volume.
"""

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent


def rank(values):
    return ((values < values[-1]).sum() + ((values == values[-1]).sum() + 1) / 2) / len(values)


def gains(values, bars):
    change = np.diff(values)[-bars:]
    size = np.abs(change).sum()
    return change[change > 0].sum() / size, -change[change < 0].sum() / size, change.sum() / size


def expected(b):
    o, h, lo, c, v = (b[name].to_numpy(dtype=float) for name in ("open", "high", "low", "close", "volume"))
    first, high, low, last = o[-1], h[-1], lo[-1], c[-1]
    top, bottom, span = max(first, last), min(first, last), high - low
    found = {
        "KMID": last / first - 1, "KLEN": span / first, "KMID2": (last - first) / span,
        "KUP": (high - top) / first, "KUP2": (high - top) / span,
        "KLOW": (bottom - low) / first, "KLOW2": (bottom - low) / span,
        "KSFT": (2 * last - high - low) / first, "KSFT2": (2 * last - high - low) / span,
        "OPEN0": first / last, "HIGH0": high / last, "LOW0": low / last, "VWAP0": (high + low + last) / 3 / last,
    }  # fmt: skip
    relative, volumes = c[1:] / c[:-1], np.log(v[1:] / v[:-1] + 1)
    moves = np.abs(relative - 1) * v[1:]
    for bars in (5, 10, 20, 30, 60):
        part, days = c[-bars:], np.arange(bars)
        line = np.polyfit(days, part, 1)
        highest, lowest = h[-bars:].max(), lo[-bars:].min()
        high_at, low_at = (h[-bars:].argmax() + 1) / bars, (lo[-bars:].argmin() + 1) / bars
        up, down, net = gains(c, bars)
        more, less, more_net = gains(v, bars)
        rises, falls = (relative[-bars:] > 1).mean(), (relative[-bars:] < 1).mean()
        found[f"ROC{bars}"] = c[-1 - bars] / last
        windows = {
            "MA": part.mean() / last, "STD": part.std(ddof=1) / last, "BETA": line[0] / last,
            "RSQR": np.corrcoef(days, part)[0, 1] ** 2, "RESI": (last - np.polyval(line, bars - 1)) / last,
            "MAX": highest / last, "MIN": lowest / last,
            "QTLU": np.quantile(part, 0.8) / last, "QTLD": np.quantile(part, 0.2) / last, "RANK": rank(part),
            "RSV": (last - lowest) / (highest - lowest), "IMAX": high_at, "IMIN": low_at, "IMXD": high_at - low_at,
            "CORR": np.corrcoef(part, np.log(v[-bars:] + 1))[0, 1],
            "CORD": np.corrcoef(relative[-bars:], volumes[-bars:])[0, 1],
            "CNTP": rises, "CNTN": falls, "CNTD": rises - falls, "SUMP": up, "SUMN": down, "SUMD": net,
            "VMA": v[-bars:].mean() / v[-1], "VSTD": v[-bars:].std(ddof=1) / v[-1],
            "WVMA": moves[-bars:].std(ddof=1) / moves[-bars:].mean(), "VSUMP": more, "VSUMN": less, "VSUMD": more_net,
        }  # fmt: skip
        found |= {f"{name}{bars}": value for name, value in windows.items()}
        windows["CORR"] = np.corrcoef(part, np.log(v[-bars:]))[0, 1]
        found |= {f"{name}{bars}_full": value for name, value in windows.items()}
    return found


def main():
    table = pd.read_csv(HERE / "features_bars.csv")
    columns = {symbol: expected(part) for symbol, part in table.groupby("symbol")}
    found = pd.DataFrame(columns).rename_axis("feature").sort_index()
    found.to_csv(HERE / "features_expected_alpha158.csv", float_format="%.12g")


if __name__ == "__main__":
    main()
