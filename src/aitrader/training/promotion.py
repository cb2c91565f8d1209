"""The gate: which models may trade."""

import math
from dataclasses import dataclass
from typing import Literal

from aitrader.config.schema import Gate
from aitrader.models.passport import Scores

Status = Literal["passed", "rejected"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a model passed, and the sentence that says why."""

    status: Status
    reason: str


def judge(scores: Scores, gate: Gate) -> Verdict:
    """Pass a model whose mean out-of-fold rank IC lies above the gate with its lower 95% bound.

    A bound that is not known passes nothing.
    """
    bound, least = scores.rank_ic_lower, gate.min_rank_ic_lower
    if bound > least:
        return Verdict("passed", f"lower 95% bound of the mean rank IC {bound:.4f} is above {least:g}")
    if math.isnan(bound):
        return Verdict("rejected", "the mean rank IC has no interval: too few sessions, or predictions do not vary")
    return Verdict("rejected", f"lower 95% bound of the mean rank IC {bound:.4f} is not above {least:g}")
