from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from aitrader.errors import InsufficientDataError, ModelTrainingError
from aitrader.models.boosting import LightGbm
from aitrader.models.linear import RidgeModel
from aitrader.quant.metrics import rank_ic
from aitrader.training.fit import Recipe, fit_folds, fit_span, golden_rows
from aitrader.training.folds import Schedule, Span, walk_forward

SCHEDULE = Schedule(every=60, window=150, reach=6)
TREES = Recipe(LightGbm, LightGbm.Settings(trees=15, min_rows_per_leaf=20), 0.01, 7)
RIDGE = Recipe(RidgeModel, RidgeModel.Settings(), 0.01, 7)


@pytest.fixture(scope="module")
def panel(make_panel):
    return make_panel()


@pytest.fixture(scope="module")
def folds(panel):
    return walk_forward(0, panel.shape[1], SCHEDULE)


@pytest.mark.parametrize("recipe", [TREES, RIDGE], ids=["lightgbm", "ridge"])
def test_a_planted_look_ahead_is_seen_far_above_any_honest_score(panel, folds, recipe, make_sample_of):
    sample, labels = make_sample_of(panel, signal=1.0)

    found = fit_folds(sample, folds, recipe)

    assert np.nanmean(rank_ic(found.predictions, labels.values)) > 0.4


@pytest.mark.parametrize("recipe", [TREES, RIDGE], ids=["lightgbm", "ridge"])
def test_noise_and_permuted_labels_score_nothing(panel, folds, recipe, make_sample_of):
    noise, labels = make_sample_of(panel, signal=0.0)
    planted, _ = make_sample_of(panel, signal=1.0)

    honest = fit_folds(noise, folds, recipe)
    luck = fit_folds(planted, folds, recipe)

    # 250 sessions of 12 names: the standard error is about 0.3 / sqrt(250 / 6) = 0.05
    assert abs(np.nanmean(rank_ic(honest.predictions, labels.values))) < 0.12
    assert np.nanmean(rank_ic(luck.shuffled, labels.values)) < 0.5 * np.nanmean(
        rank_ic(luck.predictions, labels.values)
    )


def test_labels_after_the_purge_do_not_reach_the_fold_before(panel, folds, make_sample_of):
    sample, _ = make_sample_of(panel, signal=0.5)
    cut = folds[0].test.first
    sample.labels[:, cut - SCHEDULE.reach :] = np.random.default_rng(9).normal(size=sample.labels[:, cut - 6 :].shape)
    other, _ = make_sample_of(panel, signal=0.5)

    first = fit_folds(sample, folds[:1], TREES).predictions
    second = fit_folds(other, folds[:1], TREES).predictions

    assert np.array_equal(first, second, equal_nan=True)


def test_threads_change_nothing(panel, folds, make_sample_of):
    sample, _ = make_sample_of(panel, signal=0.3)

    alone = fit_folds(sample, folds, TREES)
    with ThreadPoolExecutor(3) as executor:
        together = fit_folds(sample, folds, TREES, executor=executor)

    assert alone.predictions.tobytes() == together.predictions.tobytes()
    assert alone.shuffled.tobytes() == together.shuffled.tobytes()


def test_every_fold_is_reported_and_a_stop_in_between_ends_it(panel, folds, make_sample_of):
    sample, _ = make_sample_of(panel)
    steps = []

    def step(done, total):
        steps.append((done, total))
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), ThreadPoolExecutor(1) as executor:
        fit_folds(sample, folds, RIDGE, executor=executor, step=step)

    assert steps == [(1, len(folds)), (2, len(folds)), (3, len(folds))]


def test_predictions_cover_members_of_the_test_blocks_labelled_yet_or_not(panel, folds, make_sample_of):
    sample, _ = make_sample_of(panel)

    found = fit_folds(sample, folds, RIDGE)

    assert np.isnan(found.predictions[:, : folds[0].test.first]).all()
    assert np.isfinite(found.predictions[:, folds[0].test.first :]).all()
    assert found.fold[folds[0].test.first - 1] == -1
    assert found.fold[-1] == folds[-1].number


def test_a_row_that_knows_too_little_gets_no_prediction(panel, make_sample_of):
    sample, _ = make_sample_of(panel, signal=0.5)
    fitted = fit_span(sample, Span(0, 200), TREES)

    scores = fitted.predict(np.array([[np.nan] * 4, [0.1, np.nan, np.nan, np.inf], [0.1, 0.2, np.nan, np.nan]]))

    assert np.isfinite(scores).tolist() == [False, False, True]
    assert np.isnan(fitted.contributions(np.full((1, 4), np.nan))).all()


def test_golden_rows_reproduce_their_predictions(panel, make_sample_of):
    sample, _ = make_sample_of(panel, signal=0.5)
    fitted = fit_span(sample, Span(0, 200), TREES)

    golden = golden_rows(sample, Span(0, 200), fitted)

    assert len(golden.rows) == 16
    assert fitted.predict(np.array(golden.rows)).tolist() == list(golden.predictions)


def test_constant_labels_teach_nothing(panel, folds, make_sample_of):
    sample, _ = make_sample_of(panel)
    sample.labels[np.isfinite(sample.labels)] = 0.01

    with pytest.raises(ModelTrainingError, match="do not vary"):
        fit_folds(sample, folds, RIDGE)


def test_too_few_rows_say_how_many_are_needed(panel, make_sample_of):
    sample, _ = make_sample_of(panel)

    with pytest.raises(InsufficientDataError) as caught:
        fit_span(sample, Span(0, 3), RIDGE)

    assert (caught.value.needed, caught.value.got) == (100, 36)
