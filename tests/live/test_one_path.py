"""The same sessions traded one by one and played at once: one code path must give one result."""

import shutil
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from aitrader.backtest.run import run_backtest
from aitrader.config.load import load
from aitrader.config.schema import Config, Schedule
from aitrader.domain.calendars import calendar
from aitrader.domain.clock import fixed_clock
from aitrader.domain.events import ActionBooked, BookValued, DecisionMade, Event, FillBooked, OrderRefused, OrderSending
from aitrader.domain.orders import Entry
from aitrader.domain.positions import Book
from aitrader.engine.schedule import window
from aitrader.jobs.assembly.book import Visit, open_book
from aitrader.jobs.assembly.past import Asked as PastAsked
from aitrader.jobs.assembly.past import past
from aitrader.jobs.trade import Asked, trade
from aitrader.journal.queries import of_kind, replay
from aitrader.lake.model_store import ModelStore
from aitrader.lake.store import Lake

SESSIONS = 20
XNYS = calendar("XNYS")
LATER = fixed_clock(datetime.fromisoformat("2026-01-05T12:00Z"))


class Course(NamedTuple):
    """What happened to a book: everything that both ways must agree on."""

    targets: list[tuple]
    orders: list[tuple]
    refused: list[tuple]
    fills: list[tuple]
    actions: list[tuple]
    values: list[tuple]
    book: Book


def course(events: Sequence[Event], cash) -> Course:
    return Course(
        [(row.decision, dict(row.targets), row.equity) for row in of_kind(events, DecisionMade)],
        [(row.order.client_id, row.order) for row in of_kind(events, OrderSending)],
        [(row.client_id, row.code) for row in of_kind(events, OrderRefused)],
        [(row.fill.client_id, row.fill.quantity, row.fill.price, row.fill.fee) for row in of_kind(events, FillBooked)],
        [(row.at, row.symbol, row.kind, row.value) for row in of_kind(events, ActionBooked)],
        [(row.session, row.equity, row.cash) for row in of_kind(events, BookValued)],
        replay(events, cash),
    )


def played(config: Config, root: Path, days) -> Course:
    with Lake.open(root / "data_lake") as lake:
        asked = PastAsked(start=days[0], end=days[-1], allow_rejected=True)
        found = past(config, lake.snapshot(), ModelStore(lake.root), asked, LATER())
    return course(run_backtest(found.tape, found.plan).events, config.backtest.cash)


def traded(config: Config, root: Path, days, times: Callable) -> Course:
    """Trade each session but the first at each of its ``times``, and look at the book in the last evening."""
    moments = [moment for day in days[1:] for moment in times(day)]
    for number, moment in enumerate(moments):
        trade(config, root, Asked(Visit("trade", f"run-{number}", moment, LATER), allow_rejected=True))
    evening = Visit("trade", "run-last", evening_of(days[-1]), LATER)
    assert trade(config, root, Asked(evening)).status == "skipped"
    with open_book(config, root, evening, mode="read") as book:
        return course(book.journal.events(), config.account.cash)


def evening_of(day) -> datetime:
    return XNYS.close_of(day) + timedelta(hours=2)


def in_window(entry: Entry) -> Callable:
    """Return what says, for each session, a time inside the window of ``entry``."""

    def times(day):
        return [window(day, entry, XNYS, Schedule()).opens + timedelta(minutes=1)]

    return times


def again_and_again(day) -> list[datetime]:
    """Before the open, twice inside the window, in the evening."""
    opened = XNYS.open_of(day)
    inside = [opened + timedelta(minutes=6), opened + timedelta(hours=3)]
    return [opened - timedelta(hours=2), *inside, evening_of(day)]


def only_if_something_is_due(day) -> list[datetime]:
    """Every other session, as the strategy decides."""
    due = XNYS.position(day) % 2 == 1
    return in_window(Entry.AFTER_OPEN)(day) if due else []


def last_sessions(root: Path) -> list:
    with Lake.open(root / "data_lake") as lake:
        days = lake.snapshot().bars()["session"].unique().sort().to_list()
    return days[-SESSIONS - 1 :]


def test_sessions_traded_one_by_one_give_the_backtest_of_those_sessions(sample_root):
    config = load(sample_root, env={}).config
    days = last_sessions(sample_root)

    one_by_one = traded(config, sample_root, days, in_window(Entry.AFTER_OPEN))
    at_once = played(config, sample_root, days)

    assert len(one_by_one.targets) == SESSIONS
    assert len(one_by_one.orders) > SESSIONS
    assert_same(one_by_one, at_once)


@pytest.mark.parametrize("entry", list(Entry))
def test_splits_dividends_gaps_and_partial_fills_change_nothing_about_that(eventful_root, tmp_path, entry):
    root = Path(shutil.copytree(eventful_root, tmp_path / "root"))
    config = load(root, env={}, sets=[f"execution.entry={entry.value}"]).config
    days = last_sessions(root)

    one_by_one = traded(config, root, days, in_window(entry))
    at_once = played(config, root, days)

    assert {kind for _, _, kind, _ in one_by_one.actions} == {"split", "dividend"}
    assert len(one_by_one.targets) == SESSIONS // 2
    ordered = {name: order.quantity for name, order in one_by_one.orders}
    assert any(quantity < ordered[name] for name, quantity, _, _ in one_by_one.fills)
    assert_same(one_by_one, at_once)


@pytest.mark.parametrize("times", [again_and_again, only_if_something_is_due])
def test_how_often_trade_runs_changes_nothing_about_that(eventful_root, tmp_path, times):
    root = Path(shutil.copytree(eventful_root, tmp_path / "root"))
    config = load(root, env={}).config
    days = last_sessions(root)

    run_by_run = traded(config, root, days, times)
    at_once = played(config, root, days)

    assert len(run_by_run.targets) == SESSIONS // 2
    assert_same(run_by_run, at_once)


def test_bars_that_come_each_evening_give_it_on_the_machines_clock_too(eventful_root, tmp_path):
    root = Path(shutil.copytree(eventful_root, tmp_path / "root"))
    config = load(root, env={}).config
    days = last_sessions(root)
    with Lake.open(root / "data_lake") as lake:
        bars, actions, series = lake.snapshot().bars(), lake.snapshot().actions(), lake.snapshot().series()
    bars = bars.filter(
        pl.col("symbol") != "E"
    )  # whose missing open the venue knows in the past, and not in the morning
    shutil.rmtree(root / "data_lake")

    def backfill(chosen: pl.DataFrame) -> None:
        with Lake.open(root / "data_lake", create=True) as lake:
            named = {symbol: info for (_, symbol), info in series.items() if symbol != "E"}
            lake.append("bars/1d", chosen.drop("recorded_at"), source="test", series=named)
            lake.append("actions", actions.drop("recorded_at"), source="test")

    def run(number: int, moment: datetime) -> None:
        trade(config, root, Asked(Visit("trade", f"run-{number}", None, fixed_clock(moment))))

    backfill(bars.filter(pl.col("session") <= days[0]))
    for number, day in enumerate(days[1:]):
        run(2 * number, XNYS.open_of(day) + timedelta(minutes=6))
        backfill(bars.filter(pl.col("session") == day))
        run(2 * number + 1, evening_of(day))
    with open_book(config, root, Visit("status", "", None, fixed_clock(evening_of(days[-1]))), mode="read") as book:
        day_by_day = course(book.journal.events(), config.account.cash)

    assert {kind for _, _, kind, _ in day_by_day.actions} == {"split", "dividend"}
    assert_same(day_by_day, played(config, root, days))


def assert_same(one: Course, other: Course) -> None:
    assert one.targets == other.targets
    assert one.orders == other.orders
    assert one.refused == other.refused
    assert one.fills == other.fills
    assert one.actions == other.actions
    both = {session for session, _, _ in one.values} & {session for session, _, _ in other.values}
    assert len(both) >= SESSIONS - 1
    assert [row for row in one.values if row[0] in both] == [row for row in other.values if row[0] in both]
    assert one.book == other.book
