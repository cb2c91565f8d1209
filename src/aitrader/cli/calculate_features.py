"""``aitrader calculate-features``."""

from typing import Annotated

import typer

from aitrader.cli.options import DryRun, Outcome, Run, Symbols, command, listed
from aitrader.cli.render import table
from aitrader.domain.wording import counted

Sets = Annotated[
    list[str] | None,
    typer.Option("--feature-set", metavar="NAME", help="This set, feature or pattern; repeatable."),
]
Full = Annotated[bool, typer.Option("--full", help="Compute again what is already stored and fresh.")]

Cluster = Annotated[
    str | None,
    typer.Option("--cluster", metavar="ADDRESS", help="Compute on the Dask cluster there; `local` starts one here."),
]


@command
def calculate_features(
    run: Run,
    feature_set: Sets = None,
    symbols: Symbols = None,
    full: Full = False,
    cluster: Cluster = None,
    dry_run: DryRun = False,
) -> Outcome:
    """Compute the features and store them in the lake.

    Without --feature-set those of `features.compute`. What is stored from the same bars and settings is left alone; an
    interrupted run keeps what it finished. An earlier --now than what is stored knows needs --full, which replaces it.
    Other commands compute what they need by themselves: stored features are a record, and for export.
    """
    from aitrader.jobs.calculate_features import Wanted
    from aitrader.jobs.calculate_features import calculate_features as job

    wanted = Wanted(
        listed(feature_set) or (), listed(symbols), full, dry_run, run.run_id, run.loaded.origins, run.now, cluster
    )
    report = job(run.config, run.root, wanted, clock=run.clock, progress=run.progress)
    rows = [
        (
            feature.name,
            feature.family,
            "recursive" if feature.lookback is None else feature.lookback,
            None if feature.coverage is None else f"{feature.coverage:.1%}",
            feature.done,
        )
        for feature in report.features
    ]
    caption = (
        f"{counted(len(report.features), 'feature')} of {counted(report.symbols, 'symbol')}, "
        f"{counted(report.sessions, 'session')} from {report.first} "
        f"to {report.last}; lake version {report.lake_version}"
    )
    shown = table("Features", ("feature", "family", "lookback, bars", "coverage", ""), rows, caption=caption)
    idle = all(feature.done == "fresh" for feature in report.features)
    return Outcome(result=report, tables=[shown], warnings=report.warnings, status="skipped" if idle else "done")
