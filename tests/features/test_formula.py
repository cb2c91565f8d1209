from functools import partial

import pytest

from aitrader.features.feature import load, spec_of
from aitrader.features.formula import LONG, formula
from aitrader.panel.expr import column, maximum
from aitrader.panel.parse import parse

CLOSE, OPEN = column("close"), column("open")


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        ((CLOSE / OPEN).log().std(20) + 1, "log(close / open).std(20) + 1"),
        (CLOSE - (OPEN - 1) - 2, "close - (open - 1) - 2"),
        (CLOSE / (OPEN / 2) * 3, "close / (open / 2) * 3"),
        ((CLOSE - OPEN) * 2 > OPEN / 2 + 1, "(close - open) * 2 > open / 2 + 1"),
        ((CLOSE > OPEN) > (OPEN > 1), "(close > open) > (open > 1)"),
        ((CLOSE * 2) ** 2 * -CLOSE, "((close * 2) ** 2) * (-close)"),
        ((CLOSE - OPEN).corr(CLOSE + OPEN, 20), "(close - open).corr(close + open, 20)"),
    ],
)
def test_an_expression_has_no_more_brackets_than_it_needs(expr, text):
    shown = formula(expr)

    assert (shown.text, shown.where) == (text, ())
    assert parse(shown.text, features={}) == expr


def test_a_long_one_names_what_it_uses_twice():
    change = CLOSE - CLOSE.shift(1)
    up, down = maximum(change, 0).wilder(14), maximum(-change, 0).wilder(14)

    shown = formula(100 * up / (up + down) + CLOSE.log())

    assert shown.lines == (
        "x1 = close - close.shift(1)",
        "x2 = max(x1, 0).wilder(14)",
        "100 * x2 / (x2 + max(-x1, 0).wilder(14)) + log(close)",
    )


def test_no_line_grows_without_end():
    growing = CLOSE
    for bars in range(2, 40):
        growing = growing.mean(bars) / OPEN.max(bars) + growing.shift(bars)

    assert max(len(line) for line in formula(growing).lines) < 3 * LONG


def test_the_shown_formulas_are_the_features():
    misread = set()
    for name, known in load().items():
        expr, parts = spec_of(known).expr, {}
        shown = formula(expr)
        for part, text in shown.where:
            parts[part] = partial(lambda read: read, parse(text, features=parts))
        if parse(shown.text, features=parts) != expr:
            misread.add(name)

    assert misread == set()
