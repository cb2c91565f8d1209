"""Alpha158 beside pyqlib's and beside the definition: which values differ, why, and which of the two is the more exact.

``equality_alpha158.py PANEL PYQLIB`` compares every value of a panel (``panels.py``) with what pyqlib made of it
(``peers/qlib_alpha158.py --save``). Equal is: both missing, or |a - b| <= 1e-4 |b| + 1e-5 x the standard deviation of
our column (pyqlib's may be that of its residues); pyqlib computes in float32. Every value that is not equal is put into
a class; ``--check`` of them, and ``--symbols`` of the panel as a whole, are computed by the definition in extended
precision (``tests/answers/alpha158_definition.py``). Ends with 1 if more than 5e-5 of the values differ beside the
places that pyqlib takes from missing bars, or ours is not within 1e-6 of the definition.
"""

import argparse
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/answers"))

import panels
from alpha158_definition import NAMES, WINDOWS, defined
from measuring import tell

from aitrader.features.compute import compute
from aitrader.features.resolve import resolve

LIMIT, EXACT = 5e-5, 1e-6
HOLE = "a missing bar in the window, whose place pyqlib returns"
STILL = "the close did not move in the window, and pyqlib keeps the residue of a running sum"
ROUNDED = "pyqlib rounds close / close before, its distance to 1, or log(volume + 1) to float32"
OTHER = "anything else"


def family(name: str) -> str:
    """Return the kind of a column: its name without the window's length."""
    return "K..." if name.startswith("K") else re.sub(r"\d+$", "", name)


def seen(condition: np.ndarray, bars: int) -> np.ndarray:
    """Say where a condition held in any of the last ``bars`` columns."""
    found = np.zeros_like(condition)
    for age in range(min(bars, condition.shape[1])):
        found[:, age:] |= condition[:, : condition.shape[1] - age]
    return found


def classes(panel: panels.Panel, name: str) -> np.ndarray:
    """Return the class of a difference in column ``name`` for every symbol and session."""
    bars = int((re.findall(r"\d+$", name) or ["1"])[0])
    found = np.full(panel.shape, ROUNDED if family(name) in {"CORR", "CORD", "WVMA"} else OTHER, dtype=object)
    if family(name) in {"IMAX", "IMIN", "IMXD"}:
        found[seen(np.isnan(panel["high"]) | np.isnan(panel["low"]), bars)] = HOLE
    if family(name) in {"STD", "WVMA"}:
        with np.errstate(invalid="ignore"):
            change = np.diff(panel["close"], axis=1, prepend=np.nan)
        found[~seen(~np.isnan(change) & (change != 0), bars - (family(name) == "STD"))] = STILL
    return found


def errors(values: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return relative errors; what is small beside the column's median counts as a thousandth of it."""
    size = np.abs(truth)
    return np.abs(values - truth) / np.maximum(size, 1e-3 * np.nanmedian(size) + 1e-300)


class Comparison:
    """What was found so far, by kind of column."""

    def __init__(self) -> None:
        self.values = self.missing = 0
        self.differ: Counter[tuple[str, str]] = Counter()
        self.ours: dict[str, tuple[int, float]] = {}
        self.theirs: dict[str, tuple[int, float]] = {}

    def column(self, name: str, ours: np.ndarray, theirs: np.ndarray, why: np.ndarray) -> np.ndarray:
        """Compare a column; return where it differs."""
        both = ~(np.isnan(ours) | np.isnan(theirs))
        spread = np.std(ours[both]) if both.any() else 0.0
        far = both & (np.abs(ours - theirs) > 1e-4 * np.abs(theirs) + 1e-5 * spread)
        self.values += len(ours)
        self.missing += int((np.isnan(ours) != np.isnan(theirs)).sum())
        self.differ.update((family(name), reason) for reason in why[far])
        return far

    def precision(self, name: str, ours: np.ndarray, theirs: np.ndarray, truth: np.ndarray, why: np.ndarray) -> None:
        """Compare both with the truth; a place that pyqlib takes from a missing bar is not counted."""
        counted = ~np.isnan(truth) & (why != HOLE)
        for table, values in ((self.ours, ours), (self.theirs, theirs)):
            wrong = errors(values, truth)[counted]
            number, worst = table.get(family(name), (0, 0.0))
            table[family(name)] = (number + int((wrong > EXACT).sum()), max(worst, float(wrong.max(initial=0))))


def of_definition(panel: panels.Panel, rows: range) -> dict[str, np.ndarray]:
    """Return the columns of some symbols by the definition."""
    found = [defined({name: panel[name][row] for name in panels.COLUMNS}, whole=False) for row in rows]
    return {name: np.array([one[name] for one in found], dtype=float) for name in NAMES}


def exact_there(panel: panels.Panel, name: str, cells: list[tuple[int, int]], ours: list[float]) -> int:
    """Return how many of these values agree with the definition, each computed from the bars that it needs."""
    exact = 0
    for (row, place), value in zip(cells, ours, strict=True):
        span = slice(max(0, place - 2 * max(WINDOWS)), place + 1)
        truth = float(defined({column: panel[column][row, span] for column in panels.COLUMNS}, whole=False)[name][-1])
        exact += abs(value - truth) <= EXACT * max(abs(truth), 1e-9)
    return exact


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("panel", type=Path)
    parser.add_argument("pyqlib", type=Path)
    parser.add_argument("--symbols", type=int, default=10, help="so many are computed by the definition as a whole")
    parser.add_argument("--check", type=int, default=200, help="so many differences are computed by it, spread evenly")
    chosen = parser.parse_args()
    panel, (symbol, place) = panels.load(chosen.panel)
    theirs = pl.read_parquet(chosen.pyqlib).sort("symbol", "session")
    assert theirs.height == len(symbol), (theirs.height, len(symbol))
    specs = resolve(["alpha158"], sets={}, custom={})
    grids = dict(zip((spec.name for spec in specs), compute(panel, specs, min_names=1), strict=True))
    truth = of_definition(panel, range(min(chosen.symbols, panel.shape[0])))
    found, far = Comparison(), []
    for name in NAMES:
        why = classes(panel, name)[symbol, place]
        values, other = grids[name][symbol, place].astype(float), theirs[name].cast(pl.Float64).to_numpy()
        wrong = found.column(name, values, other, why)
        far += [(name, cell) for cell in np.flatnonzero(wrong & (why != HOLE))]
        head = symbol < chosen.symbols
        found.precision(name, values[head], other[head], truth[name][symbol[head], place[head]], why[head])
    picked = [far[n] for n in np.linspace(0, len(far) - 1, min(chosen.check, len(far))).astype(int)]
    exact = sum(
        exact_there(panel, name, [(symbol[cell], place[cell])], [float(grids[name][symbol[cell], place[cell]])])
        for name, cell in picked
    )
    report(found, len(picked), exact, chosen.panel.stem)


def report(found: Comparison, checked: int, exact: int, panel: str) -> None:
    """Print the tables and the verdict."""
    print("| kind | values beyond 1e-6, ours | worst error, ours | beyond 1e-6, pyqlib | worst error, pyqlib |")
    print("|---|---:|---:|---:|---:|")
    for kind, (number, worst) in found.ours.items():
        print(f"| {kind} | {number} | {worst:.1e} | {found.theirs[kind][0]} | {found.theirs[kind][1]:.1e} |")
    counted = sum(number for (_, reason), number in found.differ.items() if reason != HOLE)
    sound = not found.missing and counted <= LIMIT * found.values and exact == checked
    sound &= not any(number for number, _ in found.ours.values())
    tell(
        "aitrader", "equality", panel=panel, values=found.values, missing_differ=found.missing,
        differ={f"{kind}: {reason}": number for (kind, reason), number in sorted(found.differ.items())},
        share_beside_holes=counted / found.values, checked=checked, ours_exact=exact, sound=sound,
    )  # fmt: skip
    if not sound:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
