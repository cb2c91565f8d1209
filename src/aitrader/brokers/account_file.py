"""A simulated account in a file of its own: every submit, cancel and advance is one transaction of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from aitrader.brokers.account_store import AccountFile, Beginning, make_file
from aitrader.brokers.broker import Market, Outcome
from aitrader.brokers.ledger import OrderTaken
from aitrader.brokers.simulated import SimulatedBroker
from aitrader.brokers.venue import Venue
from aitrader.config.schema import AccountSettings, Costs
from aitrader.domain.orders import ApprovedOrder, BrokerOrder, Fill, NotFound, Order, Unknown
from aitrader.domain.positions import Account, Position
from aitrader.domain.symbols import Symbol
from aitrader.errors import BrokerError, UsageError


class PaperAccount:
    """The simulated account of a book, which outlives its process: see ``SimulatedBroker`` for its rules.

    What another process did to the same file meanwhile is seen at once. A process that ends, at any instant, leaves
    the account as it was before a call or after it.
    """

    def __init__(self, file: AccountFile, costs: Costs, settings: AccountSettings) -> None:
        self._file = file
        self._costs = costs
        self._settings = settings
        self._account: SimulatedBroker | None
        self._account, self._beginning = self._loaded()

    @classmethod
    def open(
        cls,
        path: Path,
        settings: AccountSettings,
        *,
        number: str,
        costs: Costs,
        now: datetime,
        replay: bool,
        create: bool = False,
    ) -> Self:
        """Open the account in ``path``, in a folder that exists; with ``create`` begin it where there is none.

        A new account has ``settings.cash`` USD at ``now`` (UTC); with ``replay`` it lives on the replay clock.

        Raises
        ------
        BrokerError
            The file is missing (without ``create``), damaged, of a newer version, or another account's.
        """
        if create:
            make_file(path)
        elif not path.exists():
            raise BrokerError(
                f"The account file {path} is missing.",
                fix="Restore it from a backup, or begin another book with --book NAME.",
            )
        file = AccountFile(path)
        try:
            if create:
                file.begin(Beginning(number, settings.cash, now.astimezone(UTC), replay))
            account = cls(file, costs, settings)
            account._must_be(number, path)
        except BaseException:
            file.close()
            raise
        return account

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @property
    def at(self) -> datetime:
        """The account's own time, UTC: to where it was advanced."""
        return self._read().standing().at or self._beginning.opened

    @property
    def replay(self) -> bool:
        """Whether the account lives on the replay clock."""
        return self._beginning.replay

    def time(self, now: datetime | None, wall: datetime) -> datetime:
        """Return the time to advance to: ``now`` as the command says it, else the account's own or the machine's.

        Raises
        ------
        UsageError
            The time lies before the account's own, or ``now`` is given to an account that lives on the machine's clock.
        """
        at = self.at
        if now is not None and not self.replay:
            raise UsageError(
                f"The account {self._beginning.number} lives on the machine's clock, not on --now.",
                fix="Leave --now out, or begin another book with --book NAME --now TIMESTAMP.",
            )
        wanted = (now or (at if self.replay else wall)).astimezone(UTC)
        if wanted < at:
            given = "--now" if now else "The machine's clock"
            raise UsageError(
                f"{given} says {wanted.isoformat()}, before the account's own time {at.isoformat()}.",
                fix="An account never goes back: give a later time, or begin another book with --book NAME.",
            )
        return wanted

    def advance(self, venue: Venue, now: datetime) -> None:
        """Play what ``venue`` knows up to ``now`` (UTC), which becomes the account's time.

        Raises
        ------
        ValueError
            ``now`` lies before the account's time.
        """
        with self._changing() as account:
            account.advance(venue, now)

    def ledger(self) -> list[Order]:
        """Return every order that was ever accepted, oldest first, as it was sent."""
        return [row.order for row in self._read().rows() if isinstance(row, OrderTaken)]

    def copied(self) -> SimulatedBroker:
        """Return the account as it stands, in memory: what is done to the copy is not kept."""
        return self._loaded()[0]

    def account(self) -> Account:
        """Return number, cash and equity; a holding that did not trade is valued at its last price."""
        return self._read().account()

    def positions(self) -> Mapping[Symbol, Position]:
        """Return what is held."""
        return self._read().positions()

    def orders(self, since: datetime | None = None) -> list[BrokerOrder]:
        """Return every order submitted at or after ``since``, oldest first."""
        return self._read().orders(since)

    def find(self, client_id: str) -> BrokerOrder | NotFound:
        """Return the order of that id, open or closed."""
        return self._read().find(client_id)

    def fills(self, after: str | None = None) -> list[Fill]:
        """Return the fills after the one with id ``after``."""
        return self._read().fills(after)

    def submit(self, approved: ApprovedOrder) -> Outcome:
        """Take one order, or refuse it; unknown where the file failed."""
        try:
            with self._changing() as account:
                return account.submit(approved)
        except BrokerError as error:
            return Unknown(str(error))

    def cancel(self, client_id: str) -> Outcome:
        """Cancel what is still open of an order; unknown where the file failed."""
        try:
            with self._changing() as account:
                return account.cancel(client_id)
        except BrokerError as error:
            return Unknown(str(error))

    def market(self, symbols: Sequence[Symbol] = ()) -> Market:
        """Return the venue's time, the session that runs, and quotes at the newest known price."""
        return self._read().market(symbols)

    def _read(self) -> SimulatedBroker:
        account = self._account
        if account is None or self._file.changed:
            account, self._beginning = self._loaded()
            self._account = account
        return account

    @contextmanager
    def _changing(self) -> Iterator[SimulatedBroker]:
        """Yield the account, and keep what the block does to it; whatever is raised, the file decides what was done."""
        try:
            with self._file.transaction():
                account = self._read()
                known = len(account.rows())
                yield account
                self._file.save(account.rows(known), account.standing())
        except BaseException:
            self._account = None
            raise

    def _loaded(self) -> tuple[SimulatedBroker, Beginning]:
        kept = self._file.load()
        cash, settlement = kept.beginning.cash, self._settings.settlement
        account = SimulatedBroker(kept.beginning.number, cash, self._costs, settlement=settlement)
        account.restore(kept.rows, kept.standing)
        return account, kept.beginning

    def _must_be(self, number: str, path: Path) -> None:
        if self._beginning.number != number:
            raise BrokerError(
                f"The account file {path} belongs to the account {self._beginning.number}, not to {number}.",
                fix="Put the file back where it came from, and restore the right one from a backup.",
            )
