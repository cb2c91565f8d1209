"""Gradient-boosted trees by LightGBM, stored in its text format."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final, Self, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from aitrader.config.fields import Section, Share
from aitrader.errors import ModelStoreError, ModelTrainingError


@contextmanager
def _hidden(package: str) -> Iterator[None]:
    """Let imports of ``package`` fail meanwhile, unless this process has imported it before."""
    if package in sys.modules:
        yield
        return
    modules = cast("dict[str, None]", sys.modules)
    modules[package] = None
    try:
        yield
    finally:
        del modules[package]


# LightGBM imports scikit-learn for wrappers that nothing here uses: 0.7 s and 70 MB for each process that predicts.
# Who wants the wrappers too imports scikit-learn before this module.
with _hidden("sklearn"):
    import lightgbm as lgb

FloatArray = NDArray[np.float64]

_LEAVES: Final = re.compile(rb"^num_leaves=(\d+)$", re.MULTILINE)


class LightGbm:
    """Trees that take missing values as they are. One thread: equal input gives equal bytes.

    Source: Ke et al. (2017), Advances in Neural Information Processing Systems 30.
    """

    class Settings(Section):
        """Many small, slow, heavily regularised trees: daily cross-sections hold little signal in much noise."""

        trees: PositiveInt = 200
        """Boosting rounds; there is no early stopping, which would be tuning."""
        learning_rate: PositiveFloat = 0.03
        """Share of each tree's correction that is kept."""
        leaves: int = Field(default=15, ge=2, le=1024)
        """Leaves of a tree; 15 allow interactions of about three features."""
        min_rows_per_leaf: PositiveInt = 200
        """Rows that a leaf must hold."""
        feature_fraction: Share = 0.5
        """Share of the features that each tree may use."""
        bagging_fraction: Share = 0.7
        """Share of the rows that each tree sees."""
        l2: NonNegativeFloat = 10.0
        """Penalty on leaf values, in rows: the target has unit variance, so a leaf shrinks as if it held so many rows
        of zero more."""
        max_bin: int = Field(default=63, ge=2, le=255)
        """Histogram bins per feature."""

    file_name: ClassVar[str] = "model.txt"
    needs: ClassVar[tuple[str, ...]] = ("winsorize",)
    libraries: ClassVar[tuple[str, ...]] = ("lightgbm", "numpy")

    def __init__(self, booster: lgb.Booster) -> None:
        self._booster = booster

    @classmethod
    def prepare(cls, values: FloatArray, *, settings: Section, seed: int) -> lgb.Dataset:
        """Return the rows in histogram bins, which takes nearly half the time of a fit."""
        assert isinstance(settings, cls.Settings)
        return lgb.Dataset(values, params=_parameters(settings, seed)).construct()

    @classmethod
    def fit(cls, prepared: lgb.Dataset, target: FloatArray, *, settings: Section, seed: int) -> Self:
        """Learn; see ``models.model.Model``."""
        assert isinstance(settings, cls.Settings)
        if not np.ptp(target) > 0:
            raise ModelTrainingError(
                "The labels do not vary: there is nothing to learn.", fix="Check the prices and `labels.horizon`."
            )
        booster = lgb.train(_parameters(settings, seed), prepared.set_label(target), num_boost_round=settings.trees)
        model = cls(booster)
        if not any(int(leaves) > 1 for leaves in _LEAVES.findall(model.to_bytes())):
            raise ModelTrainingError(
                f"LightGBM made no split on {len(target)} rows: the model would predict one number for every name.",
                fix="Give it more history, or lower `min_rows_per_leaf` and `l2` in the model's params.",
            )
        return model

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the text format; see ``models.model.Model``."""
        if not data.startswith(b"tree\n"):
            raise ModelStoreError("The file is not a LightGBM model in text format.", fix="Train or import it again.")
        try:
            return cls(lgb.Booster(model_str=data.decode("utf-8")))
        except (lgb.basic.LightGBMError, UnicodeDecodeError) as error:
            raise ModelStoreError(f"LightGBM refuses the model: {error}.", fix="Train or import it again.") from error

    @property
    def width(self) -> int:
        """Features per row."""
        return int(self._booster.num_feature())

    def to_bytes(self) -> bytes:
        """Return LightGBM's text format."""
        text: str = self._booster.model_to_string(num_iteration=-1)
        return text.encode("utf-8")

    def predict(self, values: FloatArray) -> FloatArray:
        """Return one score per row."""
        return np.asarray(self._booster.predict(values, num_threads=1), dtype=np.float64)

    def contributions(self, values: FloatArray) -> FloatArray:
        """Return Shapley values of the trees, and the base value last.

        Source: Lundberg et al. (2020), Nature Machine Intelligence 2, algorithm 2.
        """
        return np.asarray(self._booster.predict(values, num_threads=1, pred_contrib=True), dtype=np.float64)


def _parameters(settings: LightGbm.Settings, seed: int) -> dict[str, Any]:
    return {
        "objective": "regression",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": settings.min_rows_per_leaf,
        "feature_fraction": settings.feature_fraction,
        "bagging_fraction": settings.bagging_fraction,
        "bagging_freq": 1,
        "lambda_l2": settings.l2,
        "max_bin": settings.max_bin,
        "seed": seed,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
