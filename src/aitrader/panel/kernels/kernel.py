"""How a kernel is written: one compiled function per primitive operator, all with the same arguments.

A kernel works on one block of symbols x bars. Every grid of the block is a *register*; a kernel reads some and writes
one or more::

    @kernel
    def double(cells, size, inputs, outs, numbers, memory, leads):
        grids = registers(cells, size)
        x, out = grids[inputs[0]], grids[outs[0]]
        for symbol in range(out.shape[0]):
            for bar in range(out.shape[1]):
                out[symbol, bar] = 2.0 * x[symbol, bar]
        return WRITTEN

``inputs`` and ``outs`` hold register numbers, ``numbers`` the operator's parameters and a number more. Values are
finite or NaN; what a window makes of numbers near the end of float64 (1e300) may be infinite until it is emitted. A
register's *lead* (``leads``) is how many bars pass before its first value where every bar after them has one, else
``IRREGULAR``; only the operators on presence know it. ``memory`` is a recursive operator's state, ``slots`` numbers per
symbol: it is read if ``size[RESUMED]``, recursion begins at bar ``size[FIRST]`` (NaN before it), and the state after
``size[STOP]`` bars is written back.

A kernel returns ``WRITTEN``, or ``SAME`` where its result is its first input, unchanged. One that runs out of memory
ends with 0, after which the machine stops.

Kernels are compiled by numba when a program first needs them, and kept in its cache on disk. They call nothing outside
their own file but what stands here, because that cache does not see changes elsewhere.
"""

from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock
from typing import Any, Final

from numba import carray, cfunc, njit, types
from numba.extending import register_jitable

WRITTEN, SAME = 1, 2
IRREGULAR: Final = -1
REGISTERS, SYMBOLS, BARS, FIRST, STOP, RESUMED = range(6)
"""Positions in ``size``."""

_FLOATS: Final = types.CPointer(types.float64)
_WHOLES: Final = types.CPointer(types.int64)
SIGNATURE: Final = types.int64(_FLOATS, _WHOLES, _WHOLES, _WHOLES, _FLOATS, _FLOATS, _WHOLES)

Reach = Callable[[tuple[Any, ...], int], int]

_KERNELS: Final[dict[str, Callable[..., Any]]] = {}
_REACHES: Final[dict[str, Reach]] = {}
_SLOTS: Final[dict[str, int]] = {}
_COMPILED: Final[dict[str, Any]] = {}
_COMPILING: Final = Lock()

Watch = Callable[[int, int], None]
"""(kernels ready, kernels in all)."""

inlined: Final = register_jitable
"""Decorates a function that kernels of the same file call."""


def kernel(
    name: str, *, reach: Reach | None = None, slots: int = 0
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the operator ``name``.

    ``reach`` says, given the operator's parameters and an input's place, how many bars before the current one it looks
    at there (None: 0); a recursive one keeps ``slots`` numbers per symbol instead.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        if name in _KERNELS:
            raise ValueError(f"two kernels are called {name}")
        _KERNELS[name], _SLOTS[name] = function, slots
        if reach is not None:
            _REACHES[name] = reach
        return function

    return register


def looks_back(name: str, reach: Reach) -> None:
    """Say how far back an operator looks that has no compiled kernel."""
    _REACHES[name] = reach


def reach(name: str, params: tuple[Any, ...], place: int) -> int:
    """Return how many bars before the current one the operator looks at of the input at ``place``."""
    return _REACHES[name](params, place) if name in _REACHES else 0


def slots(name: str) -> int:
    """Return how many numbers per symbol the operator remembers from bar to bar; 0: none."""
    return _SLOTS.get(name, 0)


def prepare(names: Sequence[str], watch: Watch | None = None) -> None:
    """Have kernels ready. ``watch`` is told about the progress only where they have to be compiled."""
    waiting = [name for name in names if name in _KERNELS and name not in _COMPILED]
    fresh = False
    for done, name in enumerate(waiting, start=1):
        fresh = not _compiled(name).cache_hits or fresh
        if fresh and watch:
            watch(done, len(waiting))


def address(name: str) -> int:
    """Return the address of a kernel's machine code, compiled now or taken from the cache."""
    return int(_compiled(name).address)


def kept(compiler: Callable[..., Any]) -> Callable[[Callable[..., Any]], Any]:
    """Return the decorator of numba's ``compiler`` that keeps machine code on disk, if there is a folder for it."""

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return compiler(cache=True)(function)
        except RuntimeError:  # there is no folder that the cache could be kept in
            return compiler()(function)

    return decorate


def _compiled(name: str) -> Any:
    with _COMPILING:
        if name not in _COMPILED:
            # error_model: a division by zero gives an infinity, as in NumPy, and vectorises.
            _COMPILED[name] = kept(partial(cfunc, SIGNATURE, error_model="numpy"))(_KERNELS[name])
        return _COMPILED[name]


@njit(inline="always")
def registers(cells, size):
    """Return all registers of the block, shape (registers, symbols, bars)."""
    return carray(cells, (size[0], size[1], size[2]))
