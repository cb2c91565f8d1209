"""A vendor's revision is a new row: what of a batch is new, and which row of several is the newest."""

from functools import reduce
from operator import and_

import polars as pl

from aitrader.lake.schemas import DatasetSchema


def ordered(frame: pl.DataFrame, schema: DatasetSchema) -> pl.DataFrame:
    """Return ``frame`` with exactly the schema's columns, NaN as null, sorted by key and ``known_at``.

    Raises
    ------
    ValueError
        A column is missing or cannot be cast without loss.
    """
    missing = sorted(set(schema.columns) - set(frame.columns))
    if missing:
        raise ValueError(f"rows of {schema.id} lack {', '.join(missing)}")
    typed = frame.select(pl.col(name).cast(dtype, strict=True) for name, dtype in schema.columns.items())
    return sort(typed.with_columns(pl.selectors.float().fill_nan(None)), schema)


def sort(frame: pl.DataFrame, schema: DatasetSchema, *last: str) -> pl.DataFrame:
    """Return ``frame`` sorted by key, ``known_at`` and ``last``; rows that tie keep their order."""
    known = ("known_at",) if schema.known else ()
    return frame.sort(*schema.key, *known, *last, maintain_order=True)


def unseen(incoming: pl.DataFrame, stored: pl.DataFrame, schema: DatasetSchema) -> tuple[pl.DataFrame, bool]:
    """Return the rows of ``incoming`` that say something new, and whether any of them revises another row.

    Both frames are ``ordered``. A row is not new if, at its own ``known_at``, the same values were known already,
    or if it is the first of its key and the next stored row has its values: the first ``known_at`` stays.

    Raises
    ------
    ValueError
        Two rows of ``incoming`` share key and ``known_at`` and differ: nobody can tell which one holds.
    """
    known = stored.join(incoming.select(schema.key).unique(), on=schema.key, how="semi", nulls_equal=True)
    both = pl.concat([known.with_columns(pl.lit(0).alias("_new")), incoming.with_columns(pl.lit(1).alias("_new"))])
    both = sort(both, schema, "_new")
    both = both.with_columns(
        _same(schema.key, 1).alias("_key"),
        _same(schema.values, 1).alias("_values"),
        (_same(schema.key, -1) & _same(schema.values, -1) & (pl.col("_new").shift(-1) == 0)).alias("_next"),
    )
    instant = _same(("known_at",), 1) if schema.known else pl.lit(value=True)
    clash = both.filter(pl.col("_key") & ~pl.col("_values") & instant & (pl.col("_new") + pl.col("_new").shift(1) == 2))
    if clash.height:
        raise ValueError(f"rows of {schema.id} contradict each other, first: {clash.select(schema.key).row(0)}")
    said = (pl.col("_key") & pl.col("_values")) | (~pl.col("_key") & pl.col("_next").fill_null(value=False))
    fresh = both.filter((pl.col("_new") == 1) & ~said)
    repeated = bool(fresh["_key"].any()) or known.height > 0
    return fresh.select(schema.columns.names()), repeated


def newest(rows: pl.DataFrame, schema: DatasetSchema, *, revised: bool) -> pl.DataFrame:
    """Return the newest row of each key, sorted by key: the latest ``known_at``, then the latest ``_version``.

    ``revised=False`` promises that no key stands twice.
    """
    if not revised:
        return rows.sort(*schema.key)
    return sort(rows, schema, "_version").unique(schema.key, keep="last", maintain_order=True)


def _same(columns: tuple[str, ...], rows: int) -> pl.Expr:
    """Whether this row and the one ``rows`` before agree in ``columns``; false for the first (last) row."""
    inside = pl.int_range(pl.len()) >= rows if rows > 0 else pl.int_range(pl.len()) < pl.len() + rows
    return reduce(and_, (pl.col(name).eq_missing(pl.col(name).shift(rows)) for name in columns), inside)
