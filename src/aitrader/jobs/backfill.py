"""Fetches bars and corporate actions into the lake: what is missing, batch by batch, each kept once it is there."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl

from aitrader.config.schema import Config
from aitrader.domain.calendars import Calendar, calendar
from aitrader.domain.clock import Clock, fixed_clock, wall_clock
from aitrader.domain.frames import Adjustment
from aitrader.domain.receipts import Receipt
from aitrader.domain.series import SeriesInfo
from aitrader.domain.symbols import Symbol
from aitrader.domain.wording import counted
from aitrader.errors import DataFetchError
from aitrader.jobs.assembly.fetching import (
    AFTER_ALL,
    BEFORE_ALL,
    Batch,
    Coverage,
    Span,
    by_reason,
    coverage,
    cut,
    open_source,
    plan,
    refuse_empty,
    some,
    span,
    spliced_symbols,
    stored_bars,
    wanted_symbols,
)
from aitrader.jobs.progress import Progress, Report, silent
from aitrader.jobs.receipt import versions, write_receipt
from aitrader.lake.catalog import NAME as CATALOG
from aitrader.lake.quality import admit, reasons
from aitrader.lake.store import Lake
from aitrader.sources.source import BarSource, Context, Fetched, Listing, SecretOf, no_secret

BARS: Final = "bars/1d"
ACTIONS: Final = "actions"

_GIVES_UP_AFTER: Final = 3
"""Batches in a row that bring nothing: the source is down, and asking on would only take time."""

_CAUTIONS: Final = {
    "assumed": "Nobody said what these prices are corrected for: they are handled as adjusted for splits and dividends "
    "(total, assumed). Say it with --adjustment raw, split or total.",
    "survivors_only": "Every symbol of this source lived to its last day (survivors only): backtests are too good.",
    "hand_picked": "The symbols of this source were picked by hand: backtests are too good.",
}
"""What to know of a series, by the field of ``SeriesInfo`` that says it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What ``backfill`` is asked for; None means what the configuration says.

    ``options`` are settings of the source that lie over ``data.sources.<name>``; ``now`` is a replay clock, which
    hides later sessions; ``run_id`` and ``origins`` (where each setting was written) go into the receipt.
    """

    source: str | None = None
    symbols: Sequence[str] | None = None
    start: date | None = None
    end: date | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    dry_run: bool = False
    now: datetime | None = None
    run_id: str | None = None
    origins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """What ``backfill`` did, or with ``dry_run`` would ask the source for (``batches``).

    ``rows`` and ``actions`` are new in the lake (revisions included), ``quarantined`` the rows of this run that were
    refused, ``reasons`` why (a row may have two). ``failed`` are symbols to try again, with the reason. ``adjustment``
    counts the symbols by what their prices are corrected for. ``status`` is ``skipped`` where nothing was new.
    """

    status: Literal["done", "skipped", "partial"]
    source: str
    symbols: int
    lake_version: int
    warnings: tuple[str, ...]
    dry_run: bool = False
    batches: tuple[Batch, ...] = ()
    rows: int = 0
    actions: int = 0
    quarantined: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    coverage: Coverage | None = None
    adjustment: Mapping[str, int] = field(default_factory=dict)
    assumed: bool = False
    survivors_only: bool = False
    hand_picked: bool = False
    receipt: Path | None = None


@dataclass(frozen=True, slots=True)
class _Course:
    """What stays the same during one run."""

    config: Config
    wanted: Wanted
    source: BarSource
    calendar: Calendar
    now: datetime
    asked: Span
    symbols: tuple[Symbol, ...]
    listing: Listing | None
    progress: Report


@dataclass(slots=True)
class _Tally:
    """What the batches brought so far."""

    rows: int = 0
    actions: int = 0
    quarantined: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    failed: dict[Symbol, str] = field(default_factory=dict)
    series: dict[Symbol, SeriesInfo] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)


def backfill(
    config: Config,
    root: Path,
    wanted: Wanted | None = None,
    *,
    secret: SecretOf = no_secret,
    clock: Clock = wall_clock,
    progress: Report = silent,
) -> BackfillReport:
    """Fetch what the lake lacks and append it batch by batch; nothing stored is ever removed.

    Finished batches stay committed whatever happens to later ones, and a second run asks for the rest only. Rows that
    are no bars go to the quarantine, never their whole file.

    Raises
    ------
    DataFetchError
        Nothing could be had, or fewer of the expected symbols than ``data.min_coverage`` have the last session's bar.
    UsageError
        Source, symbols, dates or options do not fit.
    LakeError
        The disk failed, or a series would mix raw and adjusted prices.
    LockHeldError
        Another process writes bars now.
    """
    started, wanted = clock(), wanted or Wanted()
    course = _course(config, root, wanted, secret=secret, clock=clock, progress=progress)
    path = root / "data_lake"
    if wanted.dry_run:
        return _dry_run(course, path, clock)
    with ExitStack() as stack:
        lake = stack.enter_context(Lake.open(path, create=True, clock=clock))
        for dataset in (BARS, ACTIONS):
            stack.enter_context(lake.writer(dataset))
        before = lake.snapshot().version
        tally = _fetch_all(course, lake, _batches(course, lake))
        found = _coverage(course, lake)
        report = _report(course, lake, tally, found, before)
        if report.lake_version != before:
            receipt = _receipt(course, lake, report, started, clock)
            report = replace(report, receipt=receipt.relative_to(root))
    _refuse_thin(course, report)
    return report


def _course(config: Config, root: Path, wanted: Wanted, *, secret: SecretOf, clock: Clock, progress: Report) -> _Course:
    venue = calendar(config.data.calendar)
    lag = timedelta(minutes=config.data.lag_minutes)
    context = Context(venue, lag, fixed_clock(wanted.now) if wanted.now else clock, root, secret)
    now = context.clock()
    source = open_source(config, wanted.source, wanted.options, context)
    last = venue.last_closed(now, lag) or venue.sessions[0]
    end = wanted.end or config.data.end
    listing = source.listing()
    refuse_empty(listing, source.name)
    whole = listing is not None and wanted.now is None
    asked = span(wanted.start or config.data.start, end, venue, last, whole=whole)
    asked = replace(asked, backwards=wanted.start is not None)
    stored = _stored_symbols(root / "data_lake", source.name, clock) if listing is None else ()
    symbols = wanted_symbols(config, wanted.symbols, listing.symbols if listing else None, stored)
    return _Course(config, wanted, source, venue, now, asked, symbols, listing, progress)


def _stored_symbols(path: Path, source: str, clock: Clock) -> tuple[Symbol, ...]:
    if not (path / CATALOG).exists():
        return ()
    with Lake.open(path, clock=clock) as lake:
        return tuple(symbol for name, symbol in lake.snapshot().series() if name == source)


def _batches(course: _Course, lake: Lake | None) -> tuple[Batch, ...]:
    if course.listing is None:
        snapshot = lake.snapshot() if lake else None
        return plan(course.symbols, course.asked, course.source, snapshot, course.calendar)
    held = set(course.listing.symbols)
    known = [symbol for symbol in course.symbols if symbol in held]
    return cut(known, course.asked.start, course.asked.end, course.source.batch)


def _fetch_all(course: _Course, lake: Lake, asked: Sequence[Batch]) -> _Tally:
    tally = _Tally()
    if course.listing is not None:
        _quarantine(course, lake, tally, course.listing.rejected)
        absent = set(course.symbols) - set(course.listing.symbols)
        tally.failed |= dict.fromkeys(sorted(absent), f"not in {course.source.name}")
        tally.notices += course.listing.notices
    in_a_row = 0
    for number, batch in enumerate(asked):
        course.progress(Progress("backfill", number, len(asked), f"{batch.symbols[0]} to {batch.symbols[-1]}"))
        if in_a_row >= _GIVES_UP_AFTER:
            tally.failed |= dict.fromkeys(batch.symbols, "not tried, because the batches before it failed")
            continue
        try:
            fetched = course.source.fetch(batch.symbols, batch.start or BEFORE_ALL, batch.end or AFTER_ALL)
        except DataFetchError as error:
            tally.failed |= dict.fromkeys(batch.symbols, str(error))
            in_a_row += 1
            continue
        in_a_row = 0
        _store(course, lake, tally, fetched)
    course.progress(Progress("backfill", len(asked), len(asked)))
    return tally


def _store(course: _Course, lake: Lake, tally: _Tally, fetched: Fetched) -> None:
    name = course.source.name
    came = fetched.bars
    if course.wanted.now:  # a replay does not see what was published later, and has nothing against it
        came = came.filter(pl.col("known_at") <= course.now)
    admission = admit(came, course.calendar, course.now)
    before = stored_bars(lake.snapshot(), name, _adjusted(fetched.series))
    spliced = spliced_symbols(admission.accepted, before)
    bars = admission.accepted.filter(~pl.col("symbol").is_in(list(spliced)))
    present = set(bars["symbol"])
    series = {symbol: info for symbol, info in fetched.series.items() if symbol in present}
    actions = fetched.actions.filter(pl.col("symbol").is_in(list(present)))
    _quarantine(course, lake, tally, pl.concat([admission.quarantined, fetched.rejected]))
    # Actions first: bars without their split would be wrong, a split without its bars is nothing.
    tally.actions += lake.append(ACTIONS, actions, source=name).rows
    tally.rows += lake.append(BARS, bars, source=name, series=series).rows
    tally.series |= series
    tally.failed |= {**fetched.failed, **spliced}
    tally.notices += fetched.notices
    if admission.duplicates:
        tally.notices.append(f"{counted(admission.duplicates, 'repeated row')} dropped.")


def _adjusted(series: Mapping[Symbol, SeriesInfo]) -> list[Symbol]:
    return [symbol for symbol, info in series.items() if info.adjustment is not Adjustment.RAW]


def _quarantine(course: _Course, lake: Lake, tally: _Tally, rows: pl.DataFrame) -> None:
    if rows.height:
        lake.quarantine(BARS, rows, source=course.source.name)
        tally.quarantined += rows.height
        tally.reasons += Counter(reasons(rows))


def _coverage(course: _Course, lake: Lake) -> Coverage:
    stored = stored_bars(lake.snapshot(), course.source.name, course.symbols)
    # An archive ends when it ends; a vendor is expected to have the last session.
    last = course.asked.end if course.listing is None else None
    stored = stored.filter(pl.col("session") <= course.asked.last)
    return coverage(stored, course.symbols, course.calendar, last)


def _dry_run(course: _Course, path: Path, clock: Clock) -> BackfillReport:
    if not (path / CATALOG).exists():
        return _planned(course, _batches(course, None), 0)
    with Lake.open(path, clock=clock) as lake:
        return _planned(course, _batches(course, lake), lake.snapshot().version)


def _planned(course: _Course, asked: tuple[Batch, ...], version: int) -> BackfillReport:
    notices = (*course.asked.notices, *(course.listing.notices if course.listing else ()))
    return BackfillReport(
        status="done" if asked else "skipped",
        source=course.source.name,
        symbols=len(course.symbols),
        lake_version=version,
        warnings=notices,
        dry_run=True,
        batches=asked,
    )


def _report(course: _Course, lake: Lake, tally: _Tally, covered: Coverage, before: int) -> BackfillReport:
    snapshot = lake.snapshot()
    name = course.source.name
    infos = [
        info for (source, symbol), info in snapshot.series().items() if source == name and symbol in course.symbols
    ]
    new = snapshot.version != before
    return BackfillReport(
        status="partial" if tally.failed or covered.absent else "done" if new else "skipped",
        source=name,
        symbols=len(course.symbols),
        lake_version=snapshot.version,
        warnings=(*_warnings(course, tally, covered, infos), *_hints(course, snapshot.sources())),
        rows=tally.rows,
        actions=tally.actions,
        quarantined=tally.quarantined,
        reasons=dict(tally.reasons.most_common()),
        failed=dict(sorted(tally.failed.items())),
        coverage=covered,
        adjustment=dict(Counter(info.adjustment.value for info in infos)),
        assumed=any(info.assumed for info in infos),
        survivors_only=any(info.survivors_only for info in infos),
        hand_picked=any(info.hand_picked for info in infos),
    )


def _warnings(course: _Course, tally: _Tally, covered: Coverage, infos: Sequence[SeriesInfo]) -> list[str]:
    found = [*course.asked.notices, *dict.fromkeys(tally.notices)]
    found += [f"Rows quarantined because {reason}: {count}." for reason, count in tally.reasons.most_common()]
    if tally.failed:
        found.append(f"{counted(len(tally.failed), 'symbol')} not fetched: {by_reason(tally.failed)}.")
    if late := [symbol for symbol in covered.absent if symbol not in tally.failed]:
        found.append(f"No bar on the last session, {covered.session}: {some(late, 10)}.")
    found += [text for trait, text in _CAUTIONS.items() if any(getattr(info, trait) for info in infos)]
    return found


def _hints(course: _Course, sources: Sequence[str]) -> Iterator[str]:
    if course.calendar.name == "XNYS" and any("/" in symbol for symbol in course.symbols):
        yield "Pairs such as BTC/USD trade every day: give them a root of their own, with data.calendar 24/7."
    if len(sources) > 1 and course.config.data.source is None:
        yield f"The lake holds bars of {', '.join(sources)}: set data.source to say which one is read."


def _receipt(course: _Course, lake: Lake, report: BackfillReport, started: datetime, clock: Clock) -> Path:
    wanted, snapshot = course.wanted, lake.snapshot()
    receipt = Receipt(
        run_id=wanted.run_id or f"backfill-{started:%Y%m%dT%H%M%SZ}",
        command="backfill",
        arguments={
            "source": course.source.name,
            "symbols": list(course.symbols),
            "start": wanted.start,
            "end": wanted.end,
            "options": dict(wanted.options),
        },
        started_at=started,
        finished_at=clock(),
        lake_version=report.lake_version,
        inputs=dict(course.listing.inputs) if course.listing else {},
        outputs={dataset: snapshot.content_hash(dataset) for dataset in (BARS, ACTIONS)},
        settings=course.config.model_dump(mode="json"),
        origins=wanted.origins,
        seed=None,
        versions=versions(),
    )
    return write_receipt(lake.root, receipt)


def _refuse_thin(course: _Course, report: BackfillReport) -> None:
    """Raise where too little of the last session is there; what was fetched stays."""
    found, failed = report.coverage, {Symbol(symbol): reason for symbol, reason in report.failed.items()}
    if found is None or found.share >= course.config.data.min_coverage:
        return
    if found.session is None and report.quarantined:
        raise _no_bar_among(report)
    fix = "Run the same command again: what was fetched is kept, only the rest is asked for."
    if course.listing is not None:
        fix = "Add what is missing or name fewer --symbols, then run again: what was fetched is kept."
    if failed and not report.rows and not report.actions:
        got = report.symbols - len(failed)
        raise DataFetchError(f"{got} of {report.symbols} symbols fetched: {by_reason(failed)}.", fix=fix)
    least = course.config.data.min_coverage
    reasons_of = {**dict.fromkeys(found.absent, "no bar that day"), **failed}
    raise DataFetchError(
        f"{found.present} of {found.present + len(found.absent)} symbols have a bar on {found.session} "
        f"({found.share:.1%}, data.min_coverage is {least:.1%}): {by_reason(reasons_of)}.",
        fix=fix,
    )


def _no_bar_among(report: BackfillReport) -> DataFetchError:
    causes = ", ".join(f"{reason} ({count})" for reason, count in report.reasons.items())
    return DataFetchError(
        f"Not one row of {report.source} is a bar: all {report.quarantined} were quarantined: {causes}.",
        fix="Mend them; `aitrader lake export quarantine/bars/1d --out rows.csv` shows each with its reason.",
    )
