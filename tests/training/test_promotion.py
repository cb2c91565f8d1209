from dataclasses import replace

import pytest

from aitrader.config.schema import Gate
from aitrader.models.passport import Scores
from aitrader.training.promotion import judge

NAN = float("nan")
SCORES = Scores(100, 20, 0.01, 0.02, 0.005, 0.03, 0.1, 1.6, 2.5, 0.55, 10, (), ())


@pytest.mark.parametrize(
    ("lower", "gate", "status"),
    [(0.005, 0.0, "passed"), (0.0, 0.0, "rejected"), (-0.01, 0.0, "rejected"), (0.005, 0.01, "rejected")],
)
def test_the_lower_bound_must_lie_above_the_gate(lower, gate, status):
    assert judge(replace(SCORES, rank_ic_lower=lower), Gate(min_rank_ic_lower=gate)).status == status


def test_an_unknown_bound_passes_nothing_however_low_the_gate():
    verdict = judge(replace(SCORES, rank_ic_lower=NAN), Gate(min_rank_ic_lower=-1))

    assert verdict.status == "rejected"
    assert "no interval" in verdict.reason
