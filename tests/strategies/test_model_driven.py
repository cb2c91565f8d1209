from datetime import date

import numpy as np
import pytest

from aitrader.config.section import parse_section
from aitrader.errors import ConfigError, DataError
from aitrader.portfolio.allocators import equal, score
from aitrader.strategies.model_driven import ModelDriven, ModelDrivenSettings

NAN = float("nan")


def test_the_best_names_share_the_money_equally(snapshot_of):
    targets = ModelDriven("m", 2, equal).targets(snapshot_of([0.1, 0.4, 0.3, -0.2]))

    assert targets == {"B": 0.5, "C": 0.5}


def test_score_weights_give_the_best_name_most(snapshot_of):
    targets = ModelDriven("m", 2, score).targets(snapshot_of([0.1, 0.4, 0.3, -0.2]))

    assert targets == pytest.approx({"B": 2 / 3, "C": 1 / 3})


def test_only_fresh_members_with_a_finite_prediction_are_chosen(snapshot_of):
    snapshot = snapshot_of(
        [9, 8, NAN, np.inf, 7, 1, 0],
        members=[False, True, True, True, True, True, True],
        stale=[0, 1, 0, 0, 0, 0, 0],
        close=[10, 10, 10, 10, NAN, 10, 10],
    )

    assert ModelDriven("m", 2, equal).targets(snapshot) == {"F": 0.5, "G": 0.5}


def test_fewer_candidates_than_wanted_get_no_more_each(snapshot_of):
    targets = ModelDriven("m", 5, equal).targets(snapshot_of([0.1, 0.2, NAN]))

    assert targets == pytest.approx({"A": 0.2, "B": 0.2})


def test_equal_predictions_at_the_boundary_go_by_the_alphabet(snapshot_of):
    assert set(ModelDriven("m", 2, equal).targets(snapshot_of([1, 3, 1, 1]))) == {"A", "B"}


@pytest.mark.parametrize(
    ("predictions", "words"),
    [([NAN, NAN, NAN], "no finite prediction for any of the 3"), ([0.5, 0.5, NAN], "predicts the same value, 0.5")],
)
def test_predictions_that_choose_nobody_are_refused(snapshot_of, predictions, words):
    with pytest.raises(DataError, match=words) as caught:
        ModelDriven("m", 2, equal).targets(snapshot_of(predictions))

    assert "'m'" in str(caught.value)
    assert str(date(2013, 8, 7)) in str(caught.value)
    assert caught.value.exit_code == 3
    assert caught.value.fix


def test_a_model_without_predictions_is_refused_by_name(snapshot_of):
    with pytest.raises(DataError, match="'other' made no predictions"):
        ModelDriven("other", 2, equal).targets(snapshot_of([1, 2]))


def test_settings_choose_the_allocator_by_name():
    asked = []
    made = ModelDriven.from_settings(
        parse_section(ModelDrivenSettings, {"model": "m", "top": "3", "weighting": "score"}),
        allocators=lambda name: asked.append(name) or score,
    )

    assert (made.needs_models, made.top, made.allocate, asked) == (("m",), 3, score, ["score"])


@pytest.mark.parametrize(
    "wrong", [{"model": "m", "top": 0}, {"model": "m", "weighting": "all"}, {"model": "m", "k": 1}]
)
def test_wrong_settings_are_errors_of_configuration(wrong):
    with pytest.raises(ConfigError):
        parse_section(ModelDrivenSettings, wrong, "strategies.top5.params")
