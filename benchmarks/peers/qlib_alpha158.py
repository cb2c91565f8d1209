"""pyqlib's own loader: Alpha158 to its DataFrame with its caches off, all sessions or the last one only.

``--store FOLDER`` first lays the panel out as pyqlib's binary files (not counted) if the folder is not there.
"""

import argparse
import logging
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from measuring import SAMPLE_STEP, Cost, names, tell

COLUMNS = ("open", "high", "low", "close", "volume", "vwap")


def lay_out(panel: str, folder: Path) -> None:
    """Write calendar, instruments, and float32 files that begin with the first row's place in the calendar."""
    frame = pd.read_parquet(panel)
    days = np.sort(frame["session"].unique())
    place = pd.Series(np.arange(len(days)), index=days)
    texts = pd.DatetimeIndex(days).strftime("%Y-%m-%d")
    lines = []
    for symbol, part in frame.groupby("symbol"):
        where = place[part["session"]].to_numpy()
        begin, end = where[0], where[-1]
        home = folder / "features" / symbol.lower()
        home.mkdir(parents=True)
        for name in COLUMNS:
            values = np.full(end - begin + 2, np.nan, dtype="<f4")
            values[0] = begin
            values[1 + where - begin] = part[name]
            values.tofile(home / f"{name}.day.bin")
        lines.append(f"{symbol}\t{texts[begin]}\t{texts[end]}\n")
    (folder / "calendars").mkdir()
    (folder / "instruments").mkdir()
    (folder / "calendars/day.txt").write_text("\n".join(texts) + "\n")
    (folder / "instruments/all.txt").write_text("".join(lines))


def loaded(store: Path, workers: int, *, last: bool) -> tuple[pd.DataFrame, Cost]:
    import qlib
    from qlib.contrib.data.handler import Alpha158
    from qlib.data import D

    qlib.init(
        provider_uri=str(store), region="us", kernels=workers, expression_cache=None, dataset_cache=None,
        logging_level=logging.ERROR, auto_mount=False,
    )  # fmt: skip
    span = {"start_time": D.calendar()[-1], "end_time": D.calendar()[-1]} if last else {}
    with Cost(workers=workers > 1) as cost:
        handler = Alpha158(instruments="all", infer_processors=[], learn_processors=[], drop_raw=True, **span)
        found = handler.fetch(col_set="feature" if last else "__all", data_key=handler.DK_I)
    return found, cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("panel")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--last", action="store_true")
    parser.add_argument("--sample", help="keep some rows here, as a NumPy file")
    parser.add_argument("--save", help="keep all rows here, as a Parquet file")
    chosen = parser.parse_args()
    answers = os.dup(1)
    os.dup2(2, 1)  # what pyqlib says goes to the other stream
    if not chosen.store.exists():
        lay_out(chosen.panel, chosen.store)
    found, cost = loaded(chosen.store, chosen.workers, last=chosen.last)
    if chosen.sample or chosen.save:
        rows = found.droplevel(0, axis=1) if found.columns.nlevels > 1 else found
        rows = rows[names()].reorder_levels(["instrument", "datetime"]).sort_index()
        if chosen.sample:
            np.save(chosen.sample, rows.iloc[:: 1 if chosen.last else SAMPLE_STEP].to_numpy(dtype=np.float32))
        if chosen.save:
            rows.reset_index(names=["symbol", "session"]).to_parquet(chosen.save)
    sys.stdout.flush()
    os.dup2(answers, 1)
    work = "day" if chosen.last else "memory"
    tell("pyqlib", work, cost, rows=len(found), workers=chosen.workers, version="0.9.7")


if __name__ == "__main__":
    main()
