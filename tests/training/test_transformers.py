import json

import numpy as np
import pytest

from aitrader.errors import ModelStoreError, UnknownNameError
from aitrader.training.transformers import apply_chain, dump_chain, fit_chain, read_chain

NEEDS = ("winsorize", "impute", "standardise")


@pytest.fixture
def rows():
    values = np.random.default_rng(0).normal(3, 2, (1000, 3))
    values[::7, 1] = np.nan
    values[0, 0] = 1e6
    return values


def test_training_rows_become_standard_and_whole(rows):
    _, values = fit_chain(rows, NEEDS, share=0.01)

    assert values.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-9)
    assert values.std(axis=0) == pytest.approx(np.ones(3))


def test_new_rows_are_cut_and_filled_by_what_training_saw(rows):
    chain, _ = fit_chain(rows, ("winsorize", "impute"), share=0.01)

    out = apply_chain(chain, np.array([[1e9, np.nan, -1e9]]))

    assert out[0, 0] == pytest.approx(np.nanquantile(rows[:, 0], 0.99))
    assert out[0, 1] == pytest.approx(np.nanmedian(rows[:, 1]), abs=1e-6)
    assert out[0, 2] == pytest.approx(np.nanquantile(rows[:, 2], 0.01))


def test_nothing_of_other_rows_enters_the_fit(rows):
    first, _ = fit_chain(rows[:500], NEEDS, share=0.01)
    rows[500:] *= -100

    again, _ = fit_chain(rows[:500], NEEDS, share=0.01)

    assert first == again


def test_a_chain_survives_json_exactly(rows):
    chain, values = fit_chain(rows, NEEDS, share=0.02)

    copy = read_chain(json.loads(json.dumps(dump_chain(chain))))

    assert apply_chain(copy, rows).tobytes() == values.tobytes()


def test_a_constant_and_an_unknown_feature_become_zero():
    values = np.column_stack([np.full(50, 4.2), np.full(50, np.nan)])

    _, out = fit_chain(values, NEEDS, share=0.01)

    assert out == pytest.approx(np.zeros((50, 2)), abs=1e-9)


def test_unknown_transformers_are_refused(rows):
    with pytest.raises(UnknownNameError, match="winsorize"):
        fit_chain(rows, ("winsorise",), share=0.01)
    with pytest.raises(ModelStoreError):
        read_chain([{"kind": "pickle"}])
