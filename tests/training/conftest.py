"""A market made of random walks, with features that know nothing, a little, or the future."""

import numpy as np
import pytest

from aitrader.domain.orders import Entry
from aitrader.panel.panel import Panel
from aitrader.training.labels import make_labels
from aitrader.training.matrix import make_sample


def _sessions(count):
    return np.busday_offset("2001-01-01", np.arange(count), roll="forward")


@pytest.fixture(scope="session")
def make_panel():
    def make(names=12, sessions=400, seed=0, members=None):
        generator = np.random.default_rng(seed)
        close = 50 * np.exp(np.cumsum(generator.normal(0, 0.02, (names, sessions)), axis=1))
        open_ = close * np.exp(generator.normal(0, 0.003, close.shape))
        columns = {
            "open": open_,
            "high": np.maximum(open_, close) * 1.01,
            "low": np.minimum(open_, close) * 0.99,
            "close": close,
            "volume": np.full(close.shape, 1e6),
            "vwap": np.full(close.shape, np.nan),
        }
        symbols = tuple(f"S{number:03d}" for number in range(names))
        there = np.ones(close.shape, dtype=bool) if members is None else members
        return Panel("XNYS", "1d", _sessions(sessions), symbols, columns, there)

    return make


@pytest.fixture(scope="session")
def make_sample_of():
    """A sample whose first feature sees ``signal`` of the label's standard deviation; the others are noise."""

    def make(panel, signal=0.0, features=4, horizon=5, seed=1, min_names=10):
        labels = make_labels(panel, Entry.AFTER_OPEN, horizon, min_names=min_names)
        generator = np.random.default_rng(seed)
        values = generator.normal(size=(features, *panel.shape)).astype(np.float32)
        known = np.nan_to_num(labels.values) / np.nanstd(labels.values)
        values[0] += np.float32(signal) * known.astype(np.float32)
        return make_sample(values, labels.values, labels.excess, panel.members), labels

    return make
