"""Features as files: parts of values that lie over each other, and the states from which the next build goes on.

A part covers some symbols, some sessions and one group of features: rows sorted by symbol and session, every session of
the part for every symbol of it, NaN where there is no value. Later parts override the cells of earlier ones.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zlib import compress, decompress

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from aitrader.lake.catalog import FileRow
from aitrader.lake.content import Content, content_of_values
from aitrader.lake.files import ParquetStream, stream_parquet
from aitrader.trace import spanned

KEYS: Final = ("symbol", "session")
SESSIONS: Final = "sessions"
"""The note of a file of states that holds the sessions of the whole build."""

Days = NDArray[np.datetime64]
Open = Callable[[str, Sequence[str] | None], pl.DataFrame]
"""(path, columns; None: all) -> the checked rows of a file."""


@dataclass(frozen=True, slots=True)
class States:
    """One row per symbol (``symbol``, ``stored``: whether its values are kept, and what the builder needs), and notes.

    ``sessions`` are those of the whole build.
    """

    rows: pl.DataFrame
    sessions: Days
    notes: dict[str, Any]


class PartStream:
    """A part that is written a few symbols at a time; ``content`` is that of what was written so far.

    ``file``, the row that commits it, is there once its block has ended.
    """

    file: FileRow

    def __init__(self, stream: ParquetStream, sessions: Days, names: Sequence[str]) -> None:
        self.stream: Final = stream
        self.content = Content()
        self._sessions = sessions
        self._names = tuple(names)

    @spanned("write features")
    def write(self, symbols: Sequence[str], values: NDArray[np.float32]) -> None:
        """Add values of shape (names, symbols, sessions), C order, as one row group; symbols come in their order."""
        if not symbols:
            return
        rows = len(symbols) * len(self._sessions)
        codes = np.repeat(np.arange(len(symbols), dtype=np.int32), len(self._sessions))
        names = pl.Series(list(symbols), dtype=pl.String()).to_arrow()
        days = np.tile(self._sessions.astype("datetime64[D]").astype(np.int32), len(symbols))
        columns = [
            pa.DictionaryArray.from_arrays(_array(pa.int32(), codes), names),
            _array(pa.date32(), days),
            *(_array(pa.float32(), column.reshape(rows)) for column in values),
        ]
        self.stream.write(pa.Table.from_arrays(columns, schema=_schema(self._names)))
        self.content += content_of_values(symbols, self._sessions, self._names, values)


@contextmanager
def part_stream(target: Path, sessions: Days, names: Sequence[str]) -> Iterator[PartStream]:
    """Yield a stream of a part; its file stands at ``target`` once the block ends well."""
    with stream_parquet(target, _schema(names), texts=KEYS[:1], keys=KEYS, own_types=False) as stream:
        yield PartStream(stream, sessions, names)


def packed(sessions: Days) -> str:
    """Return sessions as a short text.

    >>> unpacked(packed(np.array(["2012-12-27", "2013-01-02"], dtype="datetime64[D]"))).tolist()
    [datetime.date(2012, 12, 27), datetime.date(2013, 1, 2)]
    """
    days = sessions.astype("datetime64[D]").astype(np.int64)
    steps = np.diff(days, prepend=0).astype("<i4")
    return b64encode(compress(steps.tobytes(), 1)).decode()


def unpacked(text: str) -> Days:
    """Return the sessions that ``packed`` wrote."""
    steps = np.frombuffer(decompress(b64decode(text)), dtype="<i4")
    return np.cumsum(steps, dtype=np.int64).astype("datetime64[D]")


def read_states(paths: Sequence[str], open_: Open, notes: Callable[[str], dict[str, str]]) -> States:
    """Return the states of a build, symbols in order, from its files."""
    rows = pl.concat([open_(path, None) for path in paths]).sort("symbol")
    found = json.loads(notes(paths[-1])["build"])
    return States(rows, unpacked(found[SESSIONS]), found)


def noted(states: States) -> dict[str, str]:
    """Return what stands in the footer of the file of ``states``."""
    return {"build": json.dumps({**states.notes, SESSIONS: packed(states.sessions)})}


def overlaid(
    parts: Sequence[str], names: Sequence[str], grid: tuple[Sequence[str], Days], open_: Open
) -> NDArray[np.float32]:
    """Return the columns ``names`` of a build, shape (names, symbols, sessions), over a grid of both."""
    symbols, sessions = grid
    values = np.full((len(names), len(symbols), len(sessions)), np.nan, dtype=np.float32)
    place = {symbol: row for row, symbol in enumerate(symbols)}
    for path in parts:
        frame = open_(path, [*KEYS, *dict.fromkeys(names)])
        own = frame["symbol"].unique(maintain_order=True).to_list()
        length = frame.height // max(len(own), 1)
        days = frame["session"].head(length).to_numpy().astype("datetime64[D]")
        kept = [row for row, symbol in enumerate(own) if symbol in place]
        rows = np.array([place[own[row]] for row in kept], dtype=np.intp)
        inside = np.isin(days, sessions)
        columns = np.searchsorted(sessions, days[inside])
        for number, name in enumerate(names):
            matrix = frame[name].to_numpy().reshape(len(own), length)
            values[number][rows[:, None], columns] = matrix[kept][:, inside]
    return values


def content_of_part(frame: pl.DataFrame) -> Content:
    """Return the content of a part's rows, as they were written."""
    names = frame.columns[len(KEYS) :]
    symbols = frame["symbol"].unique(maintain_order=True).to_list()
    length = frame.height // max(len(symbols), 1)
    sessions = frame["session"].head(length).to_numpy().astype("datetime64[D]")
    columns = [frame[name].to_numpy().astype(np.float32, copy=False) for name in names]
    values = np.stack(columns).reshape(len(names), len(symbols), length)
    return content_of_values(symbols, sessions, names, values)


def _schema(names: Sequence[str]) -> pa.Schema:
    # Columns that cannot be null cost a quarter less to write: NaN stands for what is missing.
    keys = [("symbol", pa.dictionary(pa.int32(), pa.large_string())), ("session", pa.date32())]
    columns = [*keys, *((name, pa.float32()) for name in names)]
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns])


def _array(kind: pa.DataType, values: NDArray[Any]) -> pa.Array:
    # Not pa.array(): that imports pandas where it is installed.
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])
