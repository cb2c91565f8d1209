"""A damaged journal is an error message, never a number."""

import shutil
import sqlite3

import pytest

from aitrader.domain.events import FillBooked, OrderSending
from aitrader.errors import JournalError
from aitrader.journal.database import DatabaseJournal


def read(path, key):
    with DatabaseJournal.open(path, account=key) as journal:
        return journal.events()


def change(path, *statements):
    """Change what the triggers protect, as only damage or an intruder would."""
    connection = sqlite3.connect(path, isolation_level=None)
    for name in [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_no_flipped_bit_becomes_another_story(closed, key, story):
    original = closed.read_bytes()
    noticed = 0

    for position in range(3, len(original), 229):
        damaged = bytearray(original)
        damaged[position] ^= 1 << (position % 8)
        closed.write_bytes(damaged)
        try:
            assert read(closed, key) == story, f"silently wrong after a flip at byte {position}"
        except JournalError as error:
            noticed += 1
            assert str(closed) in str(error)
            assert error.fix

    assert noticed > 10  # most of each page is empty


@pytest.mark.parametrize("kept", [0, 1, 100, 4095, 4096, 8192, 20_000, -4096, -1])
def test_no_truncated_file_is_a_shorter_story(closed, key, kept):
    closed.write_bytes(closed.read_bytes()[:kept])

    with pytest.raises(JournalError):
        read(closed, key)


def test_no_zeroed_page_becomes_another_story(closed, key, story):
    original = closed.read_bytes()

    for page in range(len(original) // 4096):
        damaged = bytearray(original)
        damaged[page * 4096 : (page + 1) * 4096] = bytes(4096)
        closed.write_bytes(damaged)
        try:
            assert read(closed, key) == story, f"silently wrong without page {page}"
        except JournalError:
            continue


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0", b"\0" * 8192])
def test_another_file_in_its_place_is_an_error(closed, key, content):
    closed.write_bytes(content)

    with pytest.raises(JournalError) as caught:
        read(closed, key)

    assert "reconcile --rebuild" in caught.value.fix or "wrote it" in caught.value.fix


def test_a_folder_in_its_place_is_an_error(closed, key):
    closed.unlink()
    closed.mkdir()

    with pytest.raises(JournalError, match="could not be read or written"):
        read(closed, key)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE fills SET body = replace(body, '12.310', '12.311')", "row 7 is not what was written"),
        ("UPDATE fills SET fill_id = 'f-2'", "row 7 is not what was written"),
        ("UPDATE halts SET at = '2026-01-06T14:30:00.123456+00:00'", "row 11 is not what was written"),
        ("UPDATE chain SET kind = 'fill_booked' WHERE seq = 6", "row 6 is not what was written"),
        ("UPDATE fills SET body = CAST(body AS BLOB)", "row 7 is not what was written"),
        ("DELETE FROM fills", "the content of row 7 is missing"),
        ("DELETE FROM chain WHERE seq = 7", "row 7 is missing"),
        ("DELETE FROM chain WHERE seq = 12", "1 rows stand outside the chain, which ends at row 11"),
        ("UPDATE chain SET hash = 'x' WHERE seq = 12", "row 12 is not what was written"),
        ("UPDATE account SET book = 'maim'", "is the journal of the simulated account SIM-main of book maim"),
        ("DELETE FROM account", "does not say whose it is"),
        ("UPDATE account SET number = 7", "is the journal of the simulated account 7"),
        ("DROP TABLE halts", "no such table"),
        ("DELETE FROM alembic_version", "has the version none"),
    ],
)
def test_a_row_that_was_changed_is_named(closed, key, statement, told):
    change(closed, "PRAGMA foreign_keys = OFF", statement)

    with pytest.raises(JournalError, match=told):
        read(closed, key)


def test_an_account_that_was_changed_breaks_the_chain_of_whoever_does_not_know_it(closed):
    change(closed, "UPDATE account SET number = 'SIM-maim'")

    with pytest.raises(JournalError, match="row 1 is not what was written, or follows another row"):
        read(closed, None)


def test_nothing_is_added_to_a_damaged_journal(closed, key, story):
    change(closed, "UPDATE fills SET body = replace(body, '12.310', '12.311')")

    with DatabaseJournal.open(closed, account=key) as journal, pytest.raises(JournalError, match="row 7"):
        journal.append(story[0])

    with sqlite3.connect(closed) as connection:
        assert connection.execute("SELECT count(*) FROM chain").fetchone() == (12,)


def test_check_says_what_is_wrong(closed, key):
    with DatabaseJournal.open(closed, account=key) as journal:
        assert journal.check() == ()
        change(closed, "UPDATE fills SET body = replace(body, '12.310', '12.311')")

        (told,) = journal.check()

    assert "row 7 is not what was written" in told


def test_check_finds_what_reading_does_not_touch(closed, key):
    root = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_account_1'"
    swap = f"UPDATE sqlite_master SET rootpage = ({root}) WHERE name = 'sqlite_autoindex_fills_1'"
    change(closed, "PRAGMA writable_schema = ON", swap)

    with DatabaseJournal.open(closed, account=key) as journal:
        assert any(text.startswith("SQLite: ") for text in journal.check())


def test_check_finds_an_order_filled_beyond_its_size(journal, story):
    fill = next(event.fill for event in story if isinstance(event, FillBooked))
    order = next(event.order for event in story if isinstance(event, OrderSending))
    journal.append(FillBooked(fill.at, type(fill)("f-2", *[getattr(fill, n) for n in fill.__slots__[1:]])))
    assert journal.check() == ()
    journal.append(FillBooked(fill.at, type(fill)("f-3", *[getattr(fill, n) for n in fill.__slots__[1:]])))

    assert journal.check() == (f"Order {order.client_id} was filled with 120 shares and sent with 100.",)


def test_a_copy_of_the_whole_folder_is_the_same_journal(closed, key, story, tmp_path):
    shutil.copytree(closed.parent, tmp_path / "copy")

    assert read(tmp_path / "copy" / closed.name, key) == story


@pytest.fixture
def killed(path, key, story):
    """A journal as a killed process leaves it: half of the story in the database, all of it in its log."""
    with DatabaseJournal.open(path, account=key, create=True) as journal:
        for event in story[:6]:
            journal.append(event)
    journal = DatabaseJournal.open(path, account=key)
    for event in story[6:]:
        journal.append(event)
    copy = shutil.copytree(path.parent, path.parent.with_name("killed"))
    journal.close()
    return copy / path.name


def test_what_stands_in_the_log_of_a_killed_process_is_read(killed, key, story):
    assert read(killed, key) == story


def test_no_flipped_bit_in_the_log_makes_the_story_shorter(killed, key, story):
    log = killed.with_name(f"{killed.name}-wal")
    whole = {path.name: path.read_bytes() for path in killed.parent.iterdir()}
    noticed = 0

    for position in range(3, len(whole[log.name]), 1999):
        for name, content in whole.items():
            killed.with_name(name).write_bytes(content)
        damaged = bytearray(whole[log.name])
        damaged[position] ^= 1 << (position % 8)
        log.write_bytes(damaged)
        try:
            assert read(killed, key) == story, f"silently shorter after a flip at byte {position} of the log"
        except JournalError:
            noticed += 1

    assert noticed > 10


def test_a_log_that_was_deleted_is_missed(killed, key):
    killed.with_name(f"{killed.name}-wal").unlink()

    with pytest.raises(JournalError, match="row 12 was recorded and is gone; 6 rows are left"):
        read(killed, key)


def test_an_old_copy_of_the_journal_is_not_taken_for_the_journal(closed, key, story):
    old = closed.read_bytes()
    with DatabaseJournal.open(closed, account=key) as journal:
        journal.append(story[0])
    closed.write_bytes(old)

    with pytest.raises(JournalError, match="row 13 was recorded and is gone"):
        read(closed, key)
    with DatabaseJournal.open(closed, account=key) as journal, pytest.raises(JournalError, match="row 13"):
        journal.append(story[0])


@pytest.mark.parametrize("content", [b"", b"\0" * 86, b"00000000000000000012 ", None])
def test_a_note_that_a_loss_of_power_took_is_no_damage(closed, key, story, content):
    anchor = closed.with_name(f"{closed.name}-head")
    anchor.unlink()
    if content is not None:
        anchor.write_bytes(content)

    with DatabaseJournal.open(closed, account=key) as journal:
        assert journal.events() == story
        journal.append(story[0])

    assert anchor.read_bytes().startswith(b"00000000000000000013 ")


def test_a_note_that_fell_behind_is_no_damage(closed, key, story):
    anchor = closed.with_name(f"{closed.name}-head")
    behind = anchor.read_bytes()
    with DatabaseJournal.open(closed, account=key) as journal:
        journal.append(story[0])
    anchor.write_bytes(behind)

    assert read(closed, key) == (*story, story[0])
