"""Whether the newest session is complete: who should have a bar of it, and who has."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from aitrader.universe.membership import BoolArray, FloatArray

RECENT: Final = 20
"""Sessions before the last one in which a symbol must have had a bar to be expected on it."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """One value per symbol: ``present`` has a bar of the last session, ``expected`` should have one."""

    present: BoolArray
    expected: BoolArray

    @property
    def share(self) -> float:
        """Share of the expected symbols that are present; 1 where none is expected."""
        count = int(self.expected.sum())
        return int((self.present & self.expected).sum()) / count if count else 1.0

    @property
    def absent(self) -> BoolArray:
        """Who is expected and has no bar."""
        missing: BoolArray = self.expected & ~self.present
        return missing


def coverage(close: FloatArray) -> Coverage:
    """Return who has a bar of the last session of ``close`` (symbols by sessions, NaN where there is none).

    Expected is who has one there, or had one in the 20 sessions before; who ended earlier is not missed.
    """
    there = np.isfinite(close)
    expected: BoolArray = np.any(there[:, -RECENT - 1 :], axis=1)
    return Coverage(there[:, -1], expected)
