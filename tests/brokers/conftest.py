"""A venue of three symbols, orders for it, and an account."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from aitrader.brokers.simulated import SimulatedBroker
from aitrader.brokers.venue import SessionBars, VenueSession
from aitrader.config.schema import Costs, Risk
from aitrader.domain.events import ActionBooked
from aitrader.domain.orders import Entry, Order, Side, client_order_id
from aitrader.domain.positions import Book, Position
from aitrader.risk.exposure import RiskContext
from aitrader.risk.review import review

SYMBOLS = ("A", "B", "C")
NOTHING = np.full(len(SYMBOLS), np.nan)
FIRST = date(2026, 1, 5)
LOOSE = Risk(
    max_order_equity_share=1,
    max_order_qty=1e12,
    max_order_adv_share=1,
    max_position=1,
    max_gross=4,
    max_net=4,
    cash_reserve=0,
)


class Days:
    """A venue on which each day is known from its open on: what a test lists, a day without prices told with none.

    A running session has its open only, and with ``late`` not even that: its bar is known after its close. A day
    begins ``early`` hours before its open.
    """

    def __init__(self, days, *, late=False, early=0):
        self.days = days
        self.late = late
        self.early = timedelta(hours=early)
        self.lost = set()

    def sessions(self, after, now):
        closed = [bars for bars, _ in self.days if bars.closes <= now]
        after = after or (closed[-1].session - timedelta(days=1) if closed else date.min)
        for number, (bars, actions) in enumerate(self.days):
            if (
                after < bars.session
                and bars.opened - self.early <= now
                and not (number in self.lost and bars.closes <= now)
            ):
                yield VenueSession(self._known(bars, now), actions, closed=bars.closes <= now)

    def _known(self, bars, now):
        if bars.closes <= now:
            return bars
        unpriced = self.late or now < bars.opened
        unknown = dict.fromkeys(("high", "low", "close", "vwap", *["open", "volume20"][: 2 * unpriced]), NOTHING)
        return replace(bars, **unknown)


@pytest.fixture(scope="session")
def venue_of(bars_of):
    """A venue from one mapping of prices (see ``bars_of``) per day, and the actions of days by number."""

    def make(*prices, actions=None, late=False, early=0, volume20=1e6):
        days = [
            (bars_of(day, known, volume20=volume20), tuple((actions or {}).get(day, ())))
            for day, known in enumerate(prices)
        ]
        return Days(days, late=late, early=early)

    return make


@pytest.fixture(scope="session")
def at():
    """UTC time on a day by number; sessions run from 14:30 to 21:00."""

    def make(day, hour, minute=0):
        return datetime(2026, 1, 5, tzinfo=UTC) + timedelta(days=day, hours=hour, minutes=minute)

    return make


@pytest.fixture(scope="session")
def bars_of():
    """One session's bars: the day's number, then per symbol an open or (open, close); the rest is derived."""

    def make(day, prices, *, volume20=1e6, vwap=np.nan):
        pairs = [prices.get(s, np.nan) for s in SYMBOLS]
        opens = np.array([p[0] if isinstance(p, tuple) else p for p in pairs], dtype=float)
        closes = np.array([p[1] if isinstance(p, tuple) else p for p in pairs], dtype=float)
        session = FIRST + timedelta(days=day)
        opened = datetime(session.year, session.month, session.day, 14, 30, tzinfo=UTC)
        return SessionBars(
            session=session,
            opened=opened,
            closes=opened + timedelta(hours=6.5),
            places={symbol: place for place, symbol in enumerate(SYMBOLS)},
            open=opens,
            high=np.fmax(opens, closes),
            low=np.fmin(opens, closes),
            close=closes,
            vwap=np.full(3, vwap),
            volume20=np.full(3, volume20),
        )

    return make


@pytest.fixture(scope="session")
def approve_order():
    """An approved order, positive to buy and negative to sell, from the review of a rich book that holds it."""

    def make(symbol, signed, *, decision="d1", entry=Entry.AFTER_OPEN, planned="10", closing=False):
        side = Side.BUY if signed > 0 else Side.SELL
        order = Order(
            client_id=client_order_id("main", decision, "top5", symbol, side=side, number=1),
            symbol=symbol,
            side=side,
            quantity=abs(Decimal(signed)),
            planned_price=Decimal(planned),
            strategy="top5",
            decision=decision,
            entry=entry,
            reducing=closing,
            closing=closing,
        )
        held = {symbol: Position(symbol, order.quantity, Decimal(1))}
        context = RiskContext(
            equity=Decimal("1e12"),
            book=Book(Decimal("1e12"), held),
            prices={symbol: Decimal(planned)},
            volume20={symbol: 1e12},
            stale={symbol: 0},
            members={symbol},
        )
        (approved,) = review([order], context, LOOSE).approved
        return approved

    return make


@pytest.fixture(scope="session")
def action():
    def make(symbol, kind, value):
        return ActionBooked(datetime(2026, 1, 6, tzinfo=UTC), symbol, kind, value)

    return make


@pytest.fixture
def free():
    """Trading costs nothing."""
    return Costs(spread_bps=0, impact_bps=0)


@pytest.fixture
def broker(free):
    return SimulatedBroker("SIM-main", Decimal(10_000), free)
