"""Makes alpha158_bars.csv and alpha158_qlib.csv: run ``python tests/answers/make_alpha158_qlib.py`` with pyqlib 0.9.7.

The bars are a seeded random walk rounded to cents: AAA whole, BBB with missing bars, a halt at one price, and sessions
without volume. The numbers are pyqlib's own Alpha158, of some rows.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import qlib
from qlib.contrib.data.loader import Alpha158DL
from qlib.data import D

HERE = Path(__file__).parent
LENGTH = 130
ROWS = (0, 1, 2, 4, 5, 11, 30, 59, 60, 77, 90, 104, 129)
PRICES = ("open", "high", "low", "close", "vwap")


def bars(symbol, seed):
    rng = np.random.default_rng(seed)
    close = 25 * np.exp(rng.normal(0, 0.02, LENGTH).cumsum())
    open_ = close * np.exp(rng.normal(0, 0.006, LENGTH))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.008, LENGTH)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.008, LENGTH)))
    frame = pd.DataFrame({"open": open_, "high": high, "low": low, "close": close, "vwap": (high + low) / 2}).round(2)
    frame["volume"] = rng.lognormal(12, 0.6, LENGTH).round()
    frame.insert(0, "symbol", symbol)
    return frame


def store(frame, folder):
    """Lay bars out as pyqlib reads them: float32 files that begin with the first row's place in the calendar."""
    days = pd.bdate_range("2020-01-01", periods=LENGTH).strftime("%Y-%m-%d")
    (folder / "calendars").mkdir()
    (folder / "instruments").mkdir()
    (folder / "calendars/day.txt").write_text("\n".join(days) + "\n")
    names = sorted(frame["symbol"].unique())
    (folder / "instruments/all.txt").write_text("".join(f"{name}\t{days[0]}\t{days[-1]}\n" for name in names))
    for name, part in frame.groupby("symbol"):
        place = folder / "features" / name.lower()
        place.mkdir(parents=True)
        for column in (*PRICES, "volume"):
            np.concatenate([[0], part[column]]).astype("<f4").tofile(place / f"{column}.day.bin")


def main():
    whole, holed = bars("AAA", 1), bars("BBB", 2)
    holed.loc[40:52, PRICES] = holed.loc[40, "close"]
    holed.loc[46:49, "volume"] = 0
    holed.loc[[7, 8, 70, 71, 72, 88, 90], [*PRICES, "volume"]] = np.nan
    frame = pd.concat([whole, holed], ignore_index=True)
    frame.to_csv(HERE / "alpha158_bars.csv", index=False)
    formulas, names = Alpha158DL.get_feature_config()
    with tempfile.TemporaryDirectory() as folder:
        store(frame, Path(folder))
        qlib.init(provider_uri=folder, region="us", kernels=1, expression_cache=None, dataset_cache=None)
        values = D.features(["AAA", "BBB"], formulas, freq="day").reset_index()
    values.columns = ["symbol", "row", *names]
    values["row"] = values.groupby("symbol").cumcount()
    values[values["row"].isin(ROWS)].to_csv(HERE / "alpha158_qlib.csv", index=False, float_format="%.7g")


if __name__ == "__main__":
    main()
