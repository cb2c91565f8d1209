"""The journal's rows turned into one session of a book: what belongs to it, and how the book stood after it."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import singledispatch
from itertools import accumulate, chain
from math import isfinite
from typing import NamedTuple
from zoneinfo import ZoneInfo

from aitrader.domain.calendars import Calendar
from aitrader.domain.events import (
    ActionBooked,
    BookAdjusted,
    BookOpened,
    BookValued,
    DecisionMade,
    DecisionRefused,
    Event,
    FillBooked,
    Latch,
    Latched,
    OrderRefused,
    Reconciled,
    RunEnded,
    RunStarted,
    SessionOpened,
    SymbolHeld,
    SymbolReleased,
    Unlatched,
)
from aitrader.domain.orders import Fill, Order
from aitrader.domain.symbols import Symbol
from aitrader.engine.state import State
from aitrader.jobs.assembly.courses import Course, Courses, book_weights, told, touched
from aitrader.journal.queries import of_kind, why_shut
from aitrader.reports.daily import (
    Curve,
    DailyView,
    DecisionLine,
    FillLine,
    NoteLine,
    OrderLine,
    PositionLine,
    RefusalLine,
    RunLine,
    Standing,
    TargetLine,
)
from aitrader.reports.figures import amount

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Closes:
    """The last closes as traded that are known, USD per share: those of ``session``.

    ``running``: that session has not closed, and these are its prices so far.
    """

    session: date
    prices: Mapping[Symbol, Decimal]
    running: bool = False


@dataclass(frozen=True, slots=True)
class Around:
    """What the journal does not say: the venue, prices, latches in files, the share of equity that is ``invested``.

    ``strategies`` are the names of those that are configured and share it.
    """

    book: str
    venue: Calendar
    made_at: datetime
    closes: Closes
    invested: float
    strategies: frozenset[str] = frozenset()
    latches: frozenset[Latch] = frozenset()


def session_of(event: Event, venue: Calendar) -> date:
    """Return the session whose report shows ``event``.

    That of its day at the venue (on a day without session: the next one). A decision belongs to the session that
    trades it, the value of the book to the one whose close it is measured at.
    """
    if isinstance(event, SessionOpened | BookValued):
        return event.session
    if isinstance(event, DecisionMade | DecisionRefused):
        return venue.offset(event.session, 1)
    day = event.at.astimezone(ZoneInfo(venue.time_zone)).date()
    return venue.sessions[bisect_left(venue.sessions, day)]


def sessions_of(events: Iterable[Event], venue: Calendar) -> tuple[date, ...]:
    """Return the sessions that have a row of their own, oldest first.

    A decision that no session traded yet, and the bare opening of the book, make none.
    """
    quiet = (DecisionMade, DecisionRefused, BookValued, BookOpened)
    return tuple(sorted({session_of(event, venue) for event in events if not isinstance(event, quiet)}))


def day_of(events: Sequence[Event], session: date, around: Around) -> DailyView:
    """Return ``session`` of the book as its journal tells it."""
    until = [event for event in events if session_of(event, around.venue) <= session]
    rows = [event for event in until if session_of(event, around.venue) == session]
    known = told(until)
    weights = book_weights(known.state, around.invested, around.strategies)
    standing, curve = _standing(until, session, known.state, around)
    return DailyView(
        book=around.book,
        account=known.state.account or "",
        session=session,
        made_at=around.made_at,
        standing=standing,
        runs=tuple(_runs(rows, events)),
        decisions=tuple(_decisions(rows)),
        targets=tuple(line for made in of_kind(rows, DecisionMade) for line in _targets(made, weights)),
        orders=tuple(_order_line(course) for course in _of_day(known, rows)),
        fills=tuple(_fill_line(e.fill, known.courses.get(e.fill.client_id)) for e in of_kind(rows, FillBooked)),
        refusals=tuple(_refusal_line(event, known.planned) for event in of_kind(rows, OrderRefused)),
        notes=tuple(chain.from_iterable(map(_note, rows))),
        positions=tuple(_positions(known.state, standing.equity, weights, around.closes.prices)),
        curve=curve,
    )


def slippage(side_sign: int, price: Decimal, planned: Decimal) -> float:
    """Return by which fraction ``price`` is worse than ``planned``; NaN where nothing was planned."""
    return side_sign * float(price / planned - 1) if planned else NAN


def _of_day(known: Courses, rows: Iterable[Event]) -> list[Course]:
    """Return the orders that left or moved on that day, and those that are still open, by the time they left."""
    names = {name for event in rows for name in touched(event, known.courses) if not isinstance(event, ActionBooked)}
    found = [
        one for name, one in known.courses.items() if name in names or one.tracked.unresolved or one.tracked.working
    ]
    return sorted(
        found, key=lambda one: (one.tracked.sent_at, one.tracked.order.side.sign, one.tracked.order.client_id)
    )


def _order_line(course: Course) -> OrderLine:
    order, price = course.tracked.order, course.average_price
    return OrderLine(
        client_id=order.client_id,
        symbol=order.symbol,
        side=order.side.value,
        quantity=order.quantity,
        planned_price=course.planned_price,
        sent_at=course.tracked.sent_at,
        closing=order.closing,
        answer=course.tracked.told.value if course.tracked.told else "",
        status=course.tracked.status.value.replace("_", " ") if course.tracked.status else "",
        detail=course.detail,
        filled=course.filled,
        average_price=price,
        slippage=NAN if price is None else slippage(order.side.sign, price, course.planned_price),
        fee=sum((fill.fee for fill in course.fills), Decimal(0)),
    )


def _fill_line(fill: Fill, course: Course | None) -> FillLine:
    # What a close of the kill switch was planned at is not known: it left without the journal.
    planned = (course.planned_price or None) if course else None
    lost = fill.side.sign * (fill.price - planned) * fill.quantity if planned is not None else None
    return FillLine(
        at=fill.at,
        symbol=fill.symbol,
        side=fill.side.value,
        quantity=fill.quantity,
        price=fill.price,
        planned_price=planned,
        slippage=NAN if planned is None else slippage(fill.side.sign, fill.price, planned),
        slippage_usd=NAN if lost is None else float(lost),
        fee=fill.fee,
        client_id=fill.client_id,
    )


def _refusal_line(event: OrderRefused, planned: Mapping[str, Order]) -> RefusalLine:
    order = planned.get(event.client_id)
    return RefusalLine(event.at, _words(order) if order else "", event.code, event.reason, event.client_id)


def _words(order: Order) -> str:
    return f"{order.side.value} {amount(order.quantity)} {order.symbol} at about {order.planned_price:,.2f}"


def _decisions(rows: Iterable[Event]) -> Iterator[DecisionLine]:
    """Yield each decision once: as it was made, or, where it never was, why it was refused last."""
    found: dict[str, DecisionLine] = {}
    made = set[str]()
    for event in rows:
        if isinstance(event, DecisionMade):
            made.add(event.decision)
            count = len(event.orders)
            line = DecisionLine(event.decision, event.at, event.equity, event.models, count, event.notes)
            found[event.decision] = line
        elif isinstance(event, DecisionRefused) and event.decision not in made:
            found[event.decision] = DecisionLine(event.decision, event.at, NAN, {}, 0, (), refused=event.reason)
    yield from found.values()


def _targets(made: DecisionMade, weights: Mapping[Symbol, float]) -> Iterator[TargetLine]:
    """Yield what is wanted of each symbol, the largest weight first, then what is given up."""
    orders = {order.symbol: order for order in made.orders}
    wanted = {symbol for symbol, weight in weights.items() if weight} | set(orders)
    for symbol in sorted(wanted, key=lambda one: (-weights.get(one, 0.0), one)):
        by_strategy = {name: targets[symbol] for name, targets in made.targets.items() if symbol in targets}
        planned = _words(orders[symbol]) if symbol in orders else "no trade"
        yield TargetLine(symbol, weights.get(symbol, 0.0), by_strategy, planned)


def _runs(rows: Iterable[Event], events: Iterable[Event]) -> Iterator[RunLine]:
    ends = {event.run_id: event for event in events if isinstance(event, RunEnded)}
    for event in rows:
        if not isinstance(event, RunStarted):
            continue
        end = ends.get(event.run_id)
        if end is None:
            yield RunLine(event.run_id, event.command, event.at, None, "no end recorded", None, "")
        else:
            yield RunLine(event.run_id, event.command, event.at, end.at, end.status, end.exit_code, end.reason)


def _standing(until: Sequence[Event], session: date, state: State, around: Around) -> tuple[Standing, Curve]:
    values = {event.session: event for event in of_kind(until, BookValued)}
    valued = values.get(session)
    worth = _Worth(valued.equity, valued.gross, valued.net) if valued else _worth(state, around.closes.prices)
    equity = worth.equity
    priced_on, running = (session, False) if valued else (around.closes.session, around.closes.running)
    points = {day: row.equity for day, row in sorted(values.items())}
    if priced_on == session and not running and isfinite(equity):
        points[session] = equity
    standing = Standing(
        equity=equity,
        change=_change(points, session, equity),
        drawdown=_drawdown(points, equity),
        cash=state.book.cash,
        gross=worth.gross,
        net=worth.net,
        priced_on=priced_on,
        running=running,
        latches={latch.value: _why(until, latch) for latch in sorted(state.latches | around.latches)},
        held=state.held,
        unresolved=tuple(one.order.client_id for one in state.unresolved),
        differences=state.differences,
    )
    return standing, _curve(points)


class _Worth(NamedTuple):
    """Cash and positions together, absolute positions, and signed ones, USD; NaN where a price is not known."""

    equity: float
    gross: float
    net: float


def _worth(state: State, prices: Mapping[Symbol, Decimal]) -> _Worth:
    held = state.book.positions.items()
    each = [float(one.quantity) * float(prices[symbol]) if symbol in prices else NAN for symbol, one in held]
    net = float(sum(each))
    return _Worth(float(state.book.cash) + net, float(sum(map(abs, each))), net)


def _change(points: Mapping[date, float], session: date, equity: float) -> float:
    """Return the change since the session before, as a fraction of its equity; NaN where nothing is known of one."""
    earlier = [value for day, value in points.items() if day < session]
    return equity / earlier[-1] - 1 if earlier and earlier[-1] else NAN


def _drawdown(points: Mapping[date, float], equity: float) -> float:
    """Return the loss since the highest equity, as a fraction of it; NaN where nothing is left or known."""
    return max(1 - equity / max([*points.values(), equity]), 0.0) if equity > 0 else NAN


def _why(until: Iterable[Event], latch: Latch) -> str:
    row = why_shut(until, latch)
    return f"{row.code}, {row.at:%Y-%m-%d %H:%M} UTC: {row.reason}" if row else ""


def _curve(points: Mapping[date, float]) -> Curve:
    equity = tuple(points.values())
    falls = tuple(
        1 - value / peak if peak > 0 else NAN for value, peak in zip(equity, accumulate(equity, max), strict=True)
    )
    return Curve(tuple(points), equity, falls)


def _positions(
    state: State, equity: float, weights: Mapping[Symbol, float], prices: Mapping[Symbol, Decimal]
) -> Iterator[PositionLine]:
    for symbol, one in sorted(state.book.positions.items()):
        price = float(prices[symbol]) if symbol in prices else NAN
        value, cost = float(one.quantity) * price, float(one.average_cost)
        yield PositionLine(
            symbol=symbol,
            quantity=one.quantity,
            average_cost=one.average_cost,
            price=price,
            value=value,
            weight=value / equity if equity else NAN,
            target=weights.get(symbol, 0.0),
            gain=(price / cost - 1) * (1 if one.quantity > 0 else -1) if cost else NAN,
        )


@singledispatch
def _note(event: Event) -> tuple[NoteLine, ...]:
    del event
    return ()


@_note.register
def _(event: BookOpened) -> tuple[NoteLine, ...]:
    return (NoteLine(event.at, "book opened", event.account, f"with {event.cash:,.2f} USD and no positions"),)


@_note.register
def _(event: BookAdjusted) -> tuple[NoteLine, ...]:
    moved = f"{event.quantity:+f} shares" if event.symbol else f"{event.cash:+,.2f} USD"
    return (NoteLine(event.at, "book adjusted", event.symbol or "cash", f"{moved}: {event.reason}"),)


@_note.register
def _(event: ActionBooked) -> tuple[NoteLine, ...]:
    text = f"each share became {event.value:g}" if event.kind == "split" else f"{event.value:g} USD per share"
    return (NoteLine(event.at, event.kind, event.symbol, text),)


@_note.register
def _(event: SymbolHeld) -> tuple[NoteLine, ...]:
    return (NoteLine(event.at, "held back", event.symbol, event.reason),)


@_note.register
def _(event: SymbolReleased) -> tuple[NoteLine, ...]:
    return (NoteLine(event.at, "released", event.symbol, event.reason),)


@_note.register
def _(event: Reconciled) -> tuple[NoteLine, ...]:
    text = "; ".join(event.differences) or "book and broker agree"
    return (NoteLine(event.at, "compared", "book and broker", text),)


@_note.register
def _(event: Latched) -> tuple[NoteLine, ...]:
    return (NoteLine(event.at, "latch shut", event.latch.value, f"{event.code}: {event.reason}"),)


@_note.register
def _(event: Unlatched) -> tuple[NoteLine, ...]:
    return (NoteLine(event.at, "latch opened", event.latch.value, event.reason),)
