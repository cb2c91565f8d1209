"""``aitrader init``: a new root."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
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
    next_step = f"Next: cd {directory} && aitrader --profile demo backfill"
    rows = [*_by_folder(report.written, "written"), *_by_folder(report.unchanged, "unchanged")]
    shown = table(f"Root {report.root}{' (dry run)' if dry_run else ''}", ("folder", "state", "files"), rows)
    return Outcome(report, [shown, next_step], status="done" if report.written else "skipped")


def _by_folder(names: Sequence[str], state: str) -> list[tuple[str, str, str]]:
    folders: dict[str, list[str]] = {}
    for name in names:
        path = PurePosixPath(name)
        folders.setdefault(str(path.parent), []).append(path.name)
    return [(folder, state, " ".join(files)) for folder, files in folders.items()]
