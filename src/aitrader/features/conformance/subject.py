"""What is put to the test: columns with what they claim, and a way to compute them on any panel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from aitrader.features.feature import FeatureSpec
from aitrader.features.said import Bounds, bounds, filled, first_value
from aitrader.panel.panel import Panel
from aitrader.panel.plan import columns_of, plan, walk
from aitrader.panel.scale import level_dependent

if TYPE_CHECKING:
    from aitrader.panel.program import Program

Values = NDArray[np.float32]
"""Shape (columns, symbols, sessions)."""

COMPARISONS: Final = ("gt", "ge", "lt", "le")

MIN_NAMES = 5
"""Members that a cross-section of the made-up market needs."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a column says about itself. ``lookback`` is in bars; None: recursive.

    ``level_seen`` is what its formula tells about the level of prices and volume; None: there is no formula, or
    nobody declared the level beside it. Without ``reads_bars`` it is a matter of the calendar alone. ``event``: it
    asks whether something holds, which may never happen. ``first`` is the bar of its first value, counted from 1, and
    ``bounds`` what its values lie between, where its docstring names them.
    """

    name: str
    lookback: int | None
    looks_across: bool = False
    raw_level: bool = False
    level_seen: bool | None = None
    reads_bars: bool = True
    event: bool = False
    first: int | None = None
    bounds: Bounds | None = None


Compute = Callable[[Panel, Sequence[int]], Values]
"""The values of the columns at some positions on a panel."""

Resume = Callable[[Panel, Sequence[int]], Values]
"""Every column's values on a panel, built in parts that begin at some bars, each going on from the one before."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Columns under test. ``warmup`` is how many bars before the first wanted one any of them needs.

    ``named`` are symbols that some of them compare with, and that therefore have to be in the panel.
    """

    claims: tuple[Claim, ...]
    compute: Compute
    resume: Resume
    warmup: int = 0
    named: tuple[str, ...] = ()


def subject_of(specs: Sequence[FeatureSpec]) -> Subject:
    """Return features as a subject; those that are computed together run as one program."""

    @cache
    def program(chosen: tuple[int, ...]) -> "Program":
        return plan([specs[position].expr for position in chosen])

    def compute(panel: Panel, chosen: Sequence[int]) -> Values:
        return program(tuple(chosen)).run(panel, min_names=MIN_NAMES)

    def resume(panel: Panel, cuts: Sequence[int]) -> Values:
        return _in_parts(whole, panel, cuts)

    whole = program(tuple(range(len(specs))))
    named = {str(part.params[0]) for spec in specs for part in walk(spec.expr) if part.op == "of_symbol"}
    return Subject(tuple(map(_claim, specs)), compute, resume, whole.warmup, tuple(sorted(named)))


def _in_parts(program: "Program", panel: Panel, cuts: Sequence[int]) -> Values:
    from aitrader.panel.program import Build  # heavy: the compiled kernels

    parts: list[Values] = []
    states = None
    for begin, end in pairwise([0, *cuts, panel.shape[1]]):
        start = max(begin - program.warmup, 0)
        values = np.empty((len(program.exprs), panel.shape[0], end - begin), dtype=np.float32)
        build = Build(program, panel.slice(start, end), min_names=MIN_NAMES, first=begin - start, resume=states)
        for _ in build.blocks(out=values):
            pass
        parts.append(values)
        states = build.states
    return np.concatenate(parts, axis=2)


def _claim(spec: FeatureSpec) -> Claim:
    settings = dict(spec.settings)
    return Claim(
        name=spec.name,
        lookback=spec.lookback,
        looks_across=spec.looks_across,
        raw_level=spec.raw_level,
        level_seen=None if spec.family == "custom" else level_dependent(spec.expr),
        reads_bars=bool(columns_of(spec.expr)),
        event=any(part.op in COMPARISONS for part in walk(spec.expr)),
        first=first_value(filled(spec.missing, settings)),
        bounds=bounds(filled(spec.unit, settings)),
    )
