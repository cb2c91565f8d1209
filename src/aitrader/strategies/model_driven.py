"""The symbols that a model likes best."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import PositiveInt

from aitrader.config.fields import Name, Section
from aitrader.domain.snapshot import MarketSnapshot
from aitrader.domain.symbols import Symbol
from aitrader.errors import DataError
from aitrader.strategies.strategy import Allocator, AllocatorTable, tradable


class ModelDrivenSettings(Section):
    """Which model is followed, how many names are held, and how they share the money."""

    model: Name
    """The model, by its name under `models`."""
    top: PositiveInt = 5
    """How many of the symbols with the highest predictions are held."""
    weighting: Literal["equal", "score"] = "equal"
    """equal: the same weight each; score: in proportion to the predictions."""


@dataclass(frozen=True, slots=True)
class ModelDriven:
    """The ``top`` tradable symbols by the model's prediction, long only.

    Fewer candidates than ``top`` get no more each than they would among ``top``: with 3 of 5 names, three
    fifths are invested and the rest stays cash. Equal predictions at the boundary go to the symbol that comes
    first in the alphabet, so that a re-run chooses the same.
    """

    Settings: ClassVar[type[Section]] = ModelDrivenSettings
    needs_features: ClassVar[tuple[str, ...]] = ()

    model: str
    top: int
    allocate: Allocator

    @classmethod
    def from_settings(cls, settings: ModelDrivenSettings, allocators: AllocatorTable) -> Self:
        """Return the strategy that ``settings`` describes, with the allocator of that weighting."""
        return cls(settings.model, settings.top, allocators(settings.weighting))

    @property
    def needs_models(self) -> tuple[str, ...]:
        """The one model that is followed."""
        return (self.model,)

    def targets(self, snapshot: MarketSnapshot) -> Mapping[Symbol, float]:
        """Return the weights of the chosen symbols, at most ``1`` in sum.

        Raises
        ------
        DataError
            No tradable symbol has a finite prediction, or all of them have the same one: such a model does not
            choose, and the alphabet must not choose for it.
        """
        scores = self._scores(snapshot)
        ranked = sorted(scores, key=lambda symbol: (-scores[symbol], symbol))[: self.top]
        weights = self.allocate({symbol: scores[symbol] for symbol in ranked})
        share = len(ranked) / self.top
        return {symbol: weights[symbol] * share for symbol in ranked}

    def _scores(self, snapshot: MarketSnapshot) -> dict[Symbol, float]:
        predictions = snapshot.predictions.get(self.model)
        if predictions is None:
            raise DataError(
                f"Model {self.model!r} made no predictions for {snapshot.session}.",
                fix=f"Run `aitrader train`, then `aitrader models ls` to see {self.model!r}.",
            )
        usable = tradable(snapshot)
        good = np.flatnonzero(usable & np.isfinite(predictions))
        if not good.size:
            raise DataError(
                f"Model {self.model!r} has no finite prediction for any of the {int(usable.sum())} symbols that can be "
                f"bought after {snapshot.session}.",
                fix="Check that its features have values there: `aitrader validate --level model`.",
            )
        values = predictions[good]
        if values.size > 1 and values.min() == values.max():
            raise DataError(
                f"Model {self.model!r} predicts the same value, {values[0]:.6g}, for all {values.size} symbols after "
                f"{snapshot.session}; it chooses nobody.",
                fix="Train it again: a model that cannot tell symbols apart has learned nothing.",
            )
        return {snapshot.symbols[i]: float(predictions[i]) for i in good}
