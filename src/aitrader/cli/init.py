"""``aitrader init``: a new root."""

from pathlib import Path
from typing import Annotated

import typer

from aitrader.cli.options import DryRun, Outcome, Run, command
from aitrader.cli.render import table


@command
def init(
    run: Run,  # noqa: ARG001 - a new root has no settings yet
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make or to fill.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that stand there.")] = False,
    dry_run: DryRun = False,
) -> Outcome:
    """Make a root folder with a commented starter configuration.

    It works at once: settings with their defaults and reasons, profiles, .env.example, and the folders data_lake, logs
    and state. Files that stand there with other text are never overwritten without --force.
    """
    from aitrader.jobs.init import init as job

    report = job(directory.expanduser().resolve(), force=force, dry_run=dry_run)
    rows = [*((name, "written") for name in report.written), *((name, "unchanged") for name in report.unchanged)]
    next_step = f"Next: cd {directory} && aitrader --profile demo backfill"
    shown = table(f"Root {report.root}{' (dry run)' if dry_run else ''}", ("file", "state"), rows)
    return Outcome(report, [shown, next_step], status="done" if report.written else "skipped")
