"""Each limit: one breach that it names, and the value at which it still passes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.config.schema import Risk
from aitrader.domain.events import Latch
from aitrader.domain.orders import Side
from aitrader.domain.quotes import Quote
from aitrader.risk.limits import GATES, LIMITS, SANITY
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
OPENS, AT, CLOSES = (datetime(2026, 1, 6, 14, minute, tzinfo=UTC) for minute in (35, 36, 40))
EXIT = {"side": SELL, "reducing": True}


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
    ("mid", "refused"),
    [("120", []), ("80", []), ("120.01", ["max_gap_from_close"]), ("79.99", ["max_gap_from_close"])],
)
def test_a_market_far_from_the_plan_is_not_bought(codes, mid, refused):
    quotes = {"A": Quote(Decimal(mid) - 1, Decimal(mid) + 1, AT)}

    assert codes(limits={"max_gap_from_close": 0.2}, quotes=quotes) == refused


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


@pytest.mark.parametrize(("quantity", "refused"), [("99.99", []), ("100", []), ("100.01", ["max_order_notional"])])
def test_max_order_notional(codes, quantity, refused):
    assert codes({"quantity": quantity}, {"max_order_notional": 10_000}) == refused


def test_without_max_order_notional_only_the_share_of_equity_counts(codes):
    assert codes({"quantity": "1000"}, {"max_order_notional": None}) == []


@pytest.mark.parametrize("order", [{}, EXIT])
def test_halt_refuses_entries_and_exits(codes, order):
    assert codes(order, held={"A": 10}, latches={Latch.HALT}) == ["halt"]
    assert codes(order, held={"A": 10}, latches={Latch.HALT, Latch.HALT_ENTRIES}) == ["halt"]


@pytest.mark.parametrize(("order", "refused"), [({}, ["halt_entries"]), ({"side": SELL}, ["halt_entries"]), (EXIT, [])])
def test_halt_entries_lets_pass_what_is_marked_as_reducing(codes, order, refused):
    assert codes(order, held={"A": 10}, latches={Latch.HALT_ENTRIES}) == refused


@pytest.mark.parametrize("order", [{}, EXIT])
def test_hold_refuses_every_order_of_its_symbol(make_order, make_context, order):
    orders = [make_order("A", **order), make_order("B", **order)]
    context = replace(make_context(held={"A": 10, "B": 10}), held={"A": "two unknown outcomes"})

    (refusal,) = review(orders, context, Risk()).refused

    assert (refusal.order.symbol, refusal.code) == ("A", "hold")
    assert refusal.reason == "A is held: two unknown outcomes"


@pytest.mark.parametrize(
    ("at", "refused"),
    [
        (OPENS - timedelta(microseconds=1), ["session_window"]),
        (OPENS, []),
        (CLOSES - timedelta(microseconds=1), []),
        (CLOSES, ["session_window"]),
        (None, ["session_window"]),
    ],
)
@pytest.mark.parametrize("order", [{}, EXIT])
def test_session_window_is_open_from_its_first_moment_to_before_its_last(codes, order, at, refused):
    assert codes(order, held={"A": 10}, at=at, window=(OPENS, CLOSES)) == refused


@pytest.mark.parametrize(
    ("bid", "ask", "refused"),
    [
        ("99.99", "100.01", []),
        ("100", "100", []),
        ("100.01", "100", ["quote"]),
        ("0", "100", ["quote"]),
        ("99", "0", ["quote"]),
        ("NaN", "100", ["quote"]),
        ("99", "Infinity", ["quote"]),
    ],
)
@pytest.mark.parametrize("order", [{}, EXIT])
def test_quote_refuses_what_is_crossed_or_no_price(codes, order, bid, ask, refused):
    assert codes(order, held={"A": 10}, quotes={"A": Quote(Decimal(bid), Decimal(ask), AT)}) == refused


def test_quote_refuses_a_symbol_without_one_unless_nobody_can_know_any(codes):
    assert codes(quotes={}) == ["quote"]
    assert codes(quotes=None) == []


@pytest.mark.parametrize(("quantity", "refused"), [("59.9", []), ("60", []), ("60.000001", ["unsettled"])])
def test_unsettled_refuses_to_sell_what_unsettled_money_bought(codes, quantity, refused):
    order = {"side": SELL, "quantity": quantity, "reducing": True}

    assert codes(order, held={"A": 100}, locked={"A": Decimal(40)}) == refused


def test_shares_in_an_open_sell_order_are_not_the_settled_ones_twice(codes):
    known = {"locked": {"A": Decimal(40)}, "working": {"A": Decimal(-50)}}

    assert codes(EXIT | {"quantity": "10"}, held={"A": 100}, **known) == []
    assert codes(EXIT | {"quantity": "11"}, held={"A": 100}, **known) == ["unsettled"]


def test_unsettled_shares_may_be_added_to(codes):
    assert codes(held={"A": 100}, locked={"A": Decimal(100)}) == []


@pytest.mark.parametrize(("ago", "refused"), [(59.999, ["duplicate_window_s"]), (60, []), (61, [])])
@pytest.mark.parametrize("order", [{}, EXIT])
def test_duplicate_window_refuses_the_same_symbol_and_side_too_soon(codes, order, ago, refused):
    sent = {("A", order.get("side", BUY)): AT - timedelta(seconds=ago)}

    assert codes(order, {"duplicate_window_s": 60}, held={"A": 10}, at=AT, last_sent=sent) == refused


def test_duplicate_window_leaves_other_symbols_and_sides_alone(codes):
    assert codes({}, {"duplicate_window_s": 60}, at=AT, last_sent={("A", SELL): AT, ("B", BUY): AT}) == []


def test_duplicate_window_of_zero_never_refuses_and_one_without_a_clock_does(codes):
    assert codes({}, {"duplicate_window_s": 0}, at=AT, last_sent={("A", BUY): AT}) == []
    assert codes({}, {"duplicate_window_s": 60}, last_sent={("A", BUY): AT}) == ["duplicate_window_s"]


@pytest.mark.parametrize(
    ("limit", "counter"),
    [
        ("max_orders_per_run", "run"),
        ("max_orders_per_day", "by_day"),
        ("max_orders_per_symbol_day", "by_symbol"),
    ],
)
@pytest.mark.parametrize(("before", "passes"), [(6, True), (7, True), (8, False), (9, False)])
@pytest.mark.parametrize("order", [{}, EXIT])
def test_a_count_refuses_the_order_after_its_last(codes, limit, counter, before, passes, order):
    known = {counter: {"A": before, "B": 99} if counter == "by_symbol" else before}

    assert codes(order, {limit: 8}, held={"A": 10}, **known) == ([] if passes else [limit])


@pytest.mark.parametrize(
    ("limit", "approved"),
    [("max_orders_per_run", "AB"), ("max_orders_per_day", "AB"), ("max_orders_per_symbol_day", "ABCA")],
)
def test_a_count_refuses_the_rest_of_a_list(make_order, make_context, limit, approved):
    decisions = ("20260105", "20260106", "20260107")
    orders = [make_order(s, decision=d) for s, d in zip("ABCAA", [*decisions[:1] * 3, *decisions[1:]], strict=True)]

    result = review(orders, make_context(), Risk(**LOOSE | {limit: 2}))

    assert "".join(one.order.symbol for one in result.approved) == approved
    assert {refusal.code for refusal in result.refused} == {limit}


def test_each_limit_has_its_breach_above():
    text = set(Path(__file__).read_text(encoding="utf-8").split('"'))

    assert {*SANITY, *GATES, *LIMITS} <= text


def closing(symbol, side, quantity, make_order, **more):
    return make_order(symbol, side, quantity, reducing=True, closing=True, **more)


def test_an_emergency_close_passes_every_gate_and_every_limit(make_order, make_context):
    context = replace(
        make_context(0, {"A": 100}, equity=Decimal("NaN"), members=frozenset(), stale={}, volume20={}),
        latches=frozenset(Latch),
        held={"A": "unknown outcome"},
        quotes={},
        window=(OPENS, CLOSES),
        run=10_000,
        by_day=10_000,
        by_symbol={"A": 10_000},
        last_sent={("A", SELL): AT},
        locked={"A": Decimal(100)},
    )

    result = review([closing("A", SELL, "100", make_order)], context, Risk(duplicate_window_s=60))

    assert [one.order.symbol for one in result.approved] == ["A"]


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"quantity": "NaN"}, "finite"),
        ({"quantity": "0"}, "quantity"),
        ({"quantity": "101"}, "reducing"),
        ({"side": BUY}, "reducing"),
        ({"symbol": ""}, "symbol"),
        ({"reducing": False, "quantity": "101"}, "reducing"),
    ],
)
def test_an_emergency_close_that_is_not_one_is_refused(codes, order, code):
    assert codes({"side": SELL, "reducing": True, "closing": True} | order, held={"A": 100}) == [code]


def test_an_emergency_close_may_follow_another_under_a_new_id_only(codes):
    sent = {"at-main-20260105-top5-A-sell-e-1"}

    for number, refused in ((1, ["duplicate"]), (2, [])):
        assert codes(EXIT | {"closing": True, "number": number}, held={"A": 100}, sent=sent) == refused


NO_NUMBERS = ("NaN", "sNaN", "Infinity", "-Infinity")
ENTRY_PLACES = ("equity", "cash", "price", "held", "volume", "bid", "ask", "working", "quantity", "planned")
EXIT_PLACES = ("held", "bid", "ask", "working", "locked", "quantity", "planned")


def with_a_flaw(make_context, place, value):
    """A context in which everything passes, but for one number that is none."""
    bad = Decimal(value)
    context = replace(
        make_context(50_000, {"A": 300, "B": 200}),
        quotes={"A": Quote(Decimal("99.9"), Decimal("100.1"), AT)},
        locked={"A": Decimal(100)},
        working={"B": Decimal(10)},
    )
    book, quote = context.book, context.quotes["A"]
    broken = {"A": replace(book.positions["A"], quantity=bad)}
    flaws = {
        "equity": {"equity": bad},
        "cash": {"book": replace(book, cash=bad)},
        "price": {"prices": {**context.prices, "B": bad}},
        "held": {"book": replace(book, positions={**book.positions, **broken})},
        "volume": {"volume20": {"A": float(value.replace("s", ""))}},
        "bid": {"quotes": {"A": replace(quote, bid=bad)}},
        "ask": {"quotes": {"A": replace(quote, ask=bad)}},
        "working": {"working": {"A": bad}},
        "locked": {"locked": {"A": bad}},
    }
    return replace(context, **flaws.get(place, {}))


def flawed_order(place, value):
    return {"quantity": value} if place == "quantity" else {"price": value} if place == "planned" else {}


@given(place=st.sampled_from(ENTRY_PLACES), value=st.sampled_from(NO_NUMBERS))
def test_an_entry_is_refused_where_anything_is_no_finite_number(make_order, make_context, place, value):
    order, loose = make_order(**flawed_order(place, value)), Risk(**LOOSE)

    assert len(review([make_order()], with_a_flaw(make_context, "", "NaN"), loose).approved) == 1
    assert review([order], with_a_flaw(make_context, place, value), loose).approved == ()


@given(place=st.sampled_from(EXIT_PLACES), value=st.sampled_from(NO_NUMBERS))
def test_an_exit_is_refused_where_its_own_numbers_are_none(make_order, make_context, place, value):
    order, loose = make_order(**EXIT | flawed_order(place, value)), Risk(**LOOSE)

    assert len(review([make_order(**EXIT)], with_a_flaw(make_context, "", "NaN"), loose).approved) == 1
    assert review([order], with_a_flaw(make_context, place, value), loose).approved == ()
