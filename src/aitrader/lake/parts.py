"""From rows to committed files: names, index columns and catalog rows of what the store writes."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aitrader.lake.catalog import FileRow, State
from aitrader.lake.content import Content
from aitrader.lake.files import Stamp
from aitrader.lake.schemas import FEATURES, DatasetSchema


def folders(dataset: str, rows: pl.DataFrame, schema: DatasetSchema) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield each folder that ``rows`` belong to, with its rows: one per year where the dataset is cut by year."""
    if not schema.yearly:
        yield dataset, rows
        return
    years = rows.with_columns(pl.col(schema.day).dt.year().alias("_year"))
    parts = years.partition_by("_year", as_dict=True, include_key=False)
    for (year,), part in sorted(parts.items()):
        yield f"{dataset}/year={year}", part


def file_name(state: State, content: Content) -> str:
    """Return the name of a file of the next commit; the hash tells its content from another attempt's."""
    return f"{state.version + 1:06d}-{content.first & 0xFFFFFFFF:08x}.parquet"


def file_row(
    path: str,
    rows: pl.DataFrame,
    stamp: Stamp,
    content: Content,
    kind: tuple[str, str],
    *,
    schema: DatasetSchema | None = None,
    repeats: bool = False,
) -> FileRow:
    """Return the catalog row of a written file of ``kind`` (dataset, source); without a ``schema`` of features."""
    dataset, source = kind
    known = rows["known_at"] if schema is not None and schema.known else pl.Series(dtype=pl.Date())
    days = rows[schema.day if schema is not None else "session"]
    return FileRow(
        path,
        dataset,
        schema.id if schema is not None else FEATURES,
        source,
        rows=rows.height,
        first=_iso(days.min()),
        last=_iso(days.max()),
        known_last=_iso(known.max()),
        repeats=int(repeats),
        content=str(content),
        sha256=stamp.sha256,
        footer=stamp.footer,
        size=stamp.size,
        mtime_ns=stamp.mtime_ns,
        inode=stamp.inode,
    )


def index(sessions: NDArray[np.datetime64], symbols: Sequence[str]) -> pl.DataFrame:
    """Return one row per symbol and session, in this order: ``symbol``, ``session``."""
    days: NDArray[Any] = sessions.astype("datetime64[D]")
    names = pl.Series("symbol", list(symbols), pl.String())
    return pl.DataFrame(
        {
            "symbol": names.gather(np.repeat(np.arange(len(names)), len(days))),
            "session": pl.Series(np.tile(days, len(names)), dtype=pl.Date()),
        }
    )


def stored_in(state: State, dataset: str, keys: Sequence[str], *, inputs: str, content: Content) -> list[FileRow]:
    """Return the newest files of the feature keys if they all hold ``content`` computed from ``inputs``, else none."""
    newest = {row.key: row for row in state.features if row.dataset == dataset}
    rows = [newest[key] for key in keys if key in newest and newest[key].inputs == inputs]
    paths = {row.path for row in rows}
    found = [file for file in state.files if file.path in paths and file.content == str(content)]
    return found if len(rows) == len(keys) and len(found) == len(paths) else []


def _iso(value: object) -> str | None:
    return value.isoformat() if isinstance(value, date) else None
