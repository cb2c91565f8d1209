"""Cross-sections within groups: each group is a universe of its own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aitrader.domain.symbols import Symbol
from aitrader.errors import ConfigError
from aitrader.panel.expr import column
from aitrader.panel.panel import Panel
from aitrader.panel.parse import parse
from aitrader.panel.plan import groups_of, plan

X = column("x")
SECTORS = X.demean_across(by="sector")


def _panel(x, groups, members=None):
    symbols = tuple(Symbol(f"S{number:03d}") for number in range(len(x)))
    sessions = np.datetime64("2020-01-01") + np.arange(x.shape[1])
    members = np.ones(x.shape, dtype=bool) if members is None else members
    return Panel("XNYS", "1d", sessions, symbols, {"x": x}, members, groups=groups)


def _value(expr, x, groups, members=None, min_names=1):
    return plan([expr]).run(_panel(x, {"sector": groups}, members), min_names=min_names)[0]


numbers = st.one_of(st.just(np.nan), st.integers(-8, 8).map(float))
grids = arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 4)), elements=numbers)


@pytest.mark.parametrize("name", ["rank_across", "zscore_across", "demean_across", "mean_across"])
@settings(max_examples=60, deadline=None)
@given(x=grids, least=st.integers(1, 3), data=st.data())
def test_a_group_is_a_universe_of_its_own(name, x, least, data):
    members = data.draw(arrays(bool, x.shape))
    groups = data.draw(arrays(np.int64, x.shape, elements=st.integers(-1, 2)))

    got = _value(getattr(X, name)(by="sector"), x, groups, members, least)

    for group in range(-1, 3):
        inside = groups == group
        alone = _value(getattr(X, name)(), x, groups, members & inside, least)
        expected = np.full(x.shape, np.nan) if group < 0 else alone
        np.testing.assert_array_equal(got[inside], expected[inside])


def test_a_symbol_may_change_its_group():
    x = np.array([[1.0, 1.0], [3.0, 3.0], [9.0, 9.0]])
    groups = np.array([[0, 0], [0, 1], [1, 1]])

    got = _value(X.mean_across(by="sector"), x, groups)

    assert got.tolist() == [[2, 1], [2, 6], [9, 6]]


def test_groups_go_with_the_symbols_and_sessions():
    x = np.arange(12.0).reshape(3, 4)
    panel = _panel(x, {"sector": np.array([[0] * 4, [1] * 4, [0] * 4])})

    part = panel.select(panel.symbols[1:]).slice(2)

    assert part.group("sector").tolist() == [[1, 1], [0, 0]]


def test_data_without_such_groups_are_an_error_of_the_configuration():
    panel = _panel(np.ones((2, 2)), {"industry": np.zeros((2, 2), dtype=np.int64)})

    with pytest.raises(ConfigError, match="sector") as caught:
        plan([SECTORS]).run(panel)

    assert "industry" in caught.value.fix


def test_groups_have_the_shape_of_the_grid():
    with pytest.raises(ValueError, match=r"sector.*shape"):
        _panel(np.ones((2, 2)), {"sector": np.zeros(2, dtype=np.int64)})


def test_an_expression_tells_which_groups_it_needs():
    expr = SECTORS + X.rank_across(by="industry").mean(3) - X.rank_across()

    assert groups_of(expr) == {"sector", "industry"}


@pytest.mark.parametrize("text", ["x.rank_across(by=sector)", "x.mean_across(by=sector).mean(3)", "x.demean_across()"])
def test_text_reads_back(text):
    assert parse(text, columns=["x"]).key == text


def test_only_a_name_is_read_as_groups():
    with pytest.raises(ConfigError, match="name of groups"):
        parse("x.rank_across(by=3)", columns=["x"])
    with pytest.raises(ConfigError, match="no kind of groups 'sektor'") as caught:
        parse("x.rank_across(by=sektor)", columns=["x"])
    assert "'sector'" in caught.value.fix
    with pytest.raises(ValueError, match="name of groups"):
        X.rank_across(by="my sector")
