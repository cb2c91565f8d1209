"""How long it takes until the first block of Alpha158 runs in a new process, imports and compiled code included.

With an empty folder in NUMBA_CACHE_DIR it is the first use on a machine, which compiles every kernel. One JSON line.
"""

import os
import time

BEGIN = time.perf_counter()

from aitrader.disk.kernel_cache import use_kernel_cache  # noqa: E402 - the clock runs before the first import

use_kernel_cache(os.environ)

import numpy as np  # noqa: E402
from measuring import digest, tell  # noqa: E402

from aitrader.features.resolve import resolve  # noqa: E402
from aitrader.panel.panel import Panel  # noqa: E402
from aitrader.panel.plan import plan  # noqa: E402
from aitrader.panel.program import Build  # noqa: E402

BARS = 300


def panel() -> Panel:
    """Return one symbol whose price swings and which lacks a bar."""
    wave = 50 + 5 * np.sin(np.arange(BARS)[None, :] / 9.0)
    wave[0, 100] = np.nan
    columns = {"open": wave, "high": wave + 1, "low": wave - 1, "close": wave, "volume": wave * 1e4, "vwap": wave}
    return Panel(
        "24/7", "1d", np.datetime64("2020-01-01") + np.arange(BARS), ("AAA",), columns, np.ones((1, BARS), bool)
    )


def main() -> None:
    """Print the seconds of each part."""
    imported = time.perf_counter()
    program = plan([spec.expr for spec in resolve(["alpha158"], sets={}, custom={})])
    planned = time.perf_counter()
    block = next(Build(program, panel(), min_names=1).blocks())
    done = time.perf_counter()
    times = {"imports_s": imported - BEGIN, "plan_s": planned - imported, "kernels_s": done - planned}
    figures = {"wall_s": done - BEGIN, "cpu_s": time.process_time(), **times}
    rounded = {name: round(seconds, 3) for name, seconds in figures.items()}
    tell("aitrader", "start", **rounded, hash=digest([block.values.tobytes()]))


if __name__ == "__main__":
    main()
