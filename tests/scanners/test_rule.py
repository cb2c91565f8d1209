"""The scanner of written rules."""

import numpy as np
import pytest

from aitrader.panel.expr import column
from aitrader.scanners.rule import RuleScanner
from aitrader.scanners.scanner import scan

CLOSE = column("close")
SCORE = CLOSE / CLOSE.shift(5) - 1
AVERAGE = CLOSE.mean(3)
ABOVE = CLOSE > AVERAGE
NAN = float("nan")


@pytest.fixture
def view(make_view):
    values = {
        SCORE.key: np.array([0.3, 0.2, 0.5, 0.4]),
        AVERAGE.key: np.array([9.0, 12.0, 11.0, NAN]),
        ABOVE.key: np.array([1.0, 0.0, 1.0, NAN]),
    }
    return make_view([0.0, 0.0, 0.0, 0.0], values=values)


def test_only_symbols_that_meet_every_rule_are_ranked_by_the_score(view):
    result = scan(RuleScanner((ABOVE,), SCORE, 5), view)

    assert [one.symbol for one in result.candidates] == ["C", "A"]


def test_the_reasons_are_the_score_and_both_sides_of_each_rule(view):
    score, rule = scan(RuleScanner((ABOVE,), SCORE, 5), view).candidates[0].reasons

    assert score.value == 0.5
    assert rule.text == "close (12) > close.mean(3) (11)"


def test_a_dropped_symbol_is_told_the_values_that_failed_it(view):
    layer = scan(RuleScanner((ABOVE,), SCORE, 5), view).layers[2]

    assert layer.dropped["B"] == "close (11) <= close.mean(3) (12)"
    assert layer.dropped["D"] == "not known: its window lacks bars"


def test_nobody_left_by_the_rules_is_an_empty_scan(view):
    impossible = RuleScanner((ABOVE,), SCORE, 5)
    view.snapshot.features[ABOVE.key][:] = 0.0

    result = scan(impossible, view)

    assert result.candidates == ()
    assert result.layers[2].remaining == 0


def test_a_rule_against_a_number_tells_one_side(make_view):
    cheap = CLOSE < 11
    view = make_view([0.0, 0.0], values={SCORE.key: np.array([1.0, 2.0]), cheap.key: np.array([1.0, 0.0])})

    found = scan(RuleScanner((cheap,), SCORE, 5), view)

    assert found.candidates[0].reasons[1].text == "close (10) < 11"


def test_the_scanner_asks_for_the_score_the_rules_and_their_sides():
    assert set(RuleScanner((ABOVE,), SCORE, 5).needs_values) == {SCORE, ABOVE, CLOSE, AVERAGE}
