"""A crash leaves the old file or the new one."""

import os

import pytest

from aitrader.disk.files import make_folder, write_text


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    target = tmp_path / "file.json"
    write_text(target, "old")
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(5, "Input/output error")))

    with pytest.raises(OSError, match="Input/output"):
        write_text(target, "new")

    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.json"]


def test_a_private_folder_is_readable_by_its_owner_alone(tmp_path):
    make_folder(tmp_path / "state" / "main", 0o700)

    assert (tmp_path / "state" / "main").stat().st_mode & 0o777 == 0o700
