"""Which bars are not there: sessions that nobody has, and single days inside a symbol's life."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from aitrader.domain.calendars import Calendar
from aitrader.lake.schemas import NOT_OVER


@dataclass(frozen=True, slots=True)
class Missing:
    """What the calendar expects and the bars lack.

    ``expected`` sessions lie between the first and the last bar of all. ``sessions`` are those of which no symbol
    has a row. ``symbol_days`` (``symbol``, ``session``, sorted) are the other sessions without a row between a
    symbol's own first and last row; before and after, nothing is expected.
    """

    expected: int
    sessions: tuple[date, ...]
    symbol_days: pl.DataFrame


def missing(bars: pl.DataFrame, calendar: Calendar, *, quarantined: pl.DataFrame | None = None) -> Missing:
    """Compare ``bars`` with the sessions of ``calendar``.

    A ``quarantined`` row is wrong, not missing: its symbol and session count as present, unless it only came too early.
    """
    rows = bars.select("symbol", "session")
    if quarantined is not None:
        wrong = quarantined.filter(pl.col("reason") != NOT_OVER)
        rows = pl.concat([rows, wrong.select("symbol", "session").drop_nulls()]).unique()
    if rows.is_empty():
        return Missing(0, (), rows)
    first, last = rows["session"].min(), rows["session"].max()
    assert isinstance(first, date)
    assert isinstance(last, date)
    expected = pl.DataFrame({"session": calendar.between(first, last)}, schema={"session": pl.Date()})
    seen = expected.join(rows, on="session", how="semi")
    lost = expected.join(rows, on="session", how="anti")["session"].to_list()
    lives = rows.group_by("symbol").agg(pl.col("session").min().alias("born"), pl.col("session").max().alias("died"))
    days = lives.join(seen, how="cross").filter(pl.col("session").is_between("born", "died"))
    absent = days.select("symbol", "session").join(rows, on=["symbol", "session"], how="anti")
    return Missing(expected.height, tuple(lost), absent.sort("symbol", "session"))
