"""What the lake has learned since features were built: from the catalog, and from the files that are news only."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import polars as pl

from aitrader.lake.catalog import BuildRow, FileRow, SeriesRow
from aitrader.lake.schemas import schema_of

DATASETS: Final = ("bars/1d", "actions")
"""What features are computed from."""

_DAYS: Final = {"symbol": pl.String(), "day": pl.Date(), "bars": pl.Boolean()}

Open = Callable[[FileRow, Sequence[str]], pl.DataFrame]
"""(file, columns) -> its checked rows."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a view shows that a build has not seen.

    ``later``: bars after its last session. ``touched``: by symbol, the first session up to its last one about which
    something new is known. ``vanished``: what it has seen is hidden in this view, and nobody knows of which symbols.
    """

    later: bool
    touched: Mapping[str, date]
    vanished: bool

    @property
    def none(self) -> bool:
        """Whether the build holds everything that this view would give."""
        return not (self.later or self.touched or self.vanished)


def changes(
    build: BuildRow, files: Sequence[FileRow], series: Sequence[SeriesRow], now: datetime | None, open_: Open
) -> Changes:
    """Return what became known since ``build``.

    Bars of later sessions are found in the catalog; a file that reaches back is read for its symbols and days.
    """
    seen = datetime.fromisoformat(build.now) if build.now else None
    last = date.fromisoformat(build.last)
    own = [file for file in files if file.dataset in DATASETS and file.source == build.source]
    vanished = any(_hides(file, build, seen, now, open_) for file in own)
    news = list(_news(own, build, seen, now))
    later = any(file.dataset == "bars/1d" and _is_later(file, last, now) for file, _ in news)
    rows = [_days(file, after, now, open_) for file, after in news if not _is_later(file, last, now)]
    known = pl.concat([pl.DataFrame(schema=_DAYS), *rows])
    back = known.filter(pl.col("day") <= last).group_by("symbol").agg(pl.col("day").min())
    touched = dict(back.iter_rows()) | dict.fromkeys(_readjusted(build, series), date.min)
    return Changes(later or bool((known["bars"] & (known["day"] > last)).any()), touched, vanished)


def _is_later(file: FileRow, last: date, now: datetime | None) -> bool:
    """Say whether all of ``file`` is known and speaks of later days."""
    return file.first is not None and date.fromisoformat(file.first) > last and not _hidden(file, now)


def _days(file: FileRow, after: datetime | None, now: datetime | None, open_: Open) -> pl.DataFrame:
    """Return the rows that became known after a time: ``_DAYS``."""
    day = schema_of(file.dataset).day
    rows = open_(file, ["symbol", day, "known_at"]).filter(*_known(after, now))
    return rows.select("symbol", pl.col(day).alias("day"), pl.lit(file.dataset == "bars/1d").alias("bars"))


def _news(
    files: Sequence[FileRow], build: BuildRow, seen: datetime | None, now: datetime | None
) -> Iterator[tuple[FileRow, datetime | None]]:
    """Yield files with rows that the build has not seen; those of an older file were known after a time."""
    for file in files:
        if file.version > build.lake_version:
            yield file, None
        elif seen is not None and (now is None or now > seen) and _hidden(file, seen):
            yield file, seen


def _hides(file: FileRow, build: BuildRow, seen: datetime | None, now: datetime | None, open_: Open) -> bool:
    """Say whether the build has seen rows of ``file`` that are not known at ``now``."""
    if file.version > build.lake_version or now is None or (seen is not None and seen <= now) or not _hidden(file, now):
        return False
    rows = open_(file, ["known_at"]).filter(pl.col("known_at") > now, *_known(None, seen))
    return not rows.is_empty()


def _hidden(file: FileRow, now: datetime | None) -> bool:
    """Say whether some rows of ``file`` are not known at ``now``."""
    return now is not None and file.known_last is not None and datetime.fromisoformat(file.known_last) > now


def _known(after: datetime | None, until: datetime | None) -> list[pl.Expr]:
    tests = [pl.col("known_at") > after] if after is not None else []
    return [*tests, pl.col("known_at") <= until] if until is not None else tests


def _readjusted(build: BuildRow, series: Sequence[SeriesRow]) -> list[str]:
    """Return the symbols whose prices are said to be of another adjustment than when they were built from."""
    of_source = [row for row in series if row.source == build.source]
    then = {row.symbol: row.adjustment for row in of_source if row.version <= build.lake_version}
    now = {row.symbol: row.adjustment for row in of_source}
    return [symbol for symbol, adjustment in then.items() if now[symbol] != adjustment]
