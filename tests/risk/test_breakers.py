"""When everything must stop."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.config.schema import Risk
from aitrader.risk.breakers import bursts, losses

LIMITS = Risk(max_daily_loss=0.02, max_drawdown=0.10, max_rejects_per_run=5, max_unknown_orders=2)
MONEY = st.floats(min_value=1, max_value=1e12)
NO_NUMBERS = st.sampled_from([math.nan, math.inf, -math.inf])


def code(previous=None, last=None, peak=None):
    breach = losses(previous=previous, last=last, peak=peak, limits=LIMITS)
    return breach.code if breach else None


@pytest.mark.parametrize(
    ("last", "found"), [(101_000, None), (98_000.01, None), (98_000, "max_daily_loss"), (97_999.99, "max_daily_loss")]
)
def test_a_session_that_loses_its_limit_is_a_breach(last, found):
    assert code(previous=100_000, last=last, peak=100_000) == found


@pytest.mark.parametrize(("last", "found"), [(90_000.01, None), (90_000, "max_drawdown"), (89_999.99, "max_drawdown")])
def test_a_fall_from_the_peak_by_its_limit_is_a_breach(last, found):
    assert code(previous=91_000, last=last, peak=100_000) == found


def test_without_an_earlier_close_nothing_was_lost():
    assert code() is None
    assert code(last=100_000) is None
    assert code(last=100_000, peak=100_000) is None


@pytest.mark.parametrize("last", [0, -1, math.nan, math.inf, -math.inf])
def test_an_account_without_a_value_is_a_breach(last):
    assert code(last=last) == "equity"


@given(last=MONEY, bad=NO_NUMBERS)
def test_a_loss_that_cannot_be_measured_is_a_breach(last, bad):
    assert code(previous=bad, last=last) == "max_daily_loss"
    assert code(peak=bad, last=last) == "max_drawdown"


@given(previous=MONEY, last=MONEY, peak=MONEY)
def test_what_passes_lost_less_than_both_limits(previous, last, peak):
    if code(previous, last, peak) is None:
        assert last > 0.98 * previous * (1 - 1e-12)
        assert last > 0.90 * peak * (1 - 1e-12)


def test_a_limit_of_zero_forbids_losses_and_no_standstill():
    none = Risk(max_daily_loss=0, max_drawdown=0)

    assert losses(previous=100.0, last=100.0, peak=100.0, limits=none) is None
    assert losses(previous=100.0, last=99.99, peak=None, limits=none) is not None
    assert losses(previous=99.0, last=99.5, peak=100.0, limits=none) is not None


def test_a_breach_says_the_numbers():
    breach = losses(previous=100_000.0, last=97_000.0, peak=100_000.0, limits=LIMITS)

    assert breach
    assert breach.reason == ("equity fell 3.00% in one session, from 100,000.00 to 97,000.00 USD; the limit is 2.00%")


@pytest.mark.parametrize(
    ("rejects", "unknown", "found"),
    [
        (0, 0, None),
        (4, 1, None),
        (5, 0, "max_rejects_per_run"),
        (6, 0, "max_rejects_per_run"),
        (0, 2, "max_unknown_orders"),
        (0, 3, "max_unknown_orders"),
        (5, 2, "max_rejects_per_run"),
    ],
)
def test_refusals_and_unknown_outcomes_are_a_breach_at_their_limit(rejects, unknown, found):
    breach = bursts(rejects=rejects, unknown=unknown, limits=LIMITS)

    assert (breach.code if breach else None) == found
