"""``aitrader config``: the settings checked, shown, compared and described."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aitrader.cli.options import Outcome, Run, command
from aitrader.cli.render import colored, table
from aitrader.domain.wording import counted

if TYPE_CHECKING:
    from aitrader.config.schema import Config

COMMANDS: Final = {
    "validate": ("aitrader.cli.config:validate", "Check every setting; no lake is needed."),
    "show": ("aitrader.cli.config:show", "Show every setting, with --origin where it was set."),
    "diff": ("aitrader.cli.config:diff", "Show what differs between two profiles or files."),
    "schema": ("aitrader.cli.config:schema", "Print the JSON Schema of all settings and plug-ins."),
}

_SIDE: Final = "A profile, a file or folder of settings, or `base` (no profile)."


@command
def validate(run: Run) -> Outcome:
    """Check every setting; no lake is needed.

    Files, profile, environment and --set are read and typed; then every plug-in parses its own section. Exit code 2
    when something is wrong. `aitrader validate --level config` also follows names, features and limits.
    """
    from aitrader.jobs.configuration import check

    report = check(run.config, run.loaded.hash)
    rows = [(name, colored("pass", "green"), "") for name in report.parsed]
    rows += [(item.section, colored("fail", "bold red"), f"{item.message} {item.fix}") for item in report.problems]
    shown = table("Settings of plug-ins", ("section", "status", "problem"), rows)
    verdict = (
        colored(f"{counted(len(report.problems), 'problem')}.", "bold red")
        if report.problems
        else "All settings are fit."
    )
    if report.problems:
        return Outcome(report, [shown, verdict], status="failed", exit_code=2)
    return Outcome(report, [shown, verdict])


@command
def show(
    run: Run,
    section: Annotated[str | None, typer.Argument(metavar="SECTION", help="Only this section.")] = None,
    origin: Annotated[bool, typer.Option("--origin", help="Show where each value was set.")] = False,
) -> Outcome:
    """Show every setting, with --origin where it was set."""
    from aitrader.jobs.configuration import settings

    report = settings(run.config, run.loaded.origins, run.loaded.hash, section=section)
    columns = ("setting", "value", "origin") if origin else ("setting", "value")
    rows = [(item.name, _text(item.value), item.origin)[: len(columns)] for item in report.settings]
    return Outcome(report, [table("", columns, rows)])


@command
def diff(
    run: Run,
    first: Annotated[str, typer.Argument(metavar="A", help=_SIDE)],
    second: Annotated[str, typer.Argument(metavar="B", help=_SIDE)],
) -> Outcome:
    """Show what differs between two profiles or files.

    Both are read with the same environment and --set. Exit code 0 also when they differ.
    """
    from aitrader.jobs.configuration import difference

    report = difference(_side(run, first), _side(run, second))
    rows = [
        (item.name, _text(item.first), _text(item.second), f"{item.first_origin} | {item.second_origin}")
        for item in report.differences
    ]
    shown: Any = table("", ("setting", first, second, "origins"), rows) if rows else "They do not differ."
    return Outcome(report, [shown])


@command
def schema(run: Run) -> Outcome:  # noqa: ARG001 - it does not depend on anybody's settings
    """Print the JSON Schema of all settings and plug-ins.

    The settings of a plug-in (models.NAME.params and the like) stand under `plugins` by family and kind.
    """
    from aitrader.jobs.configuration import describe

    report = describe()
    text = json.dumps({"configuration": report.configuration, "plugins": report.plugins}, indent=2)
    return Outcome(report, [text])


def _side(run: Run, name: str) -> tuple[str, "Config", Any]:
    path = Path(name).expanduser()
    if name == "base":
        loaded = run.load_with(profile=None)
    elif path.exists() and ("/" in name or path.suffix == ".yaml"):
        loaded = run.load_with(profile=None, config_path=path)
    else:
        loaded = run.load_with(profile=name)
    return name, loaded.config, loaded.origins


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
