import numpy as np
import pytest

from aitrader.quant.metrics import rank_ic
from aitrader.quant.significance import newey_west_t
from aitrader.training.evaluate import evaluate

SESSIONS = np.busday_offset("2001-11-01", np.arange(120), roll="forward")


def _evaluate(predictions, labels, fold=None):
    fold = np.zeros(120, dtype=np.int32) if fold is None else fold
    return evaluate(predictions, labels, SESSIONS, fold, horizon=5, samples=300, seed=1)


@pytest.fixture
def labels():
    return np.random.default_rng(0).normal(size=(15, 120))


def test_figures_are_those_of_the_daily_series(labels):
    predictions = labels + np.random.default_rng(1).normal(size=labels.shape) * 5

    scores = _evaluate(predictions, labels)

    daily = rank_ic(predictions, labels)
    assert scores.rank_ic == pytest.approx(daily.mean())
    assert scores.icir_daily == pytest.approx(daily.mean() / daily.std(ddof=1))
    assert scores.icir_annual == pytest.approx(scores.icir_daily * np.sqrt(252))
    assert scores.hac_t == pytest.approx(newey_west_t(daily, 5))
    assert scores.positive_share == pytest.approx((daily > 0).mean())
    assert scores.rank_ic_lower < scores.rank_ic < scores.rank_ic_upper
    assert (scores.sessions, scores.names) == (120, 15)


def test_years_and_folds_are_told_apart(labels):
    fold = np.repeat(np.array([-1, 0, 1], dtype=np.int32), 40)
    predictions = np.where(fold >= 0, labels, np.nan)

    scores = _evaluate(predictions, labels, fold)

    assert [(period.name, period.sessions) for period in scores.by_fold] == [("0", 40), ("1", 40)]
    assert [period.name for period in scores.by_year] == ["2001", "2002"]
    assert all(period.rank_ic == pytest.approx(1.0) for period in scores.by_year)


def test_equal_predictions_have_no_score(labels):
    scores = _evaluate(np.zeros_like(labels), labels)

    assert scores.sessions == 0
    assert np.isnan([scores.rank_ic, scores.rank_ic_lower, scores.icir_daily, scores.hac_t]).all()
