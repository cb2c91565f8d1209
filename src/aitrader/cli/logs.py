"""``aitrader logs``: what the commands wrote while they ran."""

from typing import Annotated, Final

import typer

from aitrader.cli.options import Outcome, Run, command
from aitrader.cli.render import colored, table

_COLORS: Final = {"warning": "yellow", "error": "red", "critical": "bold red"}


@command
def logs(
    run: Run,
    name: Annotated[str | None, typer.Option("--command", help="Only of this command.")] = None,
    level: Annotated[str, typer.Option("--level", help="This level and above: debug, info, warning, error.")] = "debug",
    run_id: Annotated[str | None, typer.Option("--run", metavar="ID", help="Only runs whose id begins so.")] = None,
    last: Annotated[int, typer.Option("--last", min=1, max=10_000, help="How many lines.")] = 30,
) -> Outcome:
    """Show the last log lines.

    They stand in logs/<command>.jsonl, one JSON object a line, times in UTC.
    """
    from aitrader.jobs.logs import logs as job

    report = job(run.root / "logs", last=last, command=name, level=level, run=run_id)
    rows = [
        (
            line.time[:19],
            colored(line.level, _COLORS.get(line.level, "")),
            line.command,
            line.run_id,
            line.event,
            " ".join(f"{key}={value}" for key, value in line.fields.items() if key != "logger" and value is not None),
        )
        for line in report.lines
    ]
    warnings = [f"{report.unreadable} damaged log lines were left out."] if report.unreadable else []
    return Outcome(report, [table("", ("time", "level", "command", "run", "event", "fields"), rows)], warnings=warnings)
