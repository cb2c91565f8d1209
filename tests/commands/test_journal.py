"""aitrader journal: what was run, decided, sent and filled, and whether it can be believed."""

import json
import sqlite3
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from aitrader.domain.events import BookOpened, BookValued, FillBooked, RunStarted
from aitrader.domain.orders import Fill, Side
from aitrader.domain.symbols import Symbol
from aitrader.journal.account import AccountKey, write_account
from aitrader.journal.database import DatabaseJournal

KEY = AccountKey("main", "simulated", "", "SIM-main")
FIRST, SECOND = datetime(2013, 8, 8, 13, 36, tzinfo=UTC), datetime(2013, 8, 9, 13, 36, tzinfo=UTC)
FILL = Fill("f-1", "at-1", Symbol("ON"), Side.BUY, Decimal(40), Decimal("7.2500"), Decimal("0.00"), FIRST)
ROWS = (
    RunStarted(FIRST, "run-1", "trade", "c0ffee", 3),
    BookOpened(FIRST, "SIM-main", Decimal("100000.00")),
    FillBooked(FIRST, FILL),
    BookValued(FIRST, FIRST.date(), 100000.0, 99710.0, 290.0, float("nan")),
    RunStarted(SECOND, "run-2", "trade", "c0ffee", 4),
)


@pytest.fixture
def root(bare_root):
    folder = bare_root / "state" / "main"
    with DatabaseJournal.open(folder / "journal.sqlite", account=KEY, create=True) as journal:
        for event in ROWS:
            journal.append(event)
    write_account(folder, KEY)
    return bare_root


def damage(root):
    with sqlite3.connect(root / "state" / "main" / "journal.sqlite") as connection:
        connection.execute("DROP TRIGGER fills_no_update")
        connection.execute("UPDATE fills SET body = replace(body, '7.2500', '7.2600')")


def test_ls_lists_rows_with_what_they_say(root, run_cli):
    ran = run_cli("journal", "ls", root=root)

    assert ran.code == 0
    assert "Journal of main (SIM-main)" in ran.out
    assert "fill_id f-1, client_id at-1, symbol ON, side buy, quantity 40, price 7.2500" in ran.out
    assert "5 of 5 rows" in ran.out


def test_ls_answers_in_json_with_exact_money(root, run_cli):
    result = run_cli("journal", "ls", "--kind", "fill_booked", "--json", root=root).envelope["result"]

    (line,) = result["lines"]
    assert (result["rows"], line["seq"], line["kind"], line["at"]) == (5, 3, "fill_booked", FIRST.isoformat())
    assert line["event"]["fill"]["price"] == "7.2500"


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        (["--last", "2"], [4, 5]),
        (["--since", "2013-08-09T00:00-04:00"], [5]),
        (["--kind", "run_started,book_opened"], [1, 2, 5]),
        (["--kind", "run_started", "--kind", "fill_booked", "--last", "2"], [3, 5]),
        (["--since", "2014-01-01T00:00Z"], []),
    ],
)
def test_ls_shows_the_rows_that_were_asked_for(root, run_cli, options, rows):
    result = run_cli("journal", "ls", *options, "--json", root=root).envelope["result"]

    assert [line["seq"] for line in result["lines"]] == rows


def test_a_kind_that_is_not_known_is_named_with_the_known_ones(root, run_cli):
    ran = run_cli("journal", "ls", "--kind", "fills", root=root)

    assert ran.code == 2
    assert "fills" in ran.err
    assert "fill_booked" in ran.err


def test_export_writes_one_object_a_row(root, run_cli, tmp_path):
    ran = run_cli("journal", "export", "--out", tmp_path / "rows.jsonl", root=root)

    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert ran.code == 0
    assert "5 rows written" in ran.out
    assert [line["seq"] for line in lines] == [1, 2, 3, 4, 5]
    assert lines[1]["event"]["cash"] == "100000.00"
    assert lines[3]["event"]["net"] is None


def test_export_without_a_file_writes_to_stdout(root, run_cli, tmp_path):
    run_cli("journal", "export", "--out", tmp_path / "rows.jsonl", root=root)

    ran = run_cli("journal", "export", root=root)

    assert ran.out == (tmp_path / "rows.jsonl").read_text()
    assert len(run_cli("journal", "export", "--json", root=root).envelope["result"]["lines"]) == 5


def test_a_file_that_cannot_be_written_is_a_clear_error(root, run_cli, tmp_path):
    (tmp_path / "file").touch()

    ran = run_cli("journal", "export", "--out", tmp_path / "file" / "rows.jsonl", root=root)

    assert ran.code == 3
    assert "could not be written" in ran.err


def test_check_finds_a_sound_journal_sound(root, run_cli):
    ran = run_cli("journal", "check", root=root)

    assert ran.code == 0
    assert "5 rows of SIM-main, all of them sound" in ran.out


def test_check_says_what_is_wrong(root, run_cli):
    damage(root)

    ran = run_cli("journal", "check", "--json", root=root)

    assert ran.code == 3
    assert (ran.envelope["status"], ran.envelope["error"]) == ("failed", None)
    assert "row 3 is not what was written" in ran.envelope["result"]["problems"][0]
    assert "row 3 is not what was written" in " ".join(run_cli("journal", "check", root=root).out.split())


@pytest.mark.parametrize("words", [["journal", "ls"], ["journal", "export"]])
def test_nothing_of_a_damaged_journal_is_shown(root, run_cli, words):
    damage(root)

    ran = run_cli(*words, root=root)

    assert (ran.code, ran.out) == (3, "")
    assert "reconcile --rebuild" in ran.err


def test_a_lost_journal_is_an_error_and_not_an_empty_list(root, run_cli):
    (root / "state" / "main" / "journal.sqlite").unlink()

    ran = run_cli("journal", "ls", root=root)

    assert ran.code == 3
    assert "is missing" in ran.err


def test_a_book_that_never_began_is_a_usage_error(bare_root, run_cli):
    ran = run_cli("journal", "ls", root=bare_root)

    assert ran.code == 2
    assert "no book 'main' yet" in ran.err


def test_looking_changes_no_file(root, run_cli):
    before = {path.name: path.read_bytes() for path in (root / "state" / "main").iterdir()}

    for words in (["ls"], ["export"], ["check"]):
        assert run_cli("journal", *words, root=root).code == 0

    assert {path.name: path.read_bytes() for path in (root / "state" / "main").iterdir()} == before
