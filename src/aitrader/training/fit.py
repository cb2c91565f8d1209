"""Fits a kind of model on each fold and once more on the newest window."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aitrader.config.fields import Section
from aitrader.errors import InsufficientDataError, ModelTrainingError
from aitrader.models.model import Model
from aitrader.models.passport import Golden
from aitrader.training.folds import Fold, Span
from aitrader.training.matrix import Rows, Sample, enough, permuted, select_rows, take, targets
from aitrader.training.transformers import Transformer, apply_chain, fit_chain

FloatArray = NDArray[np.float64]

Step = Callable[[int, int], None]
"""Told how many fits are done, and of how many."""

MIN_ROWS = 100
"""Training rows below which nothing is fitted."""

GOLDEN_ROWS = 16
"""Rows that a passport keeps with their predictions."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to fit: the kind of model, its settings, the share winsorised at each end, and the seed."""

    kind: type[Model]
    settings: Section
    winsorize: float
    seed: int


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model with the transformers that its rows pass through first."""

    model: Model
    chain: tuple[Transformer, ...]

    def predict(self, values: FloatArray) -> FloatArray:
        """Return a score without a unit per raw row (R, F); NaN for a row that knows too few features."""
        scores = np.full(len(values), np.nan)
        fit = enough(values)
        if fit.any():
            scores[fit] = self.model.predict(apply_chain(self.chain, _finite(values[fit])))
        return scores

    def contributions(self, values: FloatArray) -> FloatArray:
        """Return what each feature adds to the score, and the base last: (R, F + 1), NaN where there is no score."""
        parts = np.full((len(values), values.shape[1] + 1), np.nan)
        fit = enough(values)
        if fit.any():
            parts[fit] = self.model.contributions(apply_chain(self.chain, _finite(values[fit])))
        return parts


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Predictions of the test blocks, (N, T), NaN where there is none, and each session's fold (T,), -1 for none.

    ``shuffled`` are those of the same folds fitted on labels permuted within each session. ``rows`` counts the
    training rows of each fold.
    """

    predictions: FloatArray
    shuffled: FloatArray
    fold: NDArray[np.int32]
    rows: tuple[int, ...]


def train_rows(sample: Sample, span: Span) -> Rows:
    """Return the rows of ``span`` that can be learned from: usable and labelled.

    Raises
    ------
    InsufficientDataError
        Fewer than 100.
    """
    rows = select_rows(sample.usable & np.isfinite(sample.labels), span)
    if len(rows) < MIN_ROWS:
        raise InsufficientDataError(
            f"A training window has {len(rows)} labelled rows with enough features; {MIN_ROWS} are needed.",
            needed=MIN_ROWS,
            got=len(rows),
            fix="Backfill more history or symbols, or check the feature set with `aitrader calculate-features`.",
        )
    return rows


def fit_span(sample: Sample, span: Span, recipe: Recipe, *, shuffle: int | None = None) -> Fitted:
    """Fit transformers and model on the rows of ``span``; with ``shuffle``, a seed, on permuted labels."""
    rows = train_rows(sample, span)
    target = targets(sample, rows)
    if shuffle is not None:
        target = permuted(target, rows, shuffle)
    chain, values = fit_chain(take(sample.features, rows), recipe.kind.needs, share=recipe.winsorize)
    return Fitted(recipe.kind.fit(values, target, settings=recipe.settings, seed=recipe.seed), chain)


def fit_folds(
    sample: Sample,
    folds: tuple[Fold, ...],
    recipe: Recipe,
    *,
    executor: Executor | None = None,
    step: Step | None = None,
) -> OutOfFold:
    """Fit every fold twice, on its labels and on permuted ones, and predict its test block.

    Equal input gives equal predictions, whatever the executor. A stop in between cancels what has not begun.
    """
    jobs = [(fold, shuffled) for fold in folds for shuffled in (False, True)]
    predictions, shuffled = (np.full(sample.labels.shape, np.nan) for _ in range(2))
    results = _results(jobs, lambda job: _predict_block(sample, job[0], recipe, shuffled=job[1]), executor)
    for done, ((fold, luck), block) in enumerate(results, start=1):
        target = shuffled if luck else predictions
        target[:, fold.test.first : fold.test.stop] = block
        if step is not None:
            step(done, len(jobs))
    number = np.full(sample.sessions, -1, dtype=np.int32)
    for fold in folds:
        number[fold.test.first : fold.test.stop] = fold.number
    counts = tuple(len(train_rows(sample, fold.train)) for fold in folds)
    return OutOfFold(predictions, shuffled, number, counts)


def golden_rows(sample: Sample, span: Span, fitted: Fitted) -> Golden:
    """Return evenly spaced training rows, as raw features, with their predictions: what every copy must reproduce."""
    rows = train_rows(sample, span)
    pick = np.unique(np.linspace(0, len(rows) - 1, GOLDEN_ROWS).astype(np.int64))
    values = take(sample.features, Rows(rows.symbol[pick], rows.session[pick]))
    return Golden(tuple(map(tuple, values.tolist())), tuple(fitted.predict(values).tolist()))


def _predict_block(sample: Sample, fold: Fold, recipe: Recipe, *, shuffled: bool) -> FloatArray:
    seed = int(np.random.SeedSequence([recipe.seed, fold.number]).generate_state(1)[0])
    try:
        fitted = fit_span(sample, fold.train, recipe, shuffle=seed if shuffled else None)
    except ModelTrainingError as error:
        if shuffled:
            return np.where(sample.usable[:, fold.test.first : fold.test.stop], 0.0, np.nan)
        raise ModelTrainingError(f"Fold {fold.number}: {error}", fix=error.fix) from error
    rows = select_rows(sample.usable, fold.test)
    block = np.full((sample.labels.shape[0], fold.test.stop - fold.test.first), np.nan)
    block[rows.symbol, rows.session - fold.test.first] = fitted.predict(take(sample.features, rows))
    return block


def _results(
    jobs: list[tuple[Fold, bool]], run: Callable[[tuple[Fold, bool]], FloatArray], executor: Executor | None
) -> Iterable[tuple[tuple[Fold, bool], FloatArray]]:
    if executor is None:
        for job in jobs:
            yield job, run(job)
        return
    futures: dict[Future[Any], tuple[Fold, bool]] = {executor.submit(run, job): job for job in jobs}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()


def _finite(values: FloatArray) -> FloatArray:
    return np.where(np.isfinite(values), values, np.nan)
