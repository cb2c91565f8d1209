"""When everything must stop: losses at the close, and brokers that refuse or keep silent too often."""

from math import isfinite
from typing import NamedTuple

from aitrader.config.schema import Risk
from aitrader.domain.wording import counted


class Breach(NamedTuple):
    """The control that fired, by the name of its setting, and a sentence with the numbers."""

    code: str
    reason: str


def losses(*, previous: float | None, last: float | None, peak: float | None, limits: Risk) -> Breach | None:
    """Return the breach that the equity at the last close is, if it is one.

    ``previous`` and ``last`` are the equity at the last two closes, ``peak`` the highest close so far, USD; None where
    there was none. What is not above zero, or no number, is a breach: an account without a value is not traded.
    """
    if last is None:
        return None
    if not (isfinite(last) and last > 0):
        return Breach("equity", f"equity is {last} USD")
    if previous is not None and not _kept(previous, last, limits.max_daily_loss):
        return Breach("max_daily_loss", _fell("in one session", previous, last, limits.max_daily_loss))
    if peak is not None and not _kept(peak, last, limits.max_drawdown):
        return Breach("max_drawdown", _fell("from its highest close", peak, last, limits.max_drawdown))
    return None


def bursts(*, rejects: int, unknown: int, limits: Risk) -> Breach | None:
    """Return the breach that the broker's answers are: refusals in this run, unknown outcomes in this session."""
    if rejects >= limits.max_rejects_per_run:
        return Breach("max_rejects_per_run", f"the broker refused {counted(rejects, 'order')} of one run")
    if unknown >= limits.max_unknown_orders:
        return Breach("max_unknown_orders", f"the outcome of {counted(unknown, 'order')} in one session is unknown")
    return None


def _kept(before: float, last: float, limit: float) -> bool:
    return isfinite(before) and (last >= before or last > before * (1 - limit))


def _fell(since: str, before: float, last: float, limit: float) -> str:
    fall = f"{1 - last / before:.2%} {since}, from {before:,.2f} to {last:,.2f} USD"
    return f"equity fell {fall}; the limit is {limit:.2%}"
