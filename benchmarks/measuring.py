"""What a piece of work costs, and what it made: one JSON line. Standard library only, because peers import it too."""

import hashlib
import json
import os
import resource
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

MIB = 2**20
SAMPLE_STEP = 997
"""Every so many rows (by symbol, then session) are kept to compare what two programs computed."""


class Cost:
    """Wall seconds, CPU seconds (user and system, finished children too) and peak resident MiB of a block.

    The kernel's mark of the highest residence is reset at the start; with ``workers`` the processes below this one
    are added up twenty times a second.
    """

    def __init__(self, *, workers: bool = False) -> None:
        self.wall = self.cpu = self.system = self.peak = 0.0
        self._workers = workers
        self._done = threading.Event()
        self._most = 0

    def __enter__(self) -> "Cost":
        with suppress(OSError):  # then the peak is that of the whole process
            Path("/proc/self/clear_refs").write_text("5")
        if self._workers:
            self._watcher = threading.Thread(target=self._watch, daemon=True)
            self._watcher.start()
        self._start = (time.perf_counter(), *_cpu())
        return self

    def __exit__(self, *_: object) -> None:
        wall, user, system = (
            now - before for now, before in zip((time.perf_counter(), *_cpu()), self._start, strict=True)
        )
        self._done.set()
        if self._workers:
            self._watcher.join()
        self.wall, self.cpu, self.system = wall, user + system, system
        self.peak = max(_status("self", "VmHWM"), self._most) / MIB

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            self._most = max(self._most, sum(_status(pid, "VmRSS") for pid in _family()))

    def figures(self) -> dict[str, float]:
        """Return the figures, rounded."""
        return {
            "wall_s": round(self.wall, 4),
            "cpu_s": round(self.cpu, 4),
            "system_s": round(self.system, 4),
            "peak_mib": round(self.peak, 1),
        }


def tell(who: str, work: str, cost: Cost | None = None, **more: Any) -> None:
    """Print one JSON line."""
    print(json.dumps({"who": who, "work": work, **(cost.figures() if cost else {}), **more}), flush=True)


def digest(parts: Iterable[memoryview | bytes]) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of ``parts``."""
    state = hashlib.sha256()
    for part in parts:
        state.update(part)
    return state.hexdigest()[:16]


def names() -> list[str]:
    """Return the 158 names in qlib's order."""
    bar = ["KMID", "KLEN", "KMID2", "KUP", "KUP2", "KLOW", "KLOW2", "KSFT", "KSFT2", "OPEN0", "HIGH0", "LOW0", "VWAP0"]
    window = (
        "ROC MA STD BETA RSQR RESI MAX MIN QTLU QTLD RANK RSV IMAX IMIN IMXD CORR CORD CNTP CNTN CNTD SUMP SUMN SUMD "
        "VMA VSTD WVMA VSUMP VSUMN VSUMD"
    )
    return bar + [f"{kind}{bars}" for kind in window.split() for bars in (5, 10, 20, 30, 60)]


def _cpu() -> tuple[float, float]:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + children.ru_utime, own.ru_stime + children.ru_stime


def _status(pid: str, field: str) -> int:
    """Return a size of a process in bytes; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), 0)


def _family() -> list[str]:
    """Return this process and all below it."""
    parents: dict[str, list[str]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                stat = Path(entry.path, "stat").read_text()
            except OSError:
                continue
            parents.setdefault(stat.rpartition(")")[2].split()[1], []).append(entry.name)
    found = [str(os.getpid())]
    for pid in found:
        found += parents.get(pid, [])
    return found
