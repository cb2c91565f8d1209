"""What a bar must be like to be admitted, and what is worth a warning about those that were."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import reduce
from operator import and_
from typing import Final

import polars as pl

from aitrader.domain.calendars import Calendar
from aitrader.domain.frames import BARS, INSTANT
from aitrader.domain.symbols import parse_symbol
from aitrader.domain.wording import counted
from aitrader.errors import InvalidSymbolError
from aitrader.lake.gaps import Missing, missing
from aitrader.lake.schemas import NOT_OVER, QUARANTINED

_PRICES: Final = ("open", "high", "low", "close")
_OPTIONAL: Final = ("vwap", "adj_close")
_KEY: Final = ("symbol", "session", "source", "known_at")


@dataclass(frozen=True, slots=True)
class Admission:
    """A batch of bars after the checks.

    ``accepted`` is in ``BARS``; ``quarantined`` holds every other row as it came, with its ``reason`` (several are
    joined by ``; ``). ``counts`` are rows by reason, ``duplicates`` the repeated rows that were dropped, ``notes``
    sentences for a person.
    """

    accepted: pl.DataFrame
    quarantined: pl.DataFrame
    counts: Mapping[str, int]
    duplicates: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QualityReport:
    """What is odd about stored bars; nothing here quarantines.

    ``gaps`` (``symbol``, ``session``, ``open``, ``last_close``, ``last_session``, ``gap``) are the opens further
    than ``max_gap`` (fraction) from the last close before them, without a guess at the cause: a split without its
    action, a takeover, news. ``reasons`` counts quarantined rows.
    """

    rows: int
    symbols: int
    first: date | None
    last: date | None
    missing: Missing
    gaps: pl.DataFrame
    reasons: Mapping[str, int]


def admit(bars: pl.DataFrame, calendar: Calendar, now: datetime) -> Admission:
    """Split a batch in the ``BARS`` schema into rows to store and rows to quarantine.

    Rejected are: symbols that are none, dates that are no session of ``calendar``, prices or volumes that are
    missing, not finite or out of range, open or close outside [low, high] (strict, without tolerance), rows that
    nobody could know at ``now`` or that claim to be known before their session closed, and rows of one symbol,
    session and ``known_at`` that contradict each other. Rows that repeat another's values are dropped; the earliest
    ``known_at`` stays. A ``vwap`` or ``adj_close`` that is no positive number becomes null.
    """
    typed = bars.select(pl.col(name).cast(dtype) for name, dtype in BARS.items())
    positive = [pl.when(_finite(name) & (pl.col(name) > 0)).then(name).alias(name) for name in _OPTIONAL]
    rows = typed.with_columns(positive)
    rows = rows.with_columns(_reason(_symbols(rows) | _times(calendar, now) | _numbers()))
    rejected = [rows.filter(pl.col("reason") != "")]
    good = rows.filter(pl.col("reason") == "").sort(*_KEY, maintain_order=True)
    distinct = good.unique([name for name in BARS if name != "known_at"], keep="first", maintain_order=True)
    clash = pl.struct(_KEY).is_duplicated()
    rejected.append(distinct.filter(clash).with_columns(pl.lit("contradicts another row of its day").alias("reason")))
    accepted = distinct.filter(~clash).select(BARS.names())
    quarantined = pl.concat(rejected).select(QUARANTINED.names())
    dropped = good.height - distinct.height
    invalid = {name: rows[name].null_count() - typed[name].null_count() for name in _OPTIONAL}
    return Admission(accepted, quarantined, reasons(quarantined), dropped, _notes(quarantined, dropped, invalid))


def inspect(
    bars: pl.DataFrame, calendar: Calendar, max_gap: float, *, quarantined: pl.DataFrame | None = None
) -> QualityReport:
    """Return what is missing from stored ``bars`` and which opens lie far from the close before.

    ``max_gap`` is a fraction of that close (0.20 is 20 %), whatever the number of sessions in between.
    """
    ordered = bars.sort("symbol", "session").with_columns(
        pl.col("close").shift(1).over("symbol").alias("last_close"),
        pl.col("session").shift(1).over("symbol").alias("last_session"),
    )
    gap = (pl.col("open") / pl.col("last_close") - 1).alias("gap")
    gaps = ordered.select("symbol", "session", "open", "last_close", "last_session", gap)
    first, last = bars["session"].min(), bars["session"].max()
    return QualityReport(
        bars.height,
        bars["symbol"].n_unique(),
        first if isinstance(first, date) else None,
        last if isinstance(last, date) else None,
        missing(bars, calendar, quarantined=quarantined),
        gaps.filter(pl.col("gap").abs() > max_gap),
        reasons(quarantined) if quarantined is not None else {},
    )


def reasons(quarantined: pl.DataFrame) -> dict[str, int]:
    """Return how many rows each reason hit, most frequent first; a row with two reasons counts twice."""
    counted = (
        quarantined["reason"].str.split("; ").explode().value_counts().sort("count", "reason", descending=[True, False])
    )
    return dict(counted.iter_rows())


def _symbols(rows: pl.DataFrame) -> dict[str, pl.Expr]:
    bad = [symbol for symbol in rows["symbol"].unique().drop_nulls() if not _is_symbol(symbol)]
    return {
        "symbol is missing": pl.col("symbol").is_null(),
        "not a symbol": pl.col("symbol").is_in(bad),
    }


def _times(calendar: Calendar, now: datetime) -> dict[str, pl.Expr]:
    session, known = pl.col("session"), pl.col("known_at")
    closes = pl.Series(calendar.closes, dtype=INSTANT)
    close = session.replace_strict(pl.Series(calendar.sessions), closes, default=None, return_dtype=INSTANT)
    return {
        "session is missing": session.is_null(),
        f"not a session of {calendar.name}": session.is_not_null() & close.is_null(),
        "known_at is missing": known.is_null(),
        NOT_OVER: (known > now) | (close > now),
        "known before its session closed": known < close,
    }


def _numbers() -> dict[str, pl.Expr]:
    low, high = pl.col("low"), pl.col("high")
    fit = reduce(and_, (_finite(name) for name in _PRICES))
    return {
        "price is missing or not finite": ~fit,
        "price is not positive": fit & (pl.min_horizontal(_PRICES) <= 0),
        "high is below low": fit & (high < low),
        "open is outside [low, high]": fit & ((pl.col("open") < low) | (pl.col("open") > high)),
        "close is outside [low, high]": fit & ((pl.col("close") < low) | (pl.col("close") > high)),
        "volume is missing or not finite": ~_finite("volume"),
        "volume is negative": _finite("volume") & (pl.col("volume") < 0),
    }


def _finite(name: str) -> pl.Expr:
    return pl.col(name).is_finite().fill_null(value=False)  # a NaN is above every number for Polars


def _reason(tests: Mapping[str, pl.Expr]) -> pl.Expr:
    texts = [pl.when(test.fill_null(value=False)).then(pl.lit(reason)) for reason, test in tests.items()]
    return pl.concat_str(texts, separator="; ", ignore_nulls=True).alias("reason")


def _notes(quarantined: pl.DataFrame, duplicates: int, invalid: Mapping[str, int]) -> tuple[str, ...]:
    notes = [f"{counted(count, 'row')} quarantined: {reason}" for reason, count in reasons(quarantined).items()]
    if duplicates:
        notes.append(f"{counted(duplicates, 'repeated row')} dropped")
    notes += [
        f"{counted(count, 'value')} of {name} taken for missing: no positive number"
        for name, count in invalid.items()
        if count
    ]
    return tuple(notes)


def _is_symbol(text: str) -> bool:
    try:
        parse_symbol(text)
    except InvalidSymbolError:
        return False
    return True
