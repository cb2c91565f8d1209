"""The symbols that a model ranks highest, with the features that put them there."""

from dataclasses import dataclass
from typing import ClassVar, Self

from pydantic import PositiveInt

from aitrader.config.fields import Name, Section
from aitrader.domain.snapshot import FloatArray
from aitrader.errors import DataError
from aitrader.panel.expr import Expr
from aitrader.scanners.explain import largest_contributions
from aitrader.scanners.layers import Filter
from aitrader.scanners.scanner import Reader, Reason, ScanView


@dataclass(frozen=True, slots=True)
class ModelScanner:
    """Ranks by the model's prediction; the reasons are the largest contributions to it."""

    class Settings(Section):
        """Which model is asked, and how much of its answer is shown."""

        model: Name
        """The model, by its name under `models`."""
        top: PositiveInt = 10
        """Candidates to show."""
        reasons: PositiveInt = 3
        """Reasons to show for each."""

    needs_values: ClassVar[tuple[Expr, ...]] = ()

    model: str
    top: int
    reason_count: int

    @classmethod
    def from_settings(cls, settings: Settings, read: Reader) -> Self:  # noqa: ARG003 - it has no text expression
        """Return the scanner that ``settings`` describes."""
        return cls(settings.model, settings.top, settings.reasons)

    @property
    def needs_models(self) -> tuple[str, ...]:
        """The one model that is asked."""
        return (self.model,)

    def filters(self, view: ScanView) -> tuple[Filter, ...]:  # noqa: ARG002 - a prediction is the only condition
        """Return none: a symbol with a prediction has a score."""
        return ()

    def scores(self, view: ScanView) -> FloatArray:
        """Return the predictions; raises ``DataError`` if the view holds none of this model."""
        predictions = view.snapshot.predictions.get(self.model)
        if predictions is None:
            raise DataError(
                f"Model {self.model!r} made no predictions for {view.snapshot.session}.",
                fix=f"Run `aitrader train`, then `aitrader models ls` to see {self.model!r}.",
            )
        return predictions

    def reasons(self, view: ScanView, position: int) -> tuple[Reason, ...]:
        """Return the largest contributions to the prediction; none where nobody computed contributions."""
        if self.model not in view.contributions:
            return ()
        return largest_contributions(view, self.model, position, self.reason_count)
