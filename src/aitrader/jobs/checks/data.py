"""Level ``data``: bars that are there, plausible and complete, and features that do not look ahead on them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl

from aitrader.domain.frames import Adjustment
from aitrader.domain.wording import counted
from aitrader.jobs.assembly.data import Market, decision_session, market
from aitrader.jobs.checks.bench import Bench
from aitrader.jobs.checks.check import Check, Finding, failed, listed, passed, skipped, warned
from aitrader.jobs.progress import Progress
from aitrader.lake.quality import admit
from aitrader.lake.verify import verify
from aitrader.universe.coverage import coverage as measure

CUTS: Final = (0.5, 0.9)
"""Where the history is cut for the look-ahead check, as shares of its sessions."""


def bars(bench: Bench) -> Finding:
    """Say which bars are looked at."""
    report = bench.quality
    if not report.rows:
        return failed("the lake holds no bars of the configured symbols and dates", fix="Run `aitrader backfill`.")
    return passed(
        f"{report.rows:,} bars of {counted(report.symbols, 'symbol')} from {bench.source}, "
        f"{report.first} to {report.last}"
    )


def files(bench: Bench) -> Finding:
    """Read every file of this view; a damaged one raises."""

    def tell(done: int, total: int, path: str) -> None:
        bench.progress(Progress("files", done, total, path))

    found = verify(bench.lake.root, bench.snapshot, deep=True, tell=tell)
    if found.problems:
        named = [f"{one.path}: {one.message}" for one in found.problems]
        return failed(counted(len(named), "damaged file"), named, "Run `aitrader backfill` again for those dates.")
    return passed(f"what was committed is in {counted(found.files, 'file')}, {found.size / 1e6:,.1f} MB")


def quality(bench: Bench) -> Finding:
    """Count the rows that were not admitted, by reason, and test the stored ones again."""
    again = admit(bench.bars, bench.calendar, bench.now)
    if again.quarantined.height:
        return failed(
            f"{again.quarantined.height} stored bars would not be admitted today",
            _counted(again.counts),
            f"Were they fetched under another data.calendar than {bench.calendar.name}? Then set that one, or backfill "
            "into a new root. Else the lake was changed by other hands: run `aitrader lake verify --deep`.",
        )
    counts, rows = bench.quality.reasons, bench.quarantined
    if not rows.height:
        return passed("no row was quarantined")
    outside = rows.filter(pl.col("reason").str.contains_any(["open is outside", "close is outside"])).height
    which = f", {outside} with open or close outside [low, high]" if outside else ""
    symbols = rows["symbol"].drop_nulls().unique().sort().to_list()
    return failed(
        f"{counted(rows.height, 'row')} quarantined{which}",
        [*_counted(counts), f"symbols: {listed(symbols)}"],
        "Compare them with another source; they are under data_lake/quarantine and take no part in anything.",
    )


def sessions(bench: Bench) -> Finding:
    """Look for sessions of the calendar of which no symbol has a bar."""
    missing = bench.quality.missing
    if not missing.sessions:
        return passed(f"all {missing.expected} sessions have bars")
    return failed(
        f"{len(missing.sessions)} missing sessions of {missing.expected}",
        [str(session) for session in missing.sessions],
        f"Run `aitrader backfill --start {missing.sessions[0]} --end {missing.sessions[-1]}`, if the source has them.",
    )


def symbol_days(bench: Bench) -> Finding:
    """Look for other days without a bar between a symbol's first and last one."""
    days = bench.quality.missing.symbol_days
    if days.is_empty():
        return passed("no symbol lacks a day between its first and its last bar")
    by_symbol = days.group_by("symbol").agg(pl.len().alias("days"), pl.col("session").min().alias("first"))
    ordered = by_symbol.sort("days", "symbol", descending=[True, False])
    return failed(
        f"{days.height} other symbol-days missing between a symbol's first and last bar",
        [f"{symbol}: {counted(count, 'day')}, the first {first}" for symbol, count, first in ordered.iter_rows()],
        "Run `aitrader backfill` again; days without trade stay missing, and no value is made up for them.",
    )


def large_gaps(bench: Bench) -> Finding:
    """List opens far from the close before; a gap never quarantines and has no cause here."""
    gaps, limit = bench.quality.gaps, bench.config.quality.max_gap
    if gaps.is_empty():
        return passed(f"no open lies more than {limit:.0%} from the last close before it")
    rows = gaps.select("symbol", "session", "open", "last_close", "gap").iter_rows()
    return warned(
        f"{gaps.height} opens lie more than {limit:.0%} from the last close before them: "
        f"{listed(gaps['symbol'].unique().sort().to_list())}",
        [f"{symbol} {session}: {last:.2f} to {first:.2f} ({gap:+.1%})" for symbol, session, first, last, gap in rows],
        "Look at them before you believe features of these symbols; prices alone do not say the cause.",
    )


def coverage(bench: Bench) -> Finding:
    """Compare the symbols with a bar on the last session with those that had one shortly before."""
    panel, last, least = bench.market.panel, bench.market.sessions[-1], bench.config.data.min_coverage
    found = measure(panel["close"])
    expected = int(found.expected.sum())
    text = (
        f"{int(found.present.sum())} of {expected} symbols have a bar of the last session, {last} ({found.share:.1%})"
    )
    absent = [symbol for symbol, gone in zip(panel.symbols, found.absent, strict=True) if gone]
    if found.share < least:
        return failed(f"{text}; {least:.0%} are needed", absent, "Run `aitrader backfill`.")
    ended = len(panel.symbols) - expected
    return passed(f"{text}; {ended} ended before" if ended else text, absent)


def freshness(bench: Bench) -> Finding:
    """Compare the last session in the lake with the last that has closed."""
    last, due = bench.quality.last, decision_session(bench.config, bench.now)
    assert last is not None
    late = len(bench.calendar.between(last, due)) - 1
    if late > 0:
        return warned(
            f"the last bars are of {last}, {counted(late, 'session')} before {due}", fix="Run `aitrader backfill`."
        )
    return passed(f"the last bars are of {last}, the last session that closed")


def duplicates(bench: Bench) -> Finding:
    """Look for two bars of one symbol and session."""
    twice = bench.bars.filter(pl.struct("symbol", "session").is_duplicated()).select("symbol", "session").unique()
    if twice.height:
        named = [f"{symbol} {session}" for symbol, session in twice.sort("symbol", "session").iter_rows()]
        return failed(f"{twice.height} symbol-days have more than one bar", named, "Run `aitrader lake verify --deep`.")
    return passed("each symbol has at most one bar a session")


def series(bench: Bench) -> Finding:
    """Say what the prices are adjusted for, whether anybody declared it, and what the source left out."""
    known = bench.series.values()
    kinds = {kind.value: sum(info.adjustment is kind for info in known) for kind in Adjustment}
    text = "prices are " + ", ".join(f"{kind} ({count} series)" for kind, count in kinds.items() if count)
    notes = [
        sentence
        for sentence, true in {
            "the adjustment was assumed, not declared: set data.adjustment": any(info.assumed for info in known),
            "adjusted prices: sizes and fees are approximate": bench.market.adjusted,
            "only names that lived to the last day: results are too good": bench.market.survivors_only,
            "somebody chose these names: results are too good": bench.market.hand_picked,
        }.items()
        if true
    ]
    return warned(text, notes) if notes else passed(text)


def look_ahead(bench: Bench) -> Finding:
    """Compute the features on history cut short and compare them, bit for bit, with those of the whole."""
    whole = bench.market
    ends = sorted({int(len(whole.sessions) * share) for share in CUTS} - {0})
    if not ends or not bench.specs:
        return skipped("there is no history to cut, or no feature to compute")
    values, wrong = bench.values(whole), []
    for end in ends:
        cut = _cut(bench, whole, end)
        found, span = bench.values(cut), len(cut.sessions)
        rows = [whole.panel.symbols.index(symbol) for symbol in cut.panel.symbols]
        same = np.array_equal(cut.panel.sessions, whole.panel.sessions[:span])
        wrong += [
            f"{spec.name}: other values up to {cut.sessions[-1]} when later bars are known"
            for spec, before, after in zip(bench.specs, found, values[:, rows, :span], strict=True)
            if not same or not np.array_equal(before, after, equal_nan=True)
        ]
    if wrong:
        return failed(f"{len(wrong)} comparisons differ", wrong, "Do not trade on these features; report this.")
    days = ", ".join(str(whole.sessions[end - 1]) for end in ends)
    return passed(f"{len(bench.specs)} features have the same bits when the history ends on {days}")


def _cut(bench: Bench, whole: Market, end: int) -> Market:
    """Return the market as known once ``end`` sessions were: neither bars nor actions of later days."""
    last = whole.sessions[end - 1]
    known = bench.bars.filter(pl.col("session") <= last)["known_at"].max()
    assert isinstance(known, datetime)
    return market(bench.config, bench.lake.snapshot(now=known), end=last)


def _counted(counts: object) -> Sequence[str]:
    assert isinstance(counts, dict)
    return [f"{counted(count, 'row')}: {reason}" for reason, count in counts.items()]


CHECKS: Final = (
    Check("bars", "Are there bars?", bars),
    Check("files", "Are the lake's files what was committed?", files, needs=("bars",)),
    Check("quality", "Were all rows admitted?", quality, needs=("bars",)),
    Check("sessions", "Does every session have bars?", sessions, needs=("bars",)),
    Check("symbol-days", "Does every symbol have its days?", symbol_days, needs=("bars",)),
    Check("large-gaps", "Does every open lie near the close before?", large_gaps, needs=("bars",)),
    Check("coverage", "Do enough symbols have the last session?", coverage, needs=("bars",)),
    Check("freshness", "Is the last closed session there?", freshness, needs=("bars",)),
    Check("duplicates", "Has each symbol one bar a session?", duplicates, needs=("bars",)),
    Check("series", "Is it known what the prices are?", series, needs=("bars",)),
    Check("look-ahead", "Do features keep their bits without the future?", look_ahead, needs=("bars", "features")),
)
