"""The report of one session of a book: what was decided, sent, filled and refused, and what is held now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import numpy as np

from aitrader.domain.symbols import Symbol
from aitrader.domain.wording import counted
from aitrader.reports.backtest import Level, Warned
from aitrader.reports.charts import Series, lines
from aitrader.reports.figures import Unit
from aitrader.reports.page import render_page


@dataclass(frozen=True, slots=True)
class RunLine:
    """A command that worked on the book; one without ``ended_at`` was killed or still runs."""

    run_id: str
    command: str
    started_at: datetime
    ended_at: datetime | None
    status: str
    exit_code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """A decision of the session before: ``equity`` USD at that close, or why it could not be made (``refused``)."""

    decision: str
    made_at: datetime
    equity: float
    models: Mapping[str, str]
    orders: int
    notes: tuple[str, ...]
    refused: str = ""


@dataclass(frozen=True, slots=True)
class TargetLine:
    """What the decision wants of one symbol: weights are signed fractions of equity, ``by_strategy`` before sharing."""

    symbol: Symbol
    weight: float
    by_strategy: Mapping[str, float]
    planned: str


@dataclass(frozen=True, slots=True)
class OrderLine:
    """An order that left, and what is known about it.

    ``answer`` is what the broker said (empty: nothing is recorded), ``status`` where it stands, ``detail`` the
    broker's id or reason. ``average_price`` is None until something was filled; prices are USD per share. A planned
    price of 0 is not known: the journal was rebuilt, or a close left without it. ``slippage`` is a fraction of the
    planned price, positive where it cost money, NaN until something was filled.
    """

    client_id: str
    symbol: Symbol
    side: str
    quantity: Decimal
    planned_price: Decimal
    sent_at: datetime
    closing: bool
    answer: str
    status: str
    detail: str
    filled: Decimal
    average_price: Decimal | None
    slippage: float
    fee: Decimal


@dataclass(frozen=True, slots=True)
class FillLine:
    """A fill of the session. ``slippage`` is a fraction of the planned price, positive where it cost money."""

    at: datetime
    symbol: Symbol
    side: str
    quantity: Decimal
    price: Decimal
    planned_price: Decimal | None
    slippage: float
    slippage_usd: float
    fee: Decimal
    client_id: str


@dataclass(frozen=True, slots=True)
class RefusalLine:
    """An order that a limit forbade; ``order`` says which in words."""

    at: datetime
    order: str
    code: str
    reason: str
    client_id: str


@dataclass(frozen=True, slots=True)
class NoteLine:
    """Something else that the journal says: a hold, a latch, a comparison, a corporate action, an adjustment."""

    at: datetime
    kind: str
    what: str
    text: str


@dataclass(frozen=True, slots=True)
class PositionLine:
    """A holding at the end of the session; price, value and weight are NaN where no close is known."""

    symbol: Symbol
    quantity: Decimal
    average_cost: Decimal
    price: float
    value: float
    weight: float
    target: float
    gain: float


@dataclass(frozen=True, slots=True)
class Curve:
    """The book at each close so far: ``equity`` in USD, ``drawdown`` the fall from the running peak (>= 0)."""

    sessions: tuple[date, ...]
    equity: tuple[float, ...]
    drawdown: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """The book after the session: USD; ``change`` and ``drawdown`` are fractions, NaN where not known.

    ``priced_on`` is the session whose closes value the positions; where it is ``running`` its prices so far do, and the
    curve has no point of it yet. ``latches`` are shut, with the reason that the
    journal gives (empty: none); ``held`` symbols are not traded, ``unresolved`` orders have an unknown fate,
    ``differences`` are those of the last comparison with the broker (None: none since the book last changed).
    """

    equity: float
    change: float
    drawdown: float
    cash: Decimal
    gross: float
    net: float
    priced_on: date
    latches: Mapping[str, str]
    held: Mapping[Symbol, str]
    unresolved: tuple[str, ...]
    differences: tuple[str, ...] | None
    running: bool = False


@dataclass(frozen=True, slots=True)
class DailyView:
    """Everything that the page shows, as plain values. Times are UTC."""

    book: str
    account: str
    session: date
    made_at: datetime
    standing: Standing
    runs: tuple[RunLine, ...]
    decisions: tuple[DecisionLine, ...]
    targets: tuple[TargetLine, ...]
    orders: tuple[OrderLine, ...]
    fills: tuple[FillLine, ...]
    refusals: tuple[RefusalLine, ...]
    notes: tuple[NoteLine, ...]
    positions: tuple[PositionLine, ...]
    curve: Curve

    @property
    def fees(self) -> float:
        """Fees of the session's fills, USD."""
        return float(sum((fill.fee for fill in self.fills), Decimal(0)))

    @property
    def slippage(self) -> float:
        """What the session's fills cost against the planned prices, USD; fills without a plan count nothing."""
        known = [fill.slippage_usd for fill in self.fills if np.isfinite(fill.slippage_usd)]
        return float(sum(known))


def render(view: DailyView) -> str:
    """Return the session as one self-contained HTML page.

    Raises
    ------
    ValueError
        The curve's sessions and values are not of one length.
    """
    lengths = {len(view.curve.sessions), len(view.curve.equity), len(view.curve.drawdown)}
    if len(lengths) > 1:
        raise ValueError(f"the equity curve has {sorted(lengths)} sessions and values")
    return render_page("daily.html", view=view, warnings=warned(view), tiles=_tiles(view), charts=_charts(view.curve))


def warned(view: DailyView) -> tuple[Warned, ...]:
    """Return what a reader must know first, the gravest on top."""
    levels: tuple[tuple[Level, Iterator[str]], ...] = (
        ("red", _stops(view)),
        ("amber", _doubts(view)),
        ("info", _prices(view)),
    )
    return tuple(Warned(level, text) for level, texts in levels for text in texts)


def _stops(view: DailyView) -> Iterator[str]:
    standing = view.standing
    for name, why in standing.latches.items():
        yield f"{name} is shut{f' ({why})' if why else ''}: {_LATCHED[name]}."
    for name in standing.unresolved:
        yield f"The fate of order {name} is unknown."
    if standing.differences:
        yield f"Book and broker differ: {'; '.join(standing.differences)}."
    for one in view.decisions:
        if one.refused:
            yield f"No decision {one.decision}: {one.refused}"


def _doubts(view: DailyView) -> Iterator[str]:
    for symbol, reason in view.standing.held.items():
        yield f"{symbol} is held back: {reason}."
    for run in view.runs:
        if run.exit_code:
            yield f"{run.command} ended with exit code {run.exit_code}: {(run.reason or run.status).rstrip('.')}."
    for run in view.runs:
        if not run.ended_at:
            yield f"{run.command} has no end: it was killed, or still runs."
    if view.standing.differences is None:
        yield "The book was not compared with the broker since it last changed."


def _prices(view: DailyView) -> Iterator[str]:
    standing = view.standing
    if standing.running:
        yield f"The session has not closed: positions are valued at the prices {valued_at(standing)}."
    elif standing.priced_on != view.session:
        yield f"Positions are valued at the closes of {standing.priced_on}."


def valued_at(standing: Standing) -> str:
    """Return in words which prices value the positions."""
    return f"since the open of {standing.priced_on}" if standing.running else f"at the close of {standing.priced_on}"


_LATCHED = {"HALT": "no order leaves but those of emergency-shutdown", "HALT_ENTRIES": "only orders that reduce leave"}


@dataclass(frozen=True, slots=True)
class _Tile:
    name: str
    value: float
    unit: Unit
    beside: str


def _tiles(view: DailyView) -> tuple[_Tile, ...]:
    standing = view.standing
    equity = standing.equity
    sent = sum(1 for order in view.orders if order.answer)
    holdings = counted(len(view.positions), "position")
    return (
        _Tile("Equity, USD", equity, "price", valued_at(standing)),
        _Tile("Change", standing.change, "fraction", "over the close before"),
        _Tile("Below its peak", standing.drawdown, "fraction", "at closes"),
        _Tile("Invested", standing.gross / equity if equity else float("nan"), "fraction", holdings),
        _Tile("Fills", len(view.fills), "count", f"of {counted(sent, 'order')}, {len(view.refusals)} refused"),
        _Tile("Paid, USD", view.fees + view.slippage, "price", "fees and slippage"),
    )


def _charts(curve: Curve) -> dict[str, object]:
    if len(curve.sessions) < 2:
        return {}
    days = np.array(curve.sessions, dtype="datetime64[D]")
    equity, falls = np.array(curve.equity), -np.array(curve.drawdown)
    return {
        "equity": lines("Equity at the close, USD", days, [Series("equity", equity)], unit="usd", height=240),
        "drawdown": lines("Fall from the peak", days, [Series("fall", falls)], unit="fraction", shade=True, height=150),
    }
