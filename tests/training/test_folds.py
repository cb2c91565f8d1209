import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.errors import InsufficientDataError
from aitrader.training.folds import Schedule, final_span, walk_forward

schedules = st.builds(
    Schedule,
    every=st.integers(1, 60),
    window=st.integers(40, 120),
    reach=st.integers(2, 15),
    embargo=st.integers(0, 20),
)


def _folds(first, more, schedule):
    return walk_forward(first, first + schedule.window + 20 + schedule.reach + more, schedule)


@given(st.integers(0, 30), st.integers(0, 200), schedules)
def test_no_training_label_uses_a_price_of_the_test_block_or_later(first, more, schedule):
    for fold in _folds(first, more, schedule):
        for decision in range(fold.train.first, fold.train.stop):
            label_end = decision + schedule.reach
            assert label_end < fold.test.first


@given(st.integers(0, 30), st.integers(0, 200), schedules)
def test_test_blocks_cover_every_session_from_the_first_full_window_to_the_end_once(first, more, schedule):
    folds = _folds(first, more, schedule)

    tested = [session for fold in folds for session in range(fold.test.first, fold.test.stop)]

    sessions = first + schedule.window + 20 + schedule.reach + more
    assert tested == list(range(first + schedule.window, sessions))


@given(st.integers(0, 200), schedules)
def test_the_final_fit_uses_no_label_past_the_panels_end(more, schedule):
    sessions = schedule.window + more

    span = final_span(sessions, schedule)

    assert span.stop - 1 + schedule.reach == sessions - 1
    assert span.first == sessions - schedule.window


def test_the_purge_alone_leaves_out_exactly_the_labels_that_reach_the_test_block():
    fold = walk_forward(0, 200, Schedule(every=30, window=100, reach=6))[0]

    assert (fold.train.first, fold.train.stop, fold.test.first, fold.test.stop) == (0, 94, 100, 130)


def test_an_embargo_lengthens_the_gap():
    fold = walk_forward(0, 200, Schedule(every=30, window=100, reach=6, embargo=4))[0]

    assert fold.train.stop == 90


def test_too_little_history_says_how_much_is_needed():
    with pytest.raises(InsufficientDataError) as caught:
        walk_forward(10, 130, Schedule(every=30, window=100, reach=6))

    assert (caught.value.needed, caught.value.got) == (126, 120)
