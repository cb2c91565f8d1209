from datetime import date

import numpy as np
import pytest

from aitrader.domain.symbols import Symbol
from aitrader.panel.panel import Panel


@pytest.fixture
def panel(make_panel):
    return make_panel({"close": np.arange(12.0).reshape(3, 4), "open": np.ones((3, 4))})


def test_a_position_is_found_by_its_session(panel):
    assert panel.position(date(2020, 1, 3)) == 2


@pytest.mark.parametrize("day", [date(2019, 12, 31), date(2020, 1, 5)])
def test_a_day_outside_the_grid_is_refused(panel, day):
    with pytest.raises(ValueError, match=str(day)):
        panel.position(day)


def test_a_slice_keeps_all_columns_of_some_sessions(panel):
    part = panel.slice(1, 3)

    assert part["close"].tolist() == [[1, 2], [5, 6], [9, 10]]
    assert part.shape == part.members.shape == (3, 2)
    assert part["close"].flags.c_contiguous


def test_symbols_are_chosen_in_the_order_asked_for(panel):
    part = panel.select([Symbol("S002"), Symbol("S000")])

    assert part.symbols == ("S002", "S000")
    assert part["close"][0].tolist() == [8, 9, 10, 11]


def test_an_unknown_symbol_is_refused(panel):
    with pytest.raises(ValueError, match="NOPE"):
        panel.select([Symbol("NOPE")])


@pytest.mark.parametrize(
    ("sessions", "symbols", "column", "what"),
    [
        (["2020-01-02", "2020-01-01"], ("A", "B"), np.ones((2, 2)), "rise"),
        (["2020-01-01", "2020-01-01"], ("A", "B"), np.ones((2, 2)), "rise"),
        (["2020-01-01", "2020-01-02"], ("A", "A"), np.ones((2, 2)), "once"),
        (["2020-01-01", "2020-01-02"], ("A", "B"), np.ones((2, 3)), "column close"),
        (["2020-01-01", "2020-01-02"], ("A", "B"), np.ones((2, 2), np.float32), "column close"),
    ],
)
def test_a_grid_that_does_not_fit_is_refused(sessions, symbols, column, what):
    days = np.array(sessions, dtype="datetime64[D]")

    with pytest.raises(ValueError, match=what):
        Panel("XNYS", "1d", days, symbols, {"close": column}, np.ones((2, 2), bool))


def test_columns_cannot_be_replaced(panel):
    with pytest.raises(TypeError):
        panel.columns["close"] = panel["open"]
