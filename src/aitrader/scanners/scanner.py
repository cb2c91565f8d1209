"""What every scanner is: filters, a score for each symbol, and reasons; and the scan that they share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from aitrader.config.fields import Section
from aitrader.domain.snapshot import FloatArray, MarketSnapshot
from aitrader.domain.symbols import Symbol
from aitrader.errors import DataError, InsufficientDataError
from aitrader.panel.expr import Expr
from aitrader.scanners.layers import Filter, Layer, market_filters, sift

Reader = Callable[[str], Expr]
"""Reads a text expression; raises ``ConfigError`` with the position of a mistake."""


@dataclass(frozen=True, slots=True)
class Contributions:
    """What each feature adds to a model's scores on one session.

    ``values`` are the features as known (N, F), NaN where not known; ``parts`` (N, F) and ``base`` (N,) sum to the
    score.
    """

    names: tuple[str, ...]
    values: FloatArray
    parts: FloatArray
    base: FloatArray


@dataclass(frozen=True, slots=True)
class ScanView:
    """What a scanner may see: the market of one session, and nothing later.

    ``contributions`` are by model; ``absences`` say of symbols why they are no members.
    """

    snapshot: MarketSnapshot
    contributions: Mapping[str, Contributions] = field(default_factory=dict)
    absences: Mapping[Symbol, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a symbol has its score: a quantity, its value, and where that stands among the session's members.

    ``percentile`` runs from 0 (lowest) to 1 (highest); ``contribution`` is what the quantity adds to the score.
    Either is NaN where it has no meaning. ``text`` says it in words.
    """

    name: str
    value: float
    percentile: float
    contribution: float
    text: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A symbol that deserves attention. ``price`` is the last close as traded, USD.

    ``weight`` is what the strategies would hold of it, a fraction of equity; NaN where no strategy was asked.
    """

    symbol: Symbol
    rank: int
    score: float
    price: float
    reasons: tuple[Reason, ...]
    weight: float = float("nan")


@dataclass(frozen=True, slots=True)
class Scan:
    """The best candidates in order, what each filter dropped, and how many symbols had a score."""

    candidates: tuple[Candidate, ...]
    layers: tuple[Layer, ...]
    scored: int


class Scanner(Protocol):
    """A view of what deserves attention. Pure: the same view always gives the same scan."""

    Settings: ClassVar[type[Section]]
    """What the configuration may say under ``scanners.<name>.params``."""

    @classmethod
    def from_settings(cls, settings: Any, read: Reader) -> Self:
        """Return the scanner that ``settings`` (a ``Settings`` of this kind) describes."""
        ...

    @property
    def top(self) -> int:
        """How many candidates are shown."""
        ...

    @property
    def needs_models(self) -> tuple[str, ...]:
        """The models whose predictions and contributions the view must hold."""
        ...

    @property
    def needs_values(self) -> tuple[Expr, ...]:
        """The expressions whose values the snapshot's ``features`` must hold, by their ``key``."""
        ...

    def filters(self, view: ScanView) -> tuple[Filter, ...]:
        """Return the scanner's own filters; those of the market come before them, a known score after."""
        ...

    def scores(self, view: ScanView) -> FloatArray:
        """Return one score per symbol; the highest comes first."""
        ...

    def reasons(self, view: ScanView, position: int) -> tuple[Reason, ...]:
        """Return why the symbol at ``position`` has its score, the most important reason first."""
        ...


def scan(scanner: Scanner, view: ScanView) -> Scan:
    """Return the scanner's candidates on the session of ``view``.

    Equal scores are ordered by the alphabet.

    Raises
    ------
    InsufficientDataError
        No symbol has a bar of the session, or none is a member of the universe.
    DataError
        No score is a number, or all of several are equal: such scores choose nobody, and the alphabet must not
        choose for them. Nobody left by the rules of a scanner is no error: the scan is empty.
    """
    order, layers = _rank(scanner, view)
    candidates = tuple(
        _candidate(scanner, view, position, rank) for rank, position in enumerate(order[: scanner.top], start=1)
    )
    return Scan(candidates, layers, len(order))


def rank_of(scanner: Scanner, view: ScanView, symbol: Symbol) -> Candidate | None:
    """Return ``symbol`` as a candidate whatever its rank; None where a filter stopped it. Raises as ``scan``."""
    order, _ = _rank(scanner, view)
    position = view.snapshot.symbols.index(symbol)
    return _candidate(scanner, view, position, order.index(position) + 1) if position in order else None


def _rank(scanner: Scanner, view: ScanView) -> tuple[list[int], tuple[Layer, ...]]:
    symbols, session = view.snapshot.symbols, view.snapshot.session
    first = market_filters(view.snapshot, view.absences)
    present, layers = sift(symbols, first)
    if not present.any():
        raise InsufficientDataError(
            f"Nothing to scan on {session}: {_where_they_went(layers)}.",
            needed=1,
            got=0,
            fix="Run `aitrader backfill`, or loosen the filters under `universe`.",
        )
    scores = scanner.scores(view)
    known = Filter("score", np.isfinite(scores), lambda _: "its score is not known")
    kept, layers = sift(symbols, (*first, *scanner.filters(view), known))
    usable = np.flatnonzero(kept).tolist()
    _check_scores(layers[-1], scores[usable], session)
    return sorted(usable, key=lambda position: (-scores[position], symbols[position])), layers


def _check_scores(layer: Layer, scores: FloatArray, session: date) -> None:
    if layer.reached and not layer.remaining:
        raise DataError(
            f"None of the {layer.reached} symbols scanned on {session} has a score that is a number.",
            fix="Look at what the scores are made of: `aitrader validate --level model`.",
        )
    if len(scores) > 1 and np.ptp(scores) == 0:
        raise DataError(
            f"All {len(scores)} symbols scanned on {session} have the same score, {scores[0]:.6g}: it chooses nobody.",
            fix="Train the model again, or give the scanner a score that tells symbols apart.",
        )


def _where_they_went(layers: Sequence[Layer]) -> str:
    if not layers[0].reached:
        return "the universe is empty"
    return "; ".join(f"{one.name}: {one.remaining} of {one.reached} symbols" for one in layers)


def _candidate(scanner: Scanner, view: ScanView, position: int, rank: int) -> Candidate:
    return Candidate(
        view.snapshot.symbols[position],
        rank,
        float(scanner.scores(view)[position]),
        float(view.snapshot.close[position]),
        scanner.reasons(view, position),
    )
