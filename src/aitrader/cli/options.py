"""What every command module uses: the common options, the run, and the outcome that is shown.

A command module holds one decorated function with the name of its file. It parses, calls one job, and says what to
show; it prints nothing and catches nothing::

    from aitrader.cli.options import DryRun, EndDate, Outcome, Run, command
    from aitrader.cli.render import table

    @command
    def train(run: Run, end: EndDate = None, dry_run: DryRun = False) -> Outcome:
        \"\"\"Train the models on the lake's features and keep those that pass their folds.

        The first line is the short help; more paragraphs are shown by ``aitrader train --help``.
        \"\"\"
        from aitrader.jobs.train import train as job  # heavy imports stay inside

        report = job(run.config, run.root, end=end, clock=run.clock, progress=run.progress)
        rows = [(model.name, model.rank_ic) for model in report.models]
        return Outcome(result=report, tables=[table("Models", ("model", "rank IC"), rows)], warnings=report.warnings)

Its line in ``cli.app.COMMANDS``: ``"train": ("aitrader.cli.train", "Train the models ...")``. A group is a module
with a table of its own: ``COMMANDS = {"ls": ("aitrader.cli.lake:ls", "List what the lake holds.")}``; its functions
stand in the same module. Options that belong together may be a ``TypedDict`` of annotated fields, taken as
``**group: Unpack[Group]``; one that is not given is None. The job raises from ``aitrader.errors``; the frame turns that
into two lines and the exit code. A result that is no error but fails (a gate, a validation) returns
``Outcome(..., status="failed", exit_code=3)``.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Final, get_args, get_type_hints

import typer

from aitrader.cli.frame import Frame
from aitrader.cli.run import Common, Outcome, Run
from aitrader.errors import UsageError

__all__ = [
    "AsOf", "DryRun", "EndDate", "Outcome", "Run", "StartDate", "Symbols",
    "command", "common_of", "common_parameters", "day", "instant", "listed",
]  # fmt: skip


def day(text: str) -> date:
    """Return ``text`` as a date; use it as ``typer.Option(parser=day)``."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date written YYYY-MM-DD.") from None


def instant(text: str) -> datetime:
    """Return ``text`` as a time with an offset, such as 2013-08-07T18:00-04:00."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time written 2013-08-07T18:00-04:00.") from None
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no offset; write it like 2013-08-07T18:00-04:00.")
    return moment


DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
StartDate = Annotated[
    date | None, typer.Option("--start", parser=day, metavar="DATE", help="First session, YYYY-MM-DD.")
]
EndDate = Annotated[date | None, typer.Option("--end", parser=day, metavar="DATE", help="Last session, YYYY-MM-DD.")]
AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", parser=instant, metavar="TIME", help="The lake as it was recorded at TIME (with offset)."),
]
Symbols = Annotated[
    list[str] | None, typer.Option("--symbols", help="Only these symbols: --symbols AAPL,MSFT, repeatable.")
]


def listed(texts: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return repeated and comma-separated texts as one tuple; None when the option was not given.

    Raises
    ------
    UsageError
        The option was given and names nothing, as where a script's variable is empty.
    """
    if not texts:
        return None
    # Only spaces: a line break or another control character inside a symbol is damage and must not disappear.
    parts = tuple(part.strip(" ") for text in texts for part in text.split(","))
    if not any(parts):
        raise UsageError("An option that names several things names none.", fix="Name one, or leave the option out.")
    return tuple(part for part in parts if part)


_COMMON: Final[Mapping[str, Any]] = {
    "config": Annotated[
        Path | None, typer.Option("--config", metavar="PATH", help="Settings: a file or folder instead of ROOT/config.")
    ],
    "profile": Annotated[
        str | None, typer.Option("--profile", metavar="NAME", help="Settings of config/profiles/NAME.yaml on top.")
    ],
    "sets": Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting: section.key=value; repeatable.")
    ],
    "root": Annotated[Path | None, typer.Option("--root", metavar="DIR", help="The root folder (or AITRADER_ROOT).")],
    "book": Annotated[str | None, typer.Option("--book", metavar="NAME", help="The book (account) to work on.")],
    "env_file": Annotated[
        Path | None, typer.Option("--env-file", metavar="FILE", help="Credentials from a 0600 file, such as .env.")
    ],
    "as_json": Annotated[bool, typer.Option("--json", help="Answer with one JSON object.")],
    "verbose": Annotated[
        int, typer.Option("-v", "--verbose", count=True, show_default=False, help="Show log lines on stderr.")
    ],
    "debug": Annotated[bool, typer.Option("--debug", help="Show tracebacks and every log line.")],
    "trace": Annotated[
        Path | None, typer.Option("--trace", metavar="FILE", help="Write where the time goes: JSON for Perfetto.")
    ],
    "now": Annotated[
        datetime | None,
        typer.Option("--now", parser=instant, metavar="TIME", help="Replay: pretend it is TIME (with offset)."),
    ],
}
_FALSY: Final[Mapping[str, Any]] = {"as_json": False, "verbose": 0, "debug": False}
_PANEL: Final = "Common options"


def common_parameters() -> list[inspect.Parameter]:
    """Return the common options as parameters of a Typer function."""
    for annotation in _COMMON.values():
        annotation.__metadata__[0].rich_help_panel = _PANEL
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_FALSY.get(name), annotation=annotation)
        for name, annotation in _COMMON.items()
    ]


def common_of(context: typer.Context) -> Common:
    """Return the common options given at this command and at every group before it; the nearest one wins."""
    given: dict[str, Any] = {}
    sets: list[str] = []
    verbose = 0
    current: Any = context
    while current is not None:
        values = {name: current.params.get(name) for name in _COMMON}
        sets = [*(values.pop("sets") or ()), *sets]
        verbose += values.pop("verbose") or 0
        given = {name: given.get(name) or value for name, value in values.items()}
        current = current.parent
    given.update({name: bool(given[name]) for name in ("as_json", "debug")})
    return Common(**given, sets=tuple(sets), verbose=verbose)


def _options(parameter: inspect.Parameter) -> list[inspect.Parameter]:
    """Return the parameter itself, or one for each field of its group."""
    if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
        return [parameter]
    (group,) = get_args(parameter.annotation)
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in get_type_hints(group, include_extras=True).items()
    ]


def command(function: Callable[..., Outcome]) -> Callable[..., int]:
    """Make a function of (run, its own options) into a command with the common options; see the module's text."""
    _, *taken = inspect.signature(function).parameters.values()
    own = [option for parameter in taken for option in _options(parameter)]

    def run_command(context: typer.Context, **values: Any) -> int:
        frame: Frame = context.obj
        name = context.command_path.partition(" ")[2]
        run = Run(name, common_of(context), run_id=frame.run_id, progress=frame.progress)
        arguments = {parameter.name: values[parameter.name] for parameter in own}
        return frame.execute(run, lambda: function(run, **arguments))

    parameters = [
        inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
        *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own),
        *common_parameters(),
    ]
    run_command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # a function takes it; mypy does not know
    run_command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run_command.__name__ = function.__name__
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    # Typer keeps the source's line breaks, and takes brackets for markup.
    run_command.__doc__ = "\n\n".join(" ".join(part.split()).replace("[", r"\[") for part in paragraphs)
    run_command.__module__ = function.__module__
    return run_command
