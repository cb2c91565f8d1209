"""A book whose files somebody else could have written is not traded; an emergency closes it all the same."""

import os
import stat

import pytest

from aitrader.disk.files import make_folder

NOW = ("--now", "2013-08-08T18:00-04:00")
RESUME = ("resume", "--account", "SIM-main", "--reason", "x")
TRADE = ("trade", "--now", "2013-08-08T09:36-04:00")


@pytest.fixture
def traded(even_book):
    return even_book


@pytest.mark.parametrize("name", ["state", "state/main", "state/main/journal.sqlite", "state/main/paper.sqlite"])
def test_a_book_that_every_user_may_write_is_refused_with_the_command_that_mends_it(run_cli, traded, name):
    path = traded / name
    path.chmod(0o777 if path.is_dir() else 0o666)

    for words in (("trade", *NOW), ("trade", "--dry-run", *NOW), ("journal", "ls"), RESUME):
        ran = run_cli(*words, root=traded)

        assert ran.code == 3, (words, ran.out)
        assert f"{path} can be written by every user." in ran.err
        assert f"fix: Run: chmod o-w {path}" in ran.err

    path.chmod(stat.S_IMODE(path.stat().st_mode) & ~stat.S_IWOTH)
    assert run_cli("trade", *NOW, root=traded).code == 0


@pytest.mark.parametrize("name", ["state", "state/main", "state/main/journal.sqlite", "state/main/account.json"])
def test_a_book_behind_a_link_is_refused(run_cli, traded, tmp_path, name):
    path = traded / name
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")

    ran = run_cli("trade", *NOW, root=traded)

    assert ran.code == 3, ran.out
    assert f"{path} is a symbolic link." in ran.err


def test_a_lock_behind_a_link_is_not_followed(run_cli, traded, tmp_path):
    lock = traded / "state/main/lock"
    lock.unlink()
    lock.symlink_to(tmp_path / "somewhere")

    assert run_cli("trade", *NOW, root=traded).code == 3
    assert not (tmp_path / "somewhere").exists()


def test_an_emergency_closes_a_book_that_every_user_may_write_and_warns(run_cli, traded):
    folder = traded / "state/main"
    folder.chmod(0o777)
    (folder / "journal.sqlite").chmod(0o666)

    ran = run_cli("emergency-shutdown", "--yes", "--json", *NOW, root=traded)

    assert ran.code == 10, ran.err
    warnings = " ".join(ran.envelope["warnings"])
    assert f"{folder} can be written by every user. Run: chmod o-w {folder}" in warnings
    assert f"chmod o-w {folder}/journal.sqlite" in warnings
    assert (folder / "HALT").exists()


def test_a_latch_counts_whoever_may_write_it(run_cli, traded):
    latch = traded / "state/main/HALT"
    latch.touch()
    latch.chmod(0o666)

    assert run_cli("trade", *NOW, root=traded).code == 4
    assert run_cli(*RESUME, root=traded).code == 0


def test_a_new_state_folder_is_its_owners_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        make_folder(tmp_path / "state" / "main", 0o700)
    finally:
        os.umask(before)

    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("state", "state/main")] == [0o700, 0o700]
