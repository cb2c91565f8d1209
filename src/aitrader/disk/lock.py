"""One process at a time: locks that the kernel frees when their holder ends, however it ends. Standard library only."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aitrader.errors import DataError, LockHeldError


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file ``path``, in a folder that exists, until the block ends; never waits for it.

    ``what`` ends the sentence "Another aitrader process ...", such as "is writing bars/1d".

    Raises
    ------
    LockHeldError
        Another process, or another block of this one, holds it.
    DataError
        The file cannot be made or locked there.
    """
    descriptor = _lock(path, what)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(path: Path, what: str) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o664)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error}.", fix="Check free space and permissions.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if not isinstance(error, BlockingIOError):
            raise DataError(f"{path} cannot be locked: {error}.", fix="Keep it on a local disk.") from error
        raise LockHeldError(
            f"Another aitrader process {what}.", fix="Wait until it is done, then run again."
        ) from error
    return descriptor
