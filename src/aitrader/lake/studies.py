"""Append-only records of what was tried on a lake, one line of JSON each."""

import fcntl
from pathlib import Path
from typing import Final

from aitrader.disk.files import sync_file, sync_folder
from aitrader.errors import LakeError

TRIALS: Final = "studies/trials.jsonl"


def read_lines(lake_path: Path, name: str = TRIALS) -> tuple[str, ...]:
    """Return the complete lines of a record, oldest first; a line that a killed writer left unfinished is none."""
    try:
        text = (lake_path / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise LakeError(f"{lake_path / name} cannot be read: {error}.", fix="Restore it from a backup.") from error
    return tuple(line for line in text.split("\n")[:-1] if line)


def append_line(lake_path: Path, line: str, name: str = TRIALS) -> None:
    """Add ``line`` durably; one that a killed writer left unfinished before it is cut off.

    Raises
    ------
    LakeError
        The disk failed.
    """
    path = lake_path / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as stream:
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX)
            stream.seek(0)
            whole = stream.read().rfind(b"\n") + 1
            stream.truncate(whole)
            stream.write(f"{line}\n".encode())
            stream.flush()
            sync_file(stream.fileno())
        sync_folder(path.parent)
    except OSError as error:
        raise LakeError(
            f"{path} could not be written: {error}.", fix="Free space or repair the disk, then run again."
        ) from error
