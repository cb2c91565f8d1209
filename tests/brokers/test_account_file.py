"""The paper account's file: what it keeps, what it refuses, and its two clocks."""

import json
import os
import random
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from threading import Event

import pytest

from aitrader.brokers.account_file import PaperAccount
from aitrader.config.schema import AccountSettings, Costs
from aitrader.domain.orders import Accepted, Entry, NotFound, OrderStatus, Refused, Unknown
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
        with suppress(BrokerError):  # another thread's has been closed there
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


def test_telling_the_same_again_writes_nothing(opened, venue_of, approve_order, at, tmp_path):
    venue, account = venue_of({"A": (20.0, 22.0)}), opened()
    account.advance(venue, at(0, 15))
    account.submit(approve_order("A", 100))
    account.advance(venue, at(0, 16))
    account.close()
    before = (tmp_path / "paper.sqlite").read_bytes()

    for _ in range(3):
        with opened(create=False) as again:
            again.advance(venue, at(0, 16))

    assert (tmp_path / "paper.sqlite").read_bytes() == before


def test_a_time_with_an_offset_becomes_utc(opened, at):
    here = timezone(timedelta(hours=-4))
    account = opened(now=datetime(2026, 1, 5, 8, tzinfo=here))

    assert account.at == at(0, 12)
    assert account.time(datetime(2026, 1, 5, 9, tzinfo=here), wall=at(9, 9)).isoformat() == "2026-01-05T13:00:00+00:00"


def test_two_processes_see_each_others_orders(opened, venue_of, approve_order, at):
    one, other = opened(), opened()
    one.advance(venue_of({"A": 20.0}), at(0, 15))

    assert isinstance(other.submit(approve_order("A", 100)), Accepted)

    assert one.submit(approve_order("A", 100)) == Refused("duplicate_client_id", "client_order_id must be unique")
    assert one.account().cash == other.account().cash == 8_000


def test_a_reader_beside_a_writer_sees_one_instant(opened, venue_of, approve_order, at):
    opened().advance(venue_of({"A": 20.0}), at(0, 15))
    seen, done = [], Event()

    def read():
        with opened(create=False) as account:
            while not done.is_set():
                seen.append((len(account.orders()), account.account().equity))

    with ThreadPoolExecutor() as pool:
        reader = pool.submit(read)
        with opened(create=False) as account:
            for number in range(40):
                account.submit(approve_order("A", 1, decision=f"d{number}"))
        done.set()
        reader.result()

    counts = [count for count, _ in seen]
    assert counts == sorted(counts)
    assert {equity for _, equity in seen} == {10_000}


def test_two_writers_wait_for_each_other(opened, venue_of, approve_order, at):
    opened().advance(venue_of({"A": 20.0}), at(0, 15))

    def send(name):
        with opened(create=False) as account:
            return [account.submit(approve_order("A", 1, decision=f"{name}{number}")) for number in range(15)]

    with ThreadPoolExecutor() as pool:
        outcomes = [one for sent in pool.map(send, ["x", "y"]) for one in sent]

    assert {type(outcome) for outcome in outcomes} == {Accepted}
    assert len({outcome.broker_id for outcome in outcomes}) == 30
    assert opened().account().cash == 10_000 - 30 * 20


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


def everything(account):
    return account.account(), dict(account.positions()), account.orders(), account.fills(), account.market(["A", "B"])


@pytest.fixture
def busy(opened, venue_of, approve_order, at):
    """A closed account with a position, an open order and a running session; and the venue it was played on."""
    venue = venue_of({"A": (20.0, 22.0), "B": 10.0}, {"A": 21.0, "B": 11.0})
    account = opened()
    account.advance(venue, at(0, 15))
    account.submit(approve_order("A", 100))
    account.advance(venue, at(1, 15))
    account.submit(approve_order("B", 50, entry=Entry.CLOSE_AUCTION))
    account.close()
    return venue


@pytest.mark.parametrize("damage", ["flip", "zero", "cut"])
def test_a_damaged_file_is_an_error_and_never_a_number(busy, opened, tmp_path, damage):
    path, dice = tmp_path / "paper.sqlite", random.Random(damage)
    whole = path.read_bytes()
    with opened(create=False) as account:
        right = everything(account)
    errors = 0

    for _ in range(60):
        at, told = dice.randrange(len(whole)), bytearray(whole)
        if damage == "flip":
            told[at] ^= 1 << dice.randrange(8)
        elif damage == "zero":
            told[at : at + 512] = bytes(len(told[at : at + 512]))
        path.write_bytes(told[:at] if damage == "cut" else told)
        try:
            with opened(create=False) as account:
                assert everything(account) == right
        except BrokerError as error:
            errors += 1
            assert error.fix

    assert errors > 3


@pytest.mark.parametrize("text", [b"", b"not a database", b"SQLite format 3\x00" + bytes(100)])
def test_a_file_that_holds_no_account_is_not_made_one(opened, tmp_path, text):
    (tmp_path / "paper.sqlite").write_bytes(text)

    with pytest.raises(BrokerError, match=r"paper\.sqlite"):
        opened(create=False)

    assert (tmp_path / "paper.sqlite").read_bytes() == text


@pytest.mark.parametrize(("version", "cure"), [(9, "or a newer one"), (1, "begin another book")])
def test_a_file_of_another_version_is_left_alone(busy, opened, tmp_path, version, cure):
    with sqlite3.connect(tmp_path / "paper.sqlite") as other:
        other.execute(f"PRAGMA user_version = {version}")
    other.close()

    with pytest.raises(BrokerError, match=f"has version {version}; this program knows 2") as refused:
        opened()

    assert cure in refused.value.fix


def test_a_file_of_this_version_in_other_words_is_refused(busy, opened, tmp_path):
    """A standing without ``acted``, as an older program wrote it, sealed with its own hash."""
    with sqlite3.connect(tmp_path / "paper.sqlite") as other:
        chain, count = other.execute("SELECT chain, seq FROM rows ORDER BY seq DESC LIMIT 1").fetchone()
        (venue,) = other.execute("SELECT body FROM venue").fetchone()
        (body,) = other.execute("SELECT body FROM standing").fetchone()
        body = json.dumps({name: value for name, value in json.loads(body).items() if name != "acted"})
        digest = sha256("\x1f".join([chain, str(count), venue, body]).encode()).hexdigest()
        other.execute("UPDATE standing SET body = ?, digest = ?", (body, digest))
    other.close()

    with pytest.raises(BrokerError, match="cannot read: KeyError"):
        opened()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("""UPDATE rows SET body = replace(body, '"100"', '"900"')""", "row 2"),
        ("DELETE FROM rows WHERE seq = 2", "row 2"),
        ("DELETE FROM rows WHERE seq = (SELECT max(seq) FROM rows)", "its last state"),
        ("UPDATE standing SET body = replace(body, '21.0', '91.0')", "its last state"),
        ("UPDATE venue SET body = replace(body, '21.0', '91.0')", "its last state"),
        ("UPDATE account SET body = replace(body, '10000', '90000')", "row 1"),
    ],
)
def test_what_was_changed_by_hand_is_damage(busy, opened, tmp_path, change, what):
    with sqlite3.connect(tmp_path / "paper.sqlite") as other:
        assert other.execute(change).rowcount > 0
    other.close()

    with pytest.raises(BrokerError, match=f"is damaged: {what} is not what was written"):
        opened(create=False)


def test_a_full_disk_leaves_the_order_unknown_and_the_account_as_it_was(busy, opened, approve_order):
    account = opened(create=False)
    before = everything(account)
    pages = account._file._db.exec_driver_sql("PRAGMA page_count").scalar_one()
    account._file._db.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    outcomes = [account.submit(approve_order("A", 1, decision=f"d{number}")) for number in range(5, 40)]

    failed = [outcome for outcome in outcomes if isinstance(outcome, Unknown)]
    assert failed and "full" in failed[-1].reason
    assert isinstance(account.find("at-main-d39-top5-A-buy-e-1"), NotFound)
    assert len(account.orders()) == len(before[2]) + len(outcomes) - len(failed)
    account._file._db.exec_driver_sql("PRAGMA max_page_count = 100000")
    assert isinstance(account.submit(approve_order("A", 1, decision="d39")), Accepted)
    assert everything(opened(create=False)) == everything(account)


def test_an_interruption_while_sessions_are_played_leaves_the_account_as_it_was(busy, opened, at):
    class Interrupted:
        def sessions(self, after, now):
            yield from busy.sessions(after, now)
            raise KeyboardInterrupt

    account = opened(create=False)
    before = everything(account)

    with pytest.raises(KeyboardInterrupt):
        account.advance(Interrupted(), at(1, 22))

    assert everything(account) == before
    assert account.at == at(1, 15)
    account.advance(busy, at(1, 22))
    assert {symbol: p.quantity for symbol, p in account.positions().items()} == {"A": 100, "B": 50}


def test_an_interruption_between_two_writes_leaves_the_account_as_it_was(busy, opened, at, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    account = opened(create=False)
    before = everything(account)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(account._file, "_put", interrupt)
        account.advance(busy, at(1, 22))

    assert everything(account) == before
    assert everything(opened(create=False)) == before


def test_a_process_that_is_killed_leaves_the_account_as_it_was_before_or_as_it_is_after(tmp_path):
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("crashing.py"), tmp_path],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )

    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["deed"] for one in found] == ["begin", "advance", "submit", "cancel"]
    for one in found:
        assert one["kills"] >= 10
        assert one["otherwise"] == 0
        assert one["same_end"]
        assert one["deed"] == "begin" or one["before"] > 0 < one["after"]
