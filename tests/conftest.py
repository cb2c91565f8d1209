"""What every test may ask for."""

import os
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import settings

from aitrader.backtest.run import Plan
from aitrader.backtest.tape import Tape
from aitrader.config.schema import Costs, Execution, Portfolio, Risk
from aitrader.disk.kernel_cache import use_kernel_cache
from aitrader.domain.calendars import LAST, calendar
from aitrader.domain.symbols import Symbol
from aitrader.engine.decide import Rules
from aitrader.engine.history import History
from aitrader.lake.feature_files import States
from aitrader.lake.feature_store import Build
from aitrader.panel.panel import Panel
from aitrader.portfolio.allocators import equal
from aitrader.strategies.model_driven import ModelDriven

use_kernel_cache(os.environ)  # before anything imports numba

EXAMPLES = 200 if "RELIABILITY" in os.environ else 25
"""Examples of each property: `make reliability` and `make soak` try more than `make test`."""

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None, max_examples=EXAMPLES)
settings.load_profile("repeatable")

FREE = Costs(spread_bps=0, impact_bps=0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the demo, which takes longest, so that it does not keep one worker busy at the end."""
    items.sort(key=lambda item: "test_demo" not in item.nodeid)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real market data beside the checkout; tests that need it skip where it is not."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared market data are not beside this checkout")
    return folder


class Past:
    """Prices and predictions of a few symbols on consecutive sessions, as a panel, a history and a tape.

    A market so small that every number can be checked by hand.
    """

    def __init__(
        self, close, *, open_=None, predictions=None, first=date(2013, 7, 1), volume=1e6, adjusted_volume=None
    ):
        self.calendar = calendar("XNYS")
        self.close = np.array(close, dtype=float)
        count, length = self.close.shape
        start = self.calendar.between(first, LAST)[0]
        self.sessions = [self.calendar.offset(start, step) for step in range(length)]
        self.open = self.close.copy() if open_ is None else np.array(open_, dtype=float)
        self.volume = np.where(np.isfinite(self.close), np.broadcast_to(volume, self.close.shape), np.nan)
        self.adjusted_volume = self.volume if adjusted_volume is None else np.array(adjusted_volume, dtype=float)
        self.symbols = tuple(Symbol(name) for name in "ABCDEFGHIJ"[:count])
        opinions = np.tile(np.arange(count, 0.0, -1)[:, None], length) if predictions is None else predictions
        self.predictions = np.array(opinions, dtype=float)

    @property
    def panel(self):
        columns = {}
        for prefix in ("", "traded_"):
            columns |= {
                f"{prefix}open": self.open,
                f"{prefix}high": np.fmax(self.open, self.close),
                f"{prefix}low": np.fmin(self.open, self.close),
                f"{prefix}close": self.close,
                f"{prefix}volume": self.volume if prefix else self.adjusted_volume,
                f"{prefix}vwap": (self.open + self.close) / 2,
            }
        days = np.array(self.sessions, dtype="datetime64[D]")
        return Panel("XNYS", "1d", days, self.symbols, columns, np.isfinite(self.close))

    @property
    def history(self):
        return History.of(
            self.panel, self.calendar, features={}, predictions={"m": self.predictions}, lag=timedelta(minutes=15)
        )

    def tape(self, *actions):
        return Tape.of(self.panel, self.history, actions)

    def plan(self, *, top=1, rebalance=1, costs=FREE, cash=10_000, portfolio=None, risk=None, strategies=None, **more):
        names = strategies or {"top": ModelDriven("m", top, equal)}
        return Plan(
            strategies=names,
            rebalance=dict.fromkeys(names, rebalance),
            rules=rules(costs=costs, portfolio=portfolio, risk=risk),
            cash=Decimal(cash),
            start=more.pop("start", self.sessions[0]),
            end=more.pop("end", self.sessions[-1]),
            **more,
        )


def rules(*, costs=FREE, portfolio=None, risk=None):
    wide = Risk(max_order_equity_share=1, max_order_qty=1e9, max_position=1, max_order_adv_share=1, cash_reserve=0)
    return Rules(
        "main",
        portfolio or Portfolio(invested=1, no_trade_band=0),
        Execution(costs=costs),
        risk or wide,
    )


@pytest.fixture(scope="session")
def past():
    return Past


@pytest.fixture(scope="session")
def make_rules():
    return rules


@pytest.fixture(scope="session")
def store_features():
    """``store(lake, sessions, symbols, {key: (name, grid)})`` stores features of the lake as it is, as one part."""

    def store(lake, sessions, symbols, values, *, version=None):
        columns = {key: name for key, (name, _) in values.items()}
        grids = np.stack([grid for _, grid in values.values()]).astype(np.float32)
        with lake.writer("features/1d"):
            files = lake.feature_store("1d", lake.snapshot())
            with files.part(columns, sessions) as part:
                part.write(symbols, grids)
            rows = pl.DataFrame({"symbol": symbols, "stored": True})
            states = files.states(columns, States(rows, sessions, {}))
            built_from = lake.snapshot().version if version is None else version
            paths = (part.file.path,), (states.path,)
            files.complete(columns, Build("files", *paths, str(sessions[-1]), built_from, None), [part.file, states])

    return store
