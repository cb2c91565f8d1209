"""What every kind of model must do."""

import numpy as np
import pytest

from aitrader.errors import ModelStoreError, ModelTrainingError
from aitrader.models import MODELS
from aitrader.registry import lookup
from aitrader.training.transformers import TRANSFORMERS, fit_chain

KINDS = sorted(MODELS)


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return lookup("models", MODELS, request.param)


@pytest.fixture(scope="module")
def rows(kind):
    values = np.random.default_rng(0).normal(size=(2000, 5))
    _, values = fit_chain(values, kind.needs, share=0.01)
    return values


@pytest.fixture(scope="module")
def target(rows):
    return rows[:, 0] - 0.5 * rows[:, 3] + np.random.default_rng(1).normal(size=len(rows))


@pytest.fixture(scope="module")
def learn(kind):
    """Prepare rows and fit."""
    given = {"settings": kind.Settings(), "seed": 7}
    return lambda rows, target: kind.fit(kind.prepare(rows, **given), target, **given)


@pytest.fixture(scope="module")
def model(learn, rows, target):
    return learn(rows, target)


def test_its_settings_have_defaults_that_learn(model, rows, target):
    assert np.corrcoef(model.predict(rows), target)[0, 1] > 0.4


def test_equal_input_gives_equal_bytes(kind, model, rows, target):
    given = {"settings": kind.Settings(), "seed": 7}
    prepared = kind.prepare(rows, **given)
    kind.fit(prepared, target[::-1].copy(), **given)

    assert kind.fit(prepared, target, **given).to_bytes() == model.to_bytes()


def test_bytes_are_text_and_bring_the_same_predictions_back(kind, model, rows):
    copy = kind.from_bytes(model.to_bytes())

    model.to_bytes().decode("utf-8")
    assert np.allclose(copy.predict(rows), model.predict(rows), rtol=0, atol=1e-12)
    assert copy.width == model.width == rows.shape[1]
    assert copy.to_bytes() == kind.from_bytes(copy.to_bytes()).to_bytes()


def test_contributions_add_up_to_the_score(model, rows):
    parts = model.contributions(rows[:50])

    assert parts.shape == (50, rows.shape[1] + 1)
    assert parts.sum(axis=1) == pytest.approx(model.predict(rows[:50]))


def test_a_constant_target_is_refused(learn, rows):
    with pytest.raises(ModelTrainingError):
        learn(rows, np.zeros(len(rows)))


def test_pickles_are_refused(kind):
    with pytest.raises(ModelStoreError):
        kind.from_bytes(b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00.")


def test_its_file_is_text_and_its_needs_are_known(kind):
    assert kind.file_name in {"model.txt", "model.json"}
    assert set(kind.needs) <= set(TRANSFORMERS)
    assert kind.libraries
