import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aitrader.errors import ConfigError
from aitrader.panel.expr import column

X = column("x")
NAN = np.nan
numbers = st.one_of(st.just(np.nan), st.integers(-8, 8).map(float))
grids = arrays(np.float64, st.tuples(st.integers(1, 14), st.integers(1, 5)), elements=numbers)


def _mean_ranks(values):
    return np.array([(values < v).sum() + ((values == v).sum() + 1) / 2 for v in values])


REFERENCES = {
    "rank_across": lambda v: (_mean_ranks(v) - 0.5) / len(v),
    "demean_across": lambda v: v - v.mean(),
    "zscore_across": lambda v: (v - v.mean()) / v.std(ddof=1) if len(v) > 1 and np.ptp(v) else np.full(len(v), NAN),
    "winsorize_across": lambda v: np.clip(v, *np.quantile(v, [0.01, 0.99])),
}


@pytest.mark.parametrize("name", REFERENCES)
@settings(max_examples=80, deadline=None)
@given(x=grids, data=st.data())
def test_members_with_a_value_are_compared_and_nobody_else(value, name, x, data):
    members = data.draw(arrays(bool, x.shape))
    least = data.draw(st.integers(1, 5))

    got = value(getattr(X, name)(), members=members, min_names=least, x=x)

    for session in range(x.shape[1]):
        inside = members[:, session] & ~np.isnan(x[:, session])
        expected = np.full(len(x), NAN)
        if inside.sum() >= least:
            expected[inside] = REFERENCES[name](x[inside, session])
        np.testing.assert_allclose(got[:, session], expected, rtol=1e-5, atol=1e-6)


def test_the_members_mean_is_told_to_everybody(value):
    members = np.array([[True], [True], [False]])

    got = value(X.mean_across(), members=members, min_names=2, x=[[1.0], [2.0], [60.0]])

    assert got[:, 0].tolist() == [1.5, 1.5, 1.5]


def test_too_few_names_have_no_mean(value):
    assert np.isnan(value(X.mean_across(), min_names=10, x=np.ones((9, 1)))).all()


def test_equal_values_have_no_score_and_no_distance(value):
    x = np.full((7, 1), 0.1)

    assert np.isnan(value(X.zscore_across(), x=x)).all()
    assert set(value(X.demean_across(), x=x)[:, 0]) == {0.0}


def test_the_order_of_the_symbols_changes_no_bit(make_panel):
    from aitrader.panel.plan import plan

    x = np.random.default_rng(2).normal(size=(40, 30)) * 10.0 ** np.arange(-20, 20)[:, None]
    panel = make_panel({"x": x})
    order = np.random.default_rng(3).permutation(40)
    program = plan([X.zscore_across(), X.demean_across().mean(5), X.rank_across(), X.mean_across()])

    shuffled = program.run(panel.select([panel.symbols[row] for row in order]))

    np.testing.assert_array_equal(shuffled, program.run(panel)[:, order])


def test_a_cross_section_of_a_window_of_a_cross_section(value):
    x = np.random.default_rng(4).normal(size=(12, 20))
    ranks = (np.argsort(np.argsort(x, axis=0), axis=0) + 0.5) / 12
    means = np.array([ranks[:, t - 2 : t + 1].mean(axis=1) for t in range(2, 20)]).T

    got = value(X.rank_across().mean(3).demean_across() * 2, x=x)

    np.testing.assert_allclose(got[:, 2:], 2 * (means - means.mean(axis=0)), rtol=1e-5, atol=1e-6)


def test_one_symbol_can_be_the_market(value):
    assert value(X.of_symbol("S001"), x=[[1.0, 2.0], [3.0, NAN]])[0].tolist()[0] == 3.0


def test_a_market_without_bars_is_an_error_of_the_configuration(value):
    with pytest.raises(ConfigError, match="SPY"):
        value(X.of_symbol("SPY"), x=[1.0])
