"""Which account a book is, as its file says."""

import json

import pytest

from aitrader.errors import JournalError
from aitrader.journal.account import AccountKey, read_account, write_account

KEY = AccountKey(book="main", kind="simulated", host="", number="SIM-main")


def test_an_account_comes_back_as_it_was_written(tmp_path):
    write_account(tmp_path, KEY)

    assert read_account(tmp_path) == KEY


def test_the_file_is_for_its_owner_alone(tmp_path):
    write_account(tmp_path, KEY)

    assert (tmp_path / "account.json").stat().st_mode & 0o777 == 0o600


def test_no_file_is_no_account_yet(tmp_path):
    assert read_account(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"book": "main"}',
        b'{"book": "main", "kind": "simulated", "host": "", "number": 7}',
        b'{"book": "main", "kind": "simulated", "host": "", "number": "SIM-main", "more": ""}',
    ],
)
def test_a_damaged_file_is_an_error(tmp_path, text):
    (tmp_path / "account.json").write_bytes(text)

    with pytest.raises(JournalError, match=r"account\.json is damaged") as caught:
        read_account(tmp_path)

    assert caught.value.fix


def test_no_truncated_file_is_an_account(tmp_path):
    write_account(tmp_path, KEY)
    whole = (tmp_path / "account.json").read_bytes().rstrip()

    for kept in range(len(whole)):
        (tmp_path / "account.json").write_bytes(whole[:kept])
        with pytest.raises(JournalError):
            read_account(tmp_path)


def test_a_folder_in_its_place_is_an_error(tmp_path):
    (tmp_path / "account.json").mkdir()

    with pytest.raises(JournalError, match="cannot be read"):
        read_account(tmp_path)


def test_a_failed_write_leaves_the_old_account(tmp_path, monkeypatch):
    write_account(tmp_path, KEY)
    monkeypatch.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))

    with pytest.raises(JournalError, match="No space left"):
        write_account(tmp_path, AccountKey("main", "simulated", "", "SIM-other"))

    assert json.loads((tmp_path / "account.json").read_text())["number"] == "SIM-main"
