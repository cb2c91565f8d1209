"""Filters in order: each says how many symbols it leaves, and why it dropped the others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aitrader.domain.snapshot import BoolArray, MarketSnapshot
from aitrader.domain.symbols import Symbol


@dataclass(frozen=True, slots=True)
class Filter:
    """A named condition: ``passes`` has one value per symbol, ``why_not`` says it of the symbol at a position."""

    name: str
    passes: BoolArray
    why_not: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Layer:
    """What a filter did to the symbols that reached it; ``dropped`` gives a reason for each that it stopped."""

    name: str
    reached: int
    remaining: int
    dropped: Mapping[Symbol, str]


def sift(symbols: Sequence[Symbol], filters: Sequence[Filter]) -> tuple[BoolArray, tuple[Layer, ...]]:
    """Return who passes every filter, one value per symbol, and what each filter did.

    A symbol is dropped by the first filter that stops it and reaches none after that.
    """
    kept: BoolArray = np.ones(len(symbols), dtype=np.bool_)
    layers = []
    for one in filters:
        left: BoolArray = kept & one.passes
        stopped = np.flatnonzero(kept & ~one.passes).tolist()
        dropped = {symbols[position]: one.why_not(position) for position in stopped}
        layers.append(Layer(one.name, int(kept.sum()), int(left.sum()), dropped))
        kept = left
    return kept, tuple(layers)


def market_filters(snapshot: MarketSnapshot, absences: Mapping[Symbol, str]) -> tuple[Filter, ...]:
    """Return what every scanner asks first: a bar of the session itself, and membership of the universe.

    ``absences`` gives, where known, the reason why a symbol is no member.
    """

    def bar_is_missing(position: int) -> str:
        stale = int(snapshot.stale[position])
        return "no bar yet" if stale < 0 else f"last bar is {stale} session{'s' * (stale != 1)} old"

    def is_no_member(position: int) -> str:
        return absences.get(snapshot.symbols[position], "not a member of the universe on this session")

    fresh: BoolArray = (snapshot.stale == 0) & np.isfinite(snapshot.close)
    return (
        Filter(f"bar of {snapshot.session}", fresh, bar_is_missing),
        Filter("member of the universe", snapshot.members, is_no_member),
    )
