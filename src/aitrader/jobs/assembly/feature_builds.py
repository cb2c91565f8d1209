"""Builds features into the lake: piece by piece, in bounded memory, each part committed when it is done."""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aitrader.config.schema import Config
from aitrader.domain.symbols import Symbol
from aitrader.jobs.assembly.feature_bars import Bars
from aitrader.jobs.assembly.feature_pieces import Piece, Result, computed, cuts, framed, lags_of, piece_of
from aitrader.jobs.assembly.feature_units import Planner, Todo, Unit, table
from aitrader.jobs.progress import Progress, Report
from aitrader.lake.catalog import FileRow
from aitrader.lake.feature_files import States, overlaid, packed
from aitrader.lake.feature_store import Build, FeatureStore, Written
from aitrader.panel.blocks import Values
from aitrader.panel.panel import Panel
from aitrader.panel.pieces import Place

PART_BYTES: Final = 256 << 20
"""Values of one file, uncompressed."""

DELTAS: Final = 32
"""So many files of a few sessions each are folded into one."""

CELL_BYTES: Final = 130
"""What a cell of a panel takes while it is laid out: six columns, adjusted, their factors."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some symbols over positions ``first`` up to ``stop`` of the sessions.

    ``carried`` (``CARRIED`` and states by column) is what is known before position ``begin``, where reading starts;
    None: nothing, and both are 0.
    """

    todo: Todo
    symbols: tuple[Symbol, ...]
    begin: int
    first: int
    stop: int
    carried: pl.DataFrame | None


@dataclass(frozen=True, slots=True)
class Done:
    """Values of some symbols (features, symbols, sessions), their rows of states, and their number of bars."""

    symbols: tuple[Symbol, ...]
    values: Values
    states: pl.DataFrame
    present: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Means:
    """Who computes: an executor of threads (None: the caller), with so many at work, here or at ``place``."""

    executor: Executor | None
    workers: int
    place: Place | None = None


class Builder:
    """Builds units into a lake, one after the other.

    ``resumes``: parts of a build that was interrupted are kept.
    """

    def __init__(
        self,
        config: Config,
        bars: Bars,
        planner: Planner,
        store: FeatureStore,
        means: Means,
        *,
        resumes: bool,
        progress: Report,
    ) -> None:
        self._config = config
        self._bars = bars
        self._planner = planner
        self._store = store
        self._means = means
        self._resumes = resumes
        self._progress = progress
        self._budget = int(config.features.max_memory * (1 << 30)) // 2

    def build(self, todo: Todo) -> dict[str, float]:
        """Do what is to be done and commit it; return the coverage of what was computed, by stored key."""
        if todo.fresh:
            self._mark(todo)
            return {}
        todo.unit.program.prepare(lambda done, total: self._progress(Progress("kernels", done, total, "compiled once")))
        counts = _Counts(todo.unit)
        if todo.anew:
            self._anew(todo, counts)
        else:
            self._further(todo, counts)
        return counts.coverage()

    def _mark(self, todo: Todo) -> None:
        """Note that a build without news has seen all of the lake."""
        build = todo.unit.build
        assert build is not None
        if todo.seen:
            self._complete(todo, build.part_paths, build.state_paths, [])

    def _anew(self, todo: Todo, counts: "_Counts") -> None:
        columns, across = todo.unit.columns, todo.unit.across
        token = self._token(todo)
        found = self._bars.snapshot.unfinished(self._store.group_id(columns), token) if self._resumes else ()
        parts, states = [row.path for row in found], [row.states for row in found]
        known = self._bars.snapshot.states(states[-1:] if across else states) if found else None
        waiting: list[FileRow] = []
        for written in self._written(todo, known, counts):
            if waiting:
                self._store.keep(columns, Written(*waiting), token)
                self._told(todo, len(parts))
            waiting = [written.part, written.states]
            parts.append(written.part.path)
            states.append(written.states.path)
        self._complete(todo, parts, states[-1:] if across else states, waiting)

    def _written(self, todo: Todo, known: States | None, counts: "_Counts") -> Iterator[Written]:
        """Write everything beyond what is ``known``; yield the parts, each with its states."""
        rows, stop = (None, 0) if known is None else (known.rows, int(known.notes["stop"]))
        while stretch := self._next(todo, rows, stop):
            for part, new in self._parts(stretch, counts):
                held = States(new, todo.sessions, self._notes(todo, stretch.stop))
                yield Written(part, self._store.states(todo.unit.columns, held))
                rows = new if rows is None or todo.unit.across else table([rows, new])
            stop = stretch.stop

    def _next(self, todo: Todo, rows: pl.DataFrame | None, stop: int) -> Stretch | None:
        """Return what is built next, after the symbols of ``rows``, or from position ``stop`` on: as memory allows."""
        unit, whole = todo.unit, len(todo.sessions)
        if not unit.across:
            there = set() if rows is None else set(rows["symbol"])
            rest = tuple(symbol for symbol in todo.kept if symbol not in there)
            step = max(1, self._budget // (CELL_BYTES * whole))
            return Stretch(todo, rest[:step], 0, 0, whole, None) if rest else None
        length = self._slab_length(todo)
        end = whole if whole - stop < 2 * length else stop + length
        begin = max(0, stop - unit.reach(unit.program.lags)) if stop else 0
        return Stretch(todo, todo.symbols, begin, stop, end, rows) if stop < whole else None

    def _slab_length(self, todo: Todo) -> int:
        unit = todo.unit
        staged = sum(len(stage.staged) + len(stage.crosses) for stage in unit.program.passes)
        cell = CELL_BYTES + 8 * (staged + 8) + 4 * len(unit.specs)
        return max(unit.reach(unit.program.lags), 32, self._budget // (cell * len(todo.symbols)))

    def _further(self, todo: Todo, counts: "_Counts") -> None:
        """Go on from what is stored: new sessions of known symbols, and some symbols from their beginning."""
        assert todo.unit.build is not None
        paths, whole = list(todo.unit.build.part_paths), len(todo.sessions)
        stay = todo.stay()
        paths, written = self._new_sessions(todo, stay, paths, counts)
        rows = [new for _, new in written] or [stay]
        if todo.scratch:
            anew = list(self._parts(Stretch(todo, todo.scratch, 0, 0, whole, None), counts))
            written += anew
            rows += [new for _, new in anew]
        held = table([part.select(rows[-1].columns) for part in rows])
        states = self._store.states(todo.unit.columns, States(held, todo.sessions, self._notes(todo, whole)))
        files = [file for file, _ in written]
        self._complete(todo, [*paths, *(file.path for file in files)], [states.path], [*files, states])

    def _new_sessions(
        self, todo: Todo, stay: pl.DataFrame, paths: list[str], counts: "_Counts"
    ) -> tuple[list[str], list[tuple[FileRow, pl.DataFrame]]]:
        """Write the new sessions of the symbols that ``stay``; return the paths still needed, and what was written."""
        assert todo.states is not None
        if len(todo.sessions) == len(todo.states.sessions):
            return paths, []
        symbols = tuple(Symbol(symbol) for symbol in stay["symbol"])
        begin, first = int(todo.states.notes["begin"]), len(todo.states.sessions)
        stretch = Stretch(todo, symbols, begin, first, len(todo.sessions), stay)
        small = self._small(todo, paths)
        if len(small) < DELTAS:
            return paths, list(self._parts(stretch, counts))
        return paths[: -len(small)], [self._folded(stretch, small, counts)]

    def _folded(self, stretch: Stretch, small: Sequence[str], counts: "_Counts") -> tuple[FileRow, pl.DataFrame]:
        """Write the new sessions together with those of ``small``, the last parts; return it as ``_parts`` does."""
        snapshot, columns = self._bars.snapshot, stretch.todo.unit.columns
        sessions = stretch.todo.sessions
        begin = int(np.searchsorted(sessions, np.datetime64(snapshot.file(small[0]).first, "D")))
        rows = []
        with self._store.part(columns, sessions[begin : stretch.stop]) as part:
            for done in self._results(stretch):
                grid = (done.symbols, sessions[begin : stretch.first])
                old = overlaid(small, tuple(columns.values()), grid, snapshot.opened)
                part.write(done.symbols, np.concatenate([old, done.values], axis=2))
                counts.add(done)
                rows.append(done.states)
        return part.file, table(rows)

    def _small(self, todo: Todo, paths: Sequence[str]) -> list[str]:
        """Return the last parts, as far as each holds a few sessions only."""
        found: list[str] = []
        for path in reversed(paths):
            file = self._bars.snapshot.file(path)
            ends = np.searchsorted(todo.sessions, np.array([file.first, file.last], dtype="datetime64[D]"))
            if ends[1] - ends[0] >= DELTAS or ends[0] == 0:
                break
            found.insert(0, path)
        return found

    def _parts(self, stretch: Stretch, counts: "_Counts") -> Iterator[tuple[FileRow, pl.DataFrame]]:
        """Write a stretch in parts of bounded size; yield each with its rows of states."""
        columns, days = stretch.todo.unit.columns, stretch.todo.sessions[stretch.first : stretch.stop]
        results = self._results(stretch)
        done = next(results, None)
        while done is not None:
            rows, size = [], 0
            with self._store.part(columns, days) as part:
                while done is not None and size < PART_BYTES:
                    part.write(done.symbols, done.values)
                    counts.add(done)
                    rows.append(done.states)
                    size += done.values.nbytes
                    done = next(results, None)
            yield part.file, table(rows)

    def _results(self, stretch: Stretch) -> Iterator[Done]:
        """Compute a stretch; the values yielded are overwritten once the next are asked for."""
        todo, unit = stretch.todo, stretch.todo.unit
        slab = self._bars.slab(
            stretch.symbols,
            todo.sessions[stretch.begin : stretch.stop],
            unit.inputs,
            offset=stretch.begin,
            carried=stretch.carried,
            judged=unit.across,
        )
        lags = dict(unit.program.lags) if stretch.carried is None else lags_of(stretch.carried.columns)
        skip = max(0, stretch.first - stretch.begin - unit.before(lags))
        panel = slab.panel.slice(skip) if skip else slab.panel
        first = stretch.first - stretch.begin - skip
        resume = stretch.carried if stretch.carried is not None and unit.program.lags else None
        rows = list(self._rows(unit, panel, first))
        pieces = [
            piece_of(panel, cut, unit.program, first=first, min_names=self._config.features.min_names, resume=resume)
            for cut in rows
        ]
        carry = slab.carry(max(0, stretch.stop - unit.reach(lags)))
        shown = slab.present[:, stretch.first - stretch.begin :]
        for cut, result in zip(rows, self._computed(pieces), strict=True):
            yield _done(stretch, carry[cut], result, shown[cut])

    def _rows(self, unit: Unit, panel: Panel, first: int) -> Iterator[slice]:
        symbols, bars = panel.shape
        if unit.across:
            yield slice(0, symbols)
            return
        yield from cuts(symbols, bars - first, len(unit.specs))

    def _computed(self, pieces: Sequence[Piece]) -> Iterator[Result]:
        """Compute pieces in order, a few ahead of the one in use, in buffers that are used again."""
        run = partial(computed, place=self._means.place)
        most = max((int(np.prod(piece.shape)) for piece in pieces), default=0)
        if self._means.executor is None or len(pieces) == 1:
            buffer = np.empty(most, dtype=np.float32)
            for piece in pieces:
                yield run(piece, out=_shaped(buffer, piece), executor=self._means.executor)
            return
        free = [np.empty(most, dtype=np.float32) for _ in range(min(self._means.workers + 1, len(pieces)))]
        waiting: deque[tuple[Future[Result], NDArray[np.float32]]] = deque()
        left = iter(pieces)
        for piece in left:
            buffer = free.pop()
            waiting.append((self._means.executor.submit(run, piece, out=_shaped(buffer, piece)), buffer))
            if not free:
                break
        while waiting:
            future, buffer = waiting.popleft()
            yield future.result()
            following = next(left, None)
            if following is not None:
                waiting.append((self._means.executor.submit(run, following, out=_shaped(buffer, following)), buffer))

    def _notes(self, todo: Todo, stop: int) -> dict[str, Any]:
        lags = dict(todo.unit.program.lags) if todo.states is None else lags_of(todo.states.rows.columns)
        same = todo.kept == todo.symbols or todo.unit.across
        return {
            "begin": max(0, stop - todo.unit.reach(lags)),
            "stop": stop,
            "selection": self._planner.selection,
            "end": self._planner.end,
            "available": None if same else [str(symbol) for symbol in todo.symbols],
        }

    def _token(self, todo: Todo) -> str:
        """Return what tells this build from one of other bars, symbols or sessions."""
        snapshot = self._bars.snapshot
        inputs = [snapshot.content_hash("bars/1d"), snapshot.content_hash("actions"), packed(todo.sessions)]
        return sha256(json.dumps([inputs, list(todo.symbols), list(todo.kept)]).encode()).hexdigest()

    def _complete(self, todo: Todo, parts: Sequence[str], states: Sequence[str], files: Sequence[FileRow]) -> None:
        snapshot, last = self._bars.snapshot, str(todo.sessions[-1].astype("datetime64[D]"))
        build = Build(self._bars.source, tuple(parts), tuple(states), last, snapshot.version, snapshot.now)
        self._store.complete(todo.unit.columns, build, files)

    def _told(self, todo: Todo, parts: int) -> None:
        self._progress(Progress("features", parts, parts + 1, f"{len(todo.unit.specs)} features"))


class _Counts:
    """How many bars were computed, and how many of them have a value, feature by feature."""

    def __init__(self, unit: Unit) -> None:
        self._keys = tuple(unit.columns)
        self._values = np.zeros(len(self._keys), dtype=np.int64)
        self._bars = 0

    def add(self, done: Done) -> None:
        self._bars += int(np.count_nonzero(done.present))
        for number, values in enumerate(done.values):
            self._values[number] += np.count_nonzero(~np.isnan(values) & done.present)

    def coverage(self) -> dict[str, float]:
        bars = self._bars
        return {key: int(known) / bars if bars else 0.0 for key, known in zip(self._keys, self._values, strict=True)}


def _shaped(buffer: NDArray[np.float32], piece: Piece) -> Values:
    return buffer[: int(np.prod(piece.shape))].reshape(piece.shape)


def _done(stretch: Stretch, carry: pl.DataFrame, result: Result, present: NDArray[np.bool_]) -> Done:
    todo = stretch.todo
    kept = set(todo.kept)
    stored = carry["symbol"].is_in([str(symbol) for symbol in kept])
    own = carry.select(name for name in carry.columns if name.count("/") < 2 and name != "stored")
    rows = own.with_columns(stored.alias("stored"), *framed(result.states))
    symbols = tuple(Symbol(symbol) for symbol in carry["symbol"])
    if bool(stored.all()):
        return Done(symbols, result.values, rows, present)
    mask = stored.to_numpy()
    chosen = tuple(symbol for symbol in symbols if symbol in kept)
    return Done(chosen, np.ascontiguousarray(result.values[:, mask]), rows, present[mask])
