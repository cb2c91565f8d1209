"""The store as a person who depends on it would specify it."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aitrader.domain.frames import BARS, PREDICTIONS, Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.errors import ConfigError, LakeError, UsageError
from aitrader.lake.store import Lake

VALUES = BARS.names()


def changed(bars, day, close, **more):
    return bars.with_columns(pl.when(pl.col("session") == day).then(close).otherwise("close").alias("close"), **more)


def test_what_goes_in_comes_out_sorted(lake, make_bars, append):
    bars = make_bars(("ON", "AAPL"))

    append(lake, bars.sample(fraction=1, shuffle=True, seed=3))

    assert lake.snapshot().bars().select(VALUES).equals(bars.sort("symbol", "session"))


@pytest.mark.parametrize("symbol", ["ON", "NO", "TRUE", "NA", "CON", "PRN", "BRK.B", "BTC/USD", "1E5"])
def test_symbols_stay_the_text_they_are(lake, make_bars, append, symbol):
    append(lake, make_bars((symbol,)))

    assert lake.snapshot().bars(symbols=[symbol])["symbol"].unique().to_list() == [symbol]


def test_files_are_cut_by_year_and_any_tool_can_open_them(lake, make_bars, append):
    commit = append(lake, make_bars())

    assert [path.rpartition("/")[0] for path in commit.files] == ["bars/1d/year=2012", "bars/1d/year=2013"]
    rows = pl.concat(pl.read_parquet(lake.root / path) for path in commit.files)
    assert rows.sort("symbol", "session").equals(make_bars())


def test_appending_the_same_rows_again_changes_nothing(lake, make_bars, append):
    first = append(lake, make_bars())

    again = append(lake, make_bars(), as_of=date(2024, 1, 1))

    assert (again.rows, again.files, again.version) == (0, (), first.version)
    assert lake.snapshot().version == first.version


def test_only_new_rows_are_written(lake, make_bars, append):
    append(lake, make_bars(count=5))

    commit = append(lake, make_bars(count=6))

    assert commit.rows == 2
    assert lake.snapshot().bars().height == 12


def test_a_shorter_history_deletes_nothing(lake, make_bars, append):
    append(lake, make_bars(count=6))

    append(lake, make_bars(count=2))

    assert lake.snapshot().bars().height == 12


def test_a_revision_is_a_new_row_and_the_newest_one_is_read(lake, make_bars, append):
    append(lake, make_bars())

    commit = append(lake, changed(make_bars(), date(2013, 1, 2), 11.5))

    assert commit.rows == 2
    shown = lake.snapshot().bars()
    assert shown.height == 12
    assert shown.filter(pl.col("session") == date(2013, 1, 2))["close"].to_list() == [11.5, 11.5]


def test_a_revision_that_is_taken_back_is_kept_too(lake, make_bars, append):
    bars = make_bars()
    append(lake, bars)
    append(lake, changed(bars, date(2013, 1, 2), 11.5))

    commit = append(lake, bars)

    assert commit.rows == 2
    assert lake.snapshot().bars().select(VALUES).equals(bars)


def test_as_of_shows_what_was_recorded_then(lake, make_bars, append):
    bars = make_bars()
    first = append(lake, bars)
    append(lake, changed(bars, date(2013, 1, 2), 11.5))

    old = lake.snapshot(as_of=first.recorded_at)

    assert old.version == first.version
    assert old.bars().select(VALUES).equals(bars)
    assert lake.snapshot(as_of=first.recorded_at - timedelta(seconds=1)).version == 0


def test_now_hides_what_the_market_could_not_know(lake, make_bars, append):
    bars = make_bars()
    append(lake, bars)

    shown = lake.snapshot(now=datetime(2012, 12, 31, 21, 14, 59, tzinfo=UTC)).bars()

    assert shown["session"].max() == date(2012, 12, 28)
    assert lake.snapshot(now=datetime(2012, 12, 31, 21, 15, tzinfo=UTC)).bars()["session"].max() == date(2012, 12, 31)


def test_now_shows_the_first_print_until_its_revision_was_published(lake, make_bars, append):
    bars = make_bars(("ON",), count=1)
    revised = bars.with_columns(pl.lit(11.5).alias("close"), pl.col("known_at") + timedelta(days=1))

    append(lake, pl.concat([bars, revised]))

    before = lake.snapshot(now=bars["known_at"][0])
    assert before.bars()["close"].to_list() == [11.0]
    assert lake.snapshot().bars()["close"].to_list() == [11.5]


def test_an_older_publication_that_comes_late_does_not_win(lake, make_bars, append):
    bars = make_bars(("ON",), count=1)
    revised = bars.with_columns(pl.lit(11.5).alias("close"), pl.col("known_at") + timedelta(days=1))
    append(lake, revised)

    append(lake, bars)

    assert lake.snapshot().bars()["close"].to_list() == [11.5]
    assert append(lake, pl.concat([bars, revised])).rows == 0


def test_a_later_known_at_alone_is_no_revision(lake, make_bars, append):
    bars = make_bars()
    append(lake, bars)

    assert append(lake, bars.with_columns(pl.col("known_at") + timedelta(days=2))).rows == 0
    assert append(lake, bars.with_columns(pl.col("known_at") - timedelta(minutes=5))).rows == 0
    assert lake.snapshot().bars().select(VALUES).equals(bars)


def test_times_without_an_offset_are_refused(lake):
    with pytest.raises(ValueError, match="no UTC offset"):
        lake.snapshot(now=datetime(2013, 1, 1))  # noqa: DTZ001 - a time without a zone is the case


def test_rows_of_two_sources_never_mix(lake, make_bars, append):
    append(lake, make_bars())
    append(lake, make_bars(source="yahoo", close=11.0))

    with pytest.raises(ConfigError, match="files, yahoo") as caught:
        lake.snapshot().bars()

    assert "data.source" in caught.value.fix
    assert lake.snapshot().bars(source="yahoo")["source"].unique().to_list() == ["yahoo"]
    with pytest.raises(ConfigError, match="'alpaca'"):
        lake.snapshot().bars(source="alpaca")


def test_two_feeds_of_one_vendor_never_mix_either(lake, make_bars, append):
    append(lake, make_bars(source="alpaca:sip"))
    assert lake.snapshot().bars(source="alpaca").height == 12

    append(lake, make_bars(source="alpaca:iex"))

    with pytest.raises(ConfigError, match="alpaca:iex, alpaca:sip"):
        lake.snapshot().bars(source="alpaca")
    assert lake.snapshot().bars(source="alpaca:sip").height == 12


def test_a_source_without_a_feed_can_be_chosen_beside_one_with_a_feed(lake, make_bars, append):
    append(lake, make_bars(source="files"))
    append(lake, make_bars(source="files:other", close=11.5))

    assert lake.snapshot().bars(source="files")["source"].unique().to_list() == ["files"]


def test_a_lake_without_bars_says_so(lake):
    with pytest.raises(LakeError, match="holds no bars") as caught:
        lake.snapshot().bars()

    assert "backfill" in caught.value.fix


def test_there_is_no_lake_until_somebody_makes_one(tmp_path):
    with pytest.raises(LakeError, match="There is no lake"):
        Lake.open(tmp_path / "none")

    assert not (tmp_path / "none").exists()


def test_bars_can_be_cut_by_symbol_and_session(lake, make_bars, append):
    append(lake, make_bars())

    cut = lake.snapshot().bars(symbols=["ON"], start=date(2012, 12, 31), end=date(2013, 1, 2))

    assert cut.select("symbol", "session").rows() == [("ON", date(2012, 12, 31)), ("ON", date(2013, 1, 2))]


def test_a_snapshot_does_not_see_later_commits(lake, make_bars, append):
    append(lake, make_bars(("ON",)))
    view = lake.snapshot()

    append(lake, make_bars(("AAPL",)))

    assert view.bars()["symbol"].unique().to_list() == ["ON"]
    assert view.version == 1
    assert lake.snapshot().version == 2


def test_rows_that_contradict_each_other_are_refused(lake, make_bars, append):
    bars = make_bars(("ON",), count=1)

    with pytest.raises(ValueError, match="contradict"):
        append(lake, pl.concat([bars, bars.with_columns(pl.lit(99.0).alias("close"))]))

    assert lake.snapshot().version == 0


def test_repeated_rows_are_stored_once(lake, make_bars, append):
    bars = make_bars()

    assert append(lake, pl.concat([bars, bars])).rows == 12


def test_bars_of_which_nobody_said_how_they_are_adjusted_are_refused(lake, make_bars):
    with pytest.raises(ValueError, match=r"without a series for BRK\.B, ON"):
        lake.append("bars/1d", make_bars(), source="files")


def test_bars_of_another_source_than_named_are_refused(lake, make_bars):
    with pytest.raises(ValueError, match="not of source 'yahoo'"):
        lake.append("bars/1d", make_bars(), source="yahoo")


@pytest.mark.parametrize("name", ["bars/../x", "bars/1w", "", "predictions/a/b", "features", "quarantine/../../x"])
def test_only_known_datasets_have_a_place(lake, make_bars, name):
    with pytest.raises(UsageError):
        lake.append(name, make_bars(), source="files")


def test_nan_and_null_are_the_same_missing_value(lake, make_bars, append):
    append(lake, make_bars(vwap=float("nan")))

    assert append(lake, make_bars(vwap=None)).rows == 0
    assert lake.snapshot().bars()["vwap"].null_count() == 12


def test_the_content_hash_does_not_depend_on_commits_order_or_time(tmp_path, make_bars, append):
    bars = make_bars()
    with Lake.open(tmp_path / "a", create=True) as one, Lake.open(tmp_path / "b", create=True) as two:
        append(one, bars)
        for part in (bars[7:], bars[:4], bars[2:9]):
            append(two, part)
        hashes = [lake.snapshot().content_hash("bars/1d") for lake in (one, two)]
        append(two, changed(bars, date(2013, 1, 2), 11.5))
        later = two.snapshot().content_hash("bars/1d")

    assert hashes[0] == hashes[1]
    assert later != hashes[0]


def test_the_content_hash_is_that_of_the_rows_in_view(lake, make_bars, append):
    bars = make_bars()
    append(lake, bars[:3])
    early = lake.snapshot().content_hash("bars/1d")
    append(lake, bars)

    cut = lake.snapshot(now=datetime(2012, 12, 31, 22, tzinfo=UTC))

    assert cut.content_hash("bars/1d") != lake.snapshot().content_hash("bars/1d")
    assert (
        lake.snapshot(as_of=lake.snapshot().datasets()[0].recorded_at - timedelta(hours=1)).content_hash("bars/1d")
        == early
    )


def test_series_come_back_as_they_were_told(lake, make_bars):
    info = SeriesInfo(
        "files", Adjustment.TOTAL, assumed=True, as_of=date(2013, 8, 9), hand_picked=True, note="a 'note'"
    )

    lake.append("bars/1d", make_bars(("ON",)), source="files", series={"ON": info})

    assert lake.snapshot().series() == {("files", "ON"): info}


def test_actions_are_kept_beside_the_bars(lake, make_actions):
    actions = make_actions(("ON", date(2013, 1, 2), "split", 2.0), ("ON", date(2013, 1, 2), "dividend", 0.5))

    lake.append("actions", actions, source="files")
    lake.append("actions", actions, source="files")

    assert lake.snapshot().actions()["kind"].to_list() == ["dividend", "split"]
    assert lake.snapshot().actions(symbols=["AAPL"]).is_empty()
    assert lake.snapshot().actions(source="yahoo").is_empty()


def test_predictions_are_found_by_version_and_kind(lake):
    rows = [
        ("ON", date(2013, 1, 2), "ridge", version, 1, kind, 0.5) for version in "12" for kind in ("oof", "shuffled")
    ]

    lake.append("predictions/ridge", pl.DataFrame(rows, schema=PREDICTIONS, orient="row"), source="train")

    view = lake.snapshot()
    assert view.predictions("ridge").height == 4
    assert view.predictions("ridge", version="2", kind="oof")["version"].to_list() == ["2"]
    assert view.predictions("lightgbm").is_empty()


SESSIONS = np.array(["2012-12-27", "2012-12-28"], dtype="datetime64[D]")
GRID = np.array([[1.0, np.nan], [3.0, 4.0]], dtype=np.float32)


def test_features_are_found_by_key_and_keep_their_bits(lake, make_bars, append, store_features):
    append(lake, make_bars())

    store_features(lake, SESSIONS, ["BRK.B", "ON"], {"k1": ("momentum", GRID), "k2": ("m(2)", GRID * 3)})

    view = lake.snapshot()
    found = view.feature_frame(["m(2)"])
    assert set(view.builds()) == {"k1", "k2"}
    assert found["symbol"].to_list() == ["BRK.B", "BRK.B", "ON", "ON"]
    assert found["session"].to_list() == [*SESSIONS.tolist(), *SESSIONS.tolist()]
    assert found["m(2)"].fill_null(np.nan).to_numpy().tobytes() == (GRID * 3).tobytes()


def test_features_of_older_bars_are_not_fresh(lake, make_bars, append, store_features):
    append(lake, make_bars(count=5))
    store_features(lake, SESSIONS, ["BRK.B", "ON"], {"k": ("f", GRID)})
    assert lake.snapshot().stale_features() == ()

    append(lake, make_bars(count=6))

    assert lake.snapshot().stale_features() == ("f",)


def test_a_new_corporate_action_makes_features_stale(lake, make_bars, make_actions, append, store_features):
    append(lake, make_bars())
    store_features(lake, SESSIONS, ["BRK.B", "ON"], {"k": ("f", GRID)})

    lake.append("actions", make_actions(("ON", date(2012, 12, 28), "split", 2.0)), source="files")

    assert lake.snapshot().stale_features() == ("f",)


def test_an_action_after_the_last_session_of_features_leaves_them_fresh(
    lake, make_bars, make_actions, append, store_features
):
    append(lake, make_bars())
    store_features(lake, SESSIONS, ["BRK.B", "ON"], {"k": ("f", GRID)})

    lake.append("actions", make_actions(("ON", date(2013, 2, 1), "split", 2.0)), source="files")

    assert lake.snapshot().stale_features() == ()


def test_a_later_build_of_a_feature_replaces_the_earlier_one(lake, store_features):
    store_features(lake, SESSIONS, ["A", "B"], {"k": ("f", GRID)})
    first = [file.path for file in lake.snapshot().files()]
    store_features(lake, SESSIONS, ["A", "B"], {"k": ("f", GRID + 1)})

    assert lake.snapshot().feature_frame()["f"].to_list() == [2.0, None, 4.0, 5.0]
    assert lake.snapshot().replaced() == set(first)


def test_features_name_the_source_of_their_bars(lake, make_bars, append, store_features):
    append(lake, make_bars())
    store_features(lake, SESSIONS, ["BRK.B", "ON"], {"k": ("f", GRID)})

    assert [info.sources for info in lake.snapshot().datasets()] == [("files",), ("files",)]


def test_features_that_know_what_a_view_hides_are_not_shown(lake, make_bars, append, store_features):
    append(lake, make_bars(count=5))
    store_features(lake, SESSIONS, ["BRK.B", "ON"], {"k": ("f", GRID)})

    with pytest.raises(LakeError, match="know bars that were not known at 2012-12-28T12:00"):
        lake.snapshot(now=datetime(2012, 12, 28, 12, tzinfo=UTC)).feature_frame()


@pytest.mark.parametrize("now", [None, datetime(2013, 1, 10, tzinfo=UTC), datetime(2013, 1, 8, tzinfo=UTC)])
def test_parts_of_bars_together_are_the_bars_and_each_is_of_one_year(lake, make_bars, append, now):
    append(lake, make_bars())
    append(lake, make_bars(("ON",), count=1, close=11.5, known_at=datetime(2013, 1, 9, tzinfo=UTC)))
    append(lake, make_bars(("ON",), count=1, close=11.7, known_at=datetime(2013, 1, 9, tzinfo=UTC), volume=7.0))
    append(lake, make_bars(("AMD",)))
    view, columns = lake.snapshot(now=now), ["symbol", "session", "close"]

    parts = list(view.bar_parts(columns, source="files"))

    assert max(part["session"].dt.year().n_unique() for part in parts) == 1
    assert pl.concat(parts).sort("symbol", "session").equals(view.bars().select(columns))


def test_feature_rows_of_several_builds_join(lake, store_features):
    store_features(lake, SESSIONS, ["A", "B"], {"k1": ("f", GRID)})
    store_features(lake, SESSIONS[:1], ["B"], {"k2": ("g", GRID[1:, :1])})

    frame = lake.snapshot().feature_frame()

    assert frame.columns == ["symbol", "session", "f", "g"]
    assert frame["f"].to_list() == [1.0, None, 3.0, 4.0]
    assert frame["g"].to_list() == [None, None, 3.0, None]
    with pytest.raises(LakeError, match="1 of the wanted features"):
        lake.snapshot().feature_frame(["f", "h"])


def test_quarantined_rows_are_kept_as_they_came(lake, make_bars):
    rows = make_bars(("../../x",), count=1).with_columns(
        pl.lit(None, pl.Date()).alias("session"), pl.lit("not a symbol").alias("reason")
    )

    lake.quarantine("bars/1d", rows, source="files")
    lake.quarantine("bars/1d", rows, source="files")

    assert lake.snapshot().read("quarantine/bars/1d").drop("recorded_at").equals(rows)
    assert [info.name for info in lake.snapshot().datasets()] == ["quarantine/bars/1d"]


def test_recorded_at_never_runs_backwards(tmp_path, make_bars, append):
    path = tmp_path / "lake"
    with Lake.open(path, create=True, clock=lambda: datetime(2024, 1, 1, tzinfo=UTC)) as lake:
        append(lake, make_bars(("ON",)))
    with Lake.open(path, clock=lambda: datetime(2013, 1, 1, tzinfo=UTC)) as lake:
        commit = append(lake, make_bars(("AAPL",)))

    assert commit.recorded_at == datetime(2024, 1, 1, tzinfo=UTC)
