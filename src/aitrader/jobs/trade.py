"""One run for cron: books what happened, decides if a decision is due, and sends its orders, each once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Final

from aitrader.config.schema import Config
from aitrader.domain.events import DecisionMade, DecisionRefused, Event, FillBooked, Latch, OrderSending
from aitrader.domain.receipts import Receipt
from aitrader.domain.symbols import Symbol
from aitrader.domain.wording import counted
from aitrader.engine.decide import combined
from aitrader.engine.loop import turn
from aitrader.engine.recovery import settle
from aitrader.engine.state import State
from aitrader.envelope import Status
from aitrader.errors import BrokerError, DataError, LakeError, RefusedError, UsageError
from aitrader.jobs.assembly.book import Mode, OpenBook, Visit, open_book
from aitrader.jobs.assembly.desk import Current, brought_up_to_date
from aitrader.jobs.assembly.opinions import ModelUsed
from aitrader.jobs.assembly.orders import DISAGREE, OrderLine, held_back, named, order_lines
from aitrader.jobs.assembly.runs import recorded
from aitrader.jobs.assembly.trading import strategies
from aitrader.jobs.progress import Progress, Report, silent
from aitrader.jobs.receipt import versions, write_receipt
from aitrader.live.session import Appointment, Stand

_STAYED: Final = frozenset({"refused", "rejected", "planned", "absent"})
"""What is said of an order that is not at the account."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What ``trade`` is asked for. ``origins`` (where each setting was written) go into the receipt."""

    visit: Visit
    dry_run: bool = False
    allow_rejected: bool = False
    live: bool = False
    origins: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class TradeReport:
    """What a run did. ``status`` is done, partial (orders were refused) or skipped; ``reason`` says it in a sentence.

    The bars through ``last`` are decided on, entered on ``session`` from ``opens`` to before ``closes`` (UTC).
    ``targets`` are the book's target weights; None where nothing was decided. ``orders`` are those of the
    decision, ``sent`` counts those that left in this run, ``fills`` those that were booked in it. ``equity`` and
    ``cash`` in USD are the account's own.
    """

    book: str
    account: str
    at: datetime
    status: Status
    reason: str
    last: date
    session: date
    opens: datetime
    closes: datetime
    due: tuple[str, ...]
    targets: Mapping[Symbol, float] | None
    orders: tuple[OrderLine, ...]
    sent: int
    fills: int
    models: tuple[ModelUsed, ...]
    equity: Decimal
    cash: Decimal
    positions: int
    dry_run: bool
    warnings: tuple[str, ...]
    receipt: str


def trade(config: Config, root: Path, asked: Asked, *, progress: Report = silent) -> TradeReport:
    """Bring the book up to date, and if its window is open, make the decision that is due and send its orders.

    Running it again sends nothing twice: the recorded decision is loaded, and what left has its row. With
    ``dry_run`` all of it happens in memory, on a copy of the book.

    Raises
    ------
    RefusedError
        A latch is shut, the window was missed, the bars are stale, no model may decide, or the limits refused
        every order. What happened in the market is booked all the same, unless HALT is shut.
    BrokerError
        The account failed, the fate of an order is unknown, or book and account do not agree.
    UsageError
        No strategy is configured, a live account is asked for (there is none yet), or ``now`` lies before the account's
        own time.
    LockHeldError
        Another process works on the book.
    """
    _refuse_live(config, asked)
    strategies(config)  # settings that cannot decide are told before anything is begun
    visit = asked.visit
    mode: Mode = "read" if asked.dry_run else "write"
    started = visit.clock()
    progress(Progress("trade", 0, 4, "the account"))
    with open_book(config, root, visit, mode=mode, create=True) as book, recorded(book, visit, config) as run:
        course = _Course(config, asked, book, progress, len(book.journal.events()))
        report = _play(course, run.state)
        run.ended(report.status, report.reason)
        warned = _receipt(course, root, report, started)
    progress(Progress("trade", 4, 4))
    return replace(report, warnings=(*report.warnings, *warned))


def _refuse_live(config: Config, asked: Asked) -> None:
    if asked.live or config.mode == "live":
        raise UsageError(
            "There is no live account yet: this version trades simulated accounts only.",
            fix="Leave --live out, and set `mode: paper`.",
        )


@dataclass(frozen=True, slots=True)
class _Course:
    """One run on its way. ``begun`` counts the rows that stood in the journal before it."""

    config: Config
    asked: Asked
    book: OpenBook
    progress: Report
    begun: int

    @property
    def rows(self) -> Sequence[Event]:
        """The rows of this run."""
        return self.book.journal.events()[self.begun :]

    @property
    def requested(self) -> frozenset[str]:
        """The ids of the orders that this run requested; closes that it found at the account are not its own."""
        return frozenset(
            row.order.client_id for row in self.rows if isinstance(row, OrderSending) and not row.order.closing
        )

    def pause(self) -> None:
        self.progress(Progress("trade", 2, 4, "orders"))


def _play(course: _Course, state: State) -> TradeReport:
    """Do it, and return what came of it, or raise what it failed with."""
    book, config = course.book, course.config
    _refuse_halted(book.latches)
    course.progress(Progress("trade", 1, 4, "what happened"))
    now = brought_up_to_date(config, book, course.asked.visit, state, pause=course.pause)
    meeting = now.diary.after(now.market.last)
    stopped = Latch.HALT in now.desk.latches(now.state)
    if meeting.due and meeting.stand(book.at) is Stand.OPEN and not stopped:
        now = _entered(course, now, meeting)
    _refuse_unknown(now.state)
    _refuse_halted(now.desk.latches(now.state))
    lines = tuple(line for line in order_lines(book.journal.events()) if line.decision == meeting.decision)
    status, reason = _verdict(course, now, meeting, lines)
    return _report(course, now, meeting, lines, (status, reason))


def _entered(course: _Course, now: Current, meeting: Appointment) -> Current:
    """Make or load the decision, and send what of its orders has not left."""
    known = now.state.decision is not None and now.state.decision.decision == meeting.decision
    now = now if known else _informed(course, now, meeting)
    state = turn(now.desk, now.state, now.diary.turn(meeting.session, course.book.at, window=meeting.window))
    state = settle(now.desk, state, now.desk.time(course.book.at), course.config.reconcile)
    if state.refusal is not None:
        fix = getattr(state.refusal, "fix", "")
        raise RefusedError(f"Nothing new is entered: {state.refusal}", fix=fix) from state.refusal
    return now.after(state)


def _informed(course: _Course, now: Current, meeting: Appointment) -> Current:
    """Return the market with what the strategies need; a decision that cannot be made is a row, and is refused."""
    chosen = strategies(course.config)
    due = {name: one for name, one in chosen.items() if name in meeting.due}
    try:
        now.market.refuse_stale(now.state.book.positions)
        market = now.market.informed(due, allow_rejected=course.asked.allow_rejected)
    except (DataError, RefusedError) as error:
        row = DecisionRefused(course.book.at, meeting.decision, meeting.last, str(error))
        now.desk.record(now.state, row)
        raise RefusedError(f"Nothing new is entered: {error}", fix=error.fix) from error
    desk = replace(now.desk, market=market, strategies=chosen, models=market.versions, ages=market.ages)
    return replace(now, market=market, desk=desk)


def _refuse_halted(latches: frozenset[Latch]) -> None:
    if Latch.HALT in latches:
        raise RefusedError(
            "HALT is shut: no order leaves.",
            fix="Find out why (`aitrader status`), then open it with `aitrader resume --account NUMBER`.",
        )


def _refuse_unknown(state: State) -> None:
    """Refuse to call a run done while book and account do not agree."""
    held = [held_back(symbol, reason) for symbol, reason in sorted(state.held.items())]
    told = "; ".join(held)
    names = [one.order.client_id for one in state.unresolved]
    unknown = [f"the fate of {name} is unknown" for name in names if name not in told]
    wrong = [*unknown, *held, *(() if held else state.differences or ())]
    if wrong:
        raise BrokerError(
            f"{DISAGREE}: {'; '.join(named(wrong))}.",
            fix="Run `aitrader trade` again, or see `aitrader reconcile`; no order of a held symbol leaves until then.",
        )


def _verdict(course: _Course, now: Current, meeting: Appointment, lines: Sequence[OrderLine]) -> tuple[Status, str]:
    """Return how the run ended and why; raises where that is a refusal."""
    stand = meeting.stand(course.book.at)
    if meeting.due and stand is Stand.OPEN:
        return _sent(course, meeting, [line for line in lines if not line.closing])
    gone = now.missed(meeting)
    coming = now.diary.next_due(meeting.last if stand is Stand.EARLY else meeting.session)
    when = f"{coming.session} from {coming.opens:%H:%M} to {coming.closes:%H:%M} UTC"
    if gone:
        days = ", ".join(f"{one.last} (it entered on {one.session})" for one in gone)
        raise RefusedError(
            f"window_missed: the decision on the bars of {days} did not leave in time, and is not sent late.",
            fix=f"Run `aitrader trade` inside the window; the next decision enters on {when}.",
        )
    if meeting.due and stand is Stand.MISSED:
        return "skipped", f"the decision on the bars of {meeting.last} has been traded; the next enters on {when}"
    return "skipped", f"nothing is due now; the next decision enters on {when}"


def _sent(course: _Course, meeting: Appointment, lines: Sequence[OrderLine]) -> tuple[Status, str]:
    """Say what became of the orders of a decision whose window is open."""
    count = counted(len(lines), "order")
    stopped = [line for line in lines if line.status in _STAYED]
    if stopped:
        return "partial", _partly(meeting, count, len(lines) - len(stopped), stopped)
    if course.requested or any(isinstance(row, DecisionMade) for row in course.rows):
        return "done", f"the decision on the bars of {meeting.last}: {count}"
    return "skipped", f"the decision on the bars of {meeting.last} has left before: {count}, none sent again"


def _partly(meeting: Appointment, count: str, left: int, stopped: Sequence[OrderLine]) -> str:
    """Say which orders were stopped; that no other one left, or that a latch stopped them, is a refusal."""
    reasons = "; ".join(named([f"{line.symbol}: {line.reason or line.status}" for line in stopped]))
    if not left or any(line.reason.startswith("halt") for line in stopped):
        raise RefusedError(
            f"{len(stopped)} of {count} of the decision on {meeting.last} were refused: {reasons}.",
            fix="See `aitrader orders`; a limit is a setting under `risk`, a latch is opened by `aitrader resume`.",
        )
    return f"{left} of {count} left; {reasons}"


def _report(
    course: _Course, now: Current, meeting: Appointment, lines: tuple[OrderLine, ...], verdict: tuple[Status, str]
) -> TradeReport:
    book, asked, decision = course.book, course.asked, now.state.decision
    account = book.broker.account()
    current = decision is not None and decision.decision == meeting.decision
    entered = isinstance(decision, DecisionMade) and current
    standing = {name: now.state.standing.get(name, {}) for name in course.config.strategies}
    weights = combined(standing, course.config.portfolio.invested) if entered else None
    return TradeReport(
        book=book.name,
        account=account.number,
        at=book.at,
        status=verdict[0],
        reason=verdict[1],
        last=meeting.last,
        session=meeting.session,
        opens=meeting.opens,
        closes=meeting.closes,
        due=tuple(sorted(meeting.due)),
        targets=weights,
        orders=lines,
        sent=sum(line.client_id in course.requested and line.status not in _STAYED for line in lines),
        fills=sum(isinstance(row, FillBooked) for row in course.rows),
        models=now.market.models,
        equity=account.equity,
        cash=account.cash,
        positions=len(book.broker.positions()),
        dry_run=asked.dry_run,
        warnings=(*_old_bars(now), *now.market.notes),
        receipt="" if asked.dry_run else f"data_lake/receipts/{asked.visit.run_id}.json",
    )


def _old_bars(now: Current) -> tuple[str, ...]:
    newest, due = now.market.sessions[-1], now.market.due
    if newest == now.market.last:
        return ()
    return (f"the newest bars are of {newest}, those of {due} should be there: run `aitrader backfill`",)


def _receipt(course: _Course, root: Path, report: TradeReport, started: datetime) -> tuple[str, ...]:
    """Leave a receipt of what was done; one that cannot be written is a warning, for the orders have left."""
    asked, visit = course.asked, course.asked.visit
    if asked.dry_run or report.status == "skipped":
        return ()
    snapshot = course.book.lake.snapshot(now=course.book.at)
    models = {f"models/{model.name}": model.version for model in report.models}
    receipt = Receipt(
        run_id=visit.run_id,
        command="trade",
        arguments={"now": visit.now, "allow_rejected": asked.allow_rejected, "book": course.book.name},
        started_at=started,
        finished_at=visit.clock(),
        lake_version=snapshot.version,
        inputs={"bars/1d": snapshot.content_hash("bars/1d")} | models,
        outputs={line.client_id: line.status for line in report.orders},
        settings=course.config.model_dump(mode="json"),
        origins=asked.origins,
        seed=None,
        versions=versions(),
    )
    try:
        write_receipt(root / "data_lake", receipt)
    except LakeError as error:
        return (str(error),)
    return ()
