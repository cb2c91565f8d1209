"""One consistent view of the lake: what was committed by a time, and what the market could know by another."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import reduce
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import polars as pl

from aitrader.domain.frames import INSTANT
from aitrader.domain.series import SeriesInfo
from aitrader.domain.symbols import Symbol
from aitrader.errors import LakeError
from aitrader.lake.catalog import BuildRow, FileRow, PartRow, State
from aitrader.lake.content import Content, content_of, parse_content, total
from aitrader.lake.feature_files import States, overlaid, read_states
from aitrader.lake.files import is_sound, read_notes, read_parquet
from aitrader.lake.lineage import Changes, changes
from aitrader.lake.revisions import newest
from aitrader.lake.schemas import DatasetSchema, check_name, schema_of
from aitrader.lake.sources import source_meant
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
    def root(self) -> Path:
        """The lake's folder."""
        return self._root

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
        chosen = self.bar_source(source)
        files = [file for file in self._files("bars/1d") if file.source == chosen]
        return self._read("bars/1d", files, symbols, start, end)

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

        All revisions count; ``recorded_at``, files and commits do not. Features count with the parts that they were
        built in, so that lakes which grew in other steps differ although ``feature_frame`` is the same.
        """
        return str(total(self._content(file) for file in self._values_of(dataset)))

    def bar_source(self, wanted: str | None) -> str:
        """Return the source of bars that ``wanted`` means (None: the only one); errors as ``bars``."""
        files = self._files("bars/1d")
        if not files:
            raise LakeError(f"The lake {self._root} holds no bars.", fix="Run `aitrader backfill`.")
        return source_meant(sorted({file.source for file in files}), wanted)

    def bar_parts(
        self, columns: Sequence[str], *, source: str, start: date | None = None, end: date | None = None
    ) -> Iterator[pl.DataFrame]:
        """Yield ``columns`` of the newest revision of each bar, file by file and in no order, in little memory.

        Arguments as for ``bars``; a source is meant exactly.
        """
        files = [file for file in self._files("bars/1d") if file.source == source and _meets(file, start, end)]
        schema = schema_of("bars/1d")
        wanted, names = self._wanted(schema, None, start, end), list(dict.fromkeys([*columns, *schema.key, "known_at"]))
        # Revisions of a bar stand in the folder of its year, in a file that says so.
        for own in _by_folder(files):
            twice = [self._open(file, schema.key) for file in own if file.repeats]
            parts = ((file, self._open(file, names).filter(*wanted)) for file in own)
            if not twice:
                yield from (rows.select(columns) for _, rows in parts)
                continue
            keys, revised = pl.concat(twice).unique(), []
            for file, rows in parts:
                yield rows.join(keys, on=schema.key, how="anti").select(columns)
                revised.append(rows.join(keys, on=schema.key, how="semi").with_columns(_version=pl.lit(file.version)))
            yield newest(pl.concat(revised), schema, repeats=True).select(columns)

    def builds(self, timeframe: str = "1d") -> dict[str, BuildRow]:
        """Return the newest build of each feature key that is stored."""
        dataset = check_name(f"features/{timeframe}")
        rows = {row.group_id: row for row in self._state.builds if row.dataset == dataset}
        newest = sorted(rows.values(), key=lambda row: row.version)
        return {key: row for row in newest for key in self.column_names(row)}

    def column_names(self, build: BuildRow) -> dict[str, str]:
        """Return the column of each feature key in a build."""
        return next(group for group in self._state.groups if group.id == build.group_id).names

    @property
    def feature_groups(self) -> frozenset[str]:
        """The names of the groups of features that were ever stored."""
        return frozenset(group.id for group in self._state.groups)

    def unfinished(self, group_id: str, token: str) -> tuple[PartRow, ...]:
        """Return the sound parts of a build of this token that is stored in part, in order of commit."""
        complete = max((row.version for row in self._state.builds if row.group_id == group_id), default=0)
        own = (row for row in self._state.parts if row.version > complete)
        rows = (row for row in own if (row.group_id, row.token) == (group_id, token))
        return tuple(row for row in rows if self._sound([row.path, row.states]))

    def changes(self, build: BuildRow) -> Changes:
        """Return what this view shows that ``build`` has not seen."""
        return changes(build, self._state.files, self._state.series, self._now, self._open)

    def sound(self, build: BuildRow) -> bool:
        """Say whether the files of ``build`` are there and look as committed."""
        return self._sound([*build.part_paths, *build.state_paths])

    def file(self, path: str) -> FileRow:
        """Return the row of a committed file."""
        return next(row for row in reversed(self._state.files) if row.path == path)

    def opened(self, path: str, columns: Sequence[str] | None) -> pl.DataFrame:
        """Return columns (None: all) of a committed file, checked."""
        return self._open(self.file(path), columns)

    def states(self, paths: Sequence[str]) -> States:
        """Return the states that stand in these files."""
        return read_states(paths, self.opened, lambda path: read_notes(self._root / path, self.file(path).stamp))

    def feature_frame(
        self, names: Sequence[str] | None = None, timeframe: str = "1d", *, keys: Mapping[str, str] | None = None
    ) -> pl.DataFrame:
        """Return stored features as rows, fresh or not: ``symbol``, ``session``, one float32 column per display name.

        Sorted by symbol and session; null = missing; the newest of each name; without ``names`` all of them. ``keys``
        (by the name of its column) means features exactly, whatever they were called when they were stored.

        Raises
        ------
        LakeError
            No features are stored, or not all of ``names``, or they know bars that this view hides.
        """
        stored = self._meant(names, timeframe, keys)
        on, used = ["symbol", "session"], dict.fromkeys(build for _, build in stored.values())
        if self._now is not None and any(self.changes(build).vanished for build in used):
            raise LakeError(
                f"The stored features know bars that were not known at {self._now.isoformat()}.",
                fix="Name a later --now, or replace them with `aitrader calculate-features --full`.",
            )
        frames = [self._frame(build, {n: key for n, (key, own) in stored.items() if own == build}) for build in used]
        frame = reduce(lambda left, right: left.join(right, on=on, how="full", coalesce=True), frames)
        return frame.select(*on, *stored).sort(on).with_columns(pl.selectors.float().fill_nan(None))

    def stale_features(self, timeframe: str = "1d") -> tuple[str, ...]:
        """Return the names of stored features that do not know all that this view shows."""
        stored = self._newest_of_names(timeframe)
        stale = {build for build in {build for _, build in stored.values()} if not self.changes(build).none}
        return tuple(sorted(name for name, (_, build) in stored.items() if build in stale))

    def files(self) -> tuple[FileRow, ...]:
        """Return every file of this view, in order of commit."""
        return self._state.files

    def replaced(self) -> frozenset[str]:
        """Return the paths of feature files that no newest build of any feature needs: nothing reads them here.

        Parts of a build that was interrupted, and not completed since, are not among them: the next run goes on there.
        """
        built: set[str] = set()
        read: set[str] = set()
        newest = set(self.builds().values())
        complete: dict[str, int] = {}
        for row in self._state.builds:
            paths = {*row.part_paths, *row.state_paths}
            built |= paths
            read |= paths if row in newest else set()
            complete[row.group_id] = row.version
        for part in self._state.parts:
            if part.version < complete.get(part.group_id, 0):
                built |= {part.path, part.states}
        return frozenset(built - read)

    def _files(self, dataset: str) -> list[FileRow]:
        check_name(dataset)
        return [file for file in self._state.files if file.dataset == dataset]

    def _values_of(self, dataset: str) -> list[FileRow]:
        """Return the files whose rows a dataset shows: of features, the parts of the newest builds."""
        files = self._files(dataset)
        if not dataset.startswith("features/"):
            return files
        shown = {path for build in self.builds(dataset.partition("/")[2]).values() for path in build.part_paths}
        return [file for file in files if file.path in shown]

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
        wanted = self._wanted(schema, symbols, start, end)
        parts = [pl.DataFrame(schema={**schema.columns, "recorded_at": INSTANT, "_version": pl.Int64()})]
        for file in files:
            if _meets(file, start, end):
                recorded = pl.lit(self._state.commits[file.version - 1].recorded_at, INSTANT).alias("recorded_at")
                version = pl.lit(file.version, pl.Int64()).alias("_version")
                parts.append(self._open(file).filter(*wanted).with_columns(recorded, version))
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

    def _open(self, file: FileRow, columns: Sequence[str] | None = None) -> pl.DataFrame:
        frame = read_parquet(self._root / file.path, file.stamp, columns)
        if frame.height != file.rows:
            raise LakeError(f"{self._root / file.path} has {frame.height} rows instead of {file.rows}: it is damaged.")
        return frame

    def _sound(self, paths: Iterable[str]) -> bool:
        return all(is_sound(self._root / path, self.file(path).stamp) for path in paths)

    def _content(self, file: FileRow) -> Content:
        if self._now is None or file.known_last is None or datetime.fromisoformat(file.known_last) <= self._now:
            return parse_content(file.content)
        return content_of(self._open(file).filter(pl.col("known_at") <= self._now))

    def _meant(
        self, names: Sequence[str] | None, timeframe: str, keys: Mapping[str, str] | None
    ) -> dict[str, tuple[str, BuildRow]]:
        """Return key and build of each feature that is asked for, by the name of its column, in order."""
        if keys is None:
            stored = self._newest_of_names(timeframe)
        else:
            builds = self.builds(timeframe)
            stored = {name: (key, builds[key]) for name, key in keys.items() if key in builds}
        asked = names if keys is None else keys
        wanted = sorted(stored) if asked is None else list(asked)
        missing = len(set(wanted) - set(stored))
        if missing or not wanted:
            lacking = f"{missing} of the wanted features" if missing else f"features/{timeframe}"
            raise LakeError(
                f"The lake does not hold {lacking}.",
                fix="Run `aitrader calculate-features` under the same settings, and with --feature-set for what "
                "`features.compute` does not name.",
            )
        return {name: stored[name] for name in wanted}

    def _newest_of_names(self, timeframe: str) -> dict[str, tuple[str, BuildRow]]:
        """Return key and build by display name."""
        newest = sorted(self.builds(timeframe).items(), key=lambda entry: entry[1].version)
        columns = {build.group_id: self.column_names(build) for _, build in newest}
        return {columns[build.group_id][key]: (key, build) for key, build in newest}

    def _frame(self, build: BuildRow, keys: Mapping[str, str]) -> pl.DataFrame:
        """Return the rows of a build, with the columns of ``keys`` by their names."""
        states, columns = self.states(build.state_paths), self.column_names(build)
        symbols = states.rows.filter("stored").select("symbol")
        names = [columns[key] for key in keys.values()]
        grid = (symbols["symbol"].to_list(), states.sessions)
        values = overlaid(build.part_paths, names, grid, self.opened)
        sessions = pl.DataFrame({"session": states.sessions}, schema={"session": pl.Date()})
        rows = symbols.join(sessions, how="cross", maintain_order="left_right")
        return rows.with_columns(pl.Series(name, column.reshape(-1)) for name, column in zip(keys, values, strict=True))

    def _info(self, dataset: str) -> DatasetInfo:
        files = self._files(dataset)
        newest_version = max(file.version for file in files)
        return DatasetInfo(
            dataset,
            sum(file.rows for file in self._values_of(dataset)),
            len(files),
            sum(file.size for file in files),
            min((date.fromisoformat(file.first) for file in files if file.first), default=None),
            max((date.fromisoformat(file.last) for file in files if file.last), default=None),
            self._sources_of(dataset, files),
            newest_version,
            self._state.commits[newest_version - 1].recorded_at,
            tuple(sorted(self._newest_of_names("1d"))) if dataset == "features/1d" else (),
        )

    def _sources_of(self, dataset: str, files: Sequence[FileRow]) -> tuple[str, ...]:
        """Return whose rows a dataset holds; of features, from whose bars the newest builds were made."""
        family, _, timeframe = dataset.partition("/")
        rows = self.builds(timeframe).values() if family == "features" else files
        return tuple(sorted({row.source for row in rows}))


def _meets(file: FileRow, first: date | None, last: date | None) -> bool:
    if file.first is None or file.last is None:
        return True
    return date.fromisoformat(file.first) <= (last or date.max) and (first or date.min) <= date.fromisoformat(file.last)


def _by_folder(files: Iterable[FileRow]) -> Iterator[list[FileRow]]:
    ordered = sorted(files, key=attrgetter("path"))
    yield from (list(own) for _, own in groupby(ordered, lambda file: file.path.rpartition("/")[0]))
