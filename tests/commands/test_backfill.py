"""``aitrader backfill``."""

import errno
import os
import signal
import subprocess
import sys
from datetime import date, timedelta

import polars as pl
import pytest

from aitrader.cli.backfill import column_names
from aitrader.errors import UsageError
from aitrader.lake.store import Lake

HEADER = "symbol,date,open,high,low,close,volume\n"


@pytest.fixture
def prices(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text(HEADER + "ON,2020-01-02,1,2,1,2,5\nON,2020-01-03,1,2,1,2,5\nNA,2020-01-03,1,2,1,2,5\n")
    return path


def bars(root):
    with Lake.open(root / "data_lake") as lake:
        return lake.snapshot().bars()


def test_own_files_load_without_editing_anything(run_cli, bare_root, prices):
    ran = run_cli("backfill", "--source", "files", "--path", prices, "--json", root=bare_root)

    assert (ran.code, ran.envelope["status"], ran.envelope["result"]["rows"]) == (0, "done", 3)
    assert ran.envelope["result"]["adjustment"] == {"total": 2}
    assert ran.envelope["result"]["assumed"] is True
    assert set(bars(bare_root)["symbol"]) == {"NA", "ON"}
    assert (bare_root / "data_lake/receipts" / f"{ran.envelope['run_id']}.json").is_file()


def test_a_second_run_is_skipped_with_nothing_new(run_cli, bare_root, prices):
    run_cli("backfill", "--source", "files", "--path", prices, root=bare_root)

    ran = run_cli("backfill", "--source", "files", "--path", prices, root=bare_root)

    assert ran.code == 0
    assert "nothing new" in ran.out


def test_all_options_of_files_reach_the_source(run_cli, bare_root, tmp_path):
    folder = tmp_path / "one_each"
    folder.mkdir()
    (folder / "BTC%2FUSD.csv").write_text("Day,O,H,L,C,V\n03/04/2020,1,2,1,2,5\n")
    mapping = "Day=date,O=open,H=high,L=low,C=close,V=volume"
    options = ["--pattern", "{symbol}.csv", "--map", mapping, "--date-format", "%d/%m/%Y", "--adjustment", "raw"]

    ran = run_cli("backfill", "--source", "files", "--path", folder, *options, "--json", root=bare_root)

    assert (ran.code, ran.envelope["result"]["adjustment"]) == (0, {"raw": 1})
    assert bars(bare_root).select("symbol", "session").rows() == [("BTC/USD", date(2020, 4, 3))]


def test_the_path_may_be_relative_to_where_the_person_stands(run_cli, bare_root, prices, monkeypatch):
    monkeypatch.chdir(prices.parent)

    assert run_cli("backfill", "--source", "files", "--path", prices.name, root=bare_root).code == 0


def test_a_configured_path_is_relative_to_the_root(run_cli, bare_root, prices):
    (bare_root / "mine.csv").write_bytes(prices.read_bytes())
    settings = ["--set", "data.source=files", "--set", "data.sources.files.path=mine.csv"]

    assert run_cli(*settings, "backfill", root=bare_root).code == 0


def test_the_sample_warns_of_survivors_and_hand_picking(run_cli, bare_root):
    ran = run_cli("backfill", "--source", "sample", "--symbols", "AAPL,IBM", root=bare_root)

    assert ran.code == 0
    assert "survivors only" in ran.err
    assert "picked by hand" in ran.err


def test_a_dry_run_shows_the_plan_and_makes_no_lake(run_cli, bare_root, prices):
    ran = run_cli("backfill", "--source", "files", "--path", prices, "--dry-run", root=bare_root)

    assert ran.code == 0
    assert "Nothing was fetched" in ran.out
    assert list((bare_root / "data_lake").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "nothing"], "'nothing'"),
        ([], "No source is chosen"),
        (["--source", "files"], "no path"),
        (["--source", "files", "--path", "/does/not/exist"], "/does/not/exist"),
        (["--source", "sample", "--path", "x.csv"], "no setting path"),
        (["--source", "sample", "--symbols", "../../x"], "not a symbol"),
        (["--source", "sample", "--start", "2013-13-01"], "2013-13-01"),
        (["--source", "alpaca", "--symbols", "AAPL"], "APCA_API_KEY_ID"),
        (["--source", "files", "--path", "x", "--map", "Day"], "--map"),
        (["--source", "files", "--path", "x", "--adjustment", "none"], "adjustment"),
    ],
)
def test_a_wrong_command_line_is_two_lines_and_exit_code_2(run_cli, bare_root, arguments, message):
    ran = run_cli("backfill", *arguments, root=bare_root)

    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert not list((bare_root / "data_lake").iterdir())


def test_an_ambiguous_date_is_exit_code_2_and_names_the_option(run_cli, bare_root, tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text(HEADER + "AAPL,03/04/2020,1,2,1,2,5\n")

    ran = run_cli("backfill", "--source", "files", "--path", path, root=bare_root)

    assert ran.code == 2
    assert "--date-format" in ran.err


def test_a_truncated_parquet_is_exit_code_3_and_names_the_file(run_cli, bare_root, prices, tmp_path):
    path = tmp_path / "cut.parquet"
    pl.read_csv(prices, infer_schema=False).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])

    ran = run_cli("backfill", "--source", "files", "--path", path, root=bare_root)

    assert ran.code == 3
    assert "cut.parquet" in ran.err


def test_dirty_rows_are_quarantined_counted_and_listed(run_cli, bare_root, tmp_path):
    path = tmp_path / "dirty.csv"
    path.write_text(
        HEADER + "AAPL,2020-01-02,1,2,1,2,5\n"
        "AAPL,2020-01-04,1,2,1,2,5\n"  # a Saturday
        "AAPL,2020-01-06,1,1,2,1,5\n"  # high below low
        "AAPL,2020-01-07,-1,2,-1,2,5\n"
        "AAPL,2090-01-03,1,2,1,2,5\n"  # the future
        "../../x,2020-01-07,1,2,1,2,5\n"
        "AAPL,2020-01-08,1,2,1,2,5\nAAPL,2020-01-08,1,2,1,1.5,5\n"  # two that contradict each other
        "AAPL,2020-01-09,1,2,1,2,5\nAAPL,2020-01-09,1,2,1,2,5\n"  # the same twice
    )

    result = run_cli("backfill", "--source", "files", "--path", path, "--json", root=bare_root).envelope["result"]

    assert (result["rows"], result["quarantined"]) == (2, 7)
    assert bars(bare_root)["session"].to_list() == [date(2020, 1, 2), date(2020, 1, 9)]
    assert any("'../../x'" in warning for warning in result["warnings"])


@pytest.mark.parametrize(("venue", "warned"), [("XNYS", True), ("24/7", False)])
def test_pairs_on_the_calendar_of_a_stock_exchange_are_a_warning(run_cli, bare_root, tmp_path, venue, warned):
    path = tmp_path / "pairs.csv"
    path.write_text(HEADER + "BTC/USD,2020-01-03,1,2,1,2,5\nBTC/USD,2020-01-04,1,2,1,2,5\n")

    ran = run_cli(
        *("backfill", "--source", "files", "--path", path, "--set", f"data.calendar={venue}", "--json"), root=bare_root
    )

    assert any("data.calendar" in warning for warning in ran.envelope["result"]["warnings"]) == warned


def test_a_full_disk_is_exit_code_3_and_leaves_the_lake_as_it_was(run_cli, bare_root, prices, monkeypatch):
    run_cli("backfill", "--source", "files", "--path", prices, "--symbols", "ON", root=bare_root)
    before = bars(bare_root)
    real, hits = os.replace, []

    def full(source, target, **more):
        if str(target).endswith(".parquet"):
            hits.append(target)
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(source, target, **more)

    monkeypatch.setattr(os, "replace", full)

    ran = run_cli("backfill", "--source", "files", "--path", prices, root=bare_root)

    monkeypatch.undo()
    assert hits, "the fault was not injected"
    assert ran.code == 3
    assert "No space left" in ran.err
    assert bars(bare_root).drop("recorded_at").equals(before.drop("recorded_at"))


KILLED_AT = """
import os, signal, sys
from aitrader.__main__ import main
real, left = os.replace, [int(sys.argv.pop(1))]
def replace(source, target, **more):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(source, target, **more)
os.replace = replace
sys.exit(main())
"""


@pytest.mark.parametrize("files", [0, 1, 3])
def test_after_kill_9_the_next_run_completes_the_lake_as_if_nothing_had_happened(run_cli, bare_root, tmp_path, files):
    path = tmp_path / "years.csv"
    days = [date(2018, 6, 1) + timedelta(days=7 * week) for week in range(200)]
    path.write_text(HEADER + "".join(f"{name},{day},1,2,1,2,5\n" for name in ("ON", "NA") for day in days))
    words = ["backfill", "--source", "files", "--path", str(path), "--adjustment", "raw"]
    other = tmp_path / "uninterrupted"
    run_cli("init", other)

    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AT, str(files), *words, "--root", str(bare_root)], check=False
    )
    again = run_cli(*words, root=bare_root)
    run_cli(*words, root=other)

    assert killed.returncode == -signal.SIGKILL, "the fault was not injected"
    assert again.code == 0
    assert content(bare_root) == content(other)


def content(root):
    with Lake.open(root / "data_lake") as lake:
        snapshot = lake.snapshot()
        return [snapshot.content_hash(name) for name in ("bars/1d", "quarantine/bars/1d", "actions")]


def test_another_writer_is_exit_code_6(run_cli, bare_root, prices):
    with Lake.open(bare_root / "data_lake", create=True) as lake, lake.writer("bars/1d"):
        ran = run_cli("backfill", "--source", "files", "--path", prices, root=bare_root)

    assert ran.code == 6


def test_two_sources_in_one_lake_are_named(run_cli, bare_root, prices):
    run_cli("backfill", "--source", "sample", "--symbols", "AAPL", root=bare_root)

    ran = run_cli("backfill", "--source", "files", "--path", prices, root=bare_root)

    assert "files, sample: set data.source" in ran.err


@pytest.mark.parametrize("text", ["", "Day", "Day=", "=date", "a=open,a=close"])
def test_a_map_that_is_no_list_of_pairs_is_refused(text):
    with pytest.raises(UsageError):
        column_names(text)
