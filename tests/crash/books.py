"""A tiny book to kill, and what its journal and its account have to agree on, added up here by hand.

Three symbols, 26 sessions, a split and a dividend; the book holds equal parts and trades every session, so that
a command takes a fraction of a second and needs no model. Positions and cash are added up from the journal's rows by
the few lines below, not by the program's own fold.
"""

import math
import shutil
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from aitrader.brokers.account_file import PaperAccount
from aitrader.cli.app import main
from aitrader.config.schema import AccountSettings, Costs
from aitrader.domain.calendars import calendar
from aitrader.domain.events import (
    ActionBooked,
    BookOpened,
    DecisionMade,
    FillBooked,
    OrderOutcome,
    OrderRefused,
    OrderSending,
    Told,
)
from aitrader.domain.orders import Side
from aitrader.engine.state import State
from aitrader.journal.database import DatabaseJournal

BOOK = "main"
ACCOUNT = f"SIM-{BOOK}"
SETTINGS = {
    "strategies.yaml": "even: {kind: equal_weight, rebalance: 1}\n",
    "universe.yaml": "min_history: 5\n",
    "risk.yaml": "{max_position: 50%, max_order_equity_share: 50%, max_daily_loss: 50%, max_drawdown: 90%, "
    "max_unknown_orders: 100000, max_orders_per_day: 100000, max_orders_per_symbol_day: 10000}\n",
}
SPLIT, DIVIDEND = ("BBB", date(2013, 8, 8)), ("AAA", date(2013, 8, 8))


def make_root(root: Path) -> None:
    """Make a root with settings and bars, and no book yet."""
    prices = root.parent / "prices.csv"
    prices.write_text(bars())
    run(["init", str(root)], root)
    for name, text in SETTINGS.items():
        (root / "config" / name).write_text(text)
    run(["backfill", "--source", "files", "--path", str(prices)], root)


def run(words: Sequence[str], root: Path, codes: Sequence[int] = (0,)) -> None:
    """Run a command in this process."""
    code = main([*words, *(["--root", str(root)] if words[0] != "init" else [])])
    assert code in codes, f"{words} ended with {code}"


def bars() -> str:
    """Return bars as traded of three symbols that move apart by some percent a day; BBB splits, AAA pays."""
    lines = ["symbol,date,open,high,low,close,volume,dividend,split"]
    days = calendar("XNYS").between(date(2013, 7, 5), date(2013, 8, 9))
    for place, (symbol, start) in enumerate({"AAA": 40.0, "BBB": 90.0, "CCC": 60.0}.items()):
        for number, day in enumerate(days):
            level = start * (1 + 0.06 * math.sin(1.7 * number + 2.1 * place))
            split, dividend = (symbol, day) == SPLIT, (symbol, day) == DIVIDEND
            level /= 2 if symbol == SPLIT[0] and day >= SPLIT[1] else 1
            opened, close = round(level, 2), round(level * (1 + 0.01 * math.cos(number + place)), 2)
            high, low = max(opened, close) + 0.5, min(opened, close) - 0.5
            action = f"{0.5 if dividend else ''},{2 if split else ''}"
            lines.append(f"{symbol},{day},{opened},{high},{low},{close},1000000,{action}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Account:
    """What the account's own file says: orders and fills oldest first, positions, cash."""

    orders: tuple[tuple, ...]
    fills: tuple[tuple, ...]
    positions: dict
    cash: Decimal


def account(root: Path) -> Account:
    """Read the account of the book."""
    path = root / "state" / BOOK / "paper.sqlite"
    now = datetime(2013, 8, 7, tzinfo=UTC)
    with PaperAccount.open(path, AccountSettings(), number=ACCOUNT, costs=Costs(), now=now, replay=True) as paper:
        return Account(
            tuple((order.client_id, order.symbol, order.side, order.quantity) for order in paper.ledger()),
            tuple((f.fill_id, f.client_id, f.quantity, f.price, f.fee) for f in paper.fills()),
            {symbol: position.quantity for symbol, position in paper.positions().items()},
            paper.account().cash,
        )


@dataclass(frozen=True)
class Findings:
    """What is wrong, in sentences, with the counts of it. ``orders`` were compared."""

    wrong: tuple[str, ...]
    orders: int
    duplicates: int
    lost: int


def compare(root: Path, *, halted: bool = False) -> Findings:
    """Return where journal and account of the book disagree with each other or with what was decided.

    A book that was ``halted`` in between need not have sent what was wanted, and an intent that never left may stand.
    """
    kept = account(root)
    with DatabaseJournal.open(root / "state" / BOOK / "journal.sqlite", account=None) as journal:
        wrong, events = list(journal.check()), list(journal.events())
    taken = Counter(order[0] for order in kept.orders)
    wanted = _wanted(events)
    doubled = [name for name, count in taken.items() if count > 1]
    missing = [] if halted else sorted(wanted - set(taken))
    wrong += [f"the account has {name} {taken[name]} times" for name in doubled]
    wrong += [f"{name} was wanted, and the account does not have it" for name in missing]
    wrong += _unexplained(events, kept, wanted)
    lost = _lost_fills(events, kept)
    wrong += [f"the fill {name} is not booked exactly once" for name in lost]
    wrong += _unequal(events, kept)
    state = State.of(events)
    pending = {one.order.client_id: one.order.symbol for one in state.unresolved}
    left = {symbol for name, symbol in pending.items() if halted and name not in taken}
    wrong += [f"{name} is not resolved" for name, symbol in pending.items() if symbol not in left]
    wrong += [f"{symbol} is still held back: {why}" for symbol, why in state.held.items() if symbol not in left]
    return Findings(tuple(wrong), len(wanted | set(taken)), len(doubled), len(missing) + len(lost))


def _wanted(events: list) -> set[str]:
    """Return the ids that had to be sent: decided, not forbidden by a limit, not refused by the broker."""
    decided = {order.client_id for event in events if isinstance(event, DecisionMade) for order in event.orders}
    forbidden = {event.client_id for event in events if isinstance(event, OrderRefused)}
    refused = {e.client_id for e in events if isinstance(e, OrderOutcome) and e.outcome is Told.REFUSED}
    return decided - forbidden - refused


def _unexplained(events: list, kept: Account, wanted: set[str]) -> list[str]:
    decisions = Counter(event.decision for event in events if isinstance(event, DecisionMade))
    wrong = [f"{name} was decided {count} times" for name, count in decisions.items() if count > 1]
    intents = {event.order.client_id: event.order for event in events if isinstance(event, OrderSending)}
    for name, symbol, side, quantity in kept.orders:
        order = intents.get(name)
        if order is None:
            wrong.append(f"the account has {name}, which the journal never meant to send")
        elif (order.symbol, order.side, order.quantity) != (symbol, side, quantity):
            wrong.append(f"the account has {name} with {side} {quantity} {symbol}, which the journal does not say")
        elif name not in wanted and not order.closing:
            wrong.append(f"the account has {name}, which was forbidden or refused")
    return wrong


def _lost_fills(events: list, kept: Account) -> list[str]:
    booked = Counter(
        (e.fill.fill_id, e.fill.client_id, e.fill.quantity, e.fill.price, e.fill.fee)
        for e in events
        if isinstance(e, FillBooked)
    )
    made = Counter(kept.fills)
    return sorted({fill[0] for fill in (booked - made) + (made - booked)})


def _unequal(events: list, kept: Account) -> list[str]:
    """Add the journal's rows up, and return where the sum is not what the account has."""
    cash, shares = Decimal(0), defaultdict(Decimal)
    for event in events:
        match event:
            case BookOpened():
                cash = event.cash
            case FillBooked(fill=fill):
                sign = 1 if fill.side is Side.BUY else -1
                shares[fill.symbol] += sign * fill.quantity
                cash -= sign * fill.quantity * fill.price + fill.fee
            case ActionBooked(kind="split"):
                shares[event.symbol] *= Decimal(repr(event.value))
            case ActionBooked(kind="dividend"):
                cash += shares[event.symbol] * Decimal(repr(event.value))
    held = {symbol: quantity for symbol, quantity in shares.items() if quantity}
    wrong = [] if held == kept.positions else [f"the journal holds {held}, the account {kept.positions}"]
    return wrong if cash == kept.cash else [*wrong, f"the journal has {cash} USD, the account {kept.cash}"]


def copy(root: Path, place: Path) -> Path:
    """Return a copy of a root."""
    shutil.rmtree(place, ignore_errors=True)
    return Path(shutil.copytree(root, place))
