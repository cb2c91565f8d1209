"""Writes features into a lake: each part is committed by itself, a build once all of its parts are there."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from aitrader.domain.clock import Clock
from aitrader.lake.catalog import BuildRow, Catalog, FileRow, GroupRow, PartRow
from aitrader.lake.content import content_of
from aitrader.lake.feature_files import Days, PartStream, States, noted, part_stream
from aitrader.lake.files import write_parquet
from aitrader.lake.parts import stamped_row
from aitrader.lake.schemas import FEATURES
from aitrader.lake.schemas import STATES as STATES_SCHEMA
from aitrader.lake.snapshot import Snapshot
from aitrader.trace import spanned

_SOURCE: Final = "features"


@dataclass(frozen=True, slots=True)
class Build:
    """What a complete build says: see ``catalog.BuildRow``; ``parts`` and ``states`` are paths."""

    source: str
    parts: tuple[str, ...]
    states: tuple[str, ...]
    last: str
    lake_version: int
    now: datetime | None


class FeatureStore:
    """The features of one timeframe, for writing, beyond what ``view`` shows. Hold ``Lake.writer`` while you do."""

    def __init__(self, root: Path, catalog: Catalog, clock: Clock, dataset: str, view: Snapshot) -> None:
        self.dataset: Final = dataset
        self._root = root
        self._catalog = catalog
        self._clock = clock
        self._version = view.version
        self._groups = set(view.feature_groups)
        self._files = 0

    @property
    def version(self) -> int:
        """The lake's version after what was committed here."""
        return self._version

    def group_id(self, columns: Mapping[str, str]) -> str:
        """Return the name of a group of features, given as column name by feature key."""
        return sha256(f"{self.dataset}:{_listed(columns)}".encode()).hexdigest()[:32]

    @contextmanager
    def part(self, columns: Mapping[str, str], sessions: Days) -> Iterator[PartStream]:
        """Yield a part to write values into; its file stands in the lake once the block ends well."""
        path = self._path(columns, "")
        with part_stream(self._root / path, sessions, tuple(columns.values())) as stream:
            yield stream
        span = (str(sessions[0].astype("datetime64[D]")), str(sessions[-1].astype("datetime64[D]")), None)
        kind = (self.dataset, _SOURCE, FEATURES)
        stream.file = stamped_row(path, kind, stream.stream.stamp, stream.content, span)

    @spanned("write states")
    def states(self, columns: Mapping[str, str], states: States) -> FileRow:
        """Write states as a file; return the row that commits it."""
        path = self._path(columns, "-states")
        stamp = write_parquet(self._root / path, states.rows, texts=("symbol",), keys=("symbol",), notes=noted(states))
        last = str(states.sessions[-1].astype("datetime64[D]"))
        kind = (self.dataset, _SOURCE, STATES_SCHEMA)
        return stamped_row(path, kind, stamp, content_of(states.rows), (last, last, None))

    def keep(self, columns: Mapping[str, str], files: Sequence[FileRow], token: str) -> None:
        """Commit a part of a build and its states, so that an interrupted one goes on from there."""
        part, states = files
        self._commit(columns, files, [PartRow(part.path, states.path, self.group_id(columns), token)])

    def complete(self, columns: Mapping[str, str], build: Build, files: Sequence[FileRow]) -> None:
        """Commit a build together with those of its ``files`` that are not committed yet."""
        row = BuildRow(
            self.dataset,
            self.group_id(columns),
            build.source,
            json.dumps(build.parts),
            json.dumps(build.states),
            build.last,
            build.lake_version,
            build.now.isoformat() if build.now else None,
        )
        self._commit(columns, files, [row])

    @spanned("commit")
    def _commit(self, columns: Mapping[str, str], files: Sequence[FileRow], rows: Sequence[PartRow | BuildRow]) -> None:
        group_id = self.group_id(columns)
        groups = [] if group_id in self._groups else [GroupRow(group_id, self.dataset, _listed(columns))]
        done = self._catalog.commit(self.dataset, self._clock(), files=files, features=[*groups, *rows])
        self._version, self._files = done.version, 0
        self._groups.add(group_id)

    def _path(self, columns: Mapping[str, str], ending: str) -> str:
        """Return a name that no committed file has: the next version is in it."""
        self._files += 1
        return f"{self.dataset}/{self._version + 1:06d}-{self.group_id(columns)[:8]}-{self._files}{ending}.parquet"


def _listed(columns: Mapping[str, str]) -> str:
    return json.dumps([[key, name] for key, name in columns.items()])
