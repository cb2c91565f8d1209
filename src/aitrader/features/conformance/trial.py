"""The values of a subject on the made-up market and on its variants, and where two of them differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aitrader.features.conformance.market import DISTURBED, Market
from aitrader.features.conformance.subject import Subject, Values
from aitrader.panel.panel import Panel

TOLERANCE: Final = 1e-5
"""Of value and spread: what rounding may move when prices are multiplied by a number that is no power of two."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first value of a column that a rule does not allow, and how many there are. NaN where there is none."""

    symbol: str
    session: date
    found: float
    expected: float
    values: int


@dataclass(frozen=True, slots=True)
class Untold:
    """Why the made-up market cannot tell whether a column keeps a rule."""

    reason: str


Found = Mapping[int, Difference | str | Untold]
"""The positions of the columns that break a rule, each with where it does, or why; or why nobody can tell."""


@dataclass(frozen=True)
class Trial:
    """One subject on one market. ``full`` is computed once and shared by the rules."""

    subject: Subject
    market: Market

    @cached_property
    def panel(self) -> Panel:
        """The market as it is, adjusted."""
        return self.market.panel()

    @cached_property
    def full(self) -> Values:
        """Every column's values on it."""
        return self.values(self.panel, range(len(self.subject.claims)))

    @property
    def cut(self) -> int:
        """The first of the bars that a rule takes away or disturbs."""
        return self.market.shape[1] - DISTURBED

    def values(self, over: Market | Panel, chosen: Sequence[int]) -> Values:
        """Return the chosen columns' values on another market."""
        panel = over.panel() if isinstance(over, Market) else over
        return self.subject.compute(panel, list(chosen))

    def known(self, chosen: Sequence[int], rows: Sequence[int] | None = None, stop: int | None = None) -> Values:
        """Return the chosen columns' values on the market as it is, for some symbols and the first sessions."""
        values = self.full[list(chosen)]
        return values[:, slice(None) if rows is None else list(rows), :stop]

    def differences(
        self,
        chosen: Sequence[int],
        found: Values,
        expected: Values,
        *,
        rows: Sequence[int] | None = None,
        first: int = 0,
        near: bool = False,
    ) -> dict[int, Difference]:
        """Return where ``found`` is not ``expected``: in any bit, or when ``near`` by more than ``TOLERANCE``.

        ``rows`` are the symbols and ``first`` the first session of both grids.
        """
        symbols = [self.market.symbols[row] for row in (range(self.market.shape[0]) if rows is None else rows)]
        broken = {}
        for place, position in enumerate(chosen):
            wrong = (_apart if near else _unequal)(found[place], expected[place])
            if wrong.any():
                bar = int(np.argmax(wrong.any(axis=0)))
                row = int(np.argmax(wrong[:, bar]))
                broken[position] = Difference(
                    symbol=str(symbols[row]),
                    session=self.market.sessions[first + bar],
                    found=float(found[place, row, bar]),
                    expected=float(expected[place, row, bar]),
                    values=int(wrong.sum()),
                )
        return broken


def _unequal(found: Values, expected: Values) -> NDArray[np.bool_]:
    unequal: NDArray[np.bool_] = (found != expected) & ~(np.isnan(found) & np.isnan(expected))
    return unequal


def _apart(found: Values, expected: Values) -> NDArray[np.bool_]:
    one, other = found.astype(np.float64), expected.astype(np.float64)
    known = other[np.isfinite(other)]
    with np.errstate(invalid="ignore"):  # infinities
        near = np.abs(one - other) <= TOLERANCE * (np.abs(other) + (np.std(known) if known.size else 0.0))
    return _unequal(found, expected) & ~near
