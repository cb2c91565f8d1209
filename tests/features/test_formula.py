import pytest

from aitrader.features.feature import load, spec_of
from aitrader.features.formula import LONG, formula
from aitrader.features.resolve import resolve
from aitrader.panel.expr import column, maximum

CLOSE, OPEN = column("close"), column("open")


def test_a_short_expression_is_its_canonical_text():
    shown = formula((CLOSE / OPEN).log().std(20) + 1)

    assert (shown.text, shown.where) == ("log((close / open)).std(20) + 1", ())


def test_a_long_one_names_what_it_uses_twice():
    change = CLOSE - CLOSE.shift(1)
    up, down = maximum(change, 0).wilder(14), maximum(-change, 0).wilder(14)

    shown = formula(100 * up / (up + down) + CLOSE.log())

    assert shown.lines == (
        "x1 = close - close.shift(1)",
        "x2 = max(x1, 0).wilder(14)",
        "((100 * x2) / (x2 + max((-x1), 0).wilder(14))) + log(close)",
    )


def test_no_line_grows_without_end():
    growing = CLOSE
    for bars in range(2, 40):
        growing = growing.mean(bars) / OPEN.max(bars) + growing.shift(bars)

    assert max(len(line) for line in formula(growing).lines) < 3 * LONG


@pytest.mark.parametrize("name", load())
def test_the_shown_formula_is_the_feature(name):
    expr = spec_of(load()[name]).expr
    shown = formula(expr)

    (read,) = resolve(["shown"], sets={}, custom={**dict(shown.where), "shown": shown.text})

    assert read.expr == expr
