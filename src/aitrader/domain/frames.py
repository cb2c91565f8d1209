"""The columns of every table that two packages exchange, as Polars schemas.

Sessions are exchange-local dates (crypto: UTC days), instants are UTC with microseconds, prices
USD per share as traded unless the series says otherwise, volumes shares as float64. Text is never null.
"""

from enum import StrEnum
from typing import Final

import polars as pl

INSTANT: Final = pl.Datetime("us", "UTC")

BARS: Final = pl.Schema(
    {
        "symbol": pl.String(),
        "session": pl.Date(),
        "open": pl.Float64(),
        "high": pl.Float64(),
        "low": pl.Float64(),
        "close": pl.Float64(),
        "volume": pl.Float64(),
        "vwap": pl.Float64(),
        "adj_close": pl.Float64(),
        "source": pl.String(),
        "known_at": INSTANT,
    }
)
"""One row per symbol and session. ``vwap`` is null where the vendor gives none; ``adj_close`` is the
vendor's own adjusted close where there is one, kept for comparison and used in no calculation; ``known_at`` is the
session's close plus the source's lag, or the day a vendor published the row."""

ACTIONS: Final = pl.Schema(
    {
        "symbol": pl.String(),
        "ex_date": pl.Date(),
        "kind": pl.String(),
        "ratio": pl.Float64(),
        "amount": pl.Float64(),
        "source": pl.String(),
        "known_at": INSTANT,
    }
)
"""One row per symbol, ex-date and kind. ``kind`` is ``split`` (``ratio``: new shares per old one) or ``dividend``
(``amount``: USD per share held at the close before the ex-date, in shares as of the ex-date; of a series
adjusted for splits, in that series' own shares); the other number is null. ``known_at`` is the open of the ex-
date where the vendor says nothing better."""

PREDICTIONS: Final = pl.Schema(
    {
        "symbol": pl.String(),
        "session": pl.Date(),
        "model": pl.String(),
        "version": pl.String(),
        "fold": pl.Int32(),
        "kind": pl.String(),
        "prediction": pl.Float64(),
    }
)
"""One row per symbol, session, model version and kind: ``oof`` (out-of-fold) or ``shuffled``
(the same fold fitted on labels permuted within each session: what luck alone predicts)."""


class Adjustment(StrEnum):
    """What a series' prices are already corrected for."""

    RAW = "raw"
    SPLIT = "split"
    TOTAL = "total"
