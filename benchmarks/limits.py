"""What the machine can do at most: bytes copied a second, and so the least time for a panel's columns in and out."""

import json
import statistics
import time

import numpy as np

CELLS = 2**26
"""Numbers of float64 that are copied: half a gigabyte, far beyond any cache."""


def copied(rounds: int = 5) -> float:
    """Return the bytes that one thread reads and writes a second, the median of some copies."""
    source, target = np.ones(CELLS), np.zeros(CELLS)
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        np.copyto(target, source)
        seconds.append(time.perf_counter() - begin)
    return 2 * source.nbytes / statistics.median(seconds)


def least(rows: int, columns: int = 6, features: int = 158) -> int:
    """Return the bytes of float64 columns that are read and of float32 features that are written."""
    return rows * (8 * columns + 4 * features)


if __name__ == "__main__":
    print(json.dumps({"who": "machine", "work": "copy", "bytes_a_second": copied()}))
