"""From instructions to steps on registers: which run when, where each result stands, how far back they look."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from aitrader.panel.instructions import Instruction
from aitrader.panel.lower import Lowering
from aitrader.panel.machine import EMIT, EMIT_PRODUCT, STAGE, Machine, Step, reach, slots
from aitrader.panel.operators import CROSS, VIEWS

LOADED: Final = frozenset({"load", "age", "calendar", *VIEWS, *CROSS})
"""What stands in its register before the steps run."""

SAME_POSSIBLE: Final = frozenset({"zeroed", "at_least"})
"""Kernels that may answer with their input unchanged, which then lives as long as the result."""


@dataclass(frozen=True)
class Pass:
    """What can be computed block by block once the cross-sections before it are known.

    ``loads`` are (register, instruction) to fill from columns or known grids. The pass stages the series of ``crosses``
    as whole grids, or, the last one, emits the features or stages what is wanted whole.
    """

    steps: tuple[Step, ...]
    registers: int
    loads: tuple[tuple[int, int], ...]
    staged: tuple[int, ...] = ()
    crosses: tuple[int, ...] = ()

    def machine(self, lags: Mapping[int, int]) -> Machine:
        """Return the steps made ready to run, compiling their kernels; ``lags`` are those of the recursive ones."""
        return Machine(self.steps, self.registers, lags)


def passes(lowering: Lowering, features: Sequence[tuple[int, ...]]) -> tuple[Pass, ...]:
    """Return the passes that compute ``features``: one per depth of cross-sections, then the one that emits."""
    wanted = [number for feature in features for number in feature]
    crosses = [n for n in _needed(lowering, wanted, through=True) if lowering.instructions[n].op in CROSS]
    depths = range(1, max((lowering.depth[number] for number in crosses), default=0) + 1)
    staging = [_staging(lowering, [n for n in crosses if lowering.depth[n] == depth]) for depth in depths]
    ends = [
        Step(EMIT if len(feature) == 1 else EMIT_PRODUCT, feature, (place,)) for place, feature in enumerate(features)
    ]
    return (*staging, _pass(lowering, ends))


def whole(lowering: Lowering, number: int) -> tuple[Pass, ...]:
    """Return the passes after which one result stands as a whole grid, in place of features."""
    ends = [Step(STAGE, (number,), (0,))]
    return (*passes(lowering, [(number,)])[:-1], replace(_pass(lowering, ends), staged=(number,)))


def _staging(lowering: Lowering, crosses: Sequence[int]) -> Pass:
    """Return the pass that lays out the whole grids which these cross-sections need."""
    staged = tuple(sorted({series for n in crosses for series in lowering.instructions[n].inputs}))
    ends = [Step(STAGE, (series,), (place,)) for place, series in enumerate(staged)]
    return replace(_pass(lowering, ends), staged=staged, crosses=tuple(crosses))


def before(lowering: Lowering, features: Sequence[tuple[int, ...]]) -> Mapping[int, int]:
    """Return how many bars before the first wanted one each instruction's result must be right."""
    wanted = dict.fromkeys((number for feature in features for number in feature), 0)
    for number in reversed(_needed(lowering, list(wanted), through=True)):
        instruction = lowering.instructions[number]
        for place, read in enumerate(instruction.inputs):
            back = wanted[number] + reach(instruction.op, instruction.params, place)
            wanted[read] = max(wanted.get(read, 0), back)
    return wanted


def _pass(lowering: Lowering, ends: Sequence[Step]) -> Pass:
    """Return the pass of these last steps, each placed as soon as what it reads is there."""
    instructions = lowering.instructions
    numbers = _needed(lowering, [read for step in ends for read in step.inputs], through=False)
    waiting = _Waiting(ends)
    loads, steps = [], []
    for number, fellows in _fused(instructions, numbers):
        if instructions[number].op in LOADED:
            loads.append(number)
        else:
            steps.append(_step(lowering, fellows))
        steps += [step for fellow in fellows for step in waiting.ready(fellow)]
    return _allocated(loads, steps)


class _Waiting:
    """Last steps that wait for what they read."""

    def __init__(self, ends: Sequence[Step]) -> None:
        self._lacking = {step: set(step.inputs) for step in ends}
        self._readers: dict[int, list[Step]] = {}
        for step in ends:
            for read in set(step.inputs):
                self._readers.setdefault(read, []).append(step)

    def ready(self, number: int) -> Iterator[Step]:
        """Yield the steps for which the result ``number`` is the last that they lacked."""
        for step in self._readers.get(number, ()):
            self._lacking[step].discard(number)
            if not self._lacking[step]:
                yield step


def _step(lowering: Lowering, fellows: Sequence[int]) -> Step:
    first = lowering.instructions[fellows[0]]
    return Step(
        first.op,
        first.inputs,
        tuple(fellows),
        _numbers([lowering.instructions[fellow] for fellow in fellows]),
        fellows[0] if slots(first.op) else None,
    )


def _fused(instructions: Sequence[Instruction], numbers: Sequence[int]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield each instruction with those that one kernel computes together with it, itself among them."""
    together: dict[Any, list[int]] = {}
    for number in numbers:
        together.setdefault(_company(number, instructions[number]), []).append(number)
    for number in numbers:
        fellows = together[_company(number, instructions[number])]
        if fellows[0] == number:
            yield number, tuple(sorted(fellows, key=lambda n: instructions[n].params[:2]) if fellows[1:] else fellows)


def _company(number: int, instruction: Instruction) -> Any:
    if instruction.op == "rank":
        return "rank", instruction.inputs
    if instruction.op == "quantile":
        return "quantile", instruction.inputs, instruction.params[:2]
    return number


def _numbers(fellows: Sequence[Instruction]) -> tuple[float, ...]:
    first = fellows[0]
    if first.op == "rank":
        return (float(len(fellows)), *(float(number) for fellow in fellows for number in fellow.params))
    if first.op == "quantile":
        bars, least, _ = first.params
        return (float(bars), float(least), float(len(fellows)), *(fellow.params[2] for fellow in fellows))
    return tuple(float(number) for number in first.params)


def _allocated(loads: Sequence[int], steps: Sequence[Step]) -> Pass:
    """Return the pass with instruction numbers replaced by registers, each free again after its last reader."""
    registers = _Registers()
    frees = _frees(loads, steps)
    for number in loads:
        registers.take(number)
    placed = []
    for place, step in enumerate(steps):
        outs = step.outs if _ends(step) else tuple(registers.take(number) for number in step.outs)
        placed.append(replace(step, inputs=tuple(registers.of[number] for number in step.inputs), outs=outs))
        registers.free += [registers.of[number] for number in frees.get(place, ())]
    return Pass(tuple(placed), registers.count, tuple((registers.of[number], number) for number in loads))


@dataclass(slots=True)
class _Registers:
    """Which register holds which result, and which are free."""

    of: dict[int, int] = field(default_factory=dict)
    free: list[int] = field(default_factory=list)
    count: int = 0

    def take(self, number: int) -> int:
        if not self.free:
            self.free.append(self.count)
            self.count += 1
        self.of[number] = self.free.pop()
        return self.of[number]


def _frees(loads: Sequence[int], steps: Sequence[Step]) -> dict[int, list[int]]:
    """Return by a step's place the results that nobody reads after it."""
    last = dict.fromkeys(loads, 0)
    for place, step in enumerate(steps):
        last.update(dict.fromkeys((*step.inputs, *(() if _ends(step) else step.outs)), place))
    for step in reversed(steps):
        if step.op in SAME_POSSIBLE:
            last[step.inputs[0]] = max(last[step.inputs[0]], last[step.outs[0]])
    frees: dict[int, list[int]] = {}
    for number, place in last.items():
        frees.setdefault(place, []).append(number)
    return frees


def _ends(step: Step) -> bool:
    return step.op in {EMIT, EMIT_PRODUCT, STAGE}


def _needed(lowering: Lowering, wanted: Sequence[int], *, through: bool) -> list[int]:
    """Return the instructions that ``wanted`` rest on, in running order; ``through`` cross-sections or up to them."""
    seen: set[int] = set()
    waiting = list(wanted)
    while waiting:
        number = waiting.pop()
        if number not in seen:
            seen.add(number)
            instruction = lowering.instructions[number]
            waiting.extend(instruction.inputs if through or instruction.op not in CROSS else ())
    return sorted(seen)
