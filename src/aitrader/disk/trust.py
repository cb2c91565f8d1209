"""What somebody else could have written: links, and what every user of the machine may write. Standard library only."""

import shlex
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a file or folder is not to be believed, as a sentence, and what to do about it."""

    what: str
    fix: str


def doubt(path: Path) -> Doubt | None:
    """Return why ``path`` cannot be believed, None where it can; ``OSError`` where it cannot be looked at.

    The mode counts and not who asks: root may write everything, and is warned like everybody else.
    """
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return Doubt(f"{path} is a symbolic link.", f"Put what it points to in its place: {shlex.quote(str(path))}")
    if mode & stat.S_IWOTH:
        return Doubt(f"{path} can be written by every user.", f"Run: chmod o-w {shlex.quote(str(path))}")
    return None
