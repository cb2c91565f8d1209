"""The scan that all scanners share."""

import numpy as np
import pytest

from aitrader.errors import DataError, InsufficientDataError
from aitrader.scanners.model import ModelScanner
from aitrader.scanners.scanner import rank_of, scan

NAN = float("nan")


@pytest.fixture
def scanner():
    return ModelScanner("trees", top=2, reason_count=2)


def test_the_highest_scores_come_first(scanner, make_view):
    result = scan(scanner, make_view([0.1, 0.4, 0.3]))

    assert [(one.rank, one.symbol, one.score) for one in result.candidates] == [(1, "B", 0.4), (2, "C", 0.3)]
    assert result.scored == 3


def test_equal_scores_are_ordered_by_the_alphabet(scanner, make_view):
    result = scan(scanner, make_view([0.4, 0.1, 0.4]))

    assert [one.symbol for one in result.candidates] == ["A", "C"]


@pytest.mark.parametrize("predictions", [[0.2, 0.2, 0.2], [NAN, NAN, NAN]])
def test_scores_that_choose_nobody_are_an_error_of_the_data(scanner, make_view, predictions):
    with pytest.raises(DataError) as caught:
        scan(scanner, make_view(predictions))

    assert caught.value.exit_code == 3
    assert caught.value.fix


def test_scores_of_non_members_do_not_make_a_choice(scanner, make_view):
    with pytest.raises(DataError, match="None of the 2 symbols"):
        scan(scanner, make_view([NAN, NAN, 0.3], members=[True, True, False]))


def test_a_symbol_without_a_prediction_is_dropped_with_its_reason(scanner, make_view):
    result = scan(scanner, make_view([0.1, NAN, 0.3]))

    assert result.layers[-1].dropped == {"B": "its score is not known"}


def test_an_empty_universe_is_an_error_that_says_where_everybody_went(scanner, make_view):
    with pytest.raises(InsufficientDataError, match="member of the universe: 0 of 3 symbols") as caught:
        scan(scanner, make_view([0.1, 0.2, 0.3], members=[False, False, False]))

    assert (caught.value.needed, caught.value.got) == (1, 0)


def test_a_market_without_symbols_is_an_error(scanner, make_view):
    with pytest.raises(InsufficientDataError, match="the universe is empty"):
        scan(scanner, make_view([]))


def test_a_single_member_is_a_candidate(scanner, make_view):
    result = scan(scanner, make_view([0.1, 0.2, 0.3], members=[False, True, False]))

    assert [one.symbol for one in result.candidates] == ["B"]


def test_the_rank_of_a_symbol_is_told_beyond_the_shown_ones(scanner, make_view):
    found = rank_of(scanner, make_view([0.1, 0.4, 0.3]), "A")

    assert (found.rank, found.score) == (3, 0.1)


def test_a_dropped_symbol_has_no_rank(scanner, make_view):
    assert rank_of(scanner, make_view([0.1, 0.4, NAN]), "C") is None


def test_an_unknown_prediction_does_not_count_as_the_lowest(scanner, make_view):
    assert scan(scanner, make_view([0.1, NAN, -0.3])).scored == 2


def test_the_price_is_the_close_as_traded(scanner, make_view):
    assert scan(scanner, make_view([0.1, 0.4, 0.3])).candidates[0].price == 11.0


def test_no_weight_is_claimed_where_no_strategy_was_asked(scanner, make_view):
    assert np.isnan(scan(scanner, make_view([0.1, 0.4, 0.3])).candidates[0].weight)
