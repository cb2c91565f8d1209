"""One program for many expressions, and what can be said of an expression without running it.

>>> from aitrader.panel.expr import column
>>> lookback(column("close") / column("close").shift(20) - 1)
20
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from aitrader.panel.expr import Expr
from aitrader.panel.lower import Lowering
from aitrader.panel.operators import ACROSS_WINDOWS, CROSS, EVENTS, PAIRED, RECURSIVE, ROLLING, group_of

if TYPE_CHECKING:
    from aitrader.panel.program import Program

KERNEL_VERSION: Final = 2
"""Rises when a kernel's bits change, which makes every stored feature stale."""


def plan(exprs: Sequence[Expr]) -> "Program":
    """Return the program that computes ``exprs``, common sub-expressions once."""
    # Compiled kernels take half a second to load, which commands that compute nothing do not pay.
    from aitrader.panel.assemble import before, passes
    from aitrader.panel.program import Program

    lowering = Lowering()
    lowered = {place: lowering.feature(exprs[place]) for place in _in_company(exprs)}
    wanted = [lowered[place] for place in range(len(exprs))]
    needs = before(lowering, wanted)
    lags = {digest: needs[number] for number, digest in lowering.recursions.items()}
    return Program(
        exprs=tuple(exprs),
        instructions=tuple(lowering.instructions),
        passes=passes(lowering, wanted),
        warmup=max(needs.values(), default=0),
        recursions=lowering.recursions,
        lags=lags,
    )


def _in_company(exprs: Sequence[Expr]) -> list[int]:
    """Return the places of ``exprs`` so that those of one form stand together: then few results live at a time."""
    known: dict[Expr, int] = {}
    groups: dict[int, list[int]] = {}
    for place, expr in enumerate(exprs):
        groups.setdefault(_form(expr, known), []).append(place)
    return [place for group in groups.values() for place in group]


def _form(expr: Expr, known: dict[Expr, int]) -> int:
    """Return the same number for expressions that differ in their numbers only."""
    if expr not in known:
        names = expr.params if expr.op in {"column", "of_symbol"} else ()
        known[expr] = hash((expr.op, names, *(_form(arg, known) for arg in expr.args)))
    return known[expr]


def lookback(expr: Expr) -> int | None:
    """Return how many bars before the current one ``expr`` needs; None: all, it is recursive."""
    return _lookback(expr, {})


def columns_of(expr: Expr) -> frozenset[str]:
    """Return the names of the columns that ``expr`` reads."""
    return frozenset(str(part.params[0]) for part in walk(expr) if part.op == "column")


def looks_across(expr: Expr) -> bool:
    """Say whether ``expr`` compares symbols, so that its values depend on the universe."""
    return any(part.op in CROSS for part in walk(expr))


def groups_of(expr: Expr) -> frozenset[str]:
    """Return the names of the groups within which ``expr`` compares symbols."""
    found = (group_of(part.op, part.params) for part in walk(expr))
    return frozenset(name for name in found if name is not None)


def walk(expr: Expr) -> Iterator[Expr]:
    """Yield every distinct part of ``expr``, itself first."""
    seen: set[Expr] = set()
    waiting = [expr]
    while waiting:
        part = waiting.pop()
        if part not in seen:
            seen.add(part)
            yield part
            waiting.extend(part.args)


def _lookback(expr: Expr, known: dict[Expr, int | None]) -> int | None:
    if expr not in known:
        own = _own_lookback(expr)
        below = [_lookback(arg, known) for arg in expr.args]
        if own is None or None in below:
            known[expr] = None
        else:
            known[expr] = own + max((bars for bars in below if bars is not None), default=0)
    return known[expr]


def _own_lookback(expr: Expr) -> int | None:
    if expr.op in RECURSIVE:
        return None
    if expr.op == "shift":
        return int(expr.params[0])
    if expr.op in {*ROLLING, *PAIRED, *EVENTS, *ACROSS_WINDOWS, "count"}:
        return int(expr.params[0]) - 1
    return 0
