"""Configuration turned into a past that a backtest can play: prices, predictions, strategies, and their span."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aitrader.backtest.run import Plan
from aitrader.backtest.tape import CorporateAction, Tape
from aitrader.config.schema import Config
from aitrader.domain.frames import Adjustment
from aitrader.domain.symbols import Symbol
from aitrader.engine.history import History
from aitrader.engine.inference import Kind, Predictor, chosen, open_predictor
from aitrader.errors import InsufficientDataError
from aitrader.jobs.assembly.data import Market, decision_session, market
from aitrader.jobs.assembly.learning import feature_set, feature_values, model_settings, workers
from aitrader.jobs.assembly.trading import rules_of, strategies
from aitrader.lake.model_store import ModelStore
from aitrader.lake.snapshot import Snapshot
from aitrader.models.passport import Passport, read_passport
from aitrader.strategies.strategy import Strategy
from aitrader.trace import spanned

FloatArray = NDArray[np.float64]

_NOT_YET_IN_PRICES: Final = {
    Adjustment.RAW: ("split", "dividend"),
    Adjustment.SPLIT: ("dividend",),
    Adjustment.TOTAL: (),
}
"""The corporate actions that a holder of the series still gets, by what its prices are adjusted for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What ``backtest`` is asked for. ``strategy`` is a name of the configuration (None: all of the book together).

    ``start`` and ``end`` are the first and the last session (None: as configured), ``now`` is the replay clock,
    ``as_of`` hides later records. ``run_id`` and ``origins`` (where each setting was written) go into the receipt.
    """

    strategy: str | None = None
    start: date | None = None
    end: date | None = None
    allow_rejected: bool = False
    now: datetime | None = None
    run_id: str | None = None
    origins: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """A model that predicted; ``status`` is champion, passed or rejected."""

    name: str
    version: str
    status: str
    passport: Passport


@dataclass(frozen=True, slots=True)
class Past:
    """What is played. ``shuffled`` are predictions (N, T) by model of folds that learned permuted labels."""

    market: Market
    tape: Tape
    plan: Plan
    shuffled: Mapping[str, FloatArray]
    models: tuple[ModelUsed, ...]
    notes: tuple[str, ...]


@spanned("load past")
def past(config: Config, snapshot: Snapshot, store: ModelStore, asked: Asked, now: datetime) -> Past:
    """Return the past that ``asked`` names, as ``snapshot`` knows it at ``now``.

    Without a start it begins with the first session on which every model has an out-of-fold prediction.

    Raises
    ------
    DataLeakageError
        Part of the span is neither out of fold nor later than what a model was trained on.
    ModelStoreError
        A model is missing, damaged, of other features, or did not pass its gate (without ``allow_rejected``).
    InsufficientDataError
        The span holds no sessions.
    """
    active = strategies(config, asked.strategy)
    prices = market(config, snapshot, end=decision_session(config, now))
    desk = _Desk(config, snapshot, store, prices, asked.allow_rejected)
    names = tuple(dict.fromkeys(name for strategy in active.values() for name in strategy.needs_models))
    start, end, notes = _span(config, asked, prices, [desk.first_session(name) for name in names])
    predictors = {name: desk.predictor(name, (start, end)) for name in names}
    predictions = {name: desk.matrix(predictor, start, end, "oof") for name, predictor in predictors.items()}
    shuffled = {name: desk.matrix(predictor, start, end, "shuffled") for name, predictor in predictors.items()}
    history = History.of(
        prices.panel,
        prices.calendar,
        features=desk.named(active),
        predictions=predictions,
        lag=timedelta(minutes=config.data.lag_minutes),
    )
    models = tuple(desk.used(predictor) for predictor in predictors.values())
    plan = Plan(
        strategies=active,
        rebalance={name: config.strategies[name].rebalance for name in active},
        rules=rules_of(config),
        cash=config.backtest.cash,
        start=start,
        end=end,
        models={model.name: model.version for model in models},
    )
    return Past(prices, Tape.of(prices.panel, history, corporate_actions(prices)), plan, shuffled, models, notes)


@dataclass(frozen=True, slots=True)
class _Desk:
    """The lake, and what was computed from it so far."""

    config: Config
    snapshot: Snapshot
    store: ModelStore
    prices: Market
    allow_rejected: bool
    computed: dict[tuple[str, ...], NDArray[np.float32]] = field(default_factory=dict)

    def first_session(self, name: str) -> date:
        """Return the first session on which the model may decide: out of fold, else later than its training.

        Where there is none the first session of all, which the leakage rule will refuse by name.
        """
        version = chosen(self.store, name, allow_rejected=self.allow_rejected).version
        rows = self.snapshot.predictions(name, version=version, kind="oof")
        first = rows["session"].min()
        if isinstance(first, date):
            return first
        label_end = read_passport(self.store.load(name, version).card).train.label_end
        return next((day for day in self.prices.sessions if day > label_end), self.prices.sessions[0])

    def predictor(self, name: str, window: tuple[date, date]) -> Predictor:
        specs = feature_set(self.config, model_settings(self.config, name).features)
        return open_predictor(self.store, self.snapshot, name, specs, window=window, allow_rejected=self.allow_rejected)

    def matrix(self, predictor: Predictor, start: date, end: date, kind: Kind) -> FloatArray:
        """Return its predictions (N, T); features are computed only if the final model has to predict."""
        passport = predictor.passport
        values = np.empty((len(passport.features), *self.prices.panel.shape), dtype=np.float32)
        if end > passport.train.label_end and kind == "oof":
            values = self.features(model_settings(self.config, passport.name).features)
        return predictor.matrix(self.prices.panel, values, start=start, end=end, kind=kind)

    def features(self, *sets: str) -> NDArray[np.float32]:
        if sets not in self.computed:
            with workers() as executor:
                specs = feature_set(self.config, *sets)
                self.computed[sets] = feature_values(self.config, self.prices, specs, executor=executor)
        return self.computed[sets]

    def named(self, active: Mapping[str, Strategy]) -> dict[str, FloatArray]:
        """Return the features that strategies ask for, by name, (N, T)."""
        names = tuple(dict.fromkeys(name for strategy in active.values() for name in strategy.needs_features))
        if not names:
            return {}
        specs = feature_set(self.config, *names)
        return {s.name: grid.astype(np.float64) for s, grid in zip(specs, self.features(*names), strict=True)}

    def used(self, predictor: Predictor) -> ModelUsed:
        passport = predictor.passport
        champion = self.store.champion(passport.name)
        record = self.store.find(passport.name, passport.version)
        status = "champion" if champion and champion.version == record.version else record.status
        return ModelUsed(passport.name, passport.version, status, passport)


def _span(config: Config, asked: Asked, prices: Market, firsts: Sequence[date]) -> tuple[date, date, tuple[str, ...]]:
    """Return first and last session, and what was moved: a wish outside the bars or on no session is clipped."""
    known = prices.sessions
    members = np.flatnonzero(prices.panel.members.any(axis=0))
    default = max(firsts, default=known[int(members[0])] if members.size else known[0])
    wanted_start = asked.start or config.backtest.start or default
    wanted_end = asked.end or config.backtest.end or known[-1]
    inside = [day for day in known if wanted_start <= day <= wanted_end]
    if len(inside) < 2:
        raise InsufficientDataError(
            f"There are {len(inside)} sessions with bars from {wanted_start} to {wanted_end}; a backtest needs two.",
            needed=2,
            got=len(inside),
            fix=f"The lake has {known[0]} to {known[-1]}, and out-of-fold predictions from {default} on.",
        )
    moved = {"start": (wanted_start, inside[0]), "end": (wanted_end, inside[-1])}
    notes = tuple(
        f"the {name} {wanted} has no bars: {got} is taken" for name, (wanted, got) in moved.items() if wanted != got
    )
    return inside[0], inside[-1], notes


def corporate_actions(prices: Market) -> Iterator[CorporateAction]:
    """Yield the corporate actions that are not in the prices yet."""
    kinds = {symbol: _NOT_YET_IN_PRICES[info.adjustment] for symbol, info in prices.series.items()}
    for row in prices.actions.iter_rows(named=True):
        symbol, kind = Symbol(row["symbol"]), str(row["kind"])
        value = row["ratio"] if kind == "split" else row["amount"]
        if kind in kinds.get(symbol, ()) and value is not None and value > 0:
            yield CorporateAction(symbol, row["ex_date"], kind, float(value))
