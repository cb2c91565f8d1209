"""The store: opens a lake, takes rows in as commits, hands out snapshots."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import polars as pl

from aitrader.disk.lock import locked
from aitrader.domain.clock import Clock, wall_clock
from aitrader.domain.series import SeriesInfo
from aitrader.errors import LakeError
from aitrader.lake.catalog import NAME, Catalog, FileRow, SeriesRow, State
from aitrader.lake.content import content_of
from aitrader.lake.epochs import adjusted_symbols, changed_series, refuse_splice, refuse_unknown
from aitrader.lake.feature_store import FeatureStore
from aitrader.lake.files import read_parquet, write_parquet
from aitrader.lake.parts import file_name, file_row, folders
from aitrader.lake.revisions import News, news, ordered
from aitrader.lake.schemas import FOLDERS, QUARANTINE, check_name, schema_of
from aitrader.lake.snapshot import Snapshot
from aitrader.trace import spanned

__all__ = ["Commit", "Lake", "Snapshot"]

_LOCKS: Final = ".locks"


@dataclass(frozen=True, slots=True)
class Commit:
    """What an append did: ``rows`` added (0: everything was there already) in ``files``, relative to the lake.

    ``recorded_at`` is None where nothing was new and ``version`` is the lake's as it stood.
    """

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
        try:
            exists = catalog.exists()
            if not exists or catalog.stat().st_size == 0:
                _refuse_lost_catalog(path)
            if not exists:
                if not create:
                    raise LakeError(f"There is no lake in {path}.", fix="Run `aitrader backfill`, or check --root.")
                path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LakeError(f"{path} cannot be used: {error}.", fix="Check the path and its permissions.") from error
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
        with locked(_lock_file(self.root, dataset), f"is writing {dataset} in {self.root}"):
            self._held.add(dataset)
            try:
                yield
            finally:
                self._held.discard(dataset)

    def snapshot(self, as_of: datetime | None = None, now: datetime | None = None) -> Snapshot:
        """Return one consistent view: what was recorded by ``as_of`` and known by ``now`` (aware times; None: all)."""
        for name, time in (("as_of", as_of), ("now", now)):
            if time is not None and time.tzinfo is None:
                raise ValueError(f"{name} {time.isoformat()} has no UTC offset")
        return Snapshot(self.root, self._catalog.state(as_of), now)

    @spanned("store")
    def append(
        self, dataset: str, frame: pl.DataFrame, *, source: str, series: Mapping[Any, SeriesInfo] | None = None
    ) -> Commit:
        """Add the rows of ``frame`` that say something new, with what is known about their ``series``, in one commit.

        Rows equal to stored ones are dropped; a changed row is kept as a revision; nothing is ever removed.
        Bars and actions carry ``source`` in their column of that name; each symbol of bars needs a series.

        Raises
        ------
        LakeError
            The disk failed, a stored file is damaged, a series changed between raw and adjusted prices, or an
            adjusted series was adjusted again and does not come whole.
        LockHeldError
            Another process writes the dataset now.
        ValueError
            Columns are missing, two rows contradict each other, or the rows are of another source.
        """
        schema = schema_of(dataset)
        named = series or {}
        with self.writer(dataset):
            state = self._catalog.state()
            rows = ordered(frame, schema)
            if "source" in schema.columns and schema.strict:
                _check_source(rows, source)
            if dataset.startswith("bars/"):
                refuse_unknown(state, rows, named, source)
            parts = self._news(state, dataset, rows, source)
            changed = changed_series(state, named, rows=bool(parts))
            if dataset.startswith("bars/"):
                self._refuse_splice(state, rows, parts, adjusted_symbols(state, named, source))
            files = [self._write(state, dataset, folder, part, source) for folder, part in parts.items()]
            return self._commit(dataset, state, files=files, series=changed)

    def quarantine(self, dataset: str, frame: pl.DataFrame, *, source: str) -> Commit:
        """Keep rows that were not admitted to ``dataset``, as they came, with their ``reason``."""
        return self.append(f"{QUARANTINE}{dataset}", frame, source=source)

    def feature_store(self, timeframe: str, view: Snapshot) -> FeatureStore:
        """Return what writes the features of ``timeframe`` beyond ``view``; hold their ``writer`` while you use it."""
        return FeatureStore(self.root, self._catalog, self._clock, check_name(f"features/{timeframe}"), view)

    @spanned("commit")
    def _commit(
        self,
        dataset: str,
        state: State,
        *,
        files: Sequence[FileRow] = (),
        series: Sequence[SeriesRow] = (),
    ) -> Commit:
        if not (files or series):
            return Commit(state.version, dataset, 0, (), None)
        row = self._catalog.commit(dataset, self._clock(), files=files, series=series)
        rows = sum(file.rows for file in files)
        return Commit(row.version, dataset, rows, tuple(file.path for file in files), row.recorded_at)

    def _news(self, state: State, dataset: str, rows: pl.DataFrame, source: str) -> dict[str, News]:
        """Return what is new in ``rows``, by the folder that it belongs to."""
        schema = schema_of(dataset)
        found = {}
        for folder, part in folders(dataset, rows, schema):
            here = [file for file in state.files if file.path.rpartition("/")[0] == folder and file.dataset == dataset]
            # Rows of another source have other keys, so that their files cannot matter.
            own = [file for file in here if "source" not in schema.key or file.source == source]
            stored = [read_parquet(self.root / file.path, file.stamp) for file in own]
            new = news(part, pl.concat([part.clear(), *stored]), schema)
            if not new.rows.is_empty():
                found[folder] = new
        return found

    def _refuse_splice(self, state: State, rows: pl.DataFrame, parts: Mapping[str, News], adjusted: set[str]) -> None:
        revised = {symbol for part in parts.values() for symbol in part.revisions["symbol"].unique()}
        touched = sorted(revised & adjusted)
        if touched:
            stored = Snapshot(self.root, state).bars(symbols=touched, source=rows["source"][0])
            refuse_splice(rows.filter(pl.col("symbol").is_in(touched)), stored)

    def _write(self, state: State, dataset: str, folder: str, part: News, source: str) -> FileRow:
        schema = schema_of(dataset)
        content = content_of(part.rows)
        path = f"{folder}/{file_name(state, content)}"
        stamp = write_parquet(self.root / path, part.rows, texts=schema.texts, keys=("symbol", schema.day))
        return file_row(path, part.rows, stamp, content, (dataset, source), schema=schema, repeats=part.repeats)


def _lock_file(root: Path, dataset: str) -> Path:
    folder = root / _LOCKS
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise LakeError(f"{root} cannot be written: {error}.", fix="Check free space and permissions.") from error
    return folder / dataset.replace("/", "%2F")


def _refuse_lost_catalog(root: Path) -> None:
    if any(path.is_file() for folder in FOLDERS for path in (root / folder).rglob("*.parquet")):
        raise LakeError(
            f"The catalog of the lake {root} is lost: its files are there, {NAME} is missing or empty.",
            fix=f"Restore {NAME} from a copy, or move the folder aside and run `aitrader backfill` again.",
        )


def _check_source(rows: pl.DataFrame, source: str) -> None:
    others = rows.filter(pl.col("source") != source)
    if others.height:
        raise ValueError(f"{others.height} rows are not of source {source!r} but of {others['source'][0]!r}")
