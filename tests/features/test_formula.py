from functools import partial

from aitrader.features.feature import load, spec_of
from aitrader.features.formula import LONG, formula
from aitrader.panel.expr import column, maximum
from aitrader.panel.parse import parse

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
