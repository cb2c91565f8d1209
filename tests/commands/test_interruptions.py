"""Commands that are stopped, killed, run twice or left without disk lose nothing; the next run completes them."""

import os
import resource
import signal
import subprocess
import sys
import time

import polars as pl
import pytest

from aitrader.errors import BrokerError, RefusedError
from aitrader.jobs import calculate_features
from aitrader.jobs.assembly import feature_builds
from aitrader.lake.store import Lake
from aitrader.lake.verify import verify

SETTINGS = {
    "features.yaml": """
custom:
  one: close / close.shift(1) - 1
  five: close / close.shift(5) - 1
  jump: open / close.shift(1) - 1
sets: {small: [one, five, jump]}
compute: [small]
""",
    "models.yaml": """
first: {kind: ridge, features: small}
second: {kind: ridge, features: small, params: {alpha: 5}}
""",
    "training.yaml": "retrain: {every: 30, window: 60}\nbootstrap_samples: 200\ngate: {min_rank_ic_lower: -1}\n",
    "universe.yaml": "min_history: 5\n",
}
SAFE_POINT = {"backfill": 2, "calculate-features": 1, "train": 3}
"""After so many reports of progress part of the work is stored, and part is not."""
DATASETS = ("bars/1d", "actions", "quarantine/bars/1d", "predictions/first", "predictions/second")


@pytest.fixture
def prices(tmp_path):
    """A file of 250 symbols: three batches of backfill."""
    path = tmp_path / "prices.csv"
    days = ("2013-08-07", "2013-08-08", "2013-08-09")
    rows = [f"A{number},{day},1,2,1,{1 + number / 250},5\n" for number in range(250) for day in days]
    path.write_text("symbol,date,open,high,low,close,volume\n" + "".join(rows))
    return path


@pytest.fixture
def commands(prices, monkeypatch):
    """Return the three commands that write the lake, each with several safe points."""
    monkeypatch.setattr(feature_builds, "PART_BYTES", 1)
    monkeypatch.setattr(feature_builds, "PIECE_BYTES", 1)
    return {
        "backfill": ["backfill", "--source", "files", "--path", str(prices), "--adjustment", "raw"],
        "calculate-features": ["calculate-features", "--set", "data.source=test"],
        "train": ["train", "--set", "data.source=test"],
    }


@pytest.fixture
def make_root(tmp_path, run_cli, made_bars, store_bars):
    def make(name):
        root = tmp_path / name
        assert run_cli("init", root).code == 0
        for file in (root / "config").iterdir():
            if file.is_file() and file.name not in {"aitrader.yaml", *SETTINGS}:
                file.unlink()
        for file, text in SETTINGS.items():
            (root / "config" / file).write_text(text)
        store_bars(root, made_bars(sessions=130))
        return root

    return make


def content(root):
    """Return what the lake says, after checking every byte of it: rows, features and models."""
    with Lake.open(root / "data_lake") as lake:
        view = lake.snapshot()
        assert verify(lake.root, view, deep=True, tell=lambda *_: None).problems == ()
        rows = {name: view.content_hash(name) for name in DATASETS}
        features = view.feature_frame() if view.builds() else pl.DataFrame()
    models = {path.relative_to(root): path.read_bytes() for path in (root / "data_lake/models").rglob("model.json")}
    return rows, features.hash_rows().to_list(), models


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["backfill", "calculate-features", "train"])
def test_a_stopped_command_keeps_what_it_finished_and_the_next_run_completes_it(
    run_cli, two_lines, make_root, commands, at_progress, name, number
):
    root, other = make_root("stopped"), make_root("uninterrupted")
    before = content(root)
    injected = at_progress(SAFE_POINT[name], lambda: os.kill(os.getpid(), number))

    stopped = run_cli(*commands[name], root=root)

    assert injected, "the signal was not sent"
    two_lines(stopped, 128 + number, f"Stopped by {number.name}")
    midway = content(root)
    again = run_cli(*commands[name], root=root)
    whole = run_cli(*commands[name], root=other)
    assert (again.code, whole.code) == (0, 0), again.err
    assert content(root) == content(other)
    assert before != content(root)
    assert midway != content(root), "the command had already finished"


LOADING = """
import os, sys
module, number = sys.argv[1:]
class Signals:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            os.kill(os.getpid(), int(number))
sys.meta_path.insert(0, Signals())
from aitrader.__main__ import main
sys.argv = ["aitrader", "train"]
main()
"""


@pytest.mark.parametrize("module", ["aitrader.cli.app", "aitrader.cli.train"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_program_loads_is_no_traceback(tmp_path, module, number):
    line = [sys.executable, "-c", LOADING, module, str(int(number))]

    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert done.returncode == 128 + number
    assert done.stderr.splitlines()[0] == f"error: Stopped by {number.name}."
    assert done.stderr.splitlines()[1].startswith("fix: ")
    assert len(done.stderr.splitlines()) == 2


KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path

left = [int(sys.argv.pop(1))]

def step(*_):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def stepping(function):
    def wrapped(*args, **more):
        step()
        result = function(*args, **more)
        step()
        return result
    return wrapped

connect = sqlite3.connect

def connected(*args, **more):
    database = connect(*args, **more)
    database.set_trace_callback(step)
    return database

os.fsync, os.replace, sqlite3.connect = stepping(os.fsync), stepping(os.replace), connected
from aitrader.__main__ import main
main()
"""


def test_a_backfill_that_is_killed_again_and_again_still_ends_like_an_uninterrupted_one(run_cli, tmp_path, prices):
    words = ["backfill", "--source", "files", "--path", str(prices), "--adjustment", "raw"]
    root, other = tmp_path / "killed", tmp_path / "whole"
    for place in (root, other):
        run_cli("init", place)
    assert run_cli(*words, root=other).code == 0

    codes = []
    for steps in (3, 17, 40, 70):
        line = [sys.executable, "-c", KILLED, str(steps), *words, "--root", str(root)]
        codes.append(subprocess.run(line, capture_output=True, check=False).returncode)

    assert codes == [-signal.SIGKILL] * 4, "the process was not killed"
    assert run_cli(*words, root=root).code == 0
    assert content(root) == content(other)


@pytest.mark.parametrize("name", ["backfill", "calculate-features", "train"])
def test_a_full_disk_loses_nothing_and_space_mends_it(
    run_cli, two_lines, make_root, commands, at_progress, monkeypatch, name
):
    root, other = make_root("full"), make_root("uninterrupted")
    before = content(root)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    injected = at_progress(1, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard)))

    try:
        full = run_cli(*commands[name], root=root)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    monkeypatch.undo()
    assert injected, "the disk was not full"
    two_lines(full, 3, "could not be written", "File too large")
    assert "Free space" in full.err
    assert content(root) == before
    assert run_cli(*commands[name], root=root).code == 0
    assert run_cli(*commands[name], root=other).code == 0
    assert content(root) == content(other)


HOLDER = """
import sys
from pathlib import Path
from aitrader.lake.store import Lake
with Lake.open(Path(sys.argv[1])) as lake, lake.writer(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("name", "dataset"),
    [("backfill", "bars/1d"), ("calculate-features", "features/1d"), ("train", "predictions/first")],
)
def test_a_second_run_at_the_same_time_is_refused_within_a_second(
    run_cli, two_lines, make_root, commands, name, dataset
):
    root = make_root("busy")
    before = content(root)
    line = [sys.executable, "-c", HOLDER, str(root / "data_lake"), dataset]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        started = time.perf_counter()

        second = run_cli(*commands[name], root=root)

        took = time.perf_counter() - started
        holder.communicate()
    two_lines(second, 6, dataset)
    assert took < 1
    assert content(root) == before
    assert run_cli(*commands[name], root=root).code == 0


def test_every_exit_code_comes_from_a_command(run_cli, make_root, commands, at_progress, monkeypatch):
    """A broker and its refusals come with the commands that trade; here the frame answers for them."""
    root = make_root("codes")

    def raising(error):
        def job(*_, **__):
            raise error

        return job

    codes = {
        0: run_cli("lake", "ls", root=root).code,
        2: run_cli("train", "--set", "risk.max_gross=nan", root=root).code,
        3: run_cli("train", "--end", "1999-01-01", root=root).code,
    }
    with Lake.open(root / "data_lake") as lake, lake.writer("features/1d"):
        codes[6] = run_cli(*commands["calculate-features"], root=root).code
    errors = {1: ZeroDivisionError("a bug"), 4: RefusedError("No.", fix="Wait."), 5: BrokerError("Lost.", fix="Look.")}
    for code, error in errors.items():
        monkeypatch.setattr(calculate_features, "calculate_features", raising(error))
        codes[code] = run_cli("calculate-features", root=root).code
    monkeypatch.undo()
    for code, number in {130: signal.SIGINT, 143: signal.SIGTERM}.items():
        at_progress(1, lambda number=number: os.kill(os.getpid(), number))
        codes[code] = run_cli(*commands["backfill"], root=root).code

    assert {code: code for code in (0, 1, 2, 3, 4, 5, 6, 130, 143)} == codes
