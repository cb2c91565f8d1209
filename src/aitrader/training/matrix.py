"""From arrays of features and labels to the rows that a model learns from and predicts."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aitrader.training.folds import Span

FloatArray = NDArray[np.float64]
Features = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

MIN_KNOWN: Final = 0.5
"""Share of the features that a row needs; below it there is never a prediction."""

CLIP: Final = 3.0
"""Standard deviations at which a target is cut off, so that one crash does not outweigh a year."""

TARGET: Final = (
    "z-score within the session where labels are in excess, else label over its standard deviation in the training "
    f"rows; cut off at {CLIP:g}"
)


@dataclass(frozen=True, slots=True)
class Sample:
    """Features (F, N, T), labels (N, T) with NaN where unknown, where labels are in excess (T,), members (N, T).

    ``usable`` (N, T) marks the members' rows that have enough features for a prediction.
    """

    features: Features
    labels: FloatArray
    excess: BoolArray
    usable: BoolArray

    @property
    def sessions(self) -> int:
        """Sessions of the panel."""
        return int(self.labels.shape[1])


@dataclass(frozen=True, slots=True)
class Rows:
    """Positions of rows: symbol and session of each, sessions ascending, symbols ascending within one."""

    symbol: NDArray[np.int64]
    session: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.symbol)


def make_sample(features: Features, labels: FloatArray, excess: BoolArray, members: BoolArray) -> Sample:
    """Return the sample with the rows marked that are fit for a prediction: members that know enough features."""
    known = np.zeros(members.shape, dtype=np.int32)
    for values in features:
        known += np.isfinite(values)
    return Sample(features, labels, excess, members & (known >= _needed(len(features))))


def enough(values: FloatArray) -> BoolArray:
    """Say, per row of (R, F), whether it knows enough features for a prediction."""
    return np.asarray(np.isfinite(values).sum(axis=1) >= _needed(values.shape[1]), dtype=np.bool_)


def select_rows(mask: BoolArray, span: Span) -> Rows:
    """Return the marked cells of an (N, T) mask inside ``span``."""
    session, symbol = np.nonzero(mask[:, span.first : span.stop].T)
    return Rows(symbol.astype(np.int64), session.astype(np.int64) + span.first)


def take(features: Features, rows: Rows) -> FloatArray:
    """Return the rows' features, (R, F) float64; infinite values are missing."""
    values = features[:, rows.symbol, rows.session].T.astype(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def targets(sample: Sample, rows: Rows) -> FloatArray:
    """Return what is fitted, one value per row, of unit variance.

    Labels in excess of the cross-section are z-scored within their session (a calm and a stormy day then weigh
    alike); other labels are divided by the standard deviation of them all. Cut off at three standard deviations.
    """
    labels = sample.labels[rows.symbol, rows.session]
    if not sample.excess[rows.session].all():
        spread = labels.std()
        return np.clip(labels / spread, -CLIP, CLIP) if spread > 0 else np.zeros_like(labels)
    size = sample.sessions
    count = np.maximum(np.bincount(rows.session, minlength=size), 1)
    mean = np.bincount(rows.session, labels, minlength=size) / count
    centred = labels - mean[rows.session]
    spread = np.sqrt(np.bincount(rows.session, centred**2, minlength=size) / count)[rows.session]
    flat = spread <= 1e-12
    return np.where(flat, 0.0, np.clip(centred / np.where(flat, 1.0, spread), -CLIP, CLIP))


def permuted(target: FloatArray, rows: Rows, seed: int) -> FloatArray:
    """Return ``target`` shuffled within each session: what was learnable about names is gone, the rest stays."""
    generator = np.random.default_rng(seed)
    order = np.lexsort((generator.random(len(rows)), rows.session))
    shuffled = np.empty_like(target)
    shuffled[np.argsort(rows.session, kind="stable")] = target[order]
    return shuffled


def _needed(features: int) -> int:
    return max(1, int(np.ceil(MIN_KNOWN * features)))
