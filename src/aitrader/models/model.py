"""What every kind of model can do: learn from rows, predict rows, explain a row, become bytes and come back."""

from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from aitrader.config.fields import Section

FloatArray = NDArray[np.float64]


class Model(Protocol):
    """A fitted regression from rows of features to a score without a unit.

    Rows are (R, F) float64. A kind is a class with these attributes, named in ``models.MODELS``.
    """

    Settings: ClassVar[type[Section]]
    """The kind's own settings, parsed from ``models.<name>.params``."""
    file_name: ClassVar[str]
    """The file that ``to_bytes`` fills: text, never a pickle."""
    needs: ClassVar[tuple[str, ...]]
    """The fitted transformers (``training.transformers``) that rows pass through first, in order."""
    libraries: ClassVar[tuple[str, ...]]
    """Packages whose version may change what the model learns or predicts."""

    @classmethod
    def prepare(cls, values: FloatArray, *, settings: Section, seed: int) -> Any:
        """Return ``values`` (R, F) as ``fit`` takes them: what every fit on these rows would do first, done once."""
        ...

    @classmethod
    def fit(cls, prepared: Any, target: FloatArray, *, settings: Section, seed: int) -> Self:
        """Learn ``target`` (R,) from prepared rows, in one thread at a time. Equal input gives equal bytes.

        Raises
        ------
        ModelTrainingError
            Nothing could be learned: the target does not vary, or no split was worth making.
        """
        ...

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the model that ``to_bytes`` wrote.

        A native library may crash on bytes that were tampered with: check their hash first, and let
        ``engine.inference`` try them in a child process.

        Raises
        ------
        ModelStoreError
            The bytes are not of this kind.
        """
        ...

    @property
    def width(self) -> int:
        """Features per row."""
        ...

    def to_bytes(self) -> bytes:
        """Return the model as text in UTF-8."""
        ...

    def predict(self, values: FloatArray) -> FloatArray:
        """Return one score per row, (R,)."""
        ...

    def contributions(self, values: FloatArray) -> FloatArray:
        """Return (R, F + 1): what each feature adds to the score, and the base value last. A row sums to its score."""
        ...
