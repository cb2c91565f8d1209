import json

import numpy as np
import pytest

from aitrader.errors import ModelStoreError
from aitrader.models.linear import RidgeModel


def test_coefficients_are_those_of_the_normal_equations():
    values = np.random.default_rng(0).normal(size=(300, 4))
    target = values @ [1.0, -2.0, 0.0, 0.5] + 3 + np.random.default_rng(1).normal(size=300)

    model = RidgeModel.fit(values, target, settings=RidgeModel.Settings(alpha=30), seed=0)

    centred = values - values.mean(axis=0)
    slopes = np.linalg.solve(centred.T @ centred + 30 * np.eye(4), centred.T @ (target - target.mean()))
    assert model.predict(values) == pytest.approx(centred @ slopes + target.mean())


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "ridge", "intercept": 0.0},
        {"kind": "lasso", "intercept": 0.0, "coefficients": [1.0]},
        {"kind": "ridge", "intercept": 0.0, "coefficients": ["1.0"]},
    ],
)
def test_other_json_is_refused(body):
    with pytest.raises(ModelStoreError):
        RidgeModel.from_bytes(json.dumps(body).encode())


def test_a_number_that_is_none_is_refused():
    with pytest.raises(ModelStoreError):
        RidgeModel.from_bytes(b'{"kind": "ridge", "intercept": NaN, "coefficients": [1.0]}')
