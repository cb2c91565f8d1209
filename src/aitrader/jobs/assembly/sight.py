"""What a scan sees on its session: bars, features, predictions with their reasons, and what the strategies want."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from aitrader.config.schema import Config
from aitrader.domain.clock import Clock
from aitrader.domain.events import DecisionMade
from aitrader.domain.orders import Refusal
from aitrader.domain.positions import Book
from aitrader.domain.snapshot import MarketSnapshot
from aitrader.domain.symbols import Symbol
from aitrader.engine.decide import Rules, closes, combined, decide, places
from aitrader.engine.history import History
from aitrader.engine.inference import Predictor, open_predictor
from aitrader.errors import AitraderError, DataError, InsufficientDataError, Stopped
from aitrader.features.feature import FeatureSpec, feature_key
from aitrader.jobs.assembly.data import Market, decision_session, market, open_lake
from aitrader.jobs.assembly.learning import feature_set, feature_values, model_settings, workers
from aitrader.jobs.assembly.scanning import scanner, scanner_name
from aitrader.jobs.assembly.trading import strategies
from aitrader.jobs.progress import Progress, Report
from aitrader.lake.model_store import ModelStore
from aitrader.lake.snapshot import Snapshot
from aitrader.panel.expr import Expr
from aitrader.panel.plan import looks_across
from aitrader.risk.exposure import RiskContext
from aitrader.risk.review import review
from aitrader.scanners.scanner import Contributions, Scanner, ScanView
from aitrader.strategies.strategy import Strategy
from aitrader.universe.coverage import coverage
from aitrader.universe.membership import absences

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Asked:
    """What ``scan`` and ``explain`` are asked for. ``now`` is the replay clock, ``as_of`` hides later records.

    ``scanner`` and ``strategy`` are names of the configuration (None: the first scanner, every strategy).
    ``run_id`` and ``origins`` (where each setting was written) go into the receipt.
    """

    scanner: str | None = None
    strategy: str | None = None
    now: datetime | None = None
    as_of: datetime | None = None
    allow_rejected: bool = False
    run_id: str | None = None
    origins: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """A model that predicted. ``out_of_fold`` says that its folds did, because its own training reaches further."""

    name: str
    version: str
    status: str
    label_end: date
    out_of_fold: bool


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the strategies would hold of an empty book worth ``equity`` USD, and the limits that would refuse it."""

    equity: float
    weights: Mapping[Symbol, float]
    by_strategy: Mapping[str, Mapping[Symbol, float]]
    decision: DecisionMade
    refused: Mapping[Symbol, Refusal]


@dataclass(frozen=True, slots=True)
class Sight:
    """A scanner and all it may see. ``due`` is the last session that closed, ``session`` the last with bars."""

    name: str
    scanner: Scanner
    view: ScanView
    market: Market
    due: date
    models: tuple[ModelUsed, ...]
    wishes: Wishes | None
    warnings: tuple[str, ...]

    @property
    def session(self) -> date:
        """The session that is scanned."""
        return self.view.snapshot.session


def look(config: Config, root: Path, asked: Asked, *, clock: Clock, progress: Report) -> Sight:
    """Return what ``asked.scanner`` sees at ``asked.now``, or at the present.

    The strategies are asked as well. One that was not named and cannot answer (its model is not trained) is told in
    the warnings; one that was named must answer.

    Raises
    ------
    DataLeakageError
        A model was trained on the session or on later ones.
    ModelStoreError
        No version passed its gate (without ``allow_rejected``), or the model is not of these features.
    DataError
        The last session has too few bars, or the universe is too small for cross-sectional features.
    """
    name = scanner_name(config, asked.scanner)
    chosen = scanner(config, name)
    now = asked.now or clock()
    with open_lake(root, clock) as lake:
        progress(Progress("scan", 0, 4, "bars"))
        snapshot = lake.snapshot(as_of=asked.as_of, now=now)
        due = decision_session(config, now)
        eye = _Eye(config, snapshot, market(config, snapshot, end=due), ModelStore(lake.root), asked.allow_rejected)
        notes = [*eye.prices.warnings, *_late(eye.prices, due), *_complete(config, eye.prices)]
        progress(Progress("scan", 1, 4, "features and models"))
        models = {model: eye.opinion(model) for model in chosen.needs_models}
        progress(Progress("scan", 2, 4, "strategies"))
        active, silent = _strategies(eye, models, asked.strategy)
    values = eye.values((*chosen.needs_values,))
    view = _view(eye, models, {**values, **eye.named(active)})
    progress(Progress("scan", 3, 4, "ranks"))
    wishes = _wishes(config, view.snapshot, active, models) if active else None
    used = tuple(opinion.used for opinion in models.values())
    return Sight(name, chosen, view, eye.prices, due, used, wishes, (*notes, *silent, *_doubts(used)))


@dataclass(frozen=True, slots=True)
class _Opinion:
    """A model's scores on the session (N,), and why; ``parts`` is None where the final model did not make them."""

    used: ModelUsed
    scores: FloatArray
    reasons: Contributions | None


@dataclass(frozen=True, slots=True)
class _Eye:
    """The lake at one time, and what was computed from it so far."""

    config: Config
    snapshot: Snapshot
    prices: Market
    store: ModelStore
    allow_rejected: bool
    computed: dict[tuple[FeatureSpec, ...], NDArray[np.float32]] = field(default_factory=dict)

    def opinion(self, name: str) -> _Opinion:
        session, panel = self.prices.sessions[-1], self.prices.panel
        specs = feature_set(self.config, model_settings(self.config, name).features)
        predictor = open_predictor(
            self.store, self.snapshot, name, specs, window=(session, session), allow_rejected=self.allow_rejected
        )
        self.refuse_few_names({spec.name: spec.looks_across for spec in specs})
        values = self.features(specs)[:, :, -1]
        scores = predictor.predict(session, panel.symbols, values)
        return _Opinion(
            self._used(name, predictor), np.where(panel.members[:, -1], scores, np.nan), self._why(predictor, values)
        )

    def features(self, specs: tuple[FeatureSpec, ...]) -> NDArray[np.float32]:
        if specs not in self.computed:
            with workers() as executor:
                self.computed[specs] = feature_values(self.config, self.prices, specs, executor=executor)
        return self.computed[specs]

    def values(self, expressions: Sequence[Expr]) -> dict[str, FloatArray]:
        """Return the values of expressions by key, (N, T)."""
        if not expressions:
            return {}
        self.refuse_few_names({expr.key: looks_across(expr) for expr in expressions})
        found = self.features(tuple(_anonymous(expr) for expr in expressions))
        return {expr.key: grid.astype(np.float64) for expr, grid in zip(expressions, found, strict=True)}

    def named(self, active: Mapping[str, Strategy]) -> dict[str, FloatArray]:
        """Return the features that strategies ask for, by name, (N, T)."""
        names = tuple(dict.fromkeys(name for strategy in active.values() for name in strategy.needs_features))
        if not names:
            return {}
        specs = feature_set(self.config, *names)
        return {s.name: grid.astype(np.float64) for s, grid in zip(specs, self.features(specs), strict=True)}

    def refuse_few_names(self, across: Mapping[str, bool]) -> None:
        names, least = int(self.prices.panel.members[:, -1].sum()), self.config.features.min_names
        needing = [name for name, looks in across.items() if looks]
        if needing and names < least:
            raise InsufficientDataError(
                f"{needing[0]} compares symbols with each other and needs {least} members; "
                f"the universe has {names} on {self.prices.sessions[-1]}.",
                needed=least,
                got=names,
                fix="Backfill more symbols, loosen `universe`, or lower `features.min_names` and train again.",
            )

    def _used(self, name: str, predictor: Predictor) -> ModelUsed:
        passport = predictor.passport
        status = self.store.find(name, passport.version).status
        end = passport.train.label_end
        return ModelUsed(name, passport.version, status, end, out_of_fold=self.prices.sessions[-1] <= end)

    def _why(self, predictor: Predictor, values: NDArray[np.float32]) -> Contributions | None:
        if self.prices.sessions[-1] <= predictor.passport.train.label_end:
            return None
        parts = predictor.contributions(values)
        names = tuple(ref.name for ref in predictor.passport.features)
        return Contributions(names, values.T.astype(np.float64), parts[:, :-1], parts[:, -1])


def _anonymous(expr: Expr) -> FeatureSpec:
    return FeatureSpec(expr.key, expr, feature_key(expr), False, "scanner", expr.key, "not stated", "", "")


def _strategies(
    eye: _Eye, models: dict[str, _Opinion], only: str | None
) -> tuple[dict[str, Strategy], tuple[str, ...]]:
    """Return the strategies that can answer, with their models added to ``models``, and why others cannot."""
    if only is None and not eye.config.strategies:
        return {}, ()
    active, silent = {}, []
    for name, strategy in strategies(eye.config, only).items():
        try:
            models |= {model: eye.opinion(model) for model in strategy.needs_models if model not in models}
        except Stopped:
            raise
        except AitraderError as error:
            if only is not None:
                raise
            silent.append(f"strategy {name} was not asked: {error}")
            continue
        active[name] = strategy
    return active, tuple(silent)


def _view(eye: _Eye, models: Mapping[str, _Opinion], values: Mapping[str, FloatArray]) -> ScanView:
    panel = eye.prices.panel
    predictions = {}
    for name, opinion in models.items():
        predictions[name] = np.full(panel.shape, np.nan)
        predictions[name][:, -1] = opinion.scores
    lag = timedelta(minutes=eye.config.data.lag_minutes)
    history = History.of(panel, eye.prices.calendar, features=values, predictions=predictions, lag=lag)
    why = {name: opinion.reasons for name, opinion in models.items() if opinion.reasons is not None}
    absent = absences(panel.symbols, panel["traded_close"], panel["traded_volume"], eye.config.universe, -1)
    return ScanView(history.snapshot(eye.prices.sessions[-1]), why, absent)


def _wishes(
    config: Config, snapshot: MarketSnapshot, active: Mapping[str, Strategy], models: Mapping[str, _Opinion]
) -> Wishes:
    rules = Rules(config.book, config.portfolio, config.execution, config.risk)
    book = Book(config.backtest.cash)
    versions = {name: opinion.used.version for name, opinion in models.items()}
    made = decide(snapshot, book, active, rules, models=versions)
    weights = {s: weight for s, weight in combined(made.targets, config.portfolio.invested).items() if weight}
    return Wishes(made.equity, weights, made.targets, made, _refusals(config, snapshot, book, made))


def _refusals(config: Config, snapshot: MarketSnapshot, book: Book, made: DecisionMade) -> dict[Symbol, Refusal]:
    """Review the orders as if they were sent now: at the closes that they were sized with, nothing fresher known."""
    place = places(snapshot.symbols)
    symbols = [order.symbol for order in made.orders]
    context = RiskContext(
        equity=Decimal(repr(made.equity)),
        book=book,
        prices=closes(snapshot, symbols),
        volume20={s: float(snapshot.volume20[place[s]]) for s in symbols},
        stale={s: int(snapshot.stale[place[s]]) for s in symbols},
        members={s for s in symbols if snapshot.members[place[s]]},
        fresh=closes(snapshot, symbols),
    )
    return {one.order.symbol: one for one in review(made.orders, context, config.risk).refused}


def _late(prices: Market, due: date) -> tuple[str, ...]:
    late = len(prices.calendar.between(prices.sessions[-1], due)) - 1
    return (f"the newest bars are of {prices.sessions[-1]}, {late} sessions before {due}",) if late > 0 else ()


def _complete(config: Config, prices: Market) -> tuple[str, ...]:
    found = coverage(prices.panel["close"])
    absent: Collection[Symbol] = [s for s, gone in zip(prices.panel.symbols, found.absent, strict=True) if gone]
    if not absent:
        return ()
    text = (
        f"{len(absent)} of {int(found.expected.sum())} symbols have no bar of {prices.sessions[-1]}: "
        f"{', '.join(sorted(absent)[:10])}"
    )
    if found.share < config.data.min_coverage:
        raise DataError(
            f"{text}; {config.data.min_coverage:.0%} must have one.", fix="Run `aitrader backfill`, then scan again."
        )
    return (text,)


def _doubts(used: Sequence[ModelUsed]) -> tuple[str, ...]:
    notes = [f"model {one.name} {one.version} did not pass its gate" for one in used if one.status == "rejected"]
    notes += [
        f"model {one.name} was trained up to {one.label_end}: its folds predict, and give no reasons"
        for one in used
        if one.out_of_fold
    ]
    return tuple(notes)
