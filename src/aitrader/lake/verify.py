"""The integrity of a lake: every committed file is there and unharmed, and nothing else lies between them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aitrader.errors import LakeError
from aitrader.lake.catalog import FileRow
from aitrader.lake.content import Content, content_of
from aitrader.lake.feature_files import content_of_part
from aitrader.lake.files import check_whole, leftovers, read_parquet
from aitrader.lake.schemas import FEATURES, FOLDERS
from aitrader.lake.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Problem:
    """A committed file, relative to the lake, that cannot be trusted, and why."""

    path: str
    dataset: str
    first: str | None
    last: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found at lake version ``version``; ``size`` in bytes.

    ``deep`` says that every byte was hashed and every value read. ``orphans`` are files that no commit names: left by
    an interrupted command, ignored by every reader, safe to delete while nothing writes.
    """

    version: int
    deep: bool
    files: int
    size: int
    problems: tuple[Problem, ...]
    orphans: tuple[str, ...]


def verify(root: Path, snapshot: Snapshot, *, deep: bool, tell: Callable[[int, int, str], None]) -> Verification:
    """Check every file of ``snapshot``; ``tell`` hears how many of how many are done, and which comes next.

    Shallow: the file is there, has its size and footer, and its SHA-256 where somebody touched it. Deep: also the
    SHA-256 of every file, the page checksums, the number of rows and the hash of the rows themselves. Feature files
    that were computed anew since are left out: they are derived, and no reader of this view opens them.
    """
    replaced = snapshot.replaced()
    files = [file for file in snapshot.files() if file.path not in replaced]
    problems = []
    for number, file in enumerate(files):
        tell(number, len(files), file.path)
        try:
            _check(root, file, deep=deep)
        except LakeError as error:
            problems.append(Problem(file.path, file.dataset, file.first, file.last, str(error)))
    tell(len(files), len(files), "")
    known = [file.path for file in snapshot.files()]
    size = sum(file.size for file in files)
    return Verification(
        snapshot.version, deep, len(files), size, tuple(problems), tuple(leftovers(root, known, FOLDERS))
    )


def _check(root: Path, file: FileRow, *, deep: bool) -> None:
    path = root / file.path
    if not deep:
        read_parquet(path, file.stamp, columns=())
        return
    check_whole(path, file.stamp)
    if str(_content(path, file)) != file.content:
        raise LakeError(f"{path} holds other rows than were committed.")


def _content(path: Path, file: FileRow) -> Content:
    frame = read_parquet(path, file.stamp)
    return content_of_part(frame) if file.schema_id == FEATURES else content_of(frame)
