"""One program for many expressions, and what can be said of an expression without running it.

>>> from aitrader.panel.expr import column
>>> lookback(column("close") / column("close").shift(20) - 1)
20
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from aitrader.panel.expr import Expr
from aitrader.panel.lower import Lowering
from aitrader.panel.operators import ACROSS_WINDOWS, CROSS, EVENTS, PAIRED, RECURSIVE, ROLLING, VIEWS, group_of

if TYPE_CHECKING:
    from aitrader.panel.program import Program, View

KERNEL_VERSION: Final = 3
"""Rises when a kernel's bits change, which makes every stored feature stale."""


def plan(exprs: Sequence[Expr], session_bars: int = 1) -> "Program":
    """Return the program that computes ``exprs``, common sub-expressions once.

    ``session_bars`` are the bars of the panel's longest session (``timeline.bars_per_session``): on them depends how
    many bars a view of longer ones needs before the first wanted one.
    """
    # Compiled kernels take half a second to load, which commands that compute nothing do not pay.
    from aitrader.panel.assemble import before, passes
    from aitrader.panel.program import Program

    lowering = Lowering()
    lowered = {place: lowering.feature(exprs[place]) for place in _in_company(exprs)}
    wanted = [lowered[place] for place in range(len(exprs))]
    needs = before(lowering, wanted)
    window = max(needs.values(), default=0)
    views = {
        number: _view(Expr(part.op, part.params), needs[number], session_bars)
        for number, part in enumerate(lowering.instructions)
        if part.op in VIEWS
    }
    lags = {digest: needs[number] for number, digest in lowering.recursions.items()}
    for view in views.values():
        lags |= view.lags
    return Program(
        exprs=tuple(exprs),
        instructions=tuple(lowering.instructions),
        passes=passes(lowering, wanted),
        warmup=max([window, *(view.reach for view in views.values())]),
        window=window,
        recursions=lowering.recursions,
        lags=lags,
        views=views,
    )


def _view(expr: Expr, need: int, session_bars: int) -> "View":
    """Return a view that must be right ``need`` bars before the first wanted one."""
    from aitrader.panel.assemble import before, whole
    from aitrader.panel.program import Program, View

    lowering = Lowering()
    number = lowering.grid(expr.args[0])
    needs = before(lowering, [(number,)])
    # Over so many bars of the panel at most one longer bar more is seen, and so much earlier a state has to stand.
    back = need + 1 if lowering.recursions else 0
    window = max(needs.values()) + back
    program = Program(
        exprs=expr.args,
        instructions=tuple(lowering.instructions),
        passes=whole(lowering, number),
        warmup=window,
        window=window,
        recursions=lowering.recursions,
        lags={digest: needs[part] + back for part, digest in lowering.recursions.items()},
        views={},
    )
    longer = (program.warmup + 2) * VIEWS[expr.op] * session_bars
    return View(expr, program, columns_of(expr), need + (session_bars if expr.op == "within_session" else longer))


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


def lookback(expr: Expr, session_bars: int = 1) -> int | None:
    """Return how many bars before the current one ``expr`` needs; None: all, it is recursive.

    ``session_bars`` are the bars of the panel's longest session (``timeline.bars_per_session``).
    """
    return _lookback(expr, {}, session_bars)


def columns_of(expr: Expr) -> frozenset[str]:
    """Return the names of the columns that ``expr`` reads; longer bars weight ``vwap`` by the volume."""
    parts = list(walk(expr))
    names = {str(part.params[0]) for part in parts if part.op == "column"}
    if any(part.op in VIEWS for part in parts):
        names |= {name.replace("vwap", "volume") for name in names}
    return frozenset(names)


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


def _lookback(expr: Expr, known: dict[Expr, int | None], session_bars: int) -> int | None:
    if expr not in known:
        own = _own_lookback(expr)
        below = [_lookback(arg, known, session_bars) for arg in expr.args]
        if expr.op == "within_session":
            known[expr] = session_bars - 1
        elif own is None or None in below:
            known[expr] = None
        else:
            deepest = max((bars for bars in below if bars is not None), default=0)
            # A view reaches back over so many closed longer bars, and the running one.
            known[expr] = (deepest + 2) * VIEWS[expr.op] * session_bars - 2 if expr.op in VIEWS else own + deepest
    return known[expr]


def _own_lookback(expr: Expr) -> int | None:
    if expr.op in RECURSIVE:
        return None
    if expr.op == "shift":
        return int(expr.params[0])
    if expr.op in {*ROLLING, *PAIRED, *EVENTS, *ACROSS_WINDOWS, "count"}:
        return int(expr.params[0]) - 1
    return 0
