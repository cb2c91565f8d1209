"""The store: opens a lake, takes rows in as commits, hands out snapshots."""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aitrader.domain.clock import Clock, wall_clock
from aitrader.domain.series import SeriesInfo
from aitrader.errors import LakeError, LockHeldError
from aitrader.lake.catalog import NAME, Catalog, FeatureRow, FileRow, SeriesRow, State, series_row
from aitrader.lake.content import Content, content_of, content_of_matrix
from aitrader.lake.files import Stamp, read_parquet, write_parquet
from aitrader.lake.revisions import ordered, unseen
from aitrader.lake.schemas import FEATURES_ID, QUARANTINE, DatasetSchema, check_name, schema_of
from aitrader.lake.snapshot import Snapshot

FOLDERS: Final = ("bars", "actions", "features", "predictions", "quarantine")
_LOCKS: Final = ".locks"


@dataclass(frozen=True, slots=True)
class Commit:
    """What an append did: ``rows`` added (0: everything was there already) in ``files``, relative to the lake."""

    version: int
    dataset: str
    rows: int
    files: tuple[str, ...]
    recorded_at: datetime | None


class Lake:
    """A folder of committed Parquet files. Use it as a context manager."""

    def __init__(self, root: Path, catalog: Catalog, clock: Clock) -> None:
        self.root: Final = root
        self._catalog = catalog
        self._clock = clock
        self._held: set[str] = set()

    @classmethod
    def open(cls, path: Path, *, create: bool = False, clock: Clock = wall_clock) -> Self:
        """Open the lake at ``path``; ``clock`` stamps ``recorded_at``.

        Raises
        ------
        LakeError
            There is no lake and ``create`` is false, or its catalog is lost, damaged or of another version.
        """
        catalog = path / NAME
        if not catalog.exists():
            _refuse_lost_catalog(path)
            if not create:
                raise LakeError(
                    f"There is no lake in {path}.", fix="Run `aitrader backfill`, or choose another --root."
                )
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise LakeError(
                    f"{path} could not be made: {error}.", fix="Check the path and its permissions."
                ) from error
        return cls(path, Catalog(catalog, create=create), clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the catalog back; snapshots stay readable."""
        self._catalog.close()

    @contextmanager
    def writer(self, dataset: str) -> Iterator[None]:
        """Be the only writer of ``dataset`` until the block ends; nested use is fine.

        Raises
        ------
        LockHeldError
            Another process writes it now. The kernel frees the lock when that process ends, however it ends.
        """
        if check_name(dataset) in self._held:
            yield
            return
        descriptor = self._lock(dataset)
        self._held.add(dataset)
        try:
            yield
        finally:
            self._held.discard(dataset)
            os.close(descriptor)

    def snapshot(self, as_of: datetime | None = None, now: datetime | None = None) -> Snapshot:
        """Return one consistent view: what was recorded by ``as_of`` and known by ``now`` (aware times; None: all)."""
        for name, time in (("as_of", as_of), ("now", now)):
            if time is not None and time.tzinfo is None:
                raise ValueError(f"{name} {time.isoformat()} has no UTC offset")
        return Snapshot(self.root, self._catalog.state(as_of), now)

    def append(
        self, dataset: str, frame: pl.DataFrame, *, source: str, series: Mapping[Any, SeriesInfo] | None = None
    ) -> Commit:
        """Add the rows of ``frame`` that say something new, with what is known about their ``series``, in one commit.

        Rows equal to stored ones are dropped; a changed row is kept as a revision; nothing is ever removed.
        Bars and actions must carry ``source`` in their column of that name.

        Raises
        ------
        LakeError
            The disk failed, a stored file is damaged, or a series changed between raw and adjusted prices.
        LockHeldError
            Another process writes the dataset now.
        ValueError
            Columns are missing, two rows contradict each other, or the rows are of another source.
        """
        schema = schema_of(dataset)
        with self.writer(dataset):
            state = self._catalog.state()
            rows = ordered(frame, schema)
            if "source" in schema.columns and not dataset.startswith(QUARANTINE):
                _check_source(rows, source)
            notes = _new_series(state, series or {})
            files = self._write_new(state, dataset, rows, source=source)
            notes = notes if files else [row for row in notes if not _only_date_moved(row, state)]
            return self._commit(dataset, state, files=files, series=notes)

    def quarantine(self, dataset: str, frame: pl.DataFrame, *, source: str) -> Commit:
        """Keep rows that were not admitted to ``dataset``, as they came, with their ``reason``."""
        return self.append(f"{QUARANTINE}{dataset}", frame, source=source)

    def store_features(
        self,
        timeframe: str,
        sessions: NDArray[np.datetime64],
        symbols: Sequence[str],
        values: Mapping[str, tuple[str, NDArray[np.float32]]],
        *,
        inputs: str,
    ) -> Commit:
        """Store features as one file: by key, the display name and one value per symbol (rows) and session.

        ``inputs`` is ``Snapshot.inputs()`` of the view they were computed from; NaN = missing.
        What is stored already with the same inputs and values is not written again.
        """
        dataset = check_name(f"features/{timeframe}")
        names = [name for name, _ in values.values()]
        if len(set(names)) != len(names):
            raise ValueError("two features of one group share a display name")
        index = _index(sessions, symbols)
        columns = {name: np.ascontiguousarray(matrix, np.float32).reshape(-1) for name, matrix in values.values()}
        content = content_of_matrix(index, columns.items())
        with self.writer(dataset):
            state = self._catalog.state()
            if not values or _is_stored(state, dataset, set(values), inputs=inputs, content=str(content)):
                return self._commit(dataset, state)
            frame = index.with_columns(pl.Series(name, column) for name, column in columns.items())
            path = f"{dataset}/{_file_name(state, content)}"
            stamp = write_parquet(self.root / path, frame, texts=("symbol",), keys=("symbol", "session"))
            file = _file_row(path, (dataset, FEATURES_ID, "features"), index, content, stamp)
            rows = [FeatureRow(dataset, key, name, path, inputs) for key, (name, _) in values.items()]
            return self._commit(dataset, state, files=[file], features=rows)

    def _commit(
        self,
        dataset: str,
        state: State,
        *,
        files: Sequence[FileRow] = (),
        series: Sequence[SeriesRow] = (),
        features: Sequence[FeatureRow] = (),
    ) -> Commit:
        if not (files or series or features):
            return Commit(state.version, dataset, 0, (), None)
        row = self._catalog.commit(dataset, self._clock(), files=files, series=series, features=features)
        rows = sum(file.rows for file in files)
        return Commit(row.version, dataset, rows, tuple(file.path for file in files), row.recorded_at)

    def _write_new(self, state: State, dataset: str, rows: pl.DataFrame, *, source: str) -> list[FileRow]:
        schema = schema_of(dataset)
        if not schema.yearly:
            return self._write_part(state, dataset, rows, source=source, folder=dataset)
        years = rows.with_columns(pl.col(schema.day).dt.year().alias("_year"))
        parts = years.partition_by("_year", as_dict=True, include_key=False)
        return [
            file
            for (year,), part in sorted(parts.items())
            for file in self._write_part(state, dataset, part, source=source, folder=f"{dataset}/year={year}")
        ]

    def _write_part(self, state: State, dataset: str, rows: pl.DataFrame, *, source: str, folder: str) -> list[FileRow]:
        schema = schema_of(dataset)
        here = [file for file in state.files if file.dataset == dataset and file.path.rpartition("/")[0] == folder]
        if "source" in schema.key:
            here = [file for file in here if file.source == source]
        stored = [read_parquet(self.root / file.path, file.stamp) for file in here]
        fresh, revises = unseen(rows, pl.concat([rows.clear(), *stored]), schema)
        if fresh.is_empty():
            return []
        content = content_of(fresh)
        path = f"{folder}/{_file_name(state, content)}"
        stamp = write_parquet(self.root / path, fresh, texts=schema.texts, keys=("symbol", schema.day))
        return [_file_row(path, (dataset, schema.id, source), fresh, content, stamp, schema=schema, revises=revises)]

    def _lock(self, dataset: str) -> int:
        folder = self.root / _LOCKS
        try:
            folder.mkdir(exist_ok=True)
            descriptor = os.open(folder / dataset.replace("/", "%2F"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise LakeError(
                f"The lake {self.root} cannot be written: {error}.", fix="Check free space and permissions."
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise LockHeldError(
                f"Another aitrader process is writing {dataset} in {self.root}.",
                fix="Wait until it is done, then run again.",
            ) from error
        return descriptor


def _refuse_lost_catalog(root: Path) -> None:
    if any(path.is_file() for folder in FOLDERS for path in (root / folder).rglob("*.parquet")):
        raise LakeError(
            f"The catalog of the lake {root} is lost: its files are there, {NAME} is not.",
            fix=f"Restore {NAME} from a copy, or move the folder aside and run `aitrader backfill` again.",
        )


def _check_source(rows: pl.DataFrame, source: str) -> None:
    others = rows.filter(pl.col("source").ne_missing(pl.lit(source)))
    if others.height:
        raise ValueError(f"{others.height} rows are not of source {source!r} but of {others['source'][0]!r}")


def _new_series(state: State, series: Mapping[Any, SeriesInfo]) -> list[SeriesRow]:
    stored = {(row.source, row.symbol): row for row in state.series}
    new = []
    for symbol, info in sorted(series.items()):
        row, before = series_row(str(symbol), info), stored.get((info.source, str(symbol)))
        if before is None or replace(before, version=0) != row:
            new.append(row)
        if before is not None and before.adjustment != row.adjustment and not before.assumed:
            raise LakeError(
                f"{symbol} of {info.source} is stored with {before.adjustment} prices, now come {row.adjustment} ones.",
                fix="A series never mixes them: use another lake (--root), or state the adjustment it was stored with.",
            )
    return new


def _only_date_moved(row: SeriesRow, state: State) -> bool:
    newest = {(stored.source, stored.symbol): stored for stored in state.series}
    before = newest.get((row.source, row.symbol))
    return before is not None and replace(before, version=0, as_of=row.as_of) == row


def _is_stored(state: State, dataset: str, keys: set[str], *, inputs: str, content: str) -> bool:
    newest = {row.key: row for row in state.features if row.dataset == dataset}
    contents = {file.path: file.content for file in state.files}
    return all(key in newest and newest[key].inputs == inputs and contents[newest[key].path] == content for key in keys)


def _index(sessions: NDArray[np.datetime64], symbols: Sequence[str]) -> pl.DataFrame:
    days = pl.Series("session", sessions.astype("datetime64[D]"), pl.Date())
    names = pl.Series("symbol", list(symbols), pl.String())
    return pl.DataFrame(
        {
            "symbol": names.gather(np.repeat(np.arange(len(names)), len(days))),
            "session": pl.concat([days] * len(names)) if len(names) else days.clear(),
        }
    )


def _file_name(state: State, content: Content) -> str:
    return f"{state.version + 1:06d}-{content.first & 0xFFFFFFFF:08x}.parquet"


def _file_row(
    path: str,
    kind: tuple[str, str, str],
    rows: pl.DataFrame,
    content: Content,
    stamp: Stamp,
    *,
    schema: DatasetSchema | None = None,
    revises: bool = False,
) -> FileRow:
    days = rows[schema.day if schema else "session"]
    known = rows["known_at"] if schema is not None and schema.known else pl.Series([], dtype=pl.Datetime("us", "UTC"))
    dataset, schema_id, source = kind
    return FileRow(
        path,
        dataset,
        schema_id,
        source,
        rows=rows.height,
        first=_iso(days.min()),
        last=_iso(days.max()),
        known_first=_iso(known.min()),
        known_last=_iso(known.max()),
        revises=int(revises),
        content=str(content),
        sha256=stamp.sha256,
        footer=stamp.footer,
        size=stamp.size,
        mtime_ns=stamp.mtime_ns,
        inode=stamp.inode,
    )


def _iso(value: object) -> str | None:
    return value.isoformat() if isinstance(value, date) else None
