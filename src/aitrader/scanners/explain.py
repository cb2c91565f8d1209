"""Reasons in figures and words: what a value is, where it stands among the others, what it adds to a score."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from aitrader.domain.snapshot import BoolArray, FloatArray
from aitrader.panel.expr import Expr
from aitrader.scanners.scanner import Contributions, Reason, ScanView

NAN: Final = float("nan")

_SIGNS: Final = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_OPPOSITES: Final = {"gt": "<=", "ge": "<", "lt": ">=", "le": ">"}


def percentile(values: FloatArray, position: int, among: BoolArray) -> float:
    """Return where ``values[position]`` stands among the finite values of ``among``: 0 lowest, 1 highest.

    Half of the values equal to it count as below, so that the middle of equals is 0.5. NaN where the value itself, or
    every other, is not known.
    """
    known = among & np.isfinite(values)
    known[position] = False
    others = values[known]
    if not np.isfinite(values[position]) or not others.size:
        return NAN
    below = float(np.sum(others < values[position])) + 0.5 * float(np.sum(others == values[position]))
    return below / others.size


def largest_contributions(view: ScanView, model: str, position: int, count: int) -> tuple[Reason, ...]:
    """Return the features that move the model's score of a symbol most, by absolute contribution."""
    found = view.contributions[model]
    sizes = np.abs(found.parts[position])
    order = sorted(range(len(found.names)), key=lambda at: (-sizes[at], found.names[at]))[:count]
    return tuple(_contribution(view, found, at, position) for at in order if sizes[at] > 0)


def rule_reason(view: ScanView, rule: Expr, position: int) -> Reason:
    """Return what a rule found: both sides of a comparison as it really stands, or the value of another expression."""
    if not is_comparison(rule):
        return _measured(view, rule, position, _named_value(view, rule, position))
    left, right = rule.args
    holds = view.snapshot.features[rule.key][position] > 0
    sign = _SIGNS[rule.op] if holds else _OPPOSITES[rule.op]
    sides = (_named_value(view, left, position), _named_value(view, right, position))
    return _measured(view, left, position, f" {sign} ".join(sides))


def sides(rule: Expr) -> Sequence[Expr]:
    """Return the expressions whose values ``rule_reason`` tells: the rule, and the sides of a comparison."""
    return (rule, *(one for one in rule.args if one.op != "constant")) if is_comparison(rule) else (rule,)


def is_comparison(rule: Expr) -> bool:
    """Say whether the outermost operator compares two values."""
    return rule.op in _SIGNS


def written(expr: Expr) -> str:
    """Return an expression's text without the brackets around the whole.

    >>> from aitrader.panel.expr import column
    >>> written(column("close") > column("close").mean(50))
    'close > close.mean(50)'
    """
    wrapped = expr.op in _SIGNS or expr.op in {"add", "sub", "mul", "div", "pow"}
    return expr.key[1:-1] if wrapped and expr.key.startswith("(") else expr.key


def _contribution(view: ScanView, found: Contributions, at: int, position: int) -> Reason:
    name = found.names[at]
    value = float(found.values[position, at])
    place = percentile(found.values[:, at], position, view.snapshot.members)
    part = float(found.parts[position, at])
    where = "is missing" if np.isnan(value) else f"is {number(value)}"
    among = "" if np.isnan(place) else f", above {place:.0%} of the others"
    return Reason(name, value, place, part, f"{name} {where}{among}: {part:+.4g}")


def _measured(view: ScanView, quantity: Expr, position: int, text: str) -> Reason:
    values = view.snapshot.features[quantity.key]
    place = percentile(values, position, view.snapshot.members)
    return Reason(written(quantity), float(values[position]), place, NAN, text)


def _named_value(view: ScanView, quantity: Expr, position: int) -> str:
    if quantity.op == "constant":
        return quantity.key
    return f"{written(quantity)} ({number(float(view.snapshot.features[quantity.key][position]))})"


def number(value: float) -> str:
    """Return a value for a sentence: four significant digits, whole thousands in full.

    >>> number(0.065021), number(1229180.4)
    ('0.06502', '1,229,180')
    """
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
