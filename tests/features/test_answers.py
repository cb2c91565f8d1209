"""Every registered feature against values computed outside this code; see tests/answers/make_features*.py."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from aitrader.features.compute import compute
from aitrader.features.feature import load, spec_of

ANSWERS = Path(__file__).parents[1] / "answers"
NAMES = tuple(load())


@pytest.fixture(scope="module")
def expected():
    tables = [pl.read_csv(path) for path in sorted(ANSWERS.glob("features_expected*.csv"))]
    rows = pl.concat(tables, how="vertical_relaxed").rows()
    return {name: values for name, *values in rows}


@pytest.fixture(scope="module")
def computed(make_panel, registry):
    bars = pl.read_csv(ANSWERS / "features_bars.csv").partition_by("symbol", maintain_order=True)
    columns = ("open", "high", "low", "close", "volume")
    grids = {name: [part[name].to_numpy() for part in bars] for name in columns}
    shape = len(bars), len(grids["close"][0])
    panel = make_panel({**grids, "vwap": np.full(shape, np.nan)})
    sectors = np.broadcast_to(np.array([[0], [0], [0], [1]]), shape)  # the last symbol is alone in its own
    panel = replace(panel, groups={"sector": sectors})
    values = compute(panel, [spec_of(registry[name]) for name in NAMES], min_names=3)
    return dict(zip(NAMES, values[:, :, -1], strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_feature_has_its_expected_values(name, expected, computed):
    assert name in expected, "add the feature to a tests/answers/make_features*.py"
    values = np.array(expected[name], dtype=np.float64)  # nothing is NaN
    np.testing.assert_allclose(computed[name], values, rtol=2e-6, atol=1e-9)
