"""A latch is the existence of a file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import aitrader
from aitrader.domain.events import Latch
from aitrader.journal.halt import FileLatches, latch_folders


@pytest.fixture
def folders(tmp_path):
    found = latch_folders(tmp_path, "main")
    found[0].mkdir(parents=True)
    return found


@pytest.fixture
def latches(folders):
    return FileLatches(folders, environment_halt=False)


def test_nothing_is_shut_at_first(latches):
    assert latches.standing() == frozenset()


def test_what_is_shut_stands_until_it_is_cleared(latches, folders):
    latches.latch(Latch.HALT_ENTRIES, "operator: news")

    assert latches.standing() == {Latch.HALT_ENTRIES}
    assert (folders[0] / "HALT_ENTRIES").read_text() == "operator: news\n"
    assert (folders[0] / "HALT_ENTRIES").stat().st_mode & 0o777 == 0o600
    assert latches.clear(Latch.HALT) == ()
    assert latches.clear(Latch.HALT_ENTRIES) == (folders[0] / "HALT_ENTRIES",)
    assert latches.standing() == frozenset()


def test_a_latch_keeps_its_first_reason(latches, folders):
    latches.latch(Latch.HALT, "max_drawdown")
    latches.latch(Latch.HALT, "operator")

    assert (folders[0] / "HALT").read_text() == "max_drawdown\n"
    assert latches.problems == []


def test_the_folder_above_shuts_every_book(latches, folders):
    (folders[1] / "HALT").touch()

    assert latches.standing() == {Latch.HALT}
    assert latches.clear(Latch.HALT) == (folders[1] / "HALT",)


def test_a_latch_of_one_book_is_none_of_another(latches, tmp_path):
    latches.latch(Latch.HALT, "x")

    assert FileLatches(latch_folders(tmp_path, "other"), environment_halt=False).standing() == frozenset()


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("nowhere"), os.mkfifo])
def test_whatever_has_the_name_shuts(latches, folders, make):
    make(folders[0] / "HALT")

    assert latches.standing() == {Latch.HALT}
    latches.latch(Latch.HALT, "again")
    assert latches.problems == []


def test_the_environment_shuts_and_cannot_be_cleared(folders):
    latches = FileLatches(folders, environment_halt=True)

    latches.clear(Latch.HALT)

    assert latches.standing() == {Latch.HALT}


def test_a_latch_makes_the_folder_of_a_book_that_never_began(tmp_path):
    latches = FileLatches(latch_folders(tmp_path, "new"), environment_halt=False)

    latches.latch(Latch.HALT, "x")

    assert (tmp_path / "state" / "new" / "HALT").exists()
    assert (tmp_path / "state" / "new").stat().st_mode & 0o777 == 0o700


def test_where_its_own_folder_fails_all_books_are_shut(tmp_path):
    folders = latch_folders(tmp_path, "main")
    folders[1].mkdir()
    folders[0].write_text("a file where the folder should be")
    latches = FileLatches(folders, environment_halt=False)

    latches.latch(Latch.HALT, "x")

    assert latches.standing() == {Latch.HALT}
    assert (folders[1] / "HALT").exists()
    assert [text.partition(":")[0] for text in latches.problems] == [f"HALT could not be written in {folders[0]}"]


def test_a_latch_that_cannot_be_written_is_told_and_not_raised(tmp_path):
    (tmp_path / "state").write_text("no folder")
    latches = FileLatches(latch_folders(tmp_path, "main"), environment_halt=False)

    latches.latch(Latch.HALT, "x")

    assert latches.standing() == frozenset()
    assert len(latches.problems) == 2


def test_a_latch_that_cannot_be_removed_is_told(latches, folders):
    (folders[0] / "HALT").mkdir()

    assert latches.clear(Latch.HALT) == ()
    assert latches.standing() == {Latch.HALT}
    assert str(folders[0] / "HALT") in latches.problems[0]


def test_on_a_full_disk_the_name_alone_shuts(latches, folders, monkeypatch):
    monkeypatch.setattr(os, "write", lambda descriptor, data: (_ for _ in ()).throw(OSError(28, "No space left")))

    latches.latch(Latch.HALT, "x")

    assert latches.standing() == {Latch.HALT}
    assert latches.problems == []


def test_account_and_latches_need_nothing_that_is_installed(tmp_path):
    source = Path(aitrader.__file__).parents[1]
    code = f"import sys; sys.path.insert(0, {str(source)!r}); import aitrader.journal.halt, aitrader.journal.account"

    ran = subprocess.run([sys.executable, "-S", "-I", "-c", code], capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
