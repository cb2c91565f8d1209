"""One model from a sample to its passport: walk forward, score, fit once more on the newest window."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aitrader.config.schema import Execution, Training
from aitrader.domain.frames import PREDICTIONS
from aitrader.errors import InsufficientDataError
from aitrader.models.passport import (
    FORMAT,
    DataRef,
    FeatureRef,
    FoldWindow,
    LabelRef,
    Passport,
    Scores,
    TrainWindow,
    digest,
)
from aitrader.panel.panel import Panel
from aitrader.training.evaluate import evaluate
from aitrader.training.fit import Fitted, OutOfFold, Recipe, Step, fit_folds, fit_span, golden_rows, train_rows
from aitrader.training.folds import Fold, Schedule, Span, final_span, walk_forward
from aitrader.training.labels import entry_prices
from aitrader.training.ledger import Trial, naive_returns
from aitrader.training.matrix import Sample
from aitrader.training.transformers import dump_chain


@dataclass(frozen=True, slots=True)
class Identity:
    """Everything that decides what a training run will produce; equal identities give equal bytes.

    ``kind`` and ``settings`` are of the model, ``libraries`` maps packages to versions.
    """

    name: str
    kind: str
    settings: Mapping[str, Any]
    features: tuple[FeatureRef, ...]
    label: LabelRef
    data: DataRef
    training: Training
    libraries: Mapping[str, str]

    @property
    def settings_hash(self) -> str:
        """Hash of what a person chose; the data, the gate and the machine have no part in it. Counts trials."""
        training = self.training.model_dump(mode="json", exclude={"gate", "bootstrap_samples"})
        parts = (self.kind, self.settings, self.features, self.label, self.data.universe, training)
        return digest(parts)

    @property
    def version(self) -> str:
        """The last price that training may use, and a hash of settings, data and libraries: ``20130628-1a2b3c4d``."""
        training = self.training.model_dump(mode="json")
        parts = (self.settings_hash, training, self.data.panel_hash, self.data.source, self.libraries)
        return f"{self.data.end:%Y%m%d}-{digest(parts)[:8]}"

    @property
    def schedule(self) -> Schedule:
        """The walk-forward plan: the purge comes from the label, the embargo may only lengthen it."""
        retrain = self.training.retrain
        return Schedule(retrain.every, retrain.window, self.label.horizon + 1, self.training.embargo or 0)


@dataclass(frozen=True, slots=True)
class Study:
    """What one training run produced: out-of-fold rows with their scores, and the final fit."""

    folds: tuple[Fold, ...]
    out_of_fold: OutOfFold
    scores: Scores
    shuffled: Scores
    final: Fitted
    span: Span


def run_study(
    sample: Sample,
    sessions: NDArray[np.datetime64],
    identity: Identity,
    recipe: Recipe,
    *,
    executor: Executor | None = None,
    step: Step | None = None,
) -> Study:
    """Walk forward, score the out-of-fold rows, and fit the newest window.

    Raises
    ------
    InsufficientDataError
        Too few sessions or rows.
    ModelTrainingError
        Nothing could be learned.
    """
    folds = walk_forward(_first_session(sample), sample.sessions, identity.schedule)
    found = fit_folds(sample, folds, recipe, executor=executor, step=step)
    span = final_span(sample.sessions, identity.schedule)
    return Study(
        folds,
        found,
        _scores(found.predictions, sample, sessions, found.fold, identity),
        _scores(found.shuffled, sample, sessions, found.fold, identity),
        fit_span(sample, span, recipe),
        span,
    )


def write_passport(
    study: Study, sample: Sample, sessions: NDArray[np.datetime64], identity: Identity, *, trial: int
) -> Passport:
    """Return the passport of a study's final fit; ``trial`` counts the settings tried on these data."""
    rows = train_rows(sample, study.span)
    schedule = identity.schedule
    return Passport(
        format=FORMAT,
        name=identity.name,
        version=identity.version,
        kind=identity.kind,
        settings=identity.settings,
        features=identity.features,
        transformers=dump_chain(study.final.chain),
        label=identity.label,
        data=identity.data,
        train=TrainWindow(
            first=_day(sessions[rows.session[0]]),
            last=_day(sessions[rows.session[-1]]),
            label_end=_day(sessions[-1]),
            rows=len(rows),
            purge=schedule.reach,
            embargo=schedule.embargo,
        ),
        folds=tuple(
            _fold_window(fold, rows, sessions) for fold, rows in zip(study.folds, study.out_of_fold.rows, strict=True)
        ),
        libraries=identity.libraries,
        seed=identity.training.seed,
        scores=study.scores,
        shuffled=study.shuffled,
        trial=trial,
        golden=golden_rows(sample, study.span, study.final),
    )


def make_trial(study: Study, panel: Panel, identity: Identity, execution: Execution) -> Trial:
    """Return what the trial ledger keeps of a study: its settings, and what following it blindly would have earned."""
    costs = execution.costs
    prices = entry_prices(panel, execution.entry)
    cost = (costs.spread_bps / 2 + costs.commission_bps) / 1e4
    returns = naive_returns(study.out_of_fold.predictions, prices, horizon=identity.label.horizon, cost=cost)
    first = study.folds[0].test.first
    return Trial(
        settings=identity.settings_hash,
        model=identity.name,
        source=identity.data.source,
        start=identity.data.start,
        end=identity.data.end,
        first=_day(panel.sessions[first]),
        returns=tuple(np.round(returns[first:-1], 8).tolist()),
    )


def prediction_rows(study: Study, panel: Panel, identity: Identity) -> pl.DataFrame:
    """Return out-of-fold and shuffled rows (``PREDICTIONS``): one per member and session of the test blocks.

    A member that knows too few features has a row without a prediction.
    """
    found = study.out_of_fold
    session, symbol = np.nonzero((panel.members & (found.fold >= 0)).T)
    parts = [
        pl.DataFrame(
            {
                "symbol": np.array(panel.symbols, dtype=object)[symbol],
                "session": panel.sessions[session],
                "model": identity.name,
                "version": identity.version,
                "fold": found.fold[session],
                "kind": kind,
                "prediction": values[symbol, session],
            },
            schema=PREDICTIONS,
        )
        for kind, values in (("oof", found.predictions), ("shuffled", found.shuffled))
    ]
    return pl.concat(parts).with_columns(pl.col("prediction").fill_nan(None))


def panel_hash(panel: Panel) -> str:
    """Return the SHA-256 of every session, symbol, price, volume and membership of the panel."""
    hasher = hashlib.sha256(digest([panel.calendar, panel.timeframe, list(panel.symbols)]).encode())
    hasher.update(panel.sessions.astype("datetime64[D]").astype("<i8").tobytes())
    hasher.update(np.packbits(panel.members).tobytes())
    for name in sorted(panel.columns):
        hasher.update(name.encode())
        hasher.update(np.where(np.isnan(panel.columns[name]), np.nan, panel.columns[name]).astype("<f8").tobytes())
    return hasher.hexdigest()


def _first_session(sample: Sample) -> int:
    trainable = (sample.usable & np.isfinite(sample.labels)).any(axis=0)
    if not trainable.any():
        raise InsufficientDataError(
            "No member has both a label and half of the features on any session.",
            needed=1,
            got=0,
            fix="Check the feature set (are all values missing?), `universe.min_history`, and the lake's history.",
        )
    return int(np.argmax(trainable))


def _scores(
    predictions: NDArray[np.float64],
    sample: Sample,
    sessions: NDArray[np.datetime64],
    fold: NDArray[np.int32],
    identity: Identity,
) -> Scores:
    training = identity.training
    return evaluate(
        predictions,
        sample.labels,
        sessions,
        fold,
        horizon=identity.label.horizon,
        samples=training.bootstrap_samples,
        seed=training.seed,
    )


def _fold_window(fold: Fold, rows: int, sessions: NDArray[np.datetime64]) -> FoldWindow:
    return FoldWindow(
        number=fold.number,
        train_first=_day(sessions[fold.train.first]),
        train_last=_day(sessions[fold.train.stop - 1]),
        test_first=_day(sessions[fold.test.first]),
        test_last=_day(sessions[fold.test.stop - 1]),
        rows=rows,
    )


def _day(session: np.datetime64) -> date:
    day: date = session.astype("datetime64[D]").item()
    return day
