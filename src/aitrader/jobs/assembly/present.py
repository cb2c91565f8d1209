"""The present as the loop meets it: the bars that are known now, and what the models say of the last ones."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Self

from aitrader.config.schema import Config
from aitrader.domain.events import ActionBooked
from aitrader.domain.snapshot import MarketSnapshot
from aitrader.domain.symbols import Symbol
from aitrader.domain.wording import counted
from aitrader.engine.history import History, Matrices
from aitrader.errors import RefusedError
from aitrader.jobs.assembly.data import Market, decision_session, market
from aitrader.jobs.assembly.opinions import Eye, ModelUsed, doubts
from aitrader.jobs.assembly.venue import LakeVenue
from aitrader.lake.model_store import ModelStore
from aitrader.lake.store import Lake
from aitrader.strategies.strategy import Strategy
from aitrader.universe.coverage import coverage


@dataclass(frozen=True, slots=True)
class Present:
    """The loop's ``Market`` at one time. ``due`` is the last session whose bars should be known by then.

    Corporate actions are those of the venue: what the account books, the book books too.
    """

    eye: Eye
    history: History
    venue: LakeVenue
    due: date
    models: tuple[ModelUsed, ...] = ()

    @classmethod
    def of(cls, config: Config, lake: Lake, venue: LakeVenue, held: Collection[Symbol], now: datetime) -> Self:
        """Return the present at ``now``. Symbols that are ``held`` are looked at, whatever the universe is.

        Raises
        ------
        InsufficientDataError
            No bars are known.
        """
        snapshot, due = lake.snapshot(now=now), decision_session(config, now)
        prices = market(_with_held(config, held), snapshot, end=due)
        eye = Eye(config, snapshot, prices, ModelStore(lake.root), isolated=True)
        return cls(eye, _history(eye, {}, {}), venue, due)

    @property
    def prices(self) -> Market:
        """The bars."""
        return self.eye.prices

    @property
    def sessions(self) -> tuple[date, ...]:
        """The sessions with bars."""
        return self.history.sessions

    def snapshot(self, session: date) -> MarketSnapshot:
        """Return what was known after ``session`` closed; features and predictions of the last session only."""
        return self.history.snapshot(session)

    def actions(self, session: date) -> Sequence[ActionBooked]:
        """Return the corporate actions that take effect before ``session`` opens."""
        return self.venue.actions(session)

    def informed(self, strategies: Mapping[str, Strategy], *, allow_rejected: bool) -> "Present":
        """Return the present with what ``strategies`` need to decide on the last session.

        Raises
        ------
        DataError
            A model is missing, damaged, rejected (without ``allow_rejected``) or was trained on the session.
        """
        eye = replace(self.eye, allow_rejected=allow_rejected)
        names = dict.fromkeys(name for strategy in strategies.values() for name in strategy.needs_models)
        predictors = {name: eye.predictor(name) for name in names}
        scores = {name: eye.alone(eye.scores(one, eye.inputs(name))) for name, one in predictors.items()}
        used = tuple(eye.used(one) for one in predictors.values())
        return replace(self, eye=eye, history=_history(eye, eye.named(strategies), scores), models=used)

    @property
    def versions(self) -> Mapping[str, str]:
        """The version that predicted, by model."""
        return MappingProxyType({one.name: one.version for one in self.models})

    @property
    def ages(self) -> Mapping[str, int]:
        """Sessions from the last price that each model learned from to the bar that it decides on; 0 out of fold."""
        between, last = self.history.calendar.between, self.sessions[-1]
        return MappingProxyType({one.name: max(len(between(one.label_end, last)) - 1, 0) for one in self.models})

    @property
    def late(self) -> int:
        """Sessions of which the bars should be known and are not."""
        return max(len(self.history.calendar.between(self.sessions[-1], self.due)) - 1, 0)

    @property
    def last(self) -> date:
        """The session to decide on: the last with bars, or the one that should have some if these are too old."""
        return self.sessions[-1] if self.late <= self.eye.config.risk.max_bar_sessions_old else self.due

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person must know before believing the decision."""
        return (*self.prices.warnings, *doubts(self.models))

    def refuse_stale(self, held: Collection[Symbol]) -> tuple[str, ...]:
        """Return who lacks a bar of the last session; refuse to decide where that is too much.

        Raises
        ------
        RefusedError
            The bars end too early, too many symbols lack the last one, or one that is ``held`` does.
        """
        config, session = self.eye.config, self.sessions[-1]
        if self.late > config.risk.max_bar_sessions_old:
            raise RefusedError(
                f"The newest bars are of {session}, {counted(self.late, 'session')} before {self.due}: too old to "
                "decide on.",
                fix="Run `aitrader backfill`, then `aitrader trade` again inside the window.",
            )
        found = coverage(self.prices.panel["close"])
        absent = [s for s, gone in zip(self.prices.panel.symbols, found.absent, strict=True) if gone]
        if not absent:
            return ()
        text = (
            f"{len(absent)} of {int(found.expected.sum())} symbols have no bar of {session}: "
            f"{', '.join(sorted(absent)[:10])}"
        )
        if found.share < config.data.min_coverage or set(absent) & set(held):
            least = f"{config.data.min_coverage:.0%} of them and everything that is held must have one"
            raise RefusedError(f"{text}; {least}.", fix="Run `aitrader backfill`, then `aitrader trade` again.")
        return (text,)


def _with_held(config: Config, held: Collection[Symbol]) -> Config:
    """Return the settings with every held symbol among the symbols, but none of the added ones to be bought."""
    universe = config.universe
    if universe.symbols is None or not (added := set(held) - set(universe.symbols)):
        return config
    more = {"symbols": (*universe.symbols, *sorted(added)), "deny": (*universe.deny, *sorted(added))}
    return config.model_copy(update={"universe": universe.model_copy(update=more)})


def _history(eye: Eye, features: Matrices, predictions: Matrices) -> History:
    lag = timedelta(minutes=eye.config.data.lag_minutes)
    return History.of(eye.prices.panel, eye.prices.calendar, features=features, predictions=predictions, lag=lag)
