"""One file of daily bars, CSV or Parquet, as rows of our types; what cannot be read is set aside, never guessed."""

import csv
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from aitrader.domain.symbols import Symbol, parse_symbol
from aitrader.domain.wording import counted
from aitrader.errors import DataFetchError, InvalidSymbolError, UsageError
from aitrader.sources.columns import NUMBERS, YAHOO_SPLITS, Columns, choose, plain
from aitrader.sources.dates import instants, session_dates

SUFFIXES: Final = (".parquet", ".pq", ".csv", ".csv.gz")
_NOTHING: Final = ("", "na", "n/a", "#n/a", "nan", "null", "none", "-")


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read a file: the user's column names, date format (strptime), and the zone of its dates.

    ``stated`` says that the user told what the prices are corrected for.
    """

    columns: Mapping[str, str]
    date_format: str | None
    time_zone: str
    stated: bool


@dataclass(frozen=True, slots=True)
class Table:
    """One file's rows: symbol, session, open to volume, and whatever of the optional columns it has.

    ``rejected`` are rows (with ``reason``) whose symbol or date is none; numbers that are none are null in ``rows``
    and fail at admission.
    """

    rows: pl.DataFrame
    rejected: pl.DataFrame
    notices: tuple[str, ...]


def read_table(path: Path, reading: Reading, symbol: Symbol | None = None) -> Table:
    """Return the bars of one file; ``symbol`` is the symbol of all its rows where the file's name says it.

    Raises
    ------
    DataFetchError
        The file is damaged, truncated, empty or not readable.
    UsageError
        Its columns or dates cannot be told apart without the user's help.
    """
    raw = _raw(path)
    columns = choose(raw.columns, reading.columns, path.name, symbol=symbol is None)
    if not reading.stated:
        _refuse_unstated(columns, reading, path)
    if raw.is_empty():
        raise DataFetchError(f"{path} has no rows.", fix="Check how the file was made.")
    notices = [f"{path.name}: columns ignored: {', '.join(columns.ignored)}."] if columns.ignored else []
    where = f"{path.name}, column"
    parts = {name: raw[theirs] for name, theirs in columns.names.items() if name in NUMBERS}
    typed = [_numbers(column, name, f"{where} {column.name!r}", notices) for name, column in parts.items()]
    symbols = pl.repeat(symbol, raw.height, eager=True) if symbol else _text(raw[columns.names["symbol"]])
    days = session_dates(
        raw[columns.names["session"]],
        f"{where} {columns.names['session']!r}",
        form=reading.date_format,
        time_zone=reading.time_zone,
    )
    rows = pl.DataFrame(
        [symbols.alias("symbol"), days.alias("session"), *typed, *_published(raw, columns, where, reading)]
    )
    return _sorted_out(rows, path, notices)


def _refuse_unstated(columns: Columns, reading: Reading, path: Path) -> None:
    """Refuse splits as Yahoo names them: its prices may be corrected for them, and once more would be wrong."""
    theirs = columns.names.get("split", "")
    if plain(theirs) in YAHOO_SPLITS and theirs not in reading.columns:
        raise UsageError(
            f"{path.name} has Yahoo's column {theirs!r}, and does not say what its prices are corrected for.",
            fix="Say it: --adjustment split (Yahoo's Close), total (yfinance's auto_adjust) or raw (as traded).",
        )


def _raw(path: Path) -> pl.DataFrame:
    try:
        return _parquet(path) if path.suffix in {".parquet", ".pq"} else _csv(path)
    except (OSError, ValueError, KeyError, EOFError, pa.ArrowException, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataFetchError(
            f"{path} cannot be read: it is damaged, cut off or not what its name says ({reason:.120}).",
            fix="Fetch or export the file again; nothing of it was stored.",
        ) from error


def _parquet(path: Path) -> pl.DataFrame:
    # pyarrow, not Polars: on a damaged file it raises where Polars may panic; checksums are verified where present.
    table = pq.read_table(path, page_checksum_verification=True, partitioning=None)
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _csv(path: Path) -> pl.DataFrame:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    header = content.split(b"\n", 1)[0].decode("utf-8-sig", "replace")
    if not header.strip():
        raise ValueError("the file is empty")
    separator = max(",;\t|", key=header.count)
    names = next(csv.reader([header.rstrip("\r\n")], delimiter=separator))
    frame = pl.read_csv(content, infer_schema=False, separator=separator, encoding="utf8-lossy")
    if len(names) != len(frame.columns):
        raise ValueError("the header has another number of columns than the rows")
    return frame


def _text(column: pl.Series) -> pl.Series:
    # Only spaces: a tab or a line break inside a symbol is damage and must not disappear.
    return column.cast(pl.String).fill_null("").str.strip_chars(" ")


def _numbers(column: pl.Series, name: str, where: str, notices: list[str]) -> pl.Series:
    if column.dtype.is_numeric():
        return column.cast(pl.Float64).alias(name)
    text = column.cast(pl.String).str.strip_chars()
    nothing = text.is_null() | text.str.to_lowercase().is_in(_NOTHING)
    # Thousands separators only where they are beyond doubt: 1,234 or 12,345,678.90.
    grouped = text.str.contains(r"^-?\d{1,3}(,\d{3})+(\.\d+)?$")
    numbers = text.zip_with(~grouped, text.str.replace_all(",", "")).cast(pl.Float64, strict=False)
    bad = text.filter(numbers.is_null() & ~nothing)
    if len(bad):
        notices.append(f"{where}: {counted(len(bad), 'value')} without a number, for example {bad[0]!r:.40}.")
    return numbers.alias(name)


def _published(raw: pl.DataFrame, columns: Columns, where: str, reading: Reading) -> list[pl.Series]:
    theirs = columns.names.get("published")
    if theirs is None:
        return []
    times = instants(raw[theirs], f"{where} {theirs!r}", form=reading.date_format, time_zone=reading.time_zone)
    return [times.alias("published")]


def _sorted_out(rows: pl.DataFrame, path: Path, notices: list[str]) -> Table:
    bad = [text for text in rows["symbol"].unique().sort() if not _is_symbol(text)]
    if bad:
        count = rows.filter(pl.col("symbol").is_in(bad)).height
        shown = ", ".join(repr(text)[:40] for text in bad[:5]) + (" ..." if len(bad) > 5 else "")
        notices.append(f"{path.name}: {counted(count, 'row')} refused, because no symbol can be called {shown}.")
    undated = rows["session"].null_count()
    if undated:
        notices.append(f"{path.name}: {counted(undated, 'row')} refused, because the date cannot be read.")
    reason = (
        pl.when(pl.col("symbol").is_in(bad))
        .then(pl.lit("not a symbol"))
        .when(pl.col("session").is_null())
        .then(pl.lit("session is missing"))
    )
    marked = rows.with_columns(reason.alias("reason"))
    return Table(
        marked.filter(pl.col("reason").is_null()).drop("reason"),
        marked.filter(pl.col("reason").is_not_null()),
        tuple(notices),
    )


def _is_symbol(text: str) -> bool:
    try:
        parse_symbol(text)
    except InvalidSymbolError:
        return False
    return True
