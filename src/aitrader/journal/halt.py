"""The two latches as files: the existence of ``HALT`` or ``HALT_ENTRIES`` shuts, whatever is in it.

Standard library only, and nothing that is installed: the kill switch shuts them when everything else is broken.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from aitrader.disk.files import make_folder, sync_folder
from aitrader.domain.events import Latch


def latch_folders(root: Path, book: str) -> tuple[Path, ...]:
    """Return where a latch of ``book`` may stand: the book's own folder, and the one that shuts all books."""
    return (root / "state" / book, root / "state")


class FileLatches:
    """The latches in ``folders``, and the one of the environment (``AITRADER_HALT``), which nothing here can open.

    ``problems`` are sentences, without their full stop, on what could not be written or removed.
    """

    def __init__(self, folders: Sequence[Path], *, environment_halt: bool) -> None:
        self.folders = tuple(folders)
        self.environment_halt = environment_halt
        self.problems: list[str] = []

    def standing(self) -> frozenset[Latch]:
        """Return the latches that are shut now."""
        shut = {latch for latch in Latch if any(_exists(folder / latch.value) for folder in self.folders)}
        return frozenset(shut | {Latch.HALT} if self.environment_halt else shut)

    def latch(self, latch: Latch, reason: str) -> None:
        """Shut ``latch`` in the first of the folders where that can be done: the book's own, else that of all books.

        A latch that is shut there keeps its reason.
        """
        for folder in self.folders:
            try:
                _make(folder, latch, reason)
            except OSError as error:
                self.problems.append(f"{latch.value} could not be written in {folder}: {error.strerror or error}")
            else:
                return

    def clear(self, latch: Latch) -> tuple[Path, ...]:
        """Open ``latch`` in every folder; return the files that were removed."""
        removed = []
        for path in (folder / latch.value for folder in self.folders):
            try:
                path.unlink()
                sync_folder(path.parent)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                self.problems.append(f"{path} could not be removed: {error.strerror or error}")
            else:
                removed.append(path)
        return tuple(removed)


def _exists(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False  # in a folder that cannot be entered there is no book to trade either
    except OSError:
        return True  # a failing disk says nothing about what is on it
    return True


def _make(folder: Path, latch: Latch, reason: str) -> None:
    make_folder(folder, 0o700)
    path = folder / latch.value
    if _exists(path):
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    # The name alone shuts the latch. On a full disk the rest fails, and nothing is lost but the reason.
    try:
        with suppress(OSError):
            sync_folder(folder)
            os.write(descriptor, f"{reason}\n".encode())
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
