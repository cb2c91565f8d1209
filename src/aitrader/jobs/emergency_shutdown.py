"""Closes the books that are meant: HALT first, then their orders and positions, then a look whether they are flat."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Final

from aitrader.config.schema import Config
from aitrader.domain.events import Latch, Latched, RunEnded, RunStarted
from aitrader.domain.orders import NotFound
from aitrader.domain.symbols import Symbol
from aitrader.errors import BrokerError, UsageError
from aitrader.jobs.assembly.emergency import Opened, open_account
from aitrader.jobs.assembly.folders import Visit
from aitrader.live.emergency_words import COMMAND
from aitrader.live.flatten import Closing, Flattening, flatten, look
from aitrader.live.kill_switch import Target, give_up, shut, targets, unreached
from aitrader.models.passport import digest

FLAT: Final = "flat, verified"
NOT_FLAT: Final = 10
NOT_VERIFIED: Final = 11


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be closed: one ``book``, or ``all_books``. ``env`` is looked through for keys of a real account.

    ``problems`` are sentences on settings that could not be read. With ``dry_run`` all of it happens in memory, on
    copies of the accounts.
    """

    visit: Visit
    book: str | None = None
    all_books: bool = False
    dry_run: bool = False
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CloseLine:
    """A close that was sent by this run or open before it; ``quantity`` and ``filled`` in shares, ``price`` in USD.

    ``price`` is the mean price of its fills, None where it has none.
    """

    client_id: str
    symbol: Symbol
    side: str
    quantity: Decimal
    filled: Decimal
    status: str
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class BookReport:
    """How one account ended: ``exit_code`` 0 flat, 10 not flat, 11 nobody saw it; ``result`` says so in words.

    ``cancelled`` are client ids of orders, ``left`` the signed shares still held by symbol. ``opens`` (UTC) is when
    closes that wait will meet the market; None where none waits for an open. ``halts`` are the files that shut HALT.
    """

    book: str
    account: str
    at: datetime | None
    exit_code: int
    result: str
    cancelled: tuple[str, ...] = ()
    closes: tuple[CloseLine, ...] = ()
    left: Mapping[Symbol, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    opens: datetime | None = None
    halts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShutdownReport:
    """What an emergency shutdown came to: ``exit_code`` is the worst of its books'.

    That of a dry run is 11 where nobody would see an account flat, else 0: what it found is in ``books``.
    """

    books: tuple[BookReport, ...]
    exit_code: int
    dry_run: bool
    warnings: tuple[str, ...]


Confirm = Callable[[Sequence[str]], bool]
"""Shows what stands there, a line for each account, and returns whether a person wants it closed."""


def emergency_shutdown(config: Config, root: Path, asked: Asked, *, confirm: Confirm | None = None) -> ShutdownReport:
    """Shut HALT, cancel and close everything of the accounts that are meant, and say whether they are flat.

    Takes no lock: a trader that hangs must not keep it waiting, and one that goes on reads HALT before each order.
    What is broken besides the account itself (settings, lake, journal) is told and does not stop it.

    Raises
    ------
    UsageError
        It is not clear which account is meant, ``now`` lies before its time, or a person said no: nothing was done.
    UnverifiedError
        There is no account, or none that this version reaches; HALT is shut.
    """
    visit = asked.visit
    found = targets(root, asked.env, book=asked.book, all_books=asked.all_books, replay=visit.now is not None)
    reason = f"{COMMAND} at {visit.clock().isoformat(timespec='seconds')}"
    if not any(one.reached for one in found):
        raise give_up(root, found, reason, dry_run=asked.dry_run)
    if confirm is None and visit.now is None and not asked.dry_run:
        shut(found, reason)
    with ExitStack() as stack:
        doors = [_Door(config, root, asked, one) for one in found]
        for door in doors:
            door.open(stack)
        _ask(confirm, doors)
        if not asked.dry_run:
            shut(found, reason)  # all of them, before the first is closed
        books = tuple(door.close(reason) for door in doors)
    return _summed_up(books, asked, _promise(found))


def _ask(confirm: Confirm | None, doors: "Sequence[_Door]") -> None:
    if confirm is not None and not confirm([door.shown() for door in doors]):
        raise UsageError("Not confirmed. Nothing was done.", fix=f"Run `aitrader {COMMAND}` again to close it.")


def _summed_up(books: tuple[BookReport, ...], asked: Asked, promise: str) -> ShutdownReport:
    warnings = (f"{one.book}: {text}" for one in books for text in one.warnings)
    worst = max(one.exit_code for one in books)
    code = 0 if asked.dry_run and worst != NOT_VERIFIED else worst
    return ShutdownReport(books, code, asked.dry_run, (promise, *asked.problems, *warnings))


def _promise(found: Iterable[Target]) -> str:
    names = ", ".join(one.name for one in found if one.reached)
    return (
        f"{names} is simulated: it is closed with the installed packages and the lake; that the kill switch works "
        "without them does not cover it"
    )


class _Door:
    """One account: opened, shown, and closed."""

    def __init__(self, config: Config, root: Path, asked: Asked, target: Target) -> None:
        self._config = config
        self._root = root
        self._visit = asked.visit
        self._dry_run = asked.dry_run
        self._target = target
        self._failure = "" if target.reached else unreached(target)
        self._account: Opened | None = None

    def open(self, stack: ExitStack) -> None:
        """Open the account as far as it is whole; only a wrong ``now`` is raised."""
        if not self._target.reached:
            return
        try:
            self._account = open_account(
                self._config, self._root, self._visit, self._target, stack, dry_run=self._dry_run
            )
        except UsageError:
            raise
        except Exception as error:  # noqa: BLE001 - one broken account must not keep the others open
            self._failure = f"Nobody saw {self._target} flat: {error}"

    def shown(self) -> str:
        """Return the line that a person is asked with."""
        if self._account is None:
            return self._failure
        try:
            held = look(self._account.desk)
        except BrokerError as error:
            return f"{self._target}: {error}"
        positions = ", ".join(
            f"{one.quantity.normalize():,f} {symbol}" for symbol, one in sorted(held.positions.items())
        )
        orders = _counted((*held.closes, *held.others), "open order")
        at = _time(self._account.at)
        return f"{self._target}, paper, at {at}: {positions or 'no positions'}; {orders}"

    def close(self, reason: str) -> BookReport:
        """Shut HALT, close the account, and return how it ended."""
        halts, problems = ((), ()) if self._dry_run else shut((self._target,), reason)
        if problems and not halts:
            problems = tuple(f"{problem}: HALT IS NOT SHUT, a trader may go on" for problem in problems)
        try:
            report = (
                self._unseen(self._failure) if self._account is None else _closed(self._account, self._visit, reason)
            )
        except Exception as error:  # noqa: BLE001 - one broken account must not keep the others open
            report = self._unseen(f"Nobody saw {self._target} flat: {error}")
        return replace(report, halts=tuple(map(str, halts)), warnings=(*problems, *report.warnings))

    def _unseen(self, why: str) -> BookReport:
        number = self._target.key.number if self._target.key else ""
        return BookReport(self._target.name or str(self._target), number, None, NOT_VERIFIED, why)


def _closed(account: Opened, visit: Visit, reason: str) -> BookReport:
    at, desk = account.at, account.desk
    settings = digest(account.config.model_dump(mode="json"))
    state = desk.record(account.state, RunStarted(at, visit.run_id, COMMAND, settings, account.version))
    if Latch.HALT not in state.latches:
        state = desk.record(state, Latched(at, Latch.HALT, "operator", reason))
    state = account.caught_up(state)
    closing = Closing(f"{account.last:%Y%m%d}", at, account.prices())
    state, done = flatten(desk, state, closing, settle=account.advance)
    account.recovered(state)
    code, result, opens = _verdict(account, done)
    account.journal.append(RunEnded(at, visit.run_id, COMMAND, "failed" if code else "done", code, result))
    return BookReport(
        book=account.config.book,
        account=account.key.number,
        at=at,
        exit_code=code,
        result=result,
        cancelled=done.cancelled,
        closes=tuple(_lines(account, done)),
        left={symbol: one.quantity for symbol, one in sorted(done.left.positions.items())} if done.left else {},
        opens=opens,
        warnings=(*account.problems, *done.problems, *account.journal.problems),
    )


def _verdict(account: Opened, done: Flattening) -> tuple[int, str, datetime | None]:
    """Return the exit code, the sentence and, where closes wait for it, the next open."""
    left, venue = done.left, account.calendar
    if left is None:
        return NOT_VERIFIED, f"not verified: {done.problems[-1]}", None
    if left.flat:
        return 0, FLAT, None
    position = bisect_right(venue.opens, account.at)
    running = position > 0 and account.at < venue.closes[position - 1]
    opens = venue.opens[position] if left.closes and not running else None
    told = {
        f"{len(left.closes)} queued for {_time(opens)}": bool(opens),
        f"{_counted(left.closes, 'close')} not filled yet": bool(left.closes) and running,
        f"{_counted(left.uncovered, 'position')} without a close": bool(left.uncovered),
        f"{_counted(left.others, 'other order')} open": bool(left.others),
    }
    return NOT_FLAT, f"not flat: {', '.join(text for text, true in told.items() if true)}", opens


def _counted(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def _time(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else ""


def _lines(account: Opened, done: Flattening) -> Iterator[CloseLine]:
    """Yield the closes of this run, and those of earlier ones that were open before it."""
    for name in dict.fromkeys([*account.waited, *done.sent]):
        found = account.paper.find(name)
        if isinstance(found, NotFound):
            continue
        fills = [fill for fill in account.paper.fills() if fill.client_id == name]
        shares = sum((fill.quantity for fill in fills), Decimal(0))
        paid = sum((fill.quantity * fill.price for fill in fills), Decimal(0))
        yield CloseLine(
            client_id=name,
            symbol=found.symbol,
            side=found.side.value,
            quantity=found.quantity,
            filled=found.filled_quantity,
            status=found.status.value.replace("_", " "),
            price=paid / shares if shares else None,
        )
