"""Checks as a JUnit file, which every CI system can show."""

from collections.abc import Sequence
from dataclasses import dataclass

from aitrader.reports.figures import plain
from aitrader.reports.page import render_page


@dataclass(frozen=True, slots=True)
class Case:
    """One check: ``status`` is ``pass``, ``warn`` (a pass with something to say), ``fail`` or ``skipped``."""

    group: str
    name: str
    status: str
    reason: str
    details: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The details, one a line."""
        return "\n".join(plain(line) for line in self.details)


def render_junit(suite: str, cases: Sequence[Case]) -> str:
    """Return the cases as one test suite in JUnit's XML."""
    return render_page(
        "junit.xml",
        suite=suite,
        cases=cases,
        failures=sum(case.status == "fail" for case in cases),
        skips=sum(case.status == "skipped" for case in cases),
    )
