"""What every test of a source needs: a context whose clock stands still."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from aitrader.domain.calendars import calendar
from aitrader.domain.clock import fixed_clock
from aitrader.sources.source import Context


@pytest.fixture(scope="session")
def context_at() -> Callable[..., Context]:
    def make(now=datetime(2024, 6, 14, 22, tzinfo=UTC), venue="XNYS", lag=15, secrets=None):
        hidden = {name: SecretStr(value) for name, value in (secrets or {}).items()}
        return Context(calendar(venue), timedelta(minutes=lag), fixed_clock(now), secret=hidden.get)

    return make


@pytest.fixture(scope="session")
def context(context_at) -> Context:
    return context_at()
