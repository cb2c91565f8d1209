"""Programs and their runs: blocks of symbols that fit the cache, streamed, in threads, exact whatever the block."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache, cached_property, partial
from itertools import pairwise
from queue import Empty, SimpleQueue
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aitrader.domain.symbols import Symbol
from aitrader.errors import ConfigError
from aitrader.panel.almanac import almanac
from aitrader.panel.assemble import Pass
from aitrader.panel.blocks import Block, State, States, Values, Watch, in_order
from aitrader.panel.expr import Expr
from aitrader.panel.instructions import Instruction
from aitrader.panel.kernels import cross_section
from aitrader.panel.machine import Machine, Memory, Output, Span, prepare, slots
from aitrader.panel.operators import group_of
from aitrader.panel.panel import Grid, Panel
from aitrader.panel.resample import Longer, longer, sessions

BLOCK_BARS: Final = 1 << 12
"""Symbols x bars of one block: 32 KB a register, so that the ones in use stay in the cache."""


@dataclass(frozen=True)
class Program:
    """Expressions turned into steps on registers, in passes with cross-sections between them.

    A program holds no values: threads may share it. ``warmup`` is how many bars before the first wanted one it reads.
    ``window`` leaves out the views, which read whole grids. ``recursions`` maps each recursive instruction to its
    expression's digest, and ``lags`` that to how many bars before the end its state is kept, so that a later build
    finds every window before its own first bar filled. ``views`` are the views among the instructions.
    """

    exprs: tuple[Expr, ...]
    instructions: tuple[Instruction, ...]
    passes: tuple[Pass, ...]
    warmup: int
    window: int
    recursions: Mapping[int, str]
    lags: Mapping[str, int]
    views: Mapping[int, "View"]

    @property
    def size(self) -> int:
        """How many instructions it has, those of its views among them."""
        return len(self.instructions) + sum(view.program.size for view in self.views.values())

    def prepare(self, watch: Watch | None = None) -> None:
        """Have the kernels ready; ``watch`` hears of (done, all) where they are compiled, once per machine."""
        parts = (self, *(view.program for view in self.views.values()))
        prepare(tuple(dict.fromkeys(step.op for part in parts for stage in part.passes for step in stage.steps)), watch)

    def resumable(self, states: States) -> bool:
        """Say whether ``states`` reach far enough back for every recursive expression."""
        return all(digest in states and states[digest].lag >= lag for digest, lag in self.lags.items())

    def run(
        self,
        panel: Panel,
        *,
        min_names: int = 10,
        executor: Executor | None = None,
        progress: Watch | None = None,
    ) -> Values:
        """Return the values, float32 of shape (expressions, symbols, sessions); NaN where not known.

        The bits depend neither on the executor nor on which other expressions, symbols (cross-sections apart) or
        sessions after and before the windows are there. ``executor`` must be one of threads.
        """
        out = np.empty((len(self.exprs), *panel.shape), dtype=np.float32)
        for _ in Build(self, panel, min_names=min_names).blocks(executor=executor, progress=progress, out=out):
            pass
        return out


@dataclass(frozen=True)
class View:
    """An expression ``op(argument)``, and the program of its argument, which leaves a whole grid.

    ``columns`` are what that reads; ``reach`` is how many bars of the panel before the first wanted one the view needs.
    """

    expr: Expr
    program: Program
    columns: frozenset[str]
    reach: int

    @property
    def lags(self) -> Mapping[str, int]:
        """The lags of its recursive parts, in its own bars; a session that stands alone leaves no state."""
        alone = self.expr.op == "within_session"
        return {} if alone else {self.name(digest): lag for digest, lag in self.program.lags.items()}

    def name(self, digest: str) -> str:
        """Return under what name the state of a recursive part is kept."""
        return f"{self.expr.digest}:{digest}"


class Build:
    """One run of a program on a panel, block by block.

    The panel may begin with bars that only warm up: values count from bar ``first`` on. With ``resume`` recursive
    expressions go on from these states, which stood their lag before ``first``; the panel then needs no more bars
    before it than the longest lag and ``program.warmup``. After all blocks, ``states`` holds those at the panel's end.
    ``ahead`` blocks are computed before the caller has used the one it has.

    Raises
    ------
    ValueError
        The states do not reach far enough back for the program, stood before the panel's first bar, or are of other
        symbols.
    """

    ahead: int = 8

    def __init__(
        self, program: Program, panel: Panel, *, min_names: int = 10, first: int = 0, resume: States | None = None
    ) -> None:
        if resume is not None and not program.resumable(resume):
            raise ValueError("the states do not reach far enough back for this program")
        if resume is not None and any(resume[digest].lag > first for digest in program.recursions.values()):
            raise ValueError(f"the states stood before the panel, which begins {first} bars before what is new")
        self.program: Final = program
        self.panel: Final = panel
        self.first: Final = first
        self.states: dict[str, State] = {}
        self._min_names = min_names
        self._resume = resume
        self._staged: Sequence[Grid] = ()
        self._grids: dict[int, Grid] = {}
        self._longer: dict[str, Longer] = {}
        self._said: Final = cache(partial(almanac, panel))

    def blocks(
        self, *, executor: Executor | None = None, progress: Watch | None = None, out: Values | None = None
    ) -> Iterator[Block]:
        """Yield the values of the symbols in order, a few symbols at a time.

        They are written into ``out``, shape (expressions, symbols, bars from ``first`` on), if given, else into buffers
        that are used again, so that memory stays small whatever the panel; a long history then comes in parts, each for
        all symbols before the next one.
        """
        symbols, bars = self.panel.shape
        if not symbols or not bars:
            return
        self._look(executor)
        count = min(self.block_symbols, symbols)
        rows = [slice(start, min(start + count, symbols)) for start in range(0, symbols, count)]
        done = 0
        for stage in self.program.passes:
            walk = self.walk(stage, count, out)
            for block in walk.blocks(rows, executor, self.ahead):
                done += block.bars.stop == bars - self.first
                if progress:
                    progress(done, len(rows) * len(self.program.passes))
                if not stage.staged:
                    yield block
                    walk.give_back(block)
            self._cross(stage, walk.staged)
            self._staged = tuple(walk.staged)
            self.states.update(walk.states())

    @property
    def block_symbols(self) -> int:
        """How many symbols a block has."""
        return max(1, BLOCK_BARS // self.panel.shape[1])

    def walk(self, stage: Pass, symbols: int, out: Values | None) -> "Walk":
        """Return the walk of a pass over blocks of up to ``symbols``, which writes features into ``out`` if given."""
        return Walk(self, stage, symbols, out)

    def whole(self, executor: Executor | None) -> Grid:
        """Return the values of a view's program, float64 of shape (symbols, bars)."""
        for _ in self.blocks(executor=executor):
            raise AssertionError("a program that leaves a whole grid yields no block")
        (grid,) = self._staged
        return grid

    def memory(self, stage: Pass) -> Memory:
        """Return what the recursive instructions of a pass begin with."""
        found = {}
        for step in stage.steps:
            if step.memory is not None:
                shape = (self.panel.shape[0], slots(step.op))
                before = self._resume[self.program.recursions[step.memory]].values if self._resume is not None else None
                if before is not None and before.shape != shape:
                    raise ValueError(f"the states are of shape {before.shape}, the panel wants {shape}")
                found[step.memory] = np.zeros(shape) if before is None else before.copy()
        return found

    def lags(self, stage: Pass) -> dict[int, int]:
        """Return how many bars before the end the state of each recursive instruction of a pass is kept."""
        numbers = [step.memory for step in stage.steps if step.memory is not None]
        digests = {number: self.program.recursions[number] for number in numbers}
        if self._resume is None:
            return {number: self.program.lags[digest] for number, digest in digests.items()}
        return {number: self._resume[digest].lag for number, digest in digests.items()}

    @property
    def resumed(self) -> bool:
        """Whether recursive expressions go on from given states."""
        return self._resume is not None

    def loaded(self, number: int, rows: slice, span: Span) -> Grid:
        """Return the part of a grid that an instruction loads: of a column, or of a cross-section known by now."""
        instruction = self.program.instructions[number]
        if instruction.op in {"age", "calendar"}:
            ages = self.panel.ages(rows, span.start, span.stop)
            if instruction.op == "age":
                return ages
            return np.where(ages >= 0, self._said(instruction.params[0])[span.start : span.stop], np.nan)
        if instruction.op == "within_session":
            return self._alone(self.program.views[number], rows, span)
        if instruction.op in self._longer:
            return self._grids[number][rows][:, self._longer[instruction.op].seen[span.start : span.stop]]
        whole = self.panel.columns[instruction.params[0]] if instruction.op == "load" else self._grids[number]
        return whole[rows, span.start : span.stop]

    def _look(self, executor: Executor | None) -> None:
        """Compute the views of longer bars."""
        views = {number: view for number, view in self.program.views.items() if view.expr.op != "within_session"}
        columns: dict[str, set[str]] = {}
        for view in views.values():
            columns.setdefault(view.expr.op, set()).update(view.columns)
        self._longer = {op: longer(self.panel, op, names) for op, names in columns.items()}
        self._grids = {number: self._seen(view, executor) for number, view in views.items()}

    def _seen(self, view: View, executor: Executor | None) -> Grid:
        """Return a view's values, one per symbol and longer bar, behind a NaN for who has seen none."""
        bars = self._longer[view.expr.op]
        unseen = np.full((bars.panel.shape[0], 1), np.nan)
        if not bars.panel.shape[1]:
            return unseen
        resume = None if self._resume is None else {d: self._resume[view.name(d)] for d in view.program.lags}
        first = int(bars.seen[self.first - 1]) if resume and self.first else 0
        inner = Build(view.program, bars.panel, min_names=self._min_names, first=first, resume=resume)
        grid = inner.whole(executor)
        self.states.update({view.name(digest): state for digest, state in inner.states.items()})
        return np.concatenate([unseen, grid], axis=1)

    def _alone(self, view: View, rows: slice, span: Span) -> Grid:
        """Return a view's values on a block's bars, each session for itself."""
        cut = sessions(self.panel, view.columns, rows, span.start, span.stop)
        return cut.joined(Build(view.program, cut.panel).whole(None))

    def _cross(self, stage: Pass, staged: Grid) -> None:
        """Compute the cross-sections whose series are staged now."""
        grids = dict(zip(stage.staged, staged, strict=True))
        order = np.argsort(np.array(self.panel.symbols))
        back = np.argsort(order)
        members = self.panel.members[order]
        with np.errstate(all="ignore"):
            for number in stage.crosses:
                instruction = self.program.instructions[number]
                series = [grids[read] for read in instruction.inputs]
                if instruction.op == "of_symbol":
                    self._grids[number] = self._of_symbol(series[0], instruction.params[0])
                    continue
                by = group_of(instruction.op, instruction.params)
                groups = None if by is None else self.panel.group(by)[order]
                section = cross_section.Section(members, self._min_names, groups)
                kernel = cross_section.KERNELS[instruction.op]
                self._grids[number] = kernel([values[order] for values in series], section, instruction.params)[back]

    def _of_symbol(self, values: Grid, symbol: str) -> Grid:
        if symbol not in self.panel.symbols:
            raise ConfigError(
                f"{symbol} is the market or the asset that features compare with, and not among the symbols in use.",
                fix="Add it to `universe.symbols` and fetch its bars, or compare with `universe_mean`.",
            )
        row = values[self.panel.symbols.index(Symbol(symbol))]
        return np.broadcast_to(row, values.shape).copy()


class Walk:
    """One pass over all blocks: its memory, its staged grids, and buffers that threads take and give back."""

    def __init__(self, build: Build, stage: Pass, symbols: int, out: Values | None) -> None:
        self._build = build
        self._stage = stage
        self._symbols = symbols
        self._out = out
        self._lags = build.lags(stage)
        self._memory = build.memory(stage)
        self._cells: SimpleQueue[NDArray[np.float64]] = SimpleQueue()
        self._values: SimpleQueue[Values] = SimpleQueue()
        self.staged = np.empty((len(stage.staged), *build.panel.shape))
        self._spans = self._cut()

    @cached_property
    def _machine(self) -> Machine:
        return self._stage.machine(self._lags)

    def _cut(self) -> list[Span]:
        """Return the pieces of history that are run one after the other: one, unless it is long."""
        bars, first = self._build.panel.shape[1], self._build.first
        warmup = max([self._build.program.window, *self._lags.values()])
        step = max(BLOCK_BARS, 2 * warmup)
        cuts = [0, *range(max(step, first + 1), bars - step // 4, step), bars]
        spans = []
        for begin, end in pairwise(cuts):
            resumed = begin if begin else first if self._build.resumed else None
            spans.append(Span(max(begin - warmup, 0), begin, end, max(begin, first), resumed))
        return spans

    def blocks(self, rows: Sequence[slice], executor: Executor | None, ahead: int) -> Iterator[Block]:
        """Yield the blocks of these symbols: whole, or streamed in parts of a long history."""
        if self._out is not None or self._stage.staged:
            yield from in_order(self.block, rows, executor, ahead)
            return
        for span in self._spans:
            yield from in_order(partial(self._part, [span]), rows, executor, ahead)

    def block(self, rows: slice) -> Block:
        """Run the pass on some symbols. Writes only their rows, so that blocks may run at the same time."""
        return self._part(self._spans, rows)

    def _part(self, spans: Sequence[Span], rows: slice) -> Block:
        """Run some consecutive spans, those before which have run."""
        output, block = self._output(spans, rows)
        cells = self._taken()
        for span in spans:
            shape = (self._machine.registers, rows.stop - rows.start, span.stop - span.start)
            grid = cells[: int(np.prod(shape))].reshape(shape)
            for register, number in self._stage.loads:
                grid[register] = self._build.loaded(number, rows, span)
            self._machine.run(grid, span, self._memory, rows, output, self.staged)
        self._cells.put(cells)
        return block

    def give_back(self, block: Block) -> None:
        """Let a block's buffer be used again."""
        if self._out is None:
            self._values.put(block.buffer)

    def states(self) -> dict[str, State]:
        """Return the states after the last bar, less their lag."""
        bars, names = self._build.panel.shape[1], self._build.program.recursions
        return {names[number]: State(min(self._lags[number], bars), values) for number, values in self._memory.items()}

    def _output(self, spans: Sequence[Span], rows: slice) -> tuple[Output, Block]:
        first = self._build.first
        bars = slice(spans[0].shown - first, spans[-1].stop - first)
        if self._stage.staged:
            nothing = np.empty((0, 0, 0), dtype=np.float32)
            return Output(nothing, 0, 0), Block(rows, bars, nothing, nothing)
        if self._out is not None:
            return Output(self._out, 0, first), Block(rows, bars, self._out[:, rows, bars], self._out)
        buffer = self._buffer()
        shape = (len(self._build.program.exprs), rows.stop - rows.start, bars.stop - bars.start)
        values = buffer[: int(np.prod(shape))].reshape(shape)
        return Output(values, rows.start, spans[0].shown), Block(rows, bars, values, buffer)

    def _buffer(self) -> Values:
        try:
            return self._values.get_nowait()
        except Empty:
            longest = max(span.stop - span.shown for span in self._spans)
            return np.empty(len(self._build.program.exprs) * self._symbols * longest, dtype=np.float32)

    def _taken(self) -> NDArray[np.float64]:
        try:
            return self._cells.get_nowait()
        except Empty:
            longest = max(span.stop - span.start for span in self._spans)
            return np.empty(self._machine.registers * self._symbols * longest)
