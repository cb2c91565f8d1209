"""`aitrader lake` as a person would run it."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aitrader.domain.calendars import calendar
from aitrader.domain.frames import BARS, Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.lake.store import Lake

ODD = ("BRK.B", "BTC/USD", "CON", "NA", "NO", "ON", "PRN", "TRUE")
FIRST = date(2012, 12, 27)


def bars(symbols, source="files"):
    venue = calendar("XNYS")
    days = venue.between(FIRST, date(2013, 1, 4))
    rows = [
        (symbol, day, 10.0, 12.0, 9.0, 11.1 + number, 1000.0, None, None, source, venue.close_of(day))
        for symbol in symbols
        for number, day in enumerate(days)
    ]
    frame = pl.DataFrame(rows, schema=BARS, orient="row")
    return frame.with_columns(pl.max_horizontal("high", "close").alias("high"))


def fill(root, symbols, source="files"):
    with Lake.open(root / "data_lake", create=True) as lake:
        info = SeriesInfo(source, Adjustment.TOTAL, assumed=True, survivors_only=True)
        lake.append("bars/1d", bars(symbols, source), source=source, series=dict.fromkeys(symbols, info))


@pytest.fixture
def root(tmp_path):
    """A root with a lake of symbols that other programs mistake for something else."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "aitrader.yaml").touch()
    fill(tmp_path, ODD)
    return tmp_path


def test_ls_shows_datasets_and_how_their_prices_are_to_be_read(root, run_cli):
    ran = run_cli("lake", "ls", root=root)

    assert ran.code == 0
    assert "bars/1d" in ran.out
    assert "total (assumed)" in ran.out
    assert "survivors only" in ran.out


def test_ls_answers_in_json(root, run_cli):
    result = run_cli("lake", "ls", "--json", root=root).envelope["result"]

    assert result["version"] == 1
    assert (result["datasets"][0]["name"], result["datasets"][0]["rows"]) == ("bars/1d", 48)
    assert result["series"][0] | {"note": ""} == {
        "source": "files",
        "symbols": 8,
        "adjustment": "total",
        "assumed": True,
        "as_of": None,
        "survivors_only": True,
        "hand_picked": False,
        "note": "",
    }


def test_ls_as_of_shows_the_lake_of_then(root, run_cli):
    ran = run_cli("lake", "ls", "--as-of", "2001-01-01T00:00Z", "--json", root=root)

    assert ran.envelope["result"]["datasets"] == []


def test_without_a_lake_ls_says_what_to_do(tmp_path, run_cli):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "aitrader.yaml").touch()

    ran = run_cli("lake", "ls", root=tmp_path)

    assert ran.code == 3
    assert "aitrader backfill" in ran.err
    assert not (tmp_path / "data_lake").exists()


def test_verify_passes_an_unharmed_lake(root, run_cli):
    ran = run_cli("lake", "verify", "--deep", root=root)

    assert ran.code == 0
    assert "0 damaged (every byte read)" in ran.out


def test_verify_fails_and_names_a_damaged_file(root, run_cli):
    path = next((root / "data_lake/bars/1d/year=2013").iterdir())
    path.write_bytes(path.read_bytes()[:-20])

    ran = run_cli("lake", "verify", root=root)

    assert ran.code == 3
    assert "damaged" in ran.out
    assert path.name in ran.out.replace("\n", "")
    assert run_cli("lake", "verify", "--json", root=root).envelope["status"] == "failed"


def test_verify_lists_what_an_interrupted_command_left(root, run_cli):
    (root / "data_lake/bars/1d/year=2013/.tmp-000002-aa.parquet").write_bytes(b"half")

    ran = run_cli("lake", "verify", root=root)

    assert ran.code == 0
    assert ".tmp-000002-aa.parquet" in ran.out
    assert "1 file named by no commit" in ran.err


def test_export_to_parquet_keeps_every_symbol_and_value(root, run_cli, tmp_path):
    ran = run_cli("lake", "export", "bars/1d", "--out", tmp_path / "x.parquet", root=root)

    assert ran.code == 0
    assert pl.read_parquet(tmp_path / "x.parquet").select(BARS.names()).equals(bars(ODD))


def test_export_to_csv_keeps_every_symbol_and_value(root, run_cli, tmp_path):
    assert run_cli("lake", "export", "bars/1d", "--out", tmp_path / "x.csv", root=root).code == 0

    read = pl.read_csv(tmp_path / "x.csv", infer_schema=False)
    assert read["symbol"].unique().sort().to_list() == list(ODD)
    assert read["close"].cast(pl.Float64).to_list() == bars(ODD)["close"].to_list()
    assert read["known_at"][0] == "2012-12-27T21:00:00Z"


def test_export_of_a_cut_counts_what_it_wrote_and_warns_of_what_is_absent(root, run_cli, tmp_path):
    cut = ("--symbols", "ON,AAPL", "--start", "2013-01-02", "--end", "2013-01-03")

    ran = run_cli("lake", "export", "bars/1d", "--out", tmp_path / "x.csv", *cut, "--json", root=root)

    result = ran.envelope["result"]
    assert (result["rows"], result["symbols"], result["first"], result["last"]) == (2, 1, "2013-01-02", "2013-01-03")
    assert ran.envelope["warnings"] == ["bars/1d has no rows of AAPL"]


def test_text_that_a_spreadsheet_would_run_is_made_harmless_in_csv(root, run_cli, tmp_path):
    evil = bars(["ON"])[:3].with_columns(
        pl.Series("symbol", ["=1+1", "@SUM(A1)", "fine"]), pl.lit("-not a symbol").alias("reason")
    )
    with Lake.open(root / "data_lake") as lake:
        lake.quarantine("bars/1d", evil, source="files")

    run_cli("lake", "export", "quarantine/bars/1d", "--out", tmp_path / "x.csv", root=root)
    run_cli("lake", "export", "quarantine/bars/1d", "--out", tmp_path / "x.parquet", root=root)

    read = pl.read_csv(tmp_path / "x.csv", infer_schema=False)
    assert sorted(read["symbol"]) == ["'=1+1", "'@SUM(A1)", "fine"]
    assert set(read["reason"]) == {"'-not a symbol"}
    assert sorted(pl.read_parquet(tmp_path / "x.parquet")["symbol"]) == ["=1+1", "@SUM(A1)", "fine"]


def test_export_of_features_has_one_column_for_each(root, run_cli, tmp_path, store_features):
    grid = np.array([[1.0, np.nan]], dtype=np.float32)
    days = np.array([FIRST, FIRST + timedelta(1)], dtype="datetime64[D]")
    with Lake.open(root / "data_lake") as lake:
        store_features(lake, days, ["ON"], {"k": ("momentum(bars=2)", grid)})

    ran = run_cli("lake", "export", "features/1d", "--out", tmp_path / "x.csv", root=root)

    assert ran.code == 0
    assert ran.err == ""
    assert (tmp_path / "x.csv").read_text().splitlines() == [
        "symbol,session,momentum(bars=2)",
        "ON,2012-12-27,1.0",
        "ON,2012-12-28,",
    ]


def test_export_of_a_feature_set_has_its_columns_only(root, run_cli, tmp_path):
    (root / "config" / "aitrader.yaml").write_text(
        'features:\n  custom: {my_gap: "open / close.shift(1) - 1", other: "close / open"}\n'
        "  sets: {mine: [my_gap], all_mine: [my_gap, other]}\n"
    )
    run_cli("calculate-features", "--feature-set", "all_mine", root=root)
    out = ("--out", tmp_path / "x.csv", "--feature-set")

    mine = run_cli("lake", "export", "features/1d", *out, "mine", "--json", root=root)
    core = run_cli("lake", "export", "features/1d", *out, "core", root=root)

    assert mine.envelope["result"]["columns"] == ["symbol", "session", "my_gap"]
    assert core.code == 3
    assert "calculate-features" in core.err


def test_export_gives_no_feature_by_a_name_that_means_another_formula_now(root, run_cli, tmp_path):
    run_cli("calculate-features", "--feature-set", "mine", "--set", "features.custom.mine=open / close", root=root)
    out = ("lake", "export", "features/1d", "--out", tmp_path / "x.csv", "--feature-set")

    changed = run_cli(*out, "mine", "--set", "features.custom.mine=close / open", root=root)
    renamed = run_cli(*out, "ours", "--set", "features.custom.ours=open / close", "--json", root=root)

    assert changed.code == 3
    assert changed.err.splitlines()[0] == "error: The lake does not hold 1 of the wanted features."
    assert renamed.envelope["result"]["columns"] == ["symbol", "session", "ours"]


def test_export_warns_when_features_are_older_than_the_bars(root, run_cli, tmp_path, store_features):
    grid = np.array([[1.0]], dtype=np.float32)
    with Lake.open(root / "data_lake") as lake:
        days = np.array([FIRST], dtype="datetime64[D]")
        store_features(lake, days, ["ON"], {"k": ("f", grid)}, version=0)

    ran = run_cli("lake", "export", "features/1d", "--out", tmp_path / "x.csv", root=root)

    assert "1 feature older than the bars" in ran.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("bars/2d", "--out", "x.csv"), 2, "no dataset 'bars/2d'"),
        (("../../etc", "--out", "x.csv"), 2, "no dataset"),
        (("bars/1d", "--out", "x.xlsx"), 2, "neither in .parquet nor in .csv"),
        (("bars/1d", "--out", "nowhere/x.csv"), 2, "existing folder"),
        (("bars/1d", "--out", "data_lake/x.csv"), 2, "inside the lake"),
        (("bars/1d", "--out", "x.csv", "--feature-set", "core"), 2, "holds no features"),
        (("bars/1d", "--out", "x.csv", "--start", "2013-01-03", "--end", "2013-01-02"), 2, "before the start"),
        (("bars/1d", "--out", "x.csv", "--symbols", "../../x"), 2, "not a symbol"),
        (("bars/1d", "--out", "x.csv", "--symbols", "AAPL"), 3, "no rows"),
        (("bars/1d", "--out", "x.csv", "--start", "2020-01-01"), 3, "no rows"),
    ],
)
def test_a_wrong_export_is_two_lines_and_writes_nothing(root, run_cli, tmp_path, monkeypatch, words, code, says):
    monkeypatch.chdir(root)

    ran = run_cli("lake", "export", *words, root=root)

    assert ran.code == code
    assert says in ran.err
    assert [line.partition(":")[0] for line in ran.err.splitlines()] == ["error", "fix"]
    assert not list(root.glob("x.*"))


def test_with_two_sources_export_asks_which_and_obeys_the_setting(root, run_cli, tmp_path):
    fill(root, ("ON",), source="yahoo")
    out = ("--out", tmp_path / "x.csv")

    refused = run_cli("lake", "export", "bars/1d", *out, root=root)
    chosen = run_cli("lake", "export", "bars/1d", *out, "--set", "data.source=yahoo", "--json", root=root)

    assert refused.code == 2
    assert "data.source" in refused.err
    assert chosen.envelope["result"]["rows"] == 6


def test_export_under_now_shows_what_was_known(root, run_cli, tmp_path):
    now = datetime(2013, 1, 2, 12, tzinfo=UTC).isoformat()

    ran = run_cli("lake", "export", "bars/1d", "--out", tmp_path / "x.csv", "--now", now, "--json", root=root)

    assert ran.envelope["result"]["last"] == "2012-12-31"
