import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from aitrader.quant import metrics


@pytest.fixture(scope="module")
def oracle(shared_data):
    return json.loads((shared_data / "oracles" / "performance_stats.json").read_text())["results"]


@pytest.fixture(scope="module")
def returns(shared_data):
    frame = pl.read_parquet(shared_data / "equity_daily" / "us_large_daily_adj_2015_2020.parquet").sort(
        "symbol", "date"
    )

    def of(symbol):
        price = frame.filter(pl.col("symbol") == symbol)["adj_close"].to_numpy()
        return price[1:] / price[:-1] - 1

    return of


@pytest.mark.parametrize(
    ("measure", "name", "sign"),
    [
        (metrics.total_return, "total_return", 1),
        (metrics.annual_return, "annual_return", 1),
        (metrics.volatility, "annual_volatility", 1),
        (metrics.sharpe, "sharpe_ratio", 1),
        (metrics.sortino, "sortino_ratio", 1),
        (metrics.calmar, "calmar_ratio", 1),
        (metrics.max_drawdown, "max_drawdown", -1),
        (metrics.value_at_risk, "value_at_risk_5pct", -1),
        (metrics.expected_shortfall, "conditional_value_at_risk_5pct", -1),
    ],
)
def test_figures_equal_those_of_empyrical_on_real_returns(oracle, returns, measure, name, sign):
    for row in oracle:
        assert measure(returns(row["symbol"])) == pytest.approx(sign * row["empyrical"][name], rel=1e-9), row["symbol"]


def test_drawdown_counts_a_loss_in_the_first_session():
    falls = metrics.drawdown_series([-0.1, 0.2, -0.5])

    assert falls == pytest.approx([0.1, 0.0, 0.5])


def test_figures_by_hand():
    returns = [0.01, -0.02, 0.03]

    # mean 0.02 / 3; squared deviations (1 + 64 + 49) / 9 * 1e-4 = 38 / 3 * 1e-4, over two
    assert metrics.deviation(returns) == pytest.approx(np.sqrt(38 / 3 * 1e-4 / 2), rel=1e-12)
    assert metrics.sharpe(returns) == pytest.approx((0.02 / 3) / np.sqrt(38 / 3 * 1e-4 / 2) * np.sqrt(252), rel=1e-12)
    assert metrics.total_return(returns) == pytest.approx(1.01 * 0.98 * 1.03 - 1)


@pytest.mark.parametrize("measure", [metrics.sharpe, metrics.sortino, metrics.calmar, metrics.ratio])
@pytest.mark.parametrize("returns", [[], [0.01], [0.1, 0.1, 0.1]])
def test_a_ratio_without_risk_is_nan(measure, returns):
    assert np.isnan(measure(returns))


def test_a_total_loss_is_minus_one_a_year():
    assert metrics.annual_return([0.1, -1.0]) == -1.0


def test_a_gap_in_a_return_series_is_an_error():
    with pytest.raises(ValueError, match="NaN"):
        metrics.sharpe([0.1, np.nan])


@given(
    st.lists(st.lists(st.sampled_from([np.nan, 0.0, 1.0, 2.0, -3.5]), min_size=4, max_size=4), min_size=1, max_size=9)
)
def test_ranks_equal_those_of_scipy(rows):
    values = np.array(rows)

    ranks = metrics.mean_ranks(values)

    for column in range(4):
        known = ~np.isnan(values[:, column])
        assert np.isnan(ranks[~known, column]).all()
        assert ranks[known, column].tolist() == stats.rankdata(values[known, column]).tolist()


def test_information_coefficients_equal_those_of_scipy_with_gaps_and_ties():
    generator = np.random.default_rng(3)
    predictions = generator.integers(0, 8, (20, 6)).astype(float)
    labels = generator.normal(size=(20, 6))
    predictions[generator.random((20, 6)) < 0.2] = np.nan
    labels[generator.random((20, 6)) < 0.2] = np.nan

    ic, rank_ic = metrics.ic(predictions, labels), metrics.rank_ic(predictions, labels)

    for column in range(6):
        both = ~np.isnan(predictions[:, column]) & ~np.isnan(labels[:, column])
        pair = predictions[both, column], labels[both, column]
        assert ic[column] == pytest.approx(stats.pearsonr(*pair).statistic)
        assert rank_ic[column] == pytest.approx(stats.spearmanr(*pair).statistic)


def test_a_session_of_equal_predictions_or_of_two_names_has_no_information_coefficient():
    labels = np.array([[0.1, 0.1], [0.2, 0.2], [0.3, np.nan]])
    predictions = np.array([[0.7, 1.0], [0.7, 2.0], [0.7, 3.0]])

    assert np.isnan(metrics.rank_ic(predictions, labels)).all()
    assert np.isnan(metrics.ic(predictions, labels)).all()
