"""Draws one session of a book: what was decided, sent, filled and refused, and what is held."""

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

from aitrader.brokers.broker import fills_since
from aitrader.config.schema import Config
from aitrader.disk.files import write_text
from aitrader.domain.events import FillBooked
from aitrader.domain.receipts import Receipt
from aitrader.domain.symbols import Symbol
from aitrader.domain.wording import counted
from aitrader.engine.decide import closes
from aitrader.envelope import jsonable
from aitrader.errors import LakeError, UsageError
from aitrader.jobs.assembly.book import OpenBook, Visit, open_book
from aitrader.jobs.assembly.day import Around, Closes, day_of, sessions_of
from aitrader.jobs.receipt import versions, write_receipt
from aitrader.reports.daily import DailyView, render, warned


@dataclass(frozen=True, slots=True)
class Asked:
    """What ``report`` is asked for: a session (None: the book's last).

    ``origins`` (where each setting was written) go into the receipt.
    """

    visit: Visit
    session: date | None = None
    origins: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class DailyReport:
    """One session of a book, and the page (``report``) and data (``data``) that show it: paths below the root."""

    day: DailyView
    report: str
    data: str
    receipt: str
    warnings: tuple[str, ...]


def report(config: Config, root: Path, asked: Asked) -> DailyReport:
    """Draw a session of the book ``config.book``, and keep it under ``data_lake/reports/<run_id>/``.

    The book is only read: a trader that works on it is not disturbed.

    Raises
    ------
    UsageError
        There is no such book or session.
    JournalError, BrokerError
        Journal or account are missing, damaged, or not of this book.
    LakeError
        The lake cannot be read, or the result not written.
    """
    visit, run_id = asked.visit, asked.visit.run_id
    started, folder = visit.clock(), f"data_lake/reports/{run_id}"
    with open_book(config, root, visit, mode="read") as book:
        events = book.journal.events()
        known = sessions_of(events, book.calendar)
        session = _session(book, known, asked.session)
        made = DailyReport(
            day=day_of(events, session, _around(config, book, known, session)),
            report=f"{folder}/daily.html",
            data=f"{folder}/daily.json",
            receipt=f"data_lake/receipts/{run_id}.json",
            warnings=_unbooked(book),
        )
        version = book.lake.snapshot().version
    outputs = _write(root, made)
    receipt = Receipt(
        run_id=run_id,
        command=visit.command,
        arguments={"session": made.day.session, "now": visit.now},
        started_at=started,
        finished_at=visit.clock(),
        lake_version=version,
        inputs={f"state/{config.book}/journal.sqlite": f"{len(events)} rows"},
        outputs=outputs,
        settings=config.model_dump(mode="json"),
        origins=asked.origins,
        seed=None,
        versions=versions(),
    )
    write_receipt(root / "data_lake", receipt)
    return made


def _around(config: Config, book: OpenBook, known: Sequence[date], session: date) -> Around:
    return Around(
        book=book.name,
        venue=book.calendar,
        made_at=book.at,
        closes=_closes(book, session),
        invested=config.portfolio.invested,
        strategies=frozenset(config.strategies),
        latches=book.halts.standing() if session >= _newest(book, known) else frozenset(),
    )


def _session(book: OpenBook, known: Sequence[date], asked: date | None) -> date:
    """Return the session to draw: the one that was asked for, or the last by now on which something was done."""
    if not known:
        raise UsageError(
            f"Nothing was done in the book {book.name!r} yet.", fix="It begins with the first `aitrader trade`."
        )
    if asked is None:
        return _newest(book, known)
    if asked not in book.calendar.between(known[0], known[-1]):
        raise UsageError(
            f"{asked} is no session of the book {book.name!r}, which has those from {known[0]} to {known[-1]}.",
            fix="Name one of them with --session, or leave it out for the last.",
        )
    return asked


def _newest(book: OpenBook, known: Sequence[date]) -> date:
    """Return the last of ``known`` whose day has begun: what is done on a Saturday belongs to a session to come."""
    today = book.at.astimezone(ZoneInfo(book.calendar.time_zone)).date()
    return known[max(bisect_right(known, today) - 1, 0)]


def _closes(book: OpenBook, session: date) -> Closes:
    """Return the closes of ``session``; where it has none yet its prices so far, or those before it.

    What is bought in a session that runs is so valued as its account values it, and not at the closes of another day.
    """
    before = _closed(book, session)
    if before.session == session:
        return before
    held = sorted({*book.state.book.positions, *book.broker.positions()})
    market = book.broker.market(held)
    opened = book.calendar.open_of(session)
    now = {symbol: quote.mid for symbol, quote in market.quotes.items() if quote.at >= opened}
    if market.session != session or not now:
        return before
    return Closes(session, {**before.prices, **now}, running=True)


def _closed(book: OpenBook, session: date) -> Closes:
    """Return the closes of ``session``; where it has none yet those before it, as the splits since then make them."""
    days = book.venue.tape.sessions
    closed = days[: bisect_right(days, book.at, key=book.calendar.close_of)]
    position = bisect_right(closed, session)
    if not position:
        return Closes(session, {})
    priced = closed[position - 1]
    snapshot = book.venue.tape.history.snapshot(priced)
    prices = closes(snapshot, snapshot.symbols)
    for later in book.calendar.between(priced, session)[1:]:
        prices |= _after_splits(book, prices, later)
    return Closes(priced, prices)


def _after_splits(book: OpenBook, prices: Mapping[Symbol, Decimal], session: date) -> dict[Symbol, Decimal]:
    splits = [one for one in book.venue.actions(session) if one.kind == "split" and one.symbol in prices]
    return {one.symbol: prices[one.symbol] / Decimal(repr(one.value)) for one in splits}


def _unbooked(book: OpenBook) -> tuple[str, ...]:
    booked = {row.fill.fill_id for row in book.journal.events() if isinstance(row, FillBooked)}
    missing = sum(fill.fill_id not in booked for fill in fills_since(book.broker, book.state.seen)[0])
    return (
        (f"the broker tells of {counted(missing, 'fill')} not in the journal yet; `trade` books them",)
        if missing
        else ()
    )


def _write(root: Path, made: DailyReport) -> dict[str, str]:
    """Write page and data; return their SHA-256 by path."""
    body = {**jsonable(made.day), "warnings": [one.text for one in warned(made.day)]}
    texts = {
        made.report: render(made.day),
        made.data: f"{json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False)}\n",
    }
    try:
        for path, text in texts.items():
            write_text(root / path, text)
    except OSError as error:
        raise LakeError(
            f"The report could not be written: {error}.", fix="Free space or repair the disk, then run again."
        ) from error
    return {path: sha256(text.encode()).hexdigest() for path, text in texts.items()}
