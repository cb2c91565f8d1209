"""Where the orders of a simulated account go: sessions with their bars and corporate actions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aitrader.domain.events import ActionBooked
from aitrader.domain.instruments import exact_price
from aitrader.domain.symbols import Symbol
from aitrader.quant.fills import Bar


@dataclass(frozen=True, slots=True)
class SessionBars:
    """One session of every symbol, as the venue knows it.

    Arrays hold one value per symbol, at the place that ``places`` gives: prices as traded in USD, NaN where the
    symbol did not trade; ``volume20`` is the mean daily volume of the 20 sessions *before*, in shares. ``opened``
    and ``closes`` are UTC.
    """

    session: date
    opened: datetime
    closes: datetime
    places: Mapping[Symbol, int]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    vwap: NDArray[np.float64]
    volume20: NDArray[np.float64]

    def bar(self, symbol: Symbol) -> Bar:
        """Return the prices of one symbol; ``KeyError`` for an unknown one."""
        place = self.places[symbol]
        columns = (self.open, self.high, self.low, self.close, self.vwap)
        return Bar(*(float(column[place]) for column in columns))

    def price(self, prices: NDArray[np.float64], symbol: Symbol) -> Decimal | None:
        """Return one of ``prices`` as money; None where the symbol is unknown or did not trade."""
        place = self.places.get(symbol)
        return None if place is None else exact_price(float(prices[place]))


@dataclass(frozen=True, slots=True)
class VenueSession:
    """One session as far as it is known: its bars, the corporate actions with this ex-date, whether it closed.

    Of one that has not closed the open and the usual volume alone may be known; what is not is NaN.
    """

    bars: SessionBars
    actions: Sequence[ActionBooked]
    closed: bool


class Venue(Protocol):
    """Where a simulated account's orders go: sessions in order, told as they become known."""

    def sessions(self, after: date | None, now: datetime) -> Iterable[VenueSession]:
        """Return the sessions later than ``after`` whose day had begun by ``now``, in order.

        Without ``after`` they begin with the last that had closed by ``now``. The last one is told again until it has
        closed: before its open its corporate actions are known, and no price, nor while its bar is missing.
        """
        ...
