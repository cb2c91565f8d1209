"""The book: what fills and corporate actions do to cash and positions."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.domain.orders import Fill, Side
from aitrader.domain.positions import Book
from aitrader.domain.symbols import Symbol

AAPL, MSFT = Symbol("AAPL"), Symbol("MSFT")


def fill(side, quantity, price, *, fee="0", symbol=AAPL):
    at = datetime(2026, 1, 5, tzinfo=UTC)
    return Fill("F1", "id", symbol, side, Decimal(quantity), Decimal(price), Decimal(fee), at)


def test_a_buy_moves_cash_into_shares_and_pays_the_fee():
    book = Book(Decimal(1000)).after_fill(fill(Side.BUY, 3, "100.10", fee="0.35"))

    assert book.cash == Decimal("699.35")
    assert book.quantity(AAPL) == 3
    assert book.positions[AAPL].average_cost == Decimal("100.10")


def test_average_cost_mixes_buys_and_survives_sells():
    book = Book(Decimal(1000)).after_fill(fill(Side.BUY, 1, 100)).after_fill(fill(Side.BUY, 3, 120))

    book = book.after_fill(fill(Side.SELL, 2, 500))

    assert book.positions[AAPL].average_cost == 115


def test_a_position_that_turns_short_costs_what_it_was_turned_at():
    book = Book(Decimal(1000)).after_fill(fill(Side.BUY, 2, 100)).after_fill(fill(Side.SELL, 5, 130))

    assert book.quantity(AAPL) == -3
    assert book.positions[AAPL].average_cost == 130


def test_a_closed_position_is_not_kept():
    book = Book(Decimal(1000)).after_fill(fill(Side.BUY, 2, 100)).after_fill(fill(Side.SELL, 2, 90))

    assert dict(book.positions) == {}
    assert book.cash == 980


def test_a_dividend_pays_the_long_and_charges_the_short():
    long = Book(Decimal(0)).after_fill(fill(Side.BUY, 4, 10)).after_dividend(AAPL, Decimal("0.25"))
    short = Book(Decimal(0)).after_fill(fill(Side.SELL, 4, 10)).after_dividend(AAPL, Decimal("0.25"))

    assert (long.cash, short.cash) == (Decimal(-39), Decimal(39))


def test_a_dividend_on_what_is_not_held_changes_nothing():
    assert Book(Decimal(10)).after_dividend(AAPL, Decimal(1)) == Book(Decimal(10))


def test_a_reverse_split_of_one_for_three_leaves_whole_shares_whole():
    book = Book(Decimal(0)).after_fill(fill(Side.BUY, 300, 10)).after_action(AAPL, "split", 1 / 3)

    assert str(book.quantity(AAPL)) == "100"
    assert float(book.positions[AAPL].average_cost) == pytest.approx(30)


def test_a_split_may_leave_a_fraction():
    book = Book(Decimal(0)).after_fill(fill(Side.BUY, 7, 10)).after_action(AAPL, "split", 1.5)

    assert book.quantity(AAPL) == Decimal("10.5")


@pytest.mark.parametrize(
    ("kind", "value"),
    [("split", 0.0), ("split", float("nan")), ("dividend", -1.0), ("dividend", float("inf")), ("merger", 1.0)],
)
def test_an_action_that_makes_no_sense_is_an_error(kind, value):
    with pytest.raises(ValueError, match=kind):
        Book(Decimal(0)).after_action(AAPL, kind, value)


def test_equity_needs_a_price_for_every_position():
    book = Book(Decimal(100)).after_fill(fill(Side.BUY, 1, 10))

    with pytest.raises(KeyError):
        book.equity({MSFT: Decimal(1)})


@given(
    st.lists(
        st.tuples(
            st.sampled_from([AAPL, MSFT]),
            st.sampled_from(Side),
            st.integers(1, 500),
            st.decimals("0.01", "900", places=4),
            st.decimals("0", "5", places=2),
        ),
        max_size=20,
    )
)
def test_trading_at_the_market_price_costs_nothing_but_the_fees(trades):
    book, fees = Book(Decimal(10_000)), Decimal(0)

    for symbol, side, quantity, price, fee in trades:
        prices = {AAPL: price, MSFT: price}
        before = book.equity(prices)
        book = book.after_fill(fill(side, quantity, price, fee=fee, symbol=symbol))
        assert book.equity(prices) == before - fee

        fees += fee

    assert all(position.quantity for position in book.positions.values())
