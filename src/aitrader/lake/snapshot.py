"""One consistent view of the lake: what was committed by a time, and what the market could know by another."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import reduce
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aitrader.domain.frames import INSTANT
from aitrader.domain.series import SeriesInfo
from aitrader.domain.symbols import Symbol
from aitrader.errors import ConfigError, LakeError
from aitrader.lake.catalog import FeatureRow, FileRow, State
from aitrader.lake.content import Content, content_of, parse_content, total
from aitrader.lake.files import read_parquet
from aitrader.lake.revisions import newest
from aitrader.lake.schemas import DatasetSchema, check_name, schema_of
from aitrader.trace import spanned


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """One dataset as ``aitrader lake ls`` shows it.

    ``rows`` counts revisions too; ``first`` and ``last`` are sessions (ex-dates); ``size`` is in bytes;
    ``version`` and ``recorded_at`` (UTC) are those of its newest commit; ``names`` are stored features.
    """

    name: str
    rows: int
    files: int
    size: int
    first: date | None
    last: date | None
    sources: tuple[str, ...]
    version: int
    recorded_at: datetime
    names: tuple[str, ...] = ()


class StoredFeature(NamedTuple):
    """One feature of the lake: values per symbol (rows) and session (columns), float32, NaN = missing."""

    symbols: tuple[Symbol, ...]
    sessions: NDArray[np.datetime64]
    values: NDArray[np.float32]


class Snapshot:
    """What the lake held at version ``version``; later commits do not change it.

    ``now`` hides rows whose ``known_at`` is later. Frames are sorted by symbol and session and hold the newest
    revision of each row only. Reading a missing or damaged file raises ``LakeError``.
    """

    def __init__(self, root: Path, state: State, now: datetime | None = None) -> None:
        self._root = root
        self._state = state
        self._now = now

    @property
    def version(self) -> int:
        """Commits that this view contains; 0 in a new lake."""
        return self._state.version

    @property
    def digest(self) -> str:
        """Hash of everything the catalog says about this version."""
        return self._state.digest

    @property
    def now(self) -> datetime | None:
        """The time after which nothing is known; None: everything stored is."""
        return self._now

    def bars(
        self,
        symbols: Collection[str] | None = None,
        start: date | None = None,
        end: date | None = None,
        source: str | None = None,
    ) -> pl.DataFrame:
        """Return bars as stored (see the series' adjustment): ``BARS`` and ``recorded_at``, both ends included.

        ``source`` is a vendor (``alpaca``) or a vendor's feed (``alpaca:sip``). Symbols without a bar are absent.

        Raises
        ------
        LakeError
            The lake holds no bars at all, or a file is damaged.
        ConfigError
            Bars of several sources or feeds are stored and ``source`` does not choose one of them.
        """
        files = self._files("bars/1d")
        if not files:
            raise LakeError(f"The lake {self._root} holds no bars.", fix="Run `aitrader backfill`.")
        chosen = self._source(sorted({file.source for file in files}), source)
        return self._read("bars/1d", [file for file in files if file.source == chosen], symbols, start, end)

    def actions(self, symbols: Collection[str] | None = None, source: str | None = None) -> pl.DataFrame:
        """Return corporate actions: ``ACTIONS`` and ``recorded_at``, of one ``source`` or of all; may be empty.

        ``source`` is meant exactly: two feeds of one vendor tell of the same split, and it must not count twice.
        """
        files = [file for file in self._files("actions") if source in (None, file.source)]
        return self._read("actions", files, symbols)

    def predictions(self, model: str, version: str | None = None, kind: str | None = None) -> pl.DataFrame:
        """Return stored predictions of ``model``: ``PREDICTIONS`` and ``recorded_at``; empty if there are none."""
        dataset = check_name(f"predictions/{model}")
        rows = self._read(dataset, self._files(dataset))
        wanted = {"version": version, "kind": kind}
        return rows.filter(*(pl.col(name) == value for name, value in wanted.items() if value is not None))

    def read(self, dataset: str) -> pl.DataFrame:
        """Return all rows of a dataset other than ``features/*``, of all sources; empty if none is stored."""
        return self._read(dataset, self._files(dataset))

    def series(self) -> dict[tuple[str, Symbol], SeriesInfo]:
        """Return what is known about each stored series, by source and symbol."""
        return {(row.source, Symbol(row.symbol)): row.info for row in self._state.series}

    def sources(self, dataset: str = "bars/1d") -> tuple[str, ...]:
        """Return the sources (vendor or vendor:feed) whose rows the dataset holds, sorted."""
        return tuple(sorted({file.source for file in self._files(dataset)}))

    def datasets(self) -> list[DatasetInfo]:
        """Return every dataset that has a file, sorted by name."""
        return [self._info(name) for name in sorted({file.dataset for file in self._state.files})]

    def content_hash(self, dataset: str) -> str:
        """Return a text that two lakes share exactly if this view shows the same rows in both.

        All revisions count; ``recorded_at``, files and commits do not.
        """
        return str(total(self._content(file) for file in self._files(dataset)))

    def inputs(self, timeframe: str = "1d") -> str:
        """Return the hash of what features of ``timeframe`` are computed from: its bars, the actions, the series."""
        series = sorted((*key, str(info)) for key, info in self.series().items())
        parts = (self.content_hash(f"bars/{timeframe}"), self.content_hash("actions"), repr(series))
        return sha256("|".join(parts).encode()).hexdigest()

    def features(
        self, keys: Iterable[str], *, timeframe: str = "1d", inputs: str | None = None
    ) -> dict[str, StoredFeature]:
        """Return those of ``keys`` that are stored and fresh: computed from ``inputs`` (default: this view's own)."""
        fresh = self.inputs(timeframe) if inputs is None else inputs
        rows = {key: row for key, row in self._features(timeframe).items() if row.inputs == fresh}
        by_path: dict[str, list[FeatureRow]] = {}
        for key in dict.fromkeys(keys):
            if key in rows:
                by_path.setdefault(rows[key].path, []).append(rows[key])
        return {key: feature for path, group in by_path.items() for key, feature in self._matrices(path, group).items()}

    def feature_frame(self, names: Sequence[str] | None = None, timeframe: str = "1d") -> pl.DataFrame:
        """Return stored features as rows, fresh or not: ``symbol``, ``session``, one float32 column per display name.

        Sorted by symbol and session; null = missing; the newest of each name; without ``names`` all of them.

        Raises
        ------
        LakeError
            No features are stored, or not all of ``names``.
        """
        stored = self._newest_of_names(timeframe)
        wanted = sorted(stored) if names is None else list(names)
        missing = [name for name in wanted if name not in stored]
        if missing or not wanted:
            lacking = f"{len(missing)} of the wanted features" if missing and stored else f"features/{timeframe}"
            raise LakeError(f"The lake does not hold {lacking}.", fix="Run `aitrader calculate-features`.")
        return self._joined([stored[name] for name in wanted])

    def stale_features(self, timeframe: str = "1d") -> tuple[str, ...]:
        """Return the names of stored features that were computed from other bars, actions or series than these."""
        fresh = self.inputs(timeframe)
        return tuple(sorted(name for name, row in self._newest_of_names(timeframe).items() if row.inputs != fresh))

    def files(self) -> tuple[FileRow, ...]:
        """Return every file of this view, in order of commit."""
        return self._state.files

    def replaced(self) -> frozenset[str]:
        """Return the paths of feature files whose every column was computed anew since: nothing reads them here."""
        latest = {(row.dataset, row.key): row.path for row in self._state.features}
        return frozenset(row.path for row in self._state.features) - frozenset(latest.values())

    def _files(self, dataset: str) -> list[FileRow]:
        check_name(dataset)
        return [file for file in self._state.files if file.dataset == dataset]

    @spanned("read")
    def _read(
        self,
        dataset: str,
        files: Sequence[FileRow],
        symbols: Collection[str] | None = None,
        start: date | None = None,
        end: date | None = None,
    ) -> pl.DataFrame:
        schema = schema_of(dataset)
        first, last = start or date.min, end or date.max
        wanted = self._wanted(schema, symbols, start, end)
        parts = [pl.DataFrame(schema={**schema.columns, "recorded_at": INSTANT, "_version": pl.Int64()})]
        for file in files:
            if _meets(file, first, last):
                recorded = pl.lit(self._state.commits[file.version - 1].recorded_at, INSTANT).alias("recorded_at")
                version = pl.lit(file.version, pl.Int64()).alias("_version")
                parts.append(self._open(file.path, file=file).filter(*wanted).with_columns(recorded, version))
        return newest(pl.concat(parts), schema, repeats=any(file.repeats for file in files)).drop("_version")

    def _wanted(
        self, schema: DatasetSchema, symbols: Collection[str] | None, start: date | None, end: date | None
    ) -> list[pl.Expr]:
        tests = []
        if start or end:
            tests.append(pl.col(schema.day).is_between(start or date.min, end or date.max))
        if symbols is not None:
            tests.append(pl.col("symbol").is_in(list(symbols)))
        if self._now is not None and schema.known:
            tests.append(pl.col("known_at") <= self._now)
        return tests

    def _joined(self, rows: Sequence[FeatureRow]) -> pl.DataFrame:
        on = ["symbol", "session"]
        parts = [
            self._open(path, [*on, *(row.name for row in rows if row.path == path)])
            for path in dict.fromkeys(row.path for row in rows)
        ]
        frame = reduce(lambda left, right: left.join(right, on=on, how="full", coalesce=True), parts)
        ordered = frame.select(*on, *(row.name for row in rows)).sort(on)
        return ordered.with_columns(pl.selectors.float().fill_nan(None))

    def _open(self, path: str, columns: Sequence[str] | None = None, file: FileRow | None = None) -> pl.DataFrame:
        row = file or next(row for row in self._state.files if row.path == path)
        frame = read_parquet(self._root / path, row.stamp, columns)
        if frame.height != row.rows:
            raise LakeError(f"{self._root / path} has {frame.height} rows instead of {row.rows}: it is damaged.")
        return frame

    def _content(self, file: FileRow) -> Content:
        if self._now is None or file.known_last is None or datetime.fromisoformat(file.known_last) <= self._now:
            return parse_content(file.content)
        return content_of(self._open(file.path, file=file).filter(pl.col("known_at") <= self._now))

    def _source(self, stored: Sequence[str], wanted: str | None) -> str:
        if wanted in stored:
            return str(wanted)
        matching = [name for name in stored if wanted is None or name.startswith(f"{wanted}:")]
        if len(matching) == 1:
            return matching[0]
        listed = ", ".join(matching or stored)
        if not matching:
            raise ConfigError(
                f"The lake holds no bars of source {wanted!r}; it holds {listed}.",
                fix=f"Set data.source to one of these, or run `aitrader backfill --source {wanted}`.",
            )
        raise ConfigError(f"The lake holds bars of several sources: {listed}.", fix="Set data.source to one of them.")

    def _features(self, timeframe: str) -> dict[str, FeatureRow]:
        dataset = check_name(f"features/{timeframe}")
        return {row.key: row for row in self._state.features if row.dataset == dataset}

    def _newest_of_names(self, timeframe: str) -> dict[str, FeatureRow]:
        rows = sorted(self._features(timeframe).values(), key=lambda row: row.version)
        return {row.name: row for row in rows}

    def _matrices(self, path: str, group: Sequence[FeatureRow]) -> Mapping[str, StoredFeature]:
        frame = self._open(path, ["symbol", "session", *dict.fromkeys(row.name for row in group)])
        symbols = frame["symbol"].unique(maintain_order=True).to_list()
        shape = (len(symbols), frame.height // max(len(symbols), 1))
        sessions: NDArray[Any] = frame["session"].head(shape[1]).to_numpy().astype("datetime64[D]")
        return {
            row.key: StoredFeature(tuple(symbols), sessions, frame[row.name].to_numpy().reshape(shape)) for row in group
        }

    def _info(self, dataset: str) -> DatasetInfo:
        files = self._files(dataset)
        newest_version = max(file.version for file in files)
        return DatasetInfo(
            dataset,
            sum(file.rows for file in files),
            len(files),
            sum(file.size for file in files),
            min((date.fromisoformat(file.first) for file in files if file.first), default=None),
            max((date.fromisoformat(file.last) for file in files if file.last), default=None),
            tuple(sorted({file.source for file in files})),
            newest_version,
            self._state.commits[newest_version - 1].recorded_at,
            tuple(sorted({row.name for row in self._state.features if row.dataset == dataset})),
        )


def _meets(file: FileRow, first: date, last: date) -> bool:
    if file.first is None or file.last is None:
        return True
    return date.fromisoformat(file.first) <= last and first <= date.fromisoformat(file.last)
