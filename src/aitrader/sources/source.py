"""What every source of bars offers: a list of its symbols where it has one, and bars of some of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import file_digest
from pathlib import Path
from typing import ClassVar, Final, Protocol

import polars as pl
from pydantic import SecretStr

from aitrader.config.fields import Section
from aitrader.domain.calendars import Calendar
from aitrader.domain.clock import Clock
from aitrader.domain.frames import ACTIONS, BARS, INSTANT, Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.domain.symbols import Symbol

SecretOf = Callable[[str], SecretStr | None]

REJECTED: Final = pl.Schema({**BARS, "reason": pl.String()})
"""Rows that a source could read but not offer as bars, for the quarantine. ``session`` is null where the date
could not be read; ``symbol`` is the text as it was found."""


ACTION_ROWS: Final = pl.Schema({name: ACTIONS[name] for name in ("symbol", "ex_date", "kind", "ratio", "amount")})
"""What ``to_actions`` takes."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The symbols that a source holds, sorted, and what it found wrong while looking (``REJECTED`` rows).

    ``inputs`` are the files it read, by name, with their SHA-256, for the receipt.
    """

    symbols: tuple[Symbol, ...]
    rejected: pl.DataFrame = field(default_factory=REJECTED.to_frame)
    notices: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one request for some symbols brought.

    ``bars`` (``BARS``) is sorted by symbol and session and not yet admitted: it may hold dirt. A symbol that the
    source does not know is in neither ``bars`` nor ``failed``; ``failed`` names those whose bars exist as far
    as anybody knows but could not be had, with the reason. ``series`` covers every symbol in ``bars``;
    ``rejected`` (``REJECTED``) are rows that are no bars.
    """

    bars: pl.DataFrame
    series: Mapping[Symbol, SeriesInfo]
    actions: pl.DataFrame = field(default_factory=ACTIONS.to_frame)
    failed: Mapping[Symbol, str] = field(default_factory=dict)
    rejected: pl.DataFrame = field(default_factory=REJECTED.to_frame)
    notices: tuple[str, ...] = ()


def no_secret(name: str) -> SecretStr | None:  # noqa: ARG001 the shape of a look-up
    """Return None: nobody set any credential."""
    return None


@dataclass(frozen=True, slots=True)
class Context:
    """What every source is told.

    ``lag`` is the time after a close until its bar counts as known, ``root`` the folder that relative paths start
    from, ``secret`` returns a credential by name (None: nobody set it).
    """

    calendar: Calendar
    lag: timedelta
    clock: Clock
    root: Path = Path()
    secret: SecretOf = no_secret


class BarSource(Protocol):
    """Somewhere daily bars come from: a vendor, a file, a package.

    It is made as ``Source(Source.Settings, Context)``; its settings are ``data.sources.<name>``.
    """

    Settings: ClassVar[type[Section]]

    @property
    def name(self) -> str:
        """Vendor and feed, as it stands in the column ``source``: ``alpaca:sip``."""
        ...

    @property
    def batch(self) -> int:
        """Most symbols to ask for in one ``fetch``."""
        ...

    def listing(self) -> Listing | None:
        """Return the symbols that the source holds; None if it cannot list them.

        Raises
        ------
        DataFetchError
            The source could not be read.
        UsageError
            Its settings do not fit what it found.
        """
        ...

    def fetch(self, symbols: Sequence[Symbol], start: date, end: date) -> Fetched:
        """Return daily bars and corporate actions of ``symbols``, both ends included.

        A series that comes adjusted is adjusted up to its ``as_of``, whatever ``end`` is.

        Raises
        ------
        DataFetchError
            Nothing could be had: the source refused, failed or timed out after its retries.
        """
        ...


def file_hashes(paths: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of each file by its name, as ``Listing.inputs`` has it."""
    hashes = {}
    for path in paths:
        with path.open("rb") as file:
            hashes[path.name] = file_digest(file, "sha256").hexdigest()
    return hashes


def to_bars(rows: pl.DataFrame, *, source: str, calendar: Calendar, lag: timedelta) -> pl.DataFrame:
    """Return rows (symbol, session, prices, volume[, vwap][, adj_close][, published]) in the ``BARS`` schema, sorted.

    ``known_at`` is the session's close plus ``lag``, or ``published`` (UTC) where that is later. A day without a
    session counts from the end of that day: its rows will be refused at admission, but keep an honest time.
    """
    days = pl.DataFrame(
        {"session": calendar.sessions, "_close": calendar.closes}, schema={"session": pl.Date(), "_close": INSTANT}
    )
    known = pl.coalesce("_close", end_of_day(pl.col("session"), calendar.time_zone)) + lag
    if "published" in rows.columns:
        known = pl.max_horizontal(known, "published")
    columns = [pl.col(name).cast(kind) for name, kind in BARS.items() if name in rows.columns]
    missing = [pl.lit(None, kind).alias(name) for name, kind in BARS.items() if name not in {*rows.columns, "known_at"}]
    return (
        rows.drop("source", "known_at", strict=False)
        .join(days, on="session", how="left")
        .with_columns(known.alias("known_at"), *missing)
        .with_columns(pl.lit(source).alias("source"), *columns)
        .select(*BARS)
        .sort("symbol", "session", "known_at")
    )


def end_of_day(day: pl.Expr, time_zone: str) -> pl.Expr:
    """Return the instant (UTC) at which the local ``day`` (a date) is over."""
    midnight = (day.cast(pl.Date) + pl.duration(days=1)).cast(pl.Datetime("us"))
    return midnight.dt.replace_time_zone(time_zone).dt.convert_time_zone("UTC")


def to_actions(rows: pl.DataFrame, *, source: str, calendar: Calendar) -> pl.DataFrame:
    """Return ``rows`` (symbol, ex_date, kind, ratio, amount) in the ``ACTIONS`` schema, sorted.

    They count as known from the open of their ex-date: when they were announced is not in the data, and the
    forward adjustment needs them from that moment.
    """
    opens = pl.DataFrame(
        {"ex_date": calendar.sessions, "known_at": calendar.opens}, schema={"ex_date": pl.Date(), "known_at": INSTANT}
    )
    return (
        rows.join(opens, on="ex_date", how="left")
        .with_columns(
            pl.coalesce("known_at", end_of_day(pl.col("ex_date"), calendar.time_zone)),
            pl.lit(source).alias("source"),
        )
        .select(pl.col(name).cast(kind) for name, kind in ACTIONS.items())
        .sort("symbol", "ex_date", "kind")
    )


def actions_of(rows: pl.DataFrame, adjustment: Adjustment) -> tuple[pl.DataFrame, int]:
    """Return the dividends and splits in the columns of those names, and how many of them are no positive numbers.

    A split of 0 or 1, a dividend of 0 and null mean that there is none. What the prices are corrected for already
    is left out, so that nobody counts it twice. Columns: ``ACTION_ROWS``.
    """
    found = [ACTION_ROWS.to_frame()]
    bad = 0
    kinds = (
        ("dividend", "amount", [0.0], {Adjustment.RAW, Adjustment.SPLIT}),
        ("split", "ratio", [0.0, 1.0], {Adjustment.RAW}),
    )
    for kind, number, nothing, open_for in kinds:
        if kind not in rows.columns or adjustment not in open_for:
            continue
        given = rows.filter(pl.col(kind).is_not_null() & ~pl.col(kind).is_in(nothing))
        given = given.unique(["symbol", "session"], keep="last", maintain_order=True)
        good = given.filter(pl.col(kind).is_finite() & (pl.col(kind) > 0))
        bad += given.height - good.height
        named = good.select(
            "symbol", pl.col("session").alias("ex_date"), pl.lit(kind).alias("kind"), pl.col(kind).alias(number)
        )
        found.append(named)
    return pl.concat(found, how="diagonal"), bad
