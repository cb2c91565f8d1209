"""The content hash: what rows a dataset holds, whatever their order, files and commits.

Each row is hashed to 64 bits and the hashes are added up, so that the hash of a dataset is the sum over
its files. It is what a hash of the sorted rows would be (equal lakes, equal hash), without a sort and
without reading a file again. It tells lakes apart; it is no defence against a forger (SHA-256 of the files is).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

_MASK: Final = (1 << 64) - 1
_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_NULL: Final = np.uint64(0x6A09E667F3BCC909)

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Content:
    """Rows counted and their hashes added up modulo 2^64, twice with different mixing."""

    rows: int = 0
    first: int = 0
    second: int = 0

    def __add__(self, other: "Content") -> "Content":
        return Content(self.rows + other.rows, (self.first + other.first) & _MASK, (self.second + other.second) & _MASK)

    def __str__(self) -> str:
        return f"{self.rows:x}-{self.first:016x}{self.second:016x}"


def parse_content(text: str) -> Content:
    """Return the content that ``str`` wrote.

    >>> parse_content("2-00000000000000ff0000000000000001")
    Content(rows=2, first=255, second=1)
    """
    rows, _, sums = text.partition("-")
    return Content(int(rows, 16), int(sums[:16], 16), int(sums[16:], 16))


def total(contents: Iterable[Content]) -> Content:
    """Return the content of several files together."""
    result = Content()
    for content in contents:
        result += content
    return result


def content_of(frame: pl.DataFrame) -> Content:
    """Return the content of all columns of ``frame``; column order counts, row order does not."""
    return _added(frame.height, _row_hashes(frame))


def content_of_values(
    symbols: Sequence[str], sessions: NDArray[np.datetime64], names: Sequence[str], values: NDArray[np.float32]
) -> Content:
    """Return the content of columns of float32, shape (names, symbols, sessions), by their bits, and of their rows.

    A cell counts with its bits times an odd number made from its symbol, session and name, modulo 2^32, in each of the
    two sums; so it costs two multiplications, and blocks of cells add up.
    """
    days = sessions.astype("datetime64[D]").astype(np.int64).view(np.uint64)
    rows = np.array([_text(symbol) for symbol in symbols], dtype=np.uint64)
    columns = np.array([_text(name) for name in ("", *names)], dtype=np.uint64)
    bits = np.ascontiguousarray(values).view(np.uint32)
    sums = []
    for seed in (_STEP, _NULL):
        by_day = _odd(_mix(days ^ seed))
        by_cell = _odd(_mix(rows ^ _mix(columns ^ seed)[:, None]))
        added = np.empty((len(columns), len(rows)), dtype=np.uint32)
        added[0] = by_day.sum(dtype=np.uint32)
        np.einsum("nsb,b->ns", bits, by_day, out=added[1:])
        sums.append(int((added * by_cell).sum(dtype=np.uint32)) << 32)
    return Content(len(rows) * len(days), *sums)


def _odd(hashes: Hashes) -> NDArray[np.uint32]:
    return (hashes >> np.uint64(32)).astype(np.uint32) | np.uint32(1)


def _added(rows: int, hashes: Hashes) -> Content:
    second = _mix(hashes ^ _NULL)
    return Content(rows, int(hashes.sum(dtype=np.uint64)), int(second.sum(dtype=np.uint64)))


def _row_hashes(frame: pl.DataFrame) -> Hashes:
    state = np.full(frame.height, np.uint64(frame.width))
    for column in frame.iter_columns():
        state = _mix(state ^ _bits(column))
    return state


def _bits(column: pl.Series) -> Hashes:
    if column.dtype == pl.String():
        distinct = column.unique().drop_nulls().sort()
        codes = column.cast(pl.Enum(distinct)).to_physical()
        table = np.array([_text(text) for text in distinct], dtype=np.uint64)
        bits = table[codes.fill_null(0).to_numpy()] if len(table) else np.zeros(len(column), np.uint64)
    elif column.dtype.is_float():
        values = (column.cast(pl.Float64()) + 0.0).fill_null(0.0).to_numpy()
        bits = np.ascontiguousarray(values).view(np.uint64)
    else:
        bits = column.to_physical().cast(pl.Int64()).fill_null(0).to_numpy().astype(np.int64).view(np.uint64)
    return np.where(column.is_null().to_numpy(), _NULL, bits) if column.null_count() else bits


def _text(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little"))


def _mix(state: Hashes) -> Hashes:
    """Finish like splitmix64 (Steele, Lea & Flood 2014, OOPSLA): every input bit moves every output bit."""
    state = state + _STEP
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
