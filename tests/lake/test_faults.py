"""What happens to a lake when processes die, disks fill up and two commands meet."""

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import polars as pl
import pytest

from aitrader.errors import LockHeldError
from aitrader.lake.store import Lake
from aitrader.lake.verify import verify

PRELUDE = """
import os, resource, signal, sqlite3, sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
import polars as pl
from aitrader.domain.frames import BARS, Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.errors import AitraderError, exit_code_of
from aitrader.lake.store import Lake

root = Path(sys.argv[1])

def bars(symbol, close, rows=400):
    days = [date(2011, 6, 1) + timedelta(days=number) for number in range(rows)]
    known = [datetime(day.year, day.month, day.day, 21, tzinfo=UTC) for day in days]
    price = [close + number / 7 for number in range(rows)]
    numbers = dict.fromkeys(("open", "high", "low", "close", "volume"), price)
    frame = {"symbol": [symbol] * rows, "session": days, **numbers, "vwap": [None] * rows, "adj_close": [None] * rows}
    return pl.DataFrame({**frame, "source": ["test"] * rows, "known_at": known}, schema=BARS)

def append(lake, symbol, close=10.0):
    series = {symbol: SeriesInfo("test", Adjustment.RAW)}
    return lake.append("bars/1d", bars(symbol, close), source="test", series=series)
"""

WORK = """
with Lake.open(root, create=True) as lake:
    append(lake, "AAPL")
    append(lake, "ON")
"""

KILL_AT = """
steps, fatal = 0, int(sys.argv[2])

def step(*_):
    global steps
    steps += 1
    if steps == fatal:
        os.kill(os.getpid(), signal.SIGKILL)

fsync, replace, connect = os.fsync, Path.replace, sqlite3.connect

def connected(*args, **kwargs):
    database = connect(*args, **kwargs)
    database.set_trace_callback(step)
    return database

def before_and_after(function):
    def wrapped(*args):
        step()
        result = function(*args)
        step()
        return result
    return wrapped

os.fsync, Path.replace, sqlite3.connect = before_and_after(fsync), before_and_after(replace), connected
"""


def child(script, root, *arguments):
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(script), str(root), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def content(root):
    with Lake.open(root) as lake:
        view = lake.snapshot()
        found = verify(root, view, deep=True, tell=lambda *_: None)
        assert not found.problems
        return view.content_hash("bars/1d"), view.bars().height


def test_kill_at_any_step_leaves_an_old_or_a_new_version_and_a_rerun_completes_it(tmp_path):
    assert child(WORK, tmp_path / "whole").returncode == 0
    whole = content(tmp_path / "whole")
    counted = child(KILL_AT + WORK + "print(steps)", tmp_path / "counted", 0)
    steps = int(counted.stdout)
    assert steps > 40

    survived = set()
    for number in range(2, steps, 7):
        root = tmp_path / f"killed{number}"
        killed = child(KILL_AT + WORK, root, number)
        assert killed.returncode == -9, killed.stderr

        if (root / "catalog.sqlite").exists() and (root / "bars").exists():
            with Lake.open(root, create=True) as lake:
                view = lake.snapshot()
                survived.add(view.bars().height if view.version else 0)
        exec(PRELUDE.replace("Path(sys.argv[1])", "ROOT") + WORK, {"ROOT": root})
        assert content(root) == whole

    assert survived == {0, 400}


def test_a_disk_that_fills_up_loses_nothing(tmp_path):
    script = """
    with Lake.open(root) as lake:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
            append(lake, "ON")
        except AitraderError as error:
            print(type(error).__name__, exit_code_of(error), error)
    """
    root = tmp_path / "lake"
    child(WORK.replace('append(lake, "ON")', ""), root)
    before = content(root)

    outcomes = [child(script, root, limit).stdout for limit in (1_000, 5_000, 100_000, 10_000_000)]

    assert "LakeError 3" in outcomes[0]
    assert "File too large" in outcomes[0]
    assert "LakeError 3" in outcomes[1]
    assert outcomes[-1] == ""
    assert content(root) != before
    with Lake.open(root) as lake:
        assert lake.snapshot(as_of=lake.snapshot().datasets()[0].recorded_at).bars().height == 800


def test_a_full_disk_leaves_the_lake_as_it_was(tmp_path):
    root = tmp_path / "lake"
    child(WORK, root)
    before = content(root)
    script = """
    with Lake.open(root) as lake:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))
        try:
            append(lake, "NEW")
        except AitraderError as error:
            print(error.fix)
    """

    ran = child(script, root)

    assert "Free space" in ran.stdout, ran.stderr
    assert content(root) == before
    with Lake.open(root) as lake:
        assert verify(root, lake.snapshot(), deep=False, tell=lambda *_: None).orphans == ()


def test_a_folder_that_may_not_be_written_is_an_error(tmp_path):
    if os.getuid() == 0:
        folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
        folder.chmod(0o755)
    else:
        folder = tmp_path
    root = folder / "lake"
    script = """
    if os.getuid() == 0:
        os.setuid(65534)
    try:
        (root / "probe").touch()
    except PermissionError:
        print("denied")
    try:
        with Lake.open(root) as lake:
            append(lake, "NEW")
    except AitraderError as error:
        print(type(error).__name__, exit_code_of(error), "wrote nothing")
    """
    try:
        child(WORK, root)
        root.chmod(0o555)

        ran = child(script, root)
    finally:
        root.chmod(0o755)
        before = content(root)
        if folder != tmp_path:
            shutil.rmtree(folder)

    assert ran.stdout.splitlines() == ["denied", "DataError 3 wrote nothing"], ran.stderr
    assert before[1] == 800


def test_there_is_one_writer_for_a_dataset_and_another_may_write_the_next(lake, make_bars, append, make_actions):
    with Lake.open(lake.root) as other, lake.writer("bars/1d"):
        with pytest.raises(LockHeldError, match="bars/1d") as caught:
            append(other, make_bars())
        append(lake, make_bars())
        other.append("actions", make_actions(), source="files")

    assert caught.value.exit_code == 6


def test_the_lock_of_a_killed_process_is_free(tmp_path, make_bars, append):
    root = tmp_path / "lake"
    script = """
    with Lake.open(root, create=True) as lake, lake.writer("bars/1d"):
        print("held", flush=True)
        sys.stdin.read()
    """
    holder = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(script), str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        with Lake.open(root) as lake:
            with pytest.raises(LockHeldError):
                append(lake, make_bars())
            holder.kill()
            holder.wait()
            assert append(lake, make_bars()).rows == 12


def test_a_reader_sees_whole_commits_while_a_writer_works(tmp_path):
    root = tmp_path / "lake"
    child(WORK, root)
    script = """
    with Lake.open(root) as lake:
        for number in range(25):
            frame = pl.concat([bars("AAPL", 20.0 + number), bars("ON", 20.0 + number)])
            lake.append("bars/1d", frame, source="test")
    """
    writer = subprocess.Popen([sys.executable, "-c", PRELUDE + textwrap.dedent(script), str(root)])
    versions = set()

    with Lake.open(root) as lake:
        while writer.poll() is None:
            view = lake.snapshot()
            first = view.bars().group_by("symbol").agg(pl.col("close").sort_by("session").first())["close"]
            assert first.n_unique() == 1, "a mixture of two commits"
            versions.add(view.version)

    assert writer.returncode == 0
    assert len(versions) > 3


def test_what_an_interrupted_command_left_is_ignored_and_listed(lake, make_bars, append):
    append(lake, make_bars())
    folder = lake.root / "bars/1d/year=2013"
    (folder / ".tmp-000009-aa.parquet").write_bytes(b"half a file")
    (folder / "000009-aa.parquet").write_bytes(b"never committed")

    assert lake.snapshot().bars().height == 12
    orphans = verify(lake.root, lake.snapshot(), deep=True, tell=lambda *_: None).orphans
    assert orphans == ("bars/1d/year=2013/.tmp-000009-aa.parquet", "bars/1d/year=2013/000009-aa.parquet")
