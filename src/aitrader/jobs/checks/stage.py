"""A book, a market and a simulated account of which everything is known: the stage on which a breach is tried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar, Final, Self

import numpy as np

from aitrader.brokers.simulated import SimulatedBroker
from aitrader.brokers.venue import SessionBars
from aitrader.config.fields import Section
from aitrader.config.schema import Costs, Execution, Portfolio, Reconcile, Risk
from aitrader.domain.calendars import calendar
from aitrader.domain.events import ActionBooked, BookValued, DecisionMade, Event, Latch
from aitrader.domain.orders import ApprovedOrder, Entry, Order, Side, Unknown, client_order_id
from aitrader.domain.positions import Book, Position
from aitrader.domain.settlement import Settlement
from aitrader.domain.snapshot import MarketSnapshot
from aitrader.domain.symbols import Symbol
from aitrader.engine.decide import Rules
from aitrader.engine.desk import Desk
from aitrader.engine.loop import Turn, turn
from aitrader.engine.recovery import recover
from aitrader.engine.schedule import Window
from aitrader.engine.state import Meters, State
from aitrader.journal.memory import MemoryJournal
from aitrader.strategies.strategy import AllocatorTable

A: Final = Symbol("AAA")
B: Final = Symbol("BBB")
SYMBOLS: Final = (A, B)

WEALTH: Final = Decimal(10**6)
"""Cash and equity of the book, USD. A share costs 1 USD, so that shares are dollars."""

LAST: Final = date(2026, 1, 5)
SESSION: Final = date(2026, 1, 6)
XNYS: Final = calendar("XNYS")
OPENED: Final = XNYS.open_of(SESSION)
AT: Final = OPENED + timedelta(minutes=30)

LOOSE: Final[Mapping[str, float | None]] = MappingProxyType(
    {
        "max_order_equity_share": 1e12,
        "max_order_qty": 1e18,
        "max_order_adv_share": 1e12,
        "max_gap_from_close": 1e6,
        "max_position": 1e12,
        "max_gross": 1e12,
        "max_net": 1e12,
        "cash_reserve": -1e12,
        "max_bar_sessions_old": 10**9,
        "max_order_notional": None,
        "duplicate_window_s": 0.0,
        "max_orders_per_min": 10**9,
        "max_orders_per_run": 10**9,
        "max_orders_per_day": 10**9,
        "max_orders_per_symbol_day": 10**9,
        "max_daily_loss": 1.0,
        "max_drawdown": 1.0,
        "max_rejects_per_run": 10**9,
        "max_unknown_orders": 10**9,
        "max_model_sessions_old": 10**9,
    }
)
"""Limits that stop nothing, so that the one that is tried answers alone."""

_FREE: Final = Costs(spread_bps=0, impact_bps=0)


def only(name: str, value: float) -> Risk:
    """Return limits of which ``name`` alone binds, at ``value``."""
    return Risk().model_copy(update={**LOOSE, name: value})


def order(
    quantity: Decimal | int = 10,
    *,
    symbol: Symbol = A,
    side: Side = Side.BUY,
    number: int = 1,
    reducing: bool = False,
) -> Order:
    """Return an order as a decision makes it, at 1 USD a share."""
    return Order(
        client_id=client_order_id("drill", f"{LAST:%Y%m%d}", "drill", symbol, side=side, number=number),
        symbol=symbol,
        side=side,
        quantity=Decimal(quantity),
        planned_price=Decimal(1),
        strategy="drill",
        decision=f"{LAST:%Y%m%d}",
        entry=Entry.AFTER_OPEN,
        reducing=reducing,
    )


@dataclass(frozen=True, slots=True)
class Scene:
    """What is so when ``orders`` are about to leave; everything that is not named is in order.

    ``close`` and ``open`` are prices in USD where they are not 1; ``volume20`` is that of every symbol, ``stale`` and
    ``member`` those of AAA. ``age`` is that of a model whose strategy is due instead of the orders. A book that is not
    ``open_yet`` is valued first. ``paid`` is the account's cash where it is not the book's (shares it has none); with
    ``reconcile`` both are compared first. A ``mute`` broker never answers.
    """

    risk: Risk
    orders: tuple[Order, ...] = ()
    cash: Decimal = WEALTH
    held: Mapping[Symbol, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    close: Mapping[Symbol, float] = field(default_factory=lambda: MappingProxyType({}))
    open: Mapping[Symbol, float] = field(default_factory=lambda: MappingProxyType({}))
    volume20: float = 1e15
    stale: int = 0
    member: bool = True
    meters: Meters = field(default_factory=Meters)
    latches: frozenset[Latch] = frozenset()
    hold: str | None = None
    locked: Decimal = Decimal(0)
    at: datetime = AT
    window: Window | None = None
    age: int | None = None
    open_yet: bool = True
    paid: Decimal | None = None
    reconcile: Reconcile | None = None
    mute: bool = False

    @property
    def rules(self) -> Rules:
        """What the book is traded by."""
        return Rules("drill", Portfolio(), Execution(costs=_FREE), self.risk, settlement="cash_t1")

    @property
    def book(self) -> Book:
        """What the book holds, at a cost of 1 USD a share."""
        return Book(self.cash, {s: Position(s, shares, Decimal(1)) for s, shares in self.held.items()})


@dataclass(frozen=True, slots=True)
class Played:
    """What the journal says of a scene, and the seconds that the desk waited."""

    rows: tuple[Event, ...]
    waited: float


def play(scene: Scene) -> Played:
    """Play one turn of the loop, through review, desk, breakers and the simulated account."""
    journal, waits = MemoryJournal(), list[float]()
    desk = desk_of(scene, journal, waits)
    due = frozenset({"drill"} if scene.age is not None else ())
    state = state_of(scene)
    if scene.reconcile is not None:
        state = recover(desk, state, scene.at, scene.reconcile)
    turn(desk, state, Turn(SESSION, OPENED, scene.at, LAST, due, scene.window))
    return Played(journal.events(), sum(waits))


def desk_of(scene: Scene, journal: MemoryJournal, waits: list[float]) -> Desk:
    """Return the desk of a scene; ``waits`` takes the seconds that it waits."""
    broker = (_Mute if scene.mute else SimulatedBroker)("SIM-drill", scene.paid or scene.cash, _FREE)
    broker.open_session(_bars(scene))
    return Desk(
        _Market(scene),
        broker,
        journal,
        {"drill": _Follower()},
        scene.rules,
        halts=_Latches(scene.latches),
        wait=waits.append,
        ages={} if scene.age is None else {"drill": scene.age},
    )


def state_of(scene: Scene) -> State:
    """Return the book's state as its journal would say it."""
    equity = float(WEALTH)
    made = DecisionMade(scene.at, f"{LAST:%Y%m%d}", LAST, equity, {}, {}, scene.orders)
    return State(
        scene.book,
        scene.book,
        decision=None if scene.age is not None else made,
        session=SESSION if scene.open_yet else LAST,
        valued=BookValued(OPENED, LAST, equity, equity, 0.0, 0.0) if scene.open_yet else None,
        settlement=Settlement(scene.locked, {A: scene.locked}) if scene.locked else Settlement(),
        held={A: scene.hold} if scene.hold else {},
        meters=scene.meters,
    )


class _Mute(SimulatedBroker):
    """An account that takes no order and gives no answer."""

    def submit(self, approved: ApprovedOrder) -> Unknown:
        """Lose the request."""
        return Unknown(f"no answer to {approved.order.client_id}")


class _Latches:
    """Latches that are shut from the start, or by a breaker."""

    def __init__(self, shut: frozenset[Latch]) -> None:
        self._shut = shut

    def standing(self) -> frozenset[Latch]:
        """Return what is shut."""
        return self._shut

    def latch(self, latch: Latch, reason: str) -> None:
        """Shut one more."""
        del reason
        self._shut |= {latch}


class _Market:
    """The session before, as the scene says."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def snapshot(self, session: date) -> MarketSnapshot:
        """Return the close of ``session``."""
        scene = self._scene
        return MarketSnapshot(
            session=session,
            decided_at=XNYS.close_of(session) + timedelta(minutes=15),
            symbols=SYMBOLS,
            members=np.array([scene.member, True]),
            close=np.array([scene.close.get(symbol, 1.0) for symbol in SYMBOLS]),
            stale=np.array([scene.stale, 0]),
            volume20=np.full(len(SYMBOLS), scene.volume20),
            features={},
            predictions={},
        )

    def actions(self, session: date) -> Sequence[ActionBooked]:
        """Return none."""
        del session
        return ()


class _Follower:
    """A strategy that follows one model, and wants nothing."""

    Settings: ClassVar[type[Section]] = Section
    needs_models: ClassVar[tuple[str, ...]] = ("drill",)
    needs_features: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def from_settings(cls, settings: Any, allocators: AllocatorTable) -> Self:
        """Return the strategy; there is nothing to set."""
        del settings, allocators
        return cls()

    def targets(self, snapshot: MarketSnapshot) -> Mapping[Symbol, float]:
        """Return no targets."""
        del snapshot
        return {}


def _bars(scene: Scene) -> SessionBars:
    opens = np.array([scene.open.get(symbol, 1.0) for symbol in SYMBOLS])
    places = {symbol: place for place, symbol in enumerate(SYMBOLS)}
    volume20 = np.full(len(SYMBOLS), scene.volume20)
    return SessionBars(SESSION, OPENED, XNYS.close_of(SESSION), places, opens, opens, opens, opens, opens, volume20)
