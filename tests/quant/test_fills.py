"""Fill prices and quantities against hand calculations."""

from decimal import Decimal
from math import isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.config.schema import Costs
from aitrader.domain.orders import Entry, Side
from aitrader.quant.fills import PROXIES, Bar, fill_price, fillable, reference_price

BAR = Bar(open=10.0, high=13.0, low=9.0, close=12.0, vwap=11.5)


@pytest.mark.parametrize(
    ("entry", "price"),
    [(Entry.OPEN_AUCTION, 10.0), (Entry.AFTER_OPEN, 10.0), (Entry.CLOSE_AUCTION, 12.0), (Entry.VWAP, 11.5)],
)
def test_each_entry_meets_its_own_price(entry, price):
    assert reference_price(entry, BAR) == price


def test_without_a_vwap_the_typical_price_stands_in():
    assert reference_price(Entry.VWAP, Bar(10.0, 13.0, 9.0, 11.0, nan)) == pytest.approx(11.0)


@pytest.mark.parametrize("entry", list(Entry))
def test_a_missing_bar_has_no_price(entry):
    assert isnan(reference_price(entry, Bar(nan, nan, nan, nan, nan)))


def test_the_open_as_stand_in_for_five_minutes_later_is_declared():
    assert {Entry.AFTER_OPEN} == PROXIES


@pytest.mark.parametrize(
    ("side", "entry", "price"),
    [
        (Side.BUY, Entry.AFTER_OPEN, 100.0 * 1.00075),  # 5 bp half spread, 2.5 bp impact
        (Side.SELL, Entry.AFTER_OPEN, 100.0 * 0.99925),
        (Side.BUY, Entry.OPEN_AUCTION, 100.0 * 1.00025),  # an auction has no spread
        (Side.SELL, Entry.CLOSE_AUCTION, 100.0 * 0.99975),
        (Side.BUY, Entry.VWAP, 100.0 * 1.00075),
    ],
)
def test_costs_make_the_price_worse(side, entry, price):
    costs = Costs(spread_bps=10, impact_bps=10, max_volume_share=0.10)

    assert fill_price(100.0, side, entry, volume_share=0.05, costs=costs) == pytest.approx(price)


@pytest.mark.parametrize(
    ("quantity", "volume", "expected"),
    [
        ("100", 1000.0, "100"),
        ("101", 1000.0, "100"),
        ("500", 1234.9, "123"),
        ("0.5", 1000.0, "0.5"),
        ("200.5", 1000.0, "100"),
        ("10", 0.0, "0"),
        ("10", -5.0, "0"),
        ("10", nan, "0"),
    ],
)
def test_one_order_fills_at_most_a_tenth_of_the_usual_volume(quantity, volume, expected):
    assert fillable(Decimal(quantity), volume, 0.10) == Decimal(expected)


@given(st.decimals("0.000001", "1e6", places=6), st.floats(0, 1e9), st.floats(0, 1))
def test_a_fill_exceeds_neither_the_order_nor_the_cap(quantity, volume, share):
    filled = fillable(quantity, volume, share)

    assert 0 <= filled <= quantity
    assert float(filled) <= volume * share * (1 + 1e-12)


@given(st.sampled_from(list(Entry)), st.floats(0, 1))
def test_nobody_trades_better_than_the_reference(entry, share):
    bought = fill_price(50.0, Side.BUY, entry, volume_share=share, costs=Costs())
    sold = fill_price(50.0, Side.SELL, entry, volume_share=share, costs=Costs())

    assert sold <= 50.0 <= bought
