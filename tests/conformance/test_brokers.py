"""What every broker must do. To add one: a class like ``SimulatedAccount`` below, and its line in ``ACCOUNTS``.

An account here is a flat one with 100,000 USD on a venue where AAPL and MSFT trade at about 100 USD. ``broker``
is what is tested; ``open`` opens the market, ``close`` ends the session with everything that was due filled.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from aitrader.brokers.simulated import SimulatedBroker
from aitrader.brokers.venue import SessionBars
from aitrader.config.schema import Costs, Risk
from aitrader.domain.orders import Accepted, BrokerOrder, Entry, NotFound, Order, OrderStatus, Refused, Side
from aitrader.domain.positions import Book, Position
from aitrader.errors import BrokerError
from aitrader.risk.exposure import RiskContext
from aitrader.risk.review import review


class SimulatedAccount:
    def __init__(self):
        self.broker = SimulatedBroker("SIM-main", Decimal(100_000), Costs())
        self._session = date(2026, 1, 5)

    def open(self):
        opened = datetime(2026, 1, self._session.day, 14, 30, tzinfo=UTC)
        price = np.full(2, 100.0)
        columns = dict.fromkeys(("open", "high", "low", "close", "vwap"), price)
        places, closes = {"AAPL": 0, "MSFT": 1}, opened + timedelta(hours=6.5)
        bars = SessionBars(self._session, opened, closes, places, **columns, volume20=np.full(2, 1e6))
        self.broker.open_session(bars)
        self._session += timedelta(days=1)

    def close(self):
        self.broker.close_session()


ACCOUNTS = {"simulated": SimulatedAccount}


@pytest.fixture(params=sorted(ACCOUNTS))
def account(request):
    account = ACCOUNTS[request.param]()
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
    with pytest.raises(BrokerError):
        broker.fills(after="never")


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
