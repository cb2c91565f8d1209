"""Weights into whole shares."""

from decimal import Decimal
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.config.schema import Costs, Portfolio
from aitrader.domain.instruments import Instrument
from aitrader.portfolio.sizing import Terms, decimal_prices, target_quantities


def terms(equity=100_000, *, reserve=0.02, instruments=None, **portfolio):
    return Terms(Decimal(equity), Portfolio(**portfolio), Costs(), reserve, instruments or {})


PRICES = {"A": Decimal(100), "B": Decimal(30)}


def test_a_weight_becomes_its_share_of_equity_in_whole_shares():
    targets = target_quantities({"A": 0.5, "B": 0.1}, PRICES, terms())

    assert targets.quantities == {"A": 500, "B": 333}
    assert targets.notes == ()


def test_weights_above_what_may_be_invested_shrink_together():
    targets = target_quantities({"A": 0.5, "B": 0.5}, PRICES, terms(invested=0.60))

    assert targets.quantities == {"A": 300, "B": 1000}


def test_the_cash_reserve_bounds_what_is_invested():
    targets = target_quantities({"A": 1.0}, PRICES, terms(invested=1.0, reserve=0.25))

    assert targets.quantities == {"A": 750}


def test_shorts_round_towards_zero_too():
    assert target_quantities({"B": -0.1}, PRICES, terms()).quantities == {"B": -333}


def test_fractions_have_six_decimals():
    targets = target_quantities({"B": 0.1}, PRICES, terms(fractional=True))

    assert targets.quantities == {"B": Decimal("333.333333")}


def test_an_instrument_sets_its_own_lot():
    lots = {"A": Instrument("A", lot=Decimal(100))}

    assert target_quantities({"A": 0.55}, PRICES, terms(instruments=lots)).quantities == {"A": 500}


def test_a_symbol_without_a_price_gets_a_note_and_no_target():
    targets = target_quantities({"A": 0.5, "C": 0.5}, PRICES, terms())

    assert set(targets.quantities) == {"A"}
    assert targets.notes == ("C has no price: no target, and its position is left alone",)


def test_a_weight_below_one_lot_is_a_target_of_zero_with_a_note():
    targets = target_quantities({"A": 0.5, "B": 0.1}, PRICES, terms(equity=150))

    assert targets.quantities == {"A": 0, "B": 0}
    assert len(targets.notes) == 2


def test_weight_zero_is_no_target():
    assert target_quantities({"A": 0.0}, PRICES, terms()).quantities == {}


def test_no_weights_no_targets():
    assert target_quantities({}, PRICES, terms()).quantities == {}


@pytest.mark.parametrize("weight", [nan, inf, -inf])
def test_a_weight_that_is_no_number_is_an_error(weight):
    with pytest.raises(ValueError, match="finite numbers; these are not: A"):
        target_quantities({"A": weight}, PRICES, terms())


@pytest.mark.parametrize("equity", [0, -100])
def test_a_book_without_value_wants_nothing(equity):
    assert not any(target_quantities({"A": 1.0}, PRICES, terms(equity)).quantities.values())


def test_what_is_no_price_is_dropped_on_the_way_to_money():
    closes = {"A": 12.5, "B": nan, "C": 0.0, "D": -1.0, "E": inf, "F": 1e-9}

    assert decimal_prices(closes) == {"A": Decimal("12.5")}


@given(
    st.dictionaries(st.sampled_from("ABCDEFGH"), st.floats(-1, 1), min_size=1),
    st.lists(st.decimals("0.01", "5000", places=4), min_size=8, max_size=8),
    st.floats(0, 1),
    st.booleans(),
)
def test_targets_never_exceed_their_weights_nor_what_may_be_invested(weights, prices, invested, fractional):
    prices = dict(zip("ABCDEFGH", prices, strict=True))

    wanted = target_quantities(weights, prices, terms(invested=invested, fractional=fractional)).quantities

    assert sum(abs(q) * prices[s] for s, q in wanted.items()) <= Decimal(100_000) * Decimal(invested) + Decimal("0.01")
    for symbol, quantity in wanted.items():
        assert float(abs(quantity) * prices[symbol]) <= abs(weights[symbol]) * 100_000 + 0.01
        assert quantity * Decimal(weights[symbol]) >= 0
