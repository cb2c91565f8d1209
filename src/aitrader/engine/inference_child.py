"""Loads a model and predicts, in a process of its own: ``python -m aitrader.engine.inference_child``.

A tampered model file can crash, hang or exhaust the native library that reads it; then this process dies, and the
one that asked lives. It reads three length-prefixed blocks from stdin (card, model, rows of float64) and writes one
JSON object.
"""

import json
import resource
import struct
import sys
from typing import Final

MEMORY: Final = 8 << 30
"""Address space that a model may take, bytes."""


def main() -> int:
    """Answer ``{"golden": [...], "scores": [...]}`` or ``{"error": ..., "fix": ...}``; NaN where there is no score."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_memory()
    # Imported after the limits are set: the libraries, too, run inside them.
    import numpy as np

    from aitrader.engine.restore import restore
    from aitrader.errors import AitraderError
    from aitrader.models.passport import read_passport

    card, model, rows = _block(), _block(), _block()
    try:
        passport = read_passport(card)
        loaded = restore(passport, model)
        values = np.frombuffer(rows, dtype="<f8").reshape(-1, len(passport.features))
        golden, scores = loaded.golden(passport), loaded.fitted.predict(values)
        answer = {"golden": golden.tolist(), "scores": scores.tolist()}
    except AitraderError as error:
        answer = {"error": str(error), "fix": error.fix}
    sys.stdout.write(json.dumps(answer))
    return 0


def _block() -> bytes:
    (size,) = struct.unpack(">Q", sys.stdin.buffer.read(8))
    return sys.stdin.buffer.read(size)


def _limit_memory() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    except (ValueError, OSError):
        return  # macOS does not know this limit; the time limit still holds


if __name__ == "__main__":
    sys.exit(main())
