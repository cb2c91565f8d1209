"""aitrader reconcile: our book and the account, and what to do when they differ."""

import json
import shutil
import sqlite3
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from aitrader.domain.events import BookAdjusted, Latch, OrderSending, Unlatched
from aitrader.journal.account import AccountKey, read_account
from aitrader.journal.database import DatabaseJournal

LIMITS = ("--set", "risk.max_position=40%", "--set", "risk.max_order_equity_share=40%")
OPEN = ("--now", "2013-08-08T09:36-04:00")
EVENING = ("--now", "2013-08-08T18:00-04:00")
WHY = ("--reason", "the statement of the broker")
NOON = datetime(2013, 8, 8, 16, 0, tzinfo=UTC)


def book(root):
    return root / "state" / "main"


def journal(root):
    return DatabaseJournal.open(book(root) / "journal.sqlite", account=read_account(book(root)))


def rows(root):
    with journal(root) as opened:
        return tuple(opened.events())


def held(root):
    """A symbol of the book, and how much of it is held."""
    from aitrader.journal.queries import replay

    position = next(iter(replay(rows(root)).positions.values()))
    return position.symbol, position.quantity


def invent(root, quantity="5"):
    """Let the journal believe in shares that the account does not have."""
    symbol, _ = held(root)
    with journal(root) as opened:
        opened.append(BookAdjusted(NOON, symbol, Decimal(quantity), Decimal(0), "a mistake"))
    return symbol


def damage(root):
    path = book(root) / "journal.sqlite"
    data = bytearray(path.read_bytes())
    data[100:4096] = b"\xff" * 3996
    path.write_bytes(bytes(data))


def test_a_book_that_equals_its_account_exits_0(run_cli, traded):
    ran = run_cli("reconcile", "--json", *EVENING, root=traded)

    assert ran.code == 0, ran.err
    result = ran.envelope["result"]
    assert result["agreed"] is True
    assert result["positions"] == 3


def test_looking_writes_nothing(run_cli, traded, files_in):
    invent(traded)
    before = {path: data for path, data in files_in(traded / "state").items() if "sqlite-" not in path.name}

    ran = run_cli("reconcile", *EVENING, root=traded)

    assert ran.code == 5
    after = {path: data for path, data in files_in(traded / "state").items() if "sqlite-" not in path.name}
    assert after == before


def test_a_difference_is_told_in_shares_and_words(run_cli, traded):
    symbol = invent(traded)

    ran = run_cli("reconcile", "--json", *EVENING, root=traded)

    (found,) = ran.envelope["result"]["differences"]
    assert (found["kind"], found["symbol"]) == ("position", symbol)
    assert Decimal(found["ours"]) - Decimal(found["theirs"]) == 5
    assert symbol in run_cli("reconcile", *EVENING, root=traded).out


def test_accepting_takes_the_account_s_word_with_the_reason(run_cli, traded):
    symbol = invent(traded)

    ran = run_cli("reconcile", "--accept", *WHY, "--json", *EVENING, root=traded)

    assert ran.code == 0, ran.err
    assert ran.envelope["result"]["agreed"] is True
    (row,) = [row for row in rows(traded) if isinstance(row, BookAdjusted) and row.reason == WHY[1]]
    assert (row.symbol, row.quantity, row.cash) == (symbol, -5, 0)
    assert run_cli("reconcile", *EVENING, root=traded).code == 0


def test_accepting_releases_what_was_held_back(run_cli, traded):
    symbol = invent(traded)
    assert run_cli("trade", *EVENING, *LIMITS, root=traded).code == 5

    ran = run_cli("reconcile", "--accept", *WHY, "--json", *EVENING, root=traded)

    assert ran.envelope["result"]["released"] == [symbol]
    assert run_cli("trade", *EVENING, *LIMITS, root=traded).code == 0


def test_accepting_where_all_agrees_changes_no_share(run_cli, traded):
    ran = run_cli("reconcile", "--accept", *WHY, *EVENING, root=traded)

    assert ran.code == 0
    assert not [row for row in rows(traded) if isinstance(row, BookAdjusted)]


@pytest.mark.parametrize("option", ["--accept", "--rebuild"])
def test_a_change_without_a_reason_is_refused(run_cli, traded, two_lines, option):
    two_lines(run_cli("reconcile", option, *EVENING, root=traded), 2, "why")


def test_accept_and_rebuild_exclude_each_other(run_cli, traded, two_lines):
    two_lines(run_cli("reconcile", "--accept", "--rebuild", *WHY, root=traded), 2, "--rebuild")


def test_a_sound_journal_is_not_rebuilt(run_cli, traded, two_lines):
    before = rows(traded)

    two_lines(run_cli("reconcile", "--rebuild", *WHY, *EVENING, root=traded), 2, "sound")

    assert rows(traded) == before


@pytest.mark.parametrize("lose", [damage, lambda root: (book(root) / "journal.sqlite").unlink()])
def test_a_lost_journal_is_rebuilt_from_the_account(run_cli, traded, two_lines, lose):
    symbol, quantity = held(traded)
    lose(traded)
    two_lines(run_cli("trade", *EVENING, *LIMITS, root=traded), 3, "journal.sqlite")

    ran = run_cli("reconcile", "--rebuild", *WHY, "--json", *EVENING, root=traded)

    assert ran.code == 0, ran.err
    assert ran.envelope["result"]["agreed"] is True
    assert held(traded) == (symbol, quantity)


def test_the_damaged_journal_is_kept_beside(run_cli, traded):
    damage(traded)
    lost = (book(traded) / "journal.sqlite").read_bytes()

    result = run_cli("reconcile", "--rebuild", *WHY, "--json", *EVENING, root=traded).envelope["result"]

    assert [(traded / path).read_bytes() for path in result["kept"] if path.endswith(".sqlite")] == [lost]


def test_a_rebuilt_book_trades_nothing_until_a_person_resumes(run_cli, traded, two_lines):
    (book(traded) / "journal.sqlite").unlink()
    run_cli("reconcile", "--rebuild", *WHY, *EVENING, root=traded)

    two_lines(run_cli("trade", *EVENING, *LIMITS, root=traded), 4, "HALT")


def test_a_rebuilt_book_does_not_send_the_same_decision_twice(run_cli, traded):
    (book(traded) / "journal.sqlite").unlink()
    assert run_cli("reconcile", "--rebuild", *WHY, *OPEN, root=traded).code == 0
    (book(traded) / "HALT").unlink()
    with journal(traded) as opened:
        opened.append(Unlatched(NOON, Latch.HALT, "looked at it"))

    ran = run_cli("trade", *OPEN, *LIMITS, root=traded)

    assert ran.code == 0, ran.err
    assert len([row for row in rows(traded) if isinstance(row, OrderSending)]) == 3
    assert run_cli("reconcile", *OPEN, root=traded).code == 0


def test_a_damaged_account_json_is_written_again(run_cli, traded):
    (book(traded) / "account.json").write_text("{")

    ran = run_cli("reconcile", "--rebuild", *WHY, "--json", *EVENING, root=traded)

    assert ran.code == 0, ran.err
    assert read_account(book(traded)).number == "SIM-main"
    assert any("account-" in path for path in ran.envelope["result"]["kept"])


def test_the_folder_of_another_book_is_not_touched(run_cli, traded, files_in, two_lines):
    shutil.copytree(book(traded), traded / "state" / "other")
    before = files_in(traded / "state" / "other")

    two_lines(run_cli("reconcile", "--rebuild", *WHY, "--book", "other", *EVENING, root=traded), 3, "main")

    assert {path: data for path, data in files_in(traded / "state" / "other").items() if path.name != "lock"} == {
        path: data for path, data in before.items() if path.name != "lock"
    }


def test_a_journal_of_another_account_is_rebuilt(run_cli, traded, two_lines):
    for path in book(traded).glob("journal.sqlite*"):
        path.unlink()
    foreign = AccountKey("main", "simulated", "", "SIM-somebody")
    with DatabaseJournal.open(book(traded) / "journal.sqlite", account=foreign, create=True) as opened:
        opened.append(BookAdjusted(NOON, None, Decimal(0), Decimal(7), "not ours"))
    two_lines(run_cli("trade", *EVENING, *LIMITS, root=traded), 3, "SIM-somebody")

    ran = run_cli("reconcile", "--rebuild", *WHY, "--json", *EVENING, root=traded)

    assert ran.code == 0, ran.err
    assert not [row for row in rows(traded) if isinstance(row, BookAdjusted) and row.reason == "not ours"]


def test_a_journal_of_a_newer_version_is_not_replaced(run_cli, traded, two_lines):
    with sqlite3.connect(book(traded) / "journal.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    two_lines(run_cli("reconcile", "--rebuild", *WHY, *EVENING, root=traded), 3, "9999")

    assert not list(book(traded).glob("journal-*"))


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_a_rebuild_that_breaks_off_can_be_run_again(run_cli, traded, monkeypatch, two_lines, failing):
    symbol, quantity = held(traded)
    damage(traded)
    real, calls = Path.rename, []

    def rename(self, target):
        calls.append(self)
        if len(calls) == failing:
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    two_lines(run_cli("reconcile", "--rebuild", *WHY, *EVENING, root=traded), 3, "Input/output error")
    monkeypatch.undo()

    assert run_cli("reconcile", "--rebuild", *WHY, *EVENING, root=traded).code == 0
    assert held(traded) == (symbol, quantity)


def test_without_an_account_nothing_is_rebuilt(run_cli, traded, two_lines):
    (book(traded) / "paper.sqlite").unlink()
    damage(traded)

    two_lines(run_cli("reconcile", "--rebuild", *WHY, *EVENING, root=traded), 5, "paper.sqlite")


FORCE = ("--rebuild", "--force", *WHY)
NEXT = ("--now", "2013-08-09T10:00-04:00")
LATER = ("--now", "2013-08-09T10:10-04:00")


@pytest.fixture
def older(run_cli, traded):
    """A root whose account file was put back to before the shutdown that its journal tells of."""
    kept = {path: path.read_bytes() for path in book(traded).glob("paper.sqlite*")}
    assert run_cli("emergency-shutdown", "--yes", *NEXT, root=traded).code == 0
    for path in book(traded).glob("paper.sqlite*"):
        path.unlink()
    for path, data in kept.items():
        path.write_bytes(data)
    return traded


@pytest.fixture
def other_shares(run_cli, traded):
    """A root with the account of another book of its name: the same orders with the same ids, of half the shares."""
    for path in book(traded).glob("paper.sqlite*"):
        path.unlink()
    aside = book(traded).with_name("aside")
    book(traded).rename(aside)
    halved = ("--set", "account.cash=50000")
    assert run_cli("trade", *OPEN, *LIMITS, *halved, root=traded).code == 0
    for path in aside.glob("*"):
        path.rename(book(traded) / path.name)
    return traded


def orders_of(root):
    from aitrader.brokers.account_file import PaperAccount
    from aitrader.config.schema import AccountSettings, Costs

    path, costs = book(root) / "paper.sqlite", Costs()
    settings = AccountSettings()
    with PaperAccount.open(path, settings, number="SIM-main", costs=costs, now=NOON, replay=True) as account:
        return [order.client_id for order in account.ledger()]


def resume(run_cli, root):
    assert run_cli("resume", "--account", "SIM-main", "--reason", "compared", root=root).code == 0


@pytest.mark.parametrize("command", ["reconcile", "trade"])
def test_an_account_older_than_its_journal_is_told_as_differences(run_cli, older, command):
    if command == "trade":
        resume(run_cli, older)

    ran = run_cli(command, *LATER, *(LIMITS if command == "trade" else ()), "--json", root=older)

    assert ran.code == 5
    told = {"reconcile": "and the account has no such fill", "trade": "Book and account do not agree"}[command]
    assert told in ran.out + ran.err
    assert "Read all fills" not in ran.out + ran.err
    assert len(orders_of(older)) == 3


def test_status_of_an_account_older_than_its_journal_is_not_reconciled(run_cli, older):
    ran = run_cli("status", *LATER, root=older)

    assert ran.code == 5
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("case", ["older", "other_shares"])
def test_other_fills_cannot_be_accepted(run_cli, two_lines, request, case):
    root = request.getfixturevalue(case)
    adjusted = [row for row in rows(root) if isinstance(row, BookAdjusted)]

    ran = run_cli("reconcile", "--accept", *WHY, *LATER, root=root)

    two_lines(ran, 5, "cannot be accepted")
    assert "--rebuild --force" in ran.err
    assert [row for row in rows(root) if isinstance(row, BookAdjusted)] == adjusted


@pytest.mark.parametrize("case", ["older", "other_shares"])
def test_a_forced_rebuild_ends_it_and_the_book_trades_on(run_cli, request, case):
    root = request.getfixturevalue(case)
    spent = {row.order.client_id for row in rows(root) if isinstance(row, OrderSending)}
    known = orders_of(root)

    ran = run_cli("reconcile", *FORCE, *LATER, "--json", root=root)

    assert ran.code == 0, ran.out
    assert any(path.endswith(".sqlite") for path in ran.envelope["result"]["kept"])
    assert {row.order.client_id for row in rows(root) if isinstance(row, OrderSending)} >= spent
    assert run_cli("reconcile", *LATER, root=root).code == 0
    resume(run_cli, root)
    daily = ("--set", "strategies.top.rebalance=1", *LIMITS)
    ran = run_cli("trade", "--allow-rejected", *LATER, *daily, "--json", root=root)
    assert ran.code == 0, ran.err
    assert ran.envelope["result"]["sent"] > 0
    assert not spent & set(orders_of(root)[len(known) :])
    assert run_cli("reconcile", *LATER, root=root).code == 0
    assert run_cli("status", *LATER, root=root).code == 0


def test_a_forced_rebuild_in_the_window_of_a_decision_sends_nothing_twice(run_cli, traded):
    before = orders_of(traded)
    assert run_cli("reconcile", *FORCE, *OPEN, root=traded).code == 0
    resume(run_cli, traded)

    ran = run_cli("trade", *OPEN, *LIMITS, "--json", root=traded)

    assert (ran.code, ran.envelope["result"]["sent"]) == (0, 0)
    assert orders_of(traded) == before


def test_after_a_forced_rebuild_a_shutdown_closes_under_new_ids(run_cli, older):
    spent = {row.order.client_id for row in rows(older) if isinstance(row, OrderSending)}
    assert run_cli("reconcile", *FORCE, *LATER, root=older).code == 0

    assert run_cli("emergency-shutdown", "--yes", *LATER, root=older).code == 0

    assert len(orders_of(older)) == 6
    assert not spent & set(orders_of(older)[3:])
    assert run_cli("reconcile", *LATER, root=older).code == 0


def test_force_belongs_to_rebuild(run_cli, traded, two_lines):
    two_lines(run_cli("reconcile", "--accept", "--force", *WHY, root=traded), 2, "--rebuild")


def test_a_change_leaves_a_receipt(run_cli, traded):
    invent(traded)

    result = run_cli("reconcile", "--accept", *WHY, "--json", *EVENING, root=traded).envelope["result"]

    receipt = json.loads((traded / result["receipt"]).read_text())
    assert receipt["arguments"]["reason"] == WHY[1]


def test_without_a_book_there_is_nothing_to_compare(run_cli, trained, two_lines):
    two_lines(run_cli("reconcile", root=trained), 2, "no book")
    two_lines(run_cli("reconcile", "--rebuild", *WHY, root=trained), 2, "no book")
