"""`aitrader validate`: the gate that a CI job can ask."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aitrader.cli.options import Outcome, Run, command, listed
from aitrader.cli.render import colored, table, width
from aitrader.domain.wording import counted
from aitrader.errors import UsageError

if TYPE_CHECKING:
    from aitrader.jobs.checks.controls import Control, ControlsReport
    from aitrader.jobs.validate import Choice, Result, ValidationReport


class Level(StrEnum):
    """How far to look; each level contains the ones before it."""

    CONFIG = "config"
    DATA = "data"
    MODEL = "model"
    TRADE_READY = "trade-ready"


class Format(StrEnum):
    """How the checks are printed."""

    TABLE = "table"
    JSON = "json"
    JUNIT = "junit"


_COLORS: Final = {"pass": "green", "warn": "yellow", "fail": "bold red", "skipped": "dim"}

_SHOWN: Final = 16
"""Details of one check that the table shows; --json has all."""

_WIDE: Final = 120
"""Columns that the whole table of the controls needs."""

Names = list[str] | None


@command
def validate(
    run: Run,
    level: Annotated[
        Level, typer.Option("--level", help="config needs no lake; each level contains the ones before.")
    ] = Level.MODEL,
    only: Annotated[
        Names, typer.Option("--only", metavar="NAMES", help="Only these checks, whatever their level.")
    ] = None,
    skip: Annotated[Names, typer.Option("--skip", metavar="NAMES", help="Leave these checks out.")] = None,
    require: Annotated[
        Names, typer.Option("--require", metavar="NAMES|all", help="Fail if one of these is skipped.")
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="junit prints XML for a CI system.")] = Format.TABLE,
    controls: Annotated[
        bool, typer.Option("--controls", help="Instead of the checks: one breach of every control of orders.")
    ] = False,
) -> Outcome:
    """Check settings, data, models and the book; the gate for CI.

    Each check passes, warns, fails or is skipped, with its reason. Exit code 3 when one fails, or none was executed.
    Settings that cannot be read at all end with exit code 2 before any check.

    With `--controls` every limit, breaker and latch is tried with an order that breaks it, and with one that just
    keeps it, at the limits of this configuration and against a simulated account of its own: exit code 3 when one of
    them does not answer. Nothing of the book is touched; a weekly cron job may run it.
    """
    if controls:
        return _controls(run, output, chosen=any((only, skip, require)))
    from aitrader.jobs.validate import Choice

    return _checks(run, level, Choice(listed(only), listed(skip) or (), listed(require) or ()), output)


def _checks(run: Run, level: Level, choice: "Choice", output: Format) -> Outcome:
    from aitrader.jobs.validate import validate as job

    report = job(run.config, run.root, run.visit, level=level.value, choice=choice, progress=run.progress)
    return Outcome(
        result=report,
        tables=_shown(report, output),
        warnings=report.warnings if output is Format.TABLE else (),
        status="done" if report.passed else "failed",
        exit_code=0 if report.passed else 3,
    )


def _controls(run: Run, output: Format, *, chosen: bool) -> Outcome:
    if chosen:
        raise UsageError(
            "--controls tries every control; --only, --skip and --require choose among checks.",
            fix="Leave them out, or leave --controls out.",
        )
    from aitrader.jobs.checks.controls import fire_controls

    report = fire_controls(run.config, progress=run.progress)
    return Outcome(
        result=report,
        tables=_shown_controls(report, output),
        warnings=report.warnings if output is Format.TABLE else (),
        status="done" if report.fired else "failed",
        exit_code=0 if report.fired else 3,
    )


def _shown_controls(report: "ControlsReport", output: Format) -> list[Any]:
    if output is Format.JSON:
        return [_json(report)]
    verdicts = [(one, "pass" if one.fired else "fail") for one in report.controls]
    if output is Format.JUNIT:
        from aitrader.reports.junit import Case, render_junit

        return [render_junit("aitrader", [Case("controls", _named(c), v, c.answered, (c.tried,)) for c, v in verdicts])]
    silent = sum(not one.fired for one in report.controls)
    said = (
        colored(f"{counted(silent, 'control')} WITHOUT an answer", "bold red")
        if silent
        else colored("all answer", "bold green")
    )
    return [_controls_table(verdicts), said]


def _controls_table(verdicts: list[tuple["Control", str]]) -> Any:
    """Return the table of the controls; a narrow terminal sees a control's setting instead of its name and default."""
    title = f"{counted(len(verdicts), 'control')}, one breach each"
    if width() < _WIDE:
        narrow = [(_named(c), c.value, c.tried, c.answered, colored(v, _COLORS[v])) for c, v in verdicts]
        return table(title, ("control", "value", "tried", "answered", "verdict"), narrow)
    columns = ("control", "setting", "value", "default", "tried", "answered", "verdict")
    wide = [
        (c.control, c.setting, c.value, c.default, c.tried, c.answered, colored(v, _COLORS[v])) for c, v in verdicts
    ]
    return table(title, columns, wide)


def _named(control: "Control") -> str:
    return control.setting if control.value else control.control


def _json(report: object) -> str:
    import json

    from aitrader.envelope import jsonable

    return json.dumps(jsonable(report), indent=2, ensure_ascii=False)


def _shown(report: "ValidationReport", output: Format) -> list[Any]:
    if output is Format.JSON:
        return [_json(report)]
    if output is Format.JUNIT:
        from aitrader.reports.junit import Case, render_junit

        cases = [Case(r.level, r.name, r.status, r.reason, r.details) for r in report.results]
        return [render_junit("aitrader", cases)]
    return _tables(report)


def _tables(report: "ValidationReport") -> list[Any]:
    rows = [(r.level, r.name, colored(r.status, _COLORS[r.status]), r.reason) for r in report.results]
    counts = ", ".join(f"{report.count(status)} {status}" for status in ("pass", "warn", "fail", "skipped"))
    verdict = colored(
        "fit for use" if report.passed else "NOT fit for use", "bold green" if report.passed else "bold red"
    )
    title = f"Validate, level {report.level}"
    shown = [table(title, ("level", "check", "status", "found"), rows, caption=counts)]
    return [*shown, *(_details(result) for result in report.results if _telling(result)), verdict]


def _telling(result: "Result") -> bool:
    return result.status in {"warn", "fail"} and bool(result.details or result.fix)


def _details(result: "Result") -> Any:
    from rich.text import Text

    lines = [f"    {line}" for line in result.details[:_SHOWN]]
    if len(result.details) > _SHOWN:
        lines.append(f"    and {len(result.details) - _SHOWN} more; --format json has all")
    if result.fix:
        lines.append(f"    fix: {result.fix}")
    head = (f"  {result.name}: ", _COLORS[result.status])
    return Text.assemble(head, f"{result.reason}\n", "\n".join(lines), "\n")
