"""The machine that runs a program on one block: a list of kernels, each on a few registers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.cgutils import unpack_tuple
from numba.extending import intrinsic
from numpy.typing import NDArray

from aitrader.panel.kernels import distribution, elementwise, events, merging, paths, recursive, results, windows
from aitrader.panel.kernels.kernel import FIRST, SAME, STOP, address, kept, prepare, reach, slots

__all__ = ["Machine", "Memory", "Output", "Span", "Step", "prepare", "reach", "slots"]

KERNEL_FILES: Final = (elementwise, merging, results, windows, recursive, paths, distribution, events)
"""Importing them registers their kernels."""

EMIT, EMIT_PRODUCT, STAGE = "emit", "emit_product", "stage"
# A step's row: its kernel's address, where its inputs begin among the places and where its outs do, how many outs it
# has, where its numbers begin, the address of its state, and how many bars before the end that state stands.
_COLUMNS: Final = 7
_MEMORY: Final = 5

_INPUTS: Final = 16
"""Inputs that a step has at most."""
_OWN: Final = {EMIT: 0, EMIT_PRODUCT: 1, STAGE: 2}
"""Addresses that no function has: the machine's own steps."""
_EMIT, _EMIT_PRODUCT, _STAGE = 0, 1, 2

Cells = NDArray[np.float64]
Memory = dict[int, NDArray[np.float64]]
"""Instruction -> its state, shape (symbols, slots)."""


@dataclass(frozen=True, slots=True)
class Output:
    """Features of shape (features, symbols, bars), float32; its corner is ``row``, ``bar`` of the panel."""

    values: NDArray[np.float32]
    row: int
    bar: int


@dataclass(frozen=True, slots=True)
class Step:
    """One kernel: the registers it reads and writes, its parameters, and what it remembers.

    ``memory`` is the number of the instruction whose state it keeps; None: it keeps none. The outs of the machine's own
    steps are places in the output (``emit``, ``emit_product``) or among the staged grids (``stage``).
    """

    op: str
    inputs: tuple[int, ...]
    outs: tuple[int, ...]
    numbers: tuple[float, ...] = ()
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Bars of a block, from bar ``start`` of the panel up to, not including, ``stop``.

    Recursive operators go on from their memory at bar ``resumed``, less their lag; None: they begin with the block.
    Whole grids are staged from ``first`` on, features from ``shown`` on; the bars before warm up the windows.
    """

    start: int
    first: int
    stop: int
    shown: int
    resumed: int | None


class Machine:
    """Steps made ready to run. It holds no values, so that threads may share it.

    ``lags`` says how many bars before the end each remembering instruction's state stands.
    """

    def __init__(self, steps: Sequence[Step], registers: int, lags: Mapping[int, int]) -> None:
        self.registers: Final = registers
        places: list[int] = []
        numbers: list[float] = []
        rows = []
        for step in steps:
            if len(step.inputs) > _INPUTS:
                raise ValueError(f"{step.op} has {len(step.inputs)} inputs, a step has at most {_INPUTS}")
            middle = len(places) + len(step.inputs)
            lag = 0 if step.memory is None else lags[step.memory]
            rows.append((_address(step.op), len(places), middle, len(step.outs), len(numbers), 0, lag))
            places += [*step.inputs, *step.outs]
            numbers += step.numbers
        self._rows: Final = np.array(rows, dtype=np.int64).reshape(len(rows), _COLUMNS)
        self._places: Final = np.array([*places, 0], dtype=np.int64)
        self._numbers: Final = np.array([*numbers, 0.0], dtype=np.float64)
        self._remembering: Final = [(n, step.memory) for n, step in enumerate(steps) if step.memory is not None]

    def run(self, cells: Cells, span: Span, memory: Memory, rows: slice, out: Output, staged: Cells) -> None:
        """Run all steps on ``cells``, shape (registers, symbols, bars), where the loaded columns already stand.

        ``memory`` is that of all symbols, ``rows`` says which ones the block has. Features go to ``out``;
        whole grids to ``staged``, shape (grids, symbols, bars).
        """
        table = self._rows
        if self._remembering:
            table = table.copy()
            for number, instruction in self._remembering:
                table[number, _MEMORY] = memory[instruction][rows].ctypes.data
        bars = [bar - span.start for bar in (span.first, span.stop, span.shown, span.resumed or 0)]
        # Where the block stands in ``out`` and in ``staged``: symbol and bar each.
        corner = (rows.start - out.row, span.shown - out.bar, rows.start, span.first)
        _run(
            table,
            self._places,
            self._numbers,
            cells,
            np.array([*bars, span.resumed is not None, *corner], dtype=np.int64),
            out.values,
            staged,
        )


def _address(op: str) -> int:
    own = _OWN.get(op)
    return address(op) if own is None else own


@intrinsic
def _call(context, code, pointers):
    """Call machine code by its address with the arguments of ``kernel.SIGNATURE``, as whole numbers."""

    def generate(context, builder, signature, args):
        whole = ir.IntType(64)
        function = builder.inttoptr(args[0], ir.FunctionType(whole, [whole] * len(pointers)).as_pointer())
        return builder.call(function, unpack_tuple(builder, args[1]))

    return types.int64(types.int64, pointers), generate


@njit(nogil=True)
def _same(answer):
    """Say whether a kernel answers with its first input; one that runs out of memory ends with 0."""
    if answer == 0:
        raise MemoryError("an operator had no memory to run in")
    return answer == SAME


@kept(partial(njit, nogil=True, error_model="numpy"))
def _run(table, places, numbers, cells, span, out, staged):
    """Run the rows of ``table``; ``span`` is as ``Machine.run`` writes it.

    ``where`` says in which register a result is found: its own, or that of the input which it is the same as. ``leads``
    and ``size`` are those of ``kernels.kernel``.
    """
    first, stop, shown, resumed_at, resumed = span[:5]
    corner = span[5:]
    registers, symbols, bars = cells.shape
    where = np.arange(registers)
    leads = np.zeros(registers, dtype=np.int64)
    inputs = np.empty(_INPUTS, dtype=np.int64)
    size = np.array([registers, symbols, bars, 0, 0, resumed])  # FIRST and STOP are the step's
    for step in range(len(table)):
        code, begin, middle, outs, number, memory, lag = table[step]
        for place in range(begin, middle):
            inputs[place - begin] = where[places[place]]
        if code == _EMIT:
            for symbol in range(symbols):
                _emit(cells[inputs[0], symbol, shown:], out[places[middle], corner[0] + symbol, corner[1] :])
            continue
        if code == _EMIT_PRODUCT:
            for symbol in range(symbols):
                left, right = cells[inputs[0], symbol, shown:], cells[inputs[1], symbol, shown:]
                _emit_product(left, right, out[places[middle], corner[0] + symbol, corner[1] :])
            continue
        if code == _STAGE:
            target = staged[places[middle], corner[2] : corner[2] + symbols, corner[3] : corner[3] + bars - first]
            target[:] = cells[inputs[0], :, first:]
            continue
        for place in range(middle, middle + outs):
            where[places[place]] = places[place]
        size[FIRST], size[STOP] = max(resumed_at - lag, 0) * resumed, max(stop - lag, 0)
        block = cells.ctypes.data, size.ctypes.data
        step_own = inputs.ctypes.data, places[middle:].ctypes.data, numbers[number:].ctypes.data, memory
        if _same(_call(code, (*block, *step_own, leads.ctypes.data))):
            where[places[middle]] = inputs[0]


@njit(nogil=True, error_model="numpy")
def _emit(values, out):
    for bar in range(len(values)):
        value = np.float32(values[bar])
        out[bar] = value - value * np.float32(0.0)  # beyond float32 is NaN, and there is no negative zero


@njit(nogil=True, error_model="numpy")
def _emit_product(left, right, out):
    for bar in range(len(left)):
        value = np.float32(left[bar] * right[bar])
        out[bar] = value - value * np.float32(0.0)
