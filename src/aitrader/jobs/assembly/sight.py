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
from aitrader.domain.wording import counted
from aitrader.engine.decide import closes, combined, decide, places
from aitrader.engine.history import History
from aitrader.engine.inference import Predictor
from aitrader.errors import AitraderError, DataError, Stopped
from aitrader.features.feature import FeatureSpec, feature_key
from aitrader.jobs.assembly.data import Market, decision_session, market, open_lake
from aitrader.jobs.assembly.opinions import Eye, ModelUsed, doubts
from aitrader.jobs.assembly.scanning import scanner, scanner_name
from aitrader.jobs.assembly.trading import rules_of, strategies
from aitrader.jobs.progress import Progress, Report
from aitrader.lake.model_store import ModelStore
from aitrader.panel.expr import Expr
from aitrader.panel.plan import looks_across
from aitrader.risk.exposure import RiskContext
from aitrader.risk.review import review
from aitrader.scanners.scanner import Contributions, Scanner, ScanView
from aitrader.strategies.strategy import Strategy
from aitrader.trace import spanned
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


@spanned("look")
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
        eye = Eye(config, snapshot, market(config, snapshot, end=due), ModelStore(lake.root), asked.allow_rejected)
        notes = [*eye.prices.warnings, *_late(eye.prices, due), *_complete(config, eye.prices)]
        progress(Progress("scan", 1, 4, "features and models"))
        models = {model: _opinion(eye, model) for model in chosen.needs_models}
        progress(Progress("scan", 2, 4, "strategies"))
        active, silent = _strategies(eye, models, asked.strategy)
    values = _values(eye, (*chosen.needs_values,))
    view = _view(eye, models, {**values, **eye.named(active)})
    progress(Progress("scan", 3, 4, "ranks"))
    wishes = _wishes(config, view.snapshot, active, models) if active else None
    used = tuple(opinion.used for opinion in models.values())
    return Sight(name, chosen, view, eye.prices, due, used, wishes, (*notes, *silent, *doubts(used)))


@dataclass(frozen=True, slots=True)
class _Opinion:
    """A model's scores on the session (N,), and why; ``parts`` is None where the final model did not make them."""

    used: ModelUsed
    scores: FloatArray
    reasons: Contributions | None


def _opinion(eye: Eye, name: str) -> _Opinion:
    predictor, values = eye.predictor(name), eye.inputs(name)
    return _Opinion(eye.used(predictor), eye.scores(predictor, values), _why(eye, predictor, values))


def _why(eye: Eye, predictor: Predictor, values: NDArray[np.float32]) -> Contributions | None:
    if eye.session <= predictor.passport.train.label_end:
        return None
    parts = predictor.contributions(values)
    names = tuple(ref.name for ref in predictor.passport.features)
    return Contributions(names, values.T.astype(np.float64), parts[:, :-1], parts[:, -1])


def _values(eye: Eye, expressions: Sequence[Expr]) -> dict[str, FloatArray]:
    """Return the values of expressions by key, (N, T)."""
    if not expressions:
        return {}
    eye.refuse_few_names({expr.key: looks_across(expr) for expr in expressions})
    found = eye.features(tuple(_anonymous(expr) for expr in expressions))
    return {expr.key: grid.astype(np.float64) for expr, grid in zip(expressions, found, strict=True)}


def _anonymous(expr: Expr) -> FeatureSpec:
    return FeatureSpec(expr.key, expr, feature_key(expr), False, "scanner", expr.key, "not stated", "", "")


def _strategies(eye: Eye, models: dict[str, _Opinion], only: str | None) -> tuple[dict[str, Strategy], tuple[str, ...]]:
    """Return the strategies that can answer, with their models added to ``models``, and why others cannot."""
    if only is None and not eye.config.strategies:
        return {}, ()
    active, silent = {}, []
    for name, strategy in strategies(eye.config, only).items():
        try:
            models |= {model: _opinion(eye, model) for model in strategy.needs_models if model not in models}
        except Stopped:
            raise
        except AitraderError as error:
            if only is not None:
                raise
            silent.append(f"strategy {name} was not asked: {error}")
            continue
        active[name] = strategy
    return active, tuple(silent)


def _view(eye: Eye, models: Mapping[str, _Opinion], values: Mapping[str, FloatArray]) -> ScanView:
    panel = eye.prices.panel
    predictions = {name: eye.alone(opinion.scores) for name, opinion in models.items()}
    lag = timedelta(minutes=eye.config.data.lag_minutes)
    history = History.of(panel, eye.prices.calendar, features=values, predictions=predictions, lag=lag)
    why = {name: opinion.reasons for name, opinion in models.items() if opinion.reasons is not None}
    absent = absences(panel.symbols, panel["traded_close"], panel["traded_volume"], eye.config.universe, -1)
    return ScanView(history.snapshot(eye.prices.sessions[-1]), why, absent)


def _wishes(
    config: Config, snapshot: MarketSnapshot, active: Mapping[str, Strategy], models: Mapping[str, _Opinion]
) -> Wishes:
    rules = rules_of(config)
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
    )
    return {one.order.symbol: one for one in review(made.orders, context, config.risk).refused}


def _late(prices: Market, due: date) -> tuple[str, ...]:
    late = len(prices.calendar.between(prices.sessions[-1], due)) - 1
    return (
        (f"the newest bars are of {prices.sessions[-1]}, {counted(late, 'session')} before {due}",) if late > 0 else ()
    )


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
