"""Orders: signed shares, value, ids, and what a request may say."""

from decimal import Decimal

import pytest

from aitrader.domain.approval import approve
from aitrader.domain.orders import Bounds, Entry, Order, OrderStatus, Side, client_order_id
from aitrader.domain.symbols import Symbol


def order(side=Side.BUY):
    return Order(
        client_id="at-main-20260105-top5-AAPL-buy-e-1",
        symbol=Symbol("AAPL"),
        side=side,
        quantity=Decimal(10),
        planned_price=Decimal("100.50"),
        strategy="top5",
        decision="20260105",
        entry=Entry.AFTER_OPEN,
    )


BODY = {"client_order_id": "at-main-20260105-top5-AAPL-buy-e-1", "symbol": "AAPL", "side": "buy", "qty": "10"}


@pytest.fixture
def approved():
    return approve(order(), Bounds(Decimal(10), Decimal(90), Decimal(110)))


def test_a_sell_has_negative_signed_shares_and_a_positive_value():
    sell = order(Side.SELL)

    assert sell.signed_quantity == -10
    assert sell.notional == Decimal("1005.00")


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"qty": "3"},
        {"limit_price": "90"},
        {"limit_price": "110.00"},
    ],
)
def test_the_approved_order_or_less_of_it_is_covered(approved, change):
    assert approved.covers(BODY | change)


@pytest.mark.parametrize(
    "change",
    [
        {"qty": "10.000001"},
        {"qty": "0"},
        {"qty": "-10"},
        {"qty": "NaN"},
        {"qty": "Infinity"},
        {"qty": "ten"},
        {"qty": ""},
        {"side": "sell"},
        {"symbol": "AAPL "},
        {"symbol": ""},
        {"client_order_id": "other"},
        {"limit_price": "110.01"},
        {"limit_price": "89.99"},
        {"limit_price": "NaN"},
        {"limit_price": ""},
    ],
)
def test_any_other_request_is_not_covered(approved, change):
    assert not approved.covers(BODY | change)


@pytest.mark.parametrize("key", sorted(BODY))
def test_a_request_that_leaves_a_field_out_is_not_covered(approved, key):
    assert not approved.covers({name: value for name, value in BODY.items() if name != key})


def test_ids_differ_by_every_part_and_keep_to_the_brokers_alphabet():
    base = {"side": Side.BUY, "number": 1}
    ids = {
        client_order_id("main", "20260105", "top5", Symbol("AAPL"), **base),
        client_order_id("other", "20260105", "top5", Symbol("AAPL"), **base),
        client_order_id("main", "20260106", "top5", Symbol("AAPL"), **base),
        client_order_id("main", "20260105", "top6", Symbol("AAPL"), **base),
        client_order_id("main", "20260105", "top5", Symbol("BTC/USD"), **base),
        client_order_id("main", "20260105", "top5", Symbol("AAPL"), side=Side.SELL, number=1),
        client_order_id("main", "20260105", "top5", Symbol("AAPL"), side=Side.BUY, number=2),
    }

    assert len(ids) == 7
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") for name in ids)


def test_only_open_and_partly_filled_orders_can_still_change():
    assert [status for status in OrderStatus if not status.final] == [OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED]
