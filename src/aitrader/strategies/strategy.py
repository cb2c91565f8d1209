"""What every strategy is: the market of one session in, target weights out."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from aitrader.config.fields import Section
from aitrader.domain.snapshot import BoolArray, MarketSnapshot
from aitrader.domain.symbols import Symbol

Allocator = Callable[[Mapping[Symbol, float]], Mapping[Symbol, float]]
"""Scores of the chosen symbols in, weights that sum to 1 out. One of ``portfolio.allocators``, handed in."""

AllocatorTable = Callable[[str], Allocator]
"""Finds an allocator by name; raises ``UnknownNameError`` for a name that it does not know."""


class Strategy(Protocol):
    """A market view. Pure: the same snapshot always gives the same weights."""

    Settings: ClassVar[type[Section]]
    """What the configuration may say under ``strategies.<name>.params``."""

    @classmethod
    def from_settings(cls, settings: Any, allocators: AllocatorTable) -> Self:
        """Return the strategy that ``settings`` (a ``Settings`` of this kind) describes."""
        ...

    @property
    def needs_models(self) -> tuple[str, ...]:
        """The models whose predictions the snapshot must hold."""
        ...

    @property
    def needs_features(self) -> tuple[str, ...]:
        """The features, by column name, that the snapshot must hold."""
        ...

    def targets(self, snapshot: MarketSnapshot) -> Mapping[Symbol, float]:
        """Return the wanted weights, signed fractions of what the strategy may invest.

        Only symbols of ``tradable(snapshot)``; the absolute weights sum to at most 1, the rest stays cash; a
        symbol that is not named is not wanted.

        Raises
        ------
        DataError
            The snapshot does not allow a decision (no predictions, or predictions that choose nobody).
        """
        ...


def tradable(snapshot: MarketSnapshot) -> BoolArray:
    """Say which symbols may be bought: members with a bar of this very session. One value per symbol."""
    fresh: BoolArray = snapshot.members & (snapshot.stale == 0) & np.isfinite(snapshot.close)
    return fresh
