"""aitrader trade: one decision for cron, whatever happens around it."""

import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from aitrader.config.load import load
from aitrader.disk.lock import locked
from aitrader.domain.clock import fixed_clock
from aitrader.domain.events import (
    ActionBooked,
    BookValued,
    DecisionMade,
    DecisionRefused,
    FillBooked,
    Latch,
    Latched,
    OrderOutcome,
    OrderRefused,
    OrderSending,
    RunEnded,
    SessionOpened,
    SymbolHeld,
)
from aitrader.domain.frames import ACTIONS
from aitrader.jobs.assembly.book import Visit
from aitrader.jobs.trade import Asked, trade
from aitrader.journal.account import AccountKey, read_account, write_account
from aitrader.journal.database import DatabaseJournal
from aitrader.journal.queries import of_kind
from aitrader.lake.store import Lake

OPEN = ("trade", "--now", "2013-08-08T09:36-04:00")
FIRST = ("trade", "--now", "2013-08-01T09:36-04:00")
LIMITS = ("--set", "risk.max_position=40%", "--set", "risk.max_order_equity_share=40%")


def folder(root):
    return root / "state" / "main"


def rows(root, kind=None):
    with DatabaseJournal.open(folder(root) / "journal.sqlite", account=read_account(folder(root))) as journal:
        events = tuple(journal.events())
    return events if kind is None else of_kind(events, kind)


def sent(root):
    return [row.order.client_id for row in rows(root, OrderSending)]


def last_run(root):
    return rows(root, RunEnded)[-1]


def test_a_decision_on_the_bars_of_the_day_before_is_filled_at_the_open(run_cli, even_root):
    ran = run_cli(*OPEN, "--json", root=even_root)

    assert ran.code == 0, ran.err
    result = ran.envelope["result"]
    assert (result["last"], result["session"], result["account"]) == ("2013-08-07", "2013-08-08", "SIM-main")
    assert (ran.envelope["status"], result["sent"], result["fills"]) == ("done", 12, 12)
    assert {line["status"] for line in result["orders"]} == {"filled"}
    assert [line["client_id"] for line in result["orders"]] == sent(even_root)
    opens = {row["symbol"]: row["open"] for row in bars_of(even_root, date(2013, 8, 8)).iter_rows(named=True)}
    for row in rows(even_root, FillBooked):
        assert float(row.fill.price) == pytest.approx(opens[row.fill.symbol] * 1.0005, rel=1e-3)
    assert last_run(even_root).status == "done"


def bars_of(root, session):
    from aitrader.lake.store import Lake

    with Lake.open(root / "data_lake") as lake:
        return lake.snapshot().bars(start=session, end=session)


def test_the_same_command_again_sends_nothing_and_says_so(run_cli, even_root):
    run_cli(*OPEN, root=even_root)
    before = sent(even_root)

    again = run_cli(*OPEN, "--json", root=even_root)

    assert (again.code, again.envelope["status"]) == (0, "skipped")
    assert "left before: 12 orders, none sent again" in again.envelope["result"]["reason"]
    assert sent(even_root) == before
    assert len(rows(even_root, DecisionMade)) == 1


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ("2013-08-07T18:00-04:00", "the next decision enters on 2013-08-08 from 13:35 to 19:55 UTC"),
        ("2013-08-08T09:34:59-04:00", "the next decision enters on 2013-08-08 from 13:35"),
        ("2013-08-06T11:00-04:00", "the next decision enters on 2013-08-08 from 13:35"),
        ("2013-08-09T11:00-04:00", "the next decision enters on 2013-08-15 from 13:35"),
        ("2013-08-10T12:00-04:00", "the next decision enters on 2013-08-15 from 13:35"),
    ],
)
def test_before_the_window_nothing_is_sent_and_the_due_time_is_named(run_cli, even_root, now, words):
    ran = run_cli("trade", "--now", now, "--json", root=even_root)

    assert (ran.code, ran.envelope["status"]) == (0, "skipped"), ran.err
    assert words in ran.envelope["result"]["reason"]
    assert sent(even_root) == []
    assert last_run(even_root).status == "skipped"


def test_bars_that_end_long_ago_are_told_even_where_nothing_is_due(run_cli, even_root):
    ran = run_cli("trade", "--now", "2014-08-09T12:00-04:00", "--json", root=even_root)

    assert (ran.code, ran.envelope["status"]) == (0, "skipped"), ran.err
    (told,) = [text for text in ran.envelope["warnings"] if "newest bars" in text]
    assert told.startswith("the newest bars are of 2013-08-09, those of 2014-08-08 should be there")


@pytest.mark.parametrize("now", ["2013-08-08T15:55-04:00", "2013-08-08T16:10-04:00"])
def test_after_the_window_a_decision_that_did_not_leave_is_missed(run_cli, two_lines, even_root, now):
    ran = run_cli("trade", "--now", now, root=even_root)

    two_lines(ran, 4, "window_missed", "2013-08-07")
    assert "2013-08-15 from 13:35" in ran.err
    assert sent(even_root) == []
    assert (last_run(even_root).status, last_run(even_root).exit_code) == ("refused", 4)


def test_a_window_that_went_by_between_two_runs_is_told_that_evening(run_cli, two_lines, even_root):
    assert run_cli("trade", "--now", "2013-08-06T10:00-04:00", root=even_root).code == 0

    evening = run_cli("trade", "--now", "2013-08-08T18:00-04:00", root=even_root)
    again = run_cli("trade", "--now", "2013-08-08T18:05-04:00", root=even_root)
    next_day = run_cli("trade", "--now", "2013-08-09T10:00-04:00", root=even_root)

    two_lines(evening, 4, "window_missed", "entered on 2013-08-08")
    two_lines(again, 4, "window_missed")
    assert next_day.code == 0, next_day.err


def test_a_window_that_went_by_unseen_is_told_by_the_next_run(run_cli, two_lines, even_root):
    assert run_cli("trade", "--now", "2013-08-06T10:00-04:00", root=even_root).code == 0

    next_day = run_cli("trade", "--now", "2013-08-09T10:00-04:00", root=even_root)
    after_it = run_cli("trade", "--now", "2013-08-09T10:05-04:00", root=even_root)

    two_lines(next_day, 4, "window_missed", "entered on 2013-08-08")
    assert after_it.code == 0, after_it.err


def test_a_book_that_begins_in_the_evening_has_missed_nothing(run_cli, even_root):
    for now in ("2013-08-08T18:00-04:00", "2013-08-08T18:05-04:00"):
        assert run_cli("trade", "--now", now, root=even_root).code == 0


def test_a_traded_window_is_not_missed_afterwards(run_cli, even_root):
    run_cli(*OPEN, root=even_root)

    ran = run_cli("trade", "--now", "2013-08-08T16:10-04:00", "--json", root=even_root)

    assert (ran.code, ran.envelope["status"]) == (0, "skipped"), ran.err


def test_sessions_without_a_run_are_booked_one_by_one(run_cli, even_root):
    run_cli(*FIRST, root=even_root)

    ran = run_cli(*OPEN, root=even_root)

    assert ran.code == 0, ran.err
    days = [date(2013, 8, day) for day in (1, 2, 5, 6, 7, 8)]
    assert [row.session for row in rows(even_root, SessionOpened)] == days
    assert [row.session for row in rows(even_root, BookValued)] == [date(2013, 7, 31), *days[:-1]]


def test_stale_bars_decide_nothing(run_cli, two_lines, even_root):
    ran = run_cli("trade", "--now", "2013-08-15T09:36-04:00", root=even_root)

    two_lines(ran, 4, "the newest bars are of 2013-08-09, 3 sessions before 2013-08-14".replace("the newest", "newest"))
    assert "aitrader backfill" in ran.err
    assert sent(even_root) == []
    assert [row.decision for row in rows(even_root, DecisionRefused)] == ["20130814"]


def test_too_many_symbols_without_the_last_bar_decide_nothing(
    run_cli, two_lines, bare_root, write_settings, made_bars, store_bars, even_root
):
    shutil.rmtree(even_root / "data_lake")
    bars = made_bars(sessions=40)
    store_bars(even_root, bars.filter((pl.col("symbol") != "S03") | (pl.col("session") != date(2013, 8, 7))))

    ran = run_cli(*OPEN, root=even_root)

    two_lines(ran, 4, "1 of 12 symbols have no bar of 2013-08-07: S03")
    assert sent(even_root) == []


def test_a_held_symbol_without_the_last_bar_is_enough(run_cli, two_lines, made_bars, store_bars, even_root):
    shutil.rmtree(even_root / "data_lake")
    bars = made_bars(sessions=40)
    store_bars(even_root, bars.filter((pl.col("symbol") != "S03") | (pl.col("session") != date(2013, 8, 7))))
    assert run_cli(*FIRST, root=even_root).code == 0

    ran = run_cli(*OPEN, "--set", "data.min_coverage=50%", root=even_root)

    two_lines(ran, 4, "everything that is held must have one")


class TestModels:
    """A model that may not decide: the book is brought up to date, nothing new is entered, exit code 4."""

    @pytest.fixture
    def book(self, trained, run_cli):
        assert run_cli(*FIRST, *LIMITS, root=trained).code == 0
        return trained

    def refused(self, root, before):
        assert sent(root) == before
        assert rows(root, DecisionRefused)[-1].decision == "20130807"
        assert rows(root, BookValued)[-1].session == date(2013, 8, 7)
        assert last_run(root).exit_code == 4

    def test_a_rejected_model_decides_nothing_without_being_allowed(self, run_cli, two_lines, root):
        settings = (*LIMITS, "--set", "training.gate.min_rank_ic_lower=1")
        assert run_cli("train", "--end", "2013-07-26", *settings, root=root).code == 3

        ran = run_cli(*OPEN, *settings, root=root)
        allowed = run_cli(*OPEN, *settings, "--allow-rejected", "--json", root=root)

        two_lines(ran, 4, "Nothing new is entered", "line")
        assert allowed.code == 0, allowed.err
        assert allowed.envelope["result"]["models"][0]["status"] == "rejected"

    def test_a_model_that_is_too_old(self, run_cli, two_lines, book):
        before = sent(book)

        ran = run_cli(*OPEN, *LIMITS, "--set", "risk.max_model_sessions_old=5", root=book)

        two_lines(ran, 4, "Nothing new is entered", "line")
        self.refused(book, before)

    def test_a_damaged_model(self, run_cli, two_lines, book):
        before = sent(book)
        for path in (book / "data_lake/models/line").rglob("model.*"):
            path.write_bytes(path.read_bytes()[:-20] + b"x" * 20)

        ran = run_cli(*OPEN, *LIMITS, root=book)

        two_lines(ran, 4, "Nothing new is entered", "line")
        self.refused(book, before)

    def test_no_model_at_all(self, run_cli, two_lines, book):
        before = sent(book)
        shutil.rmtree(book / "data_lake/models/line")

        ran = run_cli(*OPEN, *LIMITS, root=book)

        two_lines(ran, 4, "Nothing new is entered", "line")
        self.refused(book, before)


class TestLatches:
    """HALT is looked at first; HALT_ENTRIES lets exits leave."""

    @pytest.mark.parametrize("place", ["book", "all books", "environment", "journal"])
    @pytest.mark.parametrize("now", [OPEN, ("trade", "--now", "2013-08-07T18:00-04:00")])
    def test_under_halt_no_order_leaves_due_or_not(self, run_cli, two_lines, even_root, monkeypatch, place, now):
        assert run_cli("trade", "--now", "2013-08-06T10:00-04:00", root=even_root).code == 0
        if place == "environment":
            monkeypatch.setenv("AITRADER_HALT", "1")
        elif place == "journal":
            shut = Latched(datetime(2013, 8, 6, 15, tzinfo=UTC), Latch.HALT, "operator", "a test")
            with DatabaseJournal.open(
                folder(even_root) / "journal.sqlite", account=read_account(folder(even_root))
            ) as journal:
                journal.append(shut)
        else:
            (folder(even_root) if place == "book" else even_root / "state").joinpath("HALT").touch()

        ran = run_cli(*now, root=even_root)

        two_lines(ran, 4, "HALT is shut")
        assert "aitrader resume" in ran.err
        assert sent(even_root) == []

    def test_under_halt_entries_only_what_reduces_leaves(self, run_cli, two_lines, even_root):
        assert run_cli(*FIRST, root=even_root).code == 0
        begun = len(sent(even_root))
        (folder(even_root) / "HALT_ENTRIES").touch()

        ran = run_cli(*OPEN, "--set", "universe.deny=[S00,S01]", "--set", "portfolio.no_trade_band=0%", root=even_root)

        two_lines(ran, 4, "halt_entries")
        left = sent(even_root)[begun:]
        assert {"sell"} == {name.split("-")[-3] for name in left}
        assert {name.split("-")[4] for name in left} >= {"S00", "S01"}

    def test_a_loss_beyond_the_limit_shuts_halt_and_nothing_is_entered(self, run_cli, two_lines, even_root):
        assert run_cli(*FIRST, root=even_root).code == 0

        ran = run_cli(*OPEN, "--set", "risk.max_daily_loss=0.01%", root=even_root)

        two_lines(ran, 4, "HALT is shut")
        assert (folder(even_root) / "HALT").exists()
        assert rows(even_root, Latched)[0].code == "max_daily_loss"
        assert not [name for name in sent(even_root) if "20130807" in name]


def test_orders_that_all_limits_refuse_are_exit_code_4(run_cli, two_lines, even_root):
    ran = run_cli(*OPEN, "--set", "risk.max_position=1%", root=even_root)

    two_lines(ran, 4, "12 of 12 orders", "max_position")
    assert {row.code for row in rows(even_root, OrderRefused)} == {"max_position"}
    assert sent(even_root) == []


def test_a_refused_order_among_others_is_told_and_is_no_failure(run_cli, even_root):
    ran = run_cli(*OPEN, "--set", "risk.max_order_qty=160", "--json", root=even_root)

    assert ran.code == 0, ran.err
    assert ran.envelope["status"] == "partial"
    refused = [line for line in ran.envelope["result"]["orders"] if line["status"] == "refused"]
    assert 0 < len(refused) < 12
    assert all("max_order_qty" in line["reason"] for line in refused)


def test_a_symbol_without_a_quote_is_refused_and_the_others_leave(run_cli, even_root, made_bars, store_bars):
    shutil.rmtree(even_root / "data_lake")
    bars = made_bars(sessions=40)
    store_bars(even_root, bars.filter((pl.col("symbol") != "S03") | (pl.col("session") != date(2013, 8, 8))))

    ran = run_cli(*OPEN, "--json", root=even_root)

    assert (ran.code, ran.envelope["status"]) == (0, "partial"), ran.err
    assert [(row.client_id.split("-")[4], row.code) for row in rows(even_root, OrderRefused)] == [("S03", "quote")]
    assert len(sent(even_root)) == 11


HOLDER = """
import sys
from pathlib import Path
from aitrader.disk.lock import locked
with locked(Path(sys.argv[1]), "is a test"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_trade_at_the_same_time_is_exit_code_6_at_once(run_cli, two_lines, even_root, files_in):
    run_cli("trade", "--now", "2013-08-06T10:00-04:00", root=even_root)
    before = files_in(folder(even_root))
    line = [sys.executable, "-c", HOLDER, str(folder(even_root) / "lock")]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        started = time.perf_counter()

        second = run_cli(*OPEN, root=even_root)

        took = time.perf_counter() - started
        holder.communicate()
    two_lines(second, 6, "is working on the book main")
    assert files_in(folder(even_root)) == before
    assert took < 5


LOADED = """
import sys
from aitrader.cli.app import main
code = main(sys.argv[1:])
print(code, *sorted({"aitrader.jobs.trade", "numpy", "polars", "sqlalchemy"} & set(sys.modules)))
"""


def test_a_second_trade_is_refused_before_what_trading_needs_is_loaded(even_root):
    folder(even_root).mkdir(parents=True)
    with locked(folder(even_root) / "lock", "is a test"):
        second = subprocess.run(
            [sys.executable, "-c", LOADED, *OPEN, "--root", str(even_root)], capture_output=True, text=True, check=False
        )

    assert second.stdout == "6\n", second.stderr


def test_a_clock_before_the_accounts_own_time_is_exit_code_2(run_cli, two_lines, even_root):
    run_cli(*OPEN, root=even_root)
    before = sent(even_root)

    ran = run_cli("trade", "--now", "2013-08-08T09:35:59-04:00", root=even_root)

    two_lines(ran, 2, "before the account's own time")
    assert sent(even_root) == before


def test_an_account_on_the_replay_clock_stands_at_its_own_time_without_now(run_cli, even_root):
    run_cli(*OPEN, root=even_root)

    ran = run_cli("trade", "--json", root=even_root)

    assert (ran.code, ran.envelope["result"]["at"]) == (0, "2013-08-08T13:36:00+00:00"), ran.err


def test_there_is_no_live_account_yet(run_cli, two_lines, even_root):
    live = ("--set", "mode=live", "--set", "risk.max_order_notional=1000")

    two_lines(run_cli(*OPEN, "--live", root=even_root), 2, "no live account")
    two_lines(run_cli(*OPEN, *live, root=even_root), 2, "no live account")
    two_lines(run_cli(*OPEN, *live, "--live", "--allow-rejected", root=even_root), 2, "no live account")

    assert not folder(even_root).exists()


@pytest.mark.parametrize("begun", [False, True])
def test_a_dry_run_shows_the_orders_and_writes_nothing_anywhere(run_cli, even_root, files_in, begun):
    if begun:
        run_cli(*FIRST, root=even_root)
    before = {path: data for path, data in files_in(even_root).items() if path.parts[0] != "logs"}

    ran = run_cli(*OPEN, "--dry-run", "--json", "--set", "portfolio.no_trade_band=0%", root=even_root)

    assert ran.code == 0, ran.err
    after = {path: data for path, data in files_in(even_root).items() if path.parts[0] != "logs"}
    assert after == before
    assert ran.envelope["result"]["dry_run"]
    assert len(ran.envelope["result"]["orders"]) == (8 if begun else 12)
    assert begun or not folder(even_root).exists()
    real = run_cli(*OPEN, "--json", "--set", "portfolio.no_trade_band=0%", root=even_root)
    assert real.envelope["result"]["orders"] == ran.envelope["result"]["orders"]


class TestDamage:
    """Nothing is guessed, nothing is made anew, no order leaves."""

    @pytest.fixture
    def book(self, run_cli, even_root):
        assert run_cli(*FIRST, root=even_root).code == 0
        return even_root

    def break_off(self, root, name):
        path = folder(root) / name
        path.write_bytes(path.read_bytes()[:2000])

    @pytest.mark.parametrize(
        ("name", "harm", "code", "words"),
        [
            ("journal.sqlite", "missing", 3, "is missing"),
            ("journal.sqlite", "broken", 3, "is damaged"),
            ("journal.sqlite", "foreign", 3, "journal of the simulated account SIM-other"),
            ("paper.sqlite", "missing", 5, "is missing"),
            ("paper.sqlite", "broken", 5, "paper.sqlite"),
            ("paper.sqlite", "foreign", 5, "SIM-other"),
            ("account.json", "broken", 3, "account.json"),
            ("account.json", "foreign", 3, "SIM-other"),
        ],
    )
    def test_a_file_that_is_not_the_books_own(self, run_cli, two_lines, book, files_in, name, harm, code, words):
        for leftover in folder(book).glob(f"{name}-*"):
            leftover.unlink()
        if harm == "missing":
            (folder(book) / name).unlink()
        elif harm == "broken":
            self.break_off(book, name) if "sqlite" in name else (folder(book) / name).write_text("{")
        elif name == "account.json":
            write_account(folder(book), AccountKey("other", "simulated", "", "SIM-other"))
        else:
            other = run_cli("trade", "--book", "other", "--now", "2013-08-01T09:36-04:00", root=book)
            assert other.code == 0, other.err
            shutil.copy(book / "state/other" / name, folder(book) / name)
        before = files_in(folder(book))

        ran = run_cli(*OPEN, root=book)

        two_lines(ran, code, words)
        assert {path: data for path, data in files_in(folder(book)).items() if "sqlite-" not in path.name} == {
            path: data for path, data in before.items() if "sqlite-" not in path.name
        }

    def test_an_account_without_its_journal_and_key_is_not_taken_for_a_new_one(self, run_cli, two_lines, book):
        (folder(book) / "account.json").unlink()
        for path in folder(book).glob("journal.sqlite*"):
            path.unlink()

        ran = run_cli(*OPEN, root=book)

        assert ran.code in {4, 5}, ran.err
        assert not [name for name in sent(book) if "20130807" in name]

    def test_an_account_file_that_went_back_in_time_stops_everything(self, run_cli, two_lines, book):
        path = folder(book) / "paper.sqlite"
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        old = path.read_bytes()
        daily = ("--set", "strategies.even.rebalance=1", "--set", "portfolio.no_trade_band=0%")
        assert run_cli(*OPEN, *daily, root=book).code == 0
        before = sent(book)
        for leftover in folder(book).glob("paper.sqlite-*"):
            leftover.unlink()
        path.write_bytes(old)

        ran = run_cli("trade", "--now", "2013-08-09T09:36-04:00", *daily, root=book)

        two_lines(ran, 5)
        assert sent(book) == before

    def test_an_order_that_nobody_here_sent_stops_everything(self, run_cli, two_lines, book):
        shutil.copy(folder(book) / "journal.sqlite", folder(book) / "kept")
        assert run_cli(*OPEN, "--set", "portfolio.no_trade_band=0%", root=book).code == 0
        for path in folder(book).glob("journal.sqlite*"):
            path.unlink()
        (folder(book) / "kept").rename(folder(book) / "journal.sqlite")

        ran = run_cli("trade", "--now", "2013-08-09T09:36-04:00", root=book)

        two_lines(ran, 4, "orders that this journal never sent")


def test_a_command_that_is_stopped_between_two_orders_is_completed_by_the_next(
    run_cli, two_lines, even_root, tmp_path, at_progress, monkeypatch
):
    whole = Path(shutil.copytree(even_root, tmp_path / "whole"))
    assert run_cli(*OPEN, root=whole).code == 0
    injected = at_progress(7, lambda: os.kill(os.getpid(), signal.SIGINT))

    stopped = run_cli(*OPEN, root=even_root)

    assert injected, "the signal was not sent"
    two_lines(stopped, 130, "Stopped by SIGINT")
    midway = sent(even_root)
    assert 0 < len(midway) < 12
    assert (last_run(even_root).status, last_run(even_root).exit_code) == ("stopped", 130)
    monkeypatch.undo()
    assert run_cli(*OPEN, root=even_root).code == 0
    assert sent(even_root) == sent(whole)
    assert [row.fill for row in rows(even_root, FillBooked)] == [row.fill for row in rows(whole, FillBooked)]


@pytest.mark.parametrize("step", [1, 2, 5, 9])
def test_a_full_disk_loses_nothing_and_space_mends_it(run_cli, two_lines, even_root, tmp_path, at_progress, step):
    whole = Path(shutil.copytree(even_root, tmp_path / "whole"))
    assert run_cli(*OPEN, root=whole).code == 0
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    injected = at_progress(step, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard)))

    try:
        full = run_cli(*OPEN, root=even_root)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert injected, "the disk was not full"
    assert full.code in {3, 5}, full.err
    assert "Traceback" not in full.err
    assert "Unexpected" not in full.err
    again = run_cli(*OPEN, root=even_root)
    assert again.code == 0, again.err
    assert sent(even_root) == sent(whole)
    assert {row.client_id for row in rows(even_root, OrderOutcome)} == set(sent(whole))


def test_a_receipt_says_what_went_in_and_one_that_cannot_be_written_is_a_warning(run_cli, even_root):
    ran = run_cli(*OPEN, "--json", root=even_root)
    receipt = json.loads((even_root / ran.envelope["result"]["receipt"]).read_text())
    assert receipt["outputs"] == dict.fromkeys(sent(even_root), "filled")
    assert receipt["inputs"]["bars/1d"]
    shutil.rmtree(even_root / "data_lake/receipts")
    (even_root / "data_lake/receipts").touch()

    late = run_cli(
        "trade", "--now", "2013-08-09T09:36-04:00", "--set", "strategies.even.rebalance=1", "--json", root=even_root
    )

    assert late.code == 0, late.err
    assert any("could not be written" in text for text in late.envelope["warnings"])


def test_answers_that_get_lost_send_no_order_twice(run_cli, even_root):
    faults = ("--set", "account.faults.rate=30%", "--set", "risk.max_unknown_orders=1000")
    codes = [run_cli(*OPEN, *faults, "--set", f"account.faults.seed={seed}", root=even_root).code for seed in range(6)]

    assert set(codes) <= {0, 5}
    assert run_cli(*OPEN, root=even_root).code == 0
    fills = rows(even_root, FillBooked)
    assert sorted(row.fill.client_id for row in fills) == sorted(set(sent(even_root)))
    assert len(set(sent(even_root))) == 12


@pytest.mark.parametrize("command", ["trade", "status", "reconcile"])
def test_faults_that_are_none_are_told_before_the_accounts_clock_moves(
    run_cli, two_lines, even_root, files_in, command
):
    run_cli(*OPEN, root=even_root)
    before = {path: data for path, data in files_in(even_root / "state").items() if "sqlite-" not in path.name}
    wrong = ("--now", "2013-08-09T18:00-04:00", "--set", "account.faults.rate=2")

    two_lines(run_cli(command, *wrong, root=even_root), 2, "account.faults.rate")

    after = {path: data for path, data in files_in(even_root / "state").items() if "sqlite-" not in path.name}
    assert after == before
    assert run_cli("trade", "--now", "2013-08-08T09:46-04:00", root=even_root).code == 0


def test_a_run_that_lost_its_answers_is_followed_by_one_that_loses_others(run_cli, even_root):
    faults = ("--set", "account.faults={seed: 3, rate: 0.3}", "--set", "risk.max_unknown_orders=1000")

    codes = [run_cli(*OPEN, *faults, root=even_root).code for _ in range(12)]

    assert codes[0] == 5
    assert 0 in codes


def test_on_the_machines_clock_an_order_waits_for_the_bar_of_its_session(even_root, made_bars, store_bars):
    shutil.rmtree(even_root / "data_lake")
    bars = made_bars(sessions=40)
    store_bars(even_root, bars.filter(pl.col("session") < date(2013, 8, 8)))
    config = load(even_root, env={}).config

    def run(number, time):
        clock = fixed_clock(datetime.fromisoformat(time))
        return trade(config, even_root, Asked(Visit("trade", f"run-{number}", None, clock)))

    morning = run(1, "2013-08-08T09:36-04:00")
    assert (morning.status, morning.fills) == ("done", 0)
    assert {line.status for line in morning.orders} == {"open"}
    store_bars(even_root, bars.filter(pl.col("session") == date(2013, 8, 8)))

    evening = run(2, "2013-08-08T18:00-04:00")

    assert (evening.status, evening.fills) == ("skipped", 12)
    assert {row.fill.client_id for row in rows(even_root, FillBooked)} == set(sent(even_root))


def test_without_a_strategy_no_book_begins(run_cli, two_lines, even_root):
    (even_root / "config/strategies.yaml").unlink()

    two_lines(run_cli(*OPEN, root=even_root), 2, "No strategy is configured")

    assert not folder(even_root).exists()


@pytest.mark.parametrize("kind", ["dividend", "split"])
def test_a_corporate_action_that_comes_with_the_bars_of_its_day_is_booked_that_evening(
    even_root, made_bars, store_bars, kind
):
    shutil.rmtree(even_root / "data_lake")
    bars = made_bars(sessions=40)
    store_bars(even_root, bars.filter(pl.col("session") < date(2013, 8, 1)))
    config = load(even_root, env={}).config

    def run(number, time):
        clock = fixed_clock(datetime.fromisoformat(time))
        return trade(config, even_root, Asked(Visit("trade", f"run-{number}", None, clock)))

    run(1, "2013-08-01T09:36-04:00")
    store_bars(even_root, bars.filter(pl.col("session").is_between(date(2013, 8, 1), date(2013, 8, 6))))
    held = run(2, "2013-08-07T09:36-04:00")
    ratio, amount = (2.0, None) if kind == "split" else (None, 0.5)
    event = ("S03", date(2013, 8, 7), kind, ratio, amount, "test", datetime(2013, 8, 7, 13, 30, tzinfo=UTC))
    with Lake.open(even_root / "data_lake") as lake:
        lake.append("actions", pl.DataFrame([event], schema=ACTIONS, orient="row"), source="test")
    store_bars(even_root, bars.filter(pl.col("session") == date(2013, 8, 7)))

    evening = run(3, "2013-08-07T18:00-04:00")

    assert (held.positions, evening.status) == (12, "skipped")
    assert [(row.symbol, row.kind) for row in rows(even_root, ActionBooked)] == [("S03", kind)]
    assert not rows(even_root, SymbolHeld)
