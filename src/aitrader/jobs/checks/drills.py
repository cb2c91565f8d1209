"""One breach for each control, and what just keeps within it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

from aitrader.brokers.broker import request_body
from aitrader.config.schema import Config, Risk
from aitrader.domain.events import DecisionRefused, Event, Latch, Latched, OrderRefused, OrderSending
from aitrader.domain.orders import Entry, Order, Side
from aitrader.domain.quotes import Quote
from aitrader.domain.symbols import Symbol
from aitrader.engine.order_desk import send
from aitrader.engine.schedule import window
from aitrader.engine.state import Meters
from aitrader.jobs.checks.stage import (
    AT,
    LOOSE,
    SESSION,
    WEALTH,
    XNYS,
    A,
    B,
    Scene,
    desk_of,
    only,
    order,
    play,
    state_of,
)
from aitrader.journal.memory import MemoryJournal
from aitrader.reports.figures import amount
from aitrader.risk.exposure import RiskContext, exact
from aitrader.risk.review import review

NONE: Final = Risk().model_copy(update=LOOSE)
_SECOND: Final = timedelta(seconds=1)
_OFF: Final[Mapping[str, tuple[object, float]]] = {
    "risk.duplicate_window_s": (0, 60),
    "risk.max_order_notional": (None, 10_000),
    "risk.max_daily_loss": (1, 0.02),
    "risk.max_drawdown": (1, 0.10),
    "account.settlement": ("margin", 0),
}
"""The values that switch a control off, and what it is then tried with."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was tried and what answered.

    ``fired``: the control stopped its breach, and let pass what keeps within it.
    """

    tried: str
    answered: str
    fired: bool


@dataclass(frozen=True, slots=True)
class Drill:
    """A control, the setting that moves it (None: it is always on), and the breach that must make it answer."""

    control: str
    setting: str | None
    run: Callable[[Config], Outcome]


def value_of(config: Config, setting: str) -> object:
    """Return the value of a setting by its dotted name."""
    section, _, name = setting.partition(".")
    return getattr(getattr(config, section), name)


def is_off(setting: str, value: object) -> bool:
    """Say whether ``value`` switches the control off."""
    return setting in _OFF and value == _OFF[setting][0]


def _limit(config: Config, name: str) -> float:
    value, setting = getattr(config.risk, name), f"risk.{name}"
    return _OFF[setting][1] if is_off(setting, value) else float(value)


def _stopped(code: str, tried: str, beyond: Scene, within: Scene | None = None) -> Outcome:
    """Return how ``beyond`` ended, whose last order must not leave, and ``within``, whose last order must."""
    rows = play(beyond).rows
    answer = _answer(rows, code)
    if answer is None or _left(rows, beyond):
        said = "; ".join(f"{row.code}: {row.reason}" for row in rows if isinstance(row, OrderRefused | Latched))
        return Outcome(tried, said or "nothing", fired=False)
    if within is not None and within.orders[-1].quantity > 0 and not _left(play(within).rows, within):
        return Outcome(tried, f"also what keeps just within the limit: {answer}", fired=False)
    return Outcome(tried, answer, fired=True)


def _answer(rows: tuple[Event, ...], code: str) -> str | None:
    for row in rows:
        if isinstance(row, OrderRefused | Latched) and row.code == code:
            return f"{'HALT: ' if isinstance(row, Latched) else ''}{row.reason}"
    return None


def _left(rows: tuple[Event, ...], scene: Scene) -> bool:
    last = scene.orders[-1].client_id
    return any(isinstance(row, OrderSending) and row.order.client_id == last for row in rows)


def _unsound(code: str, tried: str, *orders: Order) -> Drill:
    return Drill(code, None, lambda _: _stopped(code, tried, Scene(NONE, orders)))


def _latched(latch: Latch) -> Drill:
    code = latch.value.lower()
    beyond = Scene(NONE, (order(),), latches=frozenset({latch}))
    return Drill(code, None, lambda _: _stopped(code, f"an entry while {latch.value} is shut", beyond))


def _state(code: str, tried: str, beyond: Scene) -> Drill:
    return Drill(code, None, lambda _: _stopped(code, tried, beyond, Scene(NONE, (order(),))))


def _size(name: str, unit: Decimal, *, volume20: float = 1e15) -> Drill:
    """Return the drill of a limit on what an order is, as ``unit`` times the setting in shares of 1 USD."""

    def run(config: Config) -> Outcome:
        limit = _limit(config, name)
        most = exact(limit) * unit
        beyond, within = (Scene(only(name, limit), (order(one),), volume20=volume20) for one in (most + 1, most))
        return _stopped(name, f"buy {amount(most + 1)} shares at 1 USD with {WEALTH:,} USD", beyond, within)

    return Drill(name, f"risk.{name}", run)


def _cash_reserve(config: Config) -> Outcome:
    limit = _limit(config, "cash_reserve")
    most = WEALTH * (1 - exact(limit))
    beyond, within = (Scene(only("cash_reserve", limit), (order(one),)) for one in (most + 1, most))
    return _stopped("cash_reserve", f"spend {amount(most + 1)} of {WEALTH:,} USD", beyond, within)


def _old_bars(config: Config) -> Outcome:
    name, limit = "max_bar_sessions_old", config.risk.max_bar_sessions_old
    beyond, within = (Scene(only(name, limit), (order(),), stale=age) for age in (limit + 1, limit))
    return _stopped(name, f"buy on a bar that is {limit + 1} sessions old", beyond, within)


def _gap(config: Config) -> Outcome:
    name = "max_gap_from_close"
    limit = _limit(config, name)
    far, near = (float(1 + exact(limit) + more) for more in (Decimal("0.01"), Decimal(0)))
    beyond, within = (Scene(only(name, limit), (order(),), open={A: price}) for price in (far, near))
    return _stopped(name, f"buy at an open of {far:g} USD what was planned at 1 USD", beyond, within)


def _collar(config: Config) -> Outcome:
    limit, mid = exact(config.risk.price_collar), Decimal(1)
    risk = only("price_collar", config.risk.price_collar)
    scene = Scene(risk, (order(),))
    context = RiskContext(
        equity=WEALTH,
        book=scene.book,
        prices={A: mid},
        volume20={A: scene.volume20},
        stale={A: 0},
        members={A},
        quotes={A: Quote(mid, mid, AT)},
    )
    far, near = mid * (1 + limit) + Decimal("0.0001"), mid * (1 + limit)
    covered = [
        approved.covers({**request_body(approved.order), "limit_price": f"{price:f}"})
        for approved in review(scene.orders, context, risk).approved
        for price in (far, near)
    ]
    fired = covered == [False, True]
    said = f"the request is not covered: its limit price lies above {near:f} USD" if fired else "nothing"
    return Outcome(f"send a limit price of {far:f} USD where the mid is {mid} USD", said, fired)


def _count(name: str, behind: Callable[[int], Meters]) -> Drill:
    """Return the drill of a count, with as many orders behind it as the setting allows."""

    def run(config: Config) -> Outcome:
        limit = int(_limit(config, name))

        beyond, within = (Scene(only(name, limit), (order(),), meters=behind(sent)) for sent in (limit, limit - 1))
        return _stopped(name, f"one more order after {limit:,}", beyond, within)

    return Drill(name, f"risk.{name}", run)


def _too_soon(config: Config) -> Outcome:
    name = "duplicate_window_s"
    seconds = _limit(config, name)

    def scene(ago: float) -> Scene:
        sent = {(A, Side.BUY): AT - timedelta(seconds=ago)}
        return Scene(only(name, seconds), (order(),), meters=Meters(last_sent=sent))

    return _stopped(name, f"buy {A} again after {seconds / 2:g} s", scene(seconds / 2), scene(seconds))


def _throttled(config: Config) -> Outcome:
    limit = config.risk.max_orders_per_min
    recent = tuple(AT - timedelta(seconds=30) for _ in range(min(limit, 10_000)))
    risk = only("max_orders_per_min", len(recent))
    full, free = (play(Scene(risk, (order(),), meters=Meters(recent=times))) for times in (recent, recent[1:]))
    fired = full.waited == 30 and free.waited == 0
    return Outcome(f"one more order 30 s after {limit:,}", f"the desk waited {full.waited:g} s", fired)


def _loss(name: str, before: Meters) -> Drill:
    """Return the drill of a breaker: a close at which all that is held lost more than the setting allows."""

    def run(config: Config) -> Outcome:
        limit = _limit(config, name)

        def scene(price: float) -> Scene:
            return Scene(
                only(name, limit),
                (order(),),
                cash=Decimal(0),
                held={B: WEALTH},
                close={B: price},
                meters=before,
                open_yet=False,
            )

        lost, kept = round(1 - limit - 0.0001, 6), round(1 - limit + 0.0001, 6)
        return _stopped(name, f"close with {lost:.2%} of {WEALTH:,} USD", scene(lost), scene(kept))

    return Drill(name, f"risk.{name}", run)


def _rejects(config: Config) -> Outcome:
    name, limit = "max_rejects_per_run", config.risk.max_rejects_per_run
    orders = (order(10**6), order(symbol=B, number=2))

    def scene(before: int) -> Scene:
        return Scene(only(name, limit), orders, meters=Meters(rejects=before), paid=Decimal(1000))

    tried = f"send on after {limit} refusals of the broker"
    within = scene(limit - 2) if limit > 1 else None
    return _stopped(name, tried, scene(limit - 1), within)


def _unknown(config: Config) -> Outcome:
    name, limit = "max_unknown_orders", config.risk.max_unknown_orders
    orders = (order(), order(symbol=B, number=2))

    def scene(before: int) -> Scene:
        return Scene(only(name, limit), orders, meters=Meters(unknown=before), mute=True)

    tried = f"send on after {limit} orders that nobody answered"
    within = scene(limit - 2) if limit > 1 else None
    return _stopped(name, tried, scene(limit - 1), within)


def _old_model(config: Config) -> Outcome:
    name, limit = "max_model_sessions_old", config.risk.max_model_sessions_old
    old, young = (play(Scene(only(name, limit), age=age)).rows for age in (limit + 1, limit))
    said = [row.reason for row in old if isinstance(row, DecisionRefused)]
    fired = bool(said) and not any(isinstance(row, DecisionRefused) for row in young)
    return Outcome(f"decide with a model of {limit + 1} sessions", "; ".join(said) or "nothing", fired)


def _orders_out(config: Config) -> Outcome:
    del config
    scene = Scene(NONE, (order(),))
    context = RiskContext(WEALTH, scene.book, {A: Decimal(1)}, {A: scene.volume20}, {A: 0}, {A})
    approved = review([order(11)], context, NONE).approved
    journal = MemoryJournal()
    send(desk_of(scene, journal, []), state_of(scene), approved, AT, wanted=scene.orders)
    answer = _answer(journal.events(), "orders_out")
    return Outcome("send 11 shares where the decision wanted 10", answer or "nothing", answer is not None)


def _window(edge: str) -> Drill:
    """Return the drill of one end of the session's window: a second outside it, and a second inside."""

    def run(config: Config) -> Outcome:
        opens, closes = allowed = window(SESSION, Entry.VWAP, XNYS, config.schedule)
        first = edge == "no_orders_first_min"
        outside, inside = (opens - _SECOND, opens) if first else (closes, closes - _SECOND)
        beyond, within = (Scene(NONE, (order(),), at=at, window=allowed) for at in (outside, inside))
        return _stopped("session_window", f"send at {outside:%H:%M:%S} UTC", beyond, within)

    return Drill("session_window", f"schedule.{edge}", run)


def _unsettled(config: Config) -> Outcome:
    del config

    def scene(shares: int) -> Scene:
        sell = order(shares, side=Side.SELL, reducing=True)
        return Scene(NONE, (sell,), held={A: Decimal(100)}, locked=Decimal(40))

    return _stopped("unsettled", "sell 61 of 100 shares, 40 of them bought with unsettled money", scene(61), scene(60))


def _differs(tolerance: str) -> Drill:
    """Return the drill of a comparison: an account that has more cash, or fewer shares, than the journal says."""
    cash = tolerance == "cash_tol"

    def run(config: Config) -> Outcome:
        most = exact(getattr(config.reconcile, tolerance))
        more = Decimal("0.01") if cash else Decimal("0.000001")

        def scene(by: Decimal) -> Scene:
            if cash:
                return Scene(NONE, (order(),), paid=WEALTH + by, reconcile=config.reconcile)
            return Scene(NONE, (order(),), held={A: by} if by else {}, reconcile=config.reconcile)

        tried = f"buy {A} while account and journal differ by {amount(most + more)} {'USD' if cash else 'shares'}"
        return _stopped("hold", tried, scene(most + more), scene(most))

    return Drill("hold", f"reconcile.{tolerance}", run)


def _of_every_order() -> Iterator[Drill]:
    yield _unsound("finite", "buy NaN shares", order(Decimal("NaN")))
    yield _unsound("symbol", "buy ../orders", order(symbol=Symbol("../orders")))
    yield _unsound("quantity", "buy 10 shares at 0 USD", replace(order(), planned_price=Decimal(0)))
    yield _unsound("duplicate", f"buy {A} twice in one decision", order(), order(number=2))
    yield _unsound("reducing", "sell 10 shares of nothing as an exit", order(side=Side.SELL, reducing=True))


def _of_strategies() -> Iterator[Drill]:
    yield _latched(Latch.HALT)
    yield _latched(Latch.HALT_ENTRIES)
    yield _state("hold", f"buy {A} while it is held", Scene(NONE, (order(),), hold="its outcome is unknown"))
    yield _differs("qty_tol")
    yield _differs("cash_tol")
    yield _window("no_orders_first_min")
    yield _window("no_orders_last_min")
    yield _state("quote", "buy what nobody quotes", Scene(NONE, (order(),), open={A: float("nan")}))
    yield Drill("unsettled", "account.settlement", _unsettled)
    yield Drill("duplicate_window_s", "risk.duplicate_window_s", _too_soon)
    yield Drill("max_orders_per_min", "risk.max_orders_per_min", _throttled)
    yield _count("max_orders_per_run", lambda sent: Meters(run=sent))
    yield _count("max_orders_per_day", lambda sent: Meters(day=SESSION, by_day=sent))
    yield _count("max_orders_per_symbol_day", lambda sent: Meters(day=SESSION, by_symbol={A: sent}))
    yield Drill("orders_out", None, _orders_out)


def _of_entries() -> Iterator[Drill]:
    blind = Scene(NONE, (order(),), held={B: Decimal(5)}, close={B: float("nan")})
    yield _state("valuation", "buy while a holding has no price", blind)
    yield _state("members", "buy what the universe does not hold", Scene(NONE, (order(),), member=False))
    yield Drill("max_bar_sessions_old", "risk.max_bar_sessions_old", _old_bars)
    yield Drill("max_gap_from_close", "risk.max_gap_from_close", _gap)
    yield Drill("price_collar", "risk.price_collar", _collar)
    yield _size("max_order_qty", Decimal(1))
    yield _size("max_order_notional", Decimal(1))
    yield _size("max_order_equity_share", WEALTH)
    yield _size("max_order_adv_share", Decimal(10**6), volume20=1e6)
    yield _unsound("short", "sell 10 shares of nothing", order(side=Side.SELL))
    yield _size("max_position", WEALTH)
    yield Drill("cash_reserve", "risk.cash_reserve", _cash_reserve)
    yield _size("max_gross", WEALTH)
    yield _size("max_net", WEALTH)
    yield Drill("max_model_sessions_old", "risk.max_model_sessions_old", _old_model)


def _breakers() -> Iterator[Drill]:
    yield _loss("max_daily_loss", Meters(last=float(WEALTH)))
    yield _loss("max_drawdown", Meters(peak=float(WEALTH)))
    yield Drill("max_rejects_per_run", "risk.max_rejects_per_run", _rejects)
    yield Drill("max_unknown_orders", "risk.max_unknown_orders", _unknown)


DRILLS: Final = (*_of_every_order(), *_of_strategies(), *_of_entries(), *_breakers())
"""Every control of orders, in the order in which they are asked."""
