"""Adjusted prices have epochs: each split or dividend rewrites a series' past, and two epochs never join."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import polars as pl

from aitrader.domain.frames import Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.errors import LakeError
from aitrader.lake.catalog import SeriesRow, State, series_row

_ROUNDING: Final = 1e-6
"""Relative difference of two closes that is no re-adjustment."""


def changed_series(state: State, series: Mapping[Any, SeriesInfo], *, rows: bool) -> list[SeriesRow]:
    """Return those of ``series`` that say something new; without new ``rows``, a later ``as_of`` alone is nothing new.

    Raises
    ------
    LakeError
        A series that was declared raw (adjusted) now comes adjusted (raw). An assumed one may be declared.
    """
    stored = {(row.source, row.symbol): row for row in state.series}
    changed = []
    for symbol, info in sorted(series.items()):
        row, before = series_row(str(symbol), info), stored.get((info.source, str(symbol)))
        if before is None:
            changed.append(row)
            continue
        if before.adjustment != row.adjustment and not before.assumed:
            raise LakeError(
                f"{symbol} of {info.source} is stored with {before.adjustment} prices, now come {row.adjustment} ones.",
                fix="A series never mixes them: use another lake (--root), or state the adjustment it was stored with.",
            )
        if replace(before, version=0, as_of=before.as_of if rows else row.as_of) != row:
            changed.append(row)
    return changed


def refuse_unknown(state: State, bars: pl.DataFrame, series: Mapping[Any, SeriesInfo], source: str) -> None:
    """Raise ``ValueError`` for bars of a symbol of which nobody said how its prices are adjusted."""
    known = {row.symbol for row in state.series if row.source == source}
    known |= {str(symbol) for symbol, info in series.items() if info.source == source}
    unknown = sorted(set(bars["symbol"].unique()) - known)
    if unknown:
        raise ValueError(f"bars of {source} come without a series for {', '.join(unknown[:5])}")


def adjusted_symbols(state: State, series: Mapping[Any, SeriesInfo], source: str) -> set[str]:
    """Return the symbols of ``source`` whose prices are adjusted, by what is stored and what comes now."""
    raw = Adjustment.RAW.value
    stored = {row.symbol: row.adjustment for row in state.series if row.source == source}
    coming = {str(symbol): info.adjustment.value for symbol, info in series.items() if info.source == source}
    return {symbol for symbol, adjustment in {**stored, **coming}.items() if adjustment != raw}


def refuse_splice(incoming: pl.DataFrame, stored: pl.DataFrame) -> None:
    """Refuse re-adjusted bars that replace only a part of what is stored of their symbol.

    Both frames hold adjusted series only. A close that differs at the first (last) common session means that the
    history before (after) it was rewritten too; if stored bars reach further there, they belong to another epoch.

    Raises
    ------
    LakeError
        Two epochs would be joined; it names the symbols and what to fetch.
    """
    spans = [
        frame.group_by("symbol").agg(pl.col("session").min().alias("first"), pl.col("session").max().alias("last"))
        for frame in (incoming, stored)
    ]
    common = incoming.join(stored, on=["symbol", "session"], suffix="_old").sort("symbol", "session")
    moved = (pl.col("close") / pl.col("close_old") - 1).abs() > _ROUNDING
    edges = common.group_by("symbol").agg(moved.first().alias("at_first"), moved.last().alias("at_last"))
    both = spans[0].join(spans[1], on="symbol", suffix="_old").join(edges, on="symbol").sort("symbol")
    before = pl.col("at_first") & (pl.col("first_old") < pl.col("first"))
    after = pl.col("at_last") & (pl.col("last_old") > pl.col("last"))
    spliced = both.filter(before | after)
    if spliced.height:
        names, start = ", ".join(spliced["symbol"].head(5)), spliced["first_old"].sort()[0]
        raise LakeError(
            f"{spliced.height} adjusted series come with other prices than stored, and not whole: {names}.",
            fix=f"The vendor adjusted them again. Fetch all of it: `aitrader backfill --symbols ... --start {start}`.",
        )
