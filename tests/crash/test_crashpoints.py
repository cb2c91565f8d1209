"""What strace tells is numbered as the kernel will count it again."""

import pytest

LOG = """
100 openat(AT_FDCWD</tmp>, "/root/a/x", O_RDONLY|O_CLOEXEC) = 3</root/a/x>
100 write(1</tmp/out>, ""..., 5) = 5
100 openat(AT_FDCWD</tmp>, "/root/a/y", O_WRONLY|O_CREAT, 0600) = 4</root/a/y>
100 write(4</root/a/y>, ""..., 5) = 5
101 write(1</tmp/out>, ""..., 5 <unfinished ...>
100 fsync(4</root/a/y>) = 0
101 <... write resumed>) = 5
100 rename("/root/a/y", "/root/a/z") = 0
100 unlinkat(5</root/a>, "z", 0) = 0
100 unlink("/root/beside") = 0
100 +++ exited with 0 +++
"""


def test_calls_below_the_root_are_numbered_among_all_of_their_kind(crashpoints, tmp_path):
    root = tmp_path / "a"

    found = crashpoints.points_of(LOG.replace("/root", str(tmp_path)), root)

    assert [str(point) for point in found] == [
        "openat 2 on y",
        "write 2 on y",
        "fsync 1 on y",
        "rename 1 on y",
        "unlinkat 1 on z",
    ]


def test_a_thread_that_writes_there_could_not_be_numbered_and_is_an_error(crashpoints, tmp_path):
    log = LOG.replace("101 write(1</tmp/out>", "101 write(4</root/a/y>").replace("/root", str(tmp_path))

    with pytest.raises(AssertionError, match="another thread did write on y"):
        crashpoints.points_of(log, tmp_path / "a")


def test_a_sample_is_spread_over_what_follows_a_sync_and_all_is_all(crashpoints, effort):
    points = [crashpoints.Point(call, number, "x") for number in range(25) for call in ("write", "fdatasync")]
    sample, whole = type(effort)(1, 4, 0), type(effort)(4, None, 0)

    assert [(point.call, point.number) for point in sample.some(points, 0)] == [("write", n) for n in (1, 7, 13, 19)]
    assert {point for part in range(4) for point in whole.some(points, part)} == set(points)


def test_a_command_can_be_killed_at_a_call_at_a_step_and_at_a_moment(crashpoints, commands, tmp_path):
    words = ["init", str(tmp_path / "made")]
    _, steps = commands.steps(words, tmp_path)
    (tmp_path / "made").rename(tmp_path / "before")

    killed = commands.run(words, tmp_path, crashpoints.Step(steps))

    assert (killed.status, steps > 20) == (crashpoints.KILLED, True)
    assert commands.run(words, tmp_path, crashpoints.After(0)).status == crashpoints.KILLED
    assert commands.run(words, tmp_path).status == 0
