"""A build of features that is killed at any durable call leaves a sound lake, and the same command completes it."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from aitrader.cli.app import main
from aitrader.lake.store import Lake
from aitrader.lake.verify import verify

SETTINGS = """
custom: {jump: open / close.shift(1) - 1, smooth: close.ema(3) / close, place: close.rank_across()}
sets: {small: [jump, smooth, place]}
compute: [small]
min_names: 1
max_memory: 1e-6
"""
"""So little memory that every symbol is a part of its own."""
BUILD = ["calculate-features"]
SYMBOLS = ("A", "B", "C")


def backfill(root, path, days):
    """Put bars of so many days into the root's lake."""
    rows = [
        f"{name},{date(2013, 8, 5) + timedelta(days=day)},{close + day},{close + day},{close},{close + day % 3},1000"
        for close, name in enumerate(SYMBOLS, start=5)
        for day in range(days)
    ]
    path.write_text("\n".join(["symbol,date,open,high,low,close,volume", *rows]) + "\n")
    words = ["backfill", "--source", "files", "--path", str(path), "--adjustment", "raw", "--root", str(root)]
    assert main(words) == 0


@pytest.fixture
def scenes(tmp_path):
    """Make roots: one with bars alone, and one with features that lack the last session. Each call copies one."""
    first, second = tmp_path / "first", tmp_path / "second"
    main(["init", str(first)])
    (first / "config" / "features.yaml").write_text(SETTINGS)
    (first / "config" / "universe.yaml").write_text("min_history: 0\n")
    backfill(first, tmp_path / "prices.csv", 4)
    shutil.copytree(first, second)
    assert main([*BUILD, "--root", str(second)]) == 0
    backfill(second, tmp_path / "prices.csv", 5)
    count = iter(range(10_000))
    copies = {"everything": first, "a new session": second}
    return lambda name: Path(shutil.copytree(copies[name], tmp_path / "roots" / str(next(count))))


def content(root):
    """Return the features that the lake holds once it was verified."""
    with Lake.open(root / "data_lake") as lake:
        view = lake.snapshot()
        assert not verify(root / "data_lake", view, deep=True, tell=lambda *_: None).problems
        return view.feature_frame() if view.builds() else pl.DataFrame()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scene", ["everything", "a new session"])
def test_killed_before_any_durable_call_a_rerun_completes_the_features(
    crashpoints, commands, effort, kills, scenes, part, scene
):
    if not crashpoints.can_trace():
        pytest.skip("no process may trace another here; tests/commands/test_interruptions.py stops inside the process")
    assert commands.load(BUILD, scenes(scene)).status == 0
    root = scenes(scene)
    before = content(root)
    whole, points = commands.points(BUILD, root)
    assert whole.status == 0, whole.printed
    expected = content(root)
    assert len(points) > 30
    assert not expected.equals(before)

    for point in effort.some(points, part):
        root = scenes(scene)
        assert commands.run(BUILD, root, point).status == crashpoints.KILLED, point
        kills["kills"] += 1
        content(root)
        again = commands.run(BUILD, root)
        assert again.status == 0, f"{point}: {again.printed}"
        assert content(root).equals(expected), point
