"""Every control has a breach that it answers, and a control that is taken away is missed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.config.schema import AccountSettings, Config, Reconcile, Risk, Schedule
from aitrader.domain.events import Latch
from aitrader.engine import loop, order_desk
from aitrader.jobs.checks.controls import fire_controls
from aitrader.jobs.checks.drills import DRILLS
from aitrader.jobs.checks.stage import LOOSE
from aitrader.risk import review
from aitrader.risk.limits import GATES, LIMITS, SANITY

MODELS = {"risk": Risk, "schedule": Schedule, "account": AccountSettings, "reconcile": Reconcile}
NOT_CONTROLS = {
    "account.kind": "says which account, and stops no order",
    "account.cash": "what a new simulated account begins with",
    "account.faults": "what a simulated account does wrong",
}

COMPARED = {"finite", "quantity"}


def silent(config=None):
    return [one.control for one in fire_controls(config or Config()).controls if not one.fired]


def test_every_control_answers_at_the_defaults():
    report = fire_controls(Config())

    assert silent() == []
    assert report.fired
    assert len(report.controls) == len(DRILLS)


def test_every_setting_that_may_stop_an_order_is_fired_or_no_control():
    settings = {f"{section}.{name}" for section, model in MODELS.items() for name in model.model_fields}

    assert {drill.setting for drill in DRILLS if drill.setting} == settings - set(NOT_CONTROLS)


def test_each_control_answers_alone():
    in_the_bounds = {"price_collar"}

    assert set(LOOSE) == set(Risk.model_fields) - in_the_bounds


def test_every_limit_has_its_drill():
    assert {*SANITY, *GATES, *LIMITS} <= {drill.control for drill in DRILLS}


@pytest.fixture
def without(monkeypatch):
    """Takes one limit out of the review, and what the desk asks once more before an order leaves."""
    asked = review._first

    def take_out(code):
        monkeypatch.setattr(
            review, "_first", lambda limits, case: asked(tuple(one for one in limits if one[0] != code), case)
        )
        monkeypatch.setattr(order_desk, "_stopped", lambda *_: None)

    return take_out


@pytest.mark.parametrize("code", sorted({*SANITY, *GATES, *LIMITS} - COMPARED))
def test_a_limit_that_is_taken_away_is_missed(without, code):
    without(code)

    assert code in silent()


@pytest.mark.parametrize("code", sorted(COMPARED))
def test_without_a_finite_order_above_zero_the_limits_cannot_even_compare(without, code):
    without(code)

    with pytest.raises(ArithmeticError):
        silent()


@pytest.mark.parametrize("code", ["halt", "halt_entries", "hold"])
def test_the_desk_asks_once_more_what_changes_within_a_run(monkeypatch, code):
    asked = review._first
    monkeypatch.setattr(
        review, "_first", lambda limits, case: asked(tuple(one for one in limits if one[0] != code), case)
    )

    assert silent() == []


@pytest.mark.parametrize("code", ["max_order_qty", "session_window", "max_orders_per_day", "unsettled", "cash_reserve"])
def test_a_limit_that_stops_what_keeps_it_is_told(monkeypatch, code):
    asked = review._first

    def stricter(limits, case):
        return asked(tuple((name, (lambda _: "no") if name == code else limit) for name, limit in limits), case)

    monkeypatch.setattr(review, "_first", stricter)

    found = {one.control: one for one in fire_controls(Config()).controls if not one.fired}
    assert found[code].answered == "also what keeps just within the limit: no"


def test_a_breaker_that_is_taken_away_is_missed(monkeypatch):
    monkeypatch.setattr(loop, "losses", lambda **_: None)
    monkeypatch.setattr(order_desk, "bursts", lambda **_: None)

    assert silent() == ["max_daily_loss", "max_drawdown", "max_rejects_per_run", "max_unknown_orders"]


def test_a_desk_that_does_not_wait_or_count_is_missed(monkeypatch):
    monkeypatch.setattr(order_desk, "_pace", lambda *_: None)
    monkeypatch.setattr(order_desk, "_excess", lambda *_: None)
    monkeypatch.setattr(loop, "_too_old", lambda *_: [])

    assert silent() == ["max_orders_per_min", "orders_out", "max_model_sessions_old"]


def test_what_is_switched_off_is_tried_all_the_same_and_named():
    config = Config.model_validate(
        {"risk": {"max_daily_loss": "100%", "max_drawdown": 1}, "account": {"settlement": "margin"}}
    )

    report = fire_controls(config)

    off = {one.setting: one.value for one in report.controls if one.value.endswith("(off)")}
    assert off == {
        "account.settlement": "margin (off)",
        "risk.duplicate_window_s": "0 (off)",
        "risk.max_order_notional": "none (off)",
        "risk.max_daily_loss": "100% (off)",
        "risk.max_drawdown": "100% (off)",
    }
    assert report.fired
    assert all(setting in report.warnings[0] for setting in off)


def share(most=1.0):
    return st.integers(0, int(10_000 * most)).map(lambda bp: bp / 10_000)


COUNT = st.integers(1, 5_000)
LIMITS_SET = st.fixed_dictionaries(
    {
        "max_order_equity_share": share(),
        "max_order_qty": st.integers(1, 10**7).map(float),
        "max_order_adv_share": share(),
        "price_collar": share(),
        "max_gap_from_close": share(),
        "max_position": share(),
        "max_gross": share(4),
        "max_net": share(4),
        "cash_reserve": share(),
        "max_bar_sessions_old": st.integers(0, 100),
        "max_order_notional": st.one_of(st.none(), st.integers(1, 10**7).map(float)),
        "duplicate_window_s": st.integers(0, 100_000).map(float),
        "max_orders_per_min": COUNT,
        "max_orders_per_run": COUNT,
        "max_orders_per_day": COUNT,
        "max_orders_per_symbol_day": COUNT,
        "max_daily_loss": share(),
        "max_drawdown": share(),
        "max_rejects_per_run": COUNT,
        "max_unknown_orders": COUNT,
        "max_model_sessions_old": COUNT,
    }
)


@given(
    risk=LIMITS_SET, minutes=st.tuples(*[st.integers(0, 120)] * 2), tolerance=st.tuples(*[st.integers(0, 10**7)] * 2)
)
def test_every_control_answers_wherever_its_limit_is_set(risk, minutes, tolerance):
    schedule = dict(zip(("no_orders_first_min", "no_orders_last_min"), minutes, strict=True))
    reconcile = {"qty_tol": tolerance[0] / 1e6, "cash_tol": tolerance[1] / 100}

    assert silent(Config.model_validate({"risk": risk, "schedule": schedule, "reconcile": reconcile})) == []


def test_a_halt_answers_for_the_latch_that_shut_it():
    answers = {one.control: one.answered for one in fire_controls(Config()).controls}

    assert all(latch.value in answers[latch.value.lower()] for latch in Latch)
    assert answers["max_daily_loss"].startswith("HALT: equity fell 2.01% in one session")
