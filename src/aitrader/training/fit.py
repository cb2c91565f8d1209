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
Blocks = tuple[FloatArray, FloatArray]

Step = Callable[[int, int], None]
"""Told how many folds are done, and of how many."""

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


def fit_span(sample: Sample, span: Span, recipe: Recipe) -> Fitted:
    """Fit transformers and model on the rows of ``span``."""
    rows, chain, prepared = _prepare(sample, span, recipe)
    return Fitted(_fit(prepared, targets(sample, rows), recipe), chain)


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
    predictions, shuffled = (np.full(sample.labels.shape, np.nan) for _ in range(2))
    number = np.full(sample.sessions, -1, dtype=np.int32)
    results = _results(folds, lambda fold: _predict_blocks(sample, fold, recipe), executor)
    for done, (fold, blocks) in enumerate(results, start=1):
        test = slice(fold.test.first, fold.test.stop)
        predictions[:, test], shuffled[:, test] = blocks
        number[test] = fold.number
        if step is not None:
            step(done, len(folds))
    counts = tuple(len(train_rows(sample, fold.train)) for fold in folds)
    return OutOfFold(predictions, shuffled, number, counts)


def golden_rows(sample: Sample, span: Span, fitted: Fitted) -> Golden:
    """Return evenly spaced training rows, as raw features, with their predictions: what every copy must reproduce."""
    rows = train_rows(sample, span)
    pick = np.unique(np.linspace(0, len(rows) - 1, GOLDEN_ROWS).astype(np.int64))
    values = take(sample.features, Rows(rows.symbol[pick], rows.session[pick]))
    return Golden(tuple(map(tuple, values.tolist())), tuple(fitted.predict(values).tolist()))


def _prepare(sample: Sample, span: Span, recipe: Recipe) -> tuple[Rows, tuple[Transformer, ...], Any]:
    """Return the training rows of ``span``, their fitted transformers, and the rows as the model learns from them."""
    rows = train_rows(sample, span)
    chain, values = fit_chain(take(sample.features, rows), recipe.kind.needs, share=recipe.winsorize)
    return rows, chain, recipe.kind.prepare(values, settings=recipe.settings, seed=recipe.seed)


def _fit(prepared: Any, target: FloatArray, recipe: Recipe) -> Model:
    return recipe.kind.fit(prepared, target, settings=recipe.settings, seed=recipe.seed)


def _predict_blocks(sample: Sample, fold: Fold, recipe: Recipe) -> Blocks:
    """Return the predictions of the fold's test block, of the labels and of permuted ones."""
    rows, chain, prepared = _prepare(sample, fold.train, recipe)
    target = targets(sample, rows)
    try:
        honest = _predict_block(sample, fold.test, Fitted(_fit(prepared, target, recipe), chain))
    except ModelTrainingError as error:
        raise ModelTrainingError(f"Fold {fold.number}: {error}", fix=error.fix) from error
    seed = int(np.random.SeedSequence([recipe.seed, fold.number]).generate_state(1)[0])
    try:
        lucky = Fitted(_fit(prepared, permuted(target, rows, seed), recipe), chain)
    except ModelTrainingError:
        return honest, np.where(np.isfinite(honest), 0.0, np.nan)
    return honest, _predict_block(sample, fold.test, lucky)


def _predict_block(sample: Sample, test: Span, fitted: Fitted) -> FloatArray:
    rows = select_rows(sample.usable, test)
    block = np.full((sample.labels.shape[0], test.stop - test.first), np.nan)
    block[rows.symbol, rows.session - test.first] = fitted.predict(take(sample.features, rows))
    return block


def _results(
    folds: tuple[Fold, ...], run: Callable[[Fold], Blocks], executor: Executor | None
) -> Iterable[tuple[Fold, Blocks]]:
    if executor is None:
        for fold in folds:
            yield fold, run(fold)
        return
    futures: dict[Future[Blocks], Fold] = {executor.submit(run, fold): fold for fold in folds}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()


def _finite(values: FloatArray) -> FloatArray:
    return np.where(np.isfinite(values), values, np.nan)
