"""What the checks look at: settings, and the lake's data, each loaded once and only when a check asks."""

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aitrader.config.schema import Config
from aitrader.domain.calendars import Calendar, calendar
from aitrader.domain.series import SeriesInfo
from aitrader.domain.symbols import Symbol
from aitrader.features.feature import FeatureSpec
from aitrader.jobs.assembly.data import Market, market, open_lake
from aitrader.jobs.assembly.folders import Visit
from aitrader.jobs.assembly.learning import feature_set, feature_values, workers
from aitrader.jobs.progress import Report
from aitrader.lake.model_store import ModelStore
from aitrader.lake.quality import QualityReport, inspect
from aitrader.lake.snapshot import Snapshot
from aitrader.lake.store import Lake

if TYPE_CHECKING:
    from aitrader.engine.state import State
    from aitrader.jobs.assembly.book import OpenBook
    from aitrader.jobs.assembly.desk import Current


class Bench:
    """The settings and one snapshot of the lake. With ``now`` (the replay clock) later rows are not seen.

    Every property raises what its part of the program raises; a check that asks then fails with that message.
    """

    def __init__(self, config: Config, root: Path, visit: Visit, *, progress: Report) -> None:
        self.config = config
        self.root = root
        self.visit = visit
        self.replay = visit.now
        self.progress = progress
        self._clock = visit.clock
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def now(self) -> datetime:
        """The time at which the checks stand, UTC."""
        return (self.replay or self._clock()).astimezone(UTC)

    @property
    def calendar(self) -> Calendar:
        """The venue's sessions."""
        return calendar(self.config.data.calendar)

    @cached_property
    def lake(self) -> Lake:
        """The lake, opened once."""
        return self._open.enter_context(open_lake(self.root, self._clock))

    @property
    def store(self) -> ModelStore:
        """The lake's models."""
        return ModelStore(self.lake.root)

    @cached_property
    def snapshot(self) -> Snapshot:
        """What the lake holds, as known at ``now`` under the replay clock."""
        return self.lake.snapshot(now=self.replay)

    @cached_property
    def bars(self) -> pl.DataFrame:
        """The stored bars of the configured source, dates and symbols."""
        data, universe = self.config.data, self.config.universe
        return self.snapshot.bars(symbols=universe.symbols, start=data.start, end=data.end, source=data.source)

    @cached_property
    def source(self) -> str:
        """The source whose bars are looked at; empty where there are none and none is configured."""
        return str(self.bars["source"][0]) if self.bars.height else self.config.data.source or ""

    @cached_property
    def quarantined(self) -> pl.DataFrame:
        """The rows of that source, those symbols and dates that were not admitted."""
        data, wanted = self.config.data, self.config.universe.symbols
        rows = self.snapshot.read("quarantine/bars/1d")
        chosen = rows.filter(pl.col("source").is_null() | (pl.col("source") == self.source))
        if wanted is not None:
            chosen = chosen.filter(pl.col("symbol").is_null() | pl.col("symbol").is_in(wanted))
        inside = pl.col("session").is_between(data.start or date.min, data.end or date.max)
        return chosen.filter(pl.col("session").is_null() | inside)

    @cached_property
    def quality(self) -> QualityReport:
        """What is missing and what is odd."""
        return inspect(self.bars, self.calendar, self.config.quality.max_gap, quarantined=self.quarantined)

    @property
    def series(self) -> Mapping[Symbol, SeriesInfo]:
        """What is known about each series that is looked at."""
        return self.market.series

    @cached_property
    def market(self) -> Market:
        """The bars as a panel."""
        return market(self.config, self.snapshot)

    @cached_property
    def specs(self) -> tuple[FeatureSpec, ...]:
        """Every feature that is stored or that a model learns from."""
        sets = dict.fromkeys([*self.config.features.compute, *(one.features for one in self.config.models.values())])
        return feature_set(self.config, *sets)

    def values(self, prices: Market) -> NDArray[np.float32]:
        """Return those features of ``prices``: features by symbols by sessions."""
        with workers() as executor:
            return feature_values(self.config, prices, self.specs, executor=executor)

    @cached_property
    def book(self) -> "OpenBook":
        """The book with its account, up to now, in memory; one that never began as it would begin."""
        from aitrader.jobs.assembly.book import open_book  # only for the checks that ask

        return self._open.enter_context(open_book(self.config, self.root, self.visit, mode="read", create=True))

    @cached_property
    def looked(self) -> "tuple[State, Current | None, str]":
        """What the book adds up to, and why it cannot be compared with its account (see ``assembly.desk``)."""
        from aitrader.jobs.assembly.desk import looked_at

        return looked_at(self.config, self.book, self.visit)
