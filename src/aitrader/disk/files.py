"""Files replaced in one step, and synced so that a crash leaves the old one or the new one. Standard library only."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

TEMPORARY: Final = ".tmp-"


def sync_folder(folder: Path) -> None:
    """Make renames and new names in ``folder`` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(descriptor: int) -> None:
    """Make the written bytes durable; macOS needs its own call to reach the platter."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(descriptor)
    else:
        fcntl.fcntl(descriptor, full)


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make ``folder`` and what is missing above it, with ``mode`` and for good; one that exists stays as it is."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing[1:]):
        path.mkdir(mode, exist_ok=True)
    folder.mkdir(mode, exist_ok=True)
    for path in missing:
        sync_folder(path.parent)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a path beside ``target``; when the block ends well, what was written there replaces ``target`` for good.

    A crash or an error leaves what stood at ``target`` before. Missing folders are made.
    """
    temporary = target.with_name(f"{TEMPORARY}{target.name}")
    try:
        make_folder(target.parent)
        yield temporary
        with temporary.open("rb+") as stream:
            sync_file(stream.fileno())
        temporary.replace(target)
        sync_folder(target.parent)
    finally:
        _remove(temporary)


def write_text(target: Path, text: str) -> None:
    """Replace ``target`` by ``text`` in one step; ``OSError`` leaves the old file as it was."""
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # a leftover is harmless: nothing reads a temporary file, and the next write of the target replaces it
