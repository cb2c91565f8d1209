"""A growing list of primitive instructions, equal ones once, and the chains of merges that windows become.

A rolling statistic of ``w`` bars becomes a chain of merges (``kernels.merging``): a power of two is two halves, any
other length its lowest power of two merged behind the rest. The chain depends on ``w`` alone, and all lengths share
the powers of two.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from aitrader.panel.operators import CROSS

Stat = Callable[[int], int]
"""Window length -> the instruction that holds a statistic of it."""

Rest = Callable[[int, int], float]
"""(bars of the newer part, of the older one) -> the number that a merge needs besides."""


def _nothing(_newer: int, _older: int) -> float:
    return 0.0


def newer_bars(newer: int, _: int) -> float:
    """Return the bars of the newer part."""
    return float(newer)


def older_bars(_: int, older: int) -> float:
    """Return the bars of the older part."""
    return float(older)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One primitive operator on the results of earlier instructions (their numbers)."""

    op: str
    inputs: tuple[int, ...]
    params: tuple[Any, ...] = ()


@dataclass(slots=True)
class Instructions:
    """Distinct instructions, in an order in which they can run.

    ``depth`` counts the cross-sections on the longest way to an instruction.
    """

    instructions: list[Instruction] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    _numbers: dict[Instruction, int] = field(default_factory=dict)

    def add(self, op: str, *inputs: int, params: tuple[Any, ...] = ()) -> int:
        """Return the number of this instruction, new or known."""
        instruction = Instruction(op, inputs, params)
        number = self._numbers.get(instruction)
        if number is None:
            number = self._numbers[instruction] = len(self.instructions)
            self.instructions.append(instruction)
            deepest = max((self.depth[i] for i in inputs), default=0)
            self.depth.append(deepest + (op in CROSS))
        return number

    def merges(
        self, op: str, base: int, *others: Stat, partial: bool, counts: Stat | None = None, rest: Rest = _nothing
    ) -> Stat:
        """Return the statistic ``op`` whose value for one bar is ``base``; ``others`` enter its merges."""

        @cache
        def of(bars: int) -> int:
            if bars == 1:
                return base
            older = bars & -bars if bars & (bars - 1) else bars // 2
            newer = bars - older
            return self._merge(op, (of, *others), counts, (newer, older, newer, partial, rest(newer, older)))

        return of

    def extremes(self, op: str, base: int, *others: Stat, partial: bool) -> Stat:
        """Return an extreme: its parts are the longest power of two, twice, and may overlap."""

        @cache
        def of(bars: int) -> int:
            if bars == 1:
                return base
            part = 1 << ((bars - 1).bit_length() - 1)
            return self._merge(op, (of, *others), None, (part, part, bars - part, partial, bars - part))

        return of

    def _merge(
        self, op: str, stats: tuple[Stat, ...], counts: Stat | None, numbers: tuple[int, int, int, bool, float]
    ) -> int:
        newer, older, shift, partial, extra = numbers
        pairs = [number for stat in stats for number in (stat(newer), stat(older))]
        pairs += pairs[:2] * (4 - len(stats))
        held = [counts(newer), counts(older)] if counts else []
        way = float(bool(partial) + bool(counts))
        return self.add(op, *pairs, *held, params=(float(newer), float(older), float(shift), way, float(extra)))

    def sums(self, base: int, *, partial: bool) -> Stat:
        """Return sums."""
        return self.merges("merge_sum", base, partial=partial)

    def counts(self, series: int) -> Stat:
        """Return how many values windows of ``series`` hold."""
        present = self.add("present", series)

        @cache
        def of(bars: int) -> int:
            if bars == 1:
                return present
            older = bars & -bars if bars & (bars - 1) else bars // 2
            newer = bars - older
            return self.add("merge_count", of(newer), of(older), params=(float(newer), float(older), float(newer)))

        return of
