"""Runs the tests that the fault matrix names, all crash points among them, and writes docs/reliability.md.

``python tests/reliability/report.py`` leaves with 1 when one of them fails; the page then says which.
"""

import os
import platform
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
MATRIX = Path(__file__).with_name("matrix.toml")
COUNTED = ("kills", "random_kills", "orders", "duplicates", "lost")


@dataclass
class Result:
    """What one test function did, over all its parameters."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    counts: Counter = field(default_factory=Counter)

    @property
    def word(self) -> str:
        """Return the result in a word, with the number of cases where there are several."""
        if self.failed:
            return "**FAILED**"
        if not self.passed:
            return "skipped"
        return "passed" if self.passed == 1 else f"{self.passed} passed"


@dataclass(frozen=True)
class Row:
    """One fault: what happens, what must follow, the tests that try it, and what they do not reach.

    Without ``tests`` the row is open, and ``lacks`` says what it waits for.
    """

    number: int
    group: str
    fault: str
    expected: str
    tests: tuple[str, ...]
    lacks: str


def rows_of(path: Path = MATRIX) -> list[Row]:
    """Return the rows of the matrix in their order."""
    told = tomllib.loads(path.read_text())["row"]
    return [
        Row(
            one["number"],
            one["group"],
            one["fault"],
            one["expected"],
            tuple(one.get("tests", ())),
            one.get("lacks", ""),
        )
        for one in told
    ]


def run_tests(tests: Sequence[str]) -> dict[str, Result]:
    """Run the tests with all crash points, and return what each function did."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "junit.xml"
        line = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "worksteal", f"--junitxml={report}", *tests]
        ran = subprocess.run(line, cwd=ROOT, env={**os.environ, "RELIABILITY": "all"}, check=False)
        if ran.returncode not in (0, 1):
            sys.exit(f"pytest could not run them: exit code {ran.returncode}")
        return results(ET.parse(report).getroot())


def results(suites: ET.Element) -> dict[str, Result]:
    """Return the results by test id, without parameters."""
    found: dict[str, Result] = defaultdict(Result)
    for case in suites.iter("testcase"):
        name = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name', '').partition('[')[0]}"
        one = found[name]
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            one.failed += 1
        elif "skipped" in kinds:
            one.skipped += 1
        else:
            one.passed += 1
        for said in case.iter("property"):
            if said.get("name") in COUNTED:
                one.counts[said.get("name")] += int(said.get("value", "0"))
    return dict(found)


def state_of(row: Row, found: Mapping[str, Result]) -> str:
    """Return how far a row is: tested, in part, failed or open."""
    if not row.tests:
        return "open"
    if any(test not in found or found[test].failed for test in row.tests):
        return "failed"
    return "in part" if row.lacks or all(not found[test].passed for test in row.tests) else "tested"


def page(rows: Sequence[Row], found: Mapping[str, Result]) -> str:
    """Return the text of docs/reliability.md."""
    states = Counter(state_of(row, found) for row in rows)
    counts = sum((one.counts for one in found.values()), Counter())
    cases = Counter(passed=0, failed=0, skipped=0)
    for one in found.values():
        cases.update(passed=one.passed, failed=one.failed, skipped=one.skipped)
    strace = "with strace" if counts["kills"] else "without strace: only the kills that need none"
    lines = [
        "# Reliability",
        "",
        "What can go wrong, what must happen then, which test tries it, and how that test ended. `make reliability`",
        "runs the tests and writes this page; `make mutants` shows that they can fail, `make soak` runs for longer.",
        f"This run: Python {platform.python_version()} on {platform.system()}, {strace}.",
        "",
        "| | |",
        "|---|---:|",
        f"| faults tested | {states['tested']} |",
        f"| faults tested in part, with what is missing beside them | {states['in part']} |",
        f"| faults not reached yet | {states['open']} |",
        f"| faults with a failing test | {states['failed']} |",
        f"| test cases passed / failed / skipped | {cases['passed']} / {cases['failed']} / {cases['skipped']} |",
        f"| kill -9 just before a call that makes something durable | {counts['kills']} |",
        f"| kill -9 at a random moment, with a broker that loses answers | {counts['random_kills']} |",
        f"| orders checked after them | {counts['orders']} |",
        f"| orders that the account has twice | {counts['duplicates']} |",
        f"| orders, or fills that the account has, that were lost | {counts['lost']} |",
        "",
        "*Open* means what it says: nothing here proves the row yet.",
    ]
    for group in dict.fromkeys(row.group for row in rows):
        lines += ["", f"## {group}", "", "| # | fault | what must happen | tests | result |", "|---:|---|---|---|---|"]
        lines += [line_of(row, found) for row in rows if row.group == group]
    return "\n".join(lines) + "\n"


def line_of(row: Row, found: Mapping[str, Result]) -> str:
    """Return one row of the table; a ``|`` in it would end its cell."""
    linked = [f"[{test.partition('::')[2]}](../{test.partition('::')[0]})" for test in row.tests]
    words = [found[test].word if test in found else "did not run" for test in row.tests]
    state = state_of(row, found)
    result = {"open": "open", "tested": "", "in part": "in part", "failed": "**FAILED**"}[state]
    shown = [*([result] if result else []), *([row.lacks] if row.lacks else [])]
    cells = (str(row.number), row.fault, row.expected, "<br>".join(linked), "<br>".join([*words, *shown]))
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def main() -> int:
    """Run, write, and return 1 if a test failed."""
    rows = rows_of()
    found = run_tests(sorted({test for row in rows for test in row.tests}))
    PAGE.write_text(page(rows, found))
    states = Counter(state_of(row, found) for row in rows)
    print(f"{PAGE.relative_to(ROOT)}: {', '.join(f'{number} {state}' for state, number in states.items())}")
    return 1 if states["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
