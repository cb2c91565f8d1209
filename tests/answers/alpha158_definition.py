"""What each column of Alpha158 is, one window at a time and in extended precision: slow, and easy to check.

A series begins at the symbol's first bar. A window is what lies in its last rows; missing values in it are left out,
and places count its rows. Qlib's definitions (``qlib.contrib.data.loader.Alpha158DL``), except for the place of an
extreme in a window with a missing bar, where qlib returns that bar's.
"""

import numpy as np

WINDOWS = (5, 10, 20, 30, 60)
COLUMNS = ("open", "high", "low", "close", "volume", "vwap")
OF_BAR = ("KMID", "KLEN", "KMID2", "KUP", "KUP2", "KLOW", "KLOW2", "KSFT", "KSFT2", "OPEN0", "HIGH0", "LOW0", "VWAP0")
OF_WINDOW = (
    "ROC", "MA", "STD", "BETA", "RSQR", "RESI", "MAX", "MIN", "QTLU", "QTLD", "RANK", "RSV", "IMAX", "IMIN", "IMXD",
    "CORR", "CORD", "CNTP", "CNTN", "CNTD", "SUMP", "SUMN", "SUMD", "VMA", "VSTD", "WVMA", "VSUMP", "VSUMN", "VSUMD",
)  # fmt: skip
NAMES = (*OF_BAR, *(f"{kind}{bars}" for kind in OF_WINDOW for bars in WINDOWS))
Real = np.longdouble


def over(rolled, bars, *series, least=1):
    """Apply ``rolled`` to the values that all series have in each window; NaN under ``least`` of them."""
    out = np.full(len(series[0]), np.nan, dtype=Real)
    for row in range(len(out)):
        window = np.array([values[max(0, row - bars + 1) : row + 1] for values in series])
        known = window[:, np.isfinite(window).all(axis=0)]
        if known.shape[1] >= least:
            out[row] = rolled(*known)
    return out


def before(values, bars):
    return np.concatenate([np.full(bars, np.nan, dtype=Real), values])[: len(values)]


def ratio(part, whole):
    return np.where((part == 0) & (whole == 0), 0.0, part / whole)


def deviation(values):
    return values.std(ddof=1) if len(values) > 1 and np.ptp(values) > 0 else np.nan if len(values) < 2 else 0.0


def line(values, ages, part):
    """The least-squares line over bars of these ages: slope, value at age 0, or the share that it explains."""
    if len(values) < 2:
        return np.nan
    away, off = ages.mean() - ages, values - values.mean()
    slope = (away @ off) / (away @ away)
    if part == "end":
        return values.mean() + slope * ages.mean()
    explained = slope * (away @ off) / (off @ off) if np.ptp(values) > 0 else np.nan
    return {"slope": slope, "fit": explained}[part]


def correlation(left, right, flat):
    if len(left) < 2 or min(deviation(left), deviation(right)) <= flat:
        return np.nan
    a, b = left - left.mean(), right - right.mean()
    return a @ b / np.sqrt((a @ a) * (b @ b))


def place(values, bars, best, least):
    """Place of the best value in each window, the oldest of equals, 1 for the window's first row."""
    found = over(lambda x, t: t[best(x)], bars, values, np.arange(len(values), dtype=Real), least=least)
    return found - np.maximum(np.arange(len(values)) - bars, -1)


def quantile(values, share):
    ordered = np.sort(values)
    place = Real(share) * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def rank(window):
    return ((window < window[-1]).sum() + ((window == window[-1]).sum() + 1) / 2) / len(window)


def of_bar(o, h, lo, c, v, vwap):
    top, bottom, span = np.maximum(o, c), np.minimum(o, c), h - lo
    price = np.where(np.isfinite(vwap), vwap, (h + lo + c) / 3)
    return {
        "KMID": (c - o) / o, "KLEN": span / o, "KMID2": ratio(c - o, span),
        "KUP": (h - top) / o, "KUP2": ratio(h - top, span),
        "KLOW": (bottom - lo) / o, "KLOW2": ratio(bottom - lo, span),
        "KSFT": (2 * c - h - lo) / o, "KSFT2": ratio(2 * c - h - lo, span),
        "OPEN0": o / c, "HIGH0": h / c, "LOW0": lo / c, "VWAP0": price / c,
    }  # fmt: skip


def of_prices(h, lo, c, bars, least):
    rows, present = -np.arange(len(c), dtype=Real), np.where(np.isfinite(c), 1.0, np.nan)
    slope, fit, end = (over(lambda x, t, part=part: line(x, t - t.min(), part), bars, c, rows, least=least)
                       for part in ("slope", "fit", "end"))  # fmt: skip
    mean, spread, ranks, upper, lower = (
        over(one, bars, c, least=least)
        for one in (np.mean, deviation, rank, lambda x: quantile(x, 0.8), lambda x: quantile(x, 0.2))
    )
    highest, lowest = over(np.max, bars, h, least=least), over(np.min, bars, lo, least=least)
    high_at, low_at = place(h, bars, np.argmax, least), place(lo, bars, np.argmin, least)
    return {
        "ROC": before(c, bars) / c, "MA": mean / c, "STD": spread / c, "BETA": slope / c, "RSQR": fit,
        "RESI": (c - end) / c, "MAX": highest / c, "MIN": lowest / c, "QTLU": upper / c, "QTLD": lower / c,
        "RANK": ranks * present, "RSV": ratio(c - lowest, highest - lowest),
        "IMAX": high_at / bars, "IMIN": low_at / bars, "IMXD": (high_at - low_at) / bars,
    }  # fmt: skip


def of_changes(c, v, bars, least):
    """Columns of price and volume changes; whole windows take the volume as it is, qlib's guard it against 0."""
    whole = least == bars
    guarded, logged = (np.where(v > 0, v, np.nan),) * 2 if whole else (v + 1e-12, v + 1)
    change = c - before(c, 1)
    rises, falls = (over(np.sum, bars, event.astype(Real)) for event in (change > 0, change < 0))
    seen = over(len, bars, change) if whole else np.minimum(np.arange(len(c)) + 1, bars)
    seen = np.where(seen >= least, seen, np.nan)
    gain, loss, more, less = (
        over(np.sum, bars, np.maximum(side, 0), least=least)
        for series in (change, v - before(v, 1))
        for side in (series, -series)
    )
    moves = np.abs(c / before(c, 1) - 1) * v
    volumes = np.log(v / np.where(before(v, 1) > 0, before(v, 1), np.nan) + 1)
    return {
        "CORR": over(lambda x, y: correlation(x, y, 0 if whole else 2e-5), bars, c, np.log(logged), least=least),
        "CORD": over(lambda x, y: correlation(x, y, 2e-5), bars, c / before(c, 1), volumes, least=least),
        "CNTP": rises / seen, "CNTN": falls / seen, "CNTD": (rises - falls) / seen,
        "SUMP": ratio(gain, gain + loss), "SUMN": ratio(loss, gain + loss), "SUMD": ratio(gain - loss, gain + loss),
        "VMA": over(np.mean, bars, v, least=least) / guarded, "VSTD": over(deviation, bars, v, least=least) / guarded,
        "WVMA": ratio(over(deviation, bars, moves, least=least), over(np.mean, bars, moves, least=least)),
        "VSUMP": ratio(more, more + less), "VSUMN": ratio(less, more + less), "VSUMD": ratio(more - less, more + less),
    }  # fmt: skip


def defined(bars_of_symbol, *, whole):
    """Every column of one symbol, by qlib's name; its rows before the first bar are NaN."""
    begin = int(np.argmax(np.isfinite(bars_of_symbol["close"])))
    o, h, lo, c, v, vwap = (bars_of_symbol[name][begin:].astype(Real) for name in COLUMNS)
    with np.errstate(all="ignore"):
        found = of_bar(o, h, lo, c, v, vwap)
        for bars in WINDOWS:
            least = bars if whole else 1
            kinds = {**of_prices(h, lo, c, bars, least), **of_changes(c, v, bars, least)}
            found |= {f"{kind}{bars}": values for kind, values in kinds.items()}
    return {name: np.concatenate([np.full(begin, np.nan), values]) for name, values in found.items()}
