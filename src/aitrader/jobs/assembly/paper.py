"""The simulated account of a book, as one visit finds it."""

from pathlib import Path

from aitrader.brokers.account_file import PaperAccount
from aitrader.config.schema import Config
from aitrader.jobs.assembly.folders import PAPER, Visit
from aitrader.journal.account import AccountKey


def open_paper(config: Config, folder: Path, key: AccountKey, visit: Visit, *, create: bool = False) -> PaperAccount:
    """Open the simulated account ``key`` of the book in ``folder``; with ``create`` begin it where there is none.

    Under ``visit.now`` a new account lives on the replay clock. Errors are those of ``PaperAccount.open``.
    """
    return PaperAccount.open(
        folder / PAPER,
        config.account,
        number=key.number,
        costs=config.execution.costs,
        now=visit.now or visit.clock(),
        replay=visit.now is not None,
        create=create,
    )
