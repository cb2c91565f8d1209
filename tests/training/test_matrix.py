import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.training.folds import Span
from aitrader.training.matrix import Rows, Sample, make_sample, permuted, select_rows, take, targets


def _sample(labels, excess=True):
    labels = np.array(labels, dtype=float)
    return Sample(
        np.zeros((1, *labels.shape), dtype=np.float32), labels, np.full(labels.shape[1], excess), np.isfinite(labels)
    )


def test_a_row_needs_half_of_its_features_and_a_member():
    features = np.full((4, 2, 3), 1.0, dtype=np.float32)
    features[:2, 0, 0] = np.nan
    features[:3, 0, 1] = [np.nan, np.inf, np.nan]
    members = np.array([[True, True, True], [True, True, False]])

    sample = make_sample(features, np.zeros((2, 3)), np.ones(3, dtype=bool), members)

    assert sample.usable.tolist() == [[True, False, True], [True, True, False]]


def test_rows_come_by_session_and_then_by_symbol():
    mask = np.array([[True, True, True], [False, True, True]])

    rows = select_rows(mask, Span(1, 3))

    assert rows.session.tolist() == [1, 1, 2, 2]
    assert rows.symbol.tolist() == [0, 1, 0, 1]


def test_an_infinite_feature_is_missing():
    features = np.array([[[np.inf, 1.0]]], dtype=np.float32)

    values = take(features, Rows(np.array([0, 0]), np.array([0, 1])))

    assert np.isnan(values[0, 0])
    assert values[1, 0] == 1.0


def test_targets_are_scores_within_their_session_and_cut_off():
    labels = np.zeros((20, 2))
    labels[:, 0] = np.arange(20) / 100
    labels[0, 1] = 50.0
    sample = _sample(labels)

    target = targets(sample, select_rows(sample.usable, Span(0, 2)))

    expected = (np.arange(20) - 9.5) / np.arange(20).std()
    assert target[:20] == pytest.approx(expected)
    assert target[20] == 3.0


def test_targets_of_a_session_without_variation_are_zero():
    sample = _sample([[0.1, 0.1], [0.1, 0.2]])

    target = targets(sample, select_rows(sample.usable, Span(0, 2)))

    assert target == pytest.approx([0.0, 0.0, -1.0, 1.0])


def test_labels_that_are_not_in_excess_keep_their_mean():
    sample = _sample([[0.1, 0.3], [0.1, 0.3]], excess=False)

    target = targets(sample, select_rows(sample.usable, Span(0, 2)))

    assert target == pytest.approx([1.0, 1.0, 3.0, 3.0])


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60), st.integers(0, 1000))
def test_permuting_moves_targets_inside_their_session_only(sessions, seed):
    order = np.array(sorted(sessions))
    target = np.arange(len(order), dtype=float)

    shuffled = permuted(target, Rows(np.zeros(len(order), dtype=int), order), seed)

    for session in set(sessions):
        assert sorted(shuffled[order == session]) == sorted(target[order == session])
