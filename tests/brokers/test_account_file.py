"""The paper account's file: what it keeps, what it refuses, and its two clocks."""

from datetime import UTC, datetime, timedelta

import pytest

from aitrader.brokers.account_file import PaperAccount
from aitrader.config.schema import AccountSettings, Costs
from aitrader.domain.orders import Accepted, Entry, OrderStatus, Refused
from aitrader.errors import BrokerError, UsageError

BEGAN = datetime(2026, 1, 5, 12, tzinfo=UTC)
FREE = Costs(spread_bps=0, impact_bps=0)


@pytest.fixture
def opened(tmp_path):
    """Open the account anew, as another process would; the file is made by the first call."""
    accounts = []

    def make(*, create=True, number="SIM-main", replay=True, cash=10_000, now=BEGAN, settlement="cash_t1"):
        settings = AccountSettings(cash=cash, settlement=settlement)
        account = PaperAccount.open(
            tmp_path / "paper.sqlite", settings, number=number, costs=FREE, now=now, replay=replay, create=create
        )
        accounts.append(account)
        return account

    yield make
    for account in accounts:
        account.close()


def test_what_was_done_is_there_when_the_file_is_opened_again(opened, venue_of, approve_order, at):
    venue = venue_of({"A": (20.0, 22.0), "B": 10.0})
    account = opened()
    account.advance(venue, at(0, 15))
    account.submit(approve_order("A", 100))
    account.submit(approve_order("B", 50, entry=Entry.CLOSE_AUCTION))
    account.close()

    again = opened(create=False)

    assert again.at == at(0, 15)
    assert again.account().cash == 8_000
    assert [(o.client_id, o.status) for o in again.orders()] == [
        ("at-main-d1-top5-A-buy-e-1", OrderStatus.FILLED),
        ("at-main-d1-top5-B-buy-e-1", OrderStatus.OPEN),
    ]
    assert [order.quantity for order in again.ledger()] == [100, 50]
    again.advance(venue, at(0, 22))
    assert again.account().cash == 7_500
    assert again.account().equity == 7_500 + 2_200 + 500


def test_the_running_session_is_not_played_twice(opened, venue_of, approve_order, at):
    venue = venue_of({"A": 20.0})
    opened().advance(venue, at(0, 15))
    opened().submit(approve_order("A", 100))

    for minute in range(3):
        opened().advance(venue, at(0, 15, minute))

    assert len(opened().fills()) == 1


def test_two_processes_see_each_others_orders(opened, venue_of, approve_order, at):
    one, other = opened(), opened()
    one.advance(venue_of({"A": 20.0}), at(0, 15))

    assert isinstance(other.submit(approve_order("A", 100)), Accepted)

    assert one.submit(approve_order("A", 100)) == Refused("duplicate_client_id", "client_order_id must be unique")
    assert one.account().cash == other.account().cash == 8_000


def test_a_missing_file_is_not_made_again(opened, tmp_path):
    with pytest.raises(BrokerError, match="is missing"):
        opened(create=False)

    assert list(tmp_path.iterdir()) == []


def test_an_account_file_is_private(opened, tmp_path):
    opened()

    assert {oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {"0o600"}


def test_another_accounts_file_is_refused(opened):
    opened(number="SIM-other")

    with pytest.raises(BrokerError, match="belongs to the account SIM-other, not to SIM-main"):
        opened()


def test_beginning_again_keeps_the_account_that_is_there(opened):
    opened(cash=500)

    assert opened(cash=900).account().cash == 500


def test_an_account_on_the_replay_clock_stands_until_it_is_told_a_time(opened, at):
    account = opened(replay=True)

    assert account.time(None, wall=at(20, 12)) == BEGAN
    assert account.time(at(2, 12), wall=at(20, 12)) == at(2, 12)
    with pytest.raises(UsageError, match="before the account's own time"):
        account.time(BEGAN - timedelta(seconds=1), wall=at(20, 12))


def test_an_account_on_the_machines_clock_follows_it_and_never_goes_back(opened, at):
    account = opened(replay=False)

    assert account.time(None, wall=at(1, 12)) == at(1, 12)
    with pytest.raises(UsageError, match="machine's clock says"):
        account.time(None, wall=BEGAN - timedelta(hours=1))
    with pytest.raises(UsageError, match="not on --now"):
        account.time(at(2, 12), wall=at(1, 12))
