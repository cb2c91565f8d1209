"""One program for many expressions, run block by block and exact whatever the block.

>>> from aitrader.panel.expr import column
>>> plan([column("close") / column("close").shift(20) - 1]).lookback(0)
20
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aitrader.domain.symbols import Symbol
from aitrader.errors import ConfigError
from aitrader.panel.expr import Expr
from aitrader.panel.kernels import cross_section, elementwise, merging, recursive, rolling
from aitrader.panel.lower import Instruction, Lowering
from aitrader.panel.operators import CROSS, PAIRED, RECURSIVE, ROLLING
from aitrader.panel.panel import Grid, Panel

KERNEL_VERSION: Final = 1
"""Rises when a kernel's bits change, which makes every stored feature stale."""

BLOCK_CELLS: Final = 1 << 15
"""Symbols x sessions of one block: 256 KB a register, so that the ones in use stay in the cache."""

_KERNELS: Final = {**elementwise.KERNELS, **merging.KERNELS, **rolling.KERNELS, **recursive.KERNELS}

Values = NDArray[np.float32]
Watch = Callable[[int, int], None]
"""(blocks done, blocks in all)."""


@dataclass(frozen=True, slots=True)
class _Step:
    """An instruction, where its result goes, and the registers nobody reads after it."""

    number: int
    instruction: Instruction
    frees: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Pass:
    """What can be computed symbol by symbol once the cross-sections before it are known.

    ``features`` are (number, position in the output); ``staged`` the whole grids that ``crosses`` then need.
    """

    steps: tuple[_Step, ...]
    features: tuple[tuple[int, int], ...]
    staged: tuple[int, ...]
    crosses: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """Expressions turned into one list of instructions, in passes with cross-sections between them."""

    exprs: tuple[Expr, ...]
    instructions: tuple[Instruction, ...]
    passes: tuple[_Pass, ...]

    def lookback(self, position: int) -> int | None:
        """Return how many bars before the current one expression ``position`` needs; None: all (recursive)."""
        return lookback(self.exprs[position])

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
        run = _Run(self, panel, min_names, np.empty((len(self.exprs), *panel.shape), dtype=np.float32))
        symbols, sessions = panel.shape
        if not symbols or not sessions:
            return run.out
        rows = max(1, BLOCK_CELLS // sessions)
        blocks = [slice(start, min(start + rows, symbols)) for start in range(0, symbols, rows)]
        apply = map if executor is None else executor.map
        done = 0
        for stage in self.passes:
            run.stage(stage)
            for _ in apply(run.block, [stage] * len(blocks), blocks):
                done += 1
                if progress:
                    progress(done, len(blocks) * len(self.passes))
            run.cross(stage)
        return run.out


@dataclass(slots=True)
class _Run:
    """The grids of one run: columns, cross-sections so far, what the next ones need, and the output."""

    program: Program
    panel: Panel
    min_names: int
    out: Values
    grids: dict[int, Grid]
    staged: dict[int, Grid]

    def __init__(self, program: Program, panel: Panel, min_names: int, out: Values) -> None:
        self.program, self.panel, self.min_names, self.out = program, panel, min_names, out
        self.grids, self.staged = {}, {}

    def stage(self, stage: _Pass) -> None:
        self.staged = {number: np.empty(self.panel.shape) for number in stage.staged}

    def block(self, stage: _Pass, rows: slice) -> None:
        """Run a pass on some symbols. Writes only their rows, so that blocks may run at the same time."""
        registers: dict[int, Any] = {}
        features = dict.fromkeys(number for number, _ in stage.features)
        with np.errstate(all="ignore"):
            for step in stage.steps:
                result = registers[step.number] = self._step(step, registers, rows)
                if step.number in self.staged:
                    self.staged[step.number][rows] = result
                if step.number in features:
                    self._write(stage, step.number, result, rows)
                for number in step.frees:
                    del registers[number]

    def cross(self, stage: _Pass) -> None:
        """Compute the cross-sections whose series are staged now."""
        order = np.argsort(np.array(self.panel.symbols))
        back = np.argsort(order)
        with np.errstate(all="ignore"):
            for number in stage.crosses:
                instruction = self.program.instructions[number]
                staged = self.staged[instruction.inputs[0]]
                if instruction.op == "of_symbol":
                    self.grids[number] = self._of_symbol(staged, instruction.params[0])
                    continue
                values = np.where(self.panel.members, staged, np.nan)[order]
                kernel = cross_section.KERNELS[instruction.op]
                self.grids[number] = kernel(values, self.min_names, instruction.params)[back]
        self.staged = {}

    def _of_symbol(self, staged: Grid, symbol: str) -> Grid:
        if symbol not in self.panel.symbols:
            raise ConfigError(
                f"{symbol} is the market that features compare with, and it is not among the symbols in use.",
                fix="Add it to `universe.symbols` and fetch its bars, or set `universe.market: universe_mean`.",
            )
        row = staged[self.panel.symbols.index(Symbol(symbol))]
        return np.broadcast_to(row, staged.shape).copy()

    def _step(self, step: _Step, registers: Mapping[int, Any], rows: slice) -> Any:
        instruction = step.instruction
        match instruction.op:
            case "load":
                return self.panel.columns[instruction.params[0]][rows]
            case "constant":
                return instruction.params[0]
            case "fill":
                return np.full(self.out[0, rows].shape, registers[instruction.inputs[0]])
            case op if op in CROSS:
                return self.grids[step.number][rows]
            case op:
                return _KERNELS[op]([registers[number] for number in instruction.inputs], instruction.params)

    def _write(self, stage: _Pass, number: int, result: Any, rows: slice) -> None:
        for feature, position in stage.features:
            if feature == number:
                target = self.out[position, rows]
                target[...] = result
                target += target * np.float32(0)  # beyond float32 is NaN


def plan(exprs: Sequence[Expr]) -> Program:
    """Return the program that computes ``exprs``, common sub-expressions once."""
    lowering = Lowering()
    wanted = [lowering.grid(expr) for expr in exprs]
    deepest = max((lowering.depth[number] for number in wanted), default=0)
    passes = tuple(_pass(lowering, wanted, depth) for depth in range(deepest + 1))
    return Program(tuple(exprs), tuple(lowering.instructions), passes)


def lookback(expr: Expr) -> int | None:
    """Return how many bars before the current one ``expr`` needs; None: all, it is recursive."""
    return _lookback(expr, {})


def columns_of(expr: Expr) -> frozenset[str]:
    """Return the names of the columns that ``expr`` reads."""
    return frozenset(str(part.params[0]) for part in walk(expr) if part.op == "column")


def looks_across(expr: Expr) -> bool:
    """Say whether ``expr`` compares symbols, so that its values depend on the universe."""
    return any(part.op in CROSS for part in walk(expr))


def walk(expr: Expr) -> Iterator[Expr]:
    """Yield every distinct part of ``expr``, itself first."""
    seen: set[Expr] = set()
    waiting = [expr]
    while waiting:
        part = waiting.pop()
        if part not in seen:
            seen.add(part)
            yield part
            waiting.extend(part.args)


def _lookback(expr: Expr, known: dict[Expr, int | None]) -> int | None:
    if expr not in known:
        own = _own_lookback(expr)
        below = [_lookback(arg, known) for arg in expr.args]
        if own is None or None in below:
            known[expr] = None
        else:
            known[expr] = own + max((bars for bars in below if bars is not None), default=0)
    return known[expr]


def _own_lookback(expr: Expr) -> int | None:
    if expr.op in RECURSIVE:
        return None
    if expr.op == "shift":
        return int(expr.params[0])
    if expr.op in ROLLING or expr.op in PAIRED or expr.op == "count":
        return int(expr.params[0]) - 1
    return 0


def _pass(lowering: Lowering, wanted: Sequence[int], depth: int) -> _Pass:
    """Return the pass of one depth: the features of that depth, and the series of the next cross-sections."""
    instructions = lowering.instructions
    needed = _needed(lowering, wanted)
    crosses = tuple(n for n in needed if instructions[n].op in CROSS and lowering.depth[n] == depth + 1)
    staged = tuple(sorted({instructions[n].inputs[0] for n in crosses}))
    features = tuple((n, position) for position, n in enumerate(wanted) if lowering.depth[n] == depth)
    numbers = _needed(lowering, [*staged, *(n for n, _ in features)], stop_at_crosses=True)
    steps = tuple(_steps(instructions, numbers))
    return _Pass(steps, features, staged, crosses)


def _steps(instructions: Sequence[Instruction], numbers: Sequence[int]) -> Iterator[_Step]:
    """Yield the instructions ``numbers``, each with the registers that none after it reads."""
    last = {read: number for number in numbers for read in (number, *_local_inputs(instructions[number]))}
    frees: dict[int, list[int]] = {number: [] for number in numbers}
    for read, number in last.items():
        frees[number].append(read)
    for number in numbers:
        yield _Step(number, instructions[number], tuple(frees[number]))


def _local_inputs(instruction: Instruction) -> tuple[int, ...]:
    return () if instruction.op in CROSS else instruction.inputs


def _needed(lowering: Lowering, wanted: Sequence[int], *, stop_at_crosses: bool = False) -> list[int]:
    """Return the instructions that ``wanted`` rest on, in running order."""
    seen: set[int] = set()
    waiting = list(wanted)
    while waiting:
        number = waiting.pop()
        if number not in seen:
            seen.add(number)
            instruction = lowering.instructions[number]
            waiting.extend(_local_inputs(instruction) if stop_at_crosses else instruction.inputs)
    return sorted(seen)
