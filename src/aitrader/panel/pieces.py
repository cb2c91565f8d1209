"""Builds in pieces that travel: passes over many symbols run elsewhere, cross-sections and what comes of them here."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from aitrader.domain.symbols import Symbol
from aitrader.panel.assemble import Pass
from aitrader.panel.blocks import Block, State, States, Values, in_order
from aitrader.panel.machine import Span
from aitrader.panel.panel import Grid, Panel
from aitrader.panel.program import Build, Program, Walk
from aitrader.panel.timeline import Timeframe, Times

PIECE_BYTES: Final = 16 << 20
"""What a piece reads and answers with, together: much more than a message costs, little beside a worker's memory."""

_OF_THE_PANEL: Final = frozenset({"load", "age", "calendar", "within_session"})
"""Instructions that are loaded from the columns and labels alone."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One pass of a program over some symbols, with all that it reads. Only plain values: it can travel.

    ``columns`` are those that the pass reads. ``grids`` are what its cross-sections and views of longer bars gave for
    these symbols, by instruction. Members and groups are not here: cross-sections alone look at them.
    """

    stage: int
    calendar: str
    timeframe: Timeframe
    sessions: Times
    starts: Times | None
    symbols: tuple[Symbol, ...]
    begins: NDArray[np.int64]
    columns: Mapping[str, Grid]
    grids: Mapping[int, Grid]
    first: int
    resume: States | None


@dataclass(frozen=True, slots=True)
class Done:
    """What a piece gives: features, or none and the grids it stages; and the states of its recursive expressions."""

    values: Values
    staged: Grid
    states: States


class Place(Protocol):
    """Where pieces are computed."""

    @property
    def workers(self) -> int:
        """How many pieces it computes at the same time."""
        ...

    def compute(self, program: Program, piece: Piece) -> Done:
        """Return what ``computed`` returns; several threads may call it."""
        ...


def computed(program: Program, piece: Piece) -> Done:
    """Run a piece, in blocks that fit the cache."""
    return _Part(program, piece).done(program.passes[piece.stage])


class SpreadBuild(Build):
    """A build whose passes run at a place, piece by piece; its bits are those of a build here.

    Cross-sections are computed here between the passes, from what the pieces staged, and so are views of longer bars.
    The executor for its blocks must have threads enough to wait for ``ahead`` pieces at a time.
    """

    def __init__(
        self,
        place: Place,
        program: Program,
        panel: Panel,
        *,
        min_names: int = 10,
        first: int = 0,
        resume: States | None = None,
    ) -> None:
        super().__init__(program, panel, min_names=min_names, first=first, resume=resume)
        self.place: Final = place
        self.ahead = 2 * place.workers

    @property
    def block_symbols(self) -> int:
        """How many symbols a piece has: as many as its size allows."""
        bars = self.panel.shape[1]
        grids = max(len(stage.loads) + len(stage.staged) for stage in self.program.passes)
        size = 8 * bars * grids + 4 * (bars - self.first) * len(self.program.exprs)
        return max(1, PIECE_BYTES // max(size, 1))

    def walk(self, stage: Pass, symbols: int, out: Values | None) -> Walk:
        """Return the walk that sends its blocks away."""
        return _Sent(self, stage, symbols, out)

    def piece(self, stage: Pass, rows: slice) -> Piece:
        """Return the work of a pass on some symbols."""
        panel = self.panel
        whole = Span(0, 0, panel.shape[1], self.first, None)
        numbers = [number for _, number in stage.loads]
        elsewhere = [number for number in numbers if self.program.instructions[number].op not in _OF_THE_PANEL]
        resume = self._resume and {
            digest: State(state.lag, state.values[rows]) for digest, state in self._resume.items()
        }
        return Piece(
            stage=self.program.passes.index(stage),
            calendar=panel.calendar,
            timeframe=panel.timeframe,
            sessions=panel.sessions,
            starts=panel.starts,
            symbols=panel.symbols[rows],
            begins=panel.begins[rows],
            columns={name: panel.columns[name][rows] for name in sorted(_columns(self.program, stage))},
            grids={number: self.loaded(number, rows, whole) for number in elsewhere},
            first=self.first,
            resume=resume,
        )


class _Sent(Walk):
    """A pass whose blocks run at the place of the build."""

    def __init__(self, build: SpreadBuild, stage: Pass, symbols: int, out: Values | None) -> None:
        super().__init__(build, stage, symbols, out)
        self._spread = build
        self._states: dict[int, States] = {}

    def blocks(self, rows: Sequence[slice], executor: Executor | None, ahead: int) -> Iterator[Block]:
        """Yield the blocks of these symbols."""
        yield from in_order(self.block, rows, executor, ahead)

    def block(self, rows: slice) -> Block:
        """Run the pass on some symbols; their staged grids, states and, if there is a place for them, values stay."""
        done = self._spread.place.compute(self._spread.program, self._spread.piece(self._stage, rows))
        self.staged[:, rows] = done.staged
        self._states[rows.start] = done.states
        bars = slice(0, self._build.panel.shape[1] - self._build.first)
        if self._out is None or self._stage.staged:
            return Block(rows, bars, done.values, done.values)
        self._out[:, rows] = done.values
        return Block(rows, bars, self._out[:, rows], self._out)

    def give_back(self, block: Block) -> None:
        """Forget a block, which has memory of its own."""

    def states(self) -> dict[str, State]:
        """Return the states after the last bar, less their lag."""
        parts = [self._states[start] for start in sorted(self._states)]
        return {
            digest: State(state.lag, np.concatenate([part[digest].values for part in parts]))
            for digest, state in parts[0].items()
        }


class _Part(Build):
    """A piece's pass, on its symbols alone."""

    def __init__(self, program: Program, piece: Piece) -> None:
        panel = Panel(
            piece.calendar,
            piece.timeframe,
            piece.sessions,
            piece.symbols,
            piece.columns,
            np.broadcast_to(np.False_, (len(piece.symbols), len(piece.sessions))),
            piece.begins,
            piece.starts,
        )
        super().__init__(program, panel, first=piece.first, resume=piece.resume)
        self._grids = dict(piece.grids)

    def done(self, stage: Pass) -> Done:
        symbols, bars = self.panel.shape
        count = min(self.block_symbols, symbols)
        shape = (0, 0, 0) if stage.staged else (len(self.program.exprs), symbols, bars - self.first)
        out = np.empty(shape, dtype=np.float32)
        walk = self.walk(stage, count, out)
        for start in range(0, symbols, count):
            walk.block(slice(start, min(start + count, symbols)))
        return Done(out, walk.staged, walk.states())


def _columns(program: Program, stage: Pass) -> frozenset[str]:
    """Return the columns that a pass loads, those of its views within a session among them."""
    names: set[str] = set()
    for _, number in stage.loads:
        instruction = program.instructions[number]
        if instruction.op == "load":
            names.add(instruction.params[0])
        elif instruction.op == "within_session":
            names |= program.views[number].columns
    return frozenset(names)
