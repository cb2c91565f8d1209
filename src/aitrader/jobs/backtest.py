"""Plays the past under the strategies of the book, and doubts the result."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aitrader.backtest.doubts import Facts, Runs, doubts, play, stopped_orders
from aitrader.backtest.view import (
    Halted,
    Performance,
    assumptions,
    cost_figures,
    curves,
    fold_lines,
    halted,
    metric_rows,
    performance,
    trade_figures,
)
from aitrader.config.schema import Config
from aitrader.disk.files import write_text
from aitrader.domain.clock import Clock, wall_clock
from aitrader.domain.receipts import Receipt
from aitrader.domain.symbols import Symbol
from aitrader.domain.wording import counted
from aitrader.envelope import jsonable
from aitrader.errors import LakeError
from aitrader.jobs.assembly.data import open_lake
from aitrader.jobs.assembly.past import Asked, ModelUsed, Past, past
from aitrader.jobs.progress import Progress, Report, silent
from aitrader.jobs.receipt import versions, write_receipt
from aitrader.lake.files import write_parquet
from aitrader.lake.model_store import ModelStore
from aitrader.lake.studies import append_line, read_lines
from aitrader.models.passport import digest
from aitrader.reports.backtest import BacktestView, Doubt, Figure, HaltView, ModelLine, Warned, render
from aitrader.training.ledger import Trial, count_trials, read_trials


@dataclass(frozen=True, slots=True)
class Carried:
    """A holding whose bars ended: about ``shares`` carried at the close of ``last_bar``, worth ``value`` USD."""

    symbol: Symbol
    last_bar: date
    shares: float
    value: float


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """What ``backtest`` found, from the close of ``start`` to the close of ``end``.

    ``performances`` are those of the strategy, of equal weight and of cash, in this order, without breakers; ``halted``
    is where the first one would have stopped the book. ``trials`` counts the different settings tried on these data.
    ``report`` (HTML), ``equity`` (Parquet) and ``events`` (one JSON object per line) are paths below the root, as is
    ``receipt``.
    """

    strategy: str
    start: date
    end: date
    sessions: int
    source: str
    lake_version: int
    symbols: int
    cash: Decimal
    final_equity: float
    models: tuple[ModelLine, ...]
    performances: tuple[Performance, ...]
    halted: Halted | None
    doubts: tuple[Doubt, ...]
    costs: tuple[Figure, ...]
    trades: tuple[Figure, ...]
    refusals: Mapping[str, int]
    undecided: int
    carried: tuple[Carried, ...]
    trials: int
    survivors_only: bool
    hand_picked: bool
    adjusted: bool
    warnings: tuple[str, ...]
    report: str
    equity: str
    events: str
    receipt: str


@dataclass(frozen=True, slots=True)
class _Course:
    """One backtest on its way to its files."""

    config: Config
    root: Path
    asked: Asked
    run_id: str
    started: datetime
    past: Past
    runs: Runs
    trials: int

    @property
    def strategy(self) -> str:
        return " + ".join(self.past.plan.strategies)

    @property
    def folder(self) -> str:
        return f"data_lake/reports/{self.run_id}"

    @property
    def models(self) -> tuple[ModelLine, ...]:
        return tuple(ModelLine(model.name, model.version, model.status) for model in self.past.models)


def backtest(
    config: Config,
    root: Path,
    asked: Asked | None = None,
    *,
    clock: Clock = wall_clock,
    progress: Report = silent,
) -> BacktestReport:
    """Play the strategies of the book over the past, doubt the result, and keep both under ``data_lake/reports``.

    Different settings count in the trial ledger. Leakage is checked before the gate, and both before anything is
    played; nothing is written until everything was played.

    Raises
    ------
    DataLeakageError
        A model would decide on sessions that it was trained on.
    ModelStoreError
        A model is missing or did not pass its gate (without ``allow_rejected``).
    InsufficientDataError
        The span holds no sessions.
    LakeError
        The result could not be written.
    """
    started, wanted = clock(), asked or Asked()
    progress(Progress("backtest", 0, 1, "prices and predictions"))
    with open_lake(root, clock) as lake:
        now = wanted.now or started
        played = past(config, lake.snapshot(wanted.as_of, now), ModelStore(lake.root), wanted, now)

    def watch(done: int, total: int) -> None:
        progress(Progress("backtest", done, total, "sessions"))

    runs = play(played.tape, played.plan, shuffled=played.shuffled, watch=watch)
    trials = _count(config, root, played, runs)
    run_id = wanted.run_id or f"backtest-{started:%Y%m%dT%H%M%SZ}"
    course = _Course(config, root, wanted, run_id, started, played, runs, trials)
    report = _report(course)
    outputs = _write(course, report)
    write_receipt(root / "data_lake", _receipt(course, outputs, clock()))
    return report


def _count(config: Config, root: Path, played: Past, runs: Runs) -> int:
    """Count these settings among the trials, and return how many different ones were tried on these data."""
    sections = ("universe", "portfolio", "execution", "risk", "labels")
    basis = {name: jsonable(getattr(config, name).model_dump(mode="json")) for name in sections}
    basis["settlement"] = config.account.settlement
    chosen = {name: config.strategies[name].model_dump(mode="json") for name in played.plan.strategies}
    models = {model.name: digest(model.passport.settings) for model in played.models}
    market = played.market
    trial = Trial(
        settings=digest({"backtest": basis, "strategies": chosen, "models": models}),
        model=" + ".join(played.plan.strategies),
        source=market.source,
        start=market.sessions[0],
        end=market.sessions[-1],
        first=played.plan.start,
        returns=tuple(np.round(runs.asked.returns, 8).tolist()),
    )
    lake = root / "data_lake"
    known = read_trials(read_lines(lake))
    if not any((one.settings, one.source, one.start, one.end) == _key(trial) for one in known):
        append_line(lake, trial.to_line())
    return count_trials((*known, trial), source=trial.source, start=trial.start, end=trial.end)


def _key(trial: Trial) -> tuple[str, str, date, date]:
    return trial.settings, trial.source, trial.start, trial.end


def _report(course: _Course) -> BacktestReport:
    played, run = course.past, course.runs.asked
    market = played.market
    return BacktestReport(
        strategy=course.strategy,
        start=run.sessions[0].item(),
        end=run.sessions[-1].item(),
        sessions=len(run.sessions),
        source=market.source,
        lake_version=market.lake_version,
        symbols=len(market.panel.symbols),
        cash=played.plan.cash,
        final_equity=float(run.equity[-1]),
        models=course.models,
        performances=tuple(performance(*curve) for curve in curves(course.runs, course.strategy).items()),
        halted=halted(run, course.strategy),
        doubts=doubts(course.runs, _facts(course)),
        costs=cost_figures(run),
        trades=trade_figures(run),
        refusals=stopped_orders(run),
        undecided=len(run.undecided),
        carried=tuple(Carried(one.symbol, one.last_bar, float(one.quantity), one.value) for one in run.unpriced),
        trials=course.trials,
        survivors_only=market.survivors_only,
        hand_picked=market.hand_picked,
        adjusted=market.adjusted,
        warnings=tuple(_warnings(course)),
        report=f"{course.folder}/report.html",
        equity=f"{course.folder}/equity.parquet",
        events=f"{course.folder}/events.jsonl",
        receipt=f"data_lake/receipts/{course.run_id}.json",
    )


def _facts(course: _Course) -> Facts:
    market = course.past.market
    return Facts(
        trials=course.trials,
        symbols=len(market.panel.symbols),
        survivors_only=market.survivors_only,
        hand_picked=market.hand_picked,
        adjusted=market.adjusted,
        rejected=tuple(f"{model.name} {model.version}" for model in _rejected(course.past.models)),
        seed=course.config.training.seed,
    )


def _rejected(models: tuple[ModelUsed, ...]) -> list[ModelUsed]:
    return [model for model in models if model.status == "rejected"]


def _warnings(course: _Course) -> Iterator[str]:
    yield from course.past.market.warnings
    yield from course.past.notes
    for model in _rejected(course.past.models):
        yield f"model {model.name} {model.version} did not pass its gate"
    latched = course.runs.asked.latched
    if latched:
        yield (
            f"halted: {latched.code} would have stopped the book at {latched.at:%Y-%m-%d %H:%M} UTC, {latched.reason}; "
            "the result goes on without breakers"
        )


def _view(course: _Course, report: BacktestReport) -> BacktestView:
    run = course.runs.asked
    return BacktestView(
        title=f"Backtest of {course.strategy}",
        run_id=course.run_id,
        created_at=course.started,
        settings_hash=digest(course.config.model_dump(mode="json")),
        lake_version=report.lake_version,
        strategy=course.strategy,
        universe=f"{counted(report.symbols, 'symbol')} of {report.source}",
        models=report.models,
        sessions=run.sessions,
        curves=curves(course.runs, course.strategy),
        metrics=metric_rows(report.performances),
        doubts=report.doubts,
        warnings=tuple(Warned("red" if _grave(text) else "amber", text) for text in report.warnings),
        gross=run.gross,
        net=run.net,
        turnover=run.turnover,
        costs=report.costs,
        trades=report.trades,
        refusals=report.refusals,
        folds=fold_lines([model.passport for model in course.past.models]),
        assumptions=assumptions(course.past.plan),
        halted=_halt_view(report),
    )


def _halt_view(report: BacktestReport) -> HaltView | None:
    stopped = report.halted
    if stopped is None:
        return None
    rows = metric_rows([stopped.performance, report.performances[0]])
    return HaltView(stopped.until, rows)


def _grave(warning: str) -> bool:
    return warning.startswith(("survivorship", "hand-picked", "model ", "halted"))


def _write(course: _Course, report: BacktestReport) -> dict[str, str]:
    """Write equity, events, result and page; return their SHA-256 by path."""
    texts = {
        report.events: "".join(f"{json.dumps(row, allow_nan=False)}\n" for row in _events(course)),
        f"{course.folder}/result.json": f"{json.dumps(jsonable(report), indent=1, allow_nan=False)}\n",
        report.report: render(_view(course, report)),
    }
    stamp = write_parquet(course.root / report.equity, _equity(course), texts=(), keys=("session",))
    try:
        for path, text in texts.items():
            write_text(course.root / path, text)
    except OSError as error:
        raise LakeError(
            f"The backtest could not be written: {error}.", fix="Free space or repair the disk, then run again."
        ) from error
    return {report.equity: stamp.sha256} | {path: sha256(text.encode()).hexdigest() for path, text in texts.items()}


def _events(course: _Course) -> Iterator[dict[str, Any]]:
    for event in course.runs.asked.events:
        yield {"event": type(event).__name__, **jsonable(event)}


def _equity(course: _Course) -> pl.DataFrame:
    """Return one row per session: the book at its close in USD, exposures and turnover as fractions of equity."""
    run = course.runs.asked
    columns = ("equity", "cash", "gross", "net", "turnover", "fees", "slippage")
    frame = pl.DataFrame({"session": run.sessions, **{name: getattr(run, name) for name in columns}})
    return frame.with_columns(pl.Series("equal_weight", course.runs.equal_weight.equity))


def _receipt(course: _Course, outputs: dict[str, str], finished: datetime) -> Receipt:
    asked, market = course.asked, course.past.market
    models = {f"models/{model.name}": model.version for model in course.past.models}
    return Receipt(
        run_id=course.run_id,
        command="backtest",
        arguments={
            "strategy": asked.strategy,
            "start": asked.start,
            "end": asked.end,
            "allow_rejected": asked.allow_rejected,
            "now": asked.now,
            "as_of": asked.as_of,
        },
        started_at=course.started,
        finished_at=finished,
        lake_version=market.lake_version,
        inputs={"bars/1d": market.bars_hash} | models,
        outputs=outputs,
        settings=course.config.model_dump(mode="json"),
        origins=asked.origins,
        seed=course.config.training.seed,
        versions=versions(),
    )
