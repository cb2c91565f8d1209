"""Who may be bought, by rules that look back only."""

import numpy as np
import pytest

from aitrader.config.schema import Universe
from aitrader.domain.symbols import Symbol
from aitrader.errors import ConfigError, InsufficientDataError
from aitrader.universe.filters import mean_dollar_volume, mean_volume
from aitrader.universe.membership import absences, members, select

NAN = np.nan


def test_a_symbol_is_a_member_once_it_has_its_history_and_only_where_it_has_a_bar():
    close = np.array([[NAN, 1.0, 2.0, NAN, 3.0]])

    result = members(("A",), close, close, Universe(min_history=2), adjusted=False)

    assert result.tolist() == [[False, False, True, False, True]]


def test_denied_symbols_and_those_not_allowed_are_no_members():
    close = np.ones((3, 2))

    result = members(
        ("A", "B", "C"), close, close, Universe(min_history=1, allow=("A", "B"), deny=("A",)), adjusted=False
    )

    assert result[:, -1].tolist() == [False, True, False]


def test_price_and_turnover_filters_use_the_session_and_the_twenty_before():
    close = np.array([[10.0] * 25, [4.0] * 25])
    volume = np.array([[100.0] * 25, [1000.0] * 25])

    by_price = members(("A", "B"), close, volume, Universe(min_history=1, min_price=5), adjusted=False)
    by_turnover = members(("A", "B"), close, volume, Universe(min_history=1, min_dollar_volume=1500), adjusted=False)

    assert by_price[:, -1].tolist() == [True, False]
    assert by_turnover[:, -1].tolist() == [False, True]


def test_a_price_filter_on_adjusted_prices_is_refused():
    with pytest.raises(ConfigError, match="adjusted"):
        members(("A",), np.ones((1, 1)), np.ones((1, 1)), Universe(min_price=5), adjusted=True)


def test_membership_does_not_change_when_later_bars_are_removed():
    rng = np.random.default_rng(5)
    close = np.where(rng.random((4, 80)) < 0.1, NAN, rng.uniform(1, 20, (4, 80)))
    volume = rng.uniform(1, 2000, (4, 80))
    rules = Universe(min_history=5, min_price=3, min_dollar_volume=4000)
    symbols = ("A", "B", "C", "D")

    whole = members(symbols, close, volume, rules, adjusted=False)

    for cut in (6, 30, 79):
        part = members(symbols, close[:, :cut], volume[:, :cut], rules, adjusted=False)
        assert np.array_equal(part, whole[:, :cut])


def test_means_are_over_the_bars_that_exist():
    volume = np.array([[NAN, 10.0, NAN, 30.0]])

    assert np.array_equal(mean_volume(volume), [[NAN, 10.0, 10.0, 20.0]], equal_nan=True)
    assert np.array_equal(mean_dollar_volume(2 * np.ones((1, 4)), volume), [[NAN, 20.0, 20.0, 40.0]], equal_nan=True)


def test_an_empty_universe_is_an_error_that_says_what_was_needed():
    with pytest.raises(InsufficientDataError, match="none of its 1 symbols") as caught:
        select(("A", "B"), Universe(symbols=("ZZZ",)))

    assert (caught.value.needed, caught.value.got) == (1, 0)


def test_the_default_universe_is_every_symbol_in_the_lake():
    assert select(("B", "A"), Universe()) == ("A", "B")


def test_an_absence_is_told_by_the_first_rule_that_causes_it():
    close = np.array([[10.0, 10.0], [10.0, np.nan], [np.nan, 10.0], [10.0, 10.0], [1.0, 1.0]])
    volume = np.full_like(close, 1000.0)
    settings = Universe(deny=("DDD",), min_history=2, min_price=5.0)

    found = absences(tuple(map(Symbol, ("AAA", "BBB", "CCC", "DDD", "EEE"))), close, volume, settings, -1)

    assert found == {
        "BBB": "no bar of the session",
        "CCC": "1 bars of history, universe.min_history is 2",
        "DDD": "not allowed by universe.allow or universe.deny",
        "EEE": "a close of 1.00, universe.min_price is 5",
    }


def test_an_absence_is_told_exactly_of_those_that_are_no_members():
    random = np.random.default_rng(3)
    close = np.where(random.random((20, 30)) < 0.2, np.nan, random.uniform(1, 20, (20, 30)))
    volume = np.where(np.isnan(close), np.nan, 100.0)
    settings = Universe(min_history=15, min_price=3.0, min_dollar_volume=900.0)
    symbols = tuple(Symbol(f"S{number:02d}") for number in range(20))

    inside = members(symbols, close, volume, settings, adjusted=False)

    for position in range(30):
        outside = {symbol for symbol, member in zip(symbols, inside[:, position], strict=True) if not member}
        assert set(absences(symbols, close, volume, settings, position)) == outside
