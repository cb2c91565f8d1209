"""A growing list of primitive instructions, equal ones once, and the chains of merges that windows become.

A rolling statistic of ``w`` bars becomes a chain of merges (``kernels.merging``): of two halves or thirds, or of one
bar behind the rest. The chain depends on ``w`` alone, never on the other windows asked for, so that no bit does.
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


def halves(bars: int) -> tuple[int, int]:
    """Return the lengths of the newer and the older part that a window of ``bars`` is merged from.

    Chains are short, and common windows share most of theirs.

    >>> halves(60), halves(30), halves(20), halves(10), halves(5)
    ((30, 30), (20, 10), (10, 10), (5, 5), (4, 1))
    """
    if bars % 4 == 0:
        older = bars // 2
    elif bars % 3 == 0:
        older = bars // 3
    else:
        older = bars // 2 if bars % 2 == 0 else 1
    return bars - older, older


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
            newer, older = halves(bars)
            return self._merge(op, (of, *others), counts, (newer, older, newer, partial, rest(newer, older)))

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
            newer, older = halves(bars)
            return self.add("merge_count", of(newer), of(older), params=(float(newer), float(older), float(newer)))

        return of
