"""The catalog: what it says is what was committed, or it is an error."""

import os
import random
import sqlite3

import pytest

from aitrader.errors import LakeError
from aitrader.lake.store import Lake


@pytest.fixture
def root(tmp_path, make_bars, append):
    """A closed lake of three commits."""
    path = tmp_path / "lake"
    with Lake.open(path, create=True) as lake:
        for symbol in ("AAPL", "ON", "BRK.B"):
            append(lake, make_bars((symbol,)))
    return path


def execute(root, *statements):
    with sqlite3.connect(root / "catalog.sqlite") as database:
        for statement in statements:
            database.execute(statement)
    database.close()


def test_a_lake_of_a_newer_version_is_refused(root):
    execute(root, "PRAGMA user_version = 99")

    with pytest.raises(LakeError, match="newer version") as caught:
        Lake.open(root)

    assert caught.value.exit_code == 3
    assert "Upgrade" in caught.value.fix


def test_a_catalog_that_cannot_be_written_is_read_and_left_as_it_is(root, make_bars, append, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in root.iterdir()}
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)

    with Lake.open(root) as lake:
        assert lake.snapshot().version == 3
        assert {path: path.stat().st_mtime_ns for path in root.iterdir()} == before
        with pytest.raises(LakeError, match="readonly database"):
            append(lake, make_bars(("AMD",)))


@pytest.mark.parametrize("older", [0, 1])
def test_a_lake_of_an_older_version_says_what_to_do(root, older):
    execute(root, f"PRAGMA user_version = {older}")

    with pytest.raises(LakeError, match="older version") as caught:
        Lake.open(root, create=True)

    assert "aitrader backfill" in caught.value.fix


def test_a_lost_catalog_is_not_an_empty_lake(root):
    (root / "catalog.sqlite").unlink()

    for create in (False, True):
        with pytest.raises(LakeError, match="lost") as caught:
            Lake.open(root, create=create)
        assert "Restore" in caught.value.fix


def test_a_file_that_is_no_catalog_is_refused(root):
    (root / "catalog.sqlite").write_bytes(b"not a database" * 400)

    with pytest.raises(LakeError, match="damaged"):
        Lake.open(root)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE files SET source = 'yahoo' WHERE rowid = 2",
        "UPDATE series SET adjustment = 'total' WHERE symbol = 'ON'",
        "DELETE FROM files WHERE rowid = 1",
        "DELETE FROM commits WHERE version = 2",
        "UPDATE commits SET recorded_at = '2001-01-01T00:00:00.000000+00:00' WHERE version = 1",
    ],
)
def test_a_changed_row_is_noticed(root, statement):
    execute(root, statement)

    with Lake.open(root) as lake, pytest.raises(LakeError, match="is damaged"):
        lake.snapshot()


def test_no_flipped_bit_changes_what_the_catalog_says(root, tmp_path):
    original = (root / "catalog.sqlite").read_bytes()
    with Lake.open(root) as lake:
        truth = lake.snapshot()
        rows = truth.bars()
    picks = random.Random(11).sample(range(len(original) * 8), 250)
    noticed = 0

    for bit in picks:
        for name in ("catalog.sqlite-wal", "catalog.sqlite-shm"):
            (root / name).unlink(missing_ok=True)
        damaged = bytearray(original)
        damaged[bit // 8] ^= 1 << (bit % 8)
        (root / "catalog.sqlite").write_bytes(damaged)
        try:
            with Lake.open(root) as lake:
                view = lake.snapshot()
                assert (view.digest, view.series(), view.bars().equals(rows)) == (truth.digest, truth.series(), True)
        except LakeError as error:
            noticed += 1
            assert error.fix

    assert noticed > 0


def test_versions_count_commits_and_digests_name_their_content(root, tmp_path, make_bars, append):
    with Lake.open(root) as lake:
        before = lake.snapshot()
        append(lake, make_bars(("TRUE",)))
        after = lake.snapshot()

    assert (before.version, after.version) == (3, 4)
    assert before.digest != after.digest
