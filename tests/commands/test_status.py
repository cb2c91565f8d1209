"""aitrader status: exit code 0 only if every book is well."""

import json
import shutil
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from aitrader.domain.events import BookAdjusted, RunStarted
from aitrader.journal.account import read_account
from aitrader.journal.database import DatabaseJournal

OPEN = ("--now", "2013-08-08T09:36-04:00")
EVENING = ("status", "--now", "2013-08-08T18:00-04:00")


def folder(root, book="main"):
    return root / "state" / book


def write(root, event):
    path = folder(root) / "journal.sqlite"
    with DatabaseJournal.open(path, account=read_account(folder(root))) as journal:
        journal.append(event)


@pytest.fixture
def book(even_book):
    return even_book


def shown(ran, number=0):
    return ran.envelope["result"]["books"][number]


def test_a_fresh_book_that_agrees_and_traded_is_well(run_cli, book, files_in):
    before = files_in(folder(book))

    ran = run_cli(*EVENING, "--json", root=book)

    assert (ran.code, ran.envelope["status"], ran.envelope["warnings"]) == (0, "done", []), ran.err
    one = shown(ran)
    assert (one["account"], one["session"], one["bars"]) == ("SIM-main", "2013-08-08", "2013-08-08")
    assert (one["next_session"], one["positions"], one["open_orders"]) == ("2013-08-15", 12, 0)
    assert (one["differences"], one["unwell"], one["latches"]) == ([], [], [])
    assert one["last_trade"]["status"] == "done"
    assert files_in(folder(book)) == before


def test_a_run_that_was_skipped_with_a_reason_is_well_too(run_cli, book):
    assert run_cli("trade", "--now", "2013-08-08T11:00-04:00", root=book).code == 0

    ran = run_cli(*EVENING, root=book)

    assert ran.code == 0, ran.err
    assert "skipped: the decision on the bars of 2013-08-07 has left before" in ran.out


def test_without_a_book_it_is_not_well(run_cli, two_lines, even_root):
    two_lines(run_cli(*EVENING, root=even_root), 4, "There is no book yet")


@pytest.mark.parametrize("latch", ["HALT", "HALT_ENTRIES"])
def test_a_latch_is_4(run_cli, book, latch):
    (book / "state" / latch).touch()

    ran = run_cli(*EVENING, "--json", root=book)

    assert (ran.code, ran.envelope["status"]) == (4, "refused")
    assert shown(ran)["latches"] == [latch]
    assert f"main: {latch} is shut" in ran.err


def test_a_latch_says_when_and_why_it_shut(run_cli, book):
    assert run_cli("halt", "--reason", "the feed looks wrong", root=book).code == 0

    (problem, *_) = run_cli(*EVENING, "--json", root=book).envelope["result"]["books"][0]["unwell"]

    assert problem.startswith("HALT_ENTRIES is shut since ")
    assert problem.endswith("(operator): the feed looks wrong")


def test_a_latch_of_the_environment_is_4(run_cli, book, monkeypatch):
    monkeypatch.setenv("AITRADER_HALT", "1")

    assert run_cli(*EVENING, root=book).code == 4


def test_bars_that_are_not_there_yet_are_4(run_cli, book):
    ran = run_cli("status", "--now", "2013-08-12T18:00-04:00", root=book)

    assert ran.code == 4
    assert "the newest bars are of 2013-08-09, those of 2013-08-12 should be there" in ran.err


def test_a_missed_window_is_4_even_if_nobody_ran_trade(run_cli, even_root):
    assert run_cli("trade", "--now", "2013-08-07T10:00-04:00", root=even_root).code == 0

    early = run_cli("status", "--now", "2013-08-08T12:00-04:00", root=even_root)
    late = run_cli(*EVENING, root=even_root)

    assert early.code == 0, early.err
    assert late.code == 4
    assert "window_missed: the decision on the bars of 2013-08-07 was to enter on 2013-08-08, and did not" in late.err


def test_a_trade_that_failed_is_4_until_one_succeeds(run_cli, book):
    failed = run_cli("trade", "--now", "2013-08-15T09:36-04:00", root=book)

    ran = run_cli("status", root=book)

    assert (failed.code, ran.code) == (4, 4)
    assert "the last `aitrader trade` (2013-08-15 13:36 UTC) ended with 4: Nothing new is entered" in ran.err


def test_right_after_a_trade_the_next_decision_is_the_one_that_has_not_left(run_cli, book):
    ran = run_cli("status", *OPEN, "--json", root=book)

    assert (shown(ran)["bars"], shown(ran)["next_session"]) == ("2013-08-07", "2013-08-15")


def test_before_its_window_and_in_it_the_next_decision_is_the_one_that_is_due(run_cli, even_root):
    assert run_cli("trade", "--now", "2013-08-07T18:00-04:00", root=even_root).code == 0

    told = [
        shown(run_cli("status", "--now", now, "--json", root=even_root))["next_session"]
        for now in ("2013-08-08T09:00-04:00", "2013-08-08T15:54-04:00", "2013-08-08T15:55-04:00")
    ]

    assert told == ["2013-08-08", "2013-08-08", "2013-08-15"]


def test_after_resume_the_problem_says_what_to_do(run_cli, book):
    assert run_cli("halt", root=book).code == 0
    (book / "state/HALT").touch()
    assert run_cli("trade", "--now", "2013-08-09T10:00-04:00", root=book).code == 4
    assert run_cli("resume", "--account", "SIM-main", root=book).code == 0

    ran = run_cli("status", root=book)

    assert ran.code == 4
    assert ran.err.count("\n") == 1
    assert "ended with 4: HALT is shut: no order leaves; run `aitrader trade` again" in ran.err


def test_what_does_not_agree_is_said_once_and_the_first_of_many_are_named(run_cli, book):
    at = datetime(2013, 8, 8, 20, tzinfo=UTC)
    for symbol in json.loads(run_cli("positions", "--json", root=book).out)["result"]["positions"][:6]:
        write(book, BookAdjusted(at, symbol["symbol"], Decimal(1), Decimal(0), "invented"))
    write(book, BookAdjusted(at, None, Decimal(0), Decimal(-500), "invented"))
    assert run_cli("trade", "--now", "2013-08-08T18:00-04:00", root=book).code == 5

    ran = run_cli(*EVENING, root=book)

    said = [line.removeprefix("warning: main: ") for line in ran.err.splitlines()]
    assert ran.code == 5
    assert said[2] == "and 5 more"
    assert len(said) == 4
    assert said[3].endswith("ended with 5: Book and account do not agree; run `aitrader trade` again")
    assert "USD/USD" not in ran.err + ran.out
    assert said[0].split(":")[0] not in ran.out


def test_a_trade_that_never_ended_is_4(run_cli, book):
    write(book, RunStarted(datetime(2013, 8, 8, 20, tzinfo=UTC), "killed", "trade", "c0ffee", 1))

    ran = run_cli(*EVENING, root=book)

    assert ran.code == 4
    assert "has not ended" in ran.err


def test_a_book_that_does_not_agree_is_5_even_under_halt(run_cli, book):
    invented = BookAdjusted(datetime(2013, 8, 8, 20, tzinfo=UTC), None, Decimal(0), Decimal(-500), "invented")
    write(book, invented)
    (book / "state/HALT").touch()

    ran = run_cli(*EVENING, "--json", root=book)

    assert (ran.code, ran.envelope["status"]) == (5, "failed")
    assert any("cash" in text for text in shown(ran)["differences"])


@pytest.mark.parametrize("name", ["journal.sqlite", "paper.sqlite", "account.json"])
def test_a_book_that_cannot_be_read_is_5(run_cli, book, name):
    path = folder(book) / name
    path.write_bytes(path.read_bytes()[:10])

    ran = run_cli(*EVENING, "--json", root=book)

    assert ran.code == 5
    assert name in shown(ran)["unwell"][0]


def test_every_book_is_looked_at_unless_one_is_named(run_cli, book):
    assert run_cli("trade", "--book", "other", *OPEN, root=book).code == 0
    (folder(book, "other") / "HALT").touch()

    both = run_cli(*EVENING, "--json", root=book)
    one = run_cli(*EVENING, "--book", "main", root=book)

    assert (both.code, one.code) == (4, 0)
    assert [shown(both, number)["book"] for number in (0, 1)] == ["main", "other"]
    assert not [text for text in both.envelope["warnings"] if text.startswith("main")]


def test_a_clock_before_the_accounts_own_time_is_2(run_cli, two_lines, book):
    two_lines(run_cli("status", "--now", "2013-08-08T09:00-04:00", root=book), 2, "before the account's own time")


def test_without_a_lake_nothing_can_be_compared(run_cli, book):
    shutil.rmtree(book / "data_lake")

    assert run_cli(*EVENING, root=book).code == 5


class TestOrders:
    """aitrader orders: what was planned, whether it left, and what became of it."""

    def test_those_of_the_newest_decision_and_open_ones_are_shown(self, run_cli, even_root, files_in):
        daily = ("--set", "strategies.even.rebalance=1", "--set", "portfolio.no_trade_band=0%")
        assert run_cli("trade", *OPEN, *daily, root=even_root).code == 0
        assert run_cli("trade", "--now", "2013-08-09T09:36-04:00", *daily, root=even_root).code == 0
        before = files_in(folder(even_root))

        newest = run_cli("orders", "--json", root=even_root)
        everything = run_cli("orders", "--all", "--json", root=even_root)

        assert newest.code == 0, newest.err
        assert {line["decision"] for line in newest.envelope["result"]["orders"]} == {"20130808"}
        assert {line["decision"] for line in everything.envelope["result"]["orders"]} == {"20130807", "20130808"}
        assert files_in(folder(even_root)) == before

    def test_a_refused_order_says_which_limit(self, run_cli, even_root):
        run_cli("trade", *OPEN, "--set", "risk.max_order_qty=160", root=even_root)

        ran = run_cli("orders", root=even_root)

        assert ran.code == 0, ran.err
        assert "refused" in ran.out
        assert "max_order_qty" in ran.out

    def test_orders_whose_answers_were_lost_are_found_and_stand_there_once(self, run_cli, even_root):
        late = ("--set", "account.faults={seed: 1, rate: 100%, kinds: [delay]}", "--set", "risk.max_unknown_orders=99")
        traded = run_cli("trade", *OPEN, *late, root=even_root)

        ran = run_cli("orders", "--json", root=even_root)

        assert traded.code == 0, traded.err
        assert [line["status"] for line in ran.envelope["result"]["orders"]] == ["filled"] * 12

    def test_without_a_book_it_is_a_usage_error(self, run_cli, two_lines, even_root):
        two_lines(run_cli("orders", root=even_root), 2, "There is no book")
        two_lines(run_cli("positions", root=even_root), 2, "There is no book")


class TestPositions:
    """aitrader positions: what a book holds, beside its account."""

    def test_each_position_is_valued_at_the_middle_of_its_quote(self, run_cli, book):
        ran = run_cli("positions", "--now", "2013-08-08T18:00-04:00", "--json", root=book)

        assert ran.code == 0, ran.err
        result = ran.envelope["result"]
        assert len(result["positions"]) == 12
        value = sum(float(line["value"]) for line in result["positions"])
        assert value + float(result["cash"]) == pytest.approx(float(result["equity"]), abs=0.05)
        assert result["cash"] == result["account_cash"]
        for line in result["positions"]:
            assert line["quantity"] == line["account_quantity"]
            gain = float(line["price"]) / float(line["average_cost"]) - 1
            assert line["gain"] == pytest.approx(gain)
            assert line["weight"] == pytest.approx(float(line["value"]) / float(result["equity"]))

    def test_what_the_account_does_not_have_is_told(self, run_cli, book):
        symbol = json.loads(run_cli("positions", "--json", root=book).out)["result"]["positions"][0]["symbol"]
        write(book, BookAdjusted(datetime(2013, 8, 8, 20, tzinfo=UTC), symbol, Decimal(7), Decimal(0), "invented"))

        ran = run_cli("positions", "--json", root=book)

        line = next(one for one in ran.envelope["result"]["positions"] if one["symbol"] == symbol)
        assert Decimal(line["quantity"]) - Decimal(line["account_quantity"]) == 7
        assert line["held"]
        assert any(symbol in text for text in ran.envelope["warnings"])
