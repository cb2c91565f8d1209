"""The review: every order approved or refused with a code, none clipped."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.brokers.broker import request_body
from aitrader.config.schema import Risk
from aitrader.domain.orders import Bounds, Side
from aitrader.domain.quotes import Quote
from aitrader.risk.limits import GATES, LIMITS, SANITY
from aitrader.risk.review import review

BUY, SELL = Side.BUY, Side.SELL
AT = datetime(2026, 1, 6, 14, 35, tzinfo=UTC)


def codes(result):
    return [refusal.code for refusal in result.refused]


def symbols(result):
    return [approved.order.symbol for approved in result.approved]


def test_a_sound_order_is_approved_unchanged_with_its_bounds(make_order, make_context):
    order = make_order()

    (approved,) = review([order], make_context(), Risk(max_gap_from_close=0.2)).approved

    assert approved.order is order
    assert approved.bounds == Bounds(Decimal(10), Decimal(80), Decimal(120))


def test_a_refusal_names_the_limit_and_says_the_numbers(make_order, make_context):
    (refusal,) = review([make_order(quantity="101")], make_context(), Risk()).refused

    assert refusal.code == "max_order_equity_share"
    assert refusal.reason == "10100.00 USD of A exceed 10.00% of equity, 10000.00"


def test_every_order_comes_out_once(make_order, make_context):
    orders = [make_order("A"), make_order("Z"), make_order("B", quantity="500"), make_order("C")]

    result = review(orders, make_context(), Risk())

    assert symbols(result) == ["A", "C"]
    assert [refusal.order.symbol for refusal in result.refused] == ["Z", "B"]


def test_sells_are_reviewed_first_so_that_their_proceeds_may_buy(make_order, make_context):
    orders = [make_order("B", quantity="90"), make_order("A", SELL, "100", reducing=True)]

    result = review(orders, make_context(2_000, {"A": 100, "C": 880}), Risk())

    assert symbols(result) == ["A", "B"]


def test_without_the_sell_the_same_buy_is_refused_for_cash(make_order, make_context):
    result = review([make_order("B", quantity="90")], make_context(2_000, {"A": 100, "C": 880}), Risk())

    assert codes(result) == ["cash_reserve"]


def test_buys_are_refused_in_order_once_the_cash_is_gone(make_order, make_context):
    orders = [make_order("A", quantity="70"), make_order("B", quantity="70"), make_order("C", quantity="9")]

    result = review(orders, make_context(10_000, {"D": 900}), Risk())

    assert symbols(result) == ["A", "C"]
    assert codes(result) == ["cash_reserve"]


def test_the_cash_of_an_open_buy_is_not_spent_again(make_order, make_context):
    free = {"A": Decimal(80)}

    assert codes(review([make_order("B", quantity="30")], make_context(10_000, {"C": 900}), Risk())) == []
    assert codes(review([make_order("B", quantity="30")], make_context(10_000, {"C": 900}, working=free), Risk())) == [
        "cash_reserve"
    ]


def test_a_position_counts_what_an_open_order_adds(make_order, make_context):
    context = make_context(working={"A": Decimal(60)})

    assert codes(review([make_order(quantity="40")], context, Risk())) == []
    assert codes(review([make_order(quantity="41")], context, Risk())) == ["max_position"]


def test_each_order_is_measured_against_the_book_that_the_ones_before_leave(make_order, make_context):
    orders = [make_order("A", quantity="60"), make_order("B", quantity="60")]

    result = review(orders, make_context(), Risk(max_gross=0.10))

    assert symbols(result) == ["A"]
    assert codes(result) == ["max_gross"]


@pytest.mark.parametrize(
    ("known", "limits"),
    [
        ({"members": frozenset()}, {}),
        ({"stale": {}}, {}),
        ({"stale": {"A": 30}}, {}),
        ({"volume20": {}}, {}),
        ({"prices": {}}, {}),
        ({"equity": Decimal("NaN")}, {}),
        ({"quotes": {"A": Quote(Decimal(20), Decimal(20), AT)}}, {}),
        ({}, {"max_order_qty": 1.0, "max_order_equity_share": 0, "max_position": 0, "max_gross": 0, "max_net": 0}),
    ],
)
def test_an_exit_passes_where_entries_are_stopped(make_order, make_context, known, limits):
    exits = [make_order("A", SELL, "150", reducing=True)]

    result = review(exits, make_context(0, {"A": 150, "B": 850}, **known), Risk(**limits))

    assert symbols(result) == ["A"]


def test_an_exit_cannot_exceed_the_holding(make_order, make_context):
    result = review([make_order("A", SELL, "151", reducing=True)], make_context(0, {"A": 150}), Risk())

    assert codes(result) == ["reducing"]


def test_two_exits_cannot_exceed_the_holding_together(make_order, make_context):
    exits = [
        make_order("A", SELL, "100", reducing=True),
        make_order("A", SELL, "100", reducing=True, number=2, decision="20260106"),
    ]

    result = review(exits, make_context(0, {"A": 150}), Risk())

    assert len(result.approved) == 1
    assert codes(result) == ["reducing"]


def test_the_bounds_follow_the_collar_around_a_fresh_price(make_order, make_context):
    context = make_context(quotes={"A": Quote(Decimal("109.98"), Decimal("110.02"), AT)})

    (approved,) = review([make_order()], context, Risk(price_collar=0.05)).approved

    body = request_body(approved.order)
    assert (approved.bounds.low, approved.bounds.high) == (Decimal("104.50"), Decimal("115.50"))
    assert approved.covers(body | {"limit_price": "115.50"})
    assert not approved.covers(body | {"limit_price": "104.49"})


def test_the_bounds_of_an_exit_follow_a_market_that_left_the_plan(make_order, make_context):
    exits = [make_order("A", SELL, "10", reducing=True)]

    quotes = {"A": Quote(Decimal(50), Decimal(50), AT)}

    (approved,) = review(exits, make_context(0, {"A": 10}, quotes=quotes), Risk()).approved

    assert (approved.bounds.low, approved.bounds.high) == (Decimal("48.50"), Decimal("51.50"))


def test_every_code_is_a_setting_or_a_rule_that_cannot_be_switched_off():
    by_operator_and_market = {"halt", "halt_entries", "hold", "session_window", "quote", "unsettled"}
    always_on = {*SANITY, *by_operator_and_market, "valuation", "members", "short"}

    assert {*SANITY, *GATES, *LIMITS} <= {*Risk.model_fields, *always_on}


def test_every_setting_is_enforced():
    in_the_bounds = {"price_collar"}
    by_breakers = {"max_daily_loss", "max_drawdown", "max_rejects_per_run", "max_unknown_orders"}
    by_the_desk = {"max_orders_per_min", "max_model_sessions_old"}

    assert set(Risk.model_fields) - {*GATES, *LIMITS, *in_the_bounds, *by_breakers, *by_the_desk} == set()


ORDERS = st.lists(
    st.tuples(
        st.sampled_from("ABCZ"),
        st.sampled_from(Side),
        st.one_of(st.integers(-5, 400).map(str), st.sampled_from(["NaN", "Infinity", "-Infinity", "0.5", "1e9"])),
        st.sampled_from(["100", "0", "-1", "NaN", "Infinity", "99.99"]),
        st.booleans(),
    ),
    max_size=8,
)


@given(orders=ORDERS, cash=st.integers(0, 100_000), held=st.dictionaries(st.sampled_from("ABC"), st.integers(1, 300)))
def test_whatever_is_approved_keeps_every_limit(make_order, make_context, orders, cash, held):
    context = make_context(cash, held)
    limits = Risk(max_position=0.3, max_order_equity_share=0.3)
    made = [
        make_order(symbol, side, quantity, price, reducing=reducing, number=number)
        for number, (symbol, side, quantity, price, reducing) in enumerate(orders)
    ]

    result = review(made, context, limits)

    assert len(result.approved) + len(result.refused) == len(made)
    book = {s: p.quantity for s, p in context.book.positions.items()}
    left = context.book.cash
    for approved in result.approved:
        order = approved.order
        before, after = book.get(order.symbol, Decimal(0)), book.get(order.symbol, Decimal(0)) + order.signed_quantity
        book[order.symbol] = after
        left -= order.signed_quantity * order.planned_price
        assert order.quantity > 0
        assert after >= 0
        assert approved.covers(request_body(order))
        if after > before:
            assert after * order.planned_price <= context.equity * Decimal("0.3")
            assert left >= context.equity * Decimal("0.02")
            assert order.symbol != "Z"
