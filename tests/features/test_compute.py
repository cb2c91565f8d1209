import numpy as np
import pytest

from aitrader.errors import ConfigError
from aitrader.features.compute import compute
from aitrader.features.feature import spec_of


def test_one_float32_grid_per_feature(make_panel, registry):
    close = 100 + np.arange(60.0).reshape(2, 30)

    values = compute(make_panel({"close": close}), [spec_of(registry["momentum"], {"bars": 5})], min_names=1)

    assert values.shape == (1, 2, 30)
    assert values.dtype == np.float32
    assert np.isnan(values[0, :, :5]).all()
    np.testing.assert_allclose(values[0, :, 5:], close[:, 5:] / close[:, :-5] - 1, rtol=1e-6)


def test_no_features_give_no_grids(make_panel):
    assert compute(make_panel({"close": np.ones((2, 3))}), [], min_names=1).shape == (0, 2, 3)


def test_a_column_that_the_data_lack_is_named_with_its_feature(make_panel, registry):
    with pytest.raises(ConfigError, match=r"natr .*'high'"):
        compute(make_panel({"close": np.ones((1, 3))}), [spec_of(registry["natr"])], min_names=1)
