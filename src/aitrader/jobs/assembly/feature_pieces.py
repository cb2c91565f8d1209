"""The unit of work of a build of features: some symbols over a stretch of sessions, as a value that any worker can do.

``computed(piece)`` needs nothing but the piece and gives arrays, so that threads here and processes elsewhere make the
same bits.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aitrader.domain.symbols import Symbol
from aitrader.panel.blocks import State, Values
from aitrader.panel.panel import Grid, Panel
from aitrader.panel.pieces import Place, SpreadBuild
from aitrader.panel.program import Build, Program
from aitrader.panel.timeline import Timeframe

PIECE_BYTES: Final = 48 << 20
"""Values that are computed, held and written together."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What ``computed`` needs: a program, and a panel in plain parts, which pickles.

    Values are wanted from bar ``first`` of the panel on; the bars before warm up. ``resume``: the states before it.
    """

    program: Program
    calendar: str
    timeframe: Timeframe
    sessions: NDArray[np.datetime64]
    symbols: tuple[Symbol, ...]
    columns: Mapping[str, Grid]
    members: NDArray[np.bool_]
    begins: NDArray[np.int64]
    first: int
    min_names: int
    resume: Mapping[str, State] | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the values: features, symbols, sessions."""
        return len(self.program.exprs), len(self.symbols), len(self.sessions) - self.first


@dataclass(frozen=True, slots=True)
class Result:
    """Values of shape ``Piece.shape``, float32, and the states after the last session by expression."""

    values: Values
    states: Mapping[str, State]


def computed(
    piece: Piece, *, out: Values | None = None, executor: Executor | None = None, place: Place | None = None
) -> Result:
    """Return the piece's values (in ``out``, if given) and states.

    Neither ``executor``, one of threads, nor ``place``, where it is computed instead of here, changes a bit.
    """
    values = np.empty(piece.shape, dtype=np.float32) if out is None else out
    panel = Panel(
        piece.calendar, piece.timeframe, piece.sessions, piece.symbols, piece.columns, piece.members, piece.begins
    )
    make = Build if place is None else partial(SpreadBuild, place)
    build = make(piece.program, panel, min_names=piece.min_names, first=piece.first, resume=piece.resume)
    for _ in build.blocks(executor=executor, out=values):
        pass
    return Result(values, build.states)


def piece_of(
    panel: Panel, rows: slice, program: Program, *, first: int, min_names: int, resume: pl.DataFrame | None
) -> Piece:
    """Return the piece of these rows of a panel; ``resume`` holds the states of all its symbols, as ``framed``."""
    return Piece(
        program,
        panel.calendar,
        panel.timeframe,
        panel.sessions,
        panel.symbols[rows],
        {name: grid[rows] for name, grid in panel.columns.items()},
        panel.members[rows],
        panel.begins[rows],
        first,
        min_names,
        None if resume is None else unframed(resume[rows]),
    )


def cuts(panel_symbols: int, cells: int, features: int) -> Iterator[slice]:
    """Yield the rows of each piece of a panel of so many symbols with so many cells each."""
    step = max(1, PIECE_BYTES // (4 * cells * max(features, 1)))
    yield from (slice(begin, min(begin + step, panel_symbols)) for begin in range(0, panel_symbols, step))


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
