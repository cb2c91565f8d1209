"""Reasons in figures and words: what a value is, where it stands among the others, what it adds to a score."""

from collections.abc import Sequence

import numpy as np

from aitrader.domain.snapshot import BoolArray, FloatArray
from aitrader.panel.expr import Expr
from aitrader.scanners.scanner import Contributions, Reason, ScanView

NAN = float("nan")


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
    """Return what a rule found: both sides of a comparison, or the value of any other expression."""
    if is_comparison(rule):
        left, right = rule.args
        text = f"{left.key} is {_value(view, left, position)}"
        if right.op != "constant":
            text += f", {right.key} is {_value(view, right, position)}"
        return _measured(view, left, position, f"{text} ({rule.key})")
    return _measured(view, rule, position, f"{rule.key} is {_value(view, rule, position)}")


def sides(rule: Expr) -> Sequence[Expr]:
    """Return the expressions whose values ``rule_reason`` tells: the rule, and the sides of a comparison."""
    return (rule, *(one for one in rule.args if one.op != "constant")) if is_comparison(rule) else (rule,)


def is_comparison(rule: Expr) -> bool:
    """Say whether the outermost operator compares two values."""
    return rule.op in {"gt", "ge", "lt", "le"}


def _contribution(view: ScanView, found: Contributions, at: int, position: int) -> Reason:
    name = found.names[at]
    value = float(found.values[position, at])
    place = percentile(found.values[:, at], position, view.snapshot.members)
    part = float(found.parts[position, at])
    where = "is missing" if np.isnan(value) else f"is {value:.4g}"
    among = "" if np.isnan(place) else f", above {place:.0%} of the others"
    return Reason(name, value, place, part, f"{name} {where}{among}: {part:+.4g}")


def _measured(view: ScanView, quantity: Expr, position: int, text: str) -> Reason:
    values = view.snapshot.features[quantity.key]
    place = percentile(values, position, view.snapshot.members)
    return Reason(quantity.key, float(values[position]), place, NAN, text)


def _value(view: ScanView, quantity: Expr, position: int) -> str:
    return f"{view.snapshot.features[quantity.key][position]:.6g}"
