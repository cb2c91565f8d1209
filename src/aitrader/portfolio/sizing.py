"""Target weights into target quantities: whole lots, within what may be invested."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import isfinite
from types import MappingProxyType
from typing import Final

from aitrader.config.schema import Costs, Portfolio
from aitrader.domain.instruments import Instrument, exact_price
from aitrader.domain.symbols import Symbol

_FRACTION: Final = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a rebalance must keep.

    ``equity`` is the book's value in USD at the prices it is sized with, ``cash_reserve`` the share of it that
    buys must leave in cash. A symbol without an instrument trades in lots of one share.
    """

    equity: Decimal
    portfolio: Portfolio
    costs: Costs
    cash_reserve: float
    instruments: Mapping[Symbol, Instrument] = field(default_factory=lambda: MappingProxyType({}))

    def lots(self, symbol: Symbol, quantity: Decimal) -> Decimal:
        """Return ``quantity`` rounded towards zero to what may be traded of ``symbol``."""
        instrument = self.instruments.get(symbol, Instrument(symbol))
        if self.portfolio.fractional:
            instrument = replace(instrument, lot=min(instrument.lot, _FRACTION))
        return instrument.round_quantity(quantity)


@dataclass(frozen=True, slots=True)
class Targets:
    """Wanted signed shares by symbol, and what could not be sized.

    A symbol without a target is to be left (weight zero), unless it has no price: that one is not touched.
    """

    quantities: Mapping[Symbol, Decimal]
    notes: tuple[str, ...] = ()


def decimal_prices(closes: Mapping[Symbol, float]) -> dict[Symbol, Decimal]:
    """Return the prices as money; symbols whose price is NaN, infinite, zero or negative are absent."""
    exact = ((symbol, exact_price(close)) for symbol, close in closes.items())
    return {symbol: price for symbol, price in exact if price is not None}


def target_quantities(weights: Mapping[Symbol, float], prices: Mapping[Symbol, Decimal], terms: Terms) -> Targets:
    """Return the shares that ``weights``, signed fractions of equity, mean at ``prices``, rounded towards zero.

    Weights whose absolute sum exceeds ``portfolio.invested``, or what the cash reserve leaves, are scaled down
    together; smaller ones stay as they are. Weight zero is no target. A symbol without a price gets no
    target but a note. The costs of getting there are kept free by ``rebalance.trade_list``, which knows the trades.

    Raises
    ------
    ValueError
        A weight is NaN or infinite.
    """
    wrong = sorted(symbol for symbol, weight in weights.items() if not isfinite(weight))
    if wrong:
        raise ValueError(f"target weights must be finite numbers; these are not: {', '.join(wrong)}")
    gross = sum(abs(weight) for weight in weights.values())
    most = min(terms.portfolio.invested, 1 - terms.cash_reserve)
    scale = max(terms.equity, Decimal(0)) * Decimal(repr(min(1.0, most / gross) if gross else 0.0))
    quantities: dict[Symbol, Decimal] = {}
    notes: list[str] = []
    for symbol, weight in weights.items():
        price = prices.get(symbol)
        if price is None:
            notes.append(f"{symbol} has no price: no target, and its position is left alone")
        elif weight:
            quantities[symbol] = terms.lots(symbol, scale * Decimal(repr(float(weight))) / price)
    notes += [f"{s}: its weight is less than one lot" for s, quantity in quantities.items() if not quantity]
    return Targets(quantities, tuple(notes))
