"""What a check is, and what it can find."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from aitrader.jobs.checks.bench import Bench

Status = Literal["pass", "warn", "fail", "skipped"]

SHOWN: Final = 12
"""Names that a sentence lists before it says how many more there are."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: a sentence, and one line for each thing that it found.

    A ``warn`` is worth knowing and fails nothing. ``fix`` says what to do about a failure.
    """

    status: Status
    reason: str
    details: tuple[str, ...] = ()
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A named question. ``needs`` are checks without which it cannot be asked: where one fails, this is skipped."""

    name: str
    question: str
    run: Callable[[Bench], Finding]
    needs: tuple[str, ...] = ()


def passed(reason: str, details: Sequence[str] = ()) -> Finding:
    """Return a finding that is as it should be."""
    return Finding("pass", reason, tuple(details))


def warned(reason: str, details: Sequence[str] = (), fix: str = "") -> Finding:
    """Return a finding worth knowing that fails nothing."""
    return Finding("warn", reason, tuple(details), fix)


def failed(reason: str, details: Sequence[str] = (), fix: str = "") -> Finding:
    """Return a finding that must be mended."""
    return Finding("fail", reason, tuple(details), fix)


def skipped(reason: str) -> Finding:
    """Return that the question could not be asked."""
    return Finding("skipped", reason)


def listed(names: Sequence[object]) -> str:
    """Return the first names, and how many more there are.

    >>> listed(range(14))
    '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more'
    """
    shown = ", ".join(str(name) for name in names[:SHOWN])
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown
