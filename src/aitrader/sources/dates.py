"""Dates as people write them in files: the form is found in the data, or refused where the data leave two."""

import re
from collections.abc import Sequence
from datetime import time
from typing import Final

import polars as pl

from aitrader.errors import UsageError

_FORMS: Final = (
    "%Y-%m-%d",
    "%Y%m%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%Y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
)
_NAMES: Final = {"%Y": "YYYY", "%m": "MM", "%d": "DD", "%b": "Mon"}
_CLOCK: Final = r"[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s*(Z|[+-]\d{2}:?\d{2})?$"
MIDNIGHT: Final = time()
_INTRADAY: Final = 3
"""A daily file may carry the midnight of two offsets (summer and winter time); more times of day are intraday bars."""


def session_dates(column: pl.Series, where: str, *, form: str | None, time_zone: str) -> pl.Series:
    """Return ``column`` (dates, timestamps, text or YYYYMMDD numbers) as dates of the venue; null stays null.

    A timestamp at midnight in its own zone, or without a zone, means its date; another one is brought to ``time_zone``
    first. Text is read by ``form`` (strptime) where given, else by the only form that fits every value; with a given
    form what does not fit is null.

    Raises
    ------
    UsageError
        Two forms fit and give other dates (03/04/2020), none fits, or the times are those of intraday bars.
    """
    if column.dtype == pl.Date:
        return column
    if isinstance(column.dtype, pl.Datetime):
        return _from_instants(column, where, time_zone)
    if column.dtype.is_numeric():
        column = column.cast(pl.Int64).cast(pl.String)
    text = column.cast(pl.String).str.strip_chars()
    text = pl.select(pl.when(text == "").then(None).otherwise(text).alias(column.name)).to_series()
    timed = text.str.contains(_CLOCK)
    if timed.any():
        return _from_instants(_instants(text, where), where, time_zone)
    return _read(text, form or _sniffed(text.drop_nulls().unique(maintain_order=True), where))


def instants(column: pl.Series, where: str, *, form: str | None, time_zone: str) -> pl.Series:
    """Return ``column`` as UTC instants; a date without a time counts from the end of that day in ``time_zone``.

    Times without an offset are UTC. Raises ``UsageError`` like ``session_dates``.
    """
    timed = column
    if column.dtype == pl.String and column.str.contains(_CLOCK).any():
        timed = _instants(column.str.strip_chars(), where)
    if isinstance(timed.dtype, pl.Datetime) and _has_times(timed):
        aware = timed if timed.dtype.time_zone else timed.dt.replace_time_zone("UTC")
        return aware.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    days = session_dates(timed, where, form=form, time_zone=time_zone)
    ends = days.dt.offset_by("1d").cast(pl.Datetime("us"))
    return ends.dt.replace_time_zone(time_zone).dt.convert_time_zone("UTC")


def _read(text: pl.Series, form: str) -> pl.Series:
    return text.str.to_date(form, strict=False, exact=True)


def _sniffed(values: pl.Series, where: str) -> str:
    fits = [form for form in _FORMS if (read := _read(values, form)).null_count() == 0 and _plausible(read)]
    if not fits:
        raise _unreadable(values, where)
    first = _read(values, fits[0])
    rivals = [form for form in fits[1:] if not _read(values, form).equals(first)]
    if rivals:
        forms = " or ".join(_spelled(form) for form in (fits[0], *rivals))
        raise UsageError(
            f"{where}: {values[0]!r} can be {forms}, and no other date in the file decides.",
            fix=f"Say which: --date-format '{fits[0]}' or --date-format '{rivals[0]}'.",
        )
    return fits[0]


def _plausible(dates: pl.Series) -> bool:
    return dates.is_empty() or bool((dates.dt.year() >= 1900).all() and (dates.dt.year() <= 2100).all())


def _unreadable(values: pl.Series, where: str) -> UsageError:
    best = max(_FORMS, key=lambda form: len(values) - _read(values, form).null_count())
    rest = values.filter(_read(values, best).is_null())
    bad: Sequence[str] = (rest if 0 < len(rest) < len(values) else values).head(3).to_list()
    return UsageError(
        f"{where}: no single date format fits all values; {', '.join(map(repr, bad))} among {len(values)}.",
        fix=f"Name it with --date-format, for example --date-format '{best}'; other rows go to the quarantine.",
    )


def _spelled(form: str) -> str:
    return re.sub("%[Ymdb]", lambda part: _NAMES[part[0]], form)


def _instants(text: pl.Series, where: str) -> pl.Series:
    """Return text with times of day: with offsets as aware instants, else naive ones; midnights keep their date."""
    parts = pl.DataFrame({"text": text}).select(
        pl.col("text").str.replace(_CLOCK, "").alias("day"),
        pl.col("text").str.extract(_CLOCK, 1).fill_null("00:00").alias("time"),
        pl.col("text").str.extract(_CLOCK, 2).alias("offset"),
    )
    days = _read(parts["day"], _sniffed(parts["day"].drop_nulls().unique(maintain_order=True), where))
    minutes = days.dt.to_string("%Y-%m-%dT") + parts["time"].str.slice(0, 5)
    naive = minutes.str.to_datetime("%Y-%m-%dT%H:%M", strict=False, time_unit="us").alias(text.name)
    if not _has_times(naive) or parts["offset"].null_count() == len(text):
        return naive
    offset = parts["offset"].replace("Z", "+00:00").fill_null("+00:00").str.replace(r"^(...)(\d\d)$", "$1:$2")
    return (minutes + offset).str.to_datetime("%Y-%m-%dT%H:%M%:z", time_zone="UTC", time_unit="us", strict=False)


def _has_times(column: pl.Series) -> bool:
    return bool((column.dt.time().drop_nulls() != MIDNIGHT).any())


def _from_instants(column: pl.Series, where: str, time_zone: str) -> pl.Series:
    zone = getattr(column.dtype, "time_zone", None)
    if zone and _has_times(column):
        column = column.dt.convert_time_zone(time_zone)
    times = column.dt.time().drop_nulls().n_unique()
    if times >= _INTRADAY:
        raise UsageError(
            f"{where}: the dates carry {times} times of day; these are intraday bars.",
            fix="Only daily bars can be loaded: one row per symbol and session.",
        )
    return column.dt.date()
