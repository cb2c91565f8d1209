"""Momentum features against TA-Lib, StockCharts and Tulip, and by hand.

Where a sheet begins its means with its first value, quiet bars before it begin ours there too, or the same formula is
read with that beginning (``read_slowly``); see test_trend.py.
"""

import numpy as np
import pytest

from aitrader.panel.expr import column

CLOSE = column("close")

TALIB = {
    "stoch_slowk_14_3": lambda f: f("stochastic_signal"),
    "stoch_fastd_3": lambda f: f("stochastic_signal"),
    "mom_10": lambda f: CLOSE - CLOSE / (1 + f("momentum", bars=10)),
    "ultosc_7_14_28": lambda f: f("ultimate_oscillator"),
    "ppo_12_26": lambda f: f("ppo"),
}
LATER_IN_TALIB = {"stoch_slowk_14_3"}
"""It begins with the last of TA-Lib's outputs, %D."""

TULIP = [
    ("bop", 4, 15, lambda f: f("balance_of_power", bars=1)),
    ("cci 5", 3, 7, lambda f: f("cci", bars=5)),
    ("cmo 5", 1, 10, lambda f: f("chande_momentum", bars=5)),
    ("fisher 5", 2, 11, lambda f: f("fisher_transform", bars=5)),
    ("mom 5", 1, 10, lambda f: CLOSE - CLOSE / (1 + f("momentum", bars=5))),
    ("qstick 5", 2, 11, lambda f: f("qstick", bars=5) * CLOSE),
    ("roc 5", 1, 10, lambda f: f("momentum", bars=5)),
    ("rocr 5", 1, 10, lambda f: 1 + f("momentum", bars=5)),
    ("rsi 5", 1, 10, lambda f: f("rsi", bars=5)),
    ("stoch 5 3 3", 3, 7, lambda f: f("stochastic_signal", bars=5, smooth=3)),
    ("stoch 5 3 3", 4, 7, lambda f: f("stochastic_slow", bars=5, smooth=3)),
    ("stochrsi 5", 1, 6, lambda f: f("stochastic_rsi", bars=5)),
    ("ultosc 2 3 5", 3, 10, lambda f: f("ultimate_oscillator", short=2, middle=3, long=5)),
    ("willr 5", 3, 11, lambda f: f("williams_r", bars=5)),
]

STOCKCHARTS = [
    ("cci", "CCI", 0, 11, lambda f: f("cci")),
    ("percentr", "Williams_%R", 0, 17, lambda f: f("williams_r")),
    ("ppo", "PPO", 40, 40, lambda f: f("ppo")),
    ("ppo", "PPO_Signal_Line", 40, 40, lambda f: f("ppo") - f("ppo_histogram")),
    ("ppo", "PPO_Histogram", 40, 40, lambda f: f("ppo_histogram")),
    ("roc", "ROC", 0, 8, lambda f: 100 * f("momentum", bars=12)),
    ("rsi", "RSI", 14, 19, lambda f: f("rsi")),
    ("soo", "SO", 0, 17, lambda f: f("stochastic")),
    ("soo", "SO_SIG", 0, 14, lambda f: f("stochastic_signal")),
    ("stochrsi", "StochRSI(14)", 14, 6, lambda f: f("stochastic_rsi")),
    ("ultosc", "Ult_Osc", 0, 2, lambda f: f("ultimate_oscillator")),
]
"""Sheet, column, quiet bars before it, values compared, formula."""


@pytest.mark.parametrize("indicator", TALIB)
def test_equals_talib(assert_as_talib, declared, indicator):
    assert_as_talib(indicator, TALIB[indicator](declared), later=indicator in LATER_IN_TALIB)


@pytest.mark.parametrize("case", TULIP, ids=lambda case: f"{case[0]}-{case[1]}")
def test_equals_tulip(tulip, tulip_bars, assert_as_printed, run_one, declared, case):
    vector, line, told, formula = case

    assert_as_printed(run_one(formula(declared), tulip_bars), tulip[vector][line], told=told)


def test_the_percentage_oscillator_equals_tulip_with_its_beginning(
    tulip, tulip_bars, assert_as_printed, read_slowly, declared
):
    oscillator = read_slowly(declared("ppo", fast=2, slow=5), tulip_bars)

    assert_as_printed(oscillator, tulip["ppo 2 5"][1], told=14)


@pytest.mark.parametrize("case", STOCKCHARTS, ids=lambda case: case[1])
def test_equals_stockcharts(stockcharts, sheet_bars, after_quiet_bars, assert_as_printed, run_one, declared, case):
    name, title, quiet, told, formula = case
    sheet = stockcharts(name)

    values = run_one(formula(declared), after_quiet_bars(sheet_bars(sheet), quiet))

    assert_as_printed(values, sheet[title], told=told)


def test_the_true_strength_index_equals_stockcharts_with_its_rounded_factors(
    stockcharts, sheet_bars, assert_as_printed, read_slowly, run_one, declared
):
    sheet, index = stockcharts("tsi"), declared("true_strength_index")

    rounded = read_slowly(index, sheet_bars(sheet), seeded=True, factors={25: 0.07692, 13: 0.1428})
    exact = read_slowly(index, sheet_bars(sheet), seeded=True)

    assert_as_printed(rounded, sheet["TSI"], told=445)
    np.testing.assert_allclose(run_one(index, sheet_bars(sheet)), exact, rtol=1e-6, atol=1e-6)


def test_connors_streak_counts_rises_and_falls_and_stops_at_a_close_without_change(run_one, declared):
    close = np.array([10.0, 11, 12, 13, 13, 12, 11, 12])
    streak = np.array([0.0, 1, 2, 3, 0, -1, -2, 1])  # by hand
    place = 100 * 4.5 / 6  # the last return, 1/11, is above four of six; of the other 1/11 half counts

    index = run_one(declared("connors_rsi", bars=3, streak=2, ranked=6), {"close": close})
    of_close = run_one(declared("rsi", bars=3), {"close": close})
    of_streak = run_one(declared("rsi", bars=2), {"close": streak})

    assert index[-1] == pytest.approx((of_close[-1] + of_streak[-1] + place) / 3)


def test_a_long_streak_counts_thirty_two_bars(run_one, declared):
    up = 10.0 + np.arange(150)
    steady = run_one(declared("connors_rsi"), {"close": up})[-1]

    # Both RSIs stand at 100; each return is lower than all before.
    assert steady == pytest.approx((100 + 100 + 0) / 3)


def test_a_return_in_small_steps_is_continuous_and_one_in_a_jump_is_not(run_one, declared):
    steps = 10 * 1.01 ** np.arange(21)
    jump = np.array([*(10 * 0.999 ** np.arange(20)), 12.0])

    small, large = (run_one(declared("information_discreteness", bars=20), {"close": x})[-1] for x in (steps, jump))

    assert small == pytest.approx(-1)
    assert large == pytest.approx((19 - 1) / 20)


def test_chande_momentum_and_rsi_are_missing_while_the_close_never_moved(run_one, declared):
    still = {"close": np.full(40, 5.0)}

    for name in ("chande_momentum", "rsi", "true_strength_index", "stochastic_rsi", "connors_rsi"):
        assert np.isnan(run_one(declared(name), still)).all(), name
