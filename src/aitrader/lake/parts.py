"""From rows to committed files: names and catalog rows of what the store writes."""

from collections.abc import Iterator
from datetime import date

import polars as pl

from aitrader.lake.catalog import FileRow, State
from aitrader.lake.content import Content
from aitrader.lake.files import Stamp
from aitrader.lake.schemas import DatasetSchema


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
    schema: DatasetSchema,
    repeats: bool = False,
) -> FileRow:
    """Return the catalog row of a written file of ``kind`` (dataset, source)."""
    days = rows[schema.day]
    known = rows["known_at"] if schema.known else pl.Series(dtype=pl.Date())
    return stamped_row(
        path,
        (*kind, schema.id),
        stamp,
        content,
        (_iso(days.min()), _iso(days.max()), _iso(known.max())),
        repeats=repeats,
    )


def stamped_row(
    path: str,
    kind: tuple[str, str, str],
    stamp: Stamp,
    content: Content,
    span: tuple[str | None, str | None, str | None],
    *,
    repeats: bool = False,
) -> FileRow:
    """Return the catalog row of a file of ``kind`` (dataset, source, schema); ``span``: first, last day, last known."""
    dataset, source, schema = kind
    first, last, known = span
    return FileRow(
        path,
        dataset,
        schema,
        source,
        rows=content.rows,
        first=first,
        last=last,
        known_last=known,
        repeats=int(repeats),
        content=str(content),
        sha256=stamp.sha256,
        footer=stamp.footer,
        size=stamp.size,
        mtime_ns=stamp.mtime_ns,
        inode=stamp.inode,
    )


def _iso(value: object) -> str | None:
    return value.isoformat() if isinstance(value, date) else None
