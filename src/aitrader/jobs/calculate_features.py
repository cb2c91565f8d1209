"""Computes the wanted features and stores what the lake lacks, or holds from older bars."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from aitrader.config.schema import Config
from aitrader.domain.clock import Clock, wall_clock
from aitrader.domain.receipts import Receipt
from aitrader.domain.symbols import Symbol, parse_symbol
from aitrader.errors import LakeError, UsageError
from aitrader.features.compute import compute
from aitrader.features.feature import FeatureSpec
from aitrader.jobs.assembly.data import Market, market, open_lake
from aitrader.jobs.assembly.learning import feature_set, workers
from aitrader.jobs.progress import Progress, Report, silent
from aitrader.jobs.receipt import versions, write_receipt
from aitrader.lake.snapshot import Snapshot, StoredFeature
from aitrader.lake.store import Lake

TIMEFRAME: Final = "1d"
GROUP: Final = 16
"""Features computed and committed together: what an interruption can lose at most."""

Done = Literal["computed", "fresh", "would compute"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: ``sets`` (none: those of ``features.compute``) and ``symbols`` (None: all).

    ``full`` computes again what is fresh. ``run_id`` and ``origins`` (where each setting was written) go into the
    receipt. ``now`` is the replay clock, which hides later bars.
    """

    sets: Sequence[str] = ()
    symbols: Sequence[str] | None = None
    full: bool = False
    dry_run: bool = False
    run_id: str | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class FeatureReport:
    """One feature: what was done, and the share of bars for which it has a value (None: not looked at).

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
class _Stored:
    """What the lake holds fresh of one feature."""

    symbols: tuple[Symbol, ...]
    coverage: float


@dataclass(frozen=True, slots=True)
class _Course:
    """What all parts of one run share. ``keys`` are the lake's, one per feature."""

    config: Config
    wanted: Wanted
    market: Market
    specs: tuple[FeatureSpec, ...]
    keys: tuple[str, ...]
    fresh: Mapping[str, _Stored]
    anew: bool
    inputs: str
    progress: Report


def calculate_features(
    config: Config,
    root: Path,
    wanted: Wanted | None = None,
    *,
    clock: Clock = wall_clock,
    progress: Report = silent,
) -> FeaturesReport:
    """Compute features on the lake's bars and store them as float32 columns under their keys.

    A feature that is stored from the same bars, actions and settings for all wanted symbols is left alone. Every
    group of features is committed by itself, so that an interrupted run keeps what it finished. Where a stored file
    is damaged or missing, all are computed again, for all symbols, as with ``full``.

    Raises
    ------
    UnknownNameError
        A set or feature has no such name.
    InsufficientDataError
        The lake has no bars for the configuration.
    LockHeldError
        Another run stores features now.
    """
    started, wanted = clock(), wanted or Wanted()
    specs = feature_set(config, *(wanted.sets or config.features.compute))
    with open_lake(root, clock) as lake:
        with nullcontext() if wanted.dry_run else lake.writer(f"features/{TIMEFRAME}"):
            snapshot = lake.snapshot(now=wanted.now)
            course = _course(config, snapshot, wanted, specs, progress)
            symbols = _symbols(course)
            stale = _stale(course, symbols)
            outputs = {} if wanted.dry_run else dict(_store(course, lake, stale, symbols))
        version = lake.snapshot().version
        report = _report(course, stale, outputs, (symbols, version))
        if not outputs:
            return report
        path = _receipt(course, lake, outputs, (started, clock()))
    return FeaturesReport(
        report.features, report.symbols, report.first, report.last, report.sessions, version, str(path),
        report.warnings,
    )  # fmt: skip


def stored_key(spec: FeatureSpec, config: Config, prices: Market) -> str:
    """Return the key under which the lake holds a feature: expression, kernels, timeframe, price basis.

    For a feature that looks across symbols the universe and its settings count too.
    """
    basis: dict[str, Any] = {
        "feature": spec.key,
        "timeframe": TIMEFRAME,
        "calendar": prices.panel.calendar,
        "source": prices.source,
        "start": str(config.data.start),
        "adjustment": sorted({str(info.adjustment) for info in prices.series.values()}),
    }
    if spec.looks_across:
        basis["universe"] = config.universe.model_dump(mode="json")
        basis["symbols"] = list(prices.panel.symbols)
        basis["min_names"] = config.features.min_names
    return sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()


def _course(
    config: Config, snapshot: Snapshot, wanted: Wanted, specs: tuple[FeatureSpec, ...], progress: Report
) -> _Course:
    prices = market(config, snapshot)
    keys = tuple(stored_key(spec, config, prices) for spec in specs)
    place = {symbol: row for row, symbol in enumerate(prices.panel.symbols)}
    present = ~np.isnan(prices.panel["close"])
    fresh = {}
    known = _stored(snapshot, wanted, keys)
    for key, stored in (known or {}).items():
        if np.array_equal(stored.sessions, prices.panel.sessions):
            both = [(row, place[symbol]) for row, symbol in enumerate(stored.symbols) if symbol in place]
            values, bars = (list(rows) for rows in zip(*both, strict=True)) if both else ([], [])
            fresh[key] = _Stored(stored.symbols, _coverage(stored.values[values], present[bars]))
    return _Course(config, wanted, prices, specs, keys, fresh, known is None, snapshot.inputs(TIMEFRAME), progress)


def _stored(snapshot: Snapshot, wanted: Wanted, keys: tuple[str, ...]) -> Mapping[str, StoredFeature] | None:
    """Return what is stored of ``keys``; None where all is built anew: as asked for, or because a file is damaged."""
    if wanted.full:
        return None
    try:
        return snapshot.features(keys, timeframe=TIMEFRAME)
    except LakeError as error:
        logging.getLogger(__name__).warning("%s All features are computed again.", error)
        return None


def _symbols(course: _Course) -> tuple[Symbol, ...]:
    known = course.market.panel.symbols
    if course.wanted.symbols is None:
        return known
    chosen = {parse_symbol(text) for text in course.wanted.symbols}
    strange = sorted(chosen - set(known))
    if strange:
        raise UsageError(
            f"{', '.join(strange)}: no bars, or not in the universe.",
            fix="See `aitrader lake ls`, and `universe.symbols` in the configuration.",
        )
    return tuple(symbol for symbol in known if symbol in chosen)


def _stale(course: _Course, symbols: tuple[Symbol, ...]) -> tuple[int, ...]:
    """Return the positions of the features that have to be computed."""
    if course.wanted.full:
        return tuple(range(len(course.specs)))
    return tuple(
        position
        for position, key in enumerate(course.keys)
        if key not in course.fresh or not set(symbols) <= set(course.fresh[key].symbols)
    )


def _store(
    course: _Course, lake: Lake, stale: tuple[int, ...], symbols: tuple[Symbol, ...]
) -> Iterator[tuple[str, float]]:
    """Compute and commit group by group; yield each key with its coverage."""
    panel = course.market.panel
    # A column is replaced as a whole, so what it held for other symbols is computed again rather than lost.
    held = [course.fresh[course.keys[n]].symbols for n in stale if course.keys[n] in course.fresh]
    kept = set(panel.symbols) if course.anew else set(symbols).union(*held)
    rows = [row for row, symbol in enumerate(panel.symbols) if symbol in kept]
    present = ~np.isnan(panel["close"][rows])
    with workers() as executor:
        for start in range(0, len(stale), GROUP):
            group = stale[start : start + GROUP]

            def step(done: int, total: int, start: int = start, size: int = len(group)) -> None:
                course.progress(Progress("features", start + size * done // total, len(stale)))

            values = compute(
                panel,
                [course.specs[n] for n in group],
                min_names=course.config.features.min_names,
                executor=executor,
                progress=step,
            )
            columns = {course.keys[n]: (course.specs[n].name, values[place][rows]) for place, n in enumerate(group)}
            names = [panel.symbols[row] for row in rows]
            lake.store_features(TIMEFRAME, panel.sessions, names, columns, inputs=course.inputs)
            yield from ((key, _coverage(column, present)) for key, (_, column) in columns.items())


def _coverage(values: NDArray[np.float32], present: NDArray[np.bool_]) -> float:
    bars = int(present.sum())
    return float((present & ~np.isnan(values)).sum() / bars) if bars else 0.0


def _report(
    course: _Course, stale: tuple[int, ...], outputs: Mapping[str, float], told: tuple[tuple[Symbol, ...], int]
) -> FeaturesReport:
    symbols, version = told
    done: Done = "would compute" if course.wanted.dry_run else "computed"
    reports = [
        FeatureReport(
            name=spec.name,
            family=spec.family,
            key=key,
            done=done if position in stale else "fresh",
            lookback=spec.lookback,
            raw_level=spec.raw_level,
            coverage=outputs.get(key, course.fresh[key].coverage if key in course.fresh else None),
        )
        for position, (spec, key) in enumerate(zip(course.specs, course.keys, strict=True))
    ]
    sessions = course.market.sessions
    empty = [report.name for report in reports if report.coverage == 0.0]
    notes = [f"{len(empty)} features have no value at all: {', '.join(empty[:8])}"] if empty else []
    return FeaturesReport(
        features=tuple(reports),
        symbols=len(symbols),
        first=sessions[0],
        last=sessions[-1],
        sessions=len(sessions),
        lake_version=version,
        receipt=None,
        warnings=(*course.market.warnings, *notes),
    )


def _receipt(course: _Course, lake: Lake, outputs: Mapping[str, float], times: tuple[datetime, datetime]) -> Path:
    names = dict(zip(course.keys, (spec.name for spec in course.specs), strict=True))
    wanted = course.wanted
    receipt = Receipt(
        run_id=wanted.run_id or f"calculate-features-{times[0]:%Y%m%dT%H%M%SZ}",
        command="calculate-features",
        arguments={"sets": list(wanted.sets), "symbols": wanted.symbols, "full": wanted.full, "now": wanted.now},
        started_at=times[0],
        finished_at=times[1],
        lake_version=course.market.lake_version,
        inputs={"bars/1d": course.market.bars_hash, "inputs": course.inputs},
        outputs={names[key]: key for key in outputs},
        settings=course.config.model_dump(mode="json"),
        origins=wanted.origins,
        seed=None,
        versions=versions(),
    )
    return write_receipt(lake.root, receipt)
