"""A lake with the sample's real prices and a small model, made once."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from aitrader.cli.app import main
from aitrader.domain.calendars import calendar
from aitrader.domain.frames import ACTIONS, BARS, Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.lake.store import Lake

SETTINGS = {
    "aitrader.yaml": "mode: paper\n",
    "data.yaml": "{source: sample, start: 2009-01-02}\n",
    "features.yaml": "sets: {small: [momentum, volatility, {momentum: {bars: 60}}]}\ncompute: [small]\n",
    "models.yaml": "line: {kind: ridge, features: small}\n",
    "training.yaml": "retrain: {every: 126, window: 504}\nbootstrap_samples: 200\ngate: {min_rank_ic_lower: -1}\n",
    "strategies.yaml": (
        "leaders: {kind: model_driven, rebalance: wednesday, params: {model: line, top: 5}}\n"
        "even: {kind: equal_weight, rebalance: 1}\n"
    ),
    "portfolio.yaml": "no_trade_band: 0%\n",
    "risk.yaml": "max_position: 25%\nmax_order_equity_share: 25%\nmax_daily_loss: 50%\nmax_drawdown: 70%\n",
}


@pytest.fixture(scope="session")
def sample_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root whose model learned from the sample's prices up to 2013-06-28; one of two strategies follows it."""
    root = tmp_path_factory.mktemp("sample")
    for name in ("config", "data_lake", "logs", "state"):
        (root / name).mkdir()
    for name, text in SETTINGS.items():
        (root / "config" / name).write_text(text)
    assert main(["backfill", "--root", str(root)]) == 0
    assert main(["train", "--end", "2013-06-28", "--root", str(root)]) == 0
    return root


@pytest.fixture(scope="session")
def eventful_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with six symbols up to 2013-08-09: two split, three pay dividends, one trades little, one has gaps."""
    root = tmp_path_factory.mktemp("eventful")
    for name in ("config", "data_lake", "logs", "state"):
        (root / name).mkdir()
    texts = {
        "aitrader.yaml": "mode: paper\n",
        "universe.yaml": "min_history: 5\n",
        "strategies.yaml": "even: {kind: equal_weight, rebalance: 2}\n",
        "portfolio.yaml": "no_trade_band: 0%\n",
        "risk.yaml": (
            "max_position: 40%\nmax_order_equity_share: 40%\nmax_order_adv_share: 100%\nmax_order_qty: 1000000\n"
            "max_daily_loss: 50%\nmax_drawdown: 70%\n"
        ),
    }
    for name, text in texts.items():
        (root / "config" / name).write_text(text)
    bars, actions = _eventful(sessions=60)
    info = SeriesInfo("test", Adjustment.RAW)
    with Lake.open(root / "data_lake", create=True) as lake:
        lake.append("bars/1d", bars, source="test", series=dict.fromkeys(bars["symbol"].unique(), info))
        lake.append("actions", actions, source="test")
    return root


def _eventful(sessions: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    venue = calendar("XNYS")
    last = venue.position(date(2013, 8, 9))
    days = venue.sessions[last - sessions + 1 : last + 1]
    random = np.random.default_rng(5)
    splits = {("A", 45): 2.0, ("B", 50): 1 / 3, ("A", 55): 1.5}
    dividends = {("A", 45): 0.25, ("C", 47): 0.4, ("D", 52): 0.1, ("C", 57): 0.4}
    rows = []
    for symbol in "ABCDEF":
        close = 60 * np.exp(np.cumsum(random.normal(0, 0.02, sessions)))
        start = close * np.exp(random.normal(0, 0.01, sessions))
        shares = np.ones(sessions)
        for (name, at), ratio in splits.items():
            if name == symbol:
                shares[at:] *= ratio
        close, start = close / shares, start / shares
        volume = random.uniform(1, 2, sessions) * (8e2 if symbol == "F" else 1e6) * shares
        for at, day in enumerate(days):
            if symbol == "E" and at == 49:  # no decision is due on this bar: one would be refused
                continue
            high, low = max(start[at], close[at]) * 1.01, min(start[at], close[at]) * 0.99
            known = venue.close_of(day) + timedelta(minutes=15)
            prices = [round(float(value), 4) for value in (start[at], high, low, close[at])]
            rows.append((symbol, day, *prices, round(float(volume[at])), None, None, "test", known))
    events = [(s, days[at], "split", ratio, None, "test", venue.open_of(days[at])) for (s, at), ratio in splits.items()]
    events += [
        (s, days[at], "dividend", None, usd, "test", venue.open_of(days[at])) for (s, at), usd in dividends.items()
    ]
    return pl.DataFrame(rows, schema=BARS, orient="row"), pl.DataFrame(events, schema=ACTIONS, orient="row")
