"""Long-only weights that sum to one."""

from itertools import pairwise
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.portfolio import ALLOCATORS
from aitrader.portfolio.allocators import equal, score
from aitrader.registry import lookup


def test_equal_weights_are_equal():
    assert equal({"A": 5.0, "B": -3.0, "C": 0.0, "D": 0.0}) == {"A": 0.25, "B": 0.25, "C": 0.25, "D": 0.25}


def test_score_weights_are_the_rank_sum_weights_of_the_literature():
    weights = score({"C": 0.1, "A": 9.0, "B": 0.2, "D": -4.0})

    # 2 (n + 1 - r) / (n (n + 1)) for n = 4: .4, .3, .2, .1 (Stillwell, Seaver & Edwards 1981, rank sum)
    assert weights == pytest.approx({"A": 0.4, "B": 0.3, "C": 0.2, "D": 0.1})


def test_equal_scores_share_their_mean_rank():
    assert score({"A": 2.0, "B": 1.0, "C": 1.0}) == pytest.approx({"A": 0.5, "B": 0.25, "C": 0.25})


def test_scores_that_are_all_equal_give_equal_weights():
    assert score({"A": 1.0, "B": 1.0}) == equal({"A": 1.0, "B": 1.0})


@pytest.mark.parametrize("name", sorted(ALLOCATORS))
def test_a_symbol_without_a_finite_score_gets_no_weight(name):
    allocate = lookup("allocators", ALLOCATORS, name)

    assert allocate({"A": 1.0, "B": nan, "C": inf}) == {"A": 1.0}
    assert allocate({"A": nan}) == {}
    assert allocate({}) == {}


@pytest.mark.parametrize("name", sorted(ALLOCATORS))
@given(scores=st.dictionaries(st.text("ABCDE", min_size=1, max_size=4), st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_weights_are_long_only_sum_to_one_and_follow_the_scores(name, scores):
    weights = lookup("allocators", ALLOCATORS, name)(scores)

    assert sum(weights.values()) == pytest.approx(1)
    assert all(weight > 0 for weight in weights.values())
    ranked = sorted(scores, key=scores.__getitem__)
    assert all(weights[a] <= weights[b] + 1e-12 for a, b in pairwise(ranked))
