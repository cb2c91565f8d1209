import numpy as np
import pytest

NAN = float("nan")


def test_a_missing_bar_carries_the_last_close_and_counts_its_age(past):
    history = past([[10, 11, NAN, NAN, 14], [NAN, 20, 21, 22, 23]]).history

    np.testing.assert_array_equal(history.close, [[10, 11, 11, 11, 14], [NAN, 20, 21, 22, 23]])
    np.testing.assert_array_equal(history.stale, [[0, 0, 1, 2, 0], [-1, 0, 0, 0, 0]])


def test_a_snapshot_is_one_session_and_is_known_after_its_close(past):
    world = past([[10, 11, 12], [20, 21, 22]])
    snapshot = world.history.snapshot(world.sessions[1])

    assert snapshot.session == world.sessions[1]
    assert snapshot.decision == "20130702"
    assert snapshot.decided_at.isoformat() == "2013-07-02T20:15:00+00:00"
    np.testing.assert_array_equal(snapshot.close, [11, 21])
    np.testing.assert_array_equal(snapshot.predictions["m"], [2, 1])


def test_mean_volume_is_told_in_shares_of_the_session_across_a_split(past):
    # 2:1 before the third session: 1,000 old shares a day are 2,000 new ones.
    history = past(
        [[10, 10, 5, 5]], volume=[[1000, 1000, 2000, 2000]], adjusted_volume=[[1000, 1000, 1000, 1000]]
    ).history

    np.testing.assert_allclose(history.volume20, [[1000, 1000, 2000, 2000]])
    np.testing.assert_allclose(history.usual_volume, [[NAN, 1000, 2000, 2000]])


def test_late_opinions_arrive_that_many_sessions_later(past):
    world = past([[10, 11, 12], [20, 21, 22]], predictions=[[1, 2, 3], [4, 5, 6]])
    late = world.history.with_opinions_late(1)

    np.testing.assert_array_equal(late.predictions["m"], [[NAN, 1, 2], [NAN, 4, 5]])
    np.testing.assert_array_equal(late.close, world.history.close)


def test_a_day_without_bars_shows_the_session_before(past):
    world = past([[10, 11, 12]])
    saturday = world.sessions[-1].replace(day=6)

    assert world.history.snapshot(saturday).session == world.sessions[-1]
    with pytest.raises(ValueError, match="before the first session"):
        world.history.snapshot(saturday.replace(year=2012))
