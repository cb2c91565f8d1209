"""Small markets for scanners."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import numpy as np
import pytest

from aitrader.domain.snapshot import MarketSnapshot
from aitrader.domain.symbols import Symbol
from aitrader.panel.expr import column
from aitrader.scanners.scanner import Contributions, ScanView


@pytest.fixture
def make_view() -> Callable[..., ScanView]:
    """Make a view of symbols A, B, C ... on 2013-08-07: one feature value and one prediction each."""

    def make(predictions, *, values=None, members=None, stale=None, absences=None) -> ScanView:
        count = len(predictions)
        features = {column("close").key: np.arange(count) + 10.0} | (values or {})
        snapshot = MarketSnapshot(
            session=date(2013, 8, 7),
            decided_at=datetime(2013, 8, 7, 22, tzinfo=UTC),
            symbols=tuple(Symbol(chr(65 + at)) for at in range(count)),
            members=np.ones(count, dtype=bool) if members is None else np.array(members),
            close=np.arange(count) + 10.0,
            stale=np.zeros(count, dtype=np.int64) if stale is None else np.array(stale),
            volume20=np.full(count, 1e6),
            features=features,
            predictions={"trees": np.array(predictions, dtype=np.float64)},
        )
        parts = np.column_stack([np.array(predictions) - 1.0, np.full(count, 0.25), np.zeros(count)])
        shown = Contributions(
            ("momentum", "gap", "noise"),
            np.column_stack([np.arange(count, dtype=float), np.full(count, np.nan), np.zeros(count)]),
            parts,
            np.full(count, 0.75),
        )
        return ScanView(snapshot, {"trees": shown}, absences or {})

    return make
