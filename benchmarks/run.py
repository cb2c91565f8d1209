"""All benchmarks of features beside their peers, in turns, with what they computed compared before any time counts.

``run.py`` runs the short form, ``--full`` the sizes that docs/benchmarks.md shows. ``--check`` ends with 1 if a ratio
fell more than 15 % below benchmarks/recorded.json or another result was computed; ``--record`` writes that file.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from limits import least

HERE = Path(__file__).parent
BUILD = HERE.parent / "build/bench"
RECORDED = HERE / "recorded.json"
QLIB = BUILD / "pyqlib/bin/python"
SLACK = 0.85
"""A ratio may fall to this share of the recorded one: the noise of a shared machine."""
LOOKBACK = 60
DIFFER = 5e-5
"""Share of sampled values that may differ from a peer's; tests/features and equality_alpha158.py look at each one."""


@dataclass(frozen=True)
class Form:
    """The sizes of one form: of the panel, of the growth, of the long history, and how often everything runs."""

    name: str
    symbols: int
    growth: tuple[int, ...]
    long: int
    rounds: int
    sessions: int = 3_400


SHORT = Form("short", 200, (50, 200), 200_000, 3)
FULL = Form("full", 800, (100, 400, 800, 3_000), 2_000_000, 3)


@dataclass
class Bench:
    """One run of a form: where its panels lie, and every figure by the name of its command."""

    form: Form
    runs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def panel(self, symbols: int) -> Path:
        """Return the panel of so many symbols, made where it is missing."""
        path = BUILD / f"panel-{symbols}.parquet"
        if not path.exists():
            size = ("--symbols", str(symbols), "--sessions", str(self.form.sessions))
            call(sys.executable, HERE / "panels.py", path, *size)
        return path

    def take(self, name: str, *command: object, cache: Path | None = None) -> dict[str, Any]:
        """Run a command and keep its figures under ``name``."""
        line = json.loads(call(*command, cache=cache).splitlines()[-1])
        self.runs.setdefault(name, []).append(line)
        print(f"  {name}: {', '.join(f'{key} {line[key]}' for key in ('wall_s', 'cpu_s', 'peak_mib') if key in line)}")
        return line

    def median(self, name: str, figure: str) -> float:
        """Return the median of a figure of a command."""
        return statistics.median(run[figure] for run in self.runs[name])

    def ratio(self, peer: str, ours: str, figure: str = "cpu_s") -> float:
        """Return the median over the rounds of a peer's figure over ours; a peer may have run once for all rounds."""
        peers, mine = self.runs[peer], self.runs[ours]
        peers = peers * len(mine) if len(peers) == 1 else peers
        return statistics.median(a[figure] / b[figure] for a, b in zip(peers, mine, strict=True))


def call(*command: object, cache: Path | None = None) -> str:
    """Run a command in a process of its own and return what it printed."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("AITRADER")}
    env["PYTHONPATH"] = str(HERE)
    if cache is not None:
        env["NUMBA_CACHE_DIR"] = str(cache)
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        raise SystemExit(f"{command[1:]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def ours(*words: object) -> tuple[object, ...]:
    """Return the command of this program's side."""
    return (sys.executable, HERE / "features.py", *words)


def qlib(panel: Path, *words: object) -> tuple[object, ...]:
    """Return the command of pyqlib's side."""
    return (QLIB, HERE / "peers/qlib_alpha158.py", panel, "--store", BUILD / f"store-{panel.stem}", *words)


def polars(panel: Path, *words: object) -> tuple[object, ...]:
    """Return the command of Polars' side."""
    return (sys.executable, HERE / "peers/polars_alpha158.py", panel, *words)


def agree(mine: Path, theirs: Path) -> None:
    """End the program if two samples differ in more than a few values."""
    a, b = (np.load(path).astype(float) for path in (mine, theirs))
    if a.shape != b.shape:
        raise SystemExit(f"{mine.name} has {a.shape}, {theirs.name} {b.shape}")
    far = np.abs(a - b) > 1e-4 * np.abs(b) + 1e-5 * np.nanstd(b, axis=0)
    wrong = int((far | (np.isnan(a) != np.isnan(b))).sum())
    print(f"  {mine.stem} and {theirs.stem}: {wrong} of {a.size} values differ")
    if wrong > DIFFER * a.size:
        raise SystemExit("They did not compute the same; no time counts.")


def in_memory(bench: Bench) -> None:
    """The panel in memory to the columns: beside pyqlib and Polars, and beside the machine's limit."""
    panel = bench.panel(bench.form.symbols)
    for number in range(bench.form.rounds):
        sample = [] if number else ["--sample"]
        bench.take("copy", sys.executable, HERE / "limits.py")
        bench.take("kept", *ours("memory", panel, *sample, *([BUILD / "ours.npy"] if sample else [])))
        bench.take("blocks", *ours("stream", panel))
        bench.take("polars", *polars(panel, *sample, *([BUILD / "polars.npy"] if sample else [])))
        bench.take("blocks of 2 threads", *ours("stream", panel, "--threads", 2))
        if number == 0 or bench.form is SHORT:
            bench.take("pyqlib", *qlib(panel, *sample, *([BUILD / "pyqlib.npy"] if sample else [])))
            bench.take("pyqlib of 2 workers", *qlib(panel, "--workers", 2))
    for peer in ("pyqlib", "polars"):
        agree(BUILD / "ours.npy", BUILD / f"{peer}.npy")


def stored(bench: Bench) -> None:
    """The lake's bars to committed columns, and one session more."""
    panel, root = bench.panel(bench.form.symbols), BUILD / "root"
    shutil.rmtree(root, ignore_errors=True)
    call(*ours("prepare", panel, root, "--spare", bench.form.rounds))
    for _ in range(bench.form.rounds):
        bench.take("lake", *ours("lake", root))
        bench.take("polars to a file", *polars(panel, "--sink", BUILD / "polars.parquet"))
    for left in reversed(range(bench.form.rounds)):
        last = left == 0
        samples = [["--sample", BUILD / f"{who}-day.npy"] if last else [] for who in ("ours", "polars", "pyqlib")]
        call(*ours("more", panel, root))
        bench.take("day", *ours("day", root, *samples[0]))
        bench.take("polars, one day", *polars(panel, "--last", BUILD / "polars.parquet", *samples[1]))
        if last:
            bench.take("pyqlib, one day", *qlib(panel, "--last", *samples[2]))
    for peer in ("pyqlib", "polars"):
        agree(BUILD / "ours-day.npy", BUILD / f"{peer}-day.npy")


def many(bench: Bench) -> None:
    """The lake with many more symbols; the full form only."""
    if bench.form is not FULL:
        return
    panel, root = bench.panel(bench.form.growth[-1]), BUILD / "root-of-many"
    shutil.rmtree(root, ignore_errors=True)
    call(*ours("prepare", panel, root, "--spare", bench.form.rounds))
    bench.take("lake of many", *ours("lake", root))
    for _ in range(bench.form.rounds):
        call(*ours("more", panel, root))
        bench.take("day of many", *ours("day", root))
    shutil.rmtree(root)


def growing(bench: Bench) -> None:
    """More symbols, and one symbol with a long history."""
    for _ in range(bench.form.rounds):
        for symbols in bench.form.growth:
            bench.take(f"blocks of {symbols}", *ours("stream", bench.panel(symbols)))
        bench.take("long", *ours("long", "--bars", bench.form.long))


def starting(bench: Bench) -> None:
    """The first use on a machine, which compiles, and the starts after it."""
    cache = BUILD / "kernels"
    for _ in range(bench.form.rounds if bench.form is FULL else 1):
        shutil.rmtree(cache, ignore_errors=True)
        for name in ("first use", "later start"):
            bench.take(name, sys.executable, HERE / "start.py", cache=cache)


def ratios(bench: Bench) -> dict[str, float]:
    """Return the peers' CPU seconds over ours, which are recorded: other programs disturb them least."""
    pairs = {
        "pyqlib / in blocks": ("pyqlib", "blocks"),
        "Polars / in blocks": ("polars", "blocks"),
        "pyqlib without a file / committed to the lake": ("pyqlib", "lake"),
        "Polars with a file / committed to the lake": ("polars to a file", "lake"),
        "pyqlib / one session more": ("pyqlib, one day", "day"),
        "Polars / one session more": ("polars, one day", "day"),
    }
    return {name: round(bench.ratio(*pair), 2) for name, pair in pairs.items()}


def others(bench: Bench) -> dict[str, float]:
    """Return what is shown beside them: wall time, the machine's limit, growth."""
    a_row = {
        name: bench.median(name, "cpu_s") / runs[0]["rows"] for name, runs in bench.runs.items() if "rows" in runs[0]
    }
    limit = least(bench.runs["blocks"][0]["rows"]) / bench.median("copy", "bytes_a_second")
    found = {
        "wall of pyqlib with 2 workers / in blocks by 2 threads": bench.ratio(
            "pyqlib of 2 workers", "blocks of 2 threads", "wall_s"
        ),
        "CPU in blocks / machine's limit": bench.median("blocks", "cpu_s") / limit,
        "CPU a row, one long history / the panel": a_row["long"] / a_row["blocks"],
    }
    for symbols in bench.form.growth[1:]:
        few = f"blocks of {bench.form.growth[0]}"
        found[f"CPU a row, {symbols} symbols / {bench.form.growth[0]}"] = a_row[f"blocks of {symbols}"] / a_row[few]
    if "day of many" in bench.runs:
        share = (LOOKBACK + 1) / bench.form.sessions
        found["many symbols: one session more / its share of the full build"] = bench.median("day of many", "cpu_s") / (
            bench.median("lake of many", "cpu_s") * share
        )
    return {name: round(value, 3) for name, value in found.items()}


def hashes(bench: Bench) -> dict[str, str]:
    """Return the hash of what each command of ours computed; ends the program if two runs differ."""
    found = {}
    for name, runs in bench.runs.items():
        kinds = {run["hash"] for run in runs if "hash" in run}
        if len(kinds) > 1:
            raise SystemExit(f"{name} computed different values in different runs: {kinds}")
        if kinds:
            found[name] = kinds.pop()
    if len({found[name] for name in ("blocks", "blocks of 2 threads")}) > 1:
        raise SystemExit("Two threads computed other values than one.")
    return found


def show(bench: Bench) -> None:
    """Print every command's medians as a table."""
    print("\n| command | wall, s | CPU, s | of it system | peak, MiB |\n|---|---:|---:|---:|---:|")
    for name, runs in bench.runs.items():
        if "wall_s" in runs[0]:
            figures = [bench.median(name, key) if key in runs[0] else None for key in FIGURES]
            print(f"| {name} | " + " | ".join("" if value is None else f"{value:.4g}" for value in figures) + " |")


def compared(found: dict[str, float], computed: dict[str, str], form: Form) -> list[str]:
    """Return what is worse than recorded, in words."""
    known = json.loads(RECORDED.read_text())[form.name]
    worse = [
        f"{name}: {found[name]} is less than {SLACK:.0%} of the recorded {value}"
        for name, value in known["ratios"].items()
        if found.get(name, 0.0) < SLACK * value
    ]
    other = [
        f"{name}: the values are not those recorded"
        for name, code in known["hashes"].items()
        if computed.get(name) != code
    ]
    return worse + other


def record(found: dict[str, float], computed: dict[str, str], form: Form) -> None:
    """Write the ratios and hashes of this form to the file that ``--check`` compares with."""
    known = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    known[form.name] = {"ratios": found, "hashes": computed}
    RECORDED.write_text(json.dumps(known, indent=2) + "\n")


def main() -> None:
    """Run a form and show, record or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS), help="parts to run and show")
    chosen = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    bench = Bench(FULL if chosen.full else SHORT)
    for name in chosen.only:
        print(f"{name}:")
        PARTS[name](bench)
    show(bench)
    if chosen.only != list(PARTS):
        return
    found, computed = ratios(bench), hashes(bench)
    told = {
        "benchmark": "features",
        "form": bench.form.name,
        "ratios": found,
        "others": others(bench),
        "hashes": computed,
    }
    print(json.dumps(told))
    (BUILD / f"{bench.form.name}.json").write_text(json.dumps(bench.runs, indent=1))
    if chosen.record:
        record(found, computed, bench.form)
    worse = compared(found, computed, bench.form) if chosen.check else []
    print(*worse, sep="\n", end="", file=sys.stderr)
    if worse:
        raise SystemExit(1)


FIGURES = ("wall_s", "cpu_s", "system_s", "peak_mib")
PARTS = {"memory": in_memory, "lake": stored, "many": many, "growth": growing, "start": starting}

if __name__ == "__main__":
    main()
