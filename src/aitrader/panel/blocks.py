"""What a build hands out, block by block, and in order."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
Watch = Callable[[int, int], None]
"""(blocks done, blocks in all)."""


@dataclass(frozen=True, slots=True)
class State:
    """What a recursive expression remembers, ``lag`` bars before the end: shape (symbols, numbers), float64."""

    lag: int
    values: NDArray[np.float64]


States = Mapping[str, State]
"""Digest of a recursive expression -> its state."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some symbols' values, shape (features, symbols and bars of the block), float32; ``rows`` are the symbols' places.

    ``bars`` are those of the build, counted from its first: all of them, or, streamed, a part of a long history.
    A block that was not written into the caller's own array is overwritten once the next one is asked for; ``buffer``
    is the memory it stands in.
    """

    rows: slice
    bars: slice
    values: Values
    buffer: Values


def in_order(
    work: Callable[[slice], Block], rows: Sequence[slice], executor: Executor | None, ahead: int
) -> Iterator[Block]:
    """Yield results in order, with a few in work ahead of the one in use."""
    if executor is None:
        yield from map(work, rows)
        return
    waiting: deque[Future[Block]] = deque()
    for part in rows:
        waiting.append(executor.submit(work, part))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
