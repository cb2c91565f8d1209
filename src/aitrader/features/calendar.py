"""What the exchange's calendar says of a session: its place in week, month and year, expiries, holidays, half days.

All of it is the same for every symbol, and known before: closures that nobody could plan count as sessions.
"""

from aitrader.features.feature import feature
from aitrader.panel import when
from aitrader.panel.expr import Expr, maximum


@feature
def session_of_week() -> Expr:
    """Number of the session in its week, 1 for the first.

    Unit: sessions. NaN before the first bar.

    Source: French (1980), J. Financial Economics 8(1); after a holiday the first session need not be a Monday.
    """
    return when.session_of_week()


@feature
def month_end() -> Expr:
    """Whether the session is the last of its month.

    Unit: 0 or 1. NaN before the first bar.

    Source: Ariel (1987), J. Financial Economics 18(1).
    """
    return when.month_end()


@feature
def turn_of_month(*, sessions: int = 3) -> Expr:
    """Whether the session is the last of its month or one of the first ``sessions``.

    Unit: 0 or 1. NaN before the first bar.

    Source: Lakonishok & Smidt (1988), Review of Financial Studies 1(4), whose turn is sessions -1 to 3.
    """
    return maximum(when.month_end(), when.session_of_month() <= sessions)


@feature
def month_share() -> Expr:
    """Share of the month's sessions that are done with this one.

    Unit: above 0 to 1. NaN before the first bar.

    Source: Ariel (1987), J. Financial Economics 18(1), who compares a month's halves.
    """
    done = when.session_of_month()
    return done / (done + when.sessions_to_month_end())


@feature
def month_sine() -> Expr:
    """Sine of the month's place in the year: 0 in January, 1 in April.

    Unit: -1 to 1. NaN before the first bar.

    Source: seasons as in Rozeff & Kinney (1976), J. Financial Economics 3(4); sine and cosine make December and
    January neighbours.
    """
    return when.month_sine()


@feature
def month_cosine() -> Expr:
    """Cosine of the month's place in the year: 1 in January, 0 in April.

    Unit: -1 to 1. NaN before the first bar.

    Source: as ``month_sine``.
    """
    return when.month_cosine()


@feature
def quarter_sine() -> Expr:
    """Sine of the month's place in its quarter: 0 in the first month, 0.87 in the second, -0.87 in the third.

    Unit: -1 to 1. NaN before the first bar.

    Source: the quarter's reports as in Hartzmark & Solomon (2018), Annual Review of Financial Economics 10.
    """
    return when.quarter_sine()


@feature
def quarter_cosine() -> Expr:
    """Cosine of the month's place in its quarter: 1 in the first month, -0.5 in the others.

    Unit: -1 to 1. NaN before the first bar.

    Source: as ``quarter_sine``.
    """
    return when.quarter_cosine()


@feature
def sessions_to_expiry() -> Expr:
    """Sessions to the next expiry of monthly stock options, 0 on it.

    Unit: sessions. NaN before the first bar.

    Source: Cboe's calendar: the third Friday of a month, or the session before where that is none; Stoll & Whaley
    (1987), Financial Analysts Journal 43(2), for what happens on it.
    """
    return when.sessions_to_expiry()


@feature
def before_holiday(*, sessions: int = 1) -> Expr:
    """Whether one of the last ``sessions`` before a holiday, a weekday without a session, is at hand.

    Unit: 0 or 1. NaN before the first bar, and where the calendar has no holidays.

    Source: Ariel (1990), J. Finance 45(5).
    """
    return when.sessions_to_holiday() < sessions


@feature
def after_holiday(*, sessions: int = 1) -> Expr:
    """Whether one of the first ``sessions`` after a holiday, a weekday without a session, is at hand.

    Unit: 0 or 1. NaN before the first bar, and where the calendar has no holidays.

    Source: Lakonishok & Smidt (1988), Review of Financial Studies 1(4).
    """
    return when.sessions_since_holiday() < sessions


@feature
def half_day() -> Expr:
    """Whether the session closes early.

    Unit: 0 or 1. NaN before the first bar.

    Source: the exchange's hours, https://www.nyse.com/markets/hours-calendars.
    """
    return when.half_day()
