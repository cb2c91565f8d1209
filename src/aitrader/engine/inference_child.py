"""Loads a model and predicts its golden rows, in a process of its own: ``python -m aitrader.engine.inference_child``.

A tampered model file can crash, hang or exhaust the native library that reads it; then this process dies, and the
one that asked lives. It reads two length-prefixed blocks from stdin (card, model) and writes one JSON object.
"""

import json
import resource
import struct
import sys
from typing import Final

MEMORY: Final = 8 << 30
"""Address space that a model may take, bytes."""


def main() -> int:
    """Answer ``{"predictions": [...]}`` or ``{"error": ..., "fix": ...}`` on stdout."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_memory()
    # Imported after the limits are set: the libraries, too, run inside them.
    from aitrader.engine.inference import restore
    from aitrader.errors import AitraderError
    from aitrader.models.passport import read_passport

    card, model = _block(), _block()
    try:
        passport = read_passport(card)
        answer = {"predictions": restore(passport, model).golden(passport).tolist()}
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
