"""Registered features, and panels of whole bars."""

import numpy as np
import pytest

from aitrader.domain.symbols import Symbol
from aitrader.features.feature import load
from aitrader.panel.panel import Panel


@pytest.fixture(scope="session")
def registry():
    """Every registered feature by name."""
    return load()


@pytest.fixture(scope="session")
def make_panel():
    """Lay columns (one row per symbol) out as a panel of which everybody is a member."""

    def build(columns, symbols=None):
        grids = {name: np.atleast_2d(np.array(values, dtype=np.float64)) for name, values in columns.items()}
        shape = next(iter(grids.values())).shape
        named = symbols or tuple(Symbol(f"S{number:03d}") for number in range(shape[0]))
        sessions = np.datetime64("2020-01-01") + np.arange(shape[1])
        return Panel("XNYS", "1d", sessions, named, grids, np.ones(shape, dtype=bool))

    return build
