"""Risk and reward against empyrical and QuantStats on five years of eight stocks, and cases worked out by hand."""

import json
import math

import numpy as np
import polars as pl
import pytest

from aitrader.domain.symbols import Symbol
from aitrader.features.bars import population_shape
from aitrader.panel.expr import column
from aitrader.panel.plan import plan

RETURN = column("close") / column("close").shift(1) - 1
YEAR = math.sqrt(252)
ALL = 1258
"""Returns in the whole history."""


@pytest.fixture(scope="module")
def told(shared_data):
    return json.loads((shared_data / "oracles" / "performance_stats.json").read_text())["results"]


@pytest.fixture(scope="module")
def last(told, shared_data, make_panel, registry):
    """Return every symbol's last value of a feature over the whole history."""
    table = pl.read_parquet(shared_data / "equity_daily" / "us_large_daily_adj_2015_2020.parquet")
    names = [row["symbol"] for row in told]
    closes = [table.filter(pl.col("symbol") == name).sort("date")["adj_close"].to_numpy() for name in names]
    panel = make_panel({"close": closes}, tuple(Symbol(name) for name in names))

    def value(what):
        expr = registry[what].expression(bars=ALL) if isinstance(what, str) else what
        return plan([expr]).run(panel, min_names=1)[0, :, -1].astype(float)

    return value


ORACLES = [
    ("empyrical", "sharpe_ratio", "sharpe", lambda x: x * YEAR),
    ("empyrical", "sortino_ratio", "sortino", lambda x: x * YEAR),
    ("empyrical", "omega_ratio", "omega", lambda x: x),
    ("empyrical", "tail_ratio", "tail_ratio", lambda x: x),
    ("empyrical", "value_at_risk_5pct", "value_at_risk", lambda x: -x),
    ("empyrical", "conditional_value_at_risk_5pct", "expected_shortfall", lambda x: -x),
    ("empyrical", "max_drawdown", column("close").max_drawdown(ALL + 1), lambda x: -x),
    ("empyrical", "downside_risk", "downside_deviation", lambda x: x * YEAR),
    ("empyrical", "alpha", "market_alpha", lambda x: (1 + x) ** 252 - 1),
    ("empyrical", "beta", "market_beta", lambda x: x),
    ("empyrical", "annual_volatility", RETURN.std(ALL), lambda x: x * YEAR),
    ("empyrical", "skew", population_shape(RETURN, ALL)[0], lambda x: x),
    ("empyrical", "kurtosis", population_shape(RETURN, ALL)[1], lambda x: x),
    ("empyrical", "stability", "trend_fit", lambda x: x),
    ("quantstats", "value_at_risk", "gaussian_value_at_risk", lambda x: -x),
    ("quantstats", "profit_factor", "omega", lambda x: x),
    ("quantstats", "payoff_ratio", "payoff_ratio", lambda x: x),
    ("quantstats", "kelly_criterion", "kelly_fraction", lambda x: x),
]


@pytest.mark.parametrize("case", ORACLES, ids=lambda case: f"{case[0]}-{case[1]}")
def test_equals_the_published_figure(case, told, last):
    library, figure, what, same = case

    np.testing.assert_allclose(same(last(what)), [row[library][figure] for row in told], rtol=3e-6)


def test_calmar_is_the_return_over_the_deepest_fall(told, last):
    expected = [row["empyrical"]["total_return"] / -row["empyrical"]["max_drawdown"] for row in told]

    np.testing.assert_allclose(last("calmar"), expected, rtol=3e-6)


def _closes(returns):
    return 100 * np.cumprod(np.concatenate([[1.0], 1 + np.array(returns)]))


def test_what_a_bet_pays_and_how_much_to_stake(value):
    closes = _closes([0.04, -0.02, 0.02, -0.01, 0.0])

    got = {
        name: value(name, closes, bars=5)[0, -1]
        for name in ("omega", "payoff_ratio", "kelly_fraction", "downside_deviation", "upside_potential")
    }

    downside = math.sqrt((0.02**2 + 0.01**2) / 5)
    expected = {"omega": 2.0, "payoff_ratio": 2.0, "kelly_fraction": 0.5 - 0.5 / 2, "downside_deviation": downside}
    assert got == pytest.approx({**expected, "upside_potential": 0.012 / downside}, rel=1e-6)


def test_betas_of_falling_and_rising_markets_are_those_of_their_own_days(value):
    market = np.array([-0.03, 0.02, -0.01, 0.04, -0.02, 0.01])
    own = np.where(market < 0, 2 * market - 0.001, 0.5 * market + 0.002)
    closes = [_closes(own), _closes(2 * market - own)]

    down, up = (value(f"{side}_beta", closes, bars=6)[0, -1] for side in ("downside", "upside"))

    assert (down, up) == pytest.approx((2.0, 0.5), rel=1e-5)


def test_the_deepest_fall_counts_even_after_a_new_high(value):
    closes = np.array([100, 120, 90, 130, 117, 140.0])

    falls = value("max_drawdown", closes, bars=6)[0]

    assert falls[4:] == pytest.approx([0.25, 0.25])
    assert value("max_drawdown", closes, bars=3)[0, -1] == pytest.approx(0.1)


def test_a_symbol_that_is_the_market_has_no_alpha_and_nothing_of_its_own(value):
    closes = _closes(np.random.default_rng(1).normal(0, 0.01, 120))

    assert value("market_beta", closes)[0, -1] == pytest.approx(1.0)
    assert value("market_alpha", closes)[0, -1] == pytest.approx(0.0, abs=1e-9)
    assert value("tracking_error", closes)[0, -1] == 0.0


@pytest.mark.parametrize("name", ["sharpe", "sortino", "omega", "payoff_ratio", "kelly_fraction", "tail_ratio",
                                  "calmar", "coskewness", "appraisal_ratio",
                                  "cornish_fisher_value_at_risk"])  # fmt: skip
def test_a_constant_close_has_no_ratio(value, name):
    assert np.isnan(value(name, np.full((3, 300), 7.3))).all()


@pytest.mark.parametrize(
    "name", ["value_at_risk", "expected_shortfall", "max_drawdown", "worst_return", "pain_index", "current_drawdown"]
)
def test_a_constant_close_loses_nothing(value, name):
    assert value(name, np.full((3, 300), 7.3))[:, -1].tolist() == [0, 0, 0]


def test_losses_are_positive(value):
    closes = _closes(np.random.default_rng(2).normal(0, 0.02, 300))

    for name in ("value_at_risk", "gaussian_value_at_risk", "cornish_fisher_value_at_risk", "worst_return",
                 "expected_shortfall", "gaussian_expected_shortfall", "cornish_fisher_expected_shortfall"):  # fmt: skip
        assert value(name, closes)[0, -1] > 0.01


@pytest.mark.parametrize("name", ["gaussian_value_at_risk", "cornish_fisher_expected_shortfall"])
def test_a_tail_is_less_than_half_of_the_days(registry, name):
    with pytest.raises(ValueError, match="share"):
        registry[name].expression(share=0.5)
