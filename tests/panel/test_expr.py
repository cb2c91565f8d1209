import numpy as np
import pytest

from aitrader.panel.expr import column, constant, maximum, minimum, where

CLOSE, OPEN = column("close"), column("open")


def test_equal_texts_are_equal_expressions():
    assert column("close") / column("open") - 1 == CLOSE / OPEN - 1
    assert hash(CLOSE.mean(5)) == hash(column("close").mean(5))
    assert CLOSE.mean(5) != CLOSE.mean(6)
    assert CLOSE - OPEN != OPEN - CLOSE


def test_an_expression_reads_as_its_formula():
    assert (2 * (CLOSE.log() - OPEN.mean(5, 3)).abs()).key == "(2 * abs((log(close) - open.mean(5, min_periods=3))))"
    assert where(CLOSE > OPEN, minimum(CLOSE, 3), -OPEN).key == "where((close > open), min(close, 3), (-open))"
    assert CLOSE.corr(OPEN, 20).key == "close.corr(open, 20)"
    assert CLOSE.std(20, ddof=0).key == "close.std(20, ddof=0)"


def test_looking_ahead_cannot_be_written():
    with pytest.raises(ValueError, match="looks ahead"):
        CLOSE.shift(-1)


def test_a_shift_by_nothing_is_the_series_itself():
    assert CLOSE.shift(0) == CLOSE


@pytest.mark.parametrize("bars", [0, -3, 2.5, True, None])
def test_a_window_is_a_positive_whole_number(bars):
    with pytest.raises(ValueError, match="mean"):
        CLOSE.mean(bars)


def test_a_window_cannot_ask_for_more_than_it_holds():
    with pytest.raises(ValueError, match="min_periods 6"):
        CLOSE.mean(5, 6)


def test_a_condition_is_no_truth_in_python():
    with pytest.raises(TypeError, match="where"):
        bool(CLOSE > OPEN)
    with pytest.raises(TypeError, match="where"):
        0 < CLOSE < 1  # noqa: B015 - the comparison raises


@pytest.mark.parametrize("number", [np.inf, np.nan])
def test_constants_are_finite(number):
    with pytest.raises(ValueError, match="finite"):
        constant(number)


def test_expressions_cannot_be_changed():
    with pytest.raises(AttributeError):
        CLOSE.op = "open"


X = [1.0, -2.0, np.nan, 4.0]
Y = [2.0, 0.0, 1.0, np.nan]
NAN = np.nan


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (column("x") + column("y"), [3, -2, NAN, NAN]),
        (3 - column("x"), [2, 5, NAN, -1]),
        (column("x") * column("y"), [2, 0, NAN, NAN]),
        (column("x") / column("y"), [0.5, NAN, NAN, NAN]),
        (1 / column("y"), [0.5, NAN, 1, NAN]),
        (column("x") ** 2, [1, 4, NAN, 16]),
        (column("x") ** 0.5, [1, NAN, NAN, 2]),
        (-column("x"), [-1, 2, NAN, -4]),
        (column("x").abs(), [1, 2, NAN, 4]),
        (column("x").sign(), [1, -1, NAN, 1]),
        (column("x").log(), [0, NAN, NAN, np.log(4)]),
        (column("y").log(), [np.log(2), NAN, 0, NAN]),
        (column("x").sqrt(), [1, NAN, NAN, 2]),
        (column("y").exp(), [np.exp(2), 1, np.e, NAN]),
        ((column("x") * 1000).exp(), [NAN, 0, NAN, NAN]),
        (column("x") > column("y"), [0, 0, NAN, NAN]),
        (column("x") >= 1, [1, 0, NAN, 1]),
        (column("x") < 1, [0, 1, NAN, 0]),
        (column("x") <= -2, [0, 1, NAN, 0]),
        (column("x").clip(-1, 2), [1, -1, NAN, 2]),
        (column("x").clip(upper=0), [0, -2, NAN, 0]),
        (maximum(column("x"), column("y")), [2, 0, NAN, NAN]),
        (minimum(column("x"), 0), [0, -2, NAN, 0]),
        (where(column("x") > 0, column("y"), 7), [2, 7, NAN, NAN]),
        (where(column("y") > 0, 1, column("x")), [1, -2, 1, NAN]),
        (constant(3) / 2 + 0 * 1, [1.5] * 4),
        (column("x").shift(1), [NAN, 1, -2, NAN]),
        (column("x").shift(9), [NAN] * 4),
        (column("x").count(2), [1, 2, 1, 1]),
        (column("x").cumsum(), [1, -1, NAN, 3]),
    ],
)
def test_values_by_hand(value, expr, expected):
    np.testing.assert_allclose(value(expr, x=X, y=Y)[0], expected, rtol=1e-6)


@pytest.mark.parametrize("infinite", [np.inf, -np.inf])
def test_an_infinite_input_is_missing(value, infinite):
    got = value(column("x").mean(2), x=[1.0, infinite, 2.0, 4.0])

    np.testing.assert_equal(got[0], np.array([NAN, NAN, NAN, 3], np.float32))


def test_what_float32_cannot_hold_is_missing(value):
    assert np.isnan(value(column("x") * 1e30, x=[1e30, 1.0])[0]).tolist() == [True, False]


@pytest.mark.parametrize("power", [0, -0.0])
def test_missing_to_the_power_of_nothing_is_missing(value, power):
    np.testing.assert_equal(value(column("x") ** power, x=[2.0, NAN, 0.0])[0], np.array([1, NAN, 1], np.float32))


def test_an_exponent_is_a_number():
    with pytest.raises(TypeError):
        CLOSE**OPEN
    with pytest.raises(TypeError):
        constant(2) ** CLOSE


NOTHING = constant(0) / 0


@pytest.mark.parametrize(
    "expr",
    [where(NOTHING, 1, 2), where(1, NOTHING, 2), NOTHING > 1, NOTHING <= 1, NOTHING < 1, NOTHING**0, NOTHING.sign()],
)
def test_what_numbers_alone_come_to_is_missing_where_one_of_them_is(value, expr):
    assert np.isnan(value(expr, x=[1.0, 2.0])).all()
    assert np.isnan(value(expr + 0 * column("x"), x=[1.0, 2.0])).all()


def test_a_choice_between_numbers_needs_only_the_one_chosen(value):
    assert value(where(0, NOTHING, 2), x=[1.0])[0].tolist() == [2]


@pytest.mark.parametrize(
    "expr", [column("x") * column("x"), column("x") + column("x"), 0 - column("x") - column("x"), column("x") ** 2]
)
def test_what_float64_cannot_hold_is_missing_before_anything_is_made_of_it(value, expr):
    x = [[1.5e308, 2.0], [1.0, 2.0], [2.0, 5.0], [3.0, 1.0]]

    assert np.isnan(value(1 / expr, x=x)[0]).tolist() == [True, False]
    assert np.isnan(value(expr.rank_across(), x=x)[:, 0]).tolist() == [True, False, False, False]
    assert np.isnan(value(expr.demean_across(), x=x)[:, 0]).tolist() == [True, False, False, False]


def test_numbers_at_both_ends_of_float64_are_compared(value):
    x, y = column("x"), column("y")
    exprs = [x > y, x >= y, x < y, x <= y, minimum(x, y) < 0, maximum(x, y) < 0]

    assert [value(expr, x=[1.7e308], y=[-1.7e308])[0, 0] for expr in exprs] == [1, 1, 0, 0, 1, 0]
