"""The rules: each compares a subject's values on the made-up market with those on a variant of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aitrader.features.conformance.market import (
    ACTED,
    GAP_BACK,
    GAPS,
    LATE,
    LISTED,
    NAMES,
    ONE_GAP,
    SPARE,
    Action,
    Market,
)
from aitrader.features.conformance.subject import Claim
from aitrader.features.conformance.trial import TOLERANCE, Difference, Found, Trial, Untold
from aitrader.panel.panel import Panel

Chosen = Sequence[int]

ENDS: Final = 40
"""Bars at both ends of a history over which what a later beginning changes is averaged."""

KEPT: Final = 0.7
"""Part of that which may be left at the end: an exponential mean of 200 bars keeps a third of it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """``check`` returns the chosen columns that break the rule; ``spares`` says why a column is not asked, or nothing.

    ``says`` is what a column that keeps the rule can be trusted with.
    """

    name: str
    says: str
    check: Callable[[Trial, Chosen], Found]
    spares: Callable[[Claim], str] = lambda _: ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a feature keeps a rule; None: it is not asked, for ``reason``. ``difference`` is where it does not."""

    feature: str
    rule: str
    passed: bool | None
    reason: str = ""
    difference: Difference | None = None


def verdicts(trial: Trial, rule: Rule) -> tuple[Verdict, ...]:
    """Return one verdict per column of the trial's subject."""
    spared = [rule.spares(claim) for claim in trial.subject.claims]
    chosen = [position for position, reason in enumerate(spared) if not reason]
    broken = rule.check(trial, chosen) if chosen else {}
    return tuple(
        _verdict(claim, rule, spared[position], broken.get(position))
        for position, claim in enumerate(trial.subject.claims)
    )


def _verdict(claim: Claim, rule: Rule, spared: str, breach: Difference | str | Untold | None) -> Verdict:
    if spared:
        return Verdict(claim.name, rule.name, None, spared)
    if isinstance(breach, Untold):
        return Verdict(claim.name, rule.name, None, breach.reason)
    if isinstance(breach, str):
        return Verdict(claim.name, rule.name, False, breach)
    return Verdict(claim.name, rule.name, breach is None, difference=breach)


def _later_bars_disturbed(trial: Trial, chosen: Chosen) -> Found:
    random, cut = np.random.default_rng(5), trial.cut
    bars = {name: values.copy() for name, values in trial.market.bars.items()}
    for values in bars.values():
        values[:, cut:] *= random.lognormal(0, 1, values[:, cut:].shape)
        values[:, cut + 3] = np.nan
    members = trial.market.members.copy()
    members[::3, cut:] ^= True
    return _unchanged_before(trial, chosen, replace(trial.market, bars=bars, members=members))


def _later_bars_removed(trial: Trial, chosen: Chosen) -> Found:
    return _unchanged_before(trial, chosen, trial.panel.slice(0, trial.cut))


def _later_actions_added(trial: Trial, chosen: Chosen) -> Found:
    later = [
        Action(symbol, trial.cut + 11 * place, "split", 3.0) for place, symbol in enumerate(trial.market.symbols[:5])
    ]
    return _unchanged_before(trial, chosen, replace(trial.market, actions=(*trial.market.actions, *later)))


def _unchanged_before(trial: Trial, chosen: Chosen, variant: Market | Panel) -> Found:
    found = trial.values(variant, chosen)[:, :, : trial.cut]
    return trial.differences(chosen, found, trial.known(chosen, stop=trial.cut))


def _others_removed(trial: Trial, chosen: Chosen) -> Found:
    kept = [0, 3, 4, 5, 6]
    found = trial.values(trial.market.rows(kept), chosen)
    return trial.differences(chosen, found, trial.known(chosen, kept), rows=kept)


def _symbols_shuffled(trial: Trial, chosen: Chosen) -> Found:
    order = np.random.default_rng(9).permutation(trial.market.shape[0]).tolist()
    found = trial.values(trial.market.rows(order), chosen)
    return trial.differences(chosen, found, trial.known(chosen, order), rows=order)


def _strangers_added(trial: Trial, chosen: Chosen) -> Found:
    """The last symbols stand in the panel without ever being members."""
    inside = list(range(trial.market.shape[0] - 4))
    members = trial.market.members.copy()
    members[len(inside) :] = False
    found = trial.values(replace(trial.market, members=members), chosen)[:, inside]
    return trial.differences(chosen, found, trial.values(trial.market.rows(inside), chosen), rows=inside)


def _split_put_in(trial: Trial, chosen: Chosen) -> Found:
    found = trial.values(_with_splits(trial.market, 3.0), chosen)
    return trial.differences(chosen, found, trial.known(chosen), near=True)


def _with_splits(market: Market, ratio: float) -> Market:
    """Put a split into every symbol's as-traded history, prices and volume before it changed to match."""
    factor, splits = np.ones(market.shape), []
    for row, symbol in enumerate(market.symbols):
        listed = int(np.argmax(~np.isnan(market.bars["close"][row])))
        place, own = listed + 40 + 7 * (row % NAMES), ratio ** (row % 3 + 1)
        factor[row, :place] = own
        splits.append(Action(symbol, place, "split", own))
    row_of = {symbol: row for row, symbol in enumerate(market.symbols)}
    before = [
        replace(action, number=action.number * factor[row_of[action.symbol], action.position])
        if action.kind == "dividend"
        else action
        for action in market.actions
    ]
    return replace(market.times(factor), actions=(*before, *splits))


def _history_scaled(trial: Trial, chosen: Chosen) -> Found:
    found = trial.values(_scaled(trial.panel, 1.37, 0.61), chosen)
    return trial.differences(chosen, found, trial.known(chosen), near=True)


def _powers_of_two(trial: Trial, chosen: Chosen) -> Found:
    """Numbers that change a price's exponent and none of its digits: not a bit may differ."""
    variants = (_with_splits(trial.market, 4.0), _scaled(trial.panel, 2.0, 0.25))
    found = [trial.differences(chosen, trial.values(over, chosen), trial.known(chosen)) for over in variants]
    return {**found[1], **found[0]}


def _scaled(panel: Panel, price: float, volume: float) -> Panel:
    """Multiply every symbol's whole history: prices by one number per symbol, volume by another."""
    power = np.arange(panel.shape[0])[:, None] % 3 + 1
    columns = {
        name: values * (volume if name.endswith("volume") else price) ** power for name, values in panel.columns.items()
    }
    return replace(panel, columns=columns)


def _level_declared(trial: Trial, chosen: Chosen) -> Found:
    claims = trial.subject.claims
    broken: dict[int, str] = {}
    raw = [position for position in chosen if claims[position].raw_level]
    scaled = trial.values(_scaled(trial.panel, 2.0, 0.25), raw) if raw else trial.known(raw)
    follows = trial.differences(raw, scaled, trial.known(raw), near=True)
    for position in chosen:
        claim = claims[position]
        if claim.level_seen and not claim.raw_level:
            broken[position] = "its formula is not seen to be free of the level: divide by a price, or raw_level=True"
        elif claim.raw_level and (claim.level_seen is False or position not in follows):
            broken[position] = "declared raw_level, but it does not follow the level of prices or volume"
    return broken


def _built_incrementally(trial: Trial, chosen: Chosen) -> Found:
    """One day at a time from as many bars as the column says it needs, at random cuts."""
    claims = trial.subject.claims
    broken: dict[int, Difference] = {}
    cuts = np.random.default_rng(3).integers(1, trial.market.shape[1], 4).tolist()
    for lookback in {claims[position].lookback for position in chosen}:
        group = [position for position in chosen if claims[position].lookback == lookback]
        for cut in cuts:
            start = 0 if lookback is None else max(0, cut - lookback)
            day = trial.values(trial.panel.slice(start, cut + 1), group)[:, :, -1:]
            found = trial.differences(group, day, trial.full[group][:, :, cut : cut + 1], first=cut)
            broken = {**found, **broken}
    return broken


def _built_in_parts(trial: Trial, chosen: Chosen) -> Found:
    """A long part, three single days and the rest, each going on from the states that the one before left."""
    end = trial.market.shape[1]
    cut = int(np.random.default_rng(4).integers(end - SPARE, end - 10))
    found = trial.subject.resume(trial.panel, [cut, cut + 1, cut + 2, cut + 3])
    return trial.differences(chosen, found[list(chosen)], trial.known(chosen))


def _begun_later(trial: Trial, chosen: Chosen) -> Found:
    """Begin the history a quarter later: a recursion forgets where it began, a running sum or an age never does."""
    begin, broken = trial.market.shape[1] // 4, {}
    begun = replace(trial.panel.slice(begin, trial.market.shape[1]), begins=None)  # type: ignore[arg-type]  # found anew
    later = trial.values(begun, chosen)
    for place, position in enumerate(chosen):
        known = trial.full[position][:, begin:]
        both = np.isfinite(later[place]) & np.isfinite(known)
        apart = np.abs(np.subtract(later[place], known, where=both, out=np.full_like(known, np.nan)))
        apart = apart[:, both.any(axis=0)]
        if not apart.size:
            continue
        first, last = np.nanmean(apart[:, :ENDS]), np.nanmean(apart[:, -ENDS:])
        if last > max(KEPT * first, 0.001 * np.std(known[both])):
            broken[position] = f"{last:.3g} apart for good where the history begins {begin} bars later"
    return broken


def _has_values(trial: Trial, chosen: Chosen) -> Found:
    """Never infinite, nothing before a symbol's first bar, something at the end, also after one missing bar."""
    broken: dict[int, str | Untold] = {}
    for position in chosen:
        values, claim = trial.full[position], trial.subject.claims[position]
        reason = _impossible(values, trial.cut, claim) or _one_number(values, claim)
        if reason:
            broken[position] = reason
    return broken


def _impossible(values: NDArray[np.float32], cut: int, claim: Claim) -> str:
    if np.isinf(values).any():
        return "a value is infinite"
    if claim.reads_bars and not np.isnan(values[LATE, :LISTED]).all():
        return "it has values before a symbol's first bar"
    if np.isnan(values[0, cut:]).all():
        return f"no value in the last {values.shape[1] - cut} bars of a symbol that has every bar"
    if max(claim.lookback or 0, claim.first or 0) < GAP_BACK - 10 and np.isnan(values[ONE_GAP, -10:]).all():
        return f"no value in the last 10 bars of a symbol that lacks one bar {GAP_BACK} bars before the end"
    return ""


def _one_number(values: NDArray[np.float32], claim: Claim) -> str | Untold:
    lowest, highest = np.nanmin(values), np.nanmax(values)
    if lowest == highest == 0 and claim.event:
        return Untold("0 on every bar: what it looks for does not happen on the made-up market")
    return f"it is {lowest:g} on every bar" if lowest == highest else ""


def _first_value_said(trial: Trial, chosen: Chosen) -> Found:
    """Of symbols that have every bar; what listings, gaps and halts hide is another matter."""
    whole, broken = [0, *range(ACTED, trial.market.shape[0])], {}
    for position in chosen:
        first = int(np.argmax(~np.isnan(trial.full[position, whole]).all(axis=0))) + 1
        said = trial.subject.claims[position].first
        if first != said:
            broken[position] = f"values begin with bar {first}, and its docstring says {said}"
    return broken


def _bounds_said(trial: Trial, chosen: Chosen) -> Found:
    """Of all symbols but the one that lacks some columns of a bar: its lowest low need not lie below its close."""
    broken = {}
    for position in chosen:
        low, high = trial.subject.claims[position].bounds or (-np.inf, np.inf)
        values = np.delete(trial.full[position], GAPS, axis=0)
        lowest, highest = np.fmin.reduce(values, None), np.fmax.reduce(values, None)
        if lowest < low - TOLERANCE * abs(low) or highest > high + TOLERANCE * abs(high):
            broken[position] = (
                f"values reach from {lowest:g} to {highest:g}, and its docstring says {low:g} to {high:g}"
            )
    return broken


def _if_alone(claim: Claim) -> str:
    return "compares symbols" if claim.looks_across else ""


def _if_level_free(claim: Claim) -> str:
    return "raw level: models refuse it" if claim.raw_level else ""


def _if_declared(claim: Claim) -> str:
    return "nothing is declared" if claim.level_seen is None else ""


def _if_exact(claim: Claim) -> str:
    return _if_level_free(claim) or _if_declared(claim)


def _if_begin_said(claim: Claim) -> str:
    return "no docstring says when values begin" if claim.first is None else ""


def _if_bounds_said(claim: Claim) -> str:
    return "no docstring says what values lie between" if claim.bounds is None else ""


RULES: Final = (
    Rule("later bars disturbed", "No later bar changes a value.", _later_bars_disturbed),
    Rule("later bars removed", "A value is the same on the day it was new.", _later_bars_removed),
    Rule("later actions added", "No later split or dividend changes a value.", _later_actions_added),
    Rule("others removed", "Other symbols change nothing.", _others_removed, _if_alone),
    Rule("symbols shuffled", "The order of the symbols changes nothing.", _symbols_shuffled),
    Rule("strangers added", "Symbols outside the universe change nothing.", _strangers_added),
    Rule("split put in", "A split with its corporate action changes nothing.", _split_put_in, _if_level_free),
    Rule("history scaled", "Prices or volume times a number change nothing.", _history_scaled, _if_level_free),
    Rule("powers of two", "Prices or volume times 2, 4, 8 ... change no bit.", _powers_of_two, _if_exact),
    Rule("level declared", "What follows the level of prices says so.", _level_declared, _if_declared),
    Rule("built incrementally", "A day built alone equals the full build in every bit.", _built_incrementally),
    Rule("built in parts", "A build that goes on from the last one equals it in every bit.", _built_in_parts),
    Rule("begun later", "Where the history begins is forgotten.", _begun_later, _if_level_free),
    Rule("has values", "Finite or missing, not always missing, and not always the same.", _has_values),
    Rule("first value", "Values begin with the bar that the docstring names.", _first_value_said, _if_begin_said),
    Rule("bounds", "Values lie between the bounds that the docstring names.", _bounds_said, _if_bounds_said),
)


def conformance(trial: Trial) -> Iterator[tuple[Rule, tuple[Verdict, ...]]]:
    """Yield rule by rule the verdicts on every column of the trial's subject."""
    for rule in RULES:
        yield rule, verdicts(trial, rule)
