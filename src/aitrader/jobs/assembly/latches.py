"""What ``halt`` and ``resume`` share: whose book it is, its time, the latches in its journal, the receipt."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aitrader.config.schema import Config
from aitrader.domain.receipts import Receipt
from aitrader.errors import LakeError
from aitrader.jobs.assembly.folders import Visit, paper_key
from aitrader.jobs.assembly.paper import open_paper
from aitrader.jobs.receipt import versions, write_receipt
from aitrader.journal.account import AccountKey, read_account


def key_of(folder: Path, book: str) -> AccountKey:
    """Return whose book it is; one that never began is a simulated account's."""
    return read_account(folder) or paper_key(book)


def book_time(config: Config, folder: Path, key: AccountKey, visit: Visit) -> datetime:
    """Return the book's own time, UTC: the replay clock's, or the machine's. The account is only looked at.

    Raises
    ------
    BrokerError
        The account is missing or damaged.
    UsageError
        ``visit.now`` lies before the account's own time.
    """
    with open_paper(config, folder, key, visit) as paper:
        return paper.time(visit.now, visit.clock()).astimezone(UTC)


def left_receipt(
    config: Config,
    root: Path,
    visit: Visit,
    arguments: Mapping[str, Any],
    outputs: Mapping[str, str],
    *,
    started: datetime,
) -> tuple[str, ...]:
    """Leave a receipt; one that cannot be written is a warning, for a latch must move on a full disk as well."""
    receipt = Receipt(
        run_id=visit.run_id,
        command=visit.command,
        arguments={**arguments, "now": visit.now},
        started_at=started,
        finished_at=visit.clock(),
        lake_version=None,
        inputs={},
        outputs=outputs,
        settings=config.model_dump(mode="json"),
        origins={},
        seed=None,
        versions=versions(()),
    )
    try:
        write_receipt(root / "data_lake", receipt)
    except LakeError as error:
        return (str(error),)
    return ()
