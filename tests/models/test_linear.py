import json
import subprocess
import sys

import numpy as np
import pytest

from aitrader.errors import ModelStoreError
from aitrader.models.linear import RidgeModel


def test_the_slopes_shrink_as_if_so_many_rows_of_zero_had_been_seen():
    values = np.random.default_rng(0).normal(loc=[0, 5, 0, 0], size=(300, 4))
    target = values @ [1.0, -2.0, 0.0, 0.5] + 3 + np.random.default_rng(1).normal(size=300)

    model = RidgeModel.fit(values, target, settings=RidgeModel.Settings(alpha=30), seed=0)

    # Augmented least squares: a row of sqrt(30) for each slope, with target 0; the intercept has none.
    rows = np.vstack([np.column_stack([values, np.ones(300)]), np.eye(4, 5) * 30**0.5])
    expected = np.linalg.lstsq(rows, np.concatenate([target, np.zeros(4)]))[0]
    assert model.contributions(np.ones((1, 4)))[0] == pytest.approx(expected)
    assert model.predict(values) == pytest.approx(rows[:300] @ expected)


def test_a_line_through_three_points_is_the_one_solved_by_hand():
    # Sums about the means: of squares 2, of products 5. With 3 rows of zero more: slope 5 / (2 + 3), level 2 - slope.
    model = RidgeModel.fit(
        np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 1.0, 5.0]), settings=RidgeModel.Settings(alpha=3), seed=0
    )

    assert model.predict(np.array([[0.0], [10.0]])) == pytest.approx([1.0, 11.0], rel=1e-12)


def test_a_process_that_only_predicts_does_not_load_scikit_learn_but_can():
    program = """
import importlib.util, sys
import aitrader.models.boosting, aitrader.models.linear
print("sklearn" in sys.modules, importlib.util.find_spec("sklearn") is not None)
"""

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "False True\n"


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
