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


def refuse_held(path: Path, what: str) -> None:
    """Say that the lock file ``path`` is held before anything is loaded for the work; to take it is still to come.

    Raises
    ------
    LockHeldError
        Another process, or a block of this one, holds it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return  # it was never held, or whoever takes it says why that cannot be done
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _held(what) from error
    except OSError:
        return
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
        raise _held(what) from error
    return descriptor


def _held(what: str) -> LockHeldError:
    return LockHeldError(f"Another aitrader process {what}.", fix="Wait until it is done, then run again.")
