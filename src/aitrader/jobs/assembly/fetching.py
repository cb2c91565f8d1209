"""Configuration turned into a source of bars, a plan of what to ask it, and a measure of what it gave."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import polars as pl

from aitrader.config.schema import Config
from aitrader.config.section import parse_section
from aitrader.domain.calendars import FIRST, Calendar
from aitrader.domain.frames import Adjustment
from aitrader.domain.symbols import Symbol, parse_symbol
from aitrader.errors import DataFetchError, LakeError, UsageError
from aitrader.lake.epochs import refuse_splice
from aitrader.lake.gaps import missing
from aitrader.lake.snapshot import Snapshot
from aitrader.registry import lookup, names
from aitrader.sources import SOURCES
from aitrader.sources.source import BarSource, Context, Listing

RECENT_SESSIONS: Final = 20
"""A symbol with a bar in so many sessions before the last one is expected to have one there too."""

BEFORE_ALL: Final = date(1900, 1, 1)
AFTER_ALL: Final = date(2199, 12, 31)


@dataclass(frozen=True, slots=True)
class Span:
    """First and last session to ask for, both included (None: whatever there is); ``notices`` say what was moved.

    ``backwards``: the user named the start in this run, so sessions before a symbol's first stored bar are wanted too.
    """

    start: date | None
    end: date | None
    backwards: bool = False
    notices: tuple[str, ...] = ()

    @property
    def first(self) -> date:
        """The earliest day that counts."""
        return self.start or FIRST

    @property
    def last(self) -> date:
        """The latest day that counts."""
        return self.end or AFTER_ALL


@dataclass(frozen=True, slots=True)
class Batch:
    """Symbols that are asked for together, from ``start`` to ``end``; None: the first (last) that the source has."""

    symbols: tuple[Symbol, ...]
    start: date | None
    end: date | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How complete the last session is.

    ``share`` is the fraction of the expected symbols (those with a bar in the 20 sessions before, those on the last
    session, and those asked for of which nothing at all is there) that have a bar on ``session``. ``absent`` are the
    expected ones without; ``ended`` have only older bars.
    """

    session: date | None
    share: float
    present: int
    absent: tuple[Symbol, ...]
    ended: tuple[Symbol, ...]


def open_source(config: Config, name: str | None, options: Mapping[str, Any], context: Context) -> BarSource:
    """Return the source ``name`` (default: ``data.source``) with its settings and ``options`` on top of them.

    Raises
    ------
    UsageError
        No source is chosen, or it knows no such option.
    ConfigError
        A setting is wrong.
    """
    wanted = name or (config.data.source or "").partition(":")[0]
    if not wanted:
        raise UsageError(
            "No source is chosen.",
            fix=f"Use --source NAME, or set data.source; available: {', '.join(names('sources', SOURCES))}.",
        )
    kind = lookup("sources", SOURCES, wanted)
    values: Mapping[str, Any] = config.data.sources.get(wanted, {})
    unknown = sorted(set(options) - set(kind.Settings.model_fields))
    if unknown:
        raise UsageError(
            f"The source {wanted} has no setting {', '.join(unknown)}.",
            fix="Leave the option out, or use --source files.",
        )
    if options:
        values = {**values, **options}
    source: BarSource = kind(parse_section(kind.Settings, values, f"data.sources.{wanted}"), context)
    return source


def span(start: date | None, end: date | None, calendar: Calendar, last: date, *, whole: bool) -> Span:
    """Return the sessions to ask for, up to ``last`` (the last one known by now).

    Days without a session are moved inwards, with a notice. ``whole`` asks an archive for all that it holds, so
    that rows on other days or from the future are seen and quarantined instead of being passed over.

    Raises
    ------
    UsageError
        No session lies between them.
    """
    first = start or FIRST
    inside = calendar.between(first, min(end or last, last))
    if not inside:
        raise UsageError(
            f"There is no finished session of {calendar.name} from {first} to {min(end or last, last)}.",
            fix="Choose another --start or --end.",
        )
    return Span(
        inside[0] if start or not whole else None,
        inside[-1] if end or not whole else None,
        notices=tuple(_moved(start, end, inside, last)),
    )


def _moved(start: date | None, end: date | None, inside: Sequence[date], last: date) -> Iterator[str]:
    if start and inside[0] != start:
        yield f"The start {start} is no session; {inside[0]} is used."
    if end and inside[-1] != end:
        why = "is not over yet" if end > last else "is no session"
        yield f"The end {end} {why}; {inside[-1]} is used."


def wanted_symbols(
    config: Config, given: Sequence[str] | None, listed: Sequence[Symbol] | None, stored: Sequence[Symbol]
) -> tuple[Symbol, ...]:
    """Return what to ask for: the given symbols, else the universe's, else what the source lists, else what is stored.

    Raises
    ------
    InvalidSymbolError
        A given text is no symbol.
    UsageError
        None of them is there.
    """
    if given is not None:
        chosen: Sequence[Symbol] = [parse_symbol(text) for text in given]
    elif config.universe.symbols is not None:
        market = config.universe.market
        extra = [] if market == "universe_mean" or not config.universe.symbols else [market]
        chosen = [parse_symbol(text) for text in (*config.universe.symbols, *extra)]
    else:
        chosen = listed if listed is not None else stored
    if not chosen:
        raise UsageError(
            "There is no symbol to fetch: none given, none in the universe, none in the source.",
            fix="Name them with --symbols AAPL,MSFT, or in universe.symbols.",
        )
    return tuple(sorted(set(chosen)))


def refuse_empty(listing: Listing | None, name: str) -> None:
    """Raise ``DataFetchError`` where the source ``name`` was read and no row of it has a symbol and a date."""
    if listing is not None and not listing.symbols and not listing.rejected.is_empty():
        raise DataFetchError(
            f"No row of {name} can be used. {' '.join(listing.notices)}",
            fix="Mend the file, or say with --map which columns hold symbol and date; nothing was stored.",
        )


def stored_bars(snapshot: Snapshot | None, source: str, symbols: Sequence[Symbol] | None = None) -> pl.DataFrame:
    """Return the symbol, session and close of the stored bars of exactly this source; empty if there are none."""
    if snapshot is None or source not in snapshot.sources():
        return pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date, "close": pl.Float64})
    return snapshot.bars(symbols=symbols, source=source).select("symbol", "session", "close")


def plan(
    symbols: Sequence[Symbol], asked: Span, source: BarSource, snapshot: Snapshot | None, calendar: Calendar
) -> tuple[Batch, ...]:
    """Return what a vendor has to be asked for so that nothing is missing; an empty plan means that nothing is.

    A raw series is asked for from its first missing session on, an adjusted one whole: its past may have been
    rewritten, and two versions of it must not be joined. Sessions before a symbol's first stored bar count as
    missing only if the user named the start: a day before its listing cannot be told from a gap.
    """
    stored = stored_bars(snapshot, source.name, symbols)
    holes = missing(stored, calendar, quarantined=_quarantined(snapshot, source.name))
    inner = holes.symbol_days.group_by("symbol").agg(pl.col("session").min().alias("hole"))
    lives = stored.group_by("symbol").agg(pl.col("session").min().alias("born"), pl.col("session").max().alias("died"))
    rows = lives.join(inner, on="symbol", how="left").iter_rows(named=True)
    infos = snapshot.series() if snapshot else {}
    starts = dict.fromkeys(symbols, asked.first)
    for row in rows:
        symbol = Symbol(row["symbol"])
        gaps = _gaps(row, holes.sessions, asked, calendar)
        info = infos.get((source.name, symbol))
        if not gaps:
            del starts[symbol]
        elif info is not None and info.adjustment is not Adjustment.RAW:
            starts[symbol] = min(row["born"], *gaps)
        else:
            starts[symbol] = min(gaps)
    groups: dict[date, list[Symbol]] = {}
    for symbol, start in starts.items():
        groups.setdefault(start, []).append(symbol)
    return tuple(
        batch for start, group in sorted(groups.items()) for batch in cut(group, start, asked.last, source.batch)
    )


def _gaps(life: Mapping[str, Any], holes: Sequence[date], asked: Span, calendar: Calendar) -> list[date]:
    """Return sessions that a stored symbol lacks: its first hole, what all lack, and the next after its last bar.

    Where earlier ones are wanted, also the first asked for.
    """
    found = [day for day in (life["hole"], *holes) if day and asked.first <= day <= asked.last]
    found += calendar.between(life["died"] + timedelta(days=1), asked.last)[:1]
    if asked.backwards and asked.first < life["born"]:
        found.append(asked.first)
    return found


def cut(symbols: Sequence[Symbol], start: date | None, end: date | None, size: int) -> tuple[Batch, ...]:
    """Return ``symbols`` in batches of at most ``size``."""
    return tuple(Batch(tuple(symbols[at : at + size]), start, end) for at in range(0, len(symbols), size))


def _quarantined(snapshot: Snapshot | None, source: str) -> pl.DataFrame | None:
    if snapshot is None:
        return None
    return snapshot.read("quarantine/bars/1d").filter(pl.col("source") == source)


def spliced_symbols(bars: pl.DataFrame, stored: pl.DataFrame) -> dict[Symbol, str]:
    """Return the symbols whose adjusted ``bars`` are re-adjusted but not as whole as those ``stored``, with the reason.

    Joining them would make a price jump that never happened, so they have to be left out of the batch.
    """
    old = stored.partition_by("symbol", as_dict=True)
    new = bars.filter(pl.col("symbol").is_in(stored["symbol"].unique())).partition_by("symbol", as_dict=True)
    refused = {}
    for key, rows in new.items():
        try:
            refuse_splice(rows, old[key])
        except LakeError as error:
            refused[Symbol(str(key[0]))] = f"{error} {error.fix}"
    return refused


def coverage(bars: pl.DataFrame, symbols: Sequence[Symbol], calendar: Calendar, last: date | None) -> Coverage:
    """Return how complete ``last`` (None: the last session with any bar) is in ``bars``; see ``Coverage``."""
    newest = bars["session"].max()
    session = last or (newest if isinstance(newest, date) else None)
    if session is None:
        return Coverage(None, 0.0, 0, tuple(sorted(symbols)), ())
    before = calendar.sessions[max(0, calendar.position(session) - RECENT_SESSIONS)]
    window = bars.filter(pl.col("session").is_between(before, session))
    recent, have = set(window["symbol"]), set(window.filter(session=session)["symbol"])
    anything = set(bars["symbol"])
    expected = {symbol for symbol in symbols if symbol in recent or symbol not in anything}
    absent = expected - have
    ended = sorted(set(symbols) & anything - recent)
    share = 1 - len(absent) / len(expected) if expected else 0.0
    return Coverage(session, share, len(expected) - len(absent), tuple(sorted(absent)), tuple(map(Symbol, ended)))


def by_reason(failed: Mapping[Symbol, str], shown: int = 3) -> str:
    """Return symbols by their reason: ``MSFT, IBM and 7 more (timed out); ZZZ (not in files)``."""
    groups: dict[str, list[Symbol]] = {}
    for symbol, reason in sorted(failed.items()):
        groups.setdefault(reason.rstrip("."), []).append(symbol)
    texts = [f"{some(symbols)} ({reason})" for reason, symbols in groups.items()]
    return "; ".join(texts[:shown]) + (f"; and {len(texts) - shown} more reasons" if len(texts) > shown else "")


def some(symbols: Sequence[Symbol], shown: int = 5) -> str:
    """Return the first ``shown`` symbols, and how many more there are."""
    more = f" and {len(symbols) - shown} more" if len(symbols) > shown else ""
    return ", ".join(symbols[:shown]) + more
