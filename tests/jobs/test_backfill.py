"""What backfill asks a vendor for, keeps, refuses and tries again, on a vendor that the test plays itself."""

import sys
from datetime import UTC, date, datetime, timedelta
from types import ModuleType

import polars as pl
import pytest

from aitrader.config.fields import Section
from aitrader.config.schema import Config
from aitrader.domain.calendars import calendar
from aitrader.domain.clock import fixed_clock
from aitrader.domain.frames import Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.errors import (
    DataFetchError,
    InvalidSymbolError,
    LakeError,
    LockHeldError,
    Stopped,
    UnknownNameError,
    UsageError,
)
from aitrader.jobs.backfill import Wanted, backfill
from aitrader.lake.store import Lake
from aitrader.sources import SOURCES
from aitrader.sources.source import ACTION_ROWS, Fetched, to_actions, to_bars

XNYS = calendar("XNYS")
FRIDAY = datetime(2024, 6, 14, 22, tzinfo=UTC)
NAMES = ["AAA", "BBB", "CCC", "DDD", "EEE"]


class Settings(Section):
    """The played vendor has one setting."""

    colour: str = ""


class Vendor:
    """Holds prices by symbol and day (``born``: first day); notes what it is asked; fails where it is told to."""

    Settings = Settings
    name = "vendor:x"
    batch = 2

    def __init__(self):
        self.asked = []
        self.broken = set()
        self.unknown = set()
        self.born = date(2024, 6, 3)
        self.holes = set()
        self.adjustment = Adjustment.RAW
        self.factor = 1.0
        self.actions = []
        self.on_fetch = lambda batch: None

    def __call__(self, settings, context):
        self.context = context
        self.colour = settings.colour
        return self

    def listing(self):
        return None

    def fetch(self, symbols, start, end):
        self.asked.append((tuple(symbols), start, end))
        self.on_fetch(symbols)
        if self.broken & set(symbols):
            raise DataFetchError("network unreachable.")
        rows = [
            (symbol, day, 10 * self.factor, 11 * self.factor, 9 * self.factor, 10 * self.factor, 100.0)
            for symbol in symbols
            if symbol not in self.unknown
            for day in XNYS.between(max(start, self.born), end)
            if (symbol, day) not in self.holes
        ]
        names = ("symbol", "session", "open", "high", "low", "close", "volume")
        table = pl.DataFrame(rows, schema=[*((name, None) for name in names)], orient="row")
        if table.is_empty():
            return Fetched(to_bars(table.cast({"symbol": pl.String, "session": pl.Date}), **self.how), {})
        info = SeriesInfo(self.name, self.adjustment)
        found = pl.DataFrame([row for row in self.actions if row[0] in symbols], schema=ACTION_ROWS, orient="row")
        return Fetched(
            to_bars(table, **self.how),
            dict.fromkeys(table["symbol"].unique(), info),
            to_actions(found, source=self.name, calendar=XNYS),
        )

    @property
    def how(self):
        return {"source": self.name, "calendar": XNYS, "lag": timedelta(minutes=15)}


@pytest.fixture
def vendor(monkeypatch):
    played = Vendor()
    module = ModuleType("played_vendor")
    module.make = played
    monkeypatch.setitem(sys.modules, "played_vendor", module)
    monkeypatch.setitem(SOURCES, "vendor", "played_vendor:make")
    return played


@pytest.fixture
def run(vendor, tmp_path):
    def make(*, now=FRIDAY, config=None, progress=lambda _: None, **wanted):
        asked = Wanted(**{"source": "vendor", "symbols": NAMES, **wanted})
        return backfill(config or Config(), tmp_path, asked, clock=fixed_clock(now), progress=progress)

    return make


@pytest.fixture
def stored(tmp_path):
    def read():
        with Lake.open(tmp_path / "data_lake") as lake:
            return lake.snapshot().bars(source="vendor:x")

    return read


@pytest.fixture
def content(tmp_path):
    def read(root=tmp_path):
        with Lake.open(root / "data_lake") as lake:
            return lake.snapshot().content_hash("bars/1d")

    return read


def test_everything_is_fetched_in_batches_and_counted(run, vendor, stored, tmp_path):
    report = run()

    assert [symbols for symbols, _, _ in vendor.asked] == [("AAA", "BBB"), ("CCC", "DDD"), ("EEE",)]
    assert report.rows == stored().height == 5 * 10  # sessions from 3 to 14 June
    assert (report.status, report.coverage.share, report.coverage.session) == ("done", 1.0, date(2024, 6, 14))
    assert (tmp_path / report.receipt).is_file()


def test_a_second_run_asks_for_nothing_and_says_so(run, vendor):
    first = run()
    vendor.asked.clear()

    second = run()

    assert (vendor.asked, second.rows, second.status, second.receipt) == ([], 0, "skipped", None)
    assert second.lake_version == first.lake_version


def test_a_later_run_asks_for_the_new_sessions_only(run, vendor):
    run(now=FRIDAY - timedelta(days=3))
    vendor.asked.clear()

    report = run()

    assert {asked[1:] for asked in vendor.asked} == {(date(2024, 6, 12), date(2024, 6, 14))}
    assert report.rows == 5 * 3


def test_the_session_that_is_not_over_with_its_lag_is_not_asked_for(run, vendor):
    run(now=datetime(2024, 6, 14, 20, 10, tzinfo=UTC))

    assert {end for _, _, end in vendor.asked} == {date(2024, 6, 13)}


def test_an_early_close_counts_as_the_end_of_its_session(run, vendor):
    vendor.born = date(2023, 11, 1)

    run(now=datetime(2023, 11, 24, 18, 16, tzinfo=UTC), start=date(2023, 11, 20))

    assert {end for _, _, end in vendor.asked} == {date(2023, 11, 24)}


def test_an_adjusted_series_is_asked_for_whole_because_its_past_may_have_changed(run, vendor, stored):
    vendor.adjustment = Adjustment.SPLIT
    run(now=FRIDAY - timedelta(days=3))
    vendor.asked.clear()
    vendor.factor = 0.5

    run()

    assert {asked[1] for asked in vendor.asked} == {date(2024, 6, 3)}
    assert stored()["close"].unique().to_list() == [5.0]


def test_an_adjusted_series_that_changed_but_came_short_is_left_out_and_the_old_one_stays(run, vendor, stored):
    vendor.adjustment = Adjustment.SPLIT
    run(now=FRIDAY - timedelta(days=3))
    vendor.factor, vendor.born = 0.5, date(2024, 6, 10)

    with pytest.raises(DataFetchError, match="other prices than stored"):
        run()

    assert stored()["close"].unique().to_list() == [10.0]


def test_a_hole_inside_is_asked_for_again(run, vendor, stored):
    vendor.holes = {("BBB", date(2024, 6, 5))}
    run()
    vendor.asked.clear()
    vendor.holes = set()

    run()

    assert vendor.asked == [(("BBB",), date(2024, 6, 5), date(2024, 6, 14))]
    assert stored().height == 50


def test_an_earlier_start_is_asked_for_when_it_is_named(run, vendor, stored):
    run()
    vendor.asked.clear()
    vendor.born = date(2024, 5, 1)

    run(start=date(2024, 5, 28))

    assert {asked[1] for asked in vendor.asked} == {date(2024, 5, 28)}
    assert stored()["session"].min() == date(2024, 5, 28)


def test_days_without_a_session_are_clipped_with_a_notice(run, vendor):
    report = run(start=date(2024, 6, 1), end=date(2024, 6, 9))

    assert {asked[1:] for asked in vendor.asked} == {(date(2024, 6, 3), date(2024, 6, 7))}
    assert "The start 2024-06-01 is no session; 2024-06-03 is used." in report.warnings
    assert "The end 2024-06-09 is no session; 2024-06-07 is used." in report.warnings


@pytest.mark.parametrize(
    ("start", "end"),
    [(date(2024, 6, 8), date(2024, 6, 9)), (date(2024, 7, 1), None), (date(2024, 6, 7), date(2024, 6, 3))],
)
def test_a_span_without_a_session_is_refused(run, start, end):
    with pytest.raises(UsageError, match="no finished session"):
        run(start=start, end=end)


def test_a_dead_network_leaves_the_lake_as_it_was_and_calls_nobody_delisted(run, vendor, content):
    run(now=FRIDAY - timedelta(days=3))
    before = content()
    vendor.broken = set(NAMES)

    with pytest.raises(DataFetchError, match=r"0 of 5 symbols fetched: AAA, BBB, CCC, DDD, EEE \(network"):
        run()

    assert content() == before


def test_what_came_before_a_failure_stays_and_the_next_run_fetches_the_rest(run, vendor, content, tmp_path):
    vendor.broken = {"EEE"}
    with pytest.raises(DataFetchError, match=r"4 of 5 symbols.*EEE \(network"):
        run()
    vendor.broken = set()
    vendor.asked.clear()

    report = run()

    assert [symbols for symbols, _, _ in vendor.asked] == [("EEE",)]
    assert (report.status, report.rows) == ("done", 10)


def test_after_three_batches_that_fail_the_rest_is_not_tried(run, vendor):
    vendor.broken = {"A0", "C0", "E0"}

    with pytest.raises(DataFetchError, match="not tried"):
        run(symbols=["A0", "B0", "C0", "D0", "E0", "F0", "G0", "H0"])

    assert len(vendor.asked) == 3


def test_enough_coverage_is_partial_with_a_warning(run, vendor):
    vendor.broken = {"EEE"}

    report = run(config=Config.model_validate({"data": {"min_coverage": "80%"}}))

    assert (report.status, report.coverage.share, dict(report.failed)) == (
        "partial",
        0.8,
        {"EEE": "network unreachable."},
    )
    assert any("EEE (network unreachable)" in warning for warning in report.warnings)


def test_a_symbol_without_recent_bars_has_ended_and_is_not_missed(run, vendor):
    vendor.born = date(2024, 3, 1)
    run(now=datetime(2024, 3, 28, 22, tzinfo=UTC))
    vendor.unknown = {"EEE"}

    report = run()

    assert (report.status, report.coverage.ended, report.coverage.share) == ("done", ("EEE",), 1.0)


def test_a_symbol_that_the_vendor_does_not_know_counts_as_missing(run, vendor):
    vendor.unknown = {"EEE"}

    with pytest.raises(DataFetchError, match=r"4 of 5 symbols.*EEE \(no bar that day\)"):
        run()


def test_bad_rows_go_to_the_quarantine_and_their_batch_stays(run, vendor, stored, tmp_path):
    good = vendor.fetch

    def dirty(symbols, start, end):
        fetched = good(symbols, start, end)
        first = (pl.col("symbol") == "AAA") & (pl.col("session") == date(2024, 6, 5))
        return Fetched(
            fetched.bars.with_columns(pl.when(first).then(-1.0).otherwise("low").alias("low")), fetched.series
        )

    vendor.fetch = dirty

    report = run()

    assert (report.rows, report.quarantined, dict(report.reasons)) == (49, 1, {"price is not positive": 1})
    with Lake.open(tmp_path / "data_lake") as lake:
        assert lake.snapshot().read("quarantine/bars/1d").height == 1


def test_actions_are_stored_with_their_bars(run, vendor, tmp_path):
    vendor.actions = [("AAA", date(2024, 6, 10), "split", 4.0, None), ("ZZZ", date(2024, 6, 10), "split", 2.0, None)]

    report = run()

    with Lake.open(tmp_path / "data_lake") as lake:
        rows = lake.snapshot().actions().select("symbol", "ex_date", "kind", "ratio").rows()
    assert (report.actions, rows) == (1, [("AAA", date(2024, 6, 10), "split", 4.0)])


def test_a_dry_run_shows_the_plan_and_touches_nothing(run, vendor, tmp_path):
    report = run(dry_run=True)

    assert [(batch.symbols, batch.end) for batch in report.batches] == [
        (("AAA", "BBB"), date(2024, 6, 14)),
        (("CCC", "DDD"), date(2024, 6, 14)),
        (("EEE",), date(2024, 6, 14)),
    ]
    assert (vendor.asked, (tmp_path / "data_lake").exists()) == ([], False)


def test_an_interruption_keeps_the_batches_before_it_and_the_next_run_ends_where_an_uninterrupted_one_would(
    run, vendor, content, tmp_path
):
    def stop(progress):
        if progress.done == 2:
            raise Stopped("Stopped by SIGINT.")

    with pytest.raises(Stopped):
        run(progress=stop)
    assert len(vendor.asked) == 2
    run()
    interrupted = content()
    backfill(Config(), tmp_path / "other", Wanted(source="vendor", symbols=NAMES), clock=fixed_clock(FRIDAY))

    assert interrupted == content(tmp_path / "other")


def test_a_second_writer_is_refused(run, tmp_path):
    with Lake.open(tmp_path / "data_lake", create=True) as lake, lake.writer("bars/1d"), pytest.raises(LockHeldError):
        run()


def test_raw_and_adjusted_prices_are_never_mixed(run, vendor):
    run(now=FRIDAY - timedelta(days=3))
    vendor.adjustment = Adjustment.TOTAL

    with pytest.raises(LakeError, match="raw prices"):
        run()


def test_the_replay_clock_hides_later_sessions(vendor, tmp_path):
    wanted = Wanted(source="vendor", symbols=NAMES, now=FRIDAY - timedelta(days=1))

    backfill(Config(), tmp_path, wanted, clock=fixed_clock(FRIDAY))

    assert {end for _, _, end in vendor.asked} == {date(2024, 6, 13)}


def test_symbols_come_from_the_universe_with_its_market(run, vendor):
    config = Config.model_validate({"universe": {"symbols": ["AAA"], "market": "SPY"}})

    run(symbols=None, config=config)

    assert vendor.asked[0][0] == ("AAA", "SPY")


def test_without_any_symbol_there_is_nothing_to_ask_for(run):
    with pytest.raises(UsageError, match="no symbol to fetch"):
        run(symbols=None)

    with pytest.raises(UsageError, match="no symbol to fetch"):
        run(symbols=None, config=Config.model_validate({"universe": {"symbols": []}}))


@pytest.mark.parametrize("text", ["../../x", "a/b", "", "AA\n", "aapl"])
def test_a_text_that_is_no_symbol_is_refused(run, vendor, text):
    with pytest.raises(InvalidSymbolError):
        run(symbols=["AAA", text])

    assert vendor.asked == []


def test_without_a_source_the_known_ones_are_listed(run):
    with pytest.raises(UsageError, match="No source") as caught:
        run(source=None)

    assert "alpaca, files" in caught.value.fix


def test_an_unknown_source_names_the_nearest(run):
    with pytest.raises(UnknownNameError, match="yahooo") as caught:
        run(source="yahooo")

    assert "yahoo" in caught.value.fix


def test_an_option_that_the_source_does_not_have_is_refused(run):
    with pytest.raises(UsageError, match="no setting path"):
        run(options={"path": "x"})


def test_settings_of_the_source_come_from_its_section(run, vendor):
    run(
        config=Config.model_validate({"data": {"source": "vendor", "sources": {"vendor": {"colour": "red"}}}}),
        source=None,
    )

    assert vendor.colour == "red"


def test_two_sources_in_one_lake_ask_for_a_choice(run, vendor, monkeypatch):
    run()
    vendor.name = "vendor:y"

    report = run()

    assert any("set data.source" in warning for warning in report.warnings)
