"""Alpha158 by this program: in memory, in blocks, into the lake, one session more, and over a long history.

Every run is a process of its own and prints one JSON line with its cost and the hash of what was computed. Compiled
code is warm and imports are not counted (``start.py`` measures those).
"""

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext
from datetime import date
from pathlib import Path

from aitrader.disk.kernel_cache import use_kernel_cache

use_kernel_cache(os.environ)

import numpy as np  # noqa: E402 - numba, which others import, takes its cache's folder from the environment
import panels  # noqa: E402
from measuring import SAMPLE_STEP, Cost, digest, names, tell  # noqa: E402

from aitrader.config.load import load  # noqa: E402
from aitrader.config.schema import Config  # noqa: E402
from aitrader.domain.clock import wall_clock  # noqa: E402
from aitrader.features.compute import compute  # noqa: E402
from aitrader.features.resolve import resolve  # noqa: E402
from aitrader.jobs import backfill, calculate_features  # noqa: E402
from aitrader.jobs.init import init  # noqa: E402
from aitrader.lake.store import Lake  # noqa: E402
from aitrader.panel.panel import Panel  # noqa: E402
from aitrader.panel.plan import plan  # noqa: E402
from aitrader.panel.program import Build  # noqa: E402

SPECS = resolve(["alpha158"], sets={}, custom={})


def threads(count: int) -> Executor | nullcontext[None]:
    """Return an executor of so many threads; none for one."""
    return ThreadPoolExecutor(count) if count > 1 else nullcontext()


def warm() -> None:
    """Load what is compiled, and touch every operator once."""
    days = panels.sessions_of(130)
    columns = panels.bars(2, len(days))
    holed = {name: np.where(np.arange(len(days)) % 9 == 4, np.nan, values) for name, values in columns.items()}
    for grids in (columns, holed):
        compute(
            Panel("XNYS", "1d", days, tuple(panels.symbols_of(2)), grids, np.ones((2, 130), bool)), SPECS, min_names=1
        )


def bits(values: np.ndarray) -> Iterator[memoryview]:
    """Yield the bytes of values, column by column; every NaN is the same one."""
    for column in values:
        yield memoryview(np.where(np.isnan(column), np.float32(np.nan), column)).cast("B")


def sampled(values: np.ndarray, step: int) -> np.ndarray:
    """Return every so many rows, by symbol and session, shape (rows, columns)."""
    return values.reshape(len(values), -1)[:, ::step].T


def memory(chosen: argparse.Namespace) -> None:
    """All 158 columns of a panel in memory, the second time in this process.

    The first touch of the result costs a virtual machine 0.1 to 3.6 s of system time, whoever asks for the memory.
    """
    panel, _ = panels.load(chosen.panel, chosen.symbols)
    warm()
    with threads(chosen.threads) as executor:
        compute(panel, SPECS, min_names=1, executor=executor)
        with Cost() as cost:
            values = compute(panel, SPECS, min_names=1, executor=executor)
    if chosen.sample:
        np.save(chosen.sample, sampled(values, SAMPLE_STEP))
    tell("aitrader", "memory", cost, rows=values[0].size, threads=chosen.threads, hash=digest(bits(values)))


def stream(chosen: argparse.Namespace) -> None:
    """The same, each block of symbols handed on when it is done, and its memory used again."""
    panel, _ = panels.load(chosen.panel, chosen.symbols)
    handed_on(panel, "blocks", chosen.threads)


def long(chosen: argparse.Namespace) -> None:
    """One symbol with so many minutes, handed on the same way."""
    columns = panels.bars(1, chosen.bars)
    starts = np.datetime64("2018-01-01T00:00", "us") + np.arange(chosen.bars) * np.timedelta64(1, "m")
    symbols, members = tuple(panels.symbols_of(1)), np.ones((1, chosen.bars), dtype=bool)
    handed_on(Panel.intraday("24/7", "1m", starts, symbols, columns, members=members), "long", 1)


def handed_on(panel: Panel, work: str, count: int) -> None:
    """Measure a build whose blocks are used and forgotten; their hash is taken in a second one."""
    warm()
    rows = 0
    with threads(count) as executor, Cost() as cost:
        for block in Build(plan([spec.expr for spec in SPECS]), panel, min_names=1).blocks(executor=executor):
            rows += block.values[0].size
    again = Build(plan([spec.expr for spec in SPECS]), panel, min_names=1).blocks()
    code = digest(column for block in again for column in bits(block.values))
    tell("aitrader", work, cost, rows=rows, threads=count, hash=code)


def settings(root: Path) -> Config:
    """Return the configuration of a benchmark's root."""
    return load(root, env={}, sets=["data.source=files"]).config


def fetch(root: Path, panel: Path, last: date) -> None:
    """Bring the lake's bars up to ``last``."""
    options = {"path": str(panel.resolve()), "adjustment": "total"}
    backfill.backfill(settings(root), root, backfill.Wanted(source="files", end=last, options=options))


def prepare(chosen: argparse.Namespace) -> None:
    """Make a lake with the bars of all sessions but the last few; not measured."""
    init(chosen.root, force=True)
    days = panels.days(chosen.panel)
    fetch(chosen.root, chosen.panel, days[-1 - chosen.spare])


def stored(root: Path, step: int) -> np.ndarray:
    """Return rows of what the lake holds, as ``sampled``."""
    with Lake.open(root / "data_lake", clock=wall_clock) as lake:
        frame = lake.snapshot().feature_frame(names())
    return frame.sort("symbol", "session").gather_every(step).select(names()).to_numpy()


def lake(chosen: argparse.Namespace) -> None:
    """Read the lake's bars, compute all of their history, write and commit it."""
    warm()
    with Cost() as cost:
        report = calculate_features.calculate_features(
            settings(chosen.root), chosen.root, calculate_features.Wanted(sets=("alpha158",), full=True)
        )
    if chosen.sample:
        np.save(chosen.sample, stored(chosen.root, SAMPLE_STEP))
    tell("aitrader", "lake", cost, rows=report.symbols * report.sessions)


def more(chosen: argparse.Namespace) -> None:
    """Bring the bars of one session more into the lake; not measured."""
    days = panels.days(chosen.panel)
    with Lake.open(chosen.root / "data_lake", clock=wall_clock) as held:
        known = held.snapshot().bars().get_column("session").max()
    fetch(chosen.root, chosen.panel, days[days.index(known) + 1])


def day(chosen: argparse.Namespace) -> None:
    """Read what one session more needs, compute, write and commit it."""
    config = settings(chosen.root)
    warm()
    with Cost() as cost:
        report = calculate_features.calculate_features(
            config, chosen.root, calculate_features.Wanted(sets=("alpha158",))
        )
    if chosen.sample:
        np.save(chosen.sample, stored(chosen.root, 1)[report.sessions - 1 :: report.sessions])
    tell("aitrader", "day", cost, rows=report.symbols, computed=report.computed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    works = parser.add_subparsers(required=True)
    for work in (memory, stream, long, prepare, more, lake, day):
        sub = works.add_parser(work.__name__, description=work.__doc__)
        sub.set_defaults(work=work)
        if work in {memory, stream, prepare, more}:
            sub.add_argument("panel", type=Path)
        if work in {memory, stream}:
            sub.add_argument("--symbols", type=int, help="only the first so many")
            sub.add_argument("--threads", type=int, default=1)
        if work in {prepare, more, lake, day}:
            sub.add_argument("root", type=Path)
        if work is prepare:
            sub.add_argument("--spare", type=int, default=5, help="sessions to leave out")
        if work is long:
            sub.add_argument("--bars", type=int, default=2_000_000)
        if work in {memory, lake, day}:
            sub.add_argument("--sample", help="keep some rows here, as a NumPy file")
    chosen = parser.parse_args()
    chosen.work(chosen)


if __name__ == "__main__":
    main()
