"""Features that were built in several runs equal, bit for bit, those of one run over the same bars."""

import random
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from aitrader.config.schema import Config
from aitrader.domain.calendars import calendar
from aitrader.domain.clock import fixed_clock
from aitrader.domain.frames import ACTIONS, BARS, Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.domain.symbols import Symbol
from aitrader.errors import InsufficientDataError, LakeError, UsageError
from aitrader.features.feature import load, spec_of
from aitrader.jobs.assembly import feature_bars, feature_builds
from aitrader.jobs.assembly.feature_units import stored_key
from aitrader.jobs.assembly.learning import feature_set
from aitrader.jobs.calculate_features import Wanted, calculate_features
from aitrader.lake.feature_store import FeatureStore
from aitrader.lake.store import Lake
from aitrader.lake.verify import verify
from aitrader.panel.plan import groups_of

NOW = datetime(2014, 1, 2, 12, tzinfo=UTC)
VENUE = calendar("XNYS")
DAYS = VENUE.between(date(2012, 1, 3), date(2013, 6, 28))
SYMBOLS = tuple(f"S{number:02d}" for number in range(12))
SETTINGS = {
    "data": {"source": "files"},
    "universe": {"min_history": 25, "min_dollar_volume": 1.0},
    "features": {
        "min_names": 4,
        "custom": {
            "smoothed_rank": "(close / close.shift(3) - 1).rank_across().ema(9)",
            "mean_smooth": "close.ema(7).mean(30) / close",
            "traded_gap": "traded_open / traded_close.shift(1) - 1",
            "weekly_smooth": "weekly(close.ema(4)) / close",
        },
        "sets": {
            "few": ["momentum", "ema", "momentum_rank", "smoothed_rank", "mean_smooth", "traded_gap", "weekly_smooth"]
        },
        "compute": ["few"],
    },
}


def market(seed=5):
    """Bars as traded with gaps, a late listing, a halt and a delisting; splits and dividends."""
    rng = np.random.default_rng(seed)
    frames, actions = [], []
    for number, symbol in enumerate(SYMBOLS):
        close = 50 * np.exp(rng.normal(0, 0.02, len(DAYS)).cumsum())
        for place in rng.integers(30, len(DAYS), 4):
            kind = "split" if rng.random() < 0.5 else "dividend"
            number_ = 2.0 if kind == "split" else 0.4
            close = np.where(np.arange(len(DAYS)) >= place, close / 2 if kind == "split" else close, close)
            known = datetime.combine(DAYS[place], datetime.min.time(), UTC)
            pair = (number_, None) if kind == "split" else (None, number_)
            actions.append((symbol, DAYS[place], kind, *pair, "files", known))
        frame = pl.DataFrame(
            {
                "symbol": symbol,
                "session": DAYS,
                "open": close * (1 + rng.normal(0, 0.004, len(DAYS))),
                "high": close * 1.012,
                "low": close * 0.988,
                "close": close,
                "volume": np.round(rng.lognormal(12, 1, len(DAYS))),
                "vwap": close * 1.001,
                "adj_close": None,
                "source": "files",
                "known_at": [VENUE.close_of(day) for day in DAYS],
            },
            schema=BARS,
        )
        there = rng.random(len(DAYS)) > 0.02
        there[: 40 * (number % 4 == 1)] = False
        there[-55 : -5 if number == 2 else -55] = False
        frames.append(frame.filter(pl.Series(there)))
    found = pl.DataFrame(actions, schema=ACTIONS, orient="row").unique(
        ["symbol", "ex_date", "kind"], maintain_order=True
    )
    return pl.concat(frames), found


BARS_OF, ACTIONS_OF = market()


class Root:
    """A root with a lake that is fed and built step by step."""

    def __init__(self, path, settings=SETTINGS):
        self.path = path
        self.config = Config.model_validate(settings)
        with Lake.open(path / "data_lake", create=True, clock=fixed_clock(NOW)):
            pass

    def feed(self, bars, actions=None):
        series = {Symbol(symbol): SeriesInfo("files", Adjustment.RAW) for symbol in bars["symbol"].unique()}
        with Lake.open(self.path / "data_lake", clock=fixed_clock(NOW)) as lake:
            if not bars.is_empty():
                lake.append("bars/1d", bars, source="files", series=series)
            if actions is not None and not actions.is_empty():
                lake.append("actions", actions, source="files")
        return self

    def until(self, last, first=date.min, symbols=SYMBOLS):
        span = pl.col("session").is_between(first, last) & pl.col("symbol").is_in(symbols)
        return self.feed(BARS_OF.filter(span), ACTIONS_OF.filter(pl.col("ex_date").is_between(first, last)))

    def build(self, *sets, **wanted):
        return calculate_features(self.config, self.path, Wanted(sets=sets, **wanted), clock=fixed_clock(NOW))

    def stored(self):
        with Lake.open(self.path / "data_lake", clock=fixed_clock(NOW)) as lake:
            view = lake.snapshot()
            assert verify(lake.root, view, deep=True, tell=lambda *_: None).problems == ()
            assert view.stale_features() == ()
            return view.feature_frame()


def assert_same(one, other):
    """Compare two tables of features by their bits."""
    assert one.columns == other.columns
    assert one.select("symbol", "session").equals(other.select("symbol", "session"))
    differing = [
        name
        for name in one.columns[2:]
        if one[name].fill_null(np.nan).to_numpy().tobytes() != other[name].fill_null(np.nan).to_numpy().tobytes()
    ]
    assert differing == []


def keys_of(root):
    """Return the builds of the root's features, by display name."""
    with Lake.open(root.path / "data_lake", clock=fixed_clock(NOW)) as lake:
        view = lake.snapshot()
        return {view.column_names(build)[key]: build for key, build in view.builds().items()}


def done(report):
    return {feature.name: feature.done for feature in report.features}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The features of one run over all bars."""
    root = Root(tmp_path_factory.mktemp("whole")).until(DAYS[-1])
    root.build()
    return root.stored()


@pytest.fixture
def root(tmp_path):
    """A root whose features know all sessions but the last three."""
    root = Root(tmp_path).until(DAYS[-4])
    root.build()
    return root


def test_every_registered_feature_is_the_same_when_it_is_built_day_after_day(tmp_path):
    everything = (*(name for name, known in load().items() if not groups_of(spec_of(known).expr)), "few")
    built = Root(tmp_path / "whole").until(DAYS[-1])
    built.build(*everything)
    grown = Root(tmp_path / "grown")
    cuts = (DAYS[290], DAYS[291], DAYS[300], DAYS[-1])
    grown.until(cuts[0]).build(*everything)

    for before, last in pairwise(cuts):
        grown.until(last, before + timedelta(days=1)).build(*everything)

    assert_same(grown.stored(), built.stored())


def test_a_new_session_reads_the_last_bars_only_and_writes_its_own_cells_only(root, whole, monkeypatch):
    read = []
    whole_slab = feature_bars.Bars.slab
    monkeypatch.setattr(feature_bars.Bars, "slab", lambda *a, **b: read.append(len(a[2])) or whole_slab(*a, **b))

    root.until(DAYS[-1], DAYS[-3]).build()

    assert max(read) < 160
    with Lake.open(root.path / "data_lake") as lake:
        files = [file for file in lake.snapshot().files() if file.schema_id == "features/1"]
    assert [(file.first, file.last) for file in files[-2:]] == [(str(DAYS[-3]), str(DAYS[-1]))] * 2
    assert_same(root.stored(), whole)


def test_many_new_sessions_are_folded_into_one_file(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(feature_builds, "DELTAS", 3)
    monkeypatch.setattr(feature_builds, "FEW", 3)
    root = Root(tmp_path).until(DAYS[-12])
    root.build()

    for day in DAYS[-11:]:
        root.until(day, day).build()

    assert_same(root.stored(), whole)
    assert {len(build.part_paths) for build in keys_of(root).values()} == {6}


def test_a_revision_builds_its_symbol_alone_and_cross_sections_as_a_whole(root, whole):
    before = keys_of(root)
    late = BARS_OF.filter((pl.col("symbol") == "S04") & (pl.col("session") == DAYS[200])).with_columns(
        pl.col("close") * 1.01, pl.col("high") * 1.01, pl.col("known_at") + timedelta(days=9)
    )
    root.feed(late).build()

    now = keys_of(root)
    assert now["ema"].part_paths[:-1] == before["ema"].part_paths
    with Lake.open(root.path / "data_lake") as lake:
        patch = lake.snapshot().opened(now["ema"].part_paths[-1], ["symbol"])
    assert patch["symbol"].unique().to_list() == ["S04"]
    assert not set(now["momentum_rank"].part_paths) & set(before["momentum_rank"].part_paths)
    again = Root(root.path / "again").until(DAYS[-4]).feed(late)
    again.build()
    assert_same(root.stored(), again.stored())


@pytest.mark.parametrize("kind", ["split", "dividend"])
def test_a_back_dated_action_builds_its_symbol_anew(root, kind):
    number = (2.0, None) if kind == "split" else (None, 0.3)
    known = datetime(2013, 6, 27, tzinfo=UTC)
    late = pl.DataFrame([("S05", DAYS[111], kind, *number, "files", known)], schema=ACTIONS, orient="row")
    root.feed(BARS_OF.clear(), late).build()

    again = Root(root.path / "again").until(DAYS[-4]).feed(BARS_OF.clear(), late)
    again.build()
    assert_same(root.stored(), again.stored())


def test_an_action_known_before_its_day_counts_when_it_comes(tmp_path, whole):
    root = Root(tmp_path)
    root.feed(BARS_OF.filter(pl.col("session") <= DAYS[150]), ACTIONS_OF).build()
    root.feed(BARS_OF.filter(pl.col("session") > DAYS[150])).build()

    assert_same(root.stored(), whole)


def test_prepended_history_builds_its_symbols_anew(tmp_path, whole):
    root = Root(tmp_path)
    cut = (pl.col("session") > DAYS[60]) | ~pl.col("symbol").is_in(["S00", "S07"])
    root.feed(BARS_OF.filter(cut), ACTIONS_OF).build()

    root.feed(BARS_OF.filter(~cut)).build()

    assert_same(root.stored(), whole)


def test_history_on_sessions_that_nobody_had_builds_everything_anew(tmp_path, whole):
    root = Root(tmp_path)
    lost = pl.col("session").is_in(DAYS[100:103])
    root.feed(BARS_OF.filter(~lost), ACTIONS_OF).build()

    root.feed(BARS_OF.filter(lost)).build()

    assert_same(root.stored(), whole)


def test_a_new_symbol_joins_what_is_stored(tmp_path, whole):
    root = Root(tmp_path).until(DAYS[-1], symbols=SYMBOLS[:11])
    root.build()

    root.until(DAYS[-1], symbols=SYMBOLS[11:]).build()

    assert_same(root.stored(), whole)


def test_a_symbol_that_is_listed_on_the_new_session_joins_what_is_stored(tmp_path):
    late = pl.col("session") >= DAYS[-2]
    bars = BARS_OF.filter(late | (pl.col("symbol") != "S03"))
    root = Root(tmp_path / "grown")
    root.feed(bars.filter(~late), ACTIONS_OF).build()
    root.feed(bars.filter(late)).build()

    built = Root(tmp_path / "whole").feed(bars, ACTIONS_OF)
    built.build()
    assert_same(root.stored(), built.stored())


def test_one_feature_more_is_built_alone(root):
    before = keys_of(root)

    report = root.build("few", "rsi")

    assert {name for name, what in done(report).items() if what == "computed"} == {"rsi"}
    now = keys_of(root)
    assert {name: now[name] for name in before} == before


def test_some_of_the_features_go_on_alone_and_the_others_catch_up(root, whole):
    root.until(DAYS[-2], DAYS[-3]).build("ema", "momentum_rank")
    root.until(DAYS[-1], DAYS[-1]).build()

    assert_same(root.stored(), whole)


def test_small_memory_gives_the_same_bits(tmp_path, whole, monkeypatch):
    tight = Root(tmp_path, {**SETTINGS, "features": {**SETTINGS["features"], "max_memory": 1e-4}})
    monkeypatch.setattr(feature_builds, "PART_BYTES", 1 << 14)
    monkeypatch.setattr(feature_builds, "PIECE_BYTES", 1 << 13)

    tight.until(DAYS[-1]).build()

    assert_same(tight.stored(), whole)
    assert min(len(build.part_paths) for build in keys_of(tight).values()) >= 2


def test_an_earlier_time_hides_later_bars_and_the_next_run_shows_them_again(root, whole):
    root.until(DAYS[-1], DAYS[-3])
    earlier = VENUE.close_of(DAYS[-3]) + timedelta(minutes=1)

    seen = root.build(now=earlier)
    root.build()

    assert seen.last == DAYS[-3]
    assert_same(root.stored(), whole)


def test_a_build_of_an_earlier_time_goes_on_with_what_became_known(tmp_path, whole):
    root = Root(tmp_path).until(DAYS[-1])
    for day in (DAYS[-9], DAYS[-8], DAYS[-3]):
        root.build(now=VENUE.close_of(day) + timedelta(minutes=1))
    root.build()

    assert_same(root.stored(), whole)
    assert {len(build.part_paths) for build in keys_of(root).values()} == {4}


def test_a_later_end_shows_the_sessions_that_an_earlier_one_hid(tmp_path, whole):
    root = Root(tmp_path, {**SETTINGS, "data": {"source": "files", "end": DAYS[-6]}}).until(DAYS[-1])
    root.build()
    assert set(done(root.build()).values()) == {"fresh"}

    root.config = Config.model_validate(SETTINGS)
    root.build()

    assert_same(root.stored(), whole)


def test_fewer_symbols_leave_what_is_stored_and_more_are_added_to_it(tmp_path, whole):
    root = Root(tmp_path).until(DAYS[-2])
    root.build("ema", symbols=["S03", "S07"])
    root.until(DAYS[-1], DAYS[-1]).build("ema", symbols=["S03"])
    assert root.stored()["symbol"].unique().sort().to_list() == ["S03", "S07"]

    root.build("ema")

    assert_same(root.stored(), whole.select("symbol", "session", "ema"))


def test_pieces_of_which_no_symbol_is_wanted_are_left_out(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(feature_builds, "PIECE_BYTES", 1)
    root = Root(tmp_path).until(DAYS[-1])

    root.build("momentum_rank", symbols=["S03", "S07"])

    chosen = whole.filter(pl.col("symbol").is_in(["S03", "S07"]))
    assert_same(root.stored(), chosen.select("symbol", "session", "momentum_rank"))


def test_bars_of_another_source_change_nothing(root):
    before = keys_of(root)
    other = BARS_OF.filter(symbol="S01").with_columns(pl.lit("other").alias("source"))
    with Lake.open(root.path / "data_lake", clock=fixed_clock(NOW)) as lake:
        series = {Symbol("S01"): SeriesInfo("other", Adjustment.TOTAL)}
        lake.append("bars/1d", other, source="other", series=series)

    assert set(done(root.build()).values()) == {"fresh"}
    assert keys_of(root) == before


@pytest.mark.parametrize("stop", [1, 3])
def test_an_interrupted_build_of_cross_sections_goes_on_where_it_stopped(tmp_path, whole, monkeypatch, stop):
    tight = Root(tmp_path, {**SETTINGS, "features": {**SETTINGS["features"], "max_memory": 1e-4}})
    tight.until(DAYS[-1])
    kept, calls = FeatureStore.keep, []

    def interrupted(*arguments):
        kept(*arguments)
        calls.append(1)
        if len(calls) == stop:
            raise KeyboardInterrupt

    monkeypatch.setattr(FeatureStore, "keep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tight.build("smoothed_rank")
    monkeypatch.setattr(FeatureStore, "keep", kept)
    with Lake.open(tmp_path / "data_lake", clock=fixed_clock(NOW)) as lake:
        stored = {file.path for file in lake.snapshot().files()}
    tight.build("smoothed_rank")

    parts = keys_of(tight)["smoothed_rank"].part_paths
    assert len(stored & set(parts)) == stop
    names = ["symbol", "session", "smoothed_rank"]
    assert_same(tight.stored().select(names), whole.select(names))


def test_news_of_symbols_outside_a_narrow_universe_is_seen_by_the_next_wide_one(root):
    revised = BARS_OF.filter((pl.col("symbol") == "S04") & (pl.col("session") == DAYS[200])).with_columns(
        pl.col("close") * 1.01, pl.col("high") * 1.01, pl.col("known_at") + timedelta(days=9)
    )
    root.feed(revised)
    narrow = {**SETTINGS, "universe": {**SETTINGS["universe"], "symbols": [s for s in SYMBOLS if s != "S04"]}}
    root.config = Config.model_validate(narrow)
    root.build("ema")
    root.config = Config.model_validate(SETTINGS)

    root.build()

    again = Root(root.path / "again").until(DAYS[-4]).feed(revised)
    again.build()
    assert_same(root.stored(), again.stored())


def test_an_end_that_hides_new_bars_for_one_run_does_not_hide_them_from_the_next(root, whole):
    root.until(DAYS[-1], DAYS[-3])
    root.config = Config.model_validate({**SETTINGS, "data": {"source": "files", "end": DAYS[-4]}})
    assert set(done(root.build()).values()) == {"fresh"}
    root.config = Config.model_validate(SETTINGS)

    root.build()

    assert_same(root.stored(), whole)


def test_computing_some_symbols_in_full_keeps_the_others(root):
    before = root.stored()

    root.build(full=True, symbols=["S03"])

    assert_same(root.stored(), before)


def test_a_damaged_part_of_an_interrupted_build_is_built_again_with_all_that_follow(tmp_path, whole, monkeypatch):
    tight = Root(tmp_path, {**SETTINGS, "features": {**SETTINGS["features"], "max_memory": 1e-4}})
    tight.until(DAYS[-1])
    kept, calls = FeatureStore.keep, []

    def interrupted(store, columns, files, token):
        kept(store, columns, files, token)
        calls.append(files[0].path)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(FeatureStore, "keep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tight.build("smoothed_rank")
    monkeypatch.setattr(FeatureStore, "keep", kept)
    (tmp_path / "data_lake" / calls[1]).unlink()

    tight.build("smoothed_rank")

    assert_same(tight.stored(), whole.select("symbol", "session", "smoothed_rank"))


def test_parts_of_a_complete_build_are_not_gone_on_with(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(feature_builds, "PART_BYTES", 1)
    monkeypatch.setattr(feature_builds, "PIECE_BYTES", 4000)
    root = Root(tmp_path).until(DAYS[-1])
    root.build("ema")
    root.build("ema", full=True)
    (tmp_path / "data_lake" / keys_of(root)["ema"].part_paths[1]).unlink()

    root.build("ema")

    assert_same(root.stored(), whole.select("symbol", "session", "ema"))


def test_parts_of_an_interrupted_full_run_do_not_meet_those_of_another_run(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(feature_builds, "PART_BYTES", 1)
    monkeypatch.setattr(feature_builds, "PIECE_BYTES", 4000)
    root, kept = Root(tmp_path).until(DAYS[-1]), FeatureStore.keep

    def interrupted(*arguments):
        kept(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(FeatureStore, "keep", interrupted)
    for full in (False, True):
        with pytest.raises(KeyboardInterrupt):
            root.build("ema", full=full)
    monkeypatch.setattr(FeatureStore, "keep", kept)

    root.build("ema")

    assert_same(root.stored(), whole.select("symbol", "session", "ema"))


@pytest.mark.parametrize("name", ["ema", "momentum_rank"])
def test_symbols_that_had_no_bars_yet_are_refused(tmp_path, name):
    root = Root(tmp_path).until(DAYS[-1])

    with pytest.raises(InsufficientDataError, match="S01 has no bars known at 2012-02-01T"):
        root.build(name, symbols=["S01"], now=VENUE.close_of(DAYS[20]))


def test_a_time_before_all_bars_is_named(tmp_path):
    root = Root(tmp_path).until(DAYS[-1])

    with pytest.raises(InsufficientDataError, match="no bars known at 2011-12-01T00:00:00"):
        root.build(now=datetime(2011, 12, 1, tzinfo=UTC))


def test_an_earlier_time_does_not_replace_what_knows_more_unless_all_is_wanted(root):
    before, earlier = root.stored(), VENUE.close_of(DAYS[-9]) + timedelta(minutes=1)

    with pytest.raises(UsageError, match=f"know bars up to {DAYS[-4]}, more than was known at 2013-06-18"):
        root.build(now=earlier)

    assert root.stored().equals(before)
    assert root.build(now=earlier, full=True).last == DAYS[-9]


@pytest.mark.parametrize(
    ("sets", "early"), [(("ema", "mean_smooth", "weekly_smooth"), 8), (("momentum_rank", "smoothed_rank"), 12)]
)
@pytest.mark.parametrize(("memory", "sessions"), [(1e-4, 205), (4.0, len(DAYS))])
def test_many_new_sessions_and_symbols_are_added_in_stretches_that_fit_memory(
    tmp_path, whole, monkeypatch, sets, early, memory, sessions
):
    settings = {**SETTINGS, "features": {**SETTINGS["features"], "max_memory": memory}}
    grown = Root(tmp_path, settings).until(DAYS[80], symbols=SYMBOLS[:early])
    grown.build(*sets)
    grown.until(DAYS[80], symbols=SYMBOLS[early:]).until(DAYS[-1], DAYS[81])
    read, slab = [], feature_bars.Bars.slab
    monkeypatch.setattr(feature_bars.Bars, "slab", lambda *a, **b: read.append(len(a[1]) * len(a[2])) or slab(*a, **b))

    grown.build(*sets)

    assert_same(grown.stored(), whole.select("symbol", "session", *sorted(sets)))
    assert max(read) <= len(SYMBOLS) * sessions


def test_a_build_of_too_many_patches_is_replaced_by_a_whole_one(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(feature_builds, "PATCHES", 3)
    root, parts = Root(tmp_path).until(DAYS[-6]), []
    for day in DAYS[-6:]:
        root.until(day, day).build("ema")
        parts.append(len(keys_of(root)["ema"].part_paths))

    assert parts == [1, 2, 3, 4, 1, 2]
    assert_same(root.stored(), whole.select("symbol", "session", "ema"))


def test_a_damaged_small_part_is_not_folded_but_everything_built_again(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(feature_builds, "DELTAS", 3)
    root = Root(tmp_path).until(DAYS[-6])
    root.build("ema")
    for day in DAYS[-5:-1]:
        root.until(day, day).build("ema")
    part = keys_of(root)["ema"].part_paths[-1]
    opened = feature_builds.overlaid

    def flipped(parts, *rest):
        if part in parts:
            raise LakeError(f"{part} is damaged")
        return opened(parts, *rest)

    monkeypatch.setattr(feature_builds, "overlaid", flipped)
    monkeypatch.setattr(feature_builds, "DELTAS", 1)
    root.until(DAYS[-1], DAYS[-1]).build("ema")

    assert part not in keys_of(root)["ema"].part_paths
    assert_same(root.stored(), whole.select("symbol", "session", "ema"))


class Story:
    """A lake that grows at random: what it is fed, and builds under changing settings, some of them interrupted."""

    def __init__(self, root, seed):
        self.root = root
        self.random = random.Random(seed)
        self.fed = []
        self.names = sorted(self.random.sample(SYMBOLS, 8))
        self.stop = 0
        self.days(self.random.randint(60, 200))

    def feed(self, bars, actions=None):
        self.fed.append((bars, actions))
        self.root.feed(bars, actions)

    def span(self, first, names):
        return BARS_OF.filter(pl.col("session").is_between(DAYS[first], DAYS[self.stop]), pl.col("symbol").is_in(names))

    def days(self, count=None):
        first, self.stop = self.stop, min(len(DAYS) - 1, self.stop + (count or self.random.choice([1, 1, 3, 40])))
        known = pl.col("ex_date").is_between(DAYS[first], DAYS[self.stop])
        self.feed(self.span(first, self.names), ACTIONS_OF.filter(known))

    def symbol(self):
        self.names = sorted({*self.names, self.random.choice(SYMBOLS)})
        self.feed(self.span(0, self.names))

    def revise(self):
        chosen = (self.random.choice(self.names), DAYS[self.random.randint(0, self.stop)])
        change, later = self.random.uniform(0.99, 1.01), timedelta(days=1, minutes=len(self.fed))
        self.feed(
            BARS_OF.filter(symbol=chosen[0], session=chosen[1]).with_columns(
                pl.col("close") * change, pl.col("known_at") + later
            )
        )

    def set(self, **data):
        memory = self.random.choice([1e-4, 4.0])
        universe = {"symbols": self.random.sample(self.names, 5)} if data.pop("narrow", False) else {}
        self.root.config = Config.model_validate(
            {
                "data": {**SETTINGS["data"], **data},
                "universe": {**SETTINGS["universe"], **universe},
                "features": {**SETTINGS["features"], "max_memory": memory},
            }
        )

    def interrupt(self, monkeypatch):
        commit, left = FeatureStore._commit, [self.random.randint(0, 3)]

        def stopped(*arguments):
            commit(*arguments)
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
            patch.setattr(FeatureStore, "_commit", stopped)
            self.root.build(full=self.random.random() < 0.3)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happened_before_a_build_has_the_values_of_one_run(tmp_path, monkeypatch, seed):
    story = Story(Root(tmp_path / "grown"), seed)
    for name in ("PATCHES", "DELTAS", "FEW", "LEAST"):
        monkeypatch.setattr(feature_builds, name, story.random.choice([3, getattr(feature_builds, name)]))
    monkeypatch.setattr(feature_builds, "PART_BYTES", 1 << 14)
    monkeypatch.setattr(feature_builds, "PIECE_BYTES", 1 << 12)
    happenings = {
        "days": story.days,
        "symbol": story.symbol,
        "revise": story.revise,
        "narrow": lambda: story.set(narrow=True),
        "end": lambda: story.set(end=DAYS[story.stop - story.random.choice([0, 2])]),
        "some": lambda: story.root.build("ema", symbols=story.random.sample(story.names, 2)),
        "interrupt": lambda: story.interrupt(monkeypatch),
    }
    for _ in range(7):
        story.set()
        happenings[story.random.choice(sorted(happenings))]()
        if story.random.random() < 0.8:
            story.root.build()
    story.set()
    story.root.build()

    once = Root(tmp_path / "once")
    for bars, actions in story.fed:
        once.feed(bars, actions)
    once.build()
    with Lake.open(story.root.path / "data_lake", clock=fixed_clock(NOW)) as lake:
        view, specs = lake.snapshot(), feature_set(story.root.config, "few")
        bars = feature_bars.Bars(story.root.config, view)
        found = view.feature_frame(keys={spec.name: stored_key(spec, story.root.config, bars) for spec in specs})
    assert_same(found.select(once.stored().columns), once.stored())
