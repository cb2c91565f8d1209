"""Small panels, and the value of one expression on them."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from aitrader.domain.symbols import Symbol
from aitrader.panel.expr import Expr
from aitrader.panel.panel import Panel
from aitrader.panel.plan import plan


def _panel(columns: Mapping[str, object], members: np.ndarray | None = None) -> Panel:
    grids = {name: np.atleast_2d(np.array(values, dtype=np.float64)) for name, values in columns.items()}
    shape = next(iter(grids.values())).shape
    sessions = np.datetime64("2020-01-01") + np.arange(shape[1])
    symbols = tuple(Symbol(f"S{number:03d}") for number in range(shape[0]))
    return Panel("XNYS", "1d", sessions, symbols, grids, np.ones(shape, dtype=bool) if members is None else members)


@pytest.fixture(scope="session")
def make_panel() -> Callable[..., Panel]:
    """Lay columns (one row per symbol, or one row) out as a panel; everybody is a member unless said."""
    return _panel


@pytest.fixture(scope="session")
def value() -> Callable[..., np.ndarray]:
    """Compute one expression: ``value(expr, x=..., y=...)``, shape (symbols, sessions)."""

    def compute(expr: Expr, members: np.ndarray | None = None, min_names: int = 1, **columns: object) -> np.ndarray:
        return plan([expr]).run(_panel(columns, members), min_names=min_names)[0]

    return compute
