"""The catalog: which files, series and builds of features each commit added, in one SQLite file.

A commit is one transaction and one version. Each carries a digest over its rows and the digest before it,
so that a damaged catalog is noticed when it is read, and a version number names one content.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from hashlib import sha256
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

from aitrader.domain.frames import Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.errors import LakeError
from aitrader.lake.files import Stamp

NAME: Final = "catalog.sqlite"
USER_VERSION: Final = 2
_BUSY_SECONDS: Final = 10.0

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS commits (
  version INTEGER PRIMARY KEY, recorded_at TEXT NOT NULL, dataset TEXT NOT NULL, digest TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS files (
  path TEXT PRIMARY KEY, dataset TEXT NOT NULL, schema_id TEXT NOT NULL, source TEXT NOT NULL,
  rows INTEGER NOT NULL, first TEXT, last TEXT, known_last TEXT, repeats INTEGER NOT NULL,
  content TEXT NOT NULL, sha256 TEXT NOT NULL, footer TEXT NOT NULL, size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, version INTEGER NOT NULL REFERENCES commits (version));
CREATE TABLE IF NOT EXISTS series (
  source TEXT NOT NULL, symbol TEXT NOT NULL, adjustment TEXT NOT NULL, assumed INTEGER NOT NULL, as_of TEXT,
  survivors_only INTEGER NOT NULL, hand_picked INTEGER NOT NULL, note TEXT NOT NULL,
  version INTEGER NOT NULL REFERENCES commits (version), PRIMARY KEY (source, symbol, version));
CREATE TABLE IF NOT EXISTS feature_groups (
  id TEXT PRIMARY KEY, dataset TEXT NOT NULL, columns TEXT NOT NULL,
  version INTEGER NOT NULL REFERENCES commits (version));
CREATE TABLE IF NOT EXISTS feature_parts (
  path TEXT PRIMARY KEY REFERENCES files (path), states TEXT NOT NULL REFERENCES files (path),
  group_id TEXT NOT NULL REFERENCES feature_groups (id), token TEXT NOT NULL,
  version INTEGER NOT NULL REFERENCES commits (version));
CREATE TABLE IF NOT EXISTS feature_builds (
  dataset TEXT NOT NULL, group_id TEXT NOT NULL REFERENCES feature_groups (id), source TEXT NOT NULL,
  parts TEXT NOT NULL, states TEXT NOT NULL, last TEXT NOT NULL, lake_version INTEGER NOT NULL, now TEXT,
  version INTEGER NOT NULL REFERENCES commits (version), PRIMARY KEY (group_id, version));
"""

_FIX_LOST: Final = "Restore catalog.sqlite from a copy, or move the lake aside and run `aitrader backfill` again."


@dataclass(frozen=True, slots=True)
class FileRow:
    """One committed file. Days and times are ISO text.

    ``repeats`` says that one of its keys stands twice: in it, or in an older file too.
    """

    path: str
    dataset: str
    schema_id: str
    source: str
    rows: int
    first: str | None
    last: str | None
    known_last: str | None
    repeats: int
    content: str
    sha256: str
    footer: str
    size: int
    mtime_ns: int
    inode: int
    version: int = 0

    @property
    def stamp(self) -> Stamp:
        """What the file on disk must look like."""
        return Stamp(self.sha256, self.footer, self.size, self.mtime_ns, self.inode)


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """How one source's bars of one symbol are to be read, from one version on."""

    source: str
    symbol: str
    adjustment: str
    assumed: int
    as_of: str | None
    survivors_only: int
    hand_picked: int
    note: str
    version: int = 0

    @property
    def info(self) -> SeriesInfo:
        """The same in the words of the domain."""
        return SeriesInfo(
            self.source,
            Adjustment(self.adjustment),
            assumed=bool(self.assumed),
            as_of=date.fromisoformat(self.as_of) if self.as_of else None,
            survivors_only=bool(self.survivors_only),
            hand_picked=bool(self.hand_picked),
            note=self.note,
        )


@dataclass(frozen=True, slots=True)
class GroupRow:
    """Features that are stored beside each other. ``columns`` is JSON: a list of [feature key, column name]."""

    id: str
    dataset: str
    columns: str
    version: int = 0

    @property
    def names(self) -> dict[str, str]:
        """Column name by feature key."""
        return dict(json.loads(self.columns))


@dataclass(frozen=True, slots=True)
class PartRow:
    """A finished part of a build that may not be complete: a file of values and that of its states.

    ``token`` names the build, so that an interrupted one goes on from there. Readers see builds only.
    """

    path: str
    states: str
    group_id: str
    token: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class BuildRow:
    """Everything stored of a group, up to the session ``last``, from the bars and actions of ``source``.

    ``parts`` and ``states`` are JSON lists of paths; a later part overrides the cells of an earlier one. What it was
    built from is what the lake held at ``lake_version`` and knew at ``now`` (ISO text, null: everything).
    """

    dataset: str
    group_id: str
    source: str
    parts: str
    states: str
    last: str
    lake_version: int
    now: str | None
    version: int = 0

    @property
    def part_paths(self) -> tuple[str, ...]:
        """The files of values, in the order in which they override each other."""
        return tuple(json.loads(self.parts))

    @property
    def state_paths(self) -> tuple[str, ...]:
        """The files of states; no symbol stands in two of them."""
        return tuple(json.loads(self.states))


@dataclass(frozen=True, slots=True)
class CommitRow:
    """One commit; ``recorded_at`` is UTC."""

    version: int
    recorded_at: datetime
    dataset: str
    digest: str


@dataclass(frozen=True, slots=True)
class State:
    """Everything that stood in the catalog at one version. ``version`` is 0 in a new lake."""

    version: int
    digest: str
    commits: tuple[CommitRow, ...]
    files: tuple[FileRow, ...]
    series: tuple[SeriesRow, ...]
    groups: tuple[GroupRow, ...]
    parts: tuple[PartRow, ...]
    builds: tuple[BuildRow, ...]


Row = FileRow | SeriesRow | GroupRow | PartRow | BuildRow
_Row = TypeVar("_Row", FileRow, SeriesRow, GroupRow, PartRow, BuildRow)


def series_row(symbol: str, info: SeriesInfo) -> SeriesRow:
    """Return the row that stores ``info``."""
    as_of = info.as_of.isoformat() if info.as_of else None
    flags = (int(info.survivors_only), int(info.hand_picked))
    return SeriesRow(info.source, symbol, info.adjustment.value, int(info.assumed), as_of, *flags, info.note)


class Catalog:
    """An open catalog, for reading only where it cannot be written.

    Every method raises ``LakeError`` where SQLite reports damage, a full disk or a long lock.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        self._path = path
        self._writable = create or all(os.access(place, os.W_OK) for place in (path, path.parent))
        with self._guard():
            self._database = sqlite3.connect(
                _uri(path, writable=self._writable),
                uri=True,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            with self._guard():
                self._prepare(create=create)
        except BaseException:  # an interrupt too: nobody else would close it
            self._database.close()
            raise

    def close(self) -> None:
        """Give the file back."""
        with self._guard():
            self._database.close()

    def state(self, as_of: datetime | None = None) -> State:
        """Return what was committed at ``as_of`` (default: by now), after checking every digest."""
        with self._guard(), self._transaction("DEFERRED"):
            raw = self._database.execute("SELECT version, recorded_at, dataset, digest FROM commits ORDER BY version")
            commits = [CommitRow(v, datetime.fromisoformat(at), dataset, digest) for v, at, dataset, digest in raw]
            files, series = self._rows(FileRow), self._rows(SeriesRow)
            groups, parts, builds = self._rows(GroupRow), self._rows(PartRow), self._rows(BuildRow)
        with self._guard():
            self._verify(commits, (files, series, groups, parts, builds))
        kept = tuple(commit for commit in commits if as_of is None or commit.recorded_at <= as_of)
        version, digest = (kept[-1].version, kept[-1].digest) if kept else (0, "")
        held = (_until(files, version), _until(series, version))
        return State(
            version, digest, kept, *held, _until(groups, version), _until(parts, version), _until(builds, version)
        )

    def commit(
        self,
        dataset: str,
        now: datetime,
        *,
        files: Sequence[FileRow] = (),
        series: Sequence[SeriesRow] = (),
        features: Sequence[GroupRow | PartRow | BuildRow] = (),
    ) -> CommitRow:
        """Add rows as the next version, all or none. ``recorded_at`` never runs backwards."""
        with self._guard(), self._transaction("IMMEDIATE"):
            last = self._database.execute(
                "SELECT version, recorded_at, digest FROM commits ORDER BY version DESC LIMIT 1"
            ).fetchone() or (0, "", "")
            version = last[0] + 1
            recorded = max(now.astimezone(UTC).isoformat(timespec="microseconds"), last[1])
            rows: list[Row] = [*files, *series, *features]
            stamped = [replace(row, version=version) for row in rows]
            digest = _digest(last[2], (version, recorded, dataset), stamped)
            self._database.execute("INSERT INTO commits VALUES (?, ?, ?, ?)", (version, recorded, dataset, digest))
            for row in stamped:
                marks = ", ".join("?" * len(fields(row)))
                values = _VALUES_OF[type(row)](row)
                self._database.execute(f"INSERT INTO {_TABLE_OF[type(row)]} VALUES ({marks})", values)  # noqa: S608 - names of this module, no input
        return CommitRow(version, datetime.fromisoformat(recorded), dataset, digest)

    def _prepare(self, *, create: bool) -> None:
        found = self._database.execute("PRAGMA user_version").fetchone()[0]
        if found > USER_VERSION:
            raise LakeError(
                f"{self._path} was written by a newer version of aitrader: catalog {found}, known is {USER_VERSION}.",
                fix="Upgrade aitrader.",
            )
        empty = not self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if found < USER_VERSION and empty and not create:
            raise LakeError(f"{self._path} is empty: nothing was ever committed.", fix="Run `aitrader backfill`.")
        if found < USER_VERSION and not empty:
            raise LakeError(
                f"{self._path} was written by an older version of aitrader, or is not a catalog (catalog {found}).",
                fix="This version cannot read it: move the lake aside and run `aitrader backfill` again.",
            )
        if not self._writable:
            return
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("PRAGMA foreign_keys = ON")
        if found < USER_VERSION:
            self._database.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {USER_VERSION}; COMMIT;")

    def _rows(self, kind: type[_Row]) -> list[_Row]:
        names = ", ".join(field.name for field in fields(kind))
        query = f"SELECT {names} FROM {_TABLE_OF[kind]} ORDER BY version, rowid"  # noqa: S608 - names of this module, no input
        return [kind(*row) for row in self._database.execute(query)]

    def _verify(self, commits: Sequence[CommitRow], tables: Sequence[Sequence[Any]]) -> None:
        by_version: dict[int, list[Any]] = {}
        for table in tables:
            for row in table:
                by_version.setdefault(row.version, []).append(row)
        before = ""
        for number, commit in enumerate(commits, start=1):
            head = (commit.version, commit.recorded_at.isoformat(timespec="microseconds"), commit.dataset)
            if commit.version != number or _digest(before, head, by_version.pop(number, [])) != commit.digest:
                raise LakeError(f"{self._path} is damaged: commit {number} is not what was written.", fix=_FIX_LOST)
            before = commit.digest
        if by_version:
            raise LakeError(f"{self._path} is damaged: it has rows without a commit.", fix=_FIX_LOST)

    @contextmanager
    def _transaction(self, mode: str) -> Iterator[None]:
        self._database.execute(f"BEGIN {mode}")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:  # an interrupt too: half a transaction must not stay open
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise LakeError(
                f"{self._path} could not be used: {error}.",
                fix="Check free space, permissions and other running commands, then run again: nothing is lost.",
            ) from error
        except (sqlite3.DatabaseError, ValueError, TypeError, OverflowError) as error:
            raise LakeError(f"{self._path} is damaged: {error}.", fix=_FIX_LOST) from error


_TABLE_OF: Final[dict[Callable[..., Any], str]] = {
    FileRow: "files",
    SeriesRow: "series",
    GroupRow: "feature_groups",
    PartRow: "feature_parts",
    BuildRow: "feature_builds",
}
_VALUES_OF: Final = {kind: attrgetter(*(field.name for field in fields(kind))) for kind in get_args(Row)}
"""What ``dataclasses.astuple`` gives, ten times as fast: every row is hashed whenever a catalog is read."""


def _uri(path: Path, *, writable: bool) -> str:
    """Return what SQLite is asked to open. Without a journal beside it nobody writes it, and it can be read alone."""
    journal = path.with_name(f"{path.name}-wal").exists()
    options = "" if writable else "?mode=ro" if journal else "?mode=ro&immutable=1"
    return path.absolute().as_uri() + options


def _until(rows: Sequence[_Row], version: int) -> tuple[_Row, ...]:
    return tuple(row for row in rows if row.version <= version)


def _digest(before: str, head: Sequence[Any], rows: Sequence[Any]) -> str:
    body = sorted(json.dumps([_TABLE_OF[type(row)], *_VALUES_OF[type(row)](row)]) for row in rows)
    return sha256(json.dumps([before, list(head), body]).encode()).hexdigest()
