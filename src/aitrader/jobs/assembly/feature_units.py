"""Which features are built together, and what is still to be built of them: from the catalog, not from all history."""

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Final

import numpy as np
import polars as pl

from aitrader.config.schema import Config
from aitrader.domain.symbols import Symbol
from aitrader.errors import InsufficientDataError, LakeError, UsageError
from aitrader.features.feature import FeatureSpec
from aitrader.jobs.assembly.feature_bars import MEMBER_BARS, Bars, Days
from aitrader.jobs.assembly.feature_pieces import lags_of, unframed
from aitrader.lake.catalog import BuildRow
from aitrader.lake.feature_files import States
from aitrader.lake.snapshot import Snapshot
from aitrader.panel.plan import columns_of, groups_of, plan
from aitrader.panel.program import Program
from aitrader.universe.membership import select

TIMEFRAME: Final = "1d"
MANY: Final = 0.5
"""Share of the symbols from which on all are built anew rather than some."""


@dataclass(frozen=True)
class Unit:
    """Features that are built by one program and stored beside each other. ``columns``: column name by stored key.

    ``across``: they compare symbols, so that what touches one touches all. ``build``: what is stored of them.
    """

    specs: tuple[FeatureSpec, ...]
    columns: Mapping[str, str]
    across: bool
    build: BuildRow | None

    @cached_property
    def program(self) -> Program:
        """What computes them."""
        return plan([spec.expr for spec in self.specs])

    @cached_property
    def inputs(self) -> frozenset[str]:
        """The panel's columns that they read."""
        return frozenset().union(*(columns_of(spec.expr) for spec in self.specs))

    @cached_property
    def groups(self) -> frozenset[str]:
        """The kinds of groups within which they compare symbols."""
        return frozenset().union(*(groups_of(spec.expr) for spec in self.specs))

    def before(self, lags: Mapping[str, int]) -> int:
        """Return how many sessions before the first new one are read, if states of these lags are resumed."""
        return max([self.program.warmup, *lags.values()])

    def reach(self, lags: Mapping[str, int]) -> int:
        """Return the same with what membership looks back."""
        return self.before(lags) + (MEMBER_BARS if self.across else 0)


@dataclass(frozen=True)
class Todo:
    """What is to be built of a unit.

    ``sessions`` and ``symbols`` are those of the whole panel, ``kept`` the symbols whose values are stored. With
    ``states`` what is stored is gone on with, and only ``scratch`` is built from its first session; without them
    everything is. ``seen``: the lake has news, none of which matters here.
    """

    unit: Unit
    sessions: Days
    symbols: tuple[Symbol, ...]
    kept: tuple[Symbol, ...]
    states: States | None = None
    scratch: tuple[Symbol, ...] = ()
    seen: bool = False

    @property
    def anew(self) -> bool:
        """Whether everything is built."""
        return self.states is None

    def stay(self) -> pl.DataFrame:
        """Return the stored rows of states that are gone on with."""
        assert self.states is not None
        there = set(self.symbols if self.unit.across else self.kept) - set(self.scratch)
        return self.states.rows.filter(pl.col("symbol").is_in(sorted(there)))

    @property
    def fresh(self) -> bool:
        """Whether nothing is to be built."""
        return self.states is not None and not self.scratch and len(self.states.sessions) == len(self.sessions)


def stored_key(spec: FeatureSpec, config: Config, bars: Bars) -> str:
    """Return the key under which the lake holds a feature: expression, kernels, timeframe, price basis.

    For a feature that looks across symbols the universe and its settings count too, and the groups it compares within.
    """
    basis: dict[str, Any] = {
        "feature": spec.key,
        "timeframe": TIMEFRAME,
        "calendar": bars.venue.name,
        "source": bars.source,
        "start": str(config.data.start),
        "adjustment": dict(sorted(config.data.adjustment.items())),
    }
    if spec.looks_across:
        basis["universe"] = config.universe.model_dump(mode="json", exclude={"groups"})
        basis["min_names"] = config.features.min_names
    if kinds := groups_of(spec.expr):
        basis["groups"] = {kind: bars.groups.hash(kind) for kind in kinds}
    return sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()


def units(snapshot: Snapshot, specs: Sequence[FeatureSpec], keys: Sequence[str], *, anew: bool) -> Iterator[Unit]:
    """Yield the features in units: those of one build together, and what is not stored by its kind.

    A build of which a file is lost or damaged counts as not stored; so does every one if all is wanted ``anew``.
    """
    builds = {} if anew else snapshot.builds(TIMEFRAME)
    sound = {build: snapshot.sound(build) for build in {builds[key] for key in keys if key in builds}}
    found: dict[tuple[BuildRow | None, bool], dict[str, FeatureSpec]] = {}
    for key, spec in zip(keys, specs, strict=True):
        build = builds.get(key)
        build = build if build is not None and sound[build] else None
        found.setdefault((build, spec.looks_across), {}).setdefault(key, spec)
    for (build, across), members in found.items():
        names = {} if build is None else snapshot.column_names(build)
        columns = {key: names.get(key, spec.name) for key, spec in members.items()}
        yield Unit(tuple(members.values()), columns, across, build)


class Planner:
    """Says what is to be built of each unit. Reads all bars' keys once at most, and only if it must."""

    def __init__(self, config: Config, bars: Bars, chosen: frozenset[str] | None) -> None:
        self._config = config
        self._bars = bars
        self._chosen = chosen
        named = config.universe.symbols
        self.end: Final = None if config.data.end is None else str(config.data.end)
        self.selection: Final = "all" if named is None else sha256("|".join(sorted(named)).encode()).hexdigest()

    def todo(self, unit: Unit) -> Todo:
        """Return what is to be built of ``unit``.

        Raises
        ------
        UsageError
            What is stored knows more than was known at the time of the view.
        InsufficientDataError
            No symbol that is wanted has a bar.
        """
        if unit.build is None:
            return self._whole(unit)
        try:
            states = self._bars.snapshot.states(unit.build.state_paths)
        except LakeError:
            return self._whole(unit)
        changes = self._bars.snapshot.changes(unit.build)
        if changes.vanished:
            raise UsageError(
                f"The stored features know bars up to {unit.build.last}, more than was{self._known}.",
                fix="Name a later --now, or replace them with --full.",
            )
        touched = changes.touched.keys() & set(self._bars.selection)
        market = self._market(states, reread=bool(touched), later=changes.later)
        todo = None if market is None else self._rest(unit, states, market, touched, seen=not changes.none)
        return self._whole(unit) if todo is None else todo

    def _market(self, states: States, *, reread: bool, later: bool) -> tuple[Days, tuple[Symbol, ...]] | None:
        """Return the panel's sessions and symbols; None if what is stored lies on other sessions."""
        last, end = states.sessions[-1].item(), self._config.data.end
        if end is not None and end < last:
            return None
        if reread or states.notes["selection"] != self.selection:
            sessions, symbols = self._everything
            same = np.array_equal(sessions[: len(states.sessions)], states.sessions)
            return (sessions, symbols) if same else None
        if not later and states.notes["end"] == self.end:
            return states.sessions, known_symbols(states)
        new, having = self._bars.after(last)
        return np.concatenate([states.sessions, new]), tuple(sorted({*known_symbols(states), *having}))

    def _rest(
        self, unit: Unit, states: States, market: tuple[Days, tuple[Symbol, ...]], touched: set[str], *, seen: bool
    ) -> Todo | None:
        """Return what is to be built beside what is stored; None: it cannot be gone on with, or is not worth it."""
        sessions, symbols = market
        stored = set(states.rows.filter("stored")["symbol"])
        kept = self._kept(symbols, stored)
        scratch = tuple(symbol for symbol in kept if symbol in touched or symbol not in stored)
        if unit.across and (scratch or touched or symbols != known_symbols(states)):
            return None
        todo = Todo(unit, sessions, symbols, kept, states, scratch, seen)
        worth = todo.fresh or (len(scratch) <= MANY * len(kept) and _resumable(todo, states))
        return todo if worth else None

    def _whole(self, unit: Unit) -> Todo:
        sessions, symbols = self._everything
        return Todo(unit, sessions, symbols, self._kept(symbols, self._stored(unit)))

    def _stored(self, unit: Unit) -> set[str]:
        """Return the symbols that stay beside the chosen ones: those stored, as far as the files can be read."""
        builds = self._bars.snapshot.builds(TIMEFRAME) if self._chosen else {}
        found: set[str] = set()
        for build in {builds[key] for key in unit.columns if key in builds}:
            with suppress(LakeError):
                found.update(self._bars.snapshot.states(build.state_paths).rows.filter("stored")["symbol"])
        return found

    def _kept(self, symbols: tuple[Symbol, ...], stored: Set[str]) -> tuple[Symbol, ...]:
        chosen = set(symbols) if self._chosen is None else self._chosen
        absent = sorted(chosen - set(symbols))
        if absent:
            raise self._nothing(", ".join(absent))
        return tuple(symbol for symbol in symbols if symbol in chosen or symbol in stored)

    @cached_property
    def _everything(self) -> tuple[Days, tuple[Symbol, ...]]:
        sessions, having = self._bars.after(None)
        if self._bars.selection and not having:
            raise self._nothing("The universe")
        return sessions, select(having, self._config.universe)

    @property
    def _known(self) -> str:
        """Return what a view of an earlier time calls known."""
        now = self._bars.snapshot.now
        return "" if now is None else f" known at {now.isoformat()}"

    def _nothing(self, who: str) -> InsufficientDataError:
        first = "Name a later --now" if self._known else "Run `aitrader backfill`"
        fix = f"{first}, or widen `data.start` and `data.end`."
        return InsufficientDataError(f"{who} has no bars{self._known}.", needed=1, got=0, fix=fix)


def known_symbols(states: States) -> tuple[Symbol, ...]:
    """Return the symbols of the panel that a build was made from."""
    names = states.notes["available"] or states.rows["symbol"].to_list()
    return tuple(Symbol(name) for name in names)


def _resumable(todo: Todo, states: States) -> bool:
    """Say whether a build can go on from ``states``, and symbols built from scratch can stand beside them."""
    lags, unit = lags_of(states.rows.columns), todo.unit
    own = {digest: min(lag, len(todo.sessions)) for digest, lag in unit.program.lags.items()}
    begin, wanted = states.notes["begin"], max(0, len(states.sessions) - unit.reach(lags))
    if lags != own and (todo.scratch or unit.program.views):
        return False
    if todo.scratch and begin != wanted:
        return False
    return bool(begin <= wanted) and unit.program.resumable(unframed(states.rows.clear()))


def table(rows: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return rows of states below each other, symbols in order."""
    return pl.concat(rows).sort("symbol")
