"""The last row of a journal, noted in a file beside it.

SQLite drops what it finds damaged at the end of its write-ahead log without a word, as it has to after a crash in the
middle of a commit; and an old copy of a journal fits in itself. Either would be a shorter story. The note is written
after each commit and never synced: it may fall behind, and cannot run ahead.
"""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

SUFFIX: Final = "-head"
_FORM: Final = re.compile(rb"(\d{20}) ([0-9a-f]{64})\n")


class Anchor(NamedTuple):
    """A row that was recorded: its number and its seal."""

    seq: int
    hash: str


def note(path: Path, anchor: Anchor) -> None:
    """Note the row that was recorded last in the journal ``path``; a note that cannot be written stays behind."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    with suppress(OSError):
        descriptor = os.open(_beside(path), flags, 0o600)
        try:
            os.pwrite(descriptor, f"{anchor.seq:020d} {anchor.hash}\n".encode(), 0)
        finally:
            os.close(descriptor)


def noted(path: Path) -> Anchor | None:
    """Return what was noted last; None where nothing is, or half a note, as a loss of power may leave it."""
    try:
        found = _FORM.fullmatch(_beside(path).read_bytes())
    except OSError:
        return None
    return Anchor(int(found[1]), found[2].decode()) if found else None


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}{SUFFIX}")
