"""What a decision may see: one session of every symbol, and nothing later."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from aitrader.domain.symbols import Symbol

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MarketSnapshot:
    """The market as known at ``decided_at`` (UTC), after ``session`` closed. Arrays have one value per symbol.

    ``close`` is the last close as traded (USD), NaN where a symbol has no bar yet; ``stale`` counts the
    sessions since that bar (0: it is of ``session``, -1: no bar at all); ``volume20`` is the mean daily volume
    of the 20 sessions up to and including ``session``, in shares. ``features`` hold float values by feature
    name, NaN where not known; ``predictions`` by model name. Only ``members`` may be bought.
    """

    session: date
    decided_at: datetime
    symbols: tuple[Symbol, ...]
    members: BoolArray
    close: FloatArray
    stale: NDArray[np.int64]
    volume20: FloatArray
    features: Mapping[str, FloatArray]
    predictions: Mapping[str, FloatArray]

    @property
    def decision(self) -> str:
        """The decision's name: the last bar it may see, as ``20130807``."""
        return f"{self.session:%Y%m%d}"
