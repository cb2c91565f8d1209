"""Every word of the feature language keeps every rule, alone and inside weekly and monthly bars.

What a word needs is told by the names of its parameters. Each is asked of several series, so that what `panel.scale`
says of the level of prices is tried as well: a text that it calls free of the level is scaled and split.
"""

import inspect
from itertools import product

import pytest

from aitrader.features.conformance.market import made_up
from aitrader.features.conformance.rules import RULES, verdicts
from aitrader.features.conformance.subject import subject_of
from aitrader.features.conformance.trial import Trial
from aitrader.features.resolve import resolve
from aitrader.lake.adjust import forward
from aitrader.panel import parse
from aitrader.panel.expr import Expr
from aitrader.panel.operators import UNARY

PARTS = {
    "back": "close / close.shift(1) - 1",
    "busy": "volume / volume.shift(1)",
    "peak": "where(high.argmax(5) < 1, high, 0 / 0)",
    "trough": "where(low.argmin(5) < 1, low, 0 / 0)",
}
SERIES = ("back", "close", "log(close)", "volume", "peak")
OTHERS = ("busy", "open", "volume")
NEEDED = {
    "bars": "9", "span": "6", "share": "0.3", "order": "0.4", "bins": "4", "event": "(back > 0.02)", "low": "low",
    "upper": "high", "lower": "low", "others": "busy, back.mean(5)", "series": "back.mean(4)", "troughs": "trough",
    "condition": "back > 0.01", "then": "back", "otherwise": "busy", "left": "back", "right": "busy",
    "part": "high - low", "whole": "close - open", ("adaptive_mean", "weight"): "abs(back) * 5",
    ("ewm", "weight"): "0.2",
}  # fmt: skip
CHOSEN = {
    "min_periods": "4", "ddof": "0", "oldest": "1", "nth": "2", "lag": "3", "skip": "2", "seed": "5", "share": "0.1",
    "step": "0.05", "limit": "0.1", ("clip", "lower"): "-0.01", ("clip", "upper"): "0.02",
}  # fmt: skip
LONGER = ("back", "high.max(3) / low.min(3)", "close.ema(3) / close", "volume.mean(4, min_periods=2) / volume")


def arguments(name, function, *, chosen):
    """Return texts of the arguments, one for each way of naming another series."""
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    needed = [p.name for p in parameters if p.default is p.empty]
    extra = [
        f"{p.name}={_one_of(CHOSEN, name, p.name)}" for p in parameters if chosen and p.name not in {*needed, "by"}
    ]
    texts = [(OTHERS if need == "other" else (_one_of(NEEDED, name, need),)) for need in needed]
    return [", ".join([*values, *extra]) for values in product(*texts)]


def _one_of(table, name, parameter):
    return table.get((name, parameter)) or table[parameter]


def written():
    """Yield every word with its arguments, as texts."""
    for name in sorted(parse._METHODS):
        for series, chosen in product(SERIES, (False, True)):
            for text in arguments(name, getattr(Expr, name), chosen=chosen):
                yield f"{series}.{name}({text})"
    for name in sorted(set(parse._FUNCTIONS) - set(UNARY)):
        for text in arguments(name, parse._FUNCTIONS[name], chosen=True):
            yield f"{name}({text})"
    for name, series in product(("daily", "weekly", "monthly"), LONGER):
        yield f"{name}({series}) - {series}"


TEXTS = sorted(set(written()))


@pytest.fixture(scope="module")
def trial():
    custom = {f"text_{number}": text for number, text in enumerate(TEXTS)}
    subject = subject_of(resolve(list(custom), sets={}, custom={**PARTS, **custom}))
    return Trial(subject, made_up(forward, longest=subject.warmup))


def test_free_texts_are_tried_as_well(trial):
    free = [claim for claim in trial.subject.claims if not claim.raw_level]

    assert len(free) > len(TEXTS) / 3


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.name != "has values"], ids=lambda rule: rule.name)
def test_every_word_keeps_the_rules(trial, rule):
    broken = {
        text: verdict.difference
        for text, verdict in zip(TEXTS, verdicts(trial, rule), strict=True)
        if verdict.passed is False
    }

    assert broken.keys() == ({"back.cumsum()", "age()"} if rule.name == "begun later" else set())
