"""Computes the wanted features and stores what the lake lacks, or holds from older bars."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from aitrader.config.schema import Config
from aitrader.domain.clock import Clock, wall_clock
from aitrader.domain.receipts import Receipt
from aitrader.domain.symbols import parse_symbol
from aitrader.domain.wording import counted
from aitrader.errors import UsageError
from aitrader.features.compute import refuse_lacking
from aitrader.features.feature import FeatureSpec
from aitrader.jobs.assembly.cluster import cluster_means
from aitrader.jobs.assembly.data import cautions, open_lake
from aitrader.jobs.assembly.feature_bars import Bars
from aitrader.jobs.assembly.feature_builds import Builder
from aitrader.jobs.assembly.feature_pieces import Means
from aitrader.jobs.assembly.feature_units import TIMEFRAME, Planner, Todo, stored_key, units
from aitrader.jobs.assembly.learning import feature_set, workers
from aitrader.jobs.progress import Report, silent
from aitrader.jobs.receipt import versions, write_receipt
from aitrader.lake.feature_store import FeatureStore
from aitrader.lake.store import Lake
from aitrader.panel.panel import COLUMNS

Done = Literal["computed", "fresh", "would compute"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: ``sets`` (none: those of ``features.compute``) and ``symbols`` (None: all).

    ``full`` computes again what is fresh. ``run_id`` and ``origins`` (where each setting was written) go into the
    receipt. ``now`` is the replay clock, which hides later bars. ``cluster`` is the address of the Dask scheduler whose
    workers compute, or ``local`` (None: threads of this process); it changes no value.
    """

    sets: Sequence[str] = ()
    symbols: Sequence[str] | None = None
    full: bool = False
    dry_run: bool = False
    run_id: str | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    now: datetime | None = None
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class FeatureReport:
    """One feature: what was done, and the share of the bars computed now that have a value (None: none was).

    ``lookback`` is in bars; None: recursive, it needs all of them. ``raw_level`` values models refuse by default.
    """

    name: str
    family: str
    key: str
    done: Done
    lookback: int | None
    raw_level: bool
    coverage: float | None


@dataclass(frozen=True, slots=True)
class FeaturesReport:
    """What ``calculate-features`` did, feature by feature, for which symbols and sessions."""

    features: tuple[FeatureReport, ...]
    symbols: int
    first: date
    last: date
    sessions: int
    lake_version: int
    receipt: str | None
    warnings: tuple[str, ...]

    @property
    def computed(self) -> int:
        """Features that were computed, or would be."""
        return sum(feature.done != "fresh" for feature in self.features)


@dataclass(frozen=True, slots=True)
class _Course:
    """What all parts of one run share. ``keys`` are the lake's, one per feature."""

    config: Config
    wanted: Wanted
    bars: Bars
    specs: tuple[FeatureSpec, ...]
    keys: tuple[str, ...]
    todos: tuple[Todo, ...]

    @property
    def stale(self) -> frozenset[str]:
        """The keys of what has to be computed."""
        return frozenset(key for todo in self.todos if not todo.fresh for key in todo.unit.columns)


def calculate_features(
    config: Config,
    root: Path,
    wanted: Wanted | None = None,
    *,
    clock: Clock = wall_clock,
    progress: Report = silent,
) -> FeaturesReport:
    """Compute features on the lake's bars and store them as float32 columns under their keys.

    A feature that is stored from the same bars, actions and settings for all wanted symbols is left alone. New sessions
    are added to what is stored; a symbol whose history changed is computed anew, features that look across symbols
    then as a whole. Every part is committed by itself, so that an interrupted run keeps what it finished. Where a
    stored file is damaged or missing, what it belongs to is computed again, as with ``full``.

    Raises
    ------
    UsageError
        No feature is wanted, or a symbol has no bars.
    UnknownNameError
        A set or feature has no such name.
    ConfigError
        `universe.groups` names a file that is none of groups, or a feature compares within groups that it lacks.
    InsufficientDataError
        The lake has no bars for the configuration.
    LockHeldError
        Another run stores features now.
    ClusterError
        The cluster does not answer, lost its workers, or would give other bits.
    """
    started, wanted = clock(), wanted or Wanted()
    specs = feature_set(config, *(wanted.sets or config.features.compute))
    if not specs:
        raise UsageError(
            "There is nothing to compute: `features.compute` is empty.",
            fix="Name sets in it, or one with --feature-set.",
        )
    with open_lake(root, clock) as lake:
        with nullcontext() if wanted.dry_run else lake.writer(f"features/{TIMEFRAME}"):
            snapshot = lake.snapshot(now=wanted.now)
            bars = Bars(config, snapshot)
            refuse_lacking(specs, COLUMNS, bars.groups.kinds)
            planner = Planner(config, bars, _chosen(wanted, bars))
            keys = tuple(stored_key(spec, config, bars) for spec in specs)
            found = tuple(planner.todo(unit) for unit in units(snapshot, specs, keys, anew=wanted.full))
            course = _Course(config, wanted, bars, specs, keys, found)
            store = lake.feature_store(TIMEFRAME, snapshot)
            outputs = {} if wanted.dry_run else _store(course, store, planner, progress)
        report = _report(course, outputs, store.version)
        if not outputs:
            return report
        path = _receipt(course, lake, outputs, (started, clock()))
    return replace(report, receipt=str(path))


def _chosen(wanted: Wanted, bars: Bars) -> frozenset[str] | None:
    if wanted.symbols is None:
        return None
    chosen = {parse_symbol(text) for text in wanted.symbols}
    strange = sorted(chosen - set(bars.selection))
    if strange:
        raise UsageError(
            f"{', '.join(strange)}: no bars, or not in the universe.",
            fix="See `aitrader lake ls`, and `universe.symbols` in the configuration.",
        )
    return frozenset(chosen)


def _store(course: _Course, store: FeatureStore, planner: Planner, progress: Report) -> dict[str, float]:
    """Build what is stale, unit by unit; return the coverage of each key that was computed."""
    outputs: dict[str, float] = {}
    cluster = course.wanted.cluster if course.stale else None
    with _means() if cluster is None else cluster_means(cluster) as means:
        builder = Builder(
            course.config,
            course.bars,
            planner,
            store,
            means,
            resumes=not course.wanted.full,
            progress=progress,
        )
        for todo in course.todos:
            outputs |= builder.build(todo)
    return outputs


@contextmanager
def _means() -> Iterator[Means]:
    with workers() as executor:
        yield Means(executor, os.cpu_count() or 1)


def _report(course: _Course, outputs: Mapping[str, float], version: int) -> FeaturesReport:
    done: Done = "would compute" if course.wanted.dry_run else "computed"
    reports = [
        FeatureReport(
            name=spec.name,
            family=spec.family,
            key=key,
            done=done if key in course.stale else "fresh",
            lookback=spec.lookback,
            raw_level=spec.raw_level,
            coverage=outputs.get(key),
        )
        for spec, key in zip(course.specs, course.keys, strict=True)
    ]
    sessions = course.todos[0].sessions.tolist()
    symbols = course.todos[0].symbols
    empty = [report.name for report in reports if report.coverage == 0.0]
    notes = [f"{counted(len(empty), 'feature')} without any value: {', '.join(empty[:8])}"] if empty else []
    lost = len(set(course.bars.venue.between(sessions[0], sessions[-1])) - set(sessions))
    series = {symbol: course.bars.series[symbol] for symbol in symbols}
    return FeaturesReport(
        features=tuple(reports),
        symbols=len(symbols) if course.wanted.symbols is None else len(set(course.wanted.symbols)),
        first=sessions[0],
        last=sessions[-1],
        sessions=len(sessions),
        lake_version=version,
        receipt=None,
        warnings=(*cautions(course.bars.source, series, lost=lost), *notes),
    )


def _receipt(course: _Course, lake: Lake, outputs: Mapping[str, float], times: tuple[datetime, datetime]) -> Path:
    names = dict(zip(course.keys, (spec.name for spec in course.specs), strict=True))
    wanted, snapshot = course.wanted, course.bars.snapshot
    receipt = Receipt(
        run_id=wanted.run_id or f"calculate-features-{times[0]:%Y%m%dT%H%M%SZ}",
        command="calculate-features",
        arguments={
            "sets": list(wanted.sets),
            "symbols": wanted.symbols,
            "full": wanted.full,
            "now": wanted.now,
            "cluster": wanted.cluster,
        },
        started_at=times[0],
        finished_at=times[1],
        lake_version=snapshot.version,
        inputs={name: snapshot.content_hash(name) for name in ("bars/1d", "actions")}
        | {f"universe.groups: {kind}": course.bars.groups.hash(kind) for kind in course.bars.groups.kinds},
        outputs={names[key]: key for key in outputs},
        settings=course.config.model_dump(mode="json"),
        origins=wanted.origins,
        seed=None,
        versions=versions(),
    )
    return write_receipt(lake.root, receipt)
