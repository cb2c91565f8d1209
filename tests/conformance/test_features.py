"""What every registered feature, and every column of the built-in sets, must hold; and that cheats do not.

The rules are those of `aitrader features test`. The planted faults are plain NumPy, beside the language: it has no
words for them.
"""

import warnings
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from aitrader.features.conformance.market import made_up
from aitrader.features.conformance.rules import RULES, verdicts
from aitrader.features.conformance.subject import Claim, Subject, subject_of
from aitrader.features.conformance.trial import Trial
from aitrader.features.feature import load, spec_of
from aitrader.features.resolve import resolve
from aitrader.features.sets import SETS
from aitrader.lake.adjust import forward
from aitrader.panel.expr import Expr, column

SPECS = {
    spec.name: spec
    for spec in (*(spec_of(known) for known in load().values()), *resolve(list(SETS), sets={}, custom={}))
}
RULE = {rule.name: rule for rule in RULES}
FUTURE = {"later bars disturbed", "later bars removed"}


@pytest.fixture(scope="module")
def market():
    return made_up(forward, longest=subject_of(list(SPECS.values())).warmup)


@pytest.fixture(scope="module")
def trial(market):
    return Trial(subject_of(list(SPECS.values())), market)


@pytest.fixture(scope="module")
def found(trial):
    """Return the verdicts of a rule on every column."""
    return cache(lambda name: verdicts(trial, RULE[name]))


@pytest.fixture
def broken(market):
    """Return the names of the rules that a subject's only column breaks."""

    def names(subject):
        tried = Trial(subject, market)
        return {rule.name for rule in RULES for verdict in verdicts(tried, rule) if verdict.passed is False}

    return names


@pytest.mark.parametrize("rule", RULE)
def test_every_registered_feature_keeps_every_rule(found, rule):
    assert [verdict.feature for verdict in found(rule)] == list(SPECS)
    assert [verdict for verdict in found(rule) if verdict.passed is False] == []


def test_what_a_rule_does_not_ask_has_a_reason(found):
    spared = {(rule, verdict.reason) for rule in RULE for verdict in found(rule) if verdict.passed is None}

    assert spared == {
        ("others removed", "compares symbols"),
        ("split put in", "raw level: models refuse it"),
        ("history scaled", "raw level: models refuse it"),
        ("powers of two", "raw level: models refuse it"),
        ("begun later", "raw level: models refuse it"),
        ("has values", "0 on every bar: what it looks for does not happen on the made-up market"),
        ("first value", "no docstring says when values begin"),
        ("bounds", "no docstring says what values lie between"),
    }


def test_recursive_features_are_the_exception(trial):
    claims = trial.subject.claims

    assert sum(claim.lookback is not None for claim in claims) > 0.7 * len(claims)


def test_every_feature_has_values_most_of_the_time(trial):
    shares = np.isfinite(trial.full[:, 0, -120:]).mean(axis=1)

    assert {name for name, share in zip(SPECS, shares, strict=True) if share <= 0.9} == set()


# Planted faults: each a function of a panel, computed beside the language.


def planted(function, *, lookback=None, parts=None, **claims):
    """Return a subject of one column; ``parts`` is the function that goes on from where it stood."""

    def compute(panel, _):
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            return function(panel)[None].astype(np.float32)

    def resume(panel, cuts):
        return parts(panel, cuts)[None].astype(np.float32) if parts else compute(panel, cuts)

    return Subject((Claim("planted", lookback, **claims),), compute, resume)


def returns(panel):
    close = panel["close"]
    return close / np.concatenate([np.full((len(close), 1), np.nan), close[:, :-1]], axis=1) - 1


def shifted(values, bars):
    """Return values of ``bars`` bars ago; of so many ahead where it is negative."""
    moved = np.full_like(values, np.nan)
    moved[:, max(bars, 0) : bars or None if bars < 0 else None] = values[:, max(-bars, 0) : -bars if bars > 0 else None]
    return moved


def whole_history_zscore(panel):
    x = returns(panel)
    return (x - np.nanmean(x, axis=1, keepdims=True)) / np.nanstd(x, axis=1, keepdims=True)


def tomorrow(panel):
    return shifted(returns(panel), -1)


def centred_mean(panel):
    x = returns(panel)
    return (shifted(x, 1) + x + shifted(x, -1)) / 3


def filled_from_the_future(panel):
    x = np.flip(returns(panel), axis=1)
    last = np.maximum.accumulate(np.where(np.isnan(x), 0, np.arange(x.shape[1])), axis=1)
    return np.flip(np.take_along_axis(x, last, axis=1), axis=1)


def last_price_adjusted(panel):
    """The vendors' way: the newest price is as traded, and later actions rewrite the past."""
    close, traded = panel["close"], panel["traded_close"]
    last = close.shape[1] - 1 - np.argmax(np.flip(~np.isnan(close), axis=1), axis=1)[:, None]
    return close * np.take_along_axis(traded / close, last, axis=1)


@pytest.mark.parametrize("fault", [whole_history_zscore, tomorrow, centred_mean, filled_from_the_future])
def test_a_look_into_the_future_is_caught(broken, fault):
    assert broken(planted(fault)) >= FUTURE


def test_prices_that_later_actions_rewrite_are_caught(broken):
    assert "later actions added" in broken(planted(last_price_adjusted, raw_level=True))


def test_a_look_at_the_neighbour_is_caught(broken):
    def neighbour(panel):
        return np.roll(returns(panel), 1, axis=0)

    assert broken(planted(neighbour)) >= {"others removed", "symbols shuffled", "strangers added"}


def test_a_cross_section_over_more_than_the_members_is_caught(broken):
    def demeaned(panel):
        x = returns(panel)
        return x - np.nanmean(np.where(np.isnan(x), 0.0, x), axis=0)

    assert "strangers added" in broken(planted(demeaned, looks_across=True))
    assert "others removed" in broken(planted(demeaned))


def test_a_cross_section_of_survivors_is_caught(broken):
    def demeaned(panel):
        x = returns(panel)
        return x - np.nanmean(x[panel.members[:, -1]], axis=0)

    assert "later bars disturbed" in broken(planted(demeaned, looks_across=True))


@pytest.mark.parametrize(
    "level",
    [
        lambda panel: panel["close"],
        lambda panel: np.log(panel["volume"]),
        lambda panel: panel["close"] - shifted(panel["close"], 1),
        lambda panel: panel["traded_close"] / shifted(panel["traded_close"], 1) - 1,
    ],
    ids=["price", "log volume", "price difference", "return over a split"],
)
def test_a_raw_level_is_caught(broken, level):
    assert "split put in" in broken(planted(level))


def test_a_level_that_is_declared_is_not_asked(broken):
    assert not broken(planted(lambda panel: panel["close"], lookback=0, raw_level=True, level_seen=True))


def test_a_level_that_is_declared_wrongly_is_caught(broken):
    def close(panel):
        return panel["close"]

    assert "level declared" in broken(planted(close, level_seen=True))
    assert "level declared" in broken(planted(returns, raw_level=True, level_seen=True))
    assert "level declared" in broken(planted(returns, raw_level=True, level_seen=False))


def test_a_running_sum_is_caught(broken):
    # Every bar leaves its rounding error behind, so that the bits depend on where the build starts.
    def moving_mean(panel):
        total = np.cumsum(np.nan_to_num(np.exp(200 * returns(panel))), axis=1)
        return (total - shifted(total, 20)) / 20

    assert "built incrementally" in broken(planted(moving_mean, lookback=60))


def test_a_build_that_forgets_where_it_stood_is_caught(broken):
    def steps_so_far(panel):
        x = returns(panel)
        return np.where(np.isnan(x), np.nan, np.cumsum(np.sign(np.nan_to_num(x)), axis=1))

    def anew(panel, cuts):
        return np.concatenate(
            [steps_so_far(panel.slice(a, b)) for a, b in pairwise([0, *cuts, panel.shape[1]])], axis=1
        )

    assert broken(planted(steps_so_far)) == {"begun later"}
    assert broken(planted(steps_so_far, parts=anew)) == {"begun later", "built in parts"}


def test_a_lookback_that_is_too_short_is_caught(broken):
    five_days = planted(lambda panel: panel["close"] / shifted(panel["close"], 5) - 1, lookback=4)

    assert broken(five_days) == {"built incrementally"}


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (lambda panel: np.where(returns(panel) > 0, np.inf, returns(panel)), "infinite"),
        (lambda panel: np.nan_to_num(returns(panel)), "before a symbol's first bar"),
        (lambda panel: np.full(panel.shape, np.nan), "no value"),
        (lambda panel: np.cumsum(returns(panel)[:, 1:], axis=1)[:, [0, *range(panel.shape[1] - 1)]], "lacks one bar"),
        (lambda panel: 0 * panel["close"] + 3, "3 on every bar"),
        (lambda panel: 0 * panel["close"], "0 on every bar"),
    ],
)
def test_values_that_cannot_be_are_caught(market, values, what):
    (verdict,) = verdicts(Trial(planted(values), market), RULE["has values"])

    assert verdict.passed is False
    assert what in verdict.reason


@pytest.mark.parametrize(
    ("text", "forgets"),
    [
        ("close.ema(100) / close", True),
        ("(close / close.shift(1) - 1).wilder(60)", True),
        ("(close / close.shift(1) - 1).cumsum()", False),
        ("close.cumsum() / close", False),
        ("age() / 252", False),
        ("min(age(), 20)", True),
    ],
)
def test_a_value_that_never_forgets_where_the_history_begins_is_caught(market, text, forgets):
    subject = subject_of(resolve(["own"], sets={}, custom={"own": text}))

    (verdict,) = verdicts(Trial(subject, market), RULE["begun later"])

    assert verdict.passed is forgets


def test_an_event_that_never_happens_is_told(market):
    (spec,) = resolve(["never"], sets={}, custom={"never": "close > 3 * close.max(20)"})

    (verdict,) = verdicts(Trial(subject_of([spec]), market), RULE["has values"])

    assert verdict.passed is None
    assert "does not happen on the made-up market" in verdict.reason


@pytest.mark.parametrize(("said", "wrong"), [(1, True), (2, False), (3, True)])
def test_a_first_value_that_comes_otherwise_than_said_is_caught(broken, said, wrong):
    assert broken(planted(returns, first=said)) == ({"first value"} if wrong else set())


@pytest.mark.parametrize(("bounds", "wrong"), [((-1, 1), False), ((0, 1), True), ((-1, 0), True)])
def test_values_outside_of_the_bounds_that_are_said_are_caught(broken, bounds, wrong):
    assert broken(planted(returns, bounds=bounds)) == ({"bounds"} if wrong else set())


def test_most_features_say_when_values_begin_and_what_they_lie_between(trial):
    claims = trial.subject.claims

    assert sum(claim.first is not None for claim in claims) > 0.4 * len(claims)
    assert sum(claim.bounds is not None for claim in claims) > 0.35 * len(claims)


def test_docstrings_hold_for_other_settings_too():
    shorter = [
        spec_of(
            known,
            {name: value * 3 // 5 for name, value in known.settings.items() if name in {"bars", "span"} and value > 5},
        )
        for known in load().values()
        if {"bars", "span"} & known.settings.keys()
    ]
    subject = subject_of(shorter)
    tried = Trial(subject, made_up(forward, longest=subject.warmup))

    found = [verdict for name in ("first value", "bounds") for verdict in verdicts(tried, RULE[name])]

    assert [verdict for verdict in found if verdict.passed is False] == []


def test_the_first_bar_that_differs_is_named(market):
    def surprised(panel):
        values = returns(panel)
        if panel.shape == market.shape:
            values[3, 200] = values[7, 199] = 9
        return values

    (verdict,) = verdicts(Trial(planted(surprised), market), RULE["later bars removed"])

    assert (verdict.difference.symbol, verdict.difference.session) == ("S07", market.sessions[199])
    assert (verdict.difference.expected, verdict.difference.values) == (9.0, 2)


def test_a_feature_that_names_a_symbol_finds_it_in_the_made_up_market():
    specs = resolve(["market_beta"], sets={}, custom={}, market="SPY")
    subject = subject_of(specs)
    tried = Trial(subject, made_up(forward, named=subject.named))

    assert "SPY" in tried.market.symbols
    assert all(verdict.passed is not False for rule in RULES for verdict in verdicts(tried, rule))


def test_windows_longer_than_the_made_up_market_make_it_longer():
    subject = subject_of(resolve(["momentum(bars=600)"], sets={}, custom={}))
    tried = Trial(subject, made_up(forward, longest=subject.warmup))

    assert all(verdict.passed is not False for rule in RULES for verdict in verdicts(tried, rule))


@pytest.mark.parametrize("op", ["shift", "mean", "latest"])
def test_a_look_ahead_cannot_be_written_even_around_the_language(op):
    with pytest.raises(ValueError, match="looks ahead"):
        Expr(op, (column("close"),), (-1,))
