import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from aitrader.domain.calendars import calendar
from aitrader.domain.clock import fixed_clock
from aitrader.domain.frames import BARS, Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.domain.symbols import Symbol
from aitrader.jobs.assembly import feature_builds
from aitrader.lake.feature_store import FeatureStore
from aitrader.lake.store import Lake

NOW = datetime(2013, 1, 2, 12, tzinfo=UTC)
SYMBOLS = [f"S{number:02d}" for number in range(12)]
SETTINGS = """
features:
  custom: {my_gap: "open / close.shift(1) - 1"}
  sets: {mine: [momentum, {momentum: {bars: 60}}, my_gap, momentum_rank, ema]}
  compute: [mine]
universe: {min_history: 0}
"""


def _bars(sessions, seed=1):
    rng = np.random.default_rng(seed)
    frames = []
    for symbol in SYMBOLS:
        close = 50 * np.exp(rng.normal(0, 0.02, len(sessions)).cumsum())
        frames.append(
            pl.DataFrame(
                {
                    "symbol": symbol,
                    "session": sessions,
                    "open": close * 1.001,
                    "high": close * 1.01,
                    "low": close * 0.99,
                    "close": close,
                    "volume": rng.lognormal(12, 1, len(sessions)),
                    "vwap": None,
                    "adj_close": None,
                    "source": "files",
                    "known_at": [calendar("XNYS").close_of(session) for session in sessions],
                },
                schema=BARS,
            )
        )
    return pl.concat(frames)


def _append(root, sessions):
    series = {Symbol(symbol): SeriesInfo("files", Adjustment.TOTAL) for symbol in SYMBOLS}
    with Lake.open(root / "data_lake", create=True, clock=fixed_clock(NOW)) as lake:
        lake.append("bars/1d", _bars(sessions), source="files", series=series)


@pytest.fixture
def sessions():
    return calendar("XNYS").between(date(2012, 1, 3), date(2012, 7, 2))


@pytest.fixture
def root(bare_root, sessions):
    (bare_root / "config" / "aitrader.yaml").write_text(SETTINGS)
    _append(bare_root, sessions)
    return bare_root


def _done(ran):
    return {feature["name"]: feature["done"] for feature in ran.envelope["result"]["features"]}


def test_features_are_computed_stored_and_told(run_cli, root):
    ran = run_cli("calculate-features", "--json", root=root)

    assert ran.code == 0
    assert _done(ran) == dict.fromkeys(["momentum", "momentum(bars=60)", "my_gap", "momentum_rank", "ema"], "computed")
    receipt = json.loads(next((root / "data_lake" / "receipts").iterdir()).read_text())
    assert set(receipt["outputs"]) == set(_done(ran))
    with Lake.open(root / "data_lake") as lake:
        frame = lake.snapshot().feature_frame()
    closes = _bars(calendar("XNYS").between(date(2012, 1, 3), date(2012, 7, 2))).filter(symbol="S03")["close"]
    stored = frame.filter(symbol="S03")["momentum"]
    assert stored[:20].null_count() == 20
    assert stored[20] == pytest.approx(closes[20] / closes[0] - 1, rel=1e-6)


def test_a_second_run_computes_nothing_and_writes_nothing(run_cli, root):
    run_cli("calculate-features", root=root)
    before = sorted((root / "data_lake").rglob("*.parquet"))

    ran = run_cli("calculate-features", "--json", root=root)

    assert set(_done(ran).values()) == {"fresh"}
    assert ran.envelope["status"] == "skipped"
    assert sorted((root / "data_lake").rglob("*.parquet")) == before


def test_the_replay_clock_hides_later_bars(run_cli, root, sessions):
    earlier = ("--now", f"{sessions[-1]}T12:00-05:00")
    seen = run_cli("calculate-features", *earlier, "--json", root=root).envelope["result"]
    whole = run_cli("calculate-features", "--json", root=root).envelope["result"]
    refused = run_cli("calculate-features", *earlier, root=root)
    replaced = run_cli("calculate-features", *earlier, "--full", "--json", root=root).envelope["result"]

    assert (seen["last"], whole["last"]) == (str(sessions[-2]), str(sessions[-1]))
    assert {feature["done"] for feature in seen["features"]} == {"computed"}
    assert refused.code == 2
    assert refused.err.splitlines() == [
        f"error: The stored features know bars up to {sessions[-1]}, more than was known at 2012-07-02T12:00:00-05:00.",
        "fix: Name a later --now, or replace them with --full.",
    ]
    assert replaced["last"] == seen["last"]


def test_a_time_before_all_bars_is_named(run_cli, root):
    ran = run_cli("calculate-features", "--now", "2001-01-01T00:00Z", root=root)

    assert ran.code == 3
    assert ran.err.splitlines() == [
        "error: The universe has no bars known at 2001-01-01T00:00:00+00:00.",
        "fix: Name a later --now, or widen `data.start` and `data.end`.",
    ]


def test_only_what_is_missing_is_computed(run_cli, root):
    run_cli("calculate-features", "--feature-set", "momentum", root=root)

    done = _done(run_cli("calculate-features", "--json", root=root))

    assert done.pop("momentum") == "fresh"
    assert set(done.values()) == {"computed"}


def test_new_bars_make_everything_stale(run_cli, root, sessions):
    run_cli("calculate-features", root=root)
    _append(root, calendar("XNYS").between(sessions[0], date(2012, 7, 9)))

    assert set(_done(run_cli("calculate-features", "--json", root=root)).values()) == {"computed"}


def test_another_universe_makes_only_cross_sections_stale(run_cli, root):
    run_cli("calculate-features", root=root)

    done = _done(run_cli("calculate-features", "--json", "--set", 'universe.deny=["S00"]', root=root))

    assert done.pop("momentum_rank") == "computed"
    assert set(done.values()) <= {"fresh"}


def test_full_computes_again(run_cli, root):
    run_cli("calculate-features", root=root)

    assert set(_done(run_cli("calculate-features", "--full", "--json", root=root)).values()) == {"computed"}


def test_dry_run_stores_nothing(run_cli, root):
    ran = run_cli("calculate-features", "--dry-run", "--json", root=root)

    assert set(_done(ran).values()) == {"would compute"}
    assert not (root / "data_lake" / "features").exists()


def test_chosen_symbols_join_what_is_stored(run_cli, root):
    run_cli("calculate-features", "--symbols", "S01,S02", root=root)
    run_cli("calculate-features", "--symbols", "S03", root=root)

    with Lake.open(root / "data_lake") as lake:
        frame = lake.snapshot().feature_frame()

    assert frame["symbol"].unique().sort().to_list() == ["S01", "S02", "S03"]


@pytest.mark.parametrize("harm", [lambda file: file.write_bytes(file.read_bytes()[:-9] + b"x" * 9), Path.unlink])
@pytest.mark.parametrize("option", [(), ("--full",)])
def test_a_damaged_file_of_features_is_computed_again(run_cli, root, harm, option):
    run_cli("calculate-features", root=root)
    with Lake.open(root / "data_lake") as lake:
        before = lake.snapshot().feature_frame()
    harm(next((root / "data_lake" / "features").rglob("*.parquet")))
    assert run_cli("lake", "verify", root=root).code == 3

    ran = run_cli("calculate-features", *option, root=root)

    assert ran.code == 0
    assert run_cli("lake", "verify", "--deep", root=root).code == 0
    with Lake.open(root / "data_lake") as lake:
        assert lake.snapshot().feature_frame().equals(before)


def test_an_interrupted_run_loses_no_finished_part(run_cli, root, monkeypatch):
    monkeypatch.setattr(feature_builds, "PART_BYTES", 1)
    monkeypatch.setattr(feature_builds, "PIECE_BYTES", 1)
    whole, calls = FeatureStore.keep, []

    def interrupted(*arguments):
        whole(*arguments)
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(FeatureStore, "keep", interrupted)
    stopped = run_cli("calculate-features", root=root)
    before = set((root / "data_lake" / "features").rglob("*.parquet"))
    monkeypatch.setattr(FeatureStore, "keep", whole)

    ran = run_cli("calculate-features", root=root)

    assert (stopped.code, ran.code) == (130, 0)
    with Lake.open(root / "data_lake") as lake:
        view = lake.snapshot()
        parts = [path for build in view.builds().values() for path in build.part_paths]
    committed = {str(path.relative_to(root / "data_lake")) for path in before if "states" not in path.name}
    assert len(committed & set(parts)) == 3


def test_an_unknown_set_is_refused_with_the_nearest_name(run_cli, root):
    ran = run_cli("calculate-features", "--feature-set", "momentun", root=root)

    assert ran.code == 2
    assert "momentum" in ran.err


def test_a_feature_that_looks_ahead_is_refused_with_its_column(run_cli, root):
    cheat = "features.custom.cheat=close.shift(-1) / close - 1"

    ran = run_cli("calculate-features", "--feature-set", "cheat", "--set", cheat, root=root)

    assert ran.code == 2
    assert "Column 13" in ran.err
    assert "looks ahead" in ran.err


def test_an_unknown_symbol_is_refused(run_cli, root):
    assert run_cli("calculate-features", "--symbols", "NOPE", root=root).code == 2


def test_an_empty_lake_is_an_error_of_its_data(run_cli, bare_root):
    assert run_cli("calculate-features", root=bare_root).code == 3


def test_a_second_run_at_the_same_time_is_refused(run_cli, root):
    with Lake.open(root / "data_lake") as lake, lake.writer("features/1d"):
        assert run_cli("calculate-features", root=root).code == 6


def test_nothing_to_compute_is_a_wrong_call(run_cli, root):
    ran = run_cli("calculate-features", "--set", "features.compute=[]", root=root)

    assert ran.code == 2
    assert "`features.compute` is empty" in ran.err


def test_a_formula_with_two_names_is_exported_under_both(run_cli, root, tmp_path):
    out = tmp_path / "gaps.parquet"
    settings = ("--set", "features.sets={gaps: [my_gap, gap]}")

    assert run_cli("calculate-features", "--feature-set", "gaps", *settings, root=root).code == 0
    ran = run_cli("lake", "export", "features/1d", "--feature-set", "gaps", "--out", out, *settings, root=root)

    assert ran.code == 0, ran.err
    rows = pl.read_parquet(out)
    assert rows.columns == ["symbol", "session", "my_gap", "gap"]
    assert rows["my_gap"].is_not_null().any()
    assert rows["my_gap"].equals(rows["gap"].alias("my_gap"))
