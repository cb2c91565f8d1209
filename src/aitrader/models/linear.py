"""Ridge regression by scikit-learn, stored as coefficients in JSON."""

import json
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, PositiveFloat, ValidationError

from aitrader.config.fields import Section
from aitrader.errors import ModelStoreError, ModelTrainingError

FloatArray = NDArray[np.float64]


class _Stored(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)

    kind: str
    intercept: float
    coefficients: list[float]


class RidgeModel:
    """A straight line with shrunken slopes: the yardstick that trees must beat.

    Source: Hoerl & Kennard (1970), Technometrics 12(1), equation 2.1. The intercept is not shrunken.
    """

    class Settings(Section):
        """How hard the slopes are pulled to zero."""

        alpha: PositiveFloat = 1000.0
        """Penalty, in rows: features and target have unit variance, so slopes shrink as if so many rows of zero had
        been seen."""

    file_name: ClassVar[str] = "model.json"
    needs: ClassVar[tuple[str, ...]] = ("winsorize", "impute", "standardise")
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn", "numpy")

    def __init__(self, coefficients: FloatArray, intercept: float) -> None:
        self._coefficients = coefficients
        self._intercept = intercept

    @classmethod
    def prepare(cls, values: FloatArray, *, settings: Section, seed: int) -> FloatArray:  # noqa: ARG003 - the rows as they are
        """Return the rows themselves."""
        return values

    @classmethod
    def fit(cls, prepared: FloatArray, target: FloatArray, *, settings: Section, seed: int) -> Self:  # noqa: ARG003 - nothing random
        """Learn; see ``models.model.Model``. Nothing is random: ``seed`` has no part."""
        assert isinstance(settings, cls.Settings)
        if not np.ptp(target) > 0:
            raise ModelTrainingError(
                "The labels do not vary: there is nothing to learn.", fix="Check the prices and `labels.horizon`."
            )
        from sklearn.linear_model import Ridge  # takes a second to import, and only fitting needs it

        line = Ridge(alpha=settings.alpha, solver="cholesky").fit(prepared, target)
        return cls(np.asarray(line.coef_, dtype=np.float64), float(line.intercept_))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the coefficients; see ``models.model.Model``."""
        try:
            stored = _Stored.model_validate_json(data)
        except ValidationError as error:
            raise ModelStoreError("The file is not a ridge model.", fix="Train or import it again.") from error
        if stored.kind != "ridge":
            raise ModelStoreError(f"The file is a {stored.kind!r} model, not ridge.", fix="Train or import it again.")
        return cls(np.array(stored.coefficients, dtype=np.float64), stored.intercept)

    @property
    def width(self) -> int:
        """Features per row."""
        return len(self._coefficients)

    def to_bytes(self) -> bytes:
        """Return the coefficients as JSON; every number survives the trip exactly."""
        body = {"kind": "ridge", "intercept": self._intercept, "coefficients": self._coefficients.tolist()}
        return json.dumps(body, allow_nan=False).encode("utf-8")

    def predict(self, values: FloatArray) -> FloatArray:
        """Return one score per row."""
        return np.asarray(self.contributions(values).sum(axis=1), dtype=np.float64)

    def contributions(self, values: FloatArray) -> FloatArray:
        """Return slope times value, and the intercept last."""
        base = np.full((len(values), 1), self._intercept)
        return np.concatenate([values * self._coefficients, base], axis=1)
