"""``aitrader models``: list, show, import and verify what the store holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aitrader.cli.options import Outcome, Run, command
from aitrader.cli.render import colored, table
from aitrader.domain.wording import counted

if TYPE_CHECKING:
    from aitrader.jobs.models import ModelCard, ModelLine

COMMANDS: Final = {
    "ls": ("aitrader.cli.models:ls", "List the stored models."),
    "show": ("aitrader.cli.models:show", "Show a model's passport."),
    "import": ("aitrader.cli.models:import_", "Copy a model from another lake."),
    "verify": ("aitrader.cli.models:verify", "Check hashes, passports and golden rows."),
}

_COLUMNS: Final = ("model", "version", "kind", "status", "champion", "imported", "label end", "recorded (UTC)")


@command
def ls(run: Run) -> Outcome:
    """List the stored models, newest version last."""
    from aitrader.jobs.models import list_models

    report = list_models(run.root)
    return Outcome(result=report, tables=[table("Models", _COLUMNS, map(_row, report.models))])


@command
def show(
    run: Run,
    name: Annotated[str, typer.Argument(help="A model's name, as `aitrader models ls` prints it.")],
    version: Annotated[str | None, typer.Argument(help="A version; default: the champion, else the newest.")] = None,
) -> Outcome:
    """Show a model's passport: what it is, what it saw, how it scored."""
    from aitrader.jobs.models import show_model

    card = show_model(run.root, name, version)
    return Outcome(result=card, tables=_card_tables(card))


@command
def import_(
    run: Run, path: Annotated[Path, typer.Argument(help="data_lake/models/NAME of another lake, or a version in it.")]
) -> Outcome:
    """Copy a model from another lake, without its out-of-fold rows.

    Its hashes are checked, and a child process must reproduce its golden rows, before anything is stored.
    """
    from aitrader.jobs.models import import_model

    report = import_model(run.root, path, run_id=run.run_id, clock=run.clock)
    title = "Imported" if report.new else "Imported before"
    return Outcome(
        result=report, tables=[table(title, _COLUMNS, [_row(report.line)])], warnings=report.warnings, status="done"
    )


@command
def verify(
    run: Run, name: Annotated[str | None, typer.Argument(help="One model; default: every stored one.")] = None
) -> Outcome:
    """Check hashes, passports and golden rows of the stored models."""
    from aitrader.jobs.models import verify_models

    report = verify_models(run.root, name)
    rows = [
        (check.name, check.version, colored("pass", "green") if check.passed else colored("fail", "red"), check.reason)
        for check in report.checks
    ]
    shown = table("Stored models", ("model", "version", "check", "reason"), rows)
    failed = not report.passed
    return Outcome(result=report, tables=[shown], status="failed" if failed else "done", exit_code=3 if failed else 0)


def _row(line: "ModelLine") -> tuple[Any, ...]:
    status = colored(line.status, "green" if line.status == "passed" else "bold red")
    recorded = f"{line.recorded_at:%Y-%m-%d %H:%M}"
    return (line.name, line.version, line.kind, status, line.champion, line.imported, line.label_end, recorded)


def _card_tables(card: "ModelCard") -> list[Any]:
    passport, scores = card.passport, card.passport.scores
    rows = [
        ("verdict", f"{card.line.status}: {card.reason}"),
        ("label", f"{counted(passport.label.horizon, 'session')}, entry {passport.label.entry}"),
        ("decisions learned from", f"{passport.train.first} to {passport.train.last}, {passport.train.rows:,} rows"),
        ("last price a label used", passport.train.label_end),
        ("purge + embargo", f"{passport.train.purge} + {passport.train.embargo} sessions"),
        ("data", f"{passport.data.source}, {counted(len(passport.data.symbols), 'symbol')}"),
        ("features", len(passport.features)),
        ("rank IC", f"{scores.rank_ic:+.4f}, 95% {scores.rank_ic_lower:+.4f} to {scores.rank_ic_upper:+.4f}"),
        ("HAC t", f"{scores.hac_t:.2f}"),
        ("ICIR", f"{scores.icir_daily:.3f} daily, {scores.icir_annual:.2f} annual"),
        ("shuffled labels", f"rank IC {passport.shuffled.rank_ic:+.4f}"),
        ("trial", passport.trial),
        ("settings", ", ".join(f"{key} {value}" for key, value in passport.settings.items())),
    ]
    years = [(period.name, period.sessions, period.rank_ic) for period in scores.by_year]
    return [
        table(f"{passport.name} {passport.version} ({passport.kind})", ("", ""), [(k, str(v)) for k, v in rows]),
        table("Out-of-fold rank IC by year", ("year", "sessions", "rank IC"), years),
    ]
