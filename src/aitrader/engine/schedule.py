"""On which sessions a strategy decides, and when its orders may leave: functions of the calendar alone."""

from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from aitrader.config.fields import Weekday
from aitrader.config.schema import Schedule
from aitrader.domain.calendars import Calendar
from aitrader.domain.orders import Entry

Rebalance = Weekday | int
"""A weekday, or every so many sessions."""

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

FIVE_MINUTES: Final = timedelta(minutes=5)

AUCTION_CLOSES: Final = {Entry.OPEN_AUCTION: timedelta(minutes=2), Entry.CLOSE_AUCTION: timedelta(minutes=10)}
"""How long before an auction US brokers take no more orders for it (Alpaca: 09:28 and 15:50, New York)."""


class Window(NamedTuple):
    """When orders may leave, UTC: from ``opens`` to before ``closes``. It never opens where ``closes`` is not later."""

    opens: datetime
    closes: datetime


def due(session: date, rebalance: Rebalance, calendar: Calendar, *, since: date | None = None) -> bool:
    """Say whether a strategy decides after ``session`` closed.

    A weekday means that day's session; where the venue is closed on it, the next session. A number means every
    so many sessions, counted from the calendar's first one, so that two runs from different starts agree. ``since``
    is the session that had its turn before: what was due on sessions in between (their bars are lost) is due now.
    """
    last = calendar.position(session)
    first = last if since is None else calendar.position(since) + 1
    return any(_due(position, rebalance, calendar) for position in range(first, last + 1))


def _due(position: int, rebalance: Rebalance, calendar: Calendar) -> bool:
    if isinstance(rebalance, int):
        return position % rebalance == 0
    session = calendar.sessions[position]
    wanted = session - timedelta(days=(session.weekday() - WEEKDAYS.index(rebalance)) % 7)
    return wanted == session or (position > 0 and wanted > calendar.sessions[position - 1])


def entry_time(session: date, entry: Entry, calendar: Calendar) -> datetime:
    """Return when the orders of a decision leave on ``session``, UTC.

    Five minutes after the open (``after_open``), at it (``vwap``), five minutes before it (``open_auction``), or
    fifteen minutes before the close (``close_auction``): the US auctions take no orders in their last minutes.
    """
    opened, closes = calendar.open_of(session), calendar.close_of(session)
    times = {
        Entry.OPEN_AUCTION: opened - FIVE_MINUTES,
        Entry.VWAP: opened,
        Entry.AFTER_OPEN: opened + FIVE_MINUTES,
        Entry.CLOSE_AUCTION: closes - 3 * FIVE_MINUTES,
    }
    return times[entry]


def window(session: date, entry: Entry, calendar: Calendar, settings: Schedule) -> Window:
    """Return when the orders of a decision may leave on ``session``.

    From the entry's time until the broker takes no more orders for its auction; without an auction until
    ``settings.no_orders_last_min`` before the close, and not within ``settings.no_orders_first_min`` after the open.
    """
    opened, closes = calendar.open_of(session), calendar.close_of(session)
    entered = entry_time(session, entry, calendar)
    if entry in AUCTION_CLOSES:
        auction = opened if entry is Entry.OPEN_AUCTION else closes
        return Window(entered, auction - AUCTION_CLOSES[entry])
    first, last = timedelta(minutes=settings.no_orders_first_min), timedelta(minutes=settings.no_orders_last_min)
    return Window(max(entered, opened + first), closes - last)
