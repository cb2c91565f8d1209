import numpy as np
import pytest

from aitrader.errors import ModelStoreError, ModelTrainingError
from aitrader.models.boosting import LightGbm

SETTINGS = LightGbm.Settings(trees=10, min_rows_per_leaf=20)


@pytest.fixture(scope="module")
def rows():
    values = np.random.default_rng(0).normal(size=(600, 3))
    values[::9, 1] = np.nan
    return values


def learn(rows, target, settings, seed):
    prepared = LightGbm.prepare(rows, settings=settings, seed=seed)
    return LightGbm.fit(prepared, target, settings=settings, seed=seed)


def test_trees_learn_a_step_that_no_line_could(rows):
    target = np.sign(np.abs(rows[:, 0]) - 0.7)

    model = learn(rows, target, LightGbm.Settings(trees=100, min_rows_per_leaf=20), seed=1)

    assert np.corrcoef(model.predict(rows), target)[0, 1] > 0.9


def test_no_split_is_an_error_and_not_a_constant_model(rows):
    with pytest.raises(ModelTrainingError, match="no split"):
        learn(rows, rows[:, 0], LightGbm.Settings(min_rows_per_leaf=500), seed=1)


def test_the_seed_decides(rows):
    one = learn(rows, rows[:, 0], SETTINGS, seed=1)
    two = learn(rows, rows[:, 0], SETTINGS, seed=2)

    assert one.to_bytes() != two.to_bytes()


@pytest.mark.parametrize("data", [b"", b"\x80\x04cos\nsystem\n(S'x'\ntR.", b"{}", b"tree\xff"])
def test_other_bytes_are_refused_before_the_library_reads_them(data):
    with pytest.raises(ModelStoreError, match="not a LightGBM model"):
        LightGbm.from_bytes(data)
