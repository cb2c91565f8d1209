"""A session's market, made by hand."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from aitrader.domain.snapshot import MarketSnapshot
from aitrader.domain.symbols import Symbol


@pytest.fixture
def snapshot_of():
    def make(predictions, *, members=None, stale=None, close=None, features=None):
        count = len(predictions)
        return MarketSnapshot(
            session=date(2013, 8, 7),
            decided_at=datetime(2013, 8, 7, 20, 15, tzinfo=UTC),
            symbols=tuple(Symbol(name) for name in "ABCDEFGHIJ"[:count]),
            members=np.ones(count, bool) if members is None else np.array(members),
            close=np.full(count, 10.0) if close is None else np.array(close, dtype=float),
            stale=np.zeros(count, np.int64) if stale is None else np.array(stale, dtype=np.int64),
            volume20=np.full(count, 1e6),
            features=features or {},
            predictions={"m": np.array(predictions, dtype=float)},
        )

    return make
