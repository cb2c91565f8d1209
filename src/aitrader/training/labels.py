"""Labels: what came after a decision. The only place that looks ahead."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aitrader.domain.orders import Entry
from aitrader.panel.panel import Panel

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Labels:
    """Returns that followed each session, (N, T), as fractions; NaN where unknown or where a name was no member.

    The label of a decision after session t uses prices of sessions t + 1 to t + ``reach``; so ``reach`` sessions before
    the panel's end have no label. ``excess`` (T,) says where the session's mean was taken off.
    """

    values: FloatArray
    excess: NDArray[np.bool_]
    reach: int
    notices: tuple[str, ...]


def make_labels(panel: Panel, entry: Entry, horizon: int, *, excess: bool = True, min_names: int = 10) -> Labels:
    """Return the members' returns from the entry price of t + 1 to that of t + 1 + ``horizon``.

    Prices are the panel's adjusted ones. With ``excess`` the mean of the session's labels is taken off, unless fewer
    than ``min_names`` members have one: then the return stays as it is, and a notice says so.
    """
    prices = entry_prices(panel, entry)
    values = np.full(prices.shape, np.nan)
    reach = horizon + 1
    if prices.shape[1] > reach:
        values[:, :-reach] = prices[:, reach:] / prices[:, 1:-horizon] - 1
    values = np.where(panel.members & np.isfinite(values), values, np.nan)
    count = np.isfinite(values).sum(axis=0)
    taken = (count >= min_names) & excess
    mean = np.nansum(values, axis=0) / np.maximum(count, 1)
    bare = int(((count > 0) & ~taken).sum()) if excess else 0
    return Labels(np.where(taken, values - mean, values), taken, reach, _notices(bare, min_names))


def entry_prices(panel: Panel, entry: Entry) -> FloatArray:
    """Return the adjusted price at which ``entry`` enters on each session, (N, T); NaN or not positive is NaN.

    The open for an open auction and for an entry after the open (a proxy on daily bars), the close for a close
    auction; the volume-weighted price for vwap, or (high + low + close) / 3 where a bar has none.
    """
    columns = panel.columns
    if entry is Entry.CLOSE_AUCTION:
        prices = columns["close"]
    elif entry is Entry.VWAP:
        typical = (columns["high"] + columns["low"] + columns["close"]) / 3
        prices = np.where(np.isfinite(columns["vwap"]), columns["vwap"], typical) if "vwap" in columns else typical
    else:
        prices = columns["open"]
    return np.where(prices > 0, prices, np.nan)


def _notices(bare: int, min_names: int) -> tuple[str, ...]:
    if not bare:
        return ()
    return (f"labels of {bare} sessions are not in excess of the cross-section: fewer than {min_names} names",)
