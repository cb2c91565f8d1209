"""aitrader halt and aitrader resume: what shuts, and what it takes to open it."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from aitrader.brokers.account_file import PaperAccount
from aitrader.config.schema import AccountSettings, Costs
from aitrader.disk.lock import locked
from aitrader.domain.events import BookOpened, Latch, Latched, Unlatched
from aitrader.journal.account import AccountKey, write_account
from aitrader.journal.database import DatabaseJournal

KEY = AccountKey("main", "simulated", "", "SIM-main")
BEGAN = datetime(2013, 8, 8, 13, 36, tzinfo=UTC)
RESUME = ("resume", "--account", "SIM-main")


@pytest.fixture
def root(bare_root):
    """A book on the replay clock, begun at 2013-08-08T13:36Z."""
    folder = bare_root / "state" / "main"
    with DatabaseJournal.open(folder / "journal.sqlite", account=KEY, create=True) as journal:
        journal.append(BookOpened(BEGAN, "SIM-main", Decimal(100_000)))
    began = {"number": KEY.number, "costs": Costs(), "now": BEGAN, "replay": True, "create": True}
    PaperAccount.open(folder / "paper.sqlite", AccountSettings(), **began).close()
    write_account(folder, KEY)
    return bare_root


def rows(root):
    with DatabaseJournal.open(root / "state" / "main" / "journal.sqlite", account=KEY) as journal:
        return journal.events()[1:]


def latches(root):
    return sorted(str(path.relative_to(root / "state")) for path in (root / "state").rglob("HALT*"))


def test_halt_shuts_by_a_file_and_a_row_at_the_books_own_time(root, run_cli):
    ran = run_cli("halt", "--reason", "news", root=root)

    assert ran.code == 0
    assert "aitrader resume --account SIM-main" in ran.out
    assert latches(root) == ["main/HALT_ENTRIES"]
    assert rows(root) == (Latched(BEGAN, Latch.HALT_ENTRIES, "operator", "news"),)


def test_halt_again_changes_nothing(root, run_cli):
    run_cli("halt", root=root)

    ran = run_cli("halt", "--json", root=root)

    assert (ran.code, ran.envelope["status"], ran.envelope["result"]["already"]) == (0, "skipped", True)
    assert len(rows(root)) == 1


def test_halt_works_while_a_run_is_at_work(root, run_cli):
    with locked(root / "state" / "main" / "lock", "trades"):
        ran = run_cli("halt", root=root)

    assert (ran.code, ran.err) == (0, "")
    assert len(rows(root)) == 1


def test_halt_works_with_a_damaged_journal_and_says_that_it_has_no_row(root, run_cli):
    (root / "state" / "main" / "journal.sqlite").write_bytes(b"damaged")

    ran = run_cli("halt", root=root)

    assert ran.code == 0
    assert "The journal has no row of it" in ran.err
    assert latches(root) == ["main/HALT_ENTRIES"]


def test_halt_with_a_file_that_cannot_be_made_shuts_all_books(root, run_cli, monkeypatch):
    monkeypatch.setattr("aitrader.journal.halt.make_folder", refuse_the_book)

    ran = run_cli("halt", root=root)

    assert ran.code == 0
    assert "could not be written" in ran.err
    assert latches(root) == ["HALT_ENTRIES"]


def refuse_the_book(folder, mode):
    if folder.name == "main":
        raise OSError(28, "No space left on device")


def test_halt_that_can_be_written_nowhere_says_that_nothing_is_shut(root, run_cli, monkeypatch):
    (root / "state" / "main" / "journal.sqlite").write_bytes(b"damaged")
    monkeypatch.setattr(
        "aitrader.journal.halt.make_folder", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )

    ran = run_cli("halt", root=root)

    assert ran.code == 3
    assert "HALT_ENTRIES IS NOT SHUT" in ran.err
    assert latches(root) == []


def test_a_book_that_does_not_exist_is_not_halted_by_mistake(root, run_cli):
    ran = run_cli("halt", "--book", "mian", root=root)

    assert ran.code == 2
    assert "no book 'mian'" in ran.err
    assert latches(root) == []


@pytest.mark.parametrize("named", [(), ("--book", "main")])
def test_the_configured_book_is_halted_before_its_first_run(bare_root, run_cli, named):
    ran = run_cli("halt", *named, root=bare_root)

    assert (ran.code, ran.err) == (0, "")
    assert latches(bare_root) == ["main/HALT_ENTRIES"]
    assert (bare_root / "state" / "main").stat().st_mode & 0o777 == 0o700
    assert run_cli(*RESUME, root=bare_root).code == 0
    assert latches(bare_root) == []


def test_a_latch_that_can_be_written_nowhere_before_the_first_run_is_not_shut(bare_root, run_cli, monkeypatch):
    monkeypatch.setattr(
        "aitrader.journal.halt.make_folder", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )

    ran = run_cli("halt", root=bare_root)

    assert ran.code == 3
    assert "HALT_ENTRIES IS NOT SHUT" in ran.err


def test_resume_writes_a_row_for_a_latch_that_was_shut_only(root, run_cli):
    run_cli("halt", root=root)

    assert run_cli(*RESUME, root=root).code == 0

    assert rows(root)[1:] == (Unlatched(BEGAN, Latch.HALT_ENTRIES, "by hand"),)


def test_resume_opens_both_latches_in_journal_and_files(root, run_cli):
    run_cli("halt", root=root)
    (root / "state" / "HALT").touch()

    ran = run_cli(*RESUME, "--reason", "looked at it", root=root)

    assert ran.code == 0
    assert "HALT and HALT_ENTRIES of the book main (SIM-main) opened" in ran.out
    assert latches(root) == []
    assert rows(root)[1:] == (
        Unlatched(BEGAN, Latch.HALT, "looked at it"),
        Unlatched(BEGAN, Latch.HALT_ENTRIES, "looked at it"),
    )


def test_resume_leaves_a_receipt(root, run_cli):
    run_cli("halt", root=root)

    run_id = run_cli(*RESUME, "--json", root=root).envelope["run_id"]

    receipt = json.loads((root / "data_lake" / "receipts" / f"{run_id}.json").read_text())
    assert (receipt["command"], receipt["outputs"]) == ("resume", {"HALT_ENTRIES": "open"})
    assert receipt["arguments"]["account"] == "SIM-main"


def test_a_receipt_that_cannot_be_written_is_a_warning(root, run_cli):
    run_cli("halt", root=root)
    for path in (root / "data_lake" / "receipts").iterdir():
        path.unlink()
    (root / "data_lake" / "receipts").rmdir()
    (root / "data_lake" / "receipts").touch()

    ran = run_cli(*RESUME, root=root)

    assert ran.code == 0
    assert "receipt" in ran.err
    assert latches(root) == []


@pytest.mark.parametrize("number", ["SIM-other", "sim-main", "", "yes"])
def test_resume_with_another_number_opens_nothing(root, run_cli, number):
    run_cli("halt", root=root)

    ran = run_cli("resume", "--account", number, root=root)

    assert ran.code == 2
    assert "Nothing was opened" in ran.err
    assert latches(root) == ["main/HALT_ENTRIES"]
    assert len(rows(root)) == 1


def test_resume_asks_for_the_number(root, run_cli):
    ran = run_cli("resume", root=root)

    assert ran.code == 2
    assert "--account" in ran.err


def test_resume_with_nothing_shut_is_skipped(root, run_cli):
    ran = run_cli(*RESUME, "--json", root=root)

    assert (ran.code, ran.envelope["status"]) == (0, "skipped")
    assert rows(root) == ()


def test_resume_opens_what_only_a_row_shuts(root, run_cli):
    with DatabaseJournal.open(root / "state" / "main" / "journal.sqlite", account=KEY) as journal:
        journal.append(Latched(BEGAN, Latch.HALT, "max_drawdown", "60 % below the peak"))

    assert run_cli(*RESUME, "--json", root=root).envelope["result"]["opened"] == ["HALT"]


def test_what_the_environment_shuts_is_not_opened(root, run_cli, monkeypatch):
    run_cli("halt", root=root)
    monkeypatch.setenv("AITRADER_HALT", "1")

    ran = run_cli(*RESUME, root=root)

    assert ran.code == 4
    assert "AITRADER_HALT" in ran.err
    assert latches(root) == ["main/HALT_ENTRIES"]


def test_a_latch_that_cannot_be_removed_keeps_the_book_halted(root, run_cli):
    (root / "state" / "main" / "HALT" / "full").mkdir(parents=True)

    ran = run_cli(*RESUME, root=root)

    assert ran.code == 4
    assert "stays halted" in ran.err


def test_resume_waits_for_nobody(root, run_cli):
    run_cli("halt", root=root)

    with locked(root / "state" / "main" / "lock", "trades"):
        ran = run_cli(*RESUME, root=root)

    assert ran.code == 6
    assert latches(root) == ["main/HALT_ENTRIES"]


@pytest.mark.parametrize(("name", "code"), [("journal.sqlite", 3), ("account.json", 3), ("paper.sqlite", 5)])
def test_resume_opens_nothing_of_a_damaged_book(root, run_cli, name, code):
    run_cli("halt", root=root)
    (root / "state" / "main" / name).write_bytes(b"damaged")

    ran = run_cli(*RESUME, root=root)

    assert ran.code == code
    assert latches(root) == ["main/HALT_ENTRIES"]


def test_resume_with_a_lost_journal_opens_nothing(root, run_cli):
    run_cli("halt", root=root)
    (root / "state" / "main" / "journal.sqlite").unlink()

    ran = run_cli(*RESUME, root=root)

    assert ran.code == 3
    assert latches(root) == ["main/HALT_ENTRIES"]


def test_resume_at_a_time_before_the_books_own_opens_nothing(root, run_cli):
    run_cli("halt", root=root)

    ran = run_cli(*RESUME, "--now", "2013-08-07T18:00-04:00", root=root)

    assert ran.code == 2
    assert latches(root) == ["main/HALT_ENTRIES"]


def test_a_real_account_is_resumed_at_a_terminal_only(root, run_cli):
    run_cli("halt", root=root)
    write_account(root / "state" / "main", AccountKey("main", "alpaca", "api.alpaca.markets", "123456789"))

    ran = run_cli("resume", "--account", "123456789", root=root)

    assert ran.code == 4
    assert "nobody sits at this terminal" in ran.err


def test_the_latch_of_all_books_is_opened_before_any_book_began(bare_root, run_cli):
    (bare_root / "state" / "HALT").touch()

    assert run_cli(*RESUME, root=bare_root).code == 0
    assert latches(bare_root) == []


def test_a_book_that_never_began_has_nothing_to_resume(bare_root, run_cli):
    assert run_cli(*RESUME, root=bare_root).code == 2
