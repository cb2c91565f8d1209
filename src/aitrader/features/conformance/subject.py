"""What is put to the test: columns with what they claim, and a way to compute them on any panel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from aitrader.features.feature import FeatureSpec
from aitrader.panel.panel import Panel
from aitrader.panel.plan import plan, walk
from aitrader.panel.scale import level_dependent

Values = NDArray[np.float32]
"""Shape (columns, symbols, sessions)."""

MIN_NAMES = 5
"""Members that a cross-section of the made-up market needs."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a column says about itself. ``lookback`` is in bars; None: recursive.

    ``level_seen`` is what its formula tells about the level of prices and volume; None: there is no formula, or
    nobody declared the level beside it.
    """

    name: str
    lookback: int | None
    looks_across: bool = False
    raw_level: bool = False
    level_seen: bool | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """Columns under test. ``compute`` returns the values of those at some positions on a panel.

    ``named`` are symbols that some of them compare with, and that therefore have to be in the panel.
    """

    claims: tuple[Claim, ...]
    compute: Callable[[Panel, Sequence[int]], Values]
    named: tuple[str, ...] = ()

    @property
    def longest(self) -> int:
        """The longest lookback of a column that has one."""
        return max((claim.lookback for claim in self.claims if claim.lookback is not None), default=0)


def subject_of(specs: Sequence[FeatureSpec]) -> Subject:
    """Return features as a subject; those that are computed together run as one program."""

    @cache
    def program(chosen: tuple[int, ...]) -> Callable[..., Values]:
        return plan([specs[position].expr for position in chosen]).run

    def compute(panel: Panel, chosen: Sequence[int]) -> Values:
        return program(tuple(chosen))(panel, min_names=MIN_NAMES)

    named = {str(part.params[0]) for spec in specs for part in walk(spec.expr) if part.op == "of_symbol"}
    return Subject(tuple(map(_claim, specs)), compute, tuple(sorted(named)))


def _claim(spec: FeatureSpec) -> Claim:
    seen = None if spec.family == "custom" else level_dependent(spec.expr)
    return Claim(spec.name, spec.lookback, spec.looks_across, spec.raw_level, seen)
