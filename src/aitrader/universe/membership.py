"""Which symbols may be bought on a session, by rules that look back only."""

import numpy as np
from numpy.typing import NDArray

from aitrader.config.schema import Universe
from aitrader.domain.symbols import Symbol
from aitrader.errors import ConfigError, InsufficientDataError
from aitrader.universe.filters import history_of, mean_dollar_volume

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]


def select(available: tuple[Symbol, ...], settings: Universe) -> tuple[Symbol, ...]:
    """Return the symbols to look at, sorted: those that the settings name, else all that are available.

    Raises
    ------
    InsufficientDataError
        Nothing is left.
    """
    wanted = available if settings.symbols is None else tuple(Symbol(s) for s in settings.symbols)
    chosen = tuple(sorted(set(wanted) & set(available)))
    if not chosen:
        raise InsufficientDataError(
            f"The universe is empty: none of its {len(wanted)} symbols has bars in the lake.",
            needed=1,
            got=0,
            fix="Run `aitrader backfill`, or mend `universe.symbols`; --now hides bars that were not known by then.",
        )
    return chosen


def members(
    symbols: tuple[Symbol, ...],
    close: FloatArray,
    volume: FloatArray,
    settings: Universe,
    *,
    adjusted: bool,
    before: NDArray[np.int64] | None = None,
) -> BoolArray:
    """Return who may be bought, one row per symbol and one column per session.

    ``close`` (USD, as traded) and ``volume`` (shares) are NaN where a symbol has no bar; a symbol without a bar
    on a session is no member of it. ``adjusted`` says that the closes are adjusted prices. ``before`` is how many bars
    each symbol had before the first session of the arrays, which then are a part of its history.

    Raises
    ------
    ConfigError
        ``min_price`` is set although the prices are adjusted: an adjusted price knows later dividends.
    """
    if adjusted and settings.min_price > 0:
        raise ConfigError(
            "universe.min_price filters by a traded price, but the lake holds adjusted prices.",
            fix="Remove universe.min_price, or backfill from a source of prices as traded.",
        )
    allowed = np.array([_allowed(symbol, settings) for symbol in symbols], dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        enough = mean_dollar_volume(close, volume) >= settings.min_dollar_volume if settings.min_dollar_volume else True
        priced = close >= settings.min_price if settings.min_price else True
    had = history_of(close) if before is None else history_of(close) + before[:, None]
    present = np.isfinite(close) & (had >= settings.min_history)
    result: BoolArray = present & enough & priced & allowed[:, None]
    return result


def absences(
    symbols: tuple[Symbol, ...], close: FloatArray, volume: FloatArray, settings: Universe, position: int
) -> dict[Symbol, str]:
    """Return why each symbol that is no member on session ``position`` is none; arrays as for ``members``."""
    bars = history_of(close)[:, position]
    value = mean_dollar_volume(close, volume)[:, position]
    found = {}
    for row, symbol in enumerate(symbols):
        price = float(close[row, position])
        refusals = {
            "not allowed by universe.allow or universe.deny": not _allowed(symbol, settings),
            "no bar of the session": not np.isfinite(price),
            f"{bars[row]} bars of history, universe.min_history is {settings.min_history}": (
                bars[row] < settings.min_history
            ),
            f"a close of {price:.2f}, universe.min_price is {settings.min_price:g}": price < settings.min_price,
            f"{value[row]:,.0f} USD a day, universe.min_dollar_volume is {settings.min_dollar_volume:,.0f}": (
                value[row] < settings.min_dollar_volume
            ),
        }
        reasons = [reason for reason, true in refusals.items() if true]
        if reasons:
            found[symbol] = reasons[0]
    return found


def _allowed(symbol: Symbol, settings: Universe) -> bool:
    return symbol not in settings.deny and (not settings.allow or symbol in settings.allow)
