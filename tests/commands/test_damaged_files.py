"""What a person gets for damaged files and a lake that may not be written: two lines, a code, and nothing lost."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

COLUMNS = ["symbol", "session", "open", "high", "low", "close", "volume"]
HEADER = "symbol,date,open,high,low,close,volume\n"


def cut(path):
    os.truncate(path, path.stat().st_size - 50)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def flip_unseen(path):
    """Flip a bit as a failing disk does: size, times and inode stay as they were."""
    status = path.stat()
    flip(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("damage", [Path.unlink, cut, flip, flip_unseen])
def test_no_command_takes_a_number_from_damaged_bars(run_cli, readers, stored, two_lines, trained, tmp_path, damage):
    (file,) = (trained / "data_lake/bars").rglob("*.parquet")
    damage(file)
    before = stored(trained)
    export = ["lake", "export", "bars/1d", "--out", str(tmp_path / "out.csv")]

    for words in [*readers.values(), export]:
        two_lines(run_cli(*words, root=trained), 3, file.name)

    assert stored(trained) == before
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("damage", [Path.unlink, cut, flip])
def test_backfill_adds_nothing_to_damaged_bars(run_cli, stored, two_lines, bare_root, tmp_path, damage):
    prices = tmp_path / "prices.csv"
    prices.write_text(HEADER + "AAPL,2013-08-08,1,2,1,2,5\n")
    words = ["backfill", "--source", "files", "--path", prices, "--adjustment", "raw"]
    assert run_cli(*words, root=bare_root).code == 0
    (file,) = (bare_root / "data_lake/bars").rglob("*.parquet")
    damage(file)
    before = stored(bare_root)
    prices.write_text(HEADER + "AAPL,2013-08-08,1,2,1,2,5\nAAPL,2013-08-09,1,2,1,2,5\n")

    two_lines(run_cli(*words, root=bare_root), 3, file.name)

    assert stored(bare_root) == before


@pytest.mark.parametrize("damage", [Path.unlink, cut, flip])
def test_no_command_decides_on_a_damaged_model_or_its_rows(run_cli, two_lines, trained, damage):
    for pattern in ("predictions/line/*.parquet", "models/line/2*/model.json"):
        (file,) = (trained / "data_lake").glob(pattern)
        kept = file.read_bytes()
        damage(file)

        for words in (["scan", "--now", "2013-07-20T18:00-04:00"], ["backtest"]):
            two_lines(run_cli(*words, root=trained), 3, "line")
        file.write_bytes(kept)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00", bytes(8192)])
def test_a_catalog_that_was_emptied_is_not_taken_for_a_new_lake(run_cli, two_lines, root, tmp_path, content):
    (root / "data_lake/catalog.sqlite").write_bytes(content)
    for name in ("catalog.sqlite-wal", "catalog.sqlite-shm"):
        (root / "data_lake" / name).unlink(missing_ok=True)
    prices = tmp_path / "prices.csv"
    prices.write_text(HEADER + "S00,2013-08-09,1,2,1,2,5\n")

    for words in (["backfill", "--source", "files", "--path", str(prices)], ["train"], ["lake", "ls"]):
        two_lines(run_cli(*words, root=root), 3, "catalog")

    assert len(list((root / "data_lake/bars").rglob("*.parquet"))) == 1


def test_a_bit_flipped_anywhere_in_an_input_file_never_ends_in_a_traceback(run_cli, bare_root, made_bars, tmp_path):
    path = tmp_path / "prices.parquet"
    made_bars(symbols=2, sessions=40).select(COLUMNS).write_parquet(path)
    whole = path.read_bytes()
    chance = random.Random(5)

    codes = set()
    for _ in range(24):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        ran = run_cli("backfill", "--source", "files", "--path", path, "--adjustment", "raw", root=bare_root)
        assert "Traceback" not in ran.err
        assert "Unexpected" not in ran.err
        codes.add(ran.code)

    assert 3 in codes
    assert codes <= {0, 2, 3}


AS_NOBODY = """
import os, sys
from pathlib import Path
from aitrader.cli.app import main

root, prices = Path(sys.argv[1]), sys.argv[2]
backfill = ["backfill", "--source", "files", "--path", prices, "--adjustment", "raw", "--root", str(root)]
others = [["calculate-features", "--root", str(root)], ["train", "--root", str(root)]]
for words in [backfill, *others]:
    assert main(words) == 0  # loads what the commands need while everything may be read
(root / "data_lake" / "models").rename(root / "models")
for path in [root / "data_lake", *(root / "data_lake").rglob("*")]:
    path.chmod(0o555 if path.is_dir() else 0o444)
if os.getuid() == 0:
    os.setuid(65534)
try:
    (root / "data_lake" / "probe").touch()
except PermissionError:
    print("denied")
sys.stderr.flush()
for words in [[*backfill, "--symbols", "S00"], [*others[0], "--full"], others[1]]:
    sys.stderr.write("\\n")
    print(main(words))
"""


def test_a_lake_that_may_not_be_written_stops_every_writer(root, made_bars):
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    try:
        folder.chmod(0o755)
        place = Path(shutil.copytree(root, folder / "root"))
        shutil.rmtree(place / "data_lake")
        (place / "data_lake").mkdir()
        made_bars(sessions=130).select(COLUMNS).write_csv(folder / "prices.csv")
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(place), str(folder / "prices.csv")],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
        )
    finally:
        for path in folder.rglob("*"):
            path.chmod(0o755)
        shutil.rmtree(folder)

    assert "denied" in done.stdout.splitlines(), done.stderr
    assert done.stdout.splitlines()[-3:] == ["3", "3", "3"], done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("error: ") == done.stderr.count("fix: ") == 3
