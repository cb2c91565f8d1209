"""How far a job has come, told to whoever shows it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` parts of ``step`` are finished; ``detail`` says which one comes next."""

    step: str
    done: int
    total: int
    detail: str = ""


Report = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Tell nobody."""
