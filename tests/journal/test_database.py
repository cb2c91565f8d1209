"""The journal lasts: opened again it says the same, beside another process and after a kill."""

import logging
import sqlite3
import subprocess
import sys
import textwrap
from decimal import Decimal

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from aitrader.domain.events import BookOpened, FillBooked, RunStarted
from aitrader.errors import JournalError, LockHeldError
from aitrader.journal import database
from aitrader.journal.account import AccountKey
from aitrader.journal.database import MIGRATIONS, DatabaseJournal
from aitrader.journal.queries import replay
from aitrader.journal.tables import FAMILIES, METADATA, VERSION

PRELUDE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from aitrader.domain.events import RunStarted
from aitrader.journal.account import AccountKey
from aitrader.journal.database import DatabaseJournal
KEY = AccountKey("main", "simulated", "", "SIM-main")
def row(name):
    return RunStarted(datetime(2026, 1, 5, tzinfo=UTC), name, "trade", "c0ffee", None)
path = Path(sys.argv[1])
"""


def child(script, path, **options):
    code = PRELUDE + textwrap.dedent(script)
    return subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True, **options)


def test_what_was_recorded_comes_back_in_its_order(closed, key, story):
    with DatabaseJournal.open(closed, account=key) as journal:
        assert journal.events() == story
        assert journal.check() == ()


def test_rows_are_numbered_without_a_gap_across_all_tables(journal, story):
    rows = journal.rows()

    assert [row.seq for row in rows] == list(range(1, len(story) + 1))
    assert [row.event for row in journal.rows(after=9)] == list(story[9:])
    assert (rows[4].kind, rows[4].at) == ("order_sending", story[4].at)


def test_every_table_holds_its_own_rows(closed, story):
    with sqlite3.connect(closed) as connection:
        counts = {
            table.name: connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0] for table in FAMILIES
        }

    assert counts == {
        "runs": 2, "book": 4, "decisions": 1, "intents": 1, "order_events": 2, "fills": 1, "halts": 1,
    }  # fmt: skip


def test_the_replay_of_a_journal_that_was_closed_is_the_book(closed, key):
    # 100,000 - 40 x 12.31 - 0.01 = 99,507.59; then 40 x 0.125 = 5 of dividends.
    with DatabaseJournal.open(closed, account=key) as journal:
        book = replay(journal.events())

    assert book.cash == Decimal("99512.590")
    assert book.quantity("ON") == 40


def test_a_fill_that_is_told_twice_is_recorded_once(closed, key, story):
    again = next(event for event in story if isinstance(event, FillBooked))

    with DatabaseJournal.open(closed, account=key) as journal:
        assert journal.append(again) is False
        assert journal.events() == story


@pytest.mark.parametrize("thing", ["text", None, {"code": "max_gross"}])
def test_only_events_are_recorded(journal, story, thing):
    with pytest.raises(TypeError, match="no event"):
        journal.append(thing)

    assert journal.events() == story


def test_a_row_that_cannot_be_written_leaves_no_trace(journal, story, key, path):
    with pytest.raises(ValueError, match="no UTC offset"):
        journal.append(BookOpened(story[0].at.replace(tzinfo=None), "SIM-main", Decimal(1)))

    assert journal.append(story[0])
    with DatabaseJournal.open(path, account=key) as other:
        assert other.events() == (*story, story[0])


def test_an_interrupt_in_the_middle_of_a_row_leaves_no_trace(journal, story, key, path, monkeypatch):
    monkeypatch.setattr(database, "insert", lambda table: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        journal.append(story[0])
    monkeypatch.undo()

    assert journal.append(story[0])
    with DatabaseJournal.open(path, account=key) as other:
        assert other.events() == (*story, story[0])


@pytest.mark.parametrize("table", ["account", "chain", *(table.name for table in FAMILIES)])
@pytest.mark.parametrize("change", ["UPDATE {} SET rowid = rowid + 100", "DELETE FROM {}"])
def test_no_row_can_be_changed_or_deleted(closed, table, change):
    with sqlite3.connect(closed) as connection, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(change.format(table))


def test_files_are_for_their_owner_alone(journal, path):
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {name.stat().st_mode & 0o777 for name in path.parent.iterdir()} == {0o600}
    assert len(list(path.parent.iterdir())) == 4


def test_every_commit_reaches_the_disk(journal):
    found = [
        journal._connection.exec_driver_sql(f"PRAGMA {name}").scalar()
        for name in ("journal_mode", "synchronous", "foreign_keys")
    ]

    assert found == ["wal", 2, 1]  # 2 is FULL


def test_the_migrations_make_the_tables_that_the_code_knows(closed):
    engine = create_engine(f"sqlite:///{closed}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_the_newest_migration_is_the_version_that_is_read():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    assert ScriptDirectory.from_config(config).get_heads() == [VERSION]


def test_a_migration_leaves_the_logging_as_it_was(path, key):
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("alembic").level, logging.root.manager.disable)

    DatabaseJournal.open(path, account=key, create=True).close()

    assert (root.level, list(root.handlers), logging.getLogger("alembic").level, logging.root.manager.disable) == before
    assert not logging.getLogger("aitrader").disabled


def test_a_whole_journal_is_opened_without_alembic(closed):
    script = """
    with DatabaseJournal.open(path, account=KEY) as journal:
        journal.append(row("x"))
    print(sorted(name for name in sys.modules if name == "alembic"))
    """

    with child(script, closed) as process:
        assert process.stdout.read() == "[]\n"


def test_a_journal_that_was_begun_but_not_finished_is_finished(path, key, story):
    path.parent.mkdir(parents=True)
    path.touch()

    with DatabaseJournal.open(path, account=key, create=True) as journal:
        journal.append(story[0])

    with DatabaseJournal.open(path, account=key, create=True) as journal:
        assert journal.events() == story[:1]


def test_a_build_that_fails_leaves_no_table(path, key, monkeypatch):
    monkeypatch.setattr(database, "astuple", lambda account: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        DatabaseJournal.open(path, account=key, create=True)
    monkeypatch.undo()

    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


def test_a_missing_journal_is_never_made_anew_unasked(path, key):
    with pytest.raises(JournalError, match="is missing") as caught:
        DatabaseJournal.open(path, account=key)

    assert "reconcile --rebuild" in caught.value.fix
    assert caught.value.exit_code == 3
    assert not path.exists()


def test_a_journal_is_made_for_an_account(path):
    with pytest.raises(ValueError, match="for an account"):
        DatabaseJournal.open(path, account=None, create=True)

    assert not path.exists()


def test_the_journal_of_another_account_is_refused(closed, key):
    other = AccountKey("main", "simulated", "", "SIM-other")

    with pytest.raises(JournalError, match="SIM-main of book main, not of the simulated account SIM-other"):
        DatabaseJournal.open(closed, account=other)
    with pytest.raises(JournalError, match="SIM-other"):
        DatabaseJournal.open(closed, account=other, create=True)

    with DatabaseJournal.open(closed, account=None) as journal:
        assert journal.account == key


def test_a_newer_schema_is_refused_with_both_versions(closed, key):
    with sqlite3.connect(closed) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0042'")

    with pytest.raises(JournalError, match=r"has the version '0042'; this aitrader reads '0001'"):
        DatabaseJournal.open(closed, account=key)


def test_a_folder_whose_name_means_something_to_sqlite_is_fine(tmp_path, key, story):
    path = tmp_path / "what? 100% #1 é" / "journal.sqlite"

    with DatabaseJournal.open(path, account=key, create=True) as journal:
        journal.append(story[0])

    assert path.stat().st_size > 0


def test_two_processes_append_to_one_chain(closed, key):
    script = """
    print("ready", flush=True)
    with DatabaseJournal.open(path, account=KEY) as journal:
        for number in range(40):
            journal.append(row(f"{sys.argv[0]}-{number}"))
    """
    with child(script, closed) as one, child(script, closed) as two:
        assert [one.wait(60), two.wait(60)] == [0, 0]

    with DatabaseJournal.open(closed, account=key) as journal:
        assert len(journal.rows()) == 12 + 80
        assert journal.check() == ()


def test_rows_of_another_process_are_seen_at_the_next_look(closed, key, story):
    with DatabaseJournal.open(closed, account=key) as one, DatabaseJournal.open(closed, account=key) as two:
        assert one.events() == two.events() == story
        two.append(story[0])
        assert one.events() == (*story, story[0])
        fill = next(event for event in story if isinstance(event, FillBooked))
        assert one.append(fill) is False


def test_a_writer_that_never_ends_is_told_as_a_lock(closed, key, story, monkeypatch):
    monkeypatch.setattr(database, "_PATIENCE_S", 0.0)
    holder = sqlite3.connect(closed, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    with DatabaseJournal.open(closed, account=key) as journal:
        assert journal.events() == story
        with pytest.raises(LockHeldError, match="Another process has been writing"):
            journal.append(story[0])
        holder.execute("ROLLBACK")
        assert journal.append(story[0])
    holder.close()


@pytest.mark.parametrize("rows", [1, 7, 30])
def test_what_a_killed_process_had_recorded_is_there(closed, key, rows):
    script = """
    journal = DatabaseJournal.open(path, account=KEY)
    number = 0
    while True:
        number += 1
        journal.append(row(f"{number}"))
        print(number, flush=True)
    """
    with child(script, closed) as process:
        while int(process.stdout.readline()) < rows:
            pass
        process.kill()
        told = int((process.stdout.read().split() or [rows])[-1])

    with DatabaseJournal.open(closed, account=key) as journal:
        names = [event.run_id for event in journal.events()[12:] if isinstance(event, RunStarted)]
        assert names == [str(number) for number in range(1, len(names) + 1)]
        assert told <= len(names) <= told + 1
        assert journal.check() == ()
        assert journal.append(journal.events()[0])


def test_a_full_disk_is_a_clear_error_and_loses_nothing(closed, key, story):
    script = """
    import resource, signal
    from aitrader.errors import JournalError
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    journal = DatabaseJournal.open(path, account=KEY)
    size = path.stat().st_size + 60_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    count = 0
    try:
        while True:
            journal.append(row("x" * 5000))
            count += 1
    except JournalError as error:
        print(count, error.exit_code, bool(error.fix), "could not be read or written" in str(error))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    journal.append(row("after"))
    """
    with child(script, closed) as process:
        count, *rest = process.stdout.read().split()
        assert (process.wait(), rest) == (0, ["3", "True", "True"])

    with DatabaseJournal.open(closed, account=key) as journal:
        assert journal.events()[:12] == story
        assert len(journal.events()) == 12 + int(count) + 1
        assert journal.check() == ()
