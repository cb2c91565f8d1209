"""`lake verify` finds what is wrong with a lake, and nothing else."""

import os
from datetime import date

import numpy as np
import polars as pl
import pytest

from aitrader.domain.frames import PREDICTIONS
from aitrader.lake.verify import verify

SESSIONS = np.array(["2012-12-27", "2012-12-28"], dtype="datetime64[D]")
GRID = np.array([[1.0, np.nan], [3.0, -0.0]], dtype=np.float32)


@pytest.fixture
def full(lake, make_bars, make_actions, append, store_features):
    """A lake with a file of every kind."""
    append(lake, make_bars())
    lake.append("actions", make_actions(("ON", date(2013, 1, 2), "split", 2.0)), source="files")
    store_features(lake, SESSIONS, ["BRK.B", "ON"], {"k": ("momentum(bars=2)", GRID)})
    row = ("ON", date(2013, 1, 2), "ridge", "1", 1, "oof", None)
    lake.append("predictions/ridge", pl.DataFrame([row], schema=PREDICTIONS, orient="row"), source="train")
    lake.quarantine("bars/1d", make_bars(("A b",), count=1).with_columns(pl.lit("why").alias("reason")), source="files")
    return lake


def check(lake, *, deep):
    return verify(lake.root, lake.snapshot(), deep=deep, tell=lambda *_: None)


@pytest.mark.parametrize("deep", [False, True])
def test_an_unharmed_lake_passes(full, deep):
    found = check(full, deep=deep)

    assert (found.files, found.version, found.problems, found.orphans) == (7, 5, (), ())
    assert found.size == sum(path.stat().st_size for path in full.root.rglob("*.parquet"))


def test_deep_verification_notices_a_flip_in_any_file_that_nobody_touched(full):
    for path in sorted(full.root.rglob("*.parquet")):
        original, before = path.read_bytes(), path.stat()
        middle = len(original) // 3
        path.write_bytes(original[:middle] + bytes([original[middle] ^ 16]) + original[middle + 1 :])
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

        problems = check(full, deep=True).problems

        assert [problem.path for problem in problems] == [path.relative_to(full.root).as_posix()]
        assert "damaged" in problems[0].message
        path.write_bytes(original)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_missing_file_is_a_problem_even_without_deep(full):
    path = next(full.root.glob("predictions/ridge/*.parquet"))
    path.unlink()

    (problem,) = check(full, deep=False).problems

    assert (problem.dataset, problem.first) == ("predictions/ridge", "2013-01-02")
    assert "missing" in problem.message


def test_progress_names_every_file(full):
    told = []

    verify(full.root, full.snapshot(), deep=False, tell=lambda *words: told.append(words))

    assert [done for done, _, _ in told] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert told[0][2].startswith("bars/1d/year=2012/")
