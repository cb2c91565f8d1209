"""What the journal of a book says, whether it can be believed, and its rows as a file for other programs."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from aitrader.disk.files import write_text
from aitrader.envelope import jsonable
from aitrader.errors import JournalError
from aitrader.jobs.assembly.folders import JOURNAL, no_book, safe_folder
from aitrader.journal.account import read_account
from aitrader.journal.database import DatabaseJournal
from aitrader.journal.rows import KINDS, Row, to_body
from aitrader.registry import unknown_name


@dataclass(frozen=True, slots=True)
class Line:
    """One row: its number in the journal, its time (UTC), its kind, and its fields, money and times as exact text."""

    seq: int
    at: datetime
    kind: str
    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """The ``lines`` of a journal that were asked for, oldest first, of the ``rows`` that it has."""

    path: str
    account: str
    rows: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Exported:
    """The ``rows`` that were written to ``out``; without a file they are the ``lines`` themselves."""

    path: str
    account: str
    rows: int
    out: str | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with a journal of ``rows`` rows, as sentences."""

    path: str
    account: str
    rows: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """Which rows: of these kinds, not before ``since``, at most the ``last`` of them. None means all."""

    kinds: Sequence[str] | None = None
    since: datetime | None = None
    last: int | None = None


def ls(root: Path, book: str, cut: Cut) -> Listing:
    """Return rows of the journal of ``book``.

    Raises
    ------
    UsageError
        There is no such book yet, or a kind is not known.
    JournalError
        The journal is missing, damaged, or of another account or version.
    """
    with _opened(root, book) as journal:
        rows = journal.rows()
        return Listing(str(journal.path), journal.account.number, len(rows), _cut(rows, cut))


def export(root: Path, book: str, cut: Cut, out: Path | None) -> Exported:
    """Write rows of the journal of ``book`` to ``out``, one JSON object a line; without a file only return them.

    Raises
    ------
    UsageError
        There is no such book yet, or a kind is not known.
    JournalError
        The journal is missing, damaged, or of another account or version; or ``out`` could not be written.
    """
    listing = ls(root, book, cut)
    if out is not None:
        try:
            write_text(out, "".join(f"{line}\n" for line in texts(listing.lines)))
        except OSError as error:
            raise JournalError(f"{out} could not be written: {error}.", fix="Name another file with --out.") from error
    kept = () if out else listing.lines
    return Exported(listing.path, listing.account, len(listing.lines), str(out) if out else None, kept)


def check(root: Path, book: str) -> Checked:
    """Read the whole journal of ``book`` and compare every row with its seal.

    Raises
    ------
    UsageError
        There is no such book yet.
    JournalError
        The journal cannot even be opened.
    """
    with _opened(root, book) as journal:
        problems = journal.check()
        rows = 0 if problems else len(journal.rows())
        return Checked(str(journal.path), journal.account.number, rows, problems)


def texts(lines: Iterable[Line]) -> Iterable[str]:
    """Yield each line as one JSON object; what is not a number is null."""
    return (json.dumps(jsonable(line), allow_nan=False, ensure_ascii=False) for line in lines)


def _opened(root: Path, book: str) -> DatabaseJournal:
    folder = safe_folder(root, book)
    account = read_account(folder)
    if account is None and not (folder / JOURNAL).exists():
        raise no_book(book)
    return DatabaseJournal.open(folder / JOURNAL, account=account)


def _cut(rows: Sequence[Row], cut: Cut) -> tuple[Line, ...]:
    unknown = [kind for kind in cut.kinds or () if kind not in KINDS]
    if unknown:
        raise unknown_name("kind of row", unknown[0], list(KINDS))
    kinds = frozenset(cut.kinds or KINDS)
    found = [row for row in rows if row.kind in kinds and (cut.since is None or row.at >= cut.since)]
    first = 0 if cut.last is None else max(len(found) - cut.last, 0)
    return tuple(Line(row.seq, row.at, row.kind, to_body(row.event)) for row in found[first:])
