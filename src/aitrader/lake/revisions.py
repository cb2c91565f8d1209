"""A vendor's revision is a new row: what of a batch is new, and which row of several is the newest."""

from dataclasses import dataclass
from functools import reduce
from operator import and_

import polars as pl

from aitrader.lake.schemas import DatasetSchema


@dataclass(frozen=True, slots=True)
class News:
    """What a batch adds: its new ``rows``, and which of them stand for a key that is stored (``revisions``).

    ``repeats`` says that some key stands twice, within ``rows`` or with a stored row.
    """

    rows: pl.DataFrame
    revisions: pl.DataFrame
    repeats: bool


def ordered(frame: pl.DataFrame, schema: DatasetSchema) -> pl.DataFrame:
    """Return ``frame`` with exactly the schema's columns, NaN as null, sorted by key and ``known_at``.

    Raises
    ------
    ValueError
        A column is missing, or ``known_at`` or a key is null where the dataset needs it.
    """
    missing = sorted(set(schema.columns) - set(frame.columns))
    if missing:
        raise ValueError(f"rows of {schema.id} lack {', '.join(missing)}")
    typed = frame.select(pl.col(name).cast(dtype) for name, dtype in schema.columns.items())
    if schema.strict:
        needed = (*schema.key, "known_at") if schema.known else schema.key
        null = [name for name in needed if typed[name].null_count()]
        if null:
            raise ValueError(f"rows of {schema.id} have nulls in {', '.join(null)}")
    return _sort(typed.with_columns(pl.selectors.float().fill_nan(None)), schema)


def news(incoming: pl.DataFrame, stored: pl.DataFrame, schema: DatasetSchema) -> News:
    """Return what ``incoming`` (``ordered``) says that ``stored`` (all revisions, in order of commit) does not.

    A row is not new if the same values were known at its own ``known_at`` already, or if it is the first of its key
    and the next stored row has its values: the first ``known_at`` stays.

    Raises
    ------
    ValueError
        Two rows of ``incoming`` share key and ``known_at`` and differ: nobody can tell which one holds.
    """
    known = stored.join(incoming.select(schema.key).unique(), on=schema.key, how="semi", nulls_equal=True)
    marked = [known.with_columns(pl.lit(0).alias("_new")), incoming.with_columns(pl.lit(1).alias("_new"))]
    both = _sort(pl.concat(marked), schema, "_new").with_columns(
        _same(schema.key, 1).alias("_key"),
        _same(schema.values, 1).alias("_values"),
        (_same(schema.key, -1) & _same(schema.values, -1) & (pl.col("_new").shift(-1) == 0)).alias("_next"),
    )
    _refuse_contradictions(both, schema)
    said = (pl.col("_key") & pl.col("_values")) | (~pl.col("_key") & pl.col("_next").fill_null(value=False))
    fresh = both.filter((pl.col("_new") == 1) & ~said)
    rows = fresh.select(schema.columns.names())
    revisions = rows.select(schema.key).join(known.select(schema.key), on=schema.key, how="semi", nulls_equal=True)
    return News(rows, revisions, repeats=bool(fresh["_key"].any()) or not revisions.is_empty())


def newest(rows: pl.DataFrame, schema: DatasetSchema, *, repeats: bool) -> pl.DataFrame:
    """Return the newest row of each key, sorted by key: the latest ``known_at``, then the latest ``_version``.

    ``repeats=False`` promises that no key stands twice.
    """
    if not repeats:
        return rows.sort(*schema.key)
    return _sort(rows, schema, "_version").unique(schema.key, keep="last", maintain_order=True)


def _sort(frame: pl.DataFrame, schema: DatasetSchema, *last: str) -> pl.DataFrame:
    known = ("known_at",) if schema.known else ()
    return frame.sort(*schema.key, *known, *last, maintain_order=True)


def _refuse_contradictions(both: pl.DataFrame, schema: DatasetSchema) -> None:
    instant = _same(("known_at",), 1) if schema.known else pl.lit(value=True)
    two_new = (pl.col("_new") + pl.col("_new").shift(1)) == 2
    clash = both.filter(pl.col("_key") & ~pl.col("_values") & instant & two_new)
    if clash.height:
        raise ValueError(f"rows of {schema.id} contradict each other, first: {clash.select(schema.key).row(0)}")


def _same(columns: tuple[str, ...], rows: int) -> pl.Expr:
    """Whether this row and the one ``rows`` before agree in ``columns``; false where there is none."""
    inside = pl.int_range(pl.len()) >= rows if rows > 0 else pl.int_range(pl.len()) < pl.len() + rows
    return reduce(and_, (pl.col(name).eq_missing(pl.col(name).shift(rows)) for name in columns), inside)
