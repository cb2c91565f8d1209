"""The features that are known: listed, described, and held to the rules of conformance."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

import numpy as np

from aitrader.config.schema import Config
from aitrader.config.schema import Features as Section
from aitrader.domain.calendars import calendar
from aitrader.domain.symbols import Symbol
from aitrader.errors import UsageError
from aitrader.features.conformance.market import made_up
from aitrader.features.conformance.rules import RULES, Verdict, verdicts
from aitrader.features.conformance.subject import subject_of
from aitrader.features.conformance.trial import Trial
from aitrader.features.feature import PLUGINS, FeatureSpec, Setting, load
from aitrader.features.formula import formula
from aitrader.features.resolve import resolve, unknown
from aitrader.features.said import filled
from aitrader.features.sets import SETS
from aitrader.jobs.progress import Progress, Report, silent
from aitrader.lake.adjust import forward
from aitrader.panel.panel import GROUPS, Panel
from aitrader.panel.plan import columns_of, plan, walk

MEASURED: Final = (64, 2520)
"""Symbols and sessions of the panel that ``--measure`` runs on; ten years."""

ROUNDS: Final = 3
"""Runs of which the fastest counts."""


@dataclass(frozen=True, slots=True)
class FeatureLine:
    """One feature. ``lookback`` is in bars; None: recursive. ``steps`` are the instructions of its own program."""

    name: str
    family: str
    unit: str
    lookback: int | None
    looks_across: bool
    raw_level: bool
    steps: int
    summary: str


@dataclass(frozen=True, slots=True)
class SetLine:
    """One set: how many features it means, and whether it is built in."""

    name: str
    features: int
    built_in: bool


@dataclass(frozen=True, slots=True)
class FeatureList:
    """Features and sets; ``warnings`` name the plug-ins whose features are missing."""

    features: tuple[FeatureLine, ...]
    sets: tuple[SetLine, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FeatureCard:
    """Everything about one feature.

    ``formula`` is its expression; ``where`` names parts of a long one, in order. ``settings`` hold its numbers,
    defaults included; ``sets`` are those that have it. ``cpu_ns_per_bar`` is measured on one thread, alone: features
    computed together share parts.
    """

    line: FeatureLine
    formula: str
    where: tuple[tuple[str, str], ...]
    missing: str
    source: str
    settings: dict[str, Setting]
    sets: tuple[str, ...]
    columns: tuple[str, ...]
    key: str
    cpu_ns_per_bar: float | None
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetCard:
    """A set, or a family: the features that it means, in order."""

    name: str
    features: tuple[FeatureLine, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RulesReport:
    """One verdict per feature and rule, feature by feature."""

    features: int
    rules: int
    verdicts: tuple[Verdict, ...]
    warnings: tuple[str, ...]

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """The verdicts that are against a feature."""
        return tuple(verdict for verdict in self.verdicts if verdict.passed is False)


def list_features(config: Config, *, family: str | None = None, chosen: Sequence[str] = ()) -> FeatureList:
    """Return every known feature, or those of a ``family`` (or pattern), or those that a list of names means.

    Raises
    ------
    UnknownNameError
        No such family, set or feature.
    """
    own, known = config.features, load()
    specs = _resolved(config, own, [*chosen] if chosen else [*known, *own.custom])
    if family is not None:
        families = {spec.family for spec in specs}
        specs = tuple(spec for spec in specs if fnmatchcase(spec.family, family))
        if not specs:
            raise unknown("feature family", family, families)
    sets = [SetLine(name, len(_resolved(config, own, [name])), name in SETS) for name in (*SETS, *own.sets)]
    return FeatureList(tuple(map(_line, specs)), tuple(sets), _plugin_warnings())


def describe(config: Config, name: str, *, measure: bool = False) -> FeatureCard | SetCard:
    """Return what a name means: a feature, with settings or of the configuration, or a set, a family or a pattern.

    Raises
    ------
    UnknownNameError
        No such name; the nearest one is its fix.
    ConfigError
        A setting does not fit.
    """
    specs = _resolved(config, config.features, [name])
    lines = tuple(map(_line, specs))
    if len(specs) != 1 or name in {*SETS, *config.features.sets}:
        return SetCard(name, lines, _plugin_warnings())
    (spec,) = specs
    shown = formula(spec.expr)
    return FeatureCard(
        line=lines[0],
        formula=shown.text,
        where=shown.where,
        missing=filled(spec.missing, dict(spec.settings)),
        source=spec.source,
        settings=dict(spec.settings),
        sets=tuple(_sets_with(spec.name, config)),
        columns=tuple(sorted(columns_of(spec.expr))),
        key=spec.key,
        cpu_ns_per_bar=_cpu_ns_per_bar(spec) if measure else None,
        warnings=_plugin_warnings(),
    )


def hold_to_rules(config: Config, section: Section | None = None, *, progress: Report = silent) -> RulesReport:
    """Hold features to every rule of conformance, on a made-up market.

    ``section`` holds the features: its custom ones and its sets; without it, those of the configuration and what
    `calculate-features` stores.

    Raises
    ------
    UsageError
        There is nothing to test.
    ConfigError
        A text is not in the language, or a name is unknown.
    """
    own = section or config.features
    names = [*own.custom, *own.sets, *(config.features.compute if section is None else ())]
    specs = _resolved(config, own, names)
    if not specs:
        raise UsageError("There are no features to test.", fix="Write some under `custom:`, or name some in `sets:`.")
    subject = subject_of(specs)
    trial = Trial(subject, made_up(forward, longest=subject.warmup, named=subject.named))
    found: list[Verdict] = []
    for done, rule in enumerate(RULES):
        progress(Progress("rules", done, len(RULES), rule.name))
        found += verdicts(trial, rule)
    progress(Progress("rules", len(RULES), len(RULES)))
    place = {claim.name: number for number, claim in enumerate(subject.claims)}
    ordered = sorted(found, key=lambda verdict: place[verdict.feature])
    return RulesReport(len(subject.claims), len(RULES), tuple(ordered), _plugin_warnings())


def _resolved(config: Config, own: Section, names: Sequence[str]) -> tuple[FeatureSpec, ...]:
    return resolve(names, sets=own.sets, custom=own.custom, market=config.universe.market)


def _line(spec: FeatureSpec) -> FeatureLine:
    settings = dict(spec.settings)
    return FeatureLine(
        name=spec.name,
        family=spec.family,
        unit=filled(spec.unit, settings),
        lookback=spec.lookback,
        looks_across=spec.looks_across,
        raw_level=spec.raw_level,
        steps=plan([spec.expr]).size,
        summary=filled(spec.summary, settings),
    )


def _sets_with(feature: str, config: Config) -> Iterator[str]:
    for name in (*SETS, *config.features.sets):
        if any(spec.name == feature for spec in _resolved(config, config.features, [name])):
            yield name


def _plugin_warnings() -> tuple[str, ...]:
    return tuple(f"the plug-in {name} brings no features: {why}" for name, why in PLUGINS.items() if why)


def _cpu_ns_per_bar(spec: FeatureSpec) -> float:
    named = {str(part.params[0]) for part in walk(spec.expr) if part.op == "of_symbol"}
    panel, program = _walks(sorted(named)), plan([spec.expr])
    program.run(panel)  # the first run also compiles
    times = []
    for _ in range(ROUNDS):
        began = time.process_time_ns()
        program.run(panel)
        times.append(time.process_time_ns() - began)
    return min(times) / (panel.shape[0] * panel.shape[1])


def _walks(named: Sequence[str]) -> Panel:
    """Return seeded random walks, ``named`` symbols first."""
    count, length = MEASURED
    random = np.random.default_rng(1)
    close = 50 * np.exp(random.normal(0, 0.02, MEASURED).cumsum(axis=1))
    first = close * np.exp(random.normal(0, 0.01, MEASURED))
    prices = {"open": first, "close": close, "high": np.maximum(first, close), "low": np.minimum(first, close)}
    prices["vwap"] = (prices["high"] + prices["low"]) / 2
    columns = {**prices, "volume": random.lognormal(13, 0.8, MEASURED)}
    sessions = np.array(calendar("XNYS").sessions[:length], dtype="datetime64[D]")
    symbols = tuple(map(Symbol, [*named, *(f"S{row:03d}" for row in range(count))][:count]))
    every = {**columns, **{f"traded_{name}": values for name, values in columns.items()}}
    quarters = np.broadcast_to(np.arange(count)[:, None] % 4, MEASURED)
    members = np.ones(MEASURED, dtype=np.bool_)
    return Panel("XNYS", "1d", sessions, symbols, every, members, groups=dict.fromkeys(GROUPS, quarters))
