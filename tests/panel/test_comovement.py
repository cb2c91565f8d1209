"""Correlations among the members, and what a fit across them leaves, against NumPy on one session at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aitrader.panel.expr import column
from aitrader.panel.parse import parse
from aitrader.panel.plan import lookback, plan
from aitrader.panel.scale import level_dependent

X, Y, Z = column("x"), column("y"), column("z")
NAN = np.nan

numbers = st.one_of(st.just(NAN), st.integers(-8, 8).map(lambda n: n / 2))
grids = arrays(np.float64, st.tuples(st.integers(2, 8), st.integers(1, 9)), elements=numbers)


def _correlations(x, members, end, bars):
    """Return the rows that count and their correlation matrix."""
    window = x[:, end - bars + 1 : end + 1]
    whole = members[:, end] & ~np.isnan(window).any(axis=1)
    rows = [row for row in np.flatnonzero(whole) if np.ptp(window[row]) > 0]
    return rows, np.corrcoef(window[rows]) if len(rows) > 1 else None


@settings(max_examples=120, deadline=None)
@given(x=grids, bars=st.integers(2, 5), least=st.integers(1, 4), data=st.data())
def test_windows_of_the_members_are_correlated(value, x, bars, least, data):
    members = data.draw(arrays(bool, x.shape))

    mean = value(X.correlation_across(bars), members=members, min_names=least, x=x)
    largest = value(X.eigenvalue_across(bars), members=members, min_names=least, x=x)

    for end in range(x.shape[1]):
        rows, matrix = _correlations(x, members, end, bars) if end >= bars - 1 else ([], None)
        expected, share = np.full(len(x), NAN), NAN
        if matrix is not None and len(rows) >= least:
            expected[rows] = (matrix.sum(axis=1) - 1) / (len(rows) - 1)
            share = np.linalg.eigvalsh(matrix)[-1] / len(rows)
        np.testing.assert_allclose(mean[:, end], expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(largest[:, end], np.full(len(x), share), rtol=1e-5, atol=1e-6)


def test_average_and_largest_eigenvalue_of_real_sized_matrices(value):
    common, own = np.random.default_rng(2).normal(size=(1, 70)), np.random.default_rng(3).normal(size=(120, 70))
    x = common + 1.5 * own

    matrix = np.corrcoef(x[:, -60:])
    average = (matrix.sum() - 120) / (120 * 119)

    assert value(X.correlation_across(60).mean_across(), x=x)[0, -1] == pytest.approx(average, rel=1e-6)
    share = value(X.eigenvalue_across(60), x=x)[0, -1]
    assert share == pytest.approx(np.linalg.eigvalsh(matrix)[-1] / 120, rel=1e-6)


def test_all_alike_is_one_and_a_constant_takes_no_part(value):
    row = np.random.default_rng(4).normal(size=20)
    x = np.array([row, 2 * row + 1, 0.1 * row, np.full(20, 0.3)])

    assert value(X.correlation_across(20), x=x)[:, -1] == pytest.approx([1, 1, 1, NAN], nan_ok=True)
    assert value(X.eigenvalue_across(20), x=x)[:, -1] == pytest.approx([1] * 4)


@pytest.mark.parametrize("expr", [X.correlation_across(30), X.eigenvalue_across(30), X.neutralize_across(Y, Z)])
def test_the_order_of_the_symbols_and_others_change_no_bit(make_panel, expr):
    x, y, z = np.random.default_rng(2).normal(size=(3, 40, 45)) * 10.0 ** np.arange(-20, 20)[:, None]
    members = np.ones((40, 45), dtype=bool)
    members[35:] = False
    panel = make_panel({"x": x, "y": y, "z": z}, members=members)
    order = np.random.default_rng(3).permutation(40)
    program = plan([expr])
    full = program.run(panel)

    shuffled = program.run(panel.select([panel.symbols[row] for row in order]))
    without = program.run(panel.select(panel.symbols[:35]))

    np.testing.assert_array_equal(shuffled, full[:, order])
    np.testing.assert_array_equal(without, full[:, :35])


def test_a_window_across_needs_its_bars(make_panel):
    x = np.random.default_rng(5).normal(size=(12, 80))
    panel, program = make_panel({"x": x}), plan([X.eigenvalue_across(20).mean(5)])

    assert lookback(program.exprs[0]) == 23
    day = program.run(panel.slice(60 - 23, 61))[0, :, -1]
    np.testing.assert_array_equal(day, program.run(panel)[0, :, 60])


@settings(max_examples=120, deadline=None)
@given(x=grids, least=st.integers(1, 4), data=st.data())
def test_what_a_fit_across_the_members_leaves(value, x, least, data):
    y, z = (data.draw(arrays(np.float64, x.shape, elements=numbers)) for _ in range(2))
    members = data.draw(arrays(bool, x.shape))

    got = value(X.neutralize_across(Y, Z), members=members, min_names=least, x=x, y=y, z=z)

    for bar in range(x.shape[1]):
        known = members[:, bar] & ~np.isnan(x[:, bar] + y[:, bar] + z[:, bar])
        expected = np.full(len(x), NAN)
        if known.sum() >= max(least, 4):
            fit = np.column_stack([np.ones(known.sum()), y[known, bar], z[known, bar]])
            expected[known] = x[known, bar] - fit @ np.linalg.lstsq(fit, x[known, bar], rcond=1e-10)[0]
        np.testing.assert_allclose(got[:, bar], expected, rtol=1e-5, atol=1e-6)


def test_against_itself_or_twice_the_same_nothing_more_is_fitted(value):
    x, y = np.random.default_rng(6).normal(size=(2, 30, 1))

    assert value(X.neutralize_across(X), x=x)[:, 0] == pytest.approx(np.zeros(30), abs=1e-12)
    once, twice = (value(X.neutralize_across(*others), x=x, y=y)[:, 0] for others in ((Y,), (Y, 3 * Y)))
    assert twice == pytest.approx(once, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "x.neutralize_across(y, z)",
        "x.neutralize_across((y / z))",
        "x.correlation_across(60)",
        "x.eigenvalue_across(60).mean_across()",
    ],
)
def test_text_reads_back(text):
    assert parse(text, columns=("x", "y", "z")).key == text


def test_the_level_is_seen_through_a_fit_and_not_through_a_correlation():
    assert level_dependent(parse("(close / open).neutralize_across(log(volume))"))
    assert not level_dependent(parse("(close / open).neutralize_across((high / low))"))
    assert not level_dependent(parse("log(close).correlation_across(20)"))


def test_nothing_to_neutralize_against_is_refused():
    with pytest.raises(ValueError, match="nothing"):
        X.neutralize_across()


def test_a_series_whose_squares_float64_cannot_hold_takes_no_part(value):
    x = np.random.default_rng(4).normal(size=(4, 20))
    wild = x.copy()
    wild[1] *= 1e200

    for expr in (X.correlation_across(10), X.eigenvalue_across(10)):
        got, expected = value(expr, x=wild), value(expr, x=x[[0, 2, 3]])
        np.testing.assert_array_equal(got[[0, 2, 3]], expected)
    assert np.isnan(value(X.correlation_across(10), x=wild)[1]).all()
