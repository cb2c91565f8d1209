"""What models and features say about the last session of a market, each computed once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from aitrader.config.schema import Config
from aitrader.engine.inference import Predictor, open_predictor
from aitrader.errors import InsufficientDataError
from aitrader.features.feature import FeatureSpec
from aitrader.jobs.assembly.data import Market
from aitrader.jobs.assembly.learning import feature_set, feature_values, model_settings, workers
from aitrader.lake.model_store import ModelStore
from aitrader.lake.snapshot import Snapshot
from aitrader.strategies.strategy import Strategy

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ModelUsed:
    """A model that predicted. ``out_of_fold`` says that its folds did, because its own training reaches further."""

    name: str
    version: str
    status: str
    label_end: date
    out_of_fold: bool


@dataclass(frozen=True, slots=True)
class Eye:
    """The lake at one time, and what was computed from it so far.

    ``isolated`` models load and predict in a child process only.
    """

    config: Config
    snapshot: Snapshot
    prices: Market
    store: ModelStore
    allow_rejected: bool = False
    isolated: bool = False
    computed: dict[tuple[FeatureSpec, ...], NDArray[np.float32]] = field(default_factory=dict)

    @property
    def session(self) -> date:
        """The last session with bars."""
        return self.prices.sessions[-1]

    def predictor(self, name: str) -> Predictor:
        """Return the predictor of a model for that session; raises as ``open_predictor``."""
        specs = feature_set(self.config, model_settings(self.config, name).features)
        return open_predictor(
            self.store,
            self.snapshot,
            name,
            specs,
            window=(self.session, self.session),
            allow_rejected=self.allow_rejected,
            isolated=self.isolated,
        )

    def inputs(self, name: str) -> NDArray[np.float32]:
        """Return what the model sees: the values (F, N) of its features on that session.

        Raises
        ------
        InsufficientDataError
            A feature compares symbols with each other, and there are too few.
        """
        specs = feature_set(self.config, model_settings(self.config, name).features)
        self.refuse_few_names({spec.name: spec.looks_across for spec in specs})
        return self.features(specs)[:, :, -1]

    def scores(self, predictor: Predictor, inputs: NDArray[np.float32]) -> FloatArray:
        """Return the model's score of each member of that session (N,); NaN for the others."""
        panel = self.prices.panel
        scores = predictor.predict(self.session, panel.symbols, inputs)
        return np.where(panel.members[:, -1], scores, np.nan)

    def alone(self, scores: FloatArray) -> FloatArray:
        """Return values of that session (N,) on the panel's grid (N, T): NaN on every session before."""
        grid = np.full(self.prices.panel.shape, np.nan)
        grid[:, -1] = scores
        return grid

    def features(self, specs: Sequence[FeatureSpec]) -> NDArray[np.float32]:
        """Return the values of features (F, N, T)."""
        wanted = tuple(specs)
        if wanted not in self.computed:
            with workers() as executor:
                self.computed[wanted] = feature_values(self.config, self.prices, wanted, executor=executor)
        return self.computed[wanted]

    def named(self, active: Mapping[str, Strategy]) -> dict[str, FloatArray]:
        """Return the features that strategies ask for, by name, (N, T)."""
        names = tuple(dict.fromkeys(name for strategy in active.values() for name in strategy.needs_features))
        if not names:
            return {}
        specs = feature_set(self.config, *names)
        return {s.name: grid.astype(np.float64) for s, grid in zip(specs, self.features(specs), strict=True)}

    def refuse_few_names(self, across: Mapping[str, bool]) -> None:
        """Refuse values that look across symbols (``across``, by name) on a session with too few members."""
        names, least = int(self.prices.panel.members[:, -1].sum()), self.config.features.min_names
        needing = [name for name, looks in across.items() if looks]
        if needing and names < least:
            raise InsufficientDataError(
                f"{needing[0]} compares symbols with each other and needs {least} members; "
                f"the universe has {names} on {self.session}.",
                needed=least,
                got=names,
                fix="Backfill more symbols, loosen `universe`, or lower `features.min_names` and train again.",
            )

    def used(self, predictor: Predictor) -> ModelUsed:
        """Return which version predicted, and how far it had learned."""
        passport = predictor.passport
        status = self.store.find(passport.name, passport.version).status
        end = passport.train.label_end
        return ModelUsed(passport.name, passport.version, status, end, out_of_fold=self.session <= end)


def doubts(used: Sequence[ModelUsed]) -> tuple[str, ...]:
    """Return what is to be said about models that did not pass, or that were trained on the session."""
    notes = [f"model {one.name} {one.version} did not pass its gate" for one in used if one.status == "rejected"]
    notes += [
        f"model {one.name} was trained up to {one.label_end}: its folds predict, and give no reasons"
        for one in used
        if one.out_of_fold
    ]
    return tuple(notes)
