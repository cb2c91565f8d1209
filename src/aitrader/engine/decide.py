"""One decision: the market of a session, a book and the strategies in; target weights and orders out. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from types import MappingProxyType
from typing import Final, Literal

from aitrader.config.schema import Execution, Portfolio, Risk
from aitrader.domain.events import DecisionMade
from aitrader.domain.instruments import Instrument
from aitrader.domain.positions import Book
from aitrader.domain.snapshot import MarketSnapshot
from aitrader.domain.symbols import Symbol
from aitrader.errors import DataError
from aitrader.portfolio.rebalance import Origin, trade_list
from aitrader.portfolio.sizing import Terms, decimal_prices, target_quantities
from aitrader.strategies.strategy import Strategy

Weights = Mapping[Symbol, float]

NETTED: Final = "net"
"""What orders are called in which the trades of several strategies are netted."""

_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every decision of a book: its name, and the settings of sizing, entry, costs and limits.

    ``settlement`` is when its sales are money, as the setting ``account.settlement`` says.
    """

    book: str
    portfolio: Portfolio
    execution: Execution
    risk: Risk
    instruments: Mapping[Symbol, Instrument] = field(default_factory=lambda: MappingProxyType({}))
    settlement: Literal["cash_t1", "margin"] = "cash_t1"


def decide(
    snapshot: MarketSnapshot,
    book: Book,
    strategies: Mapping[str, Strategy],
    rules: Rules,
    *,
    standing: Mapping[str, Weights] = MappingProxyType({}),
    models: Mapping[str, str] = MappingProxyType({}),
) -> DecisionMade:
    """Return what ``strategies`` want after ``snapshot.session``, and the orders that bring ``book`` there.

    Each strategy of the book may use the same part of ``portfolio.invested``. ``standing`` holds the last
    targets of strategies that do not decide on this session (empty: it has none yet). ``book`` is as it stood at the
    session's close. A held symbol without a bar of this session is valued at its last close and left alone: nobody
    knows at what price it could be traded. ``models`` names the versions that predicted.

    Raises
    ------
    DataError
        A strategy cannot decide on this snapshot, or asked for what the protocol does not allow.
    """
    targets = {name: _checked(name, strategy.targets(snapshot), snapshot) for name, strategy in strategies.items()}
    everybody = {**standing, **targets}
    weights = combined(everybody, rules.portfolio.invested)
    prices = closes(snapshot, {*weights, *book.positions})
    equity = book.equity(known_closes(snapshot, book.positions))
    terms = Terms(equity, rules.portfolio, rules.execution.costs, rules.risk.cash_reserve, rules.instruments)
    place = places(snapshot.symbols)
    fresh = {symbol: price for symbol, price in prices.items() if snapshot.stale[place[symbol]] == 0}
    sized = target_quantities(weights, fresh, terms)
    strategy = next(iter(everybody)) if len(everybody) == 1 else NETTED
    origin = Origin(rules.book, snapshot.decision, strategy, rules.execution.entry)
    trades = trade_list(sized.quantities, book, fresh, terms, origin)
    return DecisionMade(
        at=snapshot.decided_at,
        decision=snapshot.decision,
        session=snapshot.session,
        equity=float(equity),
        targets=targets,
        models=models,
        orders=trades.orders,
        notes=(*sized.notes, *trades.notes),
    )


def combined(targets: Mapping[str, Weights], invested: float) -> dict[Symbol, float]:
    """Return the book's weights: the mean of the strategies' weights, times the share that may be invested.

    >>> combined({"a": {Symbol("X"): 1.0}, "b": {Symbol("X"): 0.5, Symbol("Y"): 0.5}}, 0.8)
    {'X': 0.6000000000000001, 'Y': 0.2}
    """
    share = invested / len(targets) if targets else 0.0
    symbols = sorted({symbol for weights in targets.values() for symbol in weights})
    return {s: share * sum(weights.get(s, 0.0) for weights in targets.values()) for s in symbols}


def closes(snapshot: MarketSnapshot, symbols: Iterable[Symbol]) -> dict[Symbol, Decimal]:
    """Return the last closes of ``symbols`` as money; a symbol that never had one is absent."""
    place = places(snapshot.symbols)
    return decimal_prices({s: float(snapshot.close[place[s]]) for s in sorted(symbols) if s in place})


def known_closes(snapshot: MarketSnapshot, held: Iterable[Symbol]) -> dict[Symbol, Decimal]:
    """Return the last closes of what is ``held``.

    Raises
    ------
    DataError
        One has none: then nobody knows what the book is worth.
    """
    prices = closes(snapshot, held)
    missing = sorted(set(held) - set(prices))
    if missing:
        raise DataError(
            f"{', '.join(missing)} is held and has no price up to {snapshot.session}: the book has no value.",
            fix=f"Run `aitrader backfill --symbols {','.join(missing)}`.",
        )
    return prices


@lru_cache(maxsize=4)
def places(symbols: tuple[Symbol, ...]) -> Mapping[Symbol, int]:
    """Return where each symbol stands."""
    return MappingProxyType({symbol: place for place, symbol in enumerate(symbols)})


def _checked(name: str, weights: Weights, snapshot: MarketSnapshot) -> Weights:
    """Return ``weights`` if they keep the protocol; a plug-in that breaks it must not reach the market."""
    gross = sum(abs(weight) for weight in weights.values())
    if not isfinite(gross) or gross > 1 + _ROUNDING:
        raise DataError(
            f"Strategy {name!r} asked for absolute weights of {gross:g} in sum after {snapshot.session}; at most 1.",
            fix="Mend the strategy: weights are finite fractions whose absolute values sum to at most 1.",
        )
    buyable = {s for s, fresh in zip(snapshot.symbols, snapshot.members & (snapshot.stale == 0), strict=True) if fresh}
    wrong = sorted(set(weights) - buyable)
    if wrong:
        raise DataError(
            f"Strategy {name!r} asked for {', '.join(wrong)} after {snapshot.session}, which cannot be bought then.",
            fix="Mend the strategy: it may want members of the universe with a bar of the session only.",
        )
    return MappingProxyType({symbol: float(weight) for symbol, weight in weights.items()})
