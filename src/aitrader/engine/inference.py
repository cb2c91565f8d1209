"""Predictions of stored models, under one rule: nothing predicts what it was trained on.

A model decides on session d only if d is later than its ``label_end``, the last price that any of its training labels
used. Earlier sessions take the out-of-fold rows of the same version. Where there are none, the answer is
``DataLeakageError``.
"""

import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aitrader.engine.restore import restore
from aitrader.errors import DataLeakageError, ModelStoreError
from aitrader.features.feature import FeatureSpec
from aitrader.lake.model_store import ModelStore, StoredModel, StoredVersion
from aitrader.lake.snapshot import Snapshot
from aitrader.models.passport import FeatureRef, Passport, read_passport
from aitrader.panel.panel import Panel
from aitrader.trace import spanned
from aitrader.training.fit import Fitted

FloatArray = NDArray[np.float64]
Kind = Literal["oof", "shuffled"]

TIMEOUT: Final = 30.0
"""Seconds that a model may take to load and to predict its golden rows and those of one session."""

TOLERANCE: Final = 1e-9
"""How far a golden prediction may lie from the stored one."""

_PASSED_ON: Final = (
    "PATH HOME LANG LC_ALL TMPDIR PYTHONPATH VIRTUAL_ENV LD_LIBRARY_PATH DYLD_LIBRARY_PATH NUMBA_CACHE_DIR"
)
"""Environment that the child sees: no credentials among it."""


class Scorer(Protocol):
    """What gives raw rows of features their scores."""

    def predict(self, values: FloatArray) -> FloatArray:
        """Return a score without a unit per row (R, F); NaN for a row that knows too few features."""
        ...


@dataclass(frozen=True, slots=True)
class InChild:
    """A model that this process never loads: each call runs a child, which reproduces the golden rows first."""

    stored: StoredModel
    passport: Passport
    timeout: float = TIMEOUT

    def predict(self, values: FloatArray) -> FloatArray:
        """Return a score per row; raises as ``load_checked``."""
        return _checked_scores(self.stored, self.passport, values, self.timeout)


def load_checked(stored: StoredModel, *, timeout: float = TIMEOUT) -> tuple[Passport, Fitted]:
    """Return passport and model after a child process loaded the bytes and reproduced the golden rows within 1e-9.

    Raises
    ------
    ModelStoreError
        The child crashed, hung, ran out of memory or predicted something else; this process is untouched.
    """
    passport = read_passport(stored.card)
    _checked_scores(stored, passport, np.empty((0, len(passport.features))), timeout)
    return passport, restore(passport, stored.model).fitted


def feature_refs(specs: Sequence[FeatureSpec]) -> tuple[FeatureRef, ...]:
    """Return name and hash of each feature's expression, as a passport keeps them."""
    return tuple(FeatureRef(spec.name, spec.key) for spec in specs)


def check_features(passport: Passport, specs: Sequence[FeatureSpec]) -> None:
    """Refuse features other than those the model learned from, in names, expressions or order.

    Raises
    ------
    ModelStoreError
        The message lists what is missing, extra, changed or moved.
    """
    known, given = {ref.name: ref.key for ref in passport.features}, {ref.name: ref.key for ref in feature_refs(specs)}
    order = [spec.name for spec in specs] != list(known) and set(known) == set(given)
    differences = {
        "missing": sorted(set(known) - set(given)),
        "extra": sorted(set(given) - set(known)),
        "changed": sorted(name for name in set(known) & set(given) if known[name] != given[name]),
        "in another order": ["all"] if order else [],
    }
    if any(differences.values()):
        listed = "; ".join(f"{what}: {', '.join(names)}" for what, names in differences.items() if names)
        raise ModelStoreError(
            f"Model {passport.name} {passport.version} was trained on other features. {listed}.",
            fix="Use the feature set it was trained on, or train it again.",
        )


class Predictor:
    """One version of one model over the past and the present, under the leakage rule.

    ``rows`` are its own out-of-fold and shuffled rows (``PREDICTIONS``); an imported model has none.
    """

    def __init__(self, passport: Passport, fitted: Scorer, rows: pl.DataFrame) -> None:
        self.passport = passport
        self._fitted = fitted
        self._rows = own_rows(passport, rows)

    def predict(self, session: date, symbols: Sequence[str], features: NDArray[np.floating]) -> FloatArray:
        """Return one score per symbol for a decision after ``session``; NaN where there is none.

        ``features`` (F, N) are the values of that session, in the passport's order; they are used after
        ``label_end`` only.

        Raises
        ------
        DataLeakageError
            The session is not later than ``label_end`` and no out-of-fold row covers it.
        """
        if session > self.passport.train.label_end:
            return self._fitted.predict(features.T.astype(np.float64))
        check_window(self.passport, self._rows, session, session)
        rows = self._rows.filter((pl.col("session") == session) & (pl.col("kind") == "oof"))
        found = dict(zip(rows["symbol"], rows["prediction"], strict=True))
        return np.array([found.get(symbol, np.nan) for symbol in symbols], dtype=np.float64)

    def matrix(
        self, panel: Panel, features: NDArray[np.float32], *, start: date, end: date, kind: Kind = "oof"
    ) -> FloatArray:
        """Return scores (N, T) on the panel's grid for decisions from ``start`` to ``end``; NaN elsewhere.

        ``features`` are (F, N, T) on the same grid. With ``kind="shuffled"`` sessions up to ``label_end`` take the
        rows of the folds fitted on permuted labels; later ones have none, because no shuffled final model is kept.
        Only members have a score after ``label_end``, as in the folds.

        Raises
        ------
        DataLeakageError
            Part of the window is neither out-of-fold nor later than ``label_end``.
        """
        check_window(self.passport, self._rows, start, end)
        scores = oof_matrix(self._rows.filter(pl.col("kind") == kind), panel)
        later = panel.sessions > np.datetime64(self.passport.train.label_end, "D")
        scores[:, later] = np.nan
        inside = (panel.sessions >= np.datetime64(start, "D")) & (panel.sessions <= np.datetime64(end, "D"))
        if kind == "oof":
            symbol, session = np.nonzero(panel.members & (later & inside))
            if len(symbol):
                scores[symbol, session] = self._fitted.predict(features[:, symbol, session].T.astype(np.float64))
        return np.where(inside, scores, np.nan)

    def contributions(self, features: NDArray[np.floating]) -> FloatArray:
        """Return (N, F + 1) for features (F, N): what each adds to the final model's score, and the base last.

        For an out-of-fold session these are the final model's reasons, not the fold's.

        Raises
        ------
        ValueError
            The model is in a child process, which gives scores and no reasons.
        """
        if not isinstance(self._fitted, Fitted):
            raise ValueError(f"{self.passport.name} predicts in a child process, which gives no reasons")
        return self._fitted.contributions(features.T.astype(np.float64))


def open_predictor(
    store: ModelStore,
    snapshot: Snapshot,
    name: str,
    specs: Sequence[FeatureSpec],
    *,
    window: tuple[date, date],
    allow_rejected: bool = False,
    isolated: bool = False,
) -> Predictor:
    """Return the predictor of a model's champion (with ``allow_rejected`` its newest version) for a window of sessions.

    Leakage is checked before the gate, the gate before the features, and all before any byte of the model is read by
    its library. An ``isolated`` model is never read in this process: it loads, is checked and predicts in a child, once
    for each call, and a damaged one is found out then.

    Raises
    ------
    DataLeakageError
        The window meets what the model was trained on.
    ModelStoreError
        Nothing is stored, nothing passed, the features differ, or the model is damaged.
    """
    stored = store.load(name, chosen(store, name, allow_rejected=allow_rejected).version)
    passport = read_passport(stored.card)
    rows = snapshot.predictions(name, version=passport.version)
    check_window(passport, own_rows(passport, rows), *window)
    store.newest(name, allow_rejected=allow_rejected)
    check_features(passport, specs)
    scorer = InChild(stored, passport) if isolated else load_checked(stored)[1]
    return Predictor(passport, scorer, rows)


def check_window(passport: Passport, rows: pl.DataFrame, start: date, end: date) -> None:
    """Refuse decisions from ``start`` to ``end`` that are neither later than ``label_end`` nor out of fold.

    Raises
    ------
    DataLeakageError
        Names both windows.
    """
    label_end = passport.train.label_end
    if start > label_end:
        return
    first = rows["session"].min()
    if isinstance(first, date) and start >= first:
        return
    known, fix = "this lake has no out-of-fold rows of it", f"Choose sessions after {label_end}, or train it here."
    if isinstance(first, date):
        begin = first.isoformat()
        known, fix = f"its out-of-fold rows begin on {begin}", f"Choose sessions from {begin} on."
    raise DataLeakageError(
        f"Model {passport.name} {passport.version} would decide on {start} to {end}, but it was trained on "
        f"{passport.train.first} to {label_end}, and {known}.",
        fix=fix,
    )


def own_rows(passport: Passport, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of this version that its folds made: none later than ``label_end``."""
    mine = (pl.col("model") == passport.name) & (pl.col("version") == passport.version)
    return rows.filter(mine & (pl.col("session") <= passport.train.label_end))


def oof_matrix(rows: pl.DataFrame, panel: Panel) -> FloatArray:
    """Return the predictions of ``rows`` (one version, one kind) on the panel's grid, (N, T); NaN where there is none.

    Rows of symbols or sessions that the panel lacks are left out.
    """
    scores = np.full(panel.shape, np.nan)
    place = {symbol: position for position, symbol in enumerate(panel.symbols)}
    kept = rows.filter(pl.col("symbol").is_in(list(place)))
    days = kept["session"].to_numpy().astype("datetime64[D]")
    column = np.searchsorted(panel.sessions, days)
    there = panel.sessions[np.minimum(column, len(panel.sessions) - 1)] == days
    row = np.array([place[symbol] for symbol in kept["symbol"]], dtype=np.int64)
    scores[row[there], column[there]] = kept["prediction"].cast(pl.Float64).to_numpy()[there]
    return scores


def chosen(store: ModelStore, name: str, *, allow_rejected: bool) -> StoredVersion:
    """Return the version whose leakage is looked at: the champion if it may predict, else the newest at all."""
    champion = None if allow_rejected else store.champion(name)
    return champion or store.newest(name, allow_rejected=True)


def _checked_scores(stored: StoredModel, passport: Passport, values: FloatArray, timeout: float) -> FloatArray:
    """Return the scores of ``values`` (R, F) from a child process that reproduced the golden rows before."""
    what = f"Model {stored.name} {stored.record.version}"
    golden, scores = _ask_child(stored, values, what, timeout)
    expected = np.array(passport.golden.predictions, dtype=np.float64)
    if golden.shape != expected.shape or not np.allclose(golden, expected, rtol=0, atol=TOLERANCE):
        raise ModelStoreError(
            f"{what} does not reproduce the predictions in its passport.",
            fix="Another library version, or a damaged model: train it again with `aitrader train --force`.",
        )
    if scores.shape != (len(values),):
        raise ModelStoreError(
            f"{what} answered {scores.size} scores for {len(values)} rows.",
            fix="The file is damaged or hostile: train it again with `aitrader train --force`.",
        )
    return scores


@spanned("ask a child process")
def _ask_child(stored: StoredModel, values: FloatArray, what: str, timeout: float) -> tuple[FloatArray, FloatArray]:
    """Return what a child process predicts for the golden rows and for ``values``."""
    rows = np.ascontiguousarray(values, dtype="<f8").tobytes()
    blocks = b"".join(struct.pack(">Q", len(data)) + data for data in (stored.card, stored.model, rows))
    environment = {key: os.environ[key] for key in _PASSED_ON.split() if key in os.environ}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-m", "aitrader.engine.inference_child"]
    try:
        done = subprocess.run(command, input=blocks, capture_output=True, timeout=timeout, env=environment, check=False)
    except subprocess.TimeoutExpired as error:
        raise ModelStoreError(
            f"{what} did not load within {timeout:g} s: the file is damaged or hostile.",
            fix="Train it again with `aitrader train --force`, and find out who changed it.",
        ) from error
    if done.returncode != 0:
        raise ModelStoreError(
            f"{what} killed the process that loaded it ({_death(done.returncode)}).",
            fix="The file is damaged or hostile: train it again with `aitrader train --force`.",
        )
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        raise ModelStoreError(
            f"{what} made the process that loaded it talk nonsense.",
            fix="The file is damaged or hostile: train it again with `aitrader train --force`.",
        ) from error
    if "error" in answer:
        raise ModelStoreError(answer["error"], fix=answer["fix"])
    return np.array(answer["golden"], dtype=np.float64), np.array(answer["scores"], dtype=np.float64)


def _death(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit {code}"
