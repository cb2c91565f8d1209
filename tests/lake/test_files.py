"""A damaged file is an error message, never a number."""

import os

import numpy as np
import polars as pl
import pytest

from aitrader.disk.files import write_text
from aitrader.errors import LakeError
from aitrader.lake.files import leftovers, read_parquet, write_parquet

ROWS = 400


@pytest.fixture
def stored(tmp_path):
    """A file of noise, so that no byte of it is redundant, with its stamp and its rows."""
    random = np.random.default_rng(5)
    frame = pl.DataFrame(
        {
            "symbol": np.repeat(["BRK.B", "ON"], ROWS // 2),
            "close": random.normal(size=ROWS),
            "value": random.normal(size=ROWS).astype(np.float32),
        }
    )
    path = tmp_path / "folder" / "rows.parquet"
    return path, write_parquet(path, frame, texts=["symbol"], keys=["symbol"]), frame


def unnoticed(path, data):
    """Put ``data`` into the file as a failing disk would: same inode, size and times."""
    before = path.stat()
    with path.open("r+b") as stream:
        stream.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_stored_file_comes_back(stored):
    path, stamp, frame = stored

    assert read_parquet(path, stamp).equals(frame)
    assert read_parquet(path, stamp, ["value"]).equals(frame.select("value"))


def test_no_flipped_bit_becomes_a_number(stored):
    path, stamp, frame = stored
    original = path.read_bytes()
    noticed = 0

    for position in range(0, len(original), 5):
        damaged = bytearray(original)
        damaged[position] ^= 1 << (position % 8)
        unnoticed(path, damaged)
        try:
            assert read_parquet(path, stamp).equals(frame), f"silently wrong after a flip at byte {position}"
        except LakeError as error:
            noticed += 1
            assert path.name in str(error)
            assert error.fix

    assert noticed > 0.95 * len(range(0, len(original), 5))


@pytest.mark.parametrize("start", [0, 1000, 3000, -2000, -500])
def test_no_zeroed_block_becomes_a_number(stored, start):
    path, stamp, _ = stored
    data = bytearray(path.read_bytes())
    first = start % len(data)
    data[first : first + 512] = bytes(len(data[first : first + 512]))

    unnoticed(path, data)

    with pytest.raises(LakeError, match=r"rows\.parquet"):
        read_parquet(path, stamp)


@pytest.mark.parametrize("kept", [0, 7, 8, 100, 3000, -1])
def test_a_truncated_file_is_an_error(stored, kept):
    path, stamp, _ = stored
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(LakeError, match=r"bytes instead of"):
        read_parquet(path, stamp)


def test_a_missing_file_is_an_error_and_not_an_empty_frame(stored):
    path, stamp, _ = stored
    path.unlink()

    with pytest.raises(LakeError, match="is missing"):
        read_parquet(path, stamp)


def test_another_valid_file_in_its_place_is_noticed(stored):
    path, stamp, frame = stored
    other = write_parquet(path, frame.with_columns(pl.col("close") + 1), texts=["symbol"], keys=["symbol"])
    assert other.sha256 != stamp.sha256

    with pytest.raises(LakeError, match=r"damaged|instead of"):
        read_parquet(path, stamp)


def test_a_copied_lake_is_read_after_its_bytes_were_compared(stored):
    path, stamp, frame = stored
    copy = path.with_name("copy.parquet")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)

    assert path.stat().st_ino != stamp.inode
    assert read_parquet(path, stamp).equals(frame)


def test_leftovers_are_what_no_commit_names(tmp_path):
    for name in ("bars/a.parquet", "bars/.tmp-b.parquet", "bars/c.parquet", "models/d"):
        write_text(tmp_path / name, "x")

    assert leftovers(tmp_path, ["bars/a.parquet"], ["bars", "nowhere"]) == ["bars/.tmp-b.parquet", "bars/c.parquet"]
