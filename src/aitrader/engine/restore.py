"""Turns a stored model's bytes into a model again. The child process that does so imports little else."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aitrader.errors import ModelStoreError
from aitrader.models import MODELS
from aitrader.models.passport import Passport
from aitrader.registry import lookup
from aitrader.training.fit import Fitted
from aitrader.training.transformers import read_chain


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in this process, with its transformers."""

    fitted: Fitted

    def golden(self, passport: Passport) -> NDArray[np.float64]:
        """Return predictions of the passport's golden rows."""
        return self.fitted.predict(np.array(passport.golden.rows, dtype=np.float64))


def restore(passport: Passport, model: bytes) -> Loaded:
    """Return the model that ``passport`` describes; ``ModelStoreError`` if bytes and passport do not belong together.

    A native library reads the bytes: only ``inference.load_checked`` and the child process call this.
    """
    kind = lookup("models", MODELS, passport.kind)
    loaded = kind.from_bytes(model)
    if loaded.width != len(passport.features):
        raise ModelStoreError(
            f"Model {passport.name} {passport.version} takes {loaded.width} features, its passport names "
            f"{len(passport.features)}.",
            fix="Train or import it again.",
        )
    return Loaded(Fitted(loaded, read_chain(passport.transformers)))
