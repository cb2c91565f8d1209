"""The trial ledger: every different thing tried on the data counts, whether it worked or not.

A result that is the best of many trials is worth less than one found at once; the count and the return series kept
here say by how much (Bailey & Lopez de Prado (2014), J. Portfolio Management 40(5)).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from aitrader.envelope import jsonable
from aitrader.errors import LakeError

FloatArray = NDArray[np.float64]

TOP_SHARE: Final = 0.2
"""Share of the names that the naive portfolio holds on each side."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting tried on one slice of data.

    ``settings`` is the hash of everything that a person chose; ``returns`` are the net returns per session, from
    ``first`` on, of the naive portfolio that ``naive_returns`` defines.
    """

    settings: str
    model: str
    source: str
    start: date
    end: date
    first: date
    returns: tuple[float, ...]

    def to_line(self) -> str:
        """Return the trial as one line of JSON."""
        return json.dumps(jsonable(self), sort_keys=True, separators=(",", ":"), allow_nan=False)


_ADAPTER: Final = TypeAdapter(Trial)


def read_trials(lines: Iterable[str]) -> tuple[Trial, ...]:
    """Return the trials of a ledger's lines; raises ``LakeError`` for a line that is not a trial."""
    trials = []
    for number, line in enumerate(lines, start=1):
        try:
            trials.append(_ADAPTER.validate_json(line))
        except ValidationError as error:
            raise LakeError(
                f"Line {number} of the trial ledger cannot be read.",
                fix="Restore data_lake/studies/trials.jsonl from a backup; trials must not be forgotten.",
            ) from error
    return tuple(trials)


def count_trials(trials: Iterable[Trial], *, source: str, start: date, end: date) -> int:
    """Return how many different settings were tried on data of ``source`` that overlap ``start`` to ``end``."""
    return len(_distinct(trials, source, start, end))


def in_ledger(trials: Iterable[Trial], trial: Trial) -> bool:
    """Say whether these settings were tried on just these data."""
    return any(
        (t.settings, t.source, t.start, t.end) == (trial.settings, trial.source, trial.start, trial.end) for t in trials
    )


def trial_number(trials: Iterable[Trial], trial: Trial) -> int:
    """Return the place of ``trial`` among the different settings tried on its data: 1 for the first.

    Settings that were tried before keep their number.
    """
    seen = list(_distinct(trials, trial.source, trial.start, trial.end))
    return seen.index(trial.settings) + 1 if trial.settings in seen else len(seen) + 1


def naive_returns(predictions: FloatArray, prices: FloatArray, *, horizon: int, cost: float) -> FloatArray:
    """Return the net return per session, (T,), of a portfolio that follows the predictions blindly.

    After each session it is long the fifth of the names with the highest predictions and short the lowest fifth, in
    equal parts, from the entry price of the next session for ``horizon`` sessions: it holds so many overlapping
    cohorts (Jegadeesh & Titman (1993), J. Finance 48(1)). ``prices`` (N, T) are entry prices; ``cost`` is a fraction
    of the value traded. The value at t runs from the entry price of t to that of t + 1: NaN in the last session, zero
    where nothing is held. A name without a price stands still.
    """
    cohort = _cohorts(predictions)
    held = np.zeros_like(cohort)
    for age in range(1, horizon + 1):
        held[:, age:] += cohort[:, :-age] / horizon
    moves = np.full(prices.shape, np.nan)
    moves[:, :-1] = prices[:, 1:] / prices[:, :-1] - 1
    traded = np.abs(np.diff(held, axis=1, prepend=0.0)).sum(axis=0)
    returns = (held * np.nan_to_num(moves)).sum(axis=0) - cost * traded
    returns[-1] = np.nan
    return np.asarray(returns, dtype=np.float64)


def _cohorts(predictions: FloatArray) -> FloatArray:
    known = np.isfinite(predictions)
    count = known.sum(axis=0)
    size = np.where(count >= 2, np.maximum((count * TOP_SHARE).astype(np.int64), 1), 0)
    order = np.argsort(np.where(known, predictions, np.inf), axis=0, kind="stable")
    place = np.argsort(order, axis=0, kind="stable")
    weight = 1.0 / np.maximum(size, 1)
    long = known & (place >= count - size) & (place < count)
    short = known & (place < size)
    return np.where(long, weight, 0.0) - np.where(short, weight, 0.0)


def _distinct(trials: Iterable[Trial], source: str, start: date, end: date) -> dict[str, None]:
    return {t.settings: None for t in trials if t.source == source and t.start <= end and t.end >= start}
