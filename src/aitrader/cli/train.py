"""``aitrader train``."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aitrader.cli.options import AsOf, DryRun, EndDate, Outcome, Run, command, listed
from aitrader.cli.render import colored, table
from aitrader.domain.wording import counted

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
    as_of: AsOf = None,
    dry_run: DryRun = False,
) -> Outcome:
    """Train the models walk-forward and keep those that pass.

    History is cut into folds; what a label looks ahead at is purged from training. Each model is scored on
    sessions it never saw, and once more trained on shuffled labels, which shows what luck alone scores. A model passes
    when the lower 95% bound of its mean rank IC lies above the gate; others are stored as rejected. Exit 3 when none
    passed. `--end` is the last session whose price a label may use.
    """
    from aitrader.jobs.train import Wanted
    from aitrader.jobs.train import train as job

    wanted = Wanted(listed(models), end, force, dry_run, run.run_id, run.loaded.origins, run.now, as_of)
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
    columns = ("model", "version", "rank IC", "95% interval", "HAC t", "ICIR day/year", "shuffled", "verdict")
    caption = (
        f"{counted(report.symbols, 'symbol')}, {counted(report.sessions, 'session')}; "
        f"labels use prices up to {report.label_end}; "
        f"{counted(report.trials, 'different setting')} tried on these data; "
        + ", ".join(f"{model.name} {model.done}" for model in report.models)
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
    head, tail = (model.name, model.version), colored(model.status, verdict)
    if model.scores is None or model.shuffled is None:
        return (*head, *([None] * 5), tail)
    scores = model.scores
    interval = f"{scores.rank_ic_lower:+.4f} to {scores.rank_ic_upper:+.4f}"
    ratios = f"{scores.icir_daily:.3f} / {scores.icir_annual:.2f}"
    luck = f"{model.shuffled.rank_ic:+.4f}"
    return (*head, f"{scores.rank_ic:+.4f}", interval, f"{scores.hac_t:.2f}", ratios, luck, tail)
