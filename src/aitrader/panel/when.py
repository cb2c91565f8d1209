"""The words of the language that know the calendar: what it says of a bar, and longer bars seen from shorter ones.

What the calendar says is NaN before a symbol's first bar, and on a day that is no session of the panel's calendar. It
is known long before, because the calendar is the planned one: closures that nobody could plan count as sessions.

A view computes its argument on other bars than the panel's. ``daily``, ``weekly`` and ``monthly`` make longer ones (a
week begins on a Monday): open of the first, highest high, lowest low, sum of the volume, mean vwap weighted by the
volume, close of the last, as of any other column; bars that are missing are skipped. A bar of the panel sees the newest
longer bar that is closed at its own close. So the running week is never seen, and a week's last session sees its week.

>>> from aitrader.panel.expr import column
>>> (column("close") / weekly(column("close").mean(10)) - 1).key
'((close / weekly(close.mean(10))) - 1)'
"""

from collections.abc import Callable
from typing import Final

from aitrader.panel.expr import Expr, Operand, lift
from aitrader.panel.operators import CALENDAR, CROSS, VIEWS
from aitrader.panel.plan import walk


def session_of_week() -> Expr:
    """Return the number of the bar's session in its week: 1 for the first, which need not be a Monday."""
    return Expr("calendar", (), ("session_of_week",))


def session_of_month() -> Expr:
    """Return the number of the bar's session in its month, from 1 on."""
    return Expr("calendar", (), ("session_of_month",))


def sessions_to_month_end() -> Expr:
    """Return how many sessions of the month are still to come: 0 on its last."""
    return Expr("calendar", (), ("sessions_to_month_end",))


def month_end() -> Expr:
    """Return 1 on a month's last session, else 0."""
    return sessions_to_month_end() <= 0


def month_of_year() -> Expr:
    """Return the month, 1 to 12."""
    return Expr("calendar", (), ("month_of_year",))


def month_sine() -> Expr:
    """Return the sine of the month's place in the year, -1 to 1: 0 in January, 1 in April."""
    return Expr("calendar", (), ("month_sine",))


def month_cosine() -> Expr:
    """Return the cosine of the month's place in the year, -1 to 1: 1 in January, 0 in April."""
    return Expr("calendar", (), ("month_cosine",))


def quarter_sine() -> Expr:
    """Return the sine of the month's place in its quarter: 0 in the first of the three."""
    return Expr("calendar", (), ("quarter_sine",))


def quarter_cosine() -> Expr:
    """Return the cosine of the month's place in its quarter: 1 in the first of the three, -1/2 in the others."""
    return Expr("calendar", (), ("quarter_cosine",))


def sessions_to_expiry() -> Expr:
    """Return the sessions to the next expiry of monthly options, 0 on it: a third Friday, or the session before it."""
    return Expr("calendar", (), ("sessions_to_expiry",))


def sessions_to_holiday() -> Expr:
    """Return the sessions to the next one before a holiday, 0 on it; a holiday is a weekday without a session.

    NaN where the calendar knows no holiday.
    """
    return Expr("calendar", (), ("sessions_to_holiday",))


def sessions_since_holiday() -> Expr:
    """Return the sessions since the last one after a holiday, 0 on it; a holiday is a weekday without a session.

    NaN where the calendar knows no holiday.
    """
    return Expr("calendar", (), ("sessions_since_holiday",))


def half_day() -> Expr:
    """Return 1 on a session that closes early, else 0."""
    return Expr("calendar", (), ("half_day",))


def bar_of_session() -> Expr:
    """Return the number of the bar in its session by the clock: 0 for the first; always 0 on a daily panel."""
    return Expr("calendar", (), ("bar_of_session",))


def daily(series: Operand) -> Expr:
    """Return ``series`` of daily bars; on a daily panel it is the series itself.

    Raises
    ------
    ValueError
        ``series`` holds a view or ``age()``: a part of a history does not know how many longer bars came before it.
    """
    return _view("daily", series)


def weekly(series: Operand) -> Expr:
    """Return ``series`` of weekly bars; ``ValueError`` as ``daily``."""
    return _view("weekly", series)


def monthly(series: Operand) -> Expr:
    """Return ``series`` of monthly bars; ``ValueError`` as ``daily``."""
    return _view("monthly", series)


def within_session(series: Operand) -> Expr:
    """Return ``series`` as if each session were alone: windows end at its open, recursions begin there.

    Raises
    ------
    ValueError
        ``series`` holds a view, ``age()``, a word of the calendar, or compares symbols: do that with the result.
    """
    return _view("within_session", series, "calendar", *CROSS)


def _view(op: str, series: Operand, *refused: str) -> Expr:
    inner = lift(series)
    for part in walk(inner):
        if part.op in {*VIEWS, "age", *refused}:
            raise ValueError(f"{op} cannot look at {part.key}")
    return Expr(op, (inner,))


WORDS: Final[dict[str, Callable[..., Expr]]] = {name: globals()[name] for name in (*CALENDAR, "month_end", *VIEWS)}
"""Every word by name."""
