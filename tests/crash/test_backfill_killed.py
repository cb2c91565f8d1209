"""A backfill that is killed at any durable call leaves a sound lake, and the same command completes it."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from aitrader.cli.app import main
from aitrader.lake.store import Lake
from aitrader.lake.verify import verify


@pytest.fixture
def prices(tmp_path):
    """Bars of two symbols, as raw files."""
    path = tmp_path / "prices.csv"
    days = [date(2013, 8, 5) + timedelta(days=number) for number in range(5)]
    rows = [
        f"{name},{day},{close},{close},{close},{close},1000" for name, close in (("A", 5), ("B", 7)) for day in days
    ]
    path.write_text("\n".join(["symbol,date,open,high,low,close,volume", *rows]) + "\n")
    return path


@pytest.fixture
def fresh(tmp_path):
    """Make a root with an empty lake; each call a new one."""
    empty = tmp_path / "empty"
    main(["init", str(empty)])
    count = iter(range(10_000))
    return lambda: Path(shutil.copytree(empty, tmp_path / "roots" / str(next(count))))


def content(root):
    """Return what the lake holds once it was verified; None where nothing was committed yet."""
    if not (root / "data_lake" / "catalog.sqlite").exists():
        return None
    with Lake.open(root / "data_lake", create=True) as lake:
        view = lake.snapshot()
        found = verify(root / "data_lake", view, deep=True, tell=lambda *_: None)
        assert not found.problems
        return view.content_hash("bars/1d") if view.version else None


@pytest.mark.timeout(600)
def test_killed_before_any_durable_call_the_lake_is_the_old_or_the_new_one_and_a_rerun_completes_it(
    crashpoints, commands, effort, kills, prices, fresh, part
):
    if not crashpoints.can_trace():
        pytest.skip("no process may trace another here; tests/lake/test_faults.py kills inside the process")
    words = ["backfill", "--source", "files", "--path", str(prices), "--adjustment", "raw"]
    assert commands.load(words, fresh()).status == 0
    root = fresh()
    whole, points = commands.points(words, root)
    assert whole.status == 0
    expected = content(root)
    assert len(points) > 80

    for point in effort.some(points, part):
        root = fresh()
        assert commands.run(words, root, point).status == crashpoints.KILLED, point
        kills["kills"] += 1
        assert content(root) in (None, expected), point
        again = commands.run(words, root)
        assert again.status == 0, f"{point}: {again.printed}"
        assert content(root) == expected, point
