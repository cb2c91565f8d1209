"""What the book becomes as orders pass."""

from decimal import Decimal

from aitrader.domain.orders import Side
from aitrader.risk.exposure import Exposure, exact


def test_exposure_begins_with_the_book(make_context):
    exposure = Exposure(make_context(50_000, {"A": 300, "B": -100}))

    assert (exposure.cash, exposure.gross, exposure.net) == (50_000, 40_000, 20_000)


def test_a_passed_order_counts_as_filled_at_its_planned_price(make_context, make_order):
    exposure = Exposure(make_context(50_000, {"A": 300}))

    exposure.add(make_order("A", Side.SELL, "100", "110"))
    exposure.add(make_order("B", Side.BUY, "50", "100"))

    assert exposure.cash == 50_000 + 11_000 - 5_000
    assert exposure.gross == exposure.net == 30_000 - 11_000 + 5_000
    assert (exposure.held("A"), exposure.held("B"), exposure.held("C")) == (200, 50, 0)


def test_an_order_reduces_up_to_zero_and_not_beyond(make_context, make_order):
    exposure = Exposure(make_context(0, {"A": 10, "B": -10}))

    assert exposure.reduces(make_order("A", Side.SELL, "10"))
    assert not exposure.reduces(make_order("A", Side.SELL, "11"))
    assert not exposure.reduces(make_order("A", Side.BUY, "1"))
    assert exposure.reduces(make_order("B", Side.BUY, "10"))
    assert not exposure.reduces(make_order("C", Side.SELL, "1"))


def test_open_orders_count_as_filled_but_close_nothing_twice(make_context, make_order):
    working = {"A": Decimal(-60), "B": Decimal(20), "C": Decimal(30)}

    exposure = Exposure(make_context(50_000, {"A": 100, "B": 10}, working=working))

    assert exposure.cash == 50_000 + 6_000 - 2_000 - 3_000
    assert exposure.gross == exposure.net == 4_000 + 3_000 + 3_000
    assert [exposure.held(s) for s in "ABC"] == [40, 30, 30]
    assert [exposure.closable(s) for s in "ABC"] == [40, 10, 0]


def test_an_open_order_that_closes_all_leaves_nothing_to_close(make_context, make_order):
    exposure = Exposure(make_context(0, {"A": 100, "B": 50}, working={"A": Decimal(-100), "B": Decimal(-80)}))

    assert not exposure.reduces(make_order("A", Side.SELL, "1"))
    assert not exposure.reduces(make_order("B", Side.SELL, "1"))


def test_an_open_order_of_unknown_price_makes_the_book_unmeasurable(make_context):
    assert not Exposure(make_context(working={"Z": Decimal(5)})).measurable


def test_a_share_is_the_decimal_that_was_written():
    assert exact(0.1) == Decimal("0.1")
