"""What is fitted on features before a model sees them: on training rows only, stored in the passport.

Each is a value with an ``apply``; a chain of them turns raw rows (R, F) into what the model learned from. A feature
that no training row knows stays missing, or becomes zero once imputed.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from aitrader.config.fields import Section
from aitrader.errors import ModelStoreError
from aitrader.registry import unknown_name

FloatArray = NDArray[np.float64]
Numbers = tuple[float, ...]


class Winsorize(Section):
    """Pulls values outside the training rows' outer quantiles to them; missing stays missing."""

    kind: Literal["winsorize"] = "winsorize"
    low: Numbers
    high: Numbers

    @classmethod
    def fit(cls, values: FloatArray, share: float) -> "Winsorize":
        """Cut off ``share`` at each end of every feature."""
        low, high = np.nan_to_num(_quiet(np.nanquantile, values, [share, 1 - share]))
        return cls(low=tuple(low.tolist()), high=tuple(high.tolist()))

    def apply(self, values: FloatArray) -> FloatArray:
        """Return the clipped rows."""
        return np.clip(values, np.array(self.low), np.array(self.high))


class Impute(Section):
    """Puts the training rows' median where a value is missing."""

    kind: Literal["impute"] = "impute"
    median: Numbers

    @classmethod
    def fit(cls, values: FloatArray, share: float) -> "Impute":  # noqa: ARG003 - every step is fitted alike
        """Take each feature's median; zero for one that no row knows."""
        return cls(median=tuple(np.nan_to_num(_quiet(np.nanmedian, values)).tolist()))

    def apply(self, values: FloatArray) -> FloatArray:
        """Return the rows without gaps."""
        return np.asarray(np.where(np.isnan(values), np.array(self.median), values))


class Standardise(Section):
    """Takes off the training rows' mean and divides by their standard deviation (1 where a feature is constant)."""

    kind: Literal["standardise"] = "standardise"
    mean: Numbers
    deviation: Numbers

    @classmethod
    def fit(cls, values: FloatArray, share: float) -> "Standardise":  # noqa: ARG003 - every step is fitted alike
        """Take each feature's mean and standard deviation."""
        mean = np.nan_to_num(_quiet(np.nanmean, values))
        deviation = np.nan_to_num(_quiet(np.nanstd, values))
        flat = deviation <= 1e-12 * np.maximum(np.abs(mean), 1e-300)
        return cls(mean=tuple(mean.tolist()), deviation=tuple(np.where(flat, 1.0, deviation).tolist()))

    def apply(self, values: FloatArray) -> FloatArray:
        """Return the standardised rows."""
        standard: FloatArray = (values - np.array(self.mean)) / np.array(self.deviation)
        return standard


Transformer = Winsorize | Impute | Standardise

TRANSFORMERS: Final[Mapping[str, type[Transformer]]] = {
    "winsorize": Winsorize,
    "impute": Impute,
    "standardise": Standardise,
}


def fit_chain(values: FloatArray, needs: Sequence[str], *, share: float) -> tuple[tuple[Transformer, ...], FloatArray]:
    """Fit the named transformers one after the other on training rows, and return them with the transformed rows.

    ``share`` is what ``winsorize`` cuts off at each end.
    """
    chain: list[Transformer] = []
    for name in needs:
        kind = TRANSFORMERS.get(name)
        if kind is None:
            raise unknown_name("transformer", name, TRANSFORMERS)
        fitted = kind.fit(values, share)
        values = fitted.apply(values)
        chain.append(fitted)
    return tuple(chain), values


def apply_chain(chain: Sequence[Transformer], values: FloatArray) -> FloatArray:
    """Return rows passed through every transformer in order."""
    for transformer in chain:
        values = transformer.apply(values)
    return values


def dump_chain(chain: Sequence[Transformer]) -> tuple[dict[str, Any], ...]:
    """Return the chain as JSON objects for the passport."""
    return tuple(transformer.model_dump(mode="json") for transformer in chain)


def read_chain(stored: Sequence[Mapping[str, Any]]) -> tuple[Transformer, ...]:
    """Return the chain that ``dump_chain`` wrote; raises ``ModelStoreError`` for anything else."""
    chain = []
    for item in stored:
        kind = TRANSFORMERS.get(str(item.get("kind")))
        try:
            if kind is None:
                raise ValueError(f"no transformer is called {item.get('kind')!r:.40}")
            chain.append(kind.model_validate(item))
        except ValueError as error:
            raise ModelStoreError(
                f"The passport's transformers cannot be read: {error}.", fix="Train the model again."
            ) from error
    return tuple(chain)


def _quiet(measure: Any, values: FloatArray, *arguments: Any) -> FloatArray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(measure(values, *arguments, axis=0), dtype=np.float64)
