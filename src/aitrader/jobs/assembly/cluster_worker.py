"""What a worker of a cluster runs, found by name there. It imports nothing heavy before the kernels' cache is named."""

import math
import os
import pickle
import sys
from functools import lru_cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from platform import node
from struct import pack
from threading import current_thread
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from aitrader.disk.kernel_cache import use_kernel_cache
from aitrader.errors import ClusterError
from aitrader.trace import Elsewhere

if TYPE_CHECKING:
    from aitrader.panel.pieces import Done
    from aitrader.panel.program import Program

Identity = dict[str, str]

_PACKAGES: Final = ("aitrader", "numpy", "numba", "llvmlite")
_PANEL: Final = Path(__file__).parents[2] / "panel"


@lru_cache(maxsize=1)
def identity() -> Identity:
    """Return what the bits of a build depend on: versions, the panel's sources, and how this machine computes.

    ``arithmetic`` stands for the last bits of functions that the C library gives, and NumPy: they differ between
    libraries and processors.
    """
    import numpy as np

    points = [math.exp(0.37 * place - 180.0) for place in range(1000)]
    functions = (math.log, math.sqrt, math.atan, math.sin, lambda x: math.exp(-x), lambda x: math.pow(x, 0.3))
    by_library = b"".join(pack("<d", function(point)) for function in functions for point in points)
    grid = np.array(points)
    by_numpy = b"".join(function(grid).tobytes() for function in (np.log, np.sin, np.cos))
    sources = b"".join(path.read_bytes() for path in sorted(_PANEL.rglob("*.py")))
    return {
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
        **{name: metadata.version(name) for name in _PACKAGES},
        "sources": sha256(sources).hexdigest()[:12],
        "arithmetic": sha256(by_library + by_numpy).hexdigest()[:12],
    }


def refuse_another(worker: str, here: Identity, there: Identity) -> None:
    """Raise ``ClusterError`` if a worker would not compute the same bits."""
    for name, value in here.items():
        if there.get(name) != value:
            raise ClusterError(
                f"The worker {worker} would compute other bits: its {name} is {there.get(name)}, here {value}.",
                fix="Install the same versions there as here, on machines of one kind, and start the workers again.",
            )


def work(program: bytes, piece: bytes, asker: Identity) -> tuple["Done", Elsewhere]:
    """Run a piece for somebody whose ``identity`` is ``asker``; return what it gives, and where the time went.

    Raises ``ClusterError`` if the identity is not this one's.
    """
    begin = perf_counter_ns()
    from aitrader.panel.pieces import computed

    refuse_another(f"process {os.getpid()}", asker, identity())
    known, wanted = _unpacked(program), pickle.loads(piece)  # noqa: S301 - from the job that started this work
    ready = perf_counter_ns()
    done = computed(known, wanted)
    took = {"prepare": ready - begin, "compute": perf_counter_ns() - ready}
    return done, Elsewhere(f"worker {os.getpid()} on {node()}", current_thread().name, took)


@lru_cache(maxsize=4)
def _unpacked(program: bytes) -> "Program":
    known: Program = pickle.loads(program)  # noqa: S301 - from the job that started this work
    return known


use_kernel_cache(os.environ)  # before the first piece brings numba in
