"""Whether an expression sees the level of prices or volume, which a split or an adjusted series changes.

Multiplying a symbol's prices by a constant, or its volume, multiplies an expression by powers of those constants
(its ``power``), or adds multiples of their logarithms (its ``logs``), or does something else. Only with neither is the
expression free of the level.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from aitrader.panel.expr import Expr
from aitrader.panel.operators import ACROSS_WINDOWS, CROSS, VIEWS

Pair = tuple[float, float]
"""An exponent or factor for prices, and one for volume."""

_NONE: Final[Pair] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """How a value answers when prices and volume are multiplied; ``any`` fits everything (the number 0)."""

    power: Pair = _NONE
    logs: Pair = _NONE
    any: bool = False

    @property
    def free(self) -> bool:
        """Whether the value does not answer at all."""
        return self.power == _NONE and self.logs == _NONE


FREE: Final = Scale()
Rule = Callable[[Expr, Sequence[Scale]], Scale | None]


def level_dependent(expr: Expr) -> bool:
    """Say whether values of ``expr`` change when a symbol's whole price or volume history is multiplied."""
    scale = _scale(expr, {})
    return scale is None or not scale.free


def _scale(expr: Expr, known: dict[Expr, Scale | None]) -> Scale | None:
    if expr not in known:
        below = [_scale(arg, known) for arg in expr.args]
        sound = [scale for scale in below if scale is not None]
        known[expr] = _rule(expr)(expr, sound) if len(sound) == len(below) else None
    return known[expr]


def _rule(expr: Expr) -> Rule:
    if expr.op in {"gt", "ge", "lt", "le"}:
        return lambda _, s: FREE if _alike(*s) else None
    if expr.op in CROSS and expr.op not in ACROSS_WINDOWS:
        return lambda _, s: FREE if all(scale.free for scale in s) else None
    return _RULES.get(expr.op, _unknown)


def _unknown(_: Expr, _scales: Sequence[Scale]) -> Scale | None:
    return None


def _column(expr: Expr, _: Sequence[Scale]) -> Scale | None:
    name = str(expr.params[0])
    if name == "volume":
        return Scale(power=(0.0, 1.0))
    return Scale(power=(1.0, 0.0)) if name in {"open", "high", "low", "close", "vwap"} else None


def _constant(expr: Expr, _: Sequence[Scale]) -> Scale:
    return Scale(any=expr.params[0] == 0)


def _alike(*scales: Scale) -> Scale | None:
    """Return the one scale of all operands, if they agree."""
    firm = [scale for scale in scales if not scale.any]
    if not firm:
        return Scale(any=True)
    return firm[0] if all(scale == firm[0] for scale in firm) else None


def _sum(expr: Expr, scales: Sequence[Scale]) -> Scale | None:
    left, right = scales
    if left.any or right.any or left.power != right.power:
        return _alike(left, right)
    if left.power != _NONE:
        return left
    sign = 1.0 if expr.op == "add" else -1.0
    return Scale(logs=_combine(left.logs, right.logs, sign))


def _product(expr: Expr, scales: Sequence[Scale]) -> Scale | None:
    left, right = scales
    sign = 1.0 if expr.op == "mul" else -1.0
    if left.logs == _NONE and right.logs == _NONE:
        return Scale(power=_combine(left.power, right.power, sign))
    logs, number = (left.logs, expr.args[1]) if right.free else (right.logs, expr.args[0])
    if number.op != "constant":
        return None
    factor = float(number.params[0])
    if sign > 0:
        return Scale(logs=_times(logs, factor))
    return Scale(logs=_times(logs, 1.0 / factor)) if right.free and factor else None


def _power(expr: Expr, scales: Sequence[Scale]) -> Scale | None:
    exponent = float(expr.args[1].params[0])
    return Scale(power=_times(scales[0].power, exponent)) if scales[0].logs == _NONE else None


def _times_power(factor: float) -> Rule:
    return lambda _, s: Scale(power=_times(s[0].power, factor)) if s[0].logs == _NONE else None


def _same(_: Expr, scales: Sequence[Scale]) -> Scale | None:
    return scales[0]


def _spread(factor: float) -> Rule:
    """Statistics of distances: an added logarithm drops out."""
    return lambda _, s: Scale(power=_times(s[0].power, factor))


def _log(_: Expr, scales: Sequence[Scale]) -> Scale | None:
    return Scale(logs=scales[0].power) if scales[0].logs == _NONE else None


def _exp(_: Expr, scales: Sequence[Scale]) -> Scale | None:
    return Scale(power=scales[0].logs) if scales[0].power == _NONE else None


def _where(_: Expr, scales: Sequence[Scale]) -> Scale | None:
    return _alike(*scales[1:]) if scales[0].free else None


def _pair(sign: float) -> Rule:
    return lambda _, s: Scale(power=_combine(s[0].power, s[1].power, sign))


def _free(_: Expr, _scales: Sequence[Scale]) -> Scale:
    return FREE


def _combine(left: Pair, right: Pair, sign: float) -> Pair:
    return left[0] + sign * right[0], left[1] + sign * right[1]


def _times(pair: Pair, factor: float) -> Pair:
    return pair[0] * factor, pair[1] * factor


_RULES: Final[dict[str, Rule]] = {
    "column": _column,
    "constant": _constant,
    "add": _sum,
    "sub": _sum,
    "mul": _product,
    "div": _product,
    "share_of": _product,
    "age": _free,
    "calendar": _free,
    **dict.fromkeys(VIEWS, _same),
    "pow": _power,
    "log": _log,
    "exp": _exp,
    "where": _where,
    "minimum": lambda _, s: _alike(*s),
    "maximum": lambda _, s: _alike(*s),
    "sqrt": _times_power(0.5),
    "neg": lambda _, s: Scale(s[0].power, _times(s[0].logs, -1.0)),
    **dict.fromkeys(("abs", "sum", "cumsum", "wilder_sum", "fracdiff"), _times_power(1.0)),
    **dict.fromkeys(
        ("shift", "mean", "min", "max", "median", "quantile", "wma", "ema", "ewm", "wilder", "tail_mean"), _same
    ),
    **dict.fromkeys(("std", "mad", "slope", "residual", "adjusted_range"), _spread(1.0)),
    "product": lambda _, s: FREE if s[0].free else None,
    "max_drawdown": lambda _, s: FREE if s[0].logs == _NONE else None,
    "entropy": _free,
    "adaptive_mean": lambda _, s: s[0] if s[1].free else None,
    **dict.fromkeys(("sar", "supertrend", "turn"), lambda _, s: _alike(*s)),
    "latest": _same,
    **dict.fromkeys(("since", "turn_age", "turn_side"), _free),
    "sum_since": lambda _, s: Scale(power=s[0].power) if s[0].logs == _NONE and s[1].free else None,
    "var": _spread(2.0),
    "cov": _pair(1.0),
    "beta": _pair(-1.0),
    **dict.fromkeys(("skew", "kurt", "argmin", "argmax", "rank", "count", "rsquare", "corr"), _free),
    **dict.fromkeys(ACROSS_WINDOWS, _free),
    "sign": lambda _, s: FREE if s[0].logs == _NONE else None,
}
