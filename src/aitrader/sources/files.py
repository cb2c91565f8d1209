"""Your own daily bars: one CSV or Parquet file, a folder of them, or one file per symbol."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Annotated, ClassVar, Final

import polars as pl
from pydantic import Field

from aitrader.config.fields import Section
from aitrader.domain.frames import BARS, Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.domain.symbols import Symbol, from_file_name
from aitrader.domain.wording import counted
from aitrader.errors import DataFetchError, InvalidSymbolError, UsageError
from aitrader.sources.columns import PRICES
from aitrader.sources.source import REJECTED, Context, Fetched, Listing, actions_of, file_hashes, to_actions, to_bars
from aitrader.sources.tables import SUFFIXES, Reading, Table, read_table

_PLACE: Final = "{symbol}"
_SCALED: Final = (*PRICES, "vwap")


class FilesSettings(Section):
    """Where the files are and how they are to be read."""

    path: str = ""
    """A file or a folder, relative to the root; the option `--path` is relative to the working directory."""
    pattern: str | None = None
    """The names of files that hold one symbol each, for example `{symbol}.csv`; percent-codes in names are decoded."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Column names that differ: `{Date: session, "Adj Close": adj_close}`."""
    date_format: str | None = None
    """How dates are written, as for strptime (`%d/%m/%Y`); default: found in the data."""
    adjustment: Adjustment | None = None
    """What the prices are corrected for: raw, split or total. Default: raw where the files have dividends or splits,
    else they are handled as total and marked as assumed. With total, a column adj_close scales the prices. A file with
    Yahoo's column `Stock Splits` is only read with it."""
    feed: Annotated[str, Field(pattern=r"^[a-z0-9_]{0,20}$")] = ""
    """A name for these files, where files of several vendors go into one lake: the source is then `files:FEED`."""


@dataclass(frozen=True, slots=True)
class _Contents:
    """What was read of one or more files, and which of one file per symbol could not be."""

    rows: pl.DataFrame
    rejected: pl.DataFrame
    notices: tuple[str, ...]
    failed: Mapping[Symbol, str] = field(default_factory=dict)


class FilesBars:
    """Daily bars from files on this machine.

    ``published`` (a date counts from the end of that day at the exchange) becomes ``known_at``; several rows of one
    symbol and session with different ``published`` are revisions and all kept.
    """

    Settings: ClassVar[type[Section]] = FilesSettings
    batch: int = 100

    def __init__(self, settings: FilesSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        stated = settings.adjustment is not None
        self._reading = Reading(settings.columns, settings.date_format, context.calendar.time_zone, stated)
        self._path = context.root / settings.path
        self._read: _Contents | None = None
        self._named: tuple[dict[Symbol, Path], tuple[str, ...]] | None = None

    @property
    def name(self) -> str:
        """``files``, or ``files:FEED``."""
        return f"files:{self._settings.feed}" if self._settings.feed else "files"

    def listing(self) -> Listing:
        """Return the symbols in the files; those of one file per symbol are known by their names alone."""
        if self._settings.pattern:
            named, refused = self._by_name(self._settings.pattern)
            shown = ", ".join(repr(name)[:40] for name in refused[:5])
            notice = f"{counted(len(refused), 'file')} refused, because the name holds no symbol: {shown}."
            return Listing(tuple(sorted(named)), notices=(notice,) if refused else ())
        table = self._table()
        symbols = tuple(Symbol(text) for text in table.rows["symbol"].unique().sort())
        return Listing(symbols, self._rejected(table), table.notices, file_hashes(self._paths()))

    def fetch(self, symbols: Sequence[Symbol], start: date, end: date) -> Fetched:
        """Return bars of ``symbols``, and their dividends and splits where the files have them."""
        if self._settings.pattern:
            contents = self._one_by_one(symbols, self._settings.pattern)
            rejected, notices = self._rejected(contents), contents.notices
        else:
            contents, rejected, notices = self._table(), REJECTED.to_frame(), ()
        rows = contents.rows.filter(pl.col("symbol").is_in(symbols))
        adjustment, assumed = self._adjustment(rows)
        series = self._series(rows, adjustment, assumed=assumed)
        rows = rows.filter(pl.col("session").is_between(start, end))
        found, bad = actions_of(rows, adjustment)
        actions = to_actions(found, source=self.name, calendar=self._context.calendar)
        if bad:
            notices += (f"{counted(bad, 'corporate action')} left out, because the amount is no positive number.",)
        if "adj_close" in rows.columns:
            if adjustment is Adjustment.TOTAL and not assumed:
                rows = _scaled(rows)
            else:
                notices += ("adj_close is kept and changes no price; --adjustment total scales the prices by it.",)
        return Fetched(self._bars(rows), series, actions, contents.failed, rejected, notices)

    def _series(self, rows: pl.DataFrame, adjustment: Adjustment, *, assumed: bool) -> dict[Symbol, SeriesInfo]:
        last = rows.group_by("symbol").agg(pl.col("session").max()).iter_rows()
        return {
            Symbol(symbol): SeriesInfo(
                self.name,
                adjustment,
                assumed=assumed,
                as_of=None if adjustment is Adjustment.RAW else day,
                note=self._note(),
            )
            for symbol, day in last
        }

    def _bars(self, rows: pl.DataFrame) -> pl.DataFrame:
        columns = [name for name in rows.columns if name in BARS or name == "published"]
        return to_bars(rows.select(columns), source=self.name, calendar=self._context.calendar, lag=self._context.lag)

    def _rejected(self, contents: _Contents) -> pl.DataFrame:
        parts = [
            self._bars(part).with_columns(pl.lit(reason).alias("reason"))
            for (reason,), part in contents.rejected.partition_by("reason", as_dict=True).items()
        ]
        return pl.concat([REJECTED.to_frame(), *parts])

    def _table(self) -> _Contents:
        if self._read is None:
            self._read = _joined([read_table(path, self._reading) for path in self._paths()], self._path)
        return self._read

    def _one_by_one(self, symbols: Sequence[Symbol], pattern: str) -> _Contents:
        named, _ = self._by_name(pattern)
        tables, failed = [], {}
        for symbol in symbols:
            if symbol in named:
                try:
                    tables.append(read_table(named[symbol], self._reading, symbol))
                except DataFetchError as error:
                    failed[symbol] = str(error)
        if failed and not tables:
            raise DataFetchError(next(iter(failed.values())), fix="Fetch or export these files again.")
        return replace(_joined(tables, self._path), failed=failed)

    def _paths(self) -> list[Path]:
        if not self._settings.path:
            raise UsageError("The source files has no path.", fix="Say where they are: --path FILE_OR_FOLDER.")
        if self._path.is_file():
            return [self._path]
        if not self._path.is_dir():
            raise UsageError(f"There is no file or folder {self._path}.", fix="Check --path.")
        try:
            found = sorted(path for path in self._path.iterdir() if path.is_file() and path.name[0] not in "._")
        except OSError as error:
            raise DataFetchError(f"{self._path} cannot be listed: {error}.", fix="Check its permissions.") from error
        paths = [path for path in found if path.name.endswith(SUFFIXES)]
        if not paths:
            raise UsageError(
                f"The folder {self._path} holds no {', '.join(SUFFIXES)} file.", fix="Check --path, or export one."
            )
        return paths

    def _by_name(self, pattern: str) -> tuple[dict[Symbol, Path], tuple[str, ...]]:
        if pattern.count(_PLACE) != 1 or "/" in pattern or not pattern.endswith(SUFFIXES):
            raise UsageError(
                f"--pattern {pattern!r} is none.",
                fix=f"Write it like '{_PLACE}.csv': one {_PLACE}, no folder, ending in {', '.join(SUFFIXES)}.",
            )
        if self._named is None:
            self._named = _symbols_in(self._paths(), pattern)
        if not any(self._named):
            raise UsageError(f"No file in {self._path} is named like {pattern!r}.", fix="Check --pattern.")
        return self._named

    def _adjustment(self, rows: pl.DataFrame) -> tuple[Adjustment, bool]:
        if self._settings.adjustment is not None:
            return self._settings.adjustment, False
        if {"dividend", "split"} & set(rows.columns):
            return Adjustment.RAW, False
        return Adjustment.TOTAL, True

    def _note(self) -> str:
        settings = self._settings
        columns = ",".join(f"{theirs}={ours}" for theirs, ours in settings.columns.items())
        parts = {"pattern": settings.pattern, "map": columns, "date format": settings.date_format}
        return "; ".join([self._path.name, *(f"{name} {value}" for name, value in parts.items() if value)])


def _symbols_in(paths: Sequence[Path], pattern: str) -> tuple[dict[Symbol, Path], tuple[str, ...]]:
    """Return the files named like ``pattern`` by their symbol, and those that have none in its place."""
    form = re.compile("(.*)".join(re.escape(part) for part in pattern.split(_PLACE)), re.DOTALL)
    named, refused = {}, []
    for path in paths:
        match = form.fullmatch(path.name)
        if match is None:
            continue
        try:
            named[from_file_name(match[1])] = path
        except InvalidSymbolError:
            refused.append(path.name)
    return named, tuple(refused)


def _scaled(rows: pl.DataFrame) -> pl.DataFrame:
    factor = pl.col("adj_close") / pl.col("close")
    return rows.with_columns(pl.col(name) * factor for name in _SCALED if name in rows.columns)


def _joined(tables: Sequence[Table], path: Path) -> _Contents:
    told = {"dividend", "split"}
    if len({bool(told & set(table.rows.columns)) for table in tables}) > 1:
        raise UsageError(
            f"Some files of {path} have dividends or splits and others have not.",
            fix="Say what the prices are corrected for: --adjustment raw, split or total; or load them one by one.",
        )
    notices = tuple(notice for table in tables for notice in table.notices)
    empty = pl.DataFrame(schema={name: BARS[name] for name in ("symbol", "session", *PRICES, "volume")})
    rows = pl.concat([empty, *(table.rows for table in tables)], how="diagonal")
    reasons = empty.with_columns(pl.lit("").alias("reason"))
    rejected = pl.concat([reasons, *(table.rejected for table in tables)], how="diagonal")
    return _Contents(rows, rejected, notices)
