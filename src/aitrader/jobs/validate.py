"""Runs the named checks of ``jobs.checks`` and says whether settings, data and models are fit for use."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from aitrader.config.schema import Config
from aitrader.errors import AitraderError, LockHeldError, Stopped
from aitrader.jobs.assembly.folders import Visit
from aitrader.jobs.checks import LEVELS
from aitrader.jobs.checks.bench import Bench
from aitrader.jobs.checks.check import Check, Finding, Status, failed, skipped
from aitrader.jobs.progress import Progress, Report, silent
from aitrader.registry import lookup, unknown_name

Level = Literal["config", "data", "model", "trade-ready"]

ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Result:
    """One check and what it found. ``reason`` is a sentence, ``details`` one line for each thing found."""

    name: str
    level: Level
    question: str
    status: Status
    reason: str
    details: tuple[str, ...]
    fix: str


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """All checks of a level and the levels below, in order; ``passed`` is what a gate asks."""

    level: Level
    results: tuple[Result, ...]
    passed: bool

    def count(self, status: Status) -> int:
        """Return how many checks ended with ``status``."""
        return sum(result.status == status for result in self.results)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is worth knowing and fails nothing."""
        return tuple(f"{result.name}: {result.reason}" for result in self.results if result.status == "warn")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which checks run: ``only`` these (whatever their level; None: all of the level), less ``skip``.

    A check in ``require`` (or every chosen one, with ``all``) that is skipped, or not among those that run, fails.
    """

    only: Sequence[str] | None = None
    skip: Sequence[str] = ()
    require: Sequence[str] = ()


def validate(
    config: Config,
    root: Path,
    visit: Visit,
    *,
    level: Level = "model",
    choice: Choice | None = None,
    progress: Report = silent,
) -> ValidationReport:
    """Run the checks of ``level`` and of the levels below it. Whatever a check finds is reported, not raised.

    The report fails if a check failed, or if none was executed. With ``visit.now`` all is looked at as of then.

    Raises
    ------
    UnknownNameError
        ``choice`` names a check that does not exist.
    """
    wanted, known = choice or Choice(), _known()
    chosen = _chosen(known, wanted, level)
    with Bench(config, root, visit, progress=progress) as bench:
        results = _run(bench, chosen, wanted, progress)
    results += tuple(_left_out(*known[name], level) for name in wanted.require if name in known and name not in chosen)
    states = {result.status for result in results}
    return ValidationReport(level, results, "fail" not in states and bool(states - {"skipped"}))


def _known() -> dict[str, tuple[Level, Check]]:
    return {check.name: (name, check) for name in get_args(Level) for check in lookup("levels", LEVELS, name)}


def _chosen(known: dict[str, tuple[Level, Check]], wanted: Choice, level: Level) -> dict[str, tuple[Level, Check]]:
    required = [name for name in wanted.require if name != ALL]
    for name in (*(wanted.only or ()), *wanted.skip, *required):
        if name not in known:
            raise unknown_name("check", name, known)
    if wanted.only is not None:
        return {name: found for name, found in known.items() if name in wanted.only}
    levels = get_args(Level)[: get_args(Level).index(level) + 1]
    return {name: (of, check) for name, (of, check) in known.items() if of in levels}


def _run(bench: Bench, chosen: dict[str, tuple[Level, Check]], wanted: Choice, progress: Report) -> tuple[Result, ...]:
    findings: dict[str, Finding] = {}
    for done, (name, (_, check)) in enumerate(chosen.items()):
        progress(Progress("validate", done, len(chosen), name))
        findings[name] = _ask(bench, check, findings, wanted)
    progress(Progress("validate", len(chosen), len(chosen)))
    required = chosen if ALL in wanted.require else wanted.require
    return tuple(_result(*chosen[name], finding, required=name in required) for name, finding in findings.items())


def _result(level: Level, check: Check, found: Finding, *, required: bool) -> Result:
    if found.status == "skipped" and required:
        return _result(level, check, failed(f"required, but skipped: {found.reason}"), required=False)
    return Result(check.name, level, check.question, found.status, found.reason, found.details, found.fix)


def _left_out(level: Level, check: Check, asked: Level) -> Result:
    found = failed(
        f"required, but not among the checks that ran (level {asked})",
        fix=f"Choose --level {level}, or name {check.name} in --only.",
    )
    return _result(level, check, found, required=False)


def _ask(bench: Bench, check: Check, findings: dict[str, Finding], wanted: Choice) -> Finding:
    if check.name in wanted.skip:
        return skipped("left out by --skip")
    lacking = [name for name in check.needs if name in findings and findings[name].status in {"fail", "skipped"}]
    if lacking:
        return skipped(f"{lacking[0]} {'failed' if findings[lacking[0]].status == 'fail' else 'was skipped'}")
    try:
        return check.run(bench)
    except (Stopped, LockHeldError):
        raise
    except AitraderError as error:
        return failed(str(error), fix=error.fix)
