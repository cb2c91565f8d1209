import pytest

from aitrader.errors import LakeError
from aitrader.lake.studies import TRIALS, append_line, read_lines


def test_lines_come_back_in_order(tmp_path):
    append_line(tmp_path, "one")
    append_line(tmp_path, "two")

    assert read_lines(tmp_path) == ("one", "two")


def test_a_lake_without_trials_has_none(tmp_path):
    assert read_lines(tmp_path) == ()


def test_a_line_that_a_killed_writer_left_is_dropped_and_the_next_one_is_whole(tmp_path):
    append_line(tmp_path, "one")
    with (tmp_path / TRIALS).open("a") as stream:
        stream.write('{"half')

    assert read_lines(tmp_path) == ("one",)
    append_line(tmp_path, "two")
    assert read_lines(tmp_path) == ("one", "two")


def test_a_record_that_is_a_folder_is_an_error(tmp_path):
    (tmp_path / TRIALS).mkdir(parents=True)

    with pytest.raises(LakeError):
        read_lines(tmp_path)
    with pytest.raises(LakeError):
        append_line(tmp_path, "x")
