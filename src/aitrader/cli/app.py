"""The command line: a table of commands, imported when they are called, and its way in and out."""

import inspect
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from aitrader.cli.frame import Frame
from aitrader.cli.options import common_parameters
from aitrader.errors import UsageError

Table = Mapping[str, tuple[str, str]]

COMMANDS: Final[Table] = {
    "init": ("aitrader.cli.init", "Make a root folder with a commented starter configuration."),
    "backfill": ("aitrader.cli.backfill", "Fetch bars and corporate actions into the lake."),
    "features": ("aitrader.cli.features", "List, describe and test features."),
    "calculate-features": ("aitrader.cli.calculate_features", "Compute the features and store them in the lake."),
    "train": ("aitrader.cli.train", "Train the models walk-forward and keep those that pass."),
    "backtest": ("aitrader.cli.backtest", "Replay the past, and doubt the result."),
    "scan": ("aitrader.cli.scan", "List today's candidates and the reasons for them."),
    "explain": ("aitrader.cli.explain", "Say why one symbol is a candidate, or why it is not."),
    "trade": ("aitrader.cli.trade", "Make the decision that is due, and send its orders, each once."),
    "status": ("aitrader.cli.status", "Say whether every book is well; the check for a monitor."),
    "orders": ("aitrader.cli.orders", "List the orders of a book and what became of them."),
    "positions": ("aitrader.cli.positions", "Show what a book holds, beside its account."),
    "report": ("aitrader.cli.report", "Draw one session of a book."),
    "reconcile": ("aitrader.cli.reconcile", "Compare our book with the broker's account."),
    "emergency-shutdown": (
        "aitrader.cli.emergency_shutdown",
        "Shut HALT, cancel every open order, close every position.",
    ),
    "halt": ("aitrader.cli.halt", "Let only orders leave that reduce a position."),
    "resume": ("aitrader.cli.resume", "Open both latches of a book, HALT and HALT_ENTRIES."),
    "journal": ("aitrader.cli.journal", "List, export and check the record of trading."),
    "validate": ("aitrader.cli.validate", "Check settings, data, models and the book; the gate for CI."),
    "lake": ("aitrader.cli.lake", "List, verify and export what the lake holds."),
    "models": ("aitrader.cli.models", "List, show and import stored models."),
    "config": ("aitrader.cli.config", "Check, show and compare the settings."),
    "doctor": ("aitrader.cli.doctor", "Check this machine, the root and the credentials."),
    "logs": ("aitrader.cli.logs", "Show the last log lines."),
}


class LazyGroup(TyperGroup):
    """A group whose commands are imported when one of them is called, so that help costs no import."""

    _targets: Table = MappingProxyType({})

    def fill(self, table: Table) -> None:
        """List the commands of ``table``; for each a stand-in that knows only its help line."""
        self._targets = table
        self.commands = {name: TyperCommand(name, help=text) for name, (_, text) in table.items()}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer asks with a context
        """Return the names in the order of the table."""
        return list(self._targets)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name, the imported command and the arguments left for it."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, _imported(str(name), *self._targets[str(name)]) if found is not None else None, rest


def _imported(name: str, target: str, text: str) -> Any:
    module_name, _, attribute = target.partition(":")
    if find_spec(module_name) is None:
        raise UsageError(f"`aitrader {name}` is not part of this installation.", fix="Install the whole package again.")
    module = import_module(module_name)
    if not attribute and hasattr(module, "COMMANDS"):
        return _group(name, module.COMMANDS, text)
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(name)(getattr(module, attribute or name.replace("-", "_")))
    return get_command(app)


def _group(name: str, table: Table, text: str, extra: Sequence[inspect.Parameter] = ()) -> LazyGroup:
    def common(**_: Any) -> None:
        """Take the common options; the command below reads them from its context."""

    parameters = [*extra, *common_parameters()]
    common.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # a function takes it; mypy does not know
    common.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app = typer.Typer(name=name, cls=LazyGroup, help=text, add_completion=bool(extra), pretty_exceptions_enable=False)
    app.callback()(common)
    group = get_command(app)
    assert isinstance(group, LazyGroup)
    group.fill(table)
    return group


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer hands it over
    if wanted:
        from importlib.metadata import version

        typer.echo(f"aitrader {version('aitrader')}")
        raise typer.Exit


_VERSION: Final = inspect.Parameter(
    "version",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ],
)
_HELP: Final = """Market data to guarded orders, one command per step.

Begin with `aitrader init DIR`; each command explains itself with --help.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code. Nothing is raised but by the interpreter's end."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    group = _group("aitrader", COMMANDS, _HELP, extra=[_VERSION])
    if "_AITRADER_COMPLETE" in os.environ:
        group.main(given, prog_name="aitrader")
    frame = Frame(given)
    if not given:
        given = ["--help"]
        frame.default_code = UsageError.exit_code  # a cron line with an empty variable must not look done
    return frame.run(lambda: group.main(given, prog_name="aitrader", standalone_mode=False, obj=frame))
