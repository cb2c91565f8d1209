"""One process at a time, and a killed one holds nothing."""

import subprocess
import sys

import pytest

from aitrader.disk.lock import locked, refuse_held
from aitrader.errors import DataError, LockHeldError

HOLDER = """
import sys
from pathlib import Path
from aitrader.disk.lock import locked
with locked(Path(sys.argv[1]), "holds it"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_is_refused_at_once(tmp_path):
    told = pytest.raises(LockHeldError, match="process waits")

    with locked(tmp_path / "lock", "trades the book main"), told as caught, locked(tmp_path / "lock", "waits"):
        pass

    assert caught.value.exit_code == 6


def test_a_lock_is_free_after_its_block(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock", "works"):
        _ = 1 / 0

    with locked(tmp_path / "lock", "works"):
        pass


def test_a_killed_process_holds_nothing(tmp_path):
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockHeldError), locked(path, "holds it"):
            pass
        holder.kill()
        holder.wait()
        with locked(path, "holds it"):
            pass


def test_a_folder_that_is_missing_is_a_clear_error(tmp_path):
    with pytest.raises(DataError, match="cannot be written") as caught, locked(tmp_path / "none" / "lock", "works"):
        pass

    assert caught.value.fix


def test_to_ask_whether_a_lock_is_held_neither_takes_nor_makes_it(tmp_path):
    path = tmp_path / "lock"

    refuse_held(path, "works")
    assert not path.exists()
    with locked(path, "works"), pytest.raises(LockHeldError, match="process waits"):
        refuse_held(path, "waits")
    refuse_held(path, "works")
    with locked(path, "works"):
        pass
