"""What every broker must do. To add one: a class like ``SimulatedAccount`` below, and its line in ``ACCOUNTS``.

An account here is a flat one with 100,000 USD on a venue where AAPL and MSFT trade at about 100 USD. ``broker``
is what is tested; ``open`` opens the market for the next session, ``close`` ends it with everything that was due
filled.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from aitrader.brokers.account_file import PaperAccount
from aitrader.brokers.broker import fills_since
from aitrader.brokers.faulty import FaultyBroker, listed
from aitrader.brokers.simulated import SimulatedBroker
from aitrader.brokers.venue import SessionBars, VenueSession
from aitrader.config.schema import AccountSettings, Costs, Risk
from aitrader.domain.orders import Accepted, BrokerOrder, Entry, NotFound, Order, OrderStatus, Refused, Side
from aitrader.domain.positions import Book, Position
from aitrader.errors import UnknownFillError
from aitrader.risk.exposure import RiskContext
from aitrader.risk.review import review

FIRST = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)


def bars(day):
    opened, price = FIRST + timedelta(days=day), np.full(2, 100.0)
    columns = dict.fromkeys(("open", "high", "low", "close", "vwap"), price)
    places, closes = {"AAPL": 0, "MSFT": 1}, opened + timedelta(hours=6.5)
    return SessionBars(opened.date(), opened, closes, places, **columns, volume20=np.full(2, 1e6))


class SimulatedAccount:
    """In memory, played from outside, as a backtest does."""

    def __init__(self, folder):
        self.played = SimulatedBroker("SIM-main", Decimal(100_000), Costs())
        self.broker = self.played
        self.days = 0

    def open(self):
        self.played.open_session(bars(self.days))
        self.days += 1

    def close(self):
        self.played.close_session()


class FaultyAccount(SimulatedAccount):
    """Through a connection that happens to be good."""

    def __init__(self, folder):
        super().__init__(folder)
        self.broker = FaultyBroker(self.played, listed({}))


class Reopened:
    """The account's file, opened anew for every call: each call is another process."""

    def __init__(self, path, began):
        self.path = path
        self.began = began

    def __getattr__(self, name):
        def call(*arguments, **named):
            create = not self.path.exists()
            with PaperAccount.open(
                self.path,
                AccountSettings(),
                number="SIM-main",
                costs=Costs(),
                now=self.began,
                replay=True,
                create=create,
            ) as account:
                return getattr(account, name)(*arguments, **named)

        return call


class PaperAccountInItsFile:
    """Follows a venue's clock; of a running session it is told the open only."""

    def __init__(self, folder):
        self.broker = Reopened(folder / "paper.sqlite", FIRST - timedelta(hours=1))
        self.days = 0

    def open(self):
        self.days += 1
        self.broker.advance(self, bars(self.days - 1).opened + timedelta(minutes=5))

    def close(self):
        self.broker.advance(self, bars(self.days - 1).closes)

    def sessions(self, after, now):
        for day in range(self.days):
            told, unknown = bars(day), np.full(2, np.nan)
            if after is None or told.session > after:
                closed = told.closes <= now
                later = {} if closed else dict.fromkeys(("high", "low", "close", "vwap"), unknown)
                yield VenueSession(replace(told, **later), (), closed=closed)


ACCOUNTS = {"simulated": SimulatedAccount, "faulty": FaultyAccount, "paper": PaperAccountInItsFile}


@pytest.fixture(params=sorted(ACCOUNTS))
def account(request, tmp_path):
    account = ACCOUNTS[request.param](tmp_path)
    account.open()
    return account


@pytest.fixture
def broker(account):
    return account.broker


def approved(client_id, signed, symbol="AAPL", entry=Entry.AFTER_OPEN):
    """An order that passed the review of a book that holds what it sells."""
    quantity, side = Decimal(abs(signed)), Side.BUY if signed > 0 else Side.SELL
    order = Order(client_id, symbol, side, quantity, Decimal(100), "top5", client_id, entry, reducing=signed < 0)
    held = {symbol: Position(symbol, quantity, Decimal(100))} if signed < 0 else {}
    context = RiskContext(
        equity=Decimal(10_000_000),
        book=Book(Decimal(10_000_000), held),
        prices={symbol: Decimal(100)},
        volume20={symbol: 1e9},
        stale={symbol: 0},
        members={symbol},
    )
    (passed,) = review([order], context, Risk()).approved
    return passed


def test_a_new_account_is_flat(broker):
    assert broker.account().cash == broker.account().equity == 100_000
    assert dict(broker.positions()) == {}
    assert broker.orders() == []
    assert broker.fills() == []


def test_an_accepted_order_is_found_by_its_id_with_what_was_asked(broker):
    outcome = broker.submit(approved("one", 10))

    assert isinstance(outcome, Accepted)
    found = broker.find("one")
    assert isinstance(found, BrokerOrder)
    assert (found.broker_id, found.client_id, found.symbol) == (outcome.broker_id, "one", "AAPL")
    assert (found.side, found.quantity) == (Side.BUY, 10)
    assert found.submitted_at.tzinfo is not None


def test_an_id_that_was_never_sent_is_not_found(broker):
    assert broker.find("never") == NotFound("never")


def test_resubmitting_a_client_id_creates_no_second_order(account, broker):
    broker.submit(approved("one", 10))

    again = broker.submit(approved("one", 10))
    account.close()
    account.open()
    the_next_day = broker.submit(approved("one", 10, "MSFT"))

    assert isinstance(again, Refused)
    assert isinstance(the_next_day, Refused)
    assert again.code == the_next_day.code == "duplicate_client_id"
    assert len(broker.orders()) == 1
    assert sum(fill.quantity for fill in broker.fills()) == 10


def test_fills_add_up_to_positions_and_cash(account, broker):
    broker.submit(approved("one", 10))
    broker.submit(approved("two", 5, "MSFT"))
    account.close()
    account.open()
    broker.submit(approved("three", -4))
    account.close()

    book = Book(Decimal(100_000))
    for fill in broker.fills():
        book = book.after_fill(fill)
    assert {s: p.quantity for s, p in broker.positions().items()} == {"AAPL": 6, "MSFT": 5}
    assert {s: p.quantity for s, p in book.positions.items()} == {"AAPL": 6, "MSFT": 5}
    assert abs(broker.account().cash - book.cash) <= Decimal("0.01")


def test_an_order_never_fills_more_than_was_asked(account, broker):
    broker.submit(approved("one", 10))
    account.close()

    found = broker.find("one")
    assert found.filled_quantity <= found.quantity
    assert found.filled_quantity == sum(fill.quantity for fill in broker.fills())


def test_a_closed_position_is_not_listed(account, broker):
    broker.submit(approved("one", 10))
    account.close()
    account.open()
    broker.submit(approved("two", -10))
    account.close()

    assert dict(broker.positions()) == {}


def test_fills_have_unique_ids_and_can_be_read_on_from_the_last_one(account, broker):
    broker.submit(approved("one", 10))
    account.close()
    (first,) = broker.fills()
    account.open()
    broker.submit(approved("two", 10, "MSFT"))
    account.close()

    news = broker.fills(after=first.fill_id)

    assert [fill.client_id for fill in news] == ["two"]
    assert len({fill.fill_id for fill in broker.fills()}) == 2
    assert broker.fills(after=news[-1].fill_id) == []


def test_reading_on_from_a_fill_that_never_was_is_an_error(broker):
    with pytest.raises(UnknownFillError):
        broker.fills(after="never")


def test_reading_on_from_a_fill_that_never_was_can_fall_back_on_all(account, broker):
    broker.submit(approved("one", 10))
    account.close()
    known = broker.fills()

    assert len(known) == 1
    assert fills_since(broker, "never") == (known, False)
    assert fills_since(broker, known[0].fill_id) == (known[1:], True)


def test_orders_since_a_time_leave_older_ones_out(account, broker):
    broker.submit(approved("one", 10))
    account.close()
    account.open()
    broker.submit(approved("two", 10, "MSFT"))

    second = broker.find("two")
    assert [order.client_id for order in broker.orders()] == ["one", "two"]
    assert [order.client_id for order in broker.orders(since=second.submitted_at)] == ["two"]


def test_a_buy_beyond_the_cash_leaves_no_order(broker):
    outcome = broker.submit(approved("one", 1_500))

    assert isinstance(outcome, Refused)
    assert isinstance(broker.find("one"), NotFound)
    assert broker.fills() == []


def test_a_sell_of_what_is_not_held_leaves_no_order(broker):
    outcome = broker.submit(approved("one", -10))

    assert isinstance(outcome, Refused)
    assert dict(broker.positions()) == {}


def test_an_open_order_can_be_canceled_and_is_then_final(account, broker):
    broker.submit(approved("one", 10, entry=Entry.CLOSE_AUCTION))

    assert isinstance(broker.cancel("one"), Accepted)

    account.close()
    assert broker.find("one").status is OrderStatus.CANCELED
    assert broker.fills() == []
    assert broker.account().cash == 100_000


def test_a_canceled_order_gives_its_cash_back(broker):
    broker.submit(approved("one", 900, entry=Entry.CLOSE_AUCTION))
    broker.cancel("one")

    assert isinstance(broker.submit(approved("two", 900, entry=Entry.CLOSE_AUCTION)), Accepted)


def test_what_is_final_cannot_be_canceled(account, broker):
    broker.submit(approved("one", 10))
    account.close()

    outcome = broker.cancel("one")

    assert isinstance(outcome, Refused)
    assert outcome.code == "final"
    assert broker.find("one").status is OrderStatus.FILLED


def test_what_was_never_sent_cannot_be_canceled(broker):
    outcome = broker.cancel("never")

    assert isinstance(outcome, Refused)
    assert outcome.code == "not_found"


def test_day_orders_do_not_outlive_their_session(account, broker):
    broker.submit(approved("one", 10, entry=Entry.CLOSE_AUCTION))
    account.close()

    assert all(order.status.final for order in broker.orders())


def test_an_order_sent_while_the_market_is_closed_is_filled_in_the_next_session(account, broker):
    account.close()

    assert isinstance(broker.submit(approved("one", 10)), Accepted)

    assert broker.find("one").status is OrderStatus.OPEN
    assert broker.fills() == []
    account.open()
    account.close()
    assert broker.find("one").status is OrderStatus.FILLED
    assert {s: p.quantity for s, p in broker.positions().items()} == {"AAPL": 10}


def test_an_order_that_waits_for_the_next_session_can_be_canceled(account, broker):
    account.close()
    broker.submit(approved("one", 10))

    assert isinstance(broker.cancel("one"), Accepted)

    account.open()
    account.close()
    assert broker.find("one").status is OrderStatus.CANCELED
    assert broker.fills() == []


def test_shares_that_an_open_sell_holds_are_not_sold_twice(account, broker):
    broker.submit(approved("one", 10))
    account.close()
    broker.submit(approved("two", -7))

    too_many = broker.submit(approved("three", -4))
    the_rest = broker.submit(approved("four", -3))

    assert isinstance(too_many, Refused)
    assert isinstance(broker.find("three"), NotFound)
    assert isinstance(the_rest, Accepted)
    account.open()
    account.close()
    assert dict(broker.positions()) == {}


def test_cash_that_an_open_buy_holds_is_not_spent_twice(account, broker):
    account.close()
    broker.submit(approved("one", 700))

    assert isinstance(broker.submit(approved("two", 700, "MSFT")), Refused)

    broker.cancel("one")
    assert isinstance(broker.submit(approved("three", 700, "MSFT")), Accepted)


def test_reading_changes_nothing(account, broker):
    broker.submit(approved("one", 10))
    broker.submit(approved("two", 5, "MSFT", Entry.CLOSE_AUCTION))

    def read():
        state = broker.account(), dict(broker.positions()), broker.orders(), broker.fills()
        return state, broker.find("two"), broker.market(["AAPL"])

    assert read() == read()


def test_equity_is_cash_plus_positions_at_the_brokers_prices(account, broker):
    broker.submit(approved("one", 10))
    account.close()

    state = broker.account()
    assert state.equity == state.cash + 10 * 100


def test_the_market_says_its_session_and_quotes_what_trades(account, broker):
    market = broker.market(["AAPL"])

    assert market.session is not None
    assert market.quotes["AAPL"].bid <= market.quotes["AAPL"].ask
    assert "AAPL" in market.tradable
    account.close()
    assert broker.market().session is None
