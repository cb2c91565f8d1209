"""Parquet files on disk: written in one step, checked whenever they are read."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, BinaryIO, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from aitrader.disk.files import replacing
from aitrader.errors import LakeError

_ROW_GROUP: Final = 131_072
_BATCH: Final = 65_536
"""Values encoded at a time."""
_REFETCH: Final = "Restore the file from a copy, or move the lake aside and run `aitrader backfill` again."


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a stored file must look like.

    ``footer`` is the SHA-256 of the Parquet footer, which the page checksums do not cover; size, ``mtime_ns``
    and ``inode`` are the cheap signs that nobody touched the file since ``sha256`` was taken.
    """

    sha256: str
    footer: str
    size: int
    mtime_ns: int
    inode: int


def write_parquet(
    target: Path,
    frame: pl.DataFrame,
    *,
    texts: Sequence[str],
    keys: Sequence[str],
    notes: Mapping[str, str] | None = None,
) -> Stamp:
    """Write ``frame`` to ``target`` so that a crash leaves either nothing or the whole file.

    zstd level 1, page checksums, dictionaries for ``texts`` only, statistics for ``keys`` only. ``notes`` stand in the
    file's footer.

    Raises
    ------
    LakeError
        The disk is full, read-only or failing. What stood at ``target`` before still stands.
    """
    table = frame.to_arrow()
    if notes:
        table = table.replace_schema_metadata(dict(notes))
    with stream_parquet(target, table.schema, texts=texts, keys=keys) as stream:
        stream.write(table, rows=_ROW_GROUP)
    return stream.stamp


class ParquetStream:
    """A Parquet file that is written row group by row group; ``stamp`` is there once its block has ended."""

    stamp: Stamp

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer

    def write(self, table: pa.Table, *, rows: int | None = None) -> None:
        """Add a table in row groups of so many rows; None: as one."""
        self._writer.write_table(table, row_group_size=rows or table.num_rows)


@contextmanager
def stream_parquet(
    target: Path, schema: pa.Schema, *, texts: Sequence[str], keys: Sequence[str], own_types: bool = True
) -> Iterator[ParquetStream]:
    """Yield a stream into ``target``, which replaces it when the block ends well; the rest as ``write_parquet``.

    The file is hashed while it is written. Without ``own_types`` it does not keep Arrow's types beside Parquet's.
    """
    options = {"use_dictionary": list(texts), "write_statistics": list(keys), "store_schema": own_types}
    try:
        with replacing(target) as temporary:
            with temporary.open("wb") as raw, _writing(hashed := _Hashed(raw), schema, options) as writer:
                stream = ParquetStream(writer)
                yield stream
            status = temporary.stat()
            marks = (status.st_size, status.st_mtime_ns, status.st_ino)
            stream.stamp = Stamp(hashed.digest(), _footer(temporary), *marks)
    except (OSError, pa.ArrowException) as error:
        raise LakeError(
            f"{target} could not be written: {error}.",
            fix="Free space or repair the disk, then run again: nothing is lost.",
        ) from error


@contextmanager
def _writing(hashed: "_Hashed", schema: pa.Schema, options: Mapping[str, Any]) -> Iterator[pq.ParquetWriter]:
    writer = pq.ParquetWriter(
        pa.PythonFile(hashed, mode="w"),
        schema,
        compression="zstd",
        compression_level=1,
        write_page_checksum=True,
        write_batch_size=_BATCH,
        **options,
    )
    try:
        yield writer
    except BaseException:  # an interrupt too: the writer would finish a file that is closed already
        with suppress(OSError, pa.ArrowException):
            writer.close()
        raise
    writer.close()


class _Hashed:
    """A file that is hashed while it is written, as ``pyarrow.PythonFile`` wants it."""

    closed = False

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._hash = sha256()
        self._size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self._size += len(data)
        return self._raw.write(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        self._raw.flush()

    def close(self) -> None:
        self._raw.flush()

    def digest(self) -> str:
        return self._hash.hexdigest()


def read_parquet(path: Path, stamp: Stamp, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Return the rows of a stored file, after checking that it is what was committed.

    Page checksums and the footer are checked on every read, the whole file when size, mtime or inode changed.

    Raises
    ------
    LakeError
        The file is missing, damaged, truncated or not readable.
    """
    try:
        _check(path, stamp)
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(columns=list(columns) if columns is not None else None)
    except FileNotFoundError as error:
        raise LakeError(f"{path} is missing from the lake.", fix=_REFETCH) from error
    except (OSError, pa.ArrowException) as error:
        raise LakeError(f"{path} is damaged or cannot be read: {error}.", fix=_REFETCH) from error
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def read_notes(path: Path, stamp: Stamp) -> dict[str, str]:
    """Return the notes in the footer of a stored file; errors as ``read_parquet``."""
    try:
        _check(path, stamp)
        with pq.ParquetFile(path) as file:
            found = file.schema_arrow.metadata or {}
    except FileNotFoundError as error:
        raise LakeError(f"{path} is missing from the lake.", fix=_REFETCH) from error
    except (OSError, pa.ArrowException) as error:
        raise LakeError(f"{path} is damaged or cannot be read: {error}.", fix=_REFETCH) from error
    return {name.decode(): text.decode() for name, text in found.items()}


def check_whole(path: Path, stamp: Stamp) -> None:
    """Compare every byte of ``path`` with its SHA-256; ``LakeError`` says what is wrong."""
    try:
        if _hash(path) != stamp.sha256:
            raise _damaged(path)
    except FileNotFoundError as error:
        raise LakeError(f"{path} is missing from the lake.", fix=_REFETCH) from error
    except OSError as error:
        raise LakeError(f"{path} cannot be read: {error}.", fix=_REFETCH) from error


def is_sound(path: Path, stamp: Stamp) -> bool:
    """Say whether a file is there and looks as committed, without reading all of it unless somebody touched it."""
    try:
        _check(path, stamp)
    except (OSError, LakeError):
        return False
    return True


def leftovers(root: Path, known: Iterable[str], folders: Sequence[str]) -> list[str]:
    """Return the files under ``folders`` of ``root`` that no commit names, as relative paths, sorted."""
    committed = set(known)
    found = (path for folder in folders for path in (root / folder).rglob("*") if path.is_file())
    names = (path.relative_to(root).as_posix() for path in found)
    return sorted(name for name in names if name not in committed)


def _check(path: Path, stamp: Stamp) -> None:
    status = path.stat()
    if status.st_size != stamp.size:
        raise LakeError(f"{path} has {status.st_size} bytes instead of {stamp.size}: it is damaged.", fix=_REFETCH)
    if (status.st_mtime_ns, status.st_ino) != (stamp.mtime_ns, stamp.inode) and _hash(path) != stamp.sha256:
        raise _damaged(path)
    if _footer(path) != stamp.footer:
        raise _damaged(path)


def _damaged(path: Path) -> LakeError:
    return LakeError(f"{path} is damaged: its bytes are not those that were committed.", fix=_REFETCH)


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


def _footer(path: Path) -> str:
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        stream.seek(max(size - 8, 0))
        tail = stream.read(8)
        length = int.from_bytes(tail[:4], "little") + 8
        stream.seek(max(size - length, 0))
        return sha256(stream.read(length)).hexdigest()
