"""The passport of a trained model: what it is, what it saw, how it scored. Stored beside it as ``card.json``.

It holds no wall-clock time, so that training again on equal input writes equal bytes.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from aitrader.envelope import jsonable
from aitrader.errors import ModelStoreError

FORMAT: Final = "aitrader-model/1"

Figure = Annotated[float, BeforeValidator(lambda value: float("nan") if value is None else value)]
"""A number that may be unknown: NaN here, null in JSON."""

_STRICT: Final = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class FeatureRef:
    """A feature the model learned from; ``key`` is the hash of its expression."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class LabelRef:
    """What was learned: the return over ``horizon`` sessions between prices of ``entry``.

    ``target`` says what was done to the label before fitting.
    """

    horizon: int
    entry: str
    excess: bool
    target: str


@dataclass(frozen=True, slots=True)
class DataRef:
    """The prices that were seen: ``panel_hash`` covers every price, volume and membership from ``start`` to ``end``."""

    source: str
    calendar: str
    start: date
    end: date
    symbols: tuple[str, ...]
    universe: Mapping[str, Any]
    lake_version: int
    panel_hash: str


@dataclass(frozen=True, slots=True)
class TrainWindow:
    """Decision sessions from ``first`` to ``last`` gave ``rows`` samples; ``label_end`` is the last price used.

    ``purge`` sessions before ``label_end`` were left out because their labels reach past it; ``embargo`` ones more.
    """

    first: date
    last: date
    label_end: date
    rows: int
    purge: int
    embargo: int


@dataclass(frozen=True, slots=True)
class FoldWindow:
    """One walk-forward cut: trained on decisions up to ``train_last``, tested from ``test_first``."""

    number: int
    train_first: date
    train_last: date
    test_first: date
    test_last: date
    rows: int


@dataclass(frozen=True, slots=True)
class Period:
    """Scores of a part of the sessions, a year or a fold."""

    name: str
    sessions: int
    rank_ic: Figure


@dataclass(frozen=True, slots=True)
class Scores:
    """How out-of-fold predictions agreed with what came: information coefficients per session.

    ``rank_ic_lower`` and ``rank_ic_upper`` bound the mean rank IC with 95 % (stationary block bootstrap with mean
    block ``block`` sessions); ``hac_t`` is its Newey-West t with ``horizon`` lags. ``icir_daily`` is mean over standard
    deviation of the daily rank IC, ``icir_annual`` that times the root of 252, which overlapping labels flatter.
    ``positive_share`` is the share of sessions with a positive rank IC.
    """

    sessions: int
    names: Figure
    ic: Figure
    rank_ic: Figure
    rank_ic_lower: Figure
    rank_ic_upper: Figure
    icir_daily: Figure
    icir_annual: Figure
    hac_t: Figure
    positive_share: Figure
    block: int
    by_year: tuple[Period, ...]
    by_fold: tuple[Period, ...]


@dataclass(frozen=True, slots=True)
class Golden:
    """Rows of raw feature values with their predictions: what a copy must reproduce within 1e-9. Null is missing."""

    rows: tuple[tuple[Figure, ...], ...]
    predictions: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Passport:
    """Everything that must be known before a model may predict.

    ``scores`` are out of fold; ``shuffled`` are those of the same folds fitted on labels permuted within each
    session. ``trial`` is the number of different settings tried on these data, this one included.
    """

    __pydantic_config__ = _STRICT

    format: Literal["aitrader-model/1"]
    name: str
    version: str
    kind: str
    settings: Mapping[str, Any]
    features: tuple[FeatureRef, ...]
    transformers: tuple[Mapping[str, Any], ...]
    label: LabelRef
    data: DataRef
    train: TrainWindow
    folds: tuple[FoldWindow, ...]
    libraries: Mapping[str, str]
    seed: int
    scores: Scores
    shuffled: Scores
    trial: int
    golden: Golden

    def to_json(self) -> bytes:
        """Return the card as indented JSON with sorted keys: equal passports give equal bytes."""
        return (json.dumps(jsonable(self), indent=1, sort_keys=True, allow_nan=False) + "\n").encode("utf-8")


_ADAPTER: Final = TypeAdapter(Passport)


def read_passport(card: bytes) -> Passport:
    """Return the passport that ``to_json`` wrote.

    Raises
    ------
    ModelStoreError
        The card is not a passport of this format.
    """
    try:
        return _ADAPTER.validate_json(card)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ModelStoreError(
            f"The model's card.json is not a passport of format {FORMAT}: {place}: {first['msg']}.",
            fix="Train or import the model again.",
        ) from error


def digest(value: Any) -> str:
    """Return the SHA-256 of ``value`` written as canonical JSON: sorted keys, no spaces, NaN as null."""
    text = json.dumps(jsonable(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
