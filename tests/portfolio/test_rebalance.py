"""The trade list: exits first, within cash, numbered the same every time."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.config.schema import Costs, Portfolio
from aitrader.domain.orders import Entry, Side
from aitrader.domain.positions import Book, Position
from aitrader.portfolio.rebalance import Origin, after_splits, trade_list
from aitrader.portfolio.sizing import Terms, target_quantities

ORIGIN = Origin("main", "20260105", "top5", Entry.AFTER_OPEN)
FREE = Costs(spread_bps=0, impact_bps=0)
HUNDRED = dict.fromkeys("ABCDEFGH", Decimal(100))


def book(cash, **held):
    return Book(Decimal(cash), {s: Position(s, Decimal(q), Decimal(1)) for s, q in held.items()})


def terms(equity=100_000, *, reserve=0.0, costs=FREE, **portfolio):
    return Terms(Decimal(equity), Portfolio(**portfolio), costs, reserve)


def trades(targets, held, agreed, prices=HUNDRED):
    wanted = {symbol: Decimal(quantity) for symbol, quantity in targets.items()}
    return trade_list(wanted, held, prices, agreed, ORIGIN)


def summary(listed):
    return [(o.symbol, o.side.value, o.quantity, o.reducing) for o in listed.orders]


def test_sells_come_first_and_each_side_goes_by_symbol():
    listed = trades({"D": 100, "B": 100, "C": 50}, book(50_000, A=100, C=300, E=100), terms())

    assert summary(listed) == [
        ("A", "sell", 100, True),
        ("C", "sell", 250, True),
        ("E", "sell", 100, True),
        ("B", "buy", 100, False),
        ("D", "buy", 100, False),
    ]


def test_ids_are_numbered_inside_the_decision_and_do_not_depend_on_the_order_of_the_targets():
    one = trades({"B": 100, "D": 100}, book(90_000, A=100), terms())
    other = trades({"D": 100, "B": 100}, book(90_000, A=100), terms())

    assert [o.client_id for o in one.orders] == [
        "at-main-20260105-top5-A-sell-e-1",
        "at-main-20260105-top5-B-buy-e-2",
        "at-main-20260105-top5-D-buy-e-3",
    ]
    assert one == other


def test_an_order_carries_the_price_it_was_planned_with_and_its_origin():
    (order,) = trades({"A": 10}, book(100_000), terms(), {"A": Decimal("12.34")}).orders

    assert (order.planned_price, order.decision, order.strategy) == (Decimal("12.34"), "20260105", "top5")
    assert order.entry is Entry.AFTER_OPEN


@pytest.mark.parametrize(("target", "traded"), [(104, 0), (105, 5), (96, 0), (95, -5)])
def test_a_resize_below_the_band_is_left_alone(target, traded):
    listed = trades({"A": target}, book(90_000, A=100), terms(no_trade_band=0.005))

    assert sum(order.signed_quantity for order in listed.orders) == traded


def test_a_full_exit_and_an_opening_are_never_inside_the_band():
    listed = trades({"B": 1}, book(99_900, A=1), terms(no_trade_band=0.5))

    assert summary(listed) == [("A", "sell", 1, True), ("B", "buy", 1, False)]


def test_a_full_exit_takes_the_odd_fraction_with_it():
    listed = trades({}, book(0, A="10.333333"), terms())

    assert summary(listed) == [("A", "sell", Decimal("10.333333"), True)]


def test_a_target_rounded_to_zero_is_a_resize_not_an_exit():
    listed = trades({"A": 0}, book(99_900, A=1), terms(no_trade_band=0.005))

    assert listed.orders == ()


def test_a_held_symbol_without_a_price_is_left_alone_with_a_note():
    listed = trades({}, book(0, A=10), terms(), prices={})

    assert listed.orders == ()
    assert listed.notes == ("A is held and has no price: left alone",)


def test_a_change_of_sides_stops_at_zero():
    listed = trades({"A": -50}, book(0, A=100), terms())

    assert summary(listed) == [("A", "sell", 100, True)]


def test_covering_a_short_reduces_and_extending_it_does_not():
    covered = trades({"A": -50}, book(100_000, A=-100), terms())
    extended = trades({"A": -150}, book(100_000, A=-100), terms())

    assert summary(covered) == [("A", "buy", 50, True)]
    assert summary(extended) == [("A", "sell", 50, False)]


def test_what_is_on_target_needs_no_order():
    assert trades({"A": 100}, book(0, A=100), terms()).orders == ()


def test_buys_keep_the_reserve_and_the_most_that_trading_may_cost_free():
    costs = Costs(spread_bps=10, impact_bps=10)  # at most 15 bp
    agreed = terms(reserve=0.02, costs=costs)
    targets = target_quantities({"A": 0.5, "B": 0.5}, HUNDRED, agreed).quantities

    listed = trade_list(targets, book(100_000), HUNDRED, agreed, ORIGIN)

    # wanted 98,000; paid for 98,000 - 147 of costs: 97,853 / 98,000 of 490 shares is 489.265
    assert summary(listed) == [("A", "buy", 489, False), ("B", "buy", 489, False)]
    assert listed.notes == ()


def test_positions_kept_by_the_band_shrink_the_buys_with_a_note():
    held = book(18_500, A=204, B=204, C=204, D=203)  # 81,500 of 100,000 in four names that should have 19,600 each

    listed = trades({"A": 200, "B": 200, "C": 200, "D": 200, "E": 196}, held, terms(reserve=0.02))

    assert summary(listed) == [("E", "buy", 165, False)]
    assert listed.notes == (
        "buys of 19600.00 USD shrink to 84.18%: positions inside the no-trade band leave no more cash",
    )


def test_without_cash_there_are_no_buys():
    assert trades({"A": 200, "B": 10}, book(0, A=200), terms()).orders == ()


def test_a_split_between_plan_and_entry_changes_shares_and_price():
    planned = trades({"A": 11, "B": 10}, book(90_000, C=3), terms()).orders

    sell, first, second = after_splits(planned, {"A": Decimal("1.5"), "C": Decimal("0.5")})

    assert (sell.quantity, sell.planned_price) == (Decimal("1.5"), 200)
    assert (first.quantity, first.planned_price) == (16, Decimal("66.666667"))
    assert second == planned[2]


def test_an_order_of_which_a_reverse_split_leaves_nothing_is_dropped():
    planned = trades({"A": 9}, book(90_000), terms()).orders

    assert after_splits(planned, {"A": Decimal("0.1")}) == ()


SHARES = st.dictionaries(st.sampled_from("ABCDEFGH"), st.integers(0, 400))


@given(SHARES, SHARES, st.integers(0, 50_000), st.floats(0, 0.02))
def test_the_list_can_always_be_paid_and_leads_no_further_than_the_targets(held, targets, cash, band):
    begin = book(cash, **{s: q for s, q in held.items() if q})
    equity = begin.equity(HUNDRED)
    agreed = terms(equity, reserve=0.02, costs=Costs(), no_trade_band=band)

    listed = trades(targets, begin, agreed)

    bought = sum(o.notional for o in listed.orders if o.side is Side.BUY)
    sold = sum(o.notional for o in listed.orders if o.side is Side.SELL)
    rate = Decimal("0.0015")
    if bought:
        assert cash + sold * (1 - rate) - bought * (1 + rate) >= equity * Decimal("0.02")
    for order in listed.orders:
        start, target = held.get(order.symbol, 0), targets.get(order.symbol, 0)
        assert min(start, target) <= start + order.signed_quantity <= max(start, target)
        assert order.reducing == (order.side is Side.SELL)
