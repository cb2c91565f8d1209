"""The operators of the feature language by name, and how each one reads as text."""

from collections.abc import Sequence
from typing import Final

Param = int | float | str

BINARY: Final = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "pow": "**", "gt": ">", "ge": ">=", "lt": "<", "le": "<=",
}  # fmt: skip
UNARY: Final = ("abs", "log", "sqrt", "exp", "sign")
FUNCTIONS: Final = {"where": "where", "minimum": "min", "maximum": "max", "share_of": "share_of"}
ELEMENTWISE: Final = frozenset({*BINARY, *UNARY, *FUNCTIONS, "neg"})

ROLLING: Final = (
    "sum", "mean", "std", "var", "skew", "kurt", "min", "max", "argmin", "argmax", "median", "quantile", "rank",
    "slope", "rsquare", "residual", "wma", "mad", "product", "fracdiff", "tail_mean", "max_drawdown", "adjusted_range",
    "entropy",
)  # fmt: skip
"""Parameters: bars, min_periods, then what ``EXTRA`` names."""

PAIRED: Final = ("corr", "cov", "beta")
"""As ``ROLLING``, with a second series."""

EVENTS: Final = ("latest", "since", "turn", "turn_age", "turn_side")
"""Of the newest values that are there, or of two series' turns. Parameters: bars, which."""

RECURSIVE: Final = ("ema", "ewm", "wilder", "wilder_sum", "cumsum", "adaptive_mean", "sar", "supertrend", "sum_since")
GROUPED: Final = ("rank_across", "zscore_across", "demean_across", "mean_across")
"""Cross-sections that may be of groups alone. Parameter: the name of the groups, if any."""

ACROSS_WINDOWS: Final = ("correlation_across", "eigenvalue_across")
"""Cross-sections of windows; parameter: bars."""

_ACROSS: Final = (*GROUPED, "winsorize_across", "neutralize_across", *ACROSS_WINDOWS)
CROSS: Final = frozenset({*_ACROSS, "of_symbol"})

VIEWS: Final = {"daily": 1, "weekly": 7, "monthly": 31, "within_session": 1}
"""What computes its argument on other bars than the panel's, and the most sessions that one of those spans."""

METHODS: Final = frozenset({"shift", "count", *ROLLING, *PAIRED, *EVENTS, *RECURSIVE, *_ACROSS})
"""What text may call; ``of_symbol`` is for the configured market alone."""

EXTRA: Final = {"std": ("ddof", 1), "var": ("ddof", 1), "argmin": ("oldest", 0), "argmax": ("oldest", 0)}
"""Further parameter of a rolling operator, and its default, which stays unwritten."""


POSITIONAL: Final = ("quantile", "fracdiff", "tail_mean", "entropy")
"""Rolling operators whose further parameter stands after the bars."""


def group_of(op: str, params: Sequence[Param]) -> str | None:
    """Return the groups within which a cross-section compares; None: everybody with everybody."""
    return str(params[0]) if op in GROUPED and params else None


def text_of(op: str, args: Sequence[str], params: Sequence[Param]) -> str:
    """Return how ``op`` reads, given how its arguments read.

    >>> text_of("std", ["close"], [20, 20, 1]), text_of("mean", ["close"], [20, 5])
    ('close.std(20)', 'close.mean(20, min_periods=5)')
    """
    if op == "column":
        return str(params[0])
    if op in {"age", "calendar"}:
        return f"{params[0] if params else op}()"
    if op == "constant":
        written = _number(params[0])
        return f"({written})" if written.startswith("-") else written
    if op in BINARY:
        return f"({args[0]} {BINARY[op]} {args[1]})"
    if op == "neg":
        return f"(-{args[0]})"
    if op in {*UNARY, *FUNCTIONS, *VIEWS}:
        return f"{FUNCTIONS.get(op, op)}({', '.join(args)})"
    receiver = f"({args[0]})" if args[0][0].isdigit() else args[0]
    return f"{receiver}.{op}({', '.join(_arguments(op, args[1:], params))})"


def _arguments(op: str, others: Sequence[str], params: Sequence[Param]) -> list[str]:
    if op in {*ROLLING, *PAIRED}:
        return [*others, *_window(op, params)]
    if op in GROUPED:
        return [f"by={name}" for name in params]
    shown = params[:1] if op == "ema" and params[1] == 0 else params
    return [*others, *map(_number, shown)]


def _window(op: str, params: Sequence[Param]) -> list[str]:
    bars, least, *extra = params
    written = [str(bars)]
    if op in POSITIONAL:
        written.append(_number(extra[0]))
    if least != bars:
        written.append(f"min_periods={least}")
    if op in EXTRA and extra[0] != EXTRA[op][1]:
        written.append(f"{EXTRA[op][0]}={extra[0]}")
    return written


def _number(value: Param) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value)
