"""Builds in pieces: the values of some symbols, computed, held and written together, and their states as columns."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aitrader.panel.blocks import State, States, Values
from aitrader.panel.panel import Panel
from aitrader.panel.pieces import Place, SpreadBuild
from aitrader.panel.program import Build, Program


@dataclass(frozen=True, slots=True)
class Means:
    """Who computes: an executor of threads (None: the caller), with so many at work, here or at ``place``."""

    executor: Executor | None
    workers: int
    place: Place | None = None


Computed = tuple[slice, Values, States]
"""Some symbols, their values, and their states after the last session, by expression."""


@dataclass(frozen=True, slots=True)
class Work:
    """Values that are wanted of a panel's symbols, from bar ``first`` on; the bars before warm up.

    ``resume`` holds the states before them, as ``framed``; None: there are none. The means change no bit, nor does it
    matter which symbols are computed together, unless they are compared.
    """

    program: Program
    panel: Panel
    first: int
    min_names: int
    resume: pl.DataFrame | None
    means: Means

    def at_once(self, rows: Sequence[slice]) -> Iterator[Computed]:
        """Compute all symbols together; yield them as cut."""
        every = slice(0, rows[-1].stop)
        values = np.empty(self._shape(every), dtype=np.float32)
        states = self._compute(every, values, self.means.executor)
        for cut in rows:
            own = {digest: State(state.lag, state.values[cut]) for digest, state in states.items()}
            yield cut, values[:, cut], own

    def one_by_one(self, rows: Sequence[slice]) -> Iterator[Computed]:
        """Compute pieces in order, a few ahead of the one in use.

        Values stand in buffers that are used again: they are overwritten once the next are asked for.
        """
        most, executor = int(np.prod(self._shape(rows[0]))), self.means.executor
        if executor is None or len(rows) == 1:
            buffer = np.empty(most, dtype=np.float32)
            for cut in rows:
                values = self._shaped(buffer, cut)
                yield cut, values, self._compute(cut, values, executor)
            return
        left = iter(rows)
        waiting: deque[tuple[slice, NDArray[np.float32], Future[States]]] = deque()

        def send(buffer: NDArray[np.float32]) -> None:
            if (cut := next(left, None)) is not None:
                future = executor.submit(self._compute, cut, self._shaped(buffer, cut), None)
                waiting.append((cut, buffer, future))

        for _ in range(min(self.means.workers + 1, len(rows))):
            send(np.empty(most, dtype=np.float32))
        while waiting:
            cut, buffer, future = waiting.popleft()
            states = future.result()
            yield cut, self._shaped(buffer, cut), states
            send(buffer)

    def _compute(self, rows: slice, out: Values, executor: Executor | None) -> States:
        """Write the values of some symbols to ``out``; return their states."""
        make = Build if self.means.place is None else partial(SpreadBuild, self.means.place)
        resume = None if self.resume is None else unframed(self.resume[rows])
        build = make(self.program, _some(self.panel, rows), min_names=self.min_names, first=self.first, resume=resume)
        for _ in build.blocks(executor=executor, out=out):
            pass
        return build.states

    def _shape(self, rows: slice) -> tuple[int, int, int]:
        return len(self.program.exprs), rows.stop - rows.start, self.panel.shape[1] - self.first

    def _shaped(self, buffer: NDArray[np.float32], rows: slice) -> Values:
        shape = self._shape(rows)
        return buffer[: int(np.prod(shape))].reshape(shape)


def _some(panel: Panel, rows: slice) -> Panel:
    return replace(
        panel,
        symbols=panel.symbols[rows],
        columns={name: grid[rows] for name, grid in panel.columns.items()},
        members=panel.members[rows],
        begins=panel.begins[rows],
        groups={name: numbers[rows] for name, numbers in panel.groups.items()},
    )


def cuts(symbols: int, cells: int, features: int, size: int) -> Iterator[slice]:
    """Yield the rows of each piece of so many bytes, of a panel of so many symbols with so many cells each."""
    step = max(1, size // (4 * cells * features))
    yield from (slice(begin, min(begin + step, symbols)) for begin in range(0, symbols, step))


def framed(states: Mapping[str, State]) -> list[pl.Series]:
    """Return states as columns, one per remembered number, named by expression, lag and place."""
    return [
        pl.Series(f"{digest}/{state.lag}/{place}", np.ascontiguousarray(state.values[:, place]))
        for digest, state in sorted(states.items())
        for place in range(state.values.shape[1])
    ]


def unframed(frame: pl.DataFrame) -> dict[str, State]:
    """Return the states that stand in a frame's columns."""
    found: dict[tuple[str, int], list[tuple[int, str]]] = {}
    for name in frame.columns:
        if name.count("/") == 2:
            digest, lag, place = name.split("/")
            found.setdefault((digest, int(lag)), []).append((int(place), name))
    return {
        digest: State(lag, frame.select(name for _, name in sorted(places)).to_numpy().astype(np.float64))
        for (digest, lag), places in found.items()
    }


def lags_of(columns: Sequence[str]) -> dict[str, int]:
    """Return the lag of each expression whose states stand in these columns."""
    return {name.split("/")[0]: int(name.split("/")[1]) for name in columns if name.count("/") == 2}
