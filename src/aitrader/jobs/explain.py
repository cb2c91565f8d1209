"""Explains one symbol: from its bars to its rank, through the limits to the order, and to what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final

import numpy as np

from aitrader.config.schema import Config
from aitrader.domain.clock import Clock, wall_clock
from aitrader.domain.symbols import Symbol, parse_symbol
from aitrader.errors import InsufficientDataError, JournalError
from aitrader.jobs.assembly.book import JOURNAL, safe_folder
from aitrader.jobs.assembly.data import Market
from aitrader.jobs.assembly.opinions import ModelUsed
from aitrader.jobs.assembly.sight import Asked, Sight, look
from aitrader.jobs.assembly.trace import Trace, trace
from aitrader.jobs.progress import Progress, Report, silent
from aitrader.journal.account import read_account
from aitrader.journal.database import DatabaseJournal
from aitrader.scanners.explain import percentile
from aitrader.scanners.layers import Layer
from aitrader.scanners.scanner import Contributions, rank_of
from aitrader.scanners.scanner import scan as find

BARS: Final = 5
"""Last bars that are shown."""

NAN: Final = float("nan")


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar as traded (as the source gave it, where prices are adjusted): USD per share and shares."""

    session: date
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True)
class Step:
    """A filter on the way to a rank: ``passed`` is None where an earlier filter had stopped the symbol."""

    name: str
    passed: bool | None
    reason: str


@dataclass(frozen=True, slots=True)
class Value:
    """A quantity of the session: its value, where it stands among the members (0 to 1), what it adds to the score."""

    name: str
    value: float
    percentile: float
    contribution: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What the strategies would do with the symbol from an empty book of ``equity`` USD in cash.

    ``weights`` are by strategy, before ``portfolio.invested``; ``weight`` is that of the book. ``order`` is in words;
    ``forbidden`` the limit that would refuse it, with its reason; empty if none.
    """

    equity: float
    weights: Mapping[str, float]
    weight: float
    ordered: bool
    order: str
    forbidden: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """One symbol from bar to rank.

    ``rank`` (1 is best) and ``score`` are None and NaN where a filter stopped it; ``scored`` symbols have a rank.
    ``values`` are sorted by the size of their contribution; with ``base`` the contributions sum to the score.
    ``trace`` is what the book's journal says of the symbol since its last decision; None without a book, or before its
    first decision.
    """

    symbol: Symbol
    session: date
    scanner: str
    bars: tuple[Bar, ...]
    steps: tuple[Step, ...]
    rank: int | None
    scored: int
    score: float
    reasons: tuple[str, ...]
    values: tuple[Value, ...]
    base: float
    models: tuple[ModelUsed, ...]
    plan: Plan | None
    trace: Trace | None
    warnings: tuple[str, ...]


def explain(
    config: Config,
    root: Path,
    symbol: str,
    asked: Asked | None = None,
    *,
    clock: Clock = wall_clock,
    progress: Report = silent,
) -> Explanation:
    """Explain ``symbol`` as ``asked.scanner`` sees it and the book traded it; nothing is written. Raises as ``scan``.

    Raises
    ------
    InvalidSymbolError
        ``symbol`` is no ticker.
    InsufficientDataError
        The universe has no bars of it.
    """
    wanted = parse_symbol(symbol)
    sight = look(config, root, asked or Asked(), clock=clock, progress=progress)
    snapshot = sight.view.snapshot
    if wanted not in snapshot.symbols:
        raise _absent(config, wanted, sight.session)
    found = find(sight.scanner, sight.view)
    candidate = rank_of(sight.scanner, sight.view, wanted)
    position = snapshot.symbols.index(wanted)
    values, base = _values(sight, position)
    traced, notes = _traced(config, root, wanted, (asked or Asked()).now)
    progress(Progress("scan", 4, 4))
    return Explanation(
        symbol=wanted,
        session=sight.session,
        scanner=sight.name,
        bars=_bars(sight.market, position),
        steps=_steps(found.layers, wanted),
        rank=candidate.rank if candidate else None,
        scored=found.scored,
        score=candidate.score if candidate else NAN,
        reasons=tuple(reason.text for reason in candidate.reasons) if candidate else (),
        values=values,
        base=base,
        models=sight.models,
        plan=_plan(sight, wanted),
        trace=traced,
        warnings=(*sight.warnings, *notes),
    )


def _traced(config: Config, root: Path, symbol: Symbol, now: datetime | None) -> tuple[Trace | None, tuple[str, ...]]:
    """Return what the book's journal says of ``symbol`` up to ``now``, and why it cannot be read."""
    try:
        folder = safe_folder(root, config.book)
        key = read_account(folder)
        if key is None:
            return None, ()
        with DatabaseJournal.open(folder / JOURNAL, account=key) as journal:
            rows = [event for event in journal.events() if now is None or event.at <= now]
    except JournalError as error:
        return None, (f"the book {config.book} is left out: {error}",)
    invested = config.portfolio.invested
    return trace(rows, symbol, book=config.book, invested=invested, strategies=config.strategies), ()


def _absent(config: Config, symbol: Symbol, session: date) -> InsufficientDataError:
    if config.universe.symbols is not None and symbol not in config.universe.symbols:
        message, fix = f"{symbol} is not in `universe.symbols`.", f"Add {symbol} to `universe.symbols`."
    else:
        message = f"{symbol} has no bars up to {session} in the lake."
        fix = f"Run `aitrader backfill --symbols {symbol}`."
    return InsufficientDataError(message, needed=1, got=0, fix=fix)


def _bars(market: Market, position: int) -> tuple[Bar, ...]:
    columns = [market.panel[f"traded_{name}"][position] for name in ("open", "high", "low", "close", "volume")]
    there = np.flatnonzero(np.isfinite(columns[3]))[-BARS:].tolist()
    return tuple(Bar(market.sessions[at], *(float(column[at]) for column in columns)) for at in there)


def _steps(layers: Sequence[Layer], symbol: Symbol) -> tuple[Step, ...]:
    steps: list[Step] = []
    stopped = False
    for layer in layers:
        reason = layer.dropped.get(symbol, "")
        steps.append(Step(layer.name, None if stopped else not reason, reason))
        stopped = stopped or bool(reason)
    return tuple(steps)


def _values(sight: Sight, position: int) -> tuple[tuple[Value, ...], float]:
    """Return the features of the scanner's models with their contributions, or the values of its expressions."""
    known = [sight.view.contributions[name] for name in sight.scanner.needs_models if name in sight.view.contributions]
    if known:
        return _contributed(sight, known[0], position), float(known[0].base[position])
    snapshot = sight.view.snapshot
    shown = []
    for expr in sight.scanner.needs_values:
        grid = snapshot.features[expr.key]
        shown.append(Value(expr.key, float(grid[position]), percentile(grid, position, snapshot.members), NAN))
    return tuple(shown), NAN


def _contributed(sight: Sight, found: Contributions, position: int) -> tuple[Value, ...]:
    members = sight.view.snapshot.members
    values = [
        Value(
            name,
            float(found.values[position, at]),
            percentile(found.values[:, at], position, members),
            float(found.parts[position, at]),
        )
        for at, name in enumerate(found.names)
    ]
    return tuple(sorted(values, key=lambda one: (-np.nan_to_num(abs(one.contribution)), one.name)))


def _plan(sight: Sight, symbol: Symbol) -> Plan | None:
    wishes = sight.wishes
    if wishes is None:
        return None
    order = next((one for one in wishes.decision.orders if one.symbol == symbol), None)
    refusal = wishes.refused.get(symbol)
    return Plan(
        equity=wishes.equity,
        weights={name: weights.get(symbol, 0.0) for name, weights in wishes.by_strategy.items()},
        weight=wishes.weights.get(symbol, 0.0),
        ordered=order is not None,
        order=f"{order.side.value} {order.quantity} at about {order.planned_price:.2f} USD" if order else "no order",
        forbidden=f"{refusal.code}: {refusal.reason}" if refusal else "",
    )
