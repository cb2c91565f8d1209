"""Each limit: one breach that it names, and the value at which it still passes."""

from decimal import Decimal
from pathlib import Path

import pytest

from aitrader.config.schema import Risk
from aitrader.domain.orders import Side
from aitrader.risk.limits import LIMITS, SANITY
from aitrader.risk.review import review

BUY, SELL = Side.BUY, Side.SELL
LOOSE = {
    "max_order_equity_share": 1,
    "max_order_qty": 1e9,
    "max_order_adv_share": 1,
    "max_position": 1,
    "max_gross": 4,
    "max_net": 4,
    "cash_reserve": 0,
}


@pytest.fixture
def codes(make_order, make_context):
    """The refusal codes of one order on a book of cash and ``held`` shares, all other limits loose."""

    def ask(order=(), limits=None, *, cash=100_000, held=(), **known):
        made = make_order(**dict(order))
        return [
            r.code for r in review([made], make_context(cash, held, **known), Risk(**LOOSE | (limits or {}))).refused
        ]

    return ask


@pytest.mark.parametrize("quantity", ["NaN", "Infinity", "-Infinity", "sNaN"])
def test_finite_refuses_a_quantity_that_is_no_number(codes, quantity):
    assert codes({"quantity": quantity}) == ["finite"]


@pytest.mark.parametrize("price", ["NaN", "Infinity"])
def test_finite_refuses_a_price_that_is_no_number(codes, price):
    assert codes({"price": price}) == ["finite"]


@pytest.mark.parametrize("symbol", ["", "../orders", "a", "A B", "A\n"])
def test_symbol_refuses_what_is_no_symbol(codes, symbol):
    assert codes({"symbol": symbol}, members={symbol}) == ["symbol"]


@pytest.mark.parametrize(("quantity", "price"), [("0", "100"), ("-1", "100"), ("1", "0"), ("1", "-5")])
def test_quantity_refuses_zero_and_less(codes, quantity, price):
    assert codes({"quantity": quantity, "price": price}) == ["quantity"]


def test_duplicate_refuses_a_second_parent_in_the_list(make_order, make_context):
    orders = [make_order(number=1), make_order(number=2), make_order("B", number=3), make_order(decision="20260106")]

    result = review(orders, make_context(), Risk(**LOOSE))

    assert [(r.order.client_id, r.code) for r in result.refused] == [(orders[1].client_id, "duplicate")]


def test_duplicate_refuses_what_was_sent_before_under_any_number(codes):
    assert codes({"number": 2}, sent={"at-main-20260105-top5-A-buy-e-1"}) == ["duplicate"]
    assert codes({"number": 2}, sent={"at-main-20260105-top5-B-buy-e-1"}) == []


def test_a_refused_order_does_not_make_the_next_one_a_duplicate(make_order, make_context):
    orders = [make_order(quantity="0", number=1), make_order(quantity="5", number=2)]

    assert len(review(orders, make_context(), Risk()).approved) == 1


@pytest.mark.parametrize("order", [{"side": BUY}, {"side": SELL}])
def test_reducing_refuses_an_order_that_lies_about_it(codes, order):
    assert codes(order | {"reducing": True}) == ["reducing"]


@pytest.mark.parametrize(
    "known",
    [
        {"equity": Decimal("NaN")},
        {"equity": Decimal("Infinity")},
        {"equity": Decimal(0)},
        {"equity": Decimal(-5)},
        {"prices": {"A": Decimal(100)}},
        {"prices": {"A": Decimal(100), "B": Decimal("NaN")}},
        {"prices": {"A": Decimal(100), "B": Decimal(0)}},
        {"cash": "NaN", "equity": Decimal(100_000)},
    ],
)
def test_valuation_refuses_to_add_to_a_book_of_unknown_value(codes, known):
    assert codes(held={"B": 1}, **known) == ["valuation"]


@pytest.mark.parametrize("order", [{"side": BUY}, {"side": SELL}, {"side": SELL, "reducing": True}])
def test_nothing_is_done_to_a_position_of_unknown_size(codes, order):
    assert codes(order, held={"A": "NaN"}, equity=Decimal(100_000)) in (["valuation"], ["reducing"])


def test_members_refuses_to_buy_others(codes):
    assert codes(members={"B"}) == ["members"]


@pytest.mark.parametrize(
    ("age", "refused"), [(0, []), (1, []), (2, ["max_bar_sessions_old"]), (-1, ["max_bar_sessions_old"])]
)
def test_stale_bars_are_not_bought(codes, age, refused):
    assert codes(limits={"max_bar_sessions_old": 1}, stale={"A": age}) == refused


def test_a_symbol_of_unknown_age_is_stale(codes):
    assert codes(stale={}) == ["max_bar_sessions_old"]


@pytest.mark.parametrize(
    ("fresh", "refused"),
    [
        ("120", []),
        ("80", []),
        ("120.01", ["max_gap_from_close"]),
        ("79.99", ["max_gap_from_close"]),
        ("NaN", ["max_gap_from_close"]),
        ("0", ["max_gap_from_close"]),
    ],
)
def test_a_market_far_from_the_plan_is_not_bought(codes, fresh, refused):
    assert codes(limits={"max_gap_from_close": 0.2}, fresh={"A": Decimal(fresh)}) == refused


@pytest.mark.parametrize(("quantity", "refused"), [("100", []), ("100.000001", ["max_order_qty"])])
def test_max_order_qty(codes, quantity, refused):
    assert codes({"quantity": quantity}, {"max_order_qty": 100}) == refused


@pytest.mark.parametrize(("quantity", "refused"), [("100", []), ("101", ["max_order_equity_share"])])
def test_max_order_equity_share(codes, quantity, refused):
    assert codes({"quantity": quantity}, {"max_order_equity_share": 0.1}) == refused


@pytest.mark.parametrize(
    ("volume", "refused"),
    [
        ({"A": 1000.0}, []),
        ({"A": 999.0}, ["max_order_adv_share"]),
        ({"A": float("nan")}, ["max_order_adv_share"]),
        ({}, ["max_order_adv_share"]),
    ],
)
def test_max_order_adv_share(codes, volume, refused):
    assert codes({"quantity": "10"}, {"max_order_adv_share": 0.01}, volume20=volume) == refused


def test_short_refuses_to_sell_more_than_is_held(codes):
    assert codes({"side": SELL, "quantity": "11"}, held={"A": 10}) == ["short"]
    assert codes({"side": SELL, "quantity": "10"}, held={"A": 10}) == []


@pytest.mark.parametrize(("quantity", "refused"), [("60", []), ("61", ["max_position"])])
def test_max_position_counts_what_is_held(codes, quantity, refused):
    assert codes({"quantity": quantity}, {"max_position": 0.1}, cash=96_000, held={"A": 40}) == refused


@pytest.mark.parametrize(("quantity", "refused"), [("100", []), ("101", ["max_gross"])])
def test_max_gross(codes, quantity, refused):
    assert codes({"quantity": quantity}, {"max_gross": 0.5}, cash=60_000, held={"B": 400}) == refused


@pytest.mark.parametrize(("quantity", "refused"), [("100", []), ("101", ["max_net"])])
def test_max_net(codes, quantity, refused):
    assert codes({"quantity": quantity}, {"max_net": 0.5}, cash=60_000, held={"B": 400}) == refused


@pytest.mark.parametrize(("quantity", "refused"), [("80", []), ("81", ["cash_reserve"])])
def test_cash_reserve(codes, quantity, refused):
    assert codes({"quantity": quantity}, {"cash_reserve": 0.02}, cash=10_000, held={"B": 900}) == refused


def test_each_limit_has_its_breach_above():
    text = set(Path(__file__).read_text(encoding="utf-8").split('"'))

    assert {*SANITY, *LIMITS} <= text
