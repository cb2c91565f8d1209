"""Which account a book is: ``account.json``, beside its journal. The kill switch reads it: standard library only."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from aitrader.disk.files import replacing
from aitrader.errors import JournalError, LostJournalError

NAME: Final = "account.json"
_LONGEST: Final = 65_536


@dataclass(frozen=True, slots=True)
class AccountKey:
    """One account: the ``book`` that trades it, the ``kind`` of broker, its ``host`` (empty: none) and ``number``."""

    book: str
    kind: str
    host: str
    number: str

    def __str__(self) -> str:
        return f"{self.kind} account {self.number}"


def read_account(folder: Path) -> AccountKey | None:
    """Return the account of the book in ``folder``; None where no ``account.json`` stands.

    Raises
    ------
    JournalError
        The file cannot be read, or is not what ``write_account`` writes.
    """
    path = folder / NAME
    try:
        with path.open("rb") as stream:
            body = json.loads(stream.read(_LONGEST))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error}.", fix="Check the path and its permissions.") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path) from error
    names = {field.name for field in fields(AccountKey)}
    if not isinstance(body, dict) or set(body) != names or not all(isinstance(text, str) for text in body.values()):
        raise _damaged(path)
    return AccountKey(**body)


def write_account(folder: Path, key: AccountKey) -> None:
    """Replace ``account.json`` in ``folder`` in one step; only its owner may read it.

    Raises
    ------
    JournalError
        The disk is full, read-only or failing; the old file still stands.
    """
    try:
        with replacing(folder / NAME) as temporary:
            temporary.touch(0o600)
            temporary.write_text(f"{json.dumps(asdict(key))}\n", encoding="utf-8")
    except OSError as error:
        raise JournalError(
            f"{folder / NAME} could not be written: {error}.", fix="Free space or repair the disk, then run again."
        ) from error


def _damaged(path: Path) -> JournalError:
    return LostJournalError(
        f"{path} is damaged: it does not say which account the book is.",
        fix="Restore it from a backup, or rebuild the book with `aitrader reconcile --rebuild`.",
    )
