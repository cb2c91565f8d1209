"""Trains the configured models walk-forward, scores them out of fold, and stores each with its passport."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Literal

from aitrader.config.schema import Config
from aitrader.config.section import parse_section
from aitrader.domain.clock import Clock, wall_clock
from aitrader.domain.receipts import Receipt
from aitrader.engine.inference import feature_refs
from aitrader.errors import ConfigError, ModelStoreError
from aitrader.features.feature import FeatureSpec
from aitrader.jobs.assembly.data import Market, market, open_lake
from aitrader.jobs.assembly.learning import feature_set, feature_values, model_settings, workers
from aitrader.jobs.progress import Progress, Report, silent
from aitrader.jobs.receipt import versions, write_receipt
from aitrader.lake.model_store import CARD, ModelStore, StoredVersion
from aitrader.lake.store import Lake
from aitrader.lake.studies import append_line, read_lines
from aitrader.models import MODELS
from aitrader.models.passport import DataRef, LabelRef, Passport, Period, Scores, read_passport
from aitrader.registry import lookup
from aitrader.trace import spanned
from aitrader.training.fit import Recipe
from aitrader.training.labels import Labels, make_labels
from aitrader.training.ledger import count_trials, in_ledger, read_trials, trial_number
from aitrader.training.matrix import TARGET, Sample, make_sample
from aitrader.training.promotion import judge
from aitrader.training.study import (
    Identity,
    Study,
    make_trial,
    panel_hash,
    prediction_rows,
    run_study,
    write_passport,
)

Done = Literal["trained", "already trained", "would train"]

SOURCE: Final = "train"
"""What the lake notes as the source of out-of-fold rows."""


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One model: what was done, how it scored out of fold (see ``Scores``), and whether it may trade.

    ``scores``, ``shuffled``, ``train_first`` and ``train_last`` are None in a dry run of a model never trained.
    """

    name: str
    kind: str
    version: str
    done: Done
    status: Literal["passed", "rejected", "unknown"]
    reason: str
    features: int
    train_first: date | None
    train_last: date | None
    train_rows: int
    scores: Scores | None
    shuffled: Scores | None
    trial: int | None

    @property
    def by_fold(self) -> tuple[Period, ...]:
        """The mean rank IC of each fold's test block."""
        return self.scores.by_fold if self.scores else ()

    @property
    def by_year(self) -> tuple[Period, ...]:
        """The mean rank IC of each calendar year."""
        return self.scores.by_year if self.scores else ()


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What ``train`` did. ``label_end`` is the last price that a label used; ``trials`` counts different settings."""

    models: tuple[ModelReport, ...]
    symbols: int
    sessions: int
    label_end: date
    trials: int
    receipt: str | None
    warnings: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether any model passed its gate."""
        return any(model.status == "passed" for model in self.models)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What ``train`` is asked for: ``models`` (None: all), and ``end``, the last price that a label may use.

    ``force`` fits again what was trained on equal input before. ``run_id`` and ``origins`` (where each setting was
    written) go into the receipt. ``now`` is the replay clock, ``as_of`` hides later records.
    """

    models: Sequence[str] | None = None
    end: date | None = None
    force: bool = False
    dry_run: bool = False
    run_id: str | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    now: datetime | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Course:
    """What all models of one run share."""

    config: Config
    market: Market
    labels: Labels
    lake: Lake
    store: ModelStore
    clock: Clock
    progress: Report
    wanted: Wanted


def train(
    config: Config,
    root: Path,
    wanted: Wanted | None = None,
    *,
    clock: Clock = wall_clock,
    progress: Report = silent,
) -> TrainReport:
    """Train models and store each with its verdict.

    What was trained on equal input before is not fitted again. Out-of-fold rows go to ``predictions/<model>``, every
    different setting counts in the trial ledger, and a model that its gate rejects is stored as ``rejected``.

    Raises
    ------
    InsufficientDataError
        Too few sessions, rows or features.
    ModelTrainingError
        Nothing could be learned from the labels.
    LockHeldError
        Another run trains one of the models now.
    """
    started, wanted = clock(), wanted or Wanted()
    names = tuple(wanted.models or config.models)
    if not names:
        raise ConfigError("The configuration names no model to train.", fix="Add one under `models`.")
    for name in names:
        model_settings(config, name)
    with open_lake(root, clock) as lake, _locks(lake, () if wanted.dry_run else names):
        prices = market(config, lake.snapshot(wanted.as_of, wanted.now), end=wanted.end)
        labels = make_labels(
            prices.panel,
            config.execution.entry,
            config.labels.horizon,
            excess=config.labels.excess,
            min_names=config.features.min_names,
        )
        course = _Course(config, prices, labels, lake, ModelStore(lake.root), clock, progress, wanted)
        reports = _train_all(course, names)
        report = _report(course, reports, _clipped(prices, wanted.end))
        if any(model.done == "trained" for model in reports):
            path = _receipt(course, report, started)
            report = replace(report, receipt=str(path))
    return report


@contextmanager
def _locks(lake: Lake, names: Sequence[str]) -> Iterator[None]:
    with ExitStack() as stack:
        for name in sorted(set(names)):
            stack.enter_context(lake.writer(f"predictions/{name}"))
        yield


def _train_all(course: _Course, names: Sequence[str]) -> tuple[ModelReport, ...]:
    samples: dict[tuple[str, ...], Sample] = {}
    return tuple(_train_one(course, name, samples) for name in names)


@spanned("train model")
def _train_one(course: _Course, name: str, samples: dict[tuple[str, ...], Sample]) -> ModelReport:
    identity, recipe, specs = _identity(course, name)
    before = _trained_before(course, identity)
    if before is not None and not course.wanted.force:
        return _model_report(before[1], before[0], "already trained")
    if course.wanted.dry_run:
        return _untrained(identity)
    if before is not None:
        identity = replace(identity, data=replace(identity.data, lake_version=before[1].data.lake_version))
    keys = tuple(spec.key for spec in specs)
    sample = samples[keys] = samples.get(keys) or _sample(course, specs)
    sessions = course.market.panel.sessions

    def step(done: int, total: int) -> None:
        course.progress(Progress(f"train {name}", done, total, "folds"))

    with workers() as executor:
        study = run_study(sample, sessions, identity, recipe, executor=executor, step=step)
    record, passport = _store(course, identity, recipe, study, sample)
    return _model_report(passport, record, "trained")


def _identity(course: _Course, name: str) -> tuple[Identity, Recipe, tuple[FeatureSpec, ...]]:
    config, panel = course.config, course.market.panel
    chosen = model_settings(config, name)
    kind = lookup("models", MODELS, chosen.kind)
    settings = parse_section(kind.Settings, chosen.params, f"models.{name}.params")
    specs = feature_set(config, chosen.features)
    _refuse_raw_levels(name, specs)
    identity = Identity(
        name=name,
        kind=chosen.kind,
        settings=settings.model_dump(mode="json"),
        features=feature_refs(specs),
        label=LabelRef(
            config.labels.horizon,
            config.execution.entry.value,
            config.labels.excess,
            TARGET,
        ),
        data=DataRef(
            source=course.market.source,
            calendar=panel.calendar,
            start=course.market.sessions[0],
            end=course.market.sessions[-1],
            symbols=tuple(panel.symbols),
            universe={**config.universe.model_dump(mode="json"), "min_names": config.features.min_names},
            lake_version=course.market.lake_version,
            panel_hash=panel_hash(panel),
        ),
        training=config.training,
        libraries=versions(kind.libraries),
    )
    return identity, Recipe(kind, settings, config.training.winsorize, config.training.seed), specs


def _refuse_raw_levels(name: str, specs: Sequence[FeatureSpec]) -> None:
    raw = [spec.name for spec in specs if spec.raw_level]
    if raw:
        raise ConfigError(
            f"models.{name} learns from price levels, which a split or a change of adjustment moves: {', '.join(raw)}.",
            fix="Divide them by another price, or leave them out of the feature set.",
        )


def _trained_before(course: _Course, identity: Identity) -> tuple[StoredVersion, Passport] | None:
    own = (record for record in course.store.versions(identity.name) if not record.imported)
    record = next((record for record in own if record.version == identity.version), None)
    if record is None:
        return None
    try:
        stored = course.store.load(identity.name, record.version)
    except ModelStoreError:
        if course.wanted.force:
            return None
        raise
    return record, read_passport(stored.card)


@spanned("sample")
def _sample(course: _Course, specs: tuple[FeatureSpec, ...]) -> Sample:
    course.progress(Progress("features", 0, 1, f"{len(specs)} features"))
    with workers() as executor:
        values = feature_values(course.config, course.market, specs, executor=executor)
    return make_sample(values, course.labels.values, course.labels.excess, course.market.panel.members)


@spanned("store model")
def _store(
    course: _Course, identity: Identity, recipe: Recipe, study: Study, sample: Sample
) -> tuple[StoredVersion, Passport]:
    panel, root = course.market.panel, course.lake.root
    model = study.final.model.to_bytes()
    trial = make_trial(study, panel, identity, course.config.execution)
    trials = read_trials(read_lines(root))
    passport = write_passport(study, sample, panel.sessions, identity, trial=trial_number(trials, trial))
    verdict = judge(study.scores, identity.training.gate)
    record = StoredVersion(
        identity.version,
        identity.kind,
        verdict.status,
        verdict.reason,
        imported=False,
        recorded_at=course.clock(),
        files={recipe.kind.file_name: "", CARD: ""},
    )
    if not in_ledger(trials, trial):
        append_line(root, trial.to_line())
    course.lake.append(f"predictions/{identity.name}", prediction_rows(study, panel, identity), source=SOURCE)
    return course.store.add(identity.name, record, model, passport.to_json()), passport


def _model_report(passport: Passport, record: StoredVersion, done: Done) -> ModelReport:
    return ModelReport(
        passport.name,
        passport.kind,
        passport.version,
        done,
        record.status,
        record.reason,
        features=len(passport.features),
        train_first=passport.train.first,
        train_last=passport.train.last,
        train_rows=passport.train.rows,
        scores=passport.scores,
        shuffled=passport.shuffled,
        trial=passport.trial,
    )


def _untrained(identity: Identity) -> ModelReport:
    return ModelReport(
        identity.name,
        identity.kind,
        identity.version,
        "would train",
        "unknown",
        "dry run",
        features=len(identity.features),
        train_first=None,
        train_last=None,
        train_rows=0,
        scores=None,
        shuffled=None,
        trial=None,
    )


def _clipped(prices: Market, end: date | None) -> tuple[str, ...]:
    last = prices.sessions[-1]
    if end is None or end == last:
        return ()
    return (f"--end {end} has no bars: the last price that a label uses is that of {last}",)


def _report(course: _Course, reports: tuple[ModelReport, ...], notes: tuple[str, ...]) -> TrainReport:
    prices = course.market
    trials = read_trials(read_lines(course.lake.root))
    return TrainReport(
        models=reports,
        symbols=len(prices.panel.symbols),
        sessions=len(prices.sessions),
        label_end=prices.sessions[-1],
        trials=count_trials(trials, source=prices.source, start=prices.sessions[0], end=prices.sessions[-1]),
        receipt=None,
        warnings=(*prices.warnings, *course.labels.notices, *notes),
    )


def _receipt(course: _Course, report: TrainReport, started: datetime) -> Path:
    wanted = course.wanted
    outputs: dict[str, str] = {}
    for model in report.models:
        files: Mapping[str, Any] = course.store.find(model.name, model.version).files
        outputs |= {f"models/{model.name}/{model.version}/{file}": sha for file, sha in files.items()}
    receipt = Receipt(
        run_id=wanted.run_id or f"train-{started:%Y%m%dT%H%M%SZ}",
        command="train",
        arguments={
            "models": [model.name for model in report.models],
            "end": wanted.end,
            "force": wanted.force,
            "now": wanted.now,
            "as_of": wanted.as_of,
        },
        started_at=started,
        finished_at=course.clock(),
        lake_version=course.market.lake_version,
        inputs={"bars/1d": course.market.bars_hash, "panel": panel_hash(course.market.panel)},
        outputs=outputs,
        settings=course.config.model_dump(mode="json"),
        origins=wanted.origins,
        seed=course.config.training.seed,
        versions=versions(),
    )
    return write_receipt(course.lake.root, receipt)
