"""Forward adjustment against hand calculations and two vendors."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest

from aitrader.domain.frames import Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.errors import DataError
from aitrader.lake.adjust import forward

RAW = {"ON": SeriesInfo("files", Adjustment.RAW)}
D27, D28, D31, D02, D03, D04 = (
    date(2012, 12, 27),
    date(2012, 12, 28),
    date(2012, 12, 31),
    date(2013, 1, 2),
    date(2013, 1, 3),
    date(2013, 1, 4),
)


def series(*symbols, adjustment=Adjustment.RAW, source="files"):
    return {symbol: SeriesInfo(source, adjustment) for symbol in symbols}


def test_without_actions_nothing_changes(make_bars, make_actions):
    adjusted = forward(make_bars(), make_actions(), series("ON", "BRK.B"))

    assert adjusted["close"].equals(adjusted["traded_close"].rename("close"))
    assert adjusted["factor_price"].unique().to_list() == [1.0]
    assert adjusted.columns == [
        *("symbol", "session", "open", "high", "low", "close", "volume", "vwap"),
        *(f"traded_{name}" for name in ("open", "high", "low", "close", "volume", "vwap")),
        *("factor_price", "factor_volume"),
    ]


def test_a_split_multiplies_prices_and_divides_volume_from_its_ex_date_on(make_bars, make_actions):
    adjusted = forward(make_bars(("ON",), vwap=10.5), make_actions(("ON", D02, "split", 2.0)), RAW)

    # traded closes 11 12 13 14 15 16; one share of the first day is two from the fourth on
    assert adjusted["close"].to_list() == [11.0, 12.0, 13.0, 28.0, 30.0, 32.0]
    assert adjusted["vwap"].to_list() == [10.5, 10.5, 10.5, 21.0, 21.0, 21.0]
    assert adjusted["volume"].to_list() == [1000.0, 1000.0, 1000.0, 500.0, 500.0, 500.0]
    assert adjusted["traded_close"].to_list() == [11.0, 12.0, 13.0, 14.0, 15.0, 16.0]


def test_a_dividend_is_reinvested_at_the_close_before_less_the_dividend(make_bars, make_actions):
    adjusted = forward(make_bars(("ON",)), make_actions(("ON", D02, "dividend", 0.5)), RAW)

    assert adjusted["factor_price"].to_list() == pytest.approx([1, 1, 1, 13 / 12.5, 13 / 12.5, 13 / 12.5], rel=1e-15)
    assert adjusted["factor_volume"].unique().to_list() == [1.0]


def test_a_dividend_on_the_day_of_a_split_is_in_new_shares(make_bars, make_actions):
    actions = make_actions(("ON", D02, "split", 2.0), ("ON", D02, "dividend", 0.5))

    adjusted = forward(make_bars(("ON",)), actions, RAW)

    # the close before is 13 old = 6.5 new; 2 x 6.5 / (6.5 - 0.5)
    assert adjusted["factor_price"][3] == pytest.approx(2 * 6.5 / 6.0, rel=1e-15)


def test_several_actions_between_two_bars_count_together_from_the_later_bar(make_bars, make_actions):
    bars = make_bars(("ON",)).filter(~pl.col("session").is_in([D31, D02]))
    actions = make_actions(("ON", D31, "dividend", 1.0), ("ON", D02, "split", 4.0), ("ON", D03, "dividend", 0.1))

    adjusted = forward(bars, actions, RAW)

    # the close before is 12 old = 3 new; 1.00 an old share is 0.25 a new one, with the 0.10 of the later day 0.35
    assert adjusted["factor_price"].to_list() == pytest.approx([1, 1, 4 * 3 / 2.65, 4 * 3 / 2.65], rel=1e-15)
    assert adjusted["factor_volume"].to_list() == [1.0, 1.0, 0.25, 0.25]


def test_actions_outside_a_symbols_life_change_nothing(make_bars, make_actions):
    actions = make_actions(
        ("ON", D27, "dividend", 0.5), ("ON", date(2012, 1, 3), "split", 2.0), ("ON", date(2013, 2, 1), "split", 2.0)
    )

    assert forward(make_bars(("ON",)), actions, RAW)["factor_price"].unique().to_list() == [1.0]


def test_a_series_is_never_adjusted_twice_for_the_same_thing(make_bars, make_actions):
    actions = make_actions(("ON", D28, "split", 2.0), ("ON", D02, "dividend", 0.5))
    bars = make_bars(("ON",))

    split = forward(bars, actions, series("ON", adjustment=Adjustment.SPLIT))
    whole = forward(bars, actions, series("ON", adjustment=Adjustment.TOTAL))

    assert split["factor_price"][-1] == pytest.approx(13 / 12.5, rel=1e-15)
    assert split["factor_volume"].unique().to_list() == [1.0]
    assert whole["factor_price"].unique().to_list() == [1.0]


def test_actions_that_another_vendor_or_feed_tells_of_too_do_not_count(make_bars, make_actions):
    told = ("yahoo", "alpaca:iex", "alpaca:sip")
    actions = pl.concat([make_actions(("ON", D28, "split", 2.0), source=name) for name in told])

    adjusted = forward(make_bars(("ON",), source="alpaca:sip"), actions, series("ON", source="alpaca:sip"))

    assert adjusted["factor_price"][-1] == 2.0


@pytest.mark.parametrize("cut", [D28, D31, D02, D03])
def test_no_value_changes_when_later_actions_and_bars_are_removed(make_bars, make_actions, cut):
    bars = make_bars(("ON", "BRK.B"))
    actions = make_actions(
        ("ON", D28, "split", 3.0),
        ("ON", D02, "dividend", 0.7),
        ("ON", D03, "split", 0.05),
        ("BRK.B", D04, "dividend", 1),
    )
    both = series("ON", "BRK.B")

    whole = forward(bars, actions, both).filter(pl.col("session") <= cut)
    early = forward(bars.filter(pl.col("session") <= cut), actions.filter(pl.col("ex_date") <= cut), both)

    assert early.equals(whole)
    assert forward(bars, actions.filter(pl.col("ex_date") <= cut), both).filter(pl.col("session") <= cut).equals(whole)


@pytest.mark.parametrize(
    ("kind", "number"),
    [("split", 0.0), ("split", -2.0), ("split", float("nan")), ("dividend", 13.0), ("dividend", -0.1)],
)
def test_an_action_that_cannot_be_right_is_an_error_that_names_it(make_bars, make_actions, kind, number):
    with pytest.raises(DataError, match=f"{kind}.*ON on 2013-01-02"):
        forward(make_bars(("ON",)), make_actions(("ON", D02, kind, number)), RAW)


def bars_of(table):
    return table.select(
        "symbol",
        pl.col("date").alias("session"),
        *(pl.col(name).cast(pl.Float64) for name in ("open", "high", "low", "close", "volume")),
        *(pl.lit(None, pl.Float64()).alias(name) for name in ("vwap", "adj_close")),
        pl.lit("files").alias("source"),
        pl.lit(datetime(2022, 1, 1, tzinfo=UTC)).alias("known_at"),
    )


def returns(frame, column):
    return frame.select(
        "symbol",
        "session",
        pl.col(column) / pl.col(column).shift(1).over("symbol"),
        pl.col("session").diff().over("symbol").alias("days"),
    )


def test_returns_agree_with_a_vendors_adjusted_close(shared_data, make_actions):
    table = pl.read_parquet(shared_data / "equity_daily/wiki_daily_div_split_2000_2012.parquet").sort("symbol", "date")
    paid = [
        (s, d, "dividend", x) for s, d, x in table.filter(pl.col("dividend") != 0)["symbol", "date", "dividend"].rows()
    ]
    split = [(s, d, "split", x) for s, d, x in table.filter(pl.col("split") != 1)["symbol", "date", "split"].rows()]

    ours = forward(bars_of(table), make_actions(*paid, *split), series(*table["symbol"].unique()))

    theirs = table.rename({"date": "session"})
    both = returns(ours, "close").join(returns(theirs, "adj_close"), on=["symbol", "session"]).drop_nulls()
    both = both.filter(pl.col("days") < timedelta(days=10))  # the file leaves ORCL out between 2000 and 2011
    off = (pl.col("close") / pl.col("adj_close") - 1).abs()
    ex_dates = pl.DataFrame([row[:2] for row in paid], schema=["symbol", "session"], orient="row")
    plain = both.join(ex_dates, on=["symbol", "session"], how="anti")
    assert plain.height > 4000
    assert plain.select(off.max()).item() < 1e-9
    assert (
        plain.join(
            pl.DataFrame([r[:2] for r in split], schema=["symbol", "session"], orient="row"), on=["symbol", "session"]
        ).height
        == 3
    )

    # On ex-dates this vendor reinvests at the ex-date's close, (C + D) / P; we at P - D, before the open: C / (P - D).
    raw = theirs.with_columns(pl.col("close").shift(1).over("symbol").alias("before"))
    dated = both.join(raw, on=["symbol", "session"], suffix="_traded").join(ex_dates, on=["symbol", "session"])
    assert dated.height == 9
    c, d, p = pl.col("close_traded"), pl.col("dividend"), pl.col("before")
    assert dated.select((pl.col("close") / (c / (p - d)) - 1).abs().max()).item() < 1e-12
    assert dated.select((pl.col("adj_close") / ((c + d) / p) - 1).abs().max()).item() < 1e-9


@pytest.mark.parametrize("symbol", ["AIG", "SPY", "EEM"])
def test_factors_agree_with_leans_factor_files(shared_data, make_actions, symbol):
    bars = pl.read_parquet(shared_data / "equity_daily/lean_daily_raw_1998_2021.parquet").filter(symbol=symbol)
    factors = pl.read_parquet(shared_data / "corporate_actions/lean_factor_files.parquet").filter(symbol=symbol)
    if bars.is_empty():
        pytest.skip(f"{symbol} is not in this half of the data")
    rows = factors.sort("last_date", nulls_last=True).rows(named=True)
    actions = []
    for before, after in pairwise(rows):
        ex_date = before["last_date"] + timedelta(days=1)
        ratio = after["split_factor"] / before["split_factor"]
        keep = before["price_factor"] / after["price_factor"]  # 1 - D / P
        previous = bars.filter(pl.col("date") <= before["last_date"]).sort("date")["close"]
        if ratio != 1:
            actions.append((symbol, ex_date, "split", ratio))
        if keep != 1 and len(previous):
            actions.append((symbol, ex_date, "dividend", previous[-1] / ratio * (1 - keep)))

    ours = forward(bars_of(bars), make_actions(*actions), series(symbol))

    total = pl.from_dicts(rows).select("last_date", (pl.col("price_factor") * pl.col("split_factor")).alias("factor"))
    lean = ours.join_asof(
        total.with_columns(pl.col("last_date").fill_null(date(2100, 1, 1))).sort("last_date"),
        left_on="session",
        right_on="last_date",
        strategy="forward",
    )
    ratio = lean.select(pl.col("factor_price") / pl.col("factor") / (pl.col("factor_price") / pl.col("factor")).first())
    assert ratio.to_series().max() == pytest.approx(1, rel=1e-9)
    assert ratio.to_series().min() == pytest.approx(1, rel=1e-9)
    assert lean["factor_price"][-1] != lean["factor_price"][0]
