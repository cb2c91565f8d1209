"""Builds features into the lake: piece by piece, in bounded memory, each part committed when it is done."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aitrader.config.schema import Config
from aitrader.domain.symbols import Symbol
from aitrader.errors import LakeError
from aitrader.jobs.assembly.feature_bars import Bars
from aitrader.jobs.assembly.feature_pieces import Means, Work, cuts, framed, lags_of
from aitrader.jobs.assembly.feature_units import Planner, Todo, Unit, table
from aitrader.jobs.progress import Progress, Report
from aitrader.lake.catalog import FileRow, PartRow
from aitrader.lake.feature_files import States, overlaid, packed
from aitrader.lake.feature_store import Build, FeatureStore
from aitrader.panel.blocks import States as Remembered
from aitrader.panel.blocks import Values

PART_BYTES: Final = 256 << 20
"""Values of one file, uncompressed."""

PIECE_BYTES: Final = 48 << 20
"""Values that are computed, held and written together, if memory allows."""

DELTAS: Final = 32
"""So many files of fewer than ``FEW`` sessions are folded into one."""

FEW: Final = 8

PATCHES: Final = 200
"""So many parts beyond those of a whole build are replaced by a whole build."""

LEAST: Final = 32
"""Sessions that a slab adds to what is known, however little memory there is."""

BASE_BYTES: Final = 380 << 20
"""What the process takes before it holds a bar."""

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


class _Damaged(Exception):
    """A stored part that is to be folded into another cannot be read."""


class Builder:
    """Builds units into a lake, one after the other.

    ``resumes``: parts of a build that was interrupted are gone on with, now and by later runs.
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
        memory = int(config.features.max_memory * (1 << 30))
        self._budget = max(memory - BASE_BYTES, memory // 8)

    def build(self, todo: Todo) -> dict[str, float]:
        """Do what is to be done and commit it; return the coverage of what was computed, by stored key."""
        if todo.fresh:
            self._mark(todo)
            return {}
        todo.unit.program.prepare(lambda done, total: self._progress(Progress("kernels", done, total, "compiled once")))
        if not todo.anew and _patches(todo) < PATCHES:
            try:
                return self._further(todo)
            except _Damaged:
                pass
        return self._anew(replace(todo, states=None, scratch=()))

    def _mark(self, todo: Todo) -> None:
        """Note that a build without news has seen all of the lake, for the symbols and sessions that are wanted."""
        build, held = todo.unit.build, todo.states
        assert build is not None
        assert held is not None
        if not todo.seen:
            return
        rows, notes = todo.stay(), {**held.notes, **self._wanted(todo)}
        if rows.height == held.rows.height and notes == held.notes:
            self._complete(todo, build.part_paths, build.state_paths, [])
        else:
            states = self._store.states(todo.unit.columns, States(rows, todo.sessions, notes))
            self._complete(todo, build.part_paths, [states.path], [states])

    def _anew(self, todo: Todo) -> dict[str, float]:
        columns, across, counts = todo.unit.columns, todo.unit.across, _Counts(todo.unit)
        token = self._token(todo) if self._resumes else ""
        found, held = self._unfinished(todo, token) if self._resumes else ([], None)
        parts, states = [row.path for row in found], [row.states for row in found]
        waiting: tuple[FileRow, ...] = ()
        for part, after in self._written(todo, held, counts):
            if waiting:
                self._store.keep(columns, waiting, token)
                self._progress(Progress("features", len(parts), len(parts) + 1, f"{len(todo.unit.specs)} features"))
            parts.append(part.path)
            noted = replace(after, notes={**after.notes, "parts": len(parts)})
            waiting = (part, self._store.states(columns, noted))
            states.append(waiting[1].path)
        self._complete(todo, parts, states[-1:] if across else states, waiting)
        return counts.coverage()

    def _unfinished(self, todo: Todo, token: str) -> tuple[list[PartRow], States | None]:
        """Return the parts that an interrupted build left, and what is known after them."""
        snapshot, across = self._bars.snapshot, todo.unit.across
        found, stop = [], 0
        for row in snapshot.unfinished(self._store.group_id(todo.unit.columns), token):
            file = snapshot.file(row.path)
            # A slab is of use only behind the one that it was resumed from, which may be lost.
            if not across or (stop < len(todo.sessions) and file.first == str(todo.sessions[stop])):
                found.append(row)
                stop = int(np.searchsorted(todo.sessions, np.datetime64(file.last, "D"))) + 1
        try:
            paths = [row.states for row in found]
            return found, snapshot.states(paths[-1:] if across else paths) if found else None
        except LakeError:
            return [], None

    def _written(self, todo: Todo, held: States | None, counts: "_Counts") -> Iterator[tuple[FileRow, States]]:
        """Write everything beyond what is ``held``; yield the parts, each with the states to store beside it."""
        whole = len(todo.sessions)
        if not todo.unit.across:
            there = set() if held is None else set(held.rows["symbol"])
            for stretch in self._by_symbol(todo, [symbol for symbol in todo.kept if symbol not in there], None):
                for part, rows in self._parts(stretch, counts):
                    yield part, States(rows, todo.sessions, self._notes(todo, whole))
            return
        while held is None or held.notes["stop"] < whole:
            stretch = self._slab(todo, held)
            ((part, rows),) = self._parts(stretch, counts)
            held = States(rows, todo.sessions, self._notes(todo, stretch.stop))
            yield part, held

    def _by_symbol(self, todo: Todo, symbols: Sequence[Symbol], held: States | None) -> Iterator[Stretch]:
        """Yield stretches of as many symbols as memory allows: beyond what is ``held`` of them, or whole."""
        whole = len(todo.sessions)
        begin, first = (0, 0) if held is None else (held.notes["begin"], held.notes["stop"])
        step = max(1, self._budget // 2 // (CELL_BYTES * (whole - begin)))
        for place in range(0, len(symbols), step):
            carried = None if held is None else held.rows[place : place + step]
            yield Stretch(todo, tuple(symbols[place : place + step]), begin, first, whole, carried)

    def _slab(self, todo: Todo, held: States | None) -> Stretch:
        """Return all symbols over as many sessions as memory allows, beyond what is ``held``."""
        unit, whole = todo.unit, len(todo.sessions)
        begin, first = (0, 0) if held is None else (held.notes["begin"], held.notes["stop"])
        staged = sum(len(stage.staged) + len(stage.crosses) for stage in unit.program.passes)
        cell = CELL_BYTES + 8 * (staged + len(unit.groups) + 8) + 4 * len(unit.specs)
        # The first slab is as long as states reach back, so that the next one finds them where it begins.
        panel = max(self._budget // (cell * len(todo.symbols)), unit.reach(unit.program.lags) + LEAST)
        stop = max(begin + panel, first + LEAST)
        carried = None if held is None else held.rows
        return Stretch(todo, todo.symbols, begin, first, stop if whole - stop >= LEAST else whole, carried)

    def _further(self, todo: Todo) -> dict[str, float]:
        """Go on from what is stored: new sessions of known symbols, and some symbols from their beginning."""
        build, held, counts, whole = todo.unit.build, todo.states, _Counts(todo.unit), len(todo.sessions)
        assert build is not None
        assert held is not None
        paths, rows = list(build.part_paths), [todo.stay()]
        files: list[FileRow] = []
        if len(held.sessions) < whole:
            paths, files, rows = self._later(todo, replace(held, rows=rows[0]), paths, counts)
        for stretch in self._by_symbol(todo, todo.scratch, None):
            for part, new in self._parts(stretch, counts):
                files.append(part)
                rows.append(new)
        own = table([part.select(rows[-1].columns) for part in rows])
        notes = {**self._notes(todo, whole), "parts": len(build.part_paths) - _patches(todo)}
        states = self._store.states(todo.unit.columns, States(own, todo.sessions, notes))
        self._complete(todo, [*paths, *(file.path for file in files)], [states.path], [*files, states])
        return counts.coverage()

    def _later(
        self, todo: Todo, held: States, paths: list[str], counts: "_Counts"
    ) -> tuple[list[str], list[FileRow], list[pl.DataFrame]]:
        """Write the new sessions of the symbols ``held``; return the parts still needed, the new ones, and states."""
        small = self._small(todo, paths)
        if todo.unit.across:
            stretches = [self._slab(todo, held)]
        else:
            symbols = [Symbol(symbol) for symbol in held.rows["symbol"]]
            stretches = list(self._by_symbol(todo, symbols, held))
        if len(small) >= DELTAS and stretches[0].stop == len(todo.sessions):
            part, new = self._folded(stretches, small, counts)
            return paths[: -len(small)], [part], [new]
        if todo.unit.across:
            *_, (_, after) = slabs = list(self._written(todo, held, counts))
            return paths, [part for part, _ in slabs], [after.rows]
        parts, rows = zip(*(written for stretch in stretches for written in self._parts(stretch, counts)), strict=True)
        return paths, list(parts), list(rows)

    def _folded(
        self, stretches: Sequence[Stretch], small: Sequence[str], counts: "_Counts"
    ) -> tuple[FileRow, pl.DataFrame]:
        """Write the new sessions together with those of ``small``, the last parts; return it as ``_parts`` does."""
        snapshot, todo = self._bars.snapshot, stretches[0].todo
        columns, first = todo.unit.columns, stretches[0].first
        begin = int(np.searchsorted(todo.sessions, np.datetime64(snapshot.file(small[0]).first, "D")))
        rows = []
        with self._store.part(columns, todo.sessions[begin:]) as part:
            for done in (done for stretch in stretches for done in self._results(stretch, since=begin)):
                try:
                    grid = (done.symbols, todo.sessions[begin:first])
                    old = overlaid(small, tuple(columns.values()), grid, snapshot.opened)
                except LakeError as error:
                    raise _Damaged from error
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
            if ends[1] - ends[0] >= FEW - 1 or ends[0] == 0:
                break
            found.insert(0, path)
        return found

    def _parts(self, stretch: Stretch, counts: "_Counts") -> Iterator[tuple[FileRow, pl.DataFrame]]:
        """Write a stretch in parts of bounded size, or a slab as one; yield each with its rows of states."""
        columns, days = stretch.todo.unit.columns, stretch.todo.sessions[stretch.first : stretch.stop]
        results = self._results(stretch)
        done = next(results, None)
        while done is not None:
            rows, size = [], 0
            with self._store.part(columns, days) as part:
                while done is not None and (size < PART_BYTES or stretch.todo.unit.across):
                    part.write(done.symbols, done.values)
                    counts.add(done)
                    rows.append(done.states)
                    size += done.values.nbytes
                    done = next(results, None)
            yield part.file, table(rows)

    def _results(self, stretch: Stretch, since: int | None = None) -> Iterator[Done]:
        """Compute a stretch; the values yielded are overwritten once the next are asked for.

        They are as many as are written together with those stored from position ``since`` on (None: with none).
        """
        work, carry, shown = self._laid_out(stretch)
        symbols, unit = len(stretch.symbols), stretch.todo.unit
        size = min(PIECE_BYTES, self._budget // (2 * (self._means.workers + 3)))
        cells = stretch.stop - (stretch.first if since is None else since)
        rows = list(cuts(symbols, cells, len(unit.specs), size))
        for cut, values, states in work.at_once(rows) if unit.across else work.one_by_one(rows):
            yield _done(stretch, carry[cut], values, states, shown[cut])

    def _laid_out(self, stretch: Stretch) -> tuple[Work, pl.DataFrame, NDArray[np.bool_]]:
        """Return what is computed of a stretch, what the next one must know of it, and where its symbols have bars."""
        todo, unit = stretch.todo, stretch.todo.unit
        slab = self._bars.slab(
            stretch.symbols,
            todo.sessions[stretch.begin : stretch.stop],
            unit.inputs,
            offset=stretch.begin,
            carried=stretch.carried,
            within=unit.groups if unit.across else None,
        )
        lags = dict(unit.program.lags) if stretch.carried is None else lags_of(stretch.carried.columns)
        skip = max(0, stretch.first - stretch.begin - unit.before(lags))
        work = Work(
            unit.program,
            slab.panel.slice(skip) if skip else slab.panel,
            stretch.first - stretch.begin - skip,
            self._config.features.min_names,
            stretch.carried if unit.program.lags else None,
            self._means,
        )
        carry = slab.carry(max(0, stretch.stop - unit.reach(lags)))
        return work, carry, slab.present[:, stretch.first - stretch.begin :]

    def _wanted(self, todo: Todo) -> dict[str, Any]:
        """Return what is noted of the symbols and sessions that were asked for."""
        same = todo.kept == todo.symbols or todo.unit.across
        return {
            "selection": self._planner.selection,
            "end": self._planner.end,
            "available": None if same else [str(symbol) for symbol in todo.symbols],
        }

    def _notes(self, todo: Todo, stop: int) -> dict[str, Any]:
        lags = dict(todo.unit.program.lags) if todo.states is None else lags_of(todo.states.rows.columns)
        return {"begin": max(0, stop - todo.unit.reach(lags)), "stop": stop, **self._wanted(todo)}

    def _token(self, todo: Todo) -> str:
        """Return what tells this build from one of other bars, symbols or sessions."""
        snapshot = self._bars.snapshot
        inputs = [snapshot.content_hash("bars/1d"), snapshot.content_hash("actions"), packed(todo.sessions)]
        return sha256(json.dumps([inputs, list(todo.symbols), list(todo.kept)]).encode()).hexdigest()

    def _complete(self, todo: Todo, parts: Sequence[str], states: Sequence[str], files: Sequence[FileRow]) -> None:
        snapshot, last = self._bars.snapshot, str(todo.sessions[-1].astype("datetime64[D]"))
        build = Build(self._bars.source, tuple(parts), tuple(states), last, snapshot.version, snapshot.now)
        self._store.complete(todo.unit.columns, build, files)


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


def _patches(todo: Todo) -> int:
    """Return how many parts were added to a build since it was built as a whole."""
    assert todo.unit.build is not None
    assert todo.states is not None
    parts = len(todo.unit.build.part_paths)
    return parts - int(todo.states.notes.get("parts", parts))


def _done(
    stretch: Stretch, carry: pl.DataFrame, values: Values, states: Remembered, present: NDArray[np.bool_]
) -> Done:
    kept = {str(symbol) for symbol in stretch.todo.kept}
    stored = carry["symbol"].is_in(sorted(kept))
    own = carry.select(name for name in carry.columns if name.count("/") < 2 and name != "stored")
    rows = own.with_columns(stored.alias("stored"), *framed(states))
    symbols = tuple(Symbol(symbol) for symbol in carry["symbol"])
    if bool(stored.all()):
        return Done(symbols, values, rows, present)
    mask = stored.to_numpy()
    return Done(tuple(symbol for symbol in symbols if symbol in kept), values[:, mask], rows, present[mask])
