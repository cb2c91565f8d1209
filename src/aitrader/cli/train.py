"""``aitrader train``."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aitrader.cli.options import DryRun, EndDate, Outcome, Run, command, listed
from aitrader.cli.render import colored, table

if TYPE_CHECKING:
    from aitrader.jobs.train import ModelReport, TrainReport

Models = Annotated[
    list[str] | None, typer.Option("--model", help="Only this model of the configuration; repeatable. Default: all.")
]
Force = Annotated[bool, typer.Option("--force", help="Fit again what was trained on equal input before.")]


@command
def train(
    run: Run,
    models: Models = None,
    end: EndDate = None,
    force: Force = False,
    dry_run: DryRun = False,
) -> Outcome:
    """Train the models walk-forward and keep those that pass.

    History is cut into folds; what a label looks ahead at is purged from training. Each model is scored on
    sessions it never saw, and once more trained on shuffled labels, which shows what luck alone scores. A model passes
    when the lower 95 % bound of its mean rank IC lies above the gate; others are stored as rejected. Exit 3 when none
    passed. `--end` is the last session whose price a label may use.
    """
    from aitrader.jobs.train import Wanted
    from aitrader.jobs.train import train as job

    wanted = Wanted(listed(models), end, force, dry_run, run.run_id, run.loaded.origins)
    report = job(run.config, run.root, wanted, clock=run.clock, progress=run.progress)
    failed = not dry_run and not report.passed
    return Outcome(
        result=report,
        tables=_tables(report),
        warnings=report.warnings,
        status="failed" if failed else "done",
        exit_code=3 if failed else 0,
    )


def _tables(report: "TrainReport") -> list[Any]:
    columns = ("model", "version", "rank IC", "95 % interval", "HAC t", "ICIR daily", "ICIR annual", "days > 0",
               "shuffled", "verdict", "")  # fmt: skip
    caption = (
        f"{report.symbols} symbols, {report.sessions} sessions; labels use prices up to {report.label_end}; "
        f"{report.trials} different settings tried on these data"
    )
    shown = [
        table("Models, scored on sessions they never saw", columns, map(_row, report.models), caption=caption),
    ]
    scored = [model for model in report.models if model.scores is not None and model.done == "trained"]
    if scored:
        names = ("model", *(period.name for period in scored[0].by_year))
        rows = [(model.name, *(period.rank_ic for period in model.by_year)) for model in scored]
        shown.append(table("Mean rank IC by year", names, [row for row in rows if len(row) == len(names)]))
    return shown


def _row(model: "ModelReport") -> tuple[Any, ...]:
    verdict = {"passed": "green", "rejected": "bold red", "unknown": "dim"}[model.status]
    head, tail = (model.name, model.version), (colored(model.status, verdict), model.done)
    if model.scores is None or model.shuffled is None:
        return (*head, *([None] * 7), *tail)
    scores = model.scores
    interval = f"{scores.rank_ic_lower:+.4f} to {scores.rank_ic_upper:+.4f}"
    figures = (scores.rank_ic, interval, scores.hac_t, scores.icir_daily, scores.icir_annual, scores.positive_share)
    return (*head, *figures, model.shuffled.rank_ic, *tail)
