"""What is known about a stored price series as a whole."""

from dataclasses import dataclass
from datetime import date

from aitrader.domain.frames import Adjustment


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """How one source's bars of one symbol are to be read.

    ``assumed`` marks an adjustment that nobody declared; ``as_of`` is the date up to which corporate actions
    are in the prices. ``survivors_only`` says that the source holds only names that lived to its last day,
    ``hand_picked`` that somebody chose them: both make every backtest on them too good.
    """

    source: str
    adjustment: Adjustment
    assumed: bool = False
    as_of: date | None = None
    survivors_only: bool = False
    hand_picked: bool = False
    note: str = ""
