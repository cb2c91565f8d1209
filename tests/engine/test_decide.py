from dataclasses import replace
from decimal import Decimal

import pytest

from aitrader.config.schema import Portfolio, Risk
from aitrader.domain.positions import Book, Position
from aitrader.domain.symbols import Symbol
from aitrader.engine.decide import combined, decide
from aitrader.errors import DataError
from aitrader.portfolio.allocators import equal
from aitrader.strategies.model_driven import ModelDriven

NAN = float("nan")


class Wants:
    """A strategy that asks for what it was told to ask for."""

    needs_models = needs_features = ()

    def __init__(self, **weights):
        self.weights = {Symbol(name): weight for name, weight in weights.items()}

    def targets(self, snapshot):
        return self.weights


def holding(cash, **shares):
    held = {Symbol(s): Position(Symbol(s), Decimal(q), Decimal(1)) for s, q in shares.items()}
    return Book(Decimal(cash), held)


@pytest.fixture
def snapshot(past):
    world = past([[10, 10], [20, 20], [40, 40]])
    return world.history.snapshot(world.sessions[1])


def test_weights_become_whole_shares_of_what_may_be_invested(snapshot, make_rules):
    rules = make_rules(portfolio=Portfolio(invested=0.5, no_trade_band=0))

    made = decide(snapshot, holding(1000), {"top2": ModelDriven("m", 2, equal)}, rules, models={"m": "v1"})

    assert made.targets == {"top2": {"A": 0.5, "B": 0.5}}
    assert [(o.symbol, o.side.value, o.quantity, o.planned_price) for o in made.orders] == [
        ("A", "buy", 25, 10),
        ("B", "buy", 12, 20),
    ]
    assert (made.equity, made.models, made.session) == (1000.0, {"m": "v1"}, snapshot.session)
    assert made.at == snapshot.decided_at


def test_ids_name_book_decision_and_strategy_and_never_change(snapshot, make_rules):
    book, strategies = holding(1000, C=10), {"top1": ModelDriven("m", 1, equal)}

    made = decide(snapshot, book, strategies, make_rules())

    assert [order.client_id for order in made.orders] == [
        "at-main-20130702-top1-C-sell-e-1",
        "at-main-20130702-top1-A-buy-e-2",
    ]
    assert decide(snapshot, book, strategies, make_rules()) == made


def test_strategies_share_the_money_and_their_trades_are_netted(snapshot, make_rules):
    made = decide(snapshot, holding(1000), {"one": Wants(A=1.0), "two": Wants(B=1.0)}, make_rules())

    assert [(o.symbol, o.quantity, o.strategy) for o in made.orders] == [("A", 50, "net"), ("B", 25, "net")]


def test_a_strategy_that_is_not_due_keeps_its_last_targets(snapshot, make_rules):
    standing = {"one": {Symbol("A"): 1.0}}

    made = decide(snapshot, holding(1000), {"two": Wants(B=1.0)}, make_rules(), standing=standing)

    assert {order.symbol: order.quantity for order in made.orders} == {"A": 50, "B": 25}
    assert made.targets == {"two": {"B": 1.0}}


def test_a_strategy_that_never_decided_leaves_its_part_in_cash(snapshot, make_rules):
    made = decide(snapshot, holding(1000), {"two": Wants(B=1.0)}, make_rules(), standing={"one": {}})

    assert {order.symbol: order.quantity for order in made.orders} == {"B": 25}


def test_a_holding_without_a_fresh_bar_is_valued_and_left_alone(past, make_rules):
    world = past([[10, 10], [20, 20], [40, NAN]])
    snapshot = world.history.snapshot(world.sessions[1])

    made = decide(snapshot, holding(600, C=10), {"top1": ModelDriven("m", 1, equal)}, make_rules())

    assert made.equity == 1000.0
    assert [(order.symbol, order.quantity) for order in made.orders] == [("A", 60)]
    assert any("C" in note and "left alone" in note for note in made.notes)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"A": 0.7, "B": -0.7}, "weights of 1.4 in sum"),
        ({"A": NAN}, "weights of nan"),
        ({"Z": 0.5}, "asked for Z"),
    ],
)
def test_weights_that_break_the_protocol_never_become_orders(snapshot, make_rules, weights, words):
    with pytest.raises(DataError, match=words):
        decide(snapshot, holding(1000), {"bad": Wants(**weights)}, make_rules())


def test_wanting_what_is_no_member_is_refused(snapshot, make_rules):
    outside = replace(snapshot, members=snapshot.members & [False, True, True])

    with pytest.raises(DataError, match="asked for A"):
        decide(outside, holding(1000), {"bad": Wants(A=0.5)}, make_rules())


def test_the_cash_reserve_is_kept_free(snapshot, make_rules):
    risk = Risk(max_order_equity_share=1, max_position=1, max_order_adv_share=1, cash_reserve=0.1)

    made = decide(snapshot, holding(1000), {"one": Wants(A=1.0)}, make_rules(risk=risk))

    assert [order.quantity for order in made.orders] == [90]


def test_combined_weights_never_exceed_what_is_invested():
    weights = combined({"a": {Symbol("X"): 1.0}, "b": {Symbol("X"): -1.0, Symbol("Y"): 0.0}, "c": {}}, 0.9)

    assert weights == pytest.approx({"X": 0.0, "Y": 0.0})
