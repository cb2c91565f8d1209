"""aitrader validate --level trade-ready: whether trade could decide now."""

import json
import shutil

import pytest

NOW = ("--now", "2013-08-08T18:00-04:00")
READY = ("validate", "--level", "trade-ready", *NOW, "--json")
CHECKS = ("account", "journal", "agreement", "latches", "newest-bars", "window", "decision")
LIMITS = ("--set", "risk.max_position=40%", "--set", "risk.max_order_equity_share=40%")


def found(ran):
    return {one["name"]: one for one in ran.envelope["result"]["results"] if one["level"] == "trade-ready"}


def statuses(ran):
    return {name: one["status"] for name, one in found(ran).items()}


@pytest.fixture
def book(even_book):
    return even_book


def test_a_book_that_agrees_is_ready(run_cli, book, files_in):
    before = files_in(book / "state")

    ran = run_cli(*READY, root=book)

    assert ran.code == 0, ran.err
    assert statuses(ran) == dict.fromkeys(CHECKS, "pass")
    assert "12 symbols wanted after 2013-08-08" in found(ran)["decision"]["reason"]
    assert "2013-08-15, 13:35 to 19:55 UTC" in found(ran)["window"]["reason"]
    assert files_in(book / "state") == before


def test_a_book_that_never_began_is_looked_at_as_it_would_begin(run_cli, even_root):
    ran = run_cli(*READY, root=even_root)

    assert ran.code == 0, ran.err
    assert statuses(ran) == dict.fromkeys(CHECKS, "pass") | {"account": "warn"}
    assert not (even_root / "state/main").exists()


@pytest.mark.parametrize("variable", ["file", "environment"])
def test_a_latch_fails(run_cli, book, monkeypatch, variable):
    if variable == "file":
        (book / "state/HALT_ENTRIES").touch()
    else:
        monkeypatch.setenv("AITRADER_HALT", "1")

    ran = run_cli(*READY, root=book)

    assert ran.code == 3
    assert statuses(ran)["latches"] == "fail"
    assert "aitrader resume" in found(ran)["latches"]["fix"]


def test_old_bars_fail(run_cli, book):
    ran = run_cli("validate", "--level", "trade-ready", "--now", "2013-08-15T09:36-04:00", "--json", root=book)

    assert ran.code == 3
    assert (statuses(ran)["newest-bars"], statuses(ran)["decision"]) == ("fail", "skipped")


def test_a_damaged_journal_fails_and_what_needs_it_is_skipped(run_cli, book):
    path = book / "state/main/journal.sqlite"
    path.write_bytes(path.read_bytes()[:3000])

    ran = run_cli(*READY, root=book)

    assert ran.code == 3
    assert statuses(ran) == {"account": "fail"} | dict.fromkeys(CHECKS[1:], "skipped")
    assert "damaged" in found(ran)["account"]["reason"]


def test_a_book_that_does_not_agree_with_its_account_fails(run_cli, book):
    other = run_cli(
        "trade", "--book", "other", "--set", "account.cash=50000", "--now", "2013-08-08T09:36-04:00", root=book
    )
    assert other.code == 0, other.err
    for name in ("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"):
        (book / "state/other" / name).unlink(missing_ok=True)

    ran = run_cli(*READY, "--book", "other", root=book)

    assert ran.code == 3
    assert statuses(ran)["account"] == "fail"


def test_a_model_that_may_not_decide_fails(run_cli, trained):
    old = run_cli(*READY, *LIMITS, "--set", "risk.max_model_sessions_old=3", root=trained)
    shutil.rmtree(trained / "data_lake/models/line")
    absent = run_cli(*READY, *LIMITS, root=trained)

    assert (old.code, absent.code) == (3, 3)
    assert "older than 3 sessions" in found(old)["decision"]["reason"]
    assert statuses(absent)["decision"] == "fail"


def test_the_level_is_answered_in_json(run_cli, even_root):
    ran = run_cli("validate", "--level", "trade-ready", *NOW, "--format", "json", root=even_root)

    assert json.loads(ran.out)["level"] == "trade-ready"
