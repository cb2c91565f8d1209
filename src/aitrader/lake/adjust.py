"""Forward adjustment: prices as a holder of one share of the first day would see them grow.

The factor of a session is the product over a symbol's corporate actions with an ex-date up to that session,
so that no later action can change it (backward adjustment, the vendors' habit, rewrites the whole past).
"""

from collections.abc import Mapping
from typing import Final

import polars as pl

from aitrader.domain.frames import Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.domain.symbols import Symbol
from aitrader.errors import DataError
from aitrader.trace import spanned

_PRICES: Final = ("open", "high", "low", "close", "vwap")
_BAR: Final = ("symbol", "session")


@spanned("adjust")
def forward(bars: pl.DataFrame, actions: pl.DataFrame, series: Mapping[Symbol, SeriesInfo]) -> pl.DataFrame:
    """Return ``bars`` adjusted forward for what their series are not adjusted for yet.

    ``raw`` rows are corrected for splits and dividends, ``split`` rows for dividends, ``total`` rows for nothing.
    With the last close P before the ex-date, in the shares of the ex-date: a split of k new shares per old one
    multiplies prices by k and divides volume by k; a dividend D multiplies prices by P / (P - D), which is the
    vendors' multiplier 1 - D / P (Yahoo Finance Help, "What is the adjusted close?") turned forward. An action on
    or before the first bar changes nothing; one between two bars counts from the later one. The amounts of a
    ``split`` series must be in that series' own shares. Only actions of the bars' own source count: another
    feed of the vendor tells of the same ones.

    Result: ``symbol``, ``session``, adjusted ``open high low close volume vwap``, the same as they came
    (``traded_open`` ...), ``factor_price``, ``factor_volume``; sorted by symbol and session; null where null.

    Raises
    ------
    DataError
        A split ratio is no positive number, or a dividend is negative or not below the close before it.
    KeyError
        A symbol of ``bars`` is not in ``series``.
    """
    ordered = bars.sort(_BAR)
    own = actions.join(ordered.select("source").unique(), on="source", how="semi")
    steps = factor_steps(ordered, relevant(own, {symbol: series[symbol] for symbol in ordered["symbol"].unique()}))
    factors = (
        ordered.select(_BAR)
        .join(steps, on=_BAR, how="left", maintain_order="left")
        .select(
            pl.col("step_price", "step_volume").fill_null(1.0).cum_prod().over(pl.col("symbol")).name.map(_factor_name)
        )
    )
    traded = ordered.select(pl.col(*_PRICES, "volume").name.prefix("traded_"))
    wide = pl.concat([ordered.select(*_BAR, *_PRICES, "volume"), traded, factors], how="horizontal")
    adjusted = wide.with_columns(pl.col(_PRICES) * pl.col("factor_price"), pl.col("volume") * pl.col("factor_volume"))
    names = ("open", "high", "low", "close", "volume", "vwap")
    return adjusted.select(*_BAR, *names, *(f"traded_{name}" for name in names), "factor_price", "factor_volume")


def _factor_name(step: str) -> str:
    return step.replace("step", "factor")


def relevant(actions: pl.DataFrame, series: Mapping[Symbol, SeriesInfo]) -> pl.DataFrame:
    """Return the actions that the prices of these series are not corrected for yet; others' are left out."""
    kinds = {Adjustment.RAW: ("split", "dividend"), Adjustment.SPLIT: ("dividend",), Adjustment.TOTAL: ()}
    rows = [(symbol, kind) for symbol, info in series.items() for kind in kinds[info.adjustment]]
    wanted = pl.DataFrame(rows, schema={"symbol": pl.String(), "kind": pl.String()}, orient="row")
    return actions.join(wanted, on=["symbol", "kind"], how="semi")


def factor_steps(bars: pl.DataFrame, actions: pl.DataFrame) -> pl.DataFrame:
    """Return the factors that set in at single bars: ``symbol``, ``session``, ``step_price``, ``step_volume``.

    ``bars`` (``symbol``, ``session``, ``close``; sorted) may lack those that are neither the first on or after one of
    the ``relevant`` ``actions`` nor the one before that. Errors as ``forward``.
    """
    before = bars.select(*_BAR, pl.col("close").shift(1).over("symbol").alias("before"))
    dated = actions.sort("ex_date", "kind", descending=[False, True]).join_asof(
        before.sort("session"),
        left_on="ex_date",
        right_on="session",
        by="symbol",
        strategy="forward",
        coalesce=False,
        check_sortedness=False,
    )
    dated = dated.filter(pl.col("before").is_not_null())
    _refuse(dated.filter((pl.col("kind") == "split") & ~(_finite("ratio") & (pl.col("ratio") > 0))), "split ratio")
    _refuse(dated.filter((pl.col("kind") == "dividend") & ~(_finite("amount") & (pl.col("amount") >= 0))), "dividend")
    ratio = pl.when(pl.col("kind") == "split").then("ratio").otherwise(1.0)
    later = ratio.cum_prod(reverse=True).over(_BAR)
    amount = pl.when(pl.col("kind") == "dividend").then("amount").otherwise(0.0) / later
    steps = (
        dated.with_columns(ratio.alias("ratio"), amount.alias("cash"))
        .group_by(_BAR)
        .agg(pl.col("ratio").product(), pl.col("cash").sum(), pl.col("before").first(), pl.col("ex_date").first())
    )
    steps = steps.with_columns(pl.col("before") / pl.col("ratio"))
    _refuse(steps.filter(pl.col("cash") >= pl.col("before")), "dividend")
    growth = pl.col("before") / (pl.col("before") - pl.col("cash"))
    return steps.select(
        *_BAR, (pl.col("ratio") * growth).alias("step_price"), (1 / pl.col("ratio")).alias("step_volume")
    )


def _finite(name: str) -> pl.Expr:
    return pl.col(name).is_finite().fill_null(value=False)


def _refuse(wrong: pl.DataFrame, what: str) -> None:
    if wrong.height:
        symbol, day = wrong.sort(_BAR).select("symbol", "ex_date").row(0)
        raise DataError(
            f"The {what} of {symbol} on {day} cannot be right ({wrong.height} such actions).",
            fix="Fetch the corporate actions again, or leave the symbol out of `universe.symbols`.",
        )
