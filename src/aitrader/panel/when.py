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
from aitrader.panel.operators import CROSS, VIEWS
from aitrader.panel.plan import walk


def session_of_week() -> Expr:
    """Number of the bar's session in its week: 1 for the first, which need not be a Monday."""
    return Expr("calendar", (), ("session_of_week",))


def session_of_month() -> Expr:
    """Number of the bar's session in its month, from 1 on."""
    return Expr("calendar", (), ("session_of_month",))


def sessions_to_month_end() -> Expr:
    """Sessions of the month that are still to come: 0 on its last."""
    return Expr("calendar", (), ("sessions_to_month_end",))


def month_end() -> Expr:
    """1 on a month's last session, else 0."""
    return sessions_to_month_end() <= 0


def month_of_year() -> Expr:
    """The month, 1 to 12."""
    return Expr("calendar", (), ("month_of_year",))


def month_sine() -> Expr:
    """Sine of the month's place in the year, -1 to 1: 0 in January, 1 in April."""
    return Expr("calendar", (), ("month_sine",))


def month_cosine() -> Expr:
    """Cosine of the month's place in the year, -1 to 1: 1 in January, 0 in April."""
    return Expr("calendar", (), ("month_cosine",))


def quarter_sine() -> Expr:
    """Sine of the month's place in its quarter: 0 in the first of the three."""
    return Expr("calendar", (), ("quarter_sine",))


def quarter_cosine() -> Expr:
    """Cosine of the month's place in its quarter: 1 in the first of the three, -1/2 in the others."""
    return Expr("calendar", (), ("quarter_cosine",))


def sessions_to_expiry() -> Expr:
    """Sessions to the next expiry of monthly options, 0 on it: third Fridays, or the session before them."""
    return Expr("calendar", (), ("sessions_to_expiry",))


def sessions_to_holiday() -> Expr:
    """Sessions to the last one before a holiday, a weekday without a session: 0 on it; NaN where none is known."""
    return Expr("calendar", (), ("sessions_to_holiday",))


def sessions_since_holiday() -> Expr:
    """Sessions since the first one after a holiday, a weekday without a session: 0 on it; NaN where none is known."""
    return Expr("calendar", (), ("sessions_since_holiday",))


def half_day() -> Expr:
    """1 on a session that closes early, else 0."""
    return Expr("calendar", (), ("half_day",))


def bar_of_session() -> Expr:
    """Number of the bar in its session by the clock: 0 for the first; always 0 on a daily panel."""
    return Expr("calendar", (), ("bar_of_session",))


def daily(series: Operand) -> Expr:
    """``series`` of daily bars, as of the newest one that is closed; on a daily panel it is the series itself.

    Raises
    ------
    ValueError
        ``series`` holds a view or ``age()``: a part of a history does not know how many longer bars came before it.
    """
    return _view("daily", series)


def weekly(series: Operand) -> Expr:
    """``series`` of weekly bars, as of the newest one that is closed; on a week's last session that is its own.

    Raises ``ValueError`` as ``daily``.
    """
    return _view("weekly", series)


def monthly(series: Operand) -> Expr:
    """``series`` of monthly bars, as of the newest one that is closed; on a month's last session that is its own.

    Raises ``ValueError`` as ``daily``.
    """
    return _view("monthly", series)


def within_session(series: Operand) -> Expr:
    """``series`` as if each session were alone: windows reach back to its open, recursions begin there.

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


WORDS: Final[dict[str, Callable[..., Expr]]] = {
    word.__name__: word
    for word in (
        *(session_of_week, session_of_month, sessions_to_month_end, month_end, month_of_year, month_sine, month_cosine),
        *(quarter_sine, quarter_cosine, sessions_to_expiry, sessions_to_holiday, sessions_since_holiday, half_day),
        *(bar_of_session, daily, weekly, monthly, within_session),
    )
}
"""Every word by name."""
