"""``aitrader backtest`` on twelve random walks: what it prints, what it refuses, and what it leaves behind."""

import json
from datetime import date

import polars as pl
import pytest

from aitrader.jobs import backtest as job
from aitrader.lake.store import Lake

FILES = {
    "features.yaml": """
custom:
  one: close / close.shift(1) - 1
  five: close / close.shift(5) - 1
sets:
  small: [one, five]
""",
    "models.yaml": "line:\n  kind: ridge\n  features: small\n",
    "training.yaml": "retrain: {every: 30, window: 80}\nbootstrap_samples: 200\n",
    "universe.yaml": "min_history: 5\n",
    "strategies.yaml": """
best:
  kind: model_driven
  rebalance: wednesday
  params: {model: line, top: 3}
""",
    "risk.yaml": "max_position: 50%\nmax_order_equity_share: 50%\n",
}
ALL = "all:\n  kind: equal_weight\n  rebalance: 5\n"


@pytest.fixture
def root(bare_root, made_bars, store_bars, write_settings):
    write_settings(bare_root, FILES)
    store_bars(bare_root, made_bars())
    return bare_root


@pytest.fixture
def trained(root, run_cli):
    """A model that learned from noise up to 2013-07-26; its gate rejected it."""
    assert run_cli("train", "--end", "2013-07-26", root=root).code == 3
    return root


def strategy(root, text):
    (root / "config" / "strategies.yaml").write_text(text)


def test_a_rejected_model_is_refused_with_exit_3_and_the_option_that_shows_it(trained, run_cli, files_in):
    before = files_in(trained / "data_lake")

    ran = run_cli("backtest", "--json", root=trained)

    error = ran.envelope["error"]
    assert (ran.code, error["type"]) == (3, "ModelStoreError")
    assert "No version of model 'line' passed its gate" in error["message"]
    assert "--allow-rejected" in error["fix"]
    assert files_in(trained / "data_lake") == before


def test_without_any_model_the_way_there_is_named(root, run_cli):
    ran = run_cli("backtest", root=root)

    assert ran.code == 3
    assert "There is no trained model 'line'" in ran.err
    assert "fix: Run `aitrader train`." in ran.err


def test_a_result_stands_beside_equal_weight_and_cash_with_every_doubt(trained, run_cli):
    result = run_cli("backtest", "--allow-rejected", "--json", root=trained).envelope["result"]

    assert [one["name"] for one in result["performances"]] == ["best", "equal weight", "cash"]
    assert [doubt["name"] for doubt in result["doubts"]][:9] == [
        "equal weight",
        "cash",
        "costs doubled",
        "entry one session later",
        "shuffled labels",
        "without its ten best days",
        "trials counted",
        "survivorship",
        "gate",
    ]
    assert [(model["name"], model["status"]) for model in result["models"]] == [("line", "rejected")]
    assert result["end"] == "2013-08-09"


def test_it_begins_with_the_first_out_of_fold_session(trained, run_cli):
    result = run_cli("backtest", "--allow-rejected", "--json", root=trained).envelope["result"]

    with Lake.open(trained / "data_lake") as lake:
        first = lake.snapshot().predictions("line", kind="oof")["session"].min()
    assert result["start"] == first.isoformat()
    assert result["undecided"] == 0


def test_sessions_the_model_was_trained_on_are_refused_before_the_gate(trained, run_cli):
    ran = run_cli("backtest", "--start", "2013-01-02", "--json", root=trained)

    assert (ran.code, ran.envelope["error"]["type"]) == (3, "DataLeakageError")


def test_the_tables_show_the_doubts_the_report_and_where_it_is(trained, run_cli):
    ran = run_cli("backtest", "--allow-rejected", root=trained)

    assert ran.code == 0
    for words in ("equal weight", "cash", "costs doubled", "rejected at the gate", "2 settings were tried"):
        assert words in ran.out
    path = next(line for line in ran.out.splitlines() if line.startswith("report: ")).removeprefix("report: ")
    page = (trained / path).read_text()
    assert "Backtest of best" in page
    assert 'src="http' not in page
    assert "did not pass its gate" in ran.err


def test_equity_events_result_and_receipt_are_kept(trained, run_cli):
    answer = run_cli("backtest", "--allow-rejected", "--json", root=trained).envelope
    result = answer["result"]

    equity = pl.read_parquet(trained / result["equity"])
    events = [json.loads(line) for line in (trained / result["events"]).read_text().splitlines()]
    valued = [event for event in events if event["event"] == "BookValued"]
    assert equity["equity"].to_list() == [event["equity"] for event in valued]
    assert equity["session"].len() == result["sessions"]
    receipt = json.loads((trained / result["receipt"]).read_text())
    assert set(receipt["outputs"]) >= {result["report"], result["equity"], result["events"]}
    assert receipt["arguments"]["allow_rejected"] is True
    assert receipt["run_id"] == answer["run_id"]


def test_the_first_halt_is_noted_with_the_result_up_to_it_and_without_it(root, run_cli):
    strategy(root, ALL)
    (root / "config" / "risk.yaml").write_text("max_position: 50%\nmax_order_equity_share: 50%\nmax_daily_loss: 0.5%\n")

    answer = run_cli("backtest", "--json", root=root).envelope
    shown = run_cli("backtest", root=root)

    result = answer["result"]
    halted = result["halted"]
    assert halted["code"] == "max_daily_loss"
    assert result["start"] < halted["until"] < result["end"]
    assert halted["at"].startswith(halted["until"])
    equity = pl.read_parquet(root / result["equity"]).filter(pl.col("session") <= date.fromisoformat(halted["until"]))
    assert halted["equity"] == equity["equity"][-1]
    assert halted["performance"]["total_return"] == pytest.approx(equity["equity"][-1] / equity["equity"][0] - 1)
    assert halted["performance"]["total_return"] != result["performances"][0]["total_return"]
    assert halted["performance"]["sharpe"] is None
    words = "halted: max_daily_loss would have stopped the book at "
    assert any(warning.startswith(words) for warning in answer["warnings"])
    assert f"all, halted {halted['until']}" in shown.out
    assert "all, no breakers" in shown.out
    assert words in shown.err
    assert words in (root / result["report"]).read_text()


def test_a_backtest_without_a_breach_has_no_halt(root, run_cli):
    strategy(root, ALL)
    limits = "max_position: 50%\nmax_order_equity_share: 50%\nmax_daily_loss: 100%\nmax_drawdown: 100%\n"
    (root / "config" / "risk.yaml").write_text(limits)

    ran = run_cli("backtest", "--json", root=root)

    assert ran.envelope["result"]["halted"] is None
    assert not any("halted" in warning for warning in ran.envelope["warnings"])


def test_the_same_backtest_again_gives_the_same_events_and_is_one_trial(trained, run_cli):
    first, second = (
        run_cli("backtest", "--allow-rejected", "--json", root=trained).envelope["result"] for _ in range(2)
    )

    assert (trained / first["events"]).read_bytes() == (trained / second["events"]).read_bytes()
    assert (trained / first["equity"]).read_bytes() == (trained / second["equity"]).read_bytes()
    assert first["trials"] == second["trials"] == 2


@pytest.mark.parametrize("setting", ["portfolio.invested=50%", "account.settlement=margin"])
def test_other_settings_are_another_trial(trained, run_cli, setting):
    run_cli("backtest", "--allow-rejected", root=trained)
    other = run_cli("backtest", "--allow-rejected", "--set", setting, "--json", root=trained)

    assert other.envelope["result"]["trials"] == 3


def test_a_strategy_without_a_model_needs_no_training(root, run_cli):
    strategy(root, ALL)

    result = run_cli("backtest", "--json", root=root).envelope["result"]

    assert result["models"] == []
    shuffled = next(doubt for doubt in result["doubts"] if doubt["name"] == "shuffled labels")
    assert "no model predicts here" in shuffled["sentence"]


def test_one_strategy_of_several_is_chosen_by_name(trained, run_cli):
    strategy(trained, FILES["strategies.yaml"] + ALL)

    one = run_cli("backtest", "--strategy", "all", "--json", root=trained).envelope["result"]
    both = run_cli("backtest", "--allow-rejected", "--json", root=trained).envelope["result"]

    assert (one["strategy"], both["strategy"]) == ("all", "best + all")


def test_an_unknown_strategy_lists_the_known_ones(root, run_cli):
    ran = run_cli("backtest", "--strategy", "bset", root=root)

    assert ran.code == 2
    assert "'bset'; available: best" in ran.err
    assert "Did you mean 'best'?" in ran.err


def test_wrong_settings_of_a_strategy_name_file_line_and_key(root, run_cli):
    strategy(root, "best:\n  kind: model_driven\n  params: {model: line, topp: 3}\n")

    ran = run_cli("backtest", root=root)

    assert ran.code == 2
    assert "strategies.yaml:3" in ran.err
    assert "'topp'" in ran.err


def test_a_start_on_no_session_is_clipped_with_a_notice(root, run_cli):
    strategy(root, ALL)

    ran = run_cli("backtest", "--start", "2013-07-04", "--end", "2013-08-04", "--json", root=root)

    result = ran.envelope["result"]
    assert (result["start"], result["end"]) == ("2013-07-05", "2013-08-02")
    assert "the start 2013-07-04 has no bars: 2013-07-05 is taken" in ran.envelope["warnings"]


@pytest.mark.parametrize("span", [("--start", "2014-01-01"), ("--end", "2001-01-01"), ("--start", "2013-08-09")])
def test_a_span_without_two_sessions_is_exit_3(root, run_cli, span):
    strategy(root, ALL)

    ran = run_cli("backtest", *span, "--json", root=root)

    assert (ran.code, ran.envelope["error"]["type"]) == (3, "InsufficientDataError")


def test_the_replay_clock_hides_what_was_not_known_yet(root, run_cli):
    strategy(root, ALL)

    whole = run_cli("backtest", "--end", "2013-07-10", "--json", root=root).envelope["result"]
    then = run_cli("backtest", "--now", "2013-07-10T18:00-04:00", "--json", root=root).envelope["result"]

    assert then["end"] == "2013-07-10"
    assert (root / then["events"]).read_bytes() == (root / whole["events"]).read_bytes()


def test_as_of_hides_what_was_not_recorded_yet(trained, run_cli):
    ran = run_cli("backtest", "--as-of", "2000-01-03T00:00+00:00", "--json", root=trained)

    assert ran.code == 3
    assert "holds no bars" in ran.envelope["error"]["message"]


def test_a_full_disk_is_an_error_in_two_lines_and_leaves_no_report(root, run_cli, monkeypatch):
    strategy(root, ALL)

    def full(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(job, "write_text", full)
    ran = run_cli("backtest", root=root)

    assert ran.code == 3
    assert "No space left on device" in ran.err
    assert list((root / "data_lake").rglob("report.html")) == []


def test_another_book_gives_other_ids(root, run_cli):
    strategy(root, ALL)

    result = run_cli("backtest", "--book", "second", "--json", root=root).envelope["result"]

    text = (root / result["events"]).read_text()
    assert "at-second-" in text
    assert "at-main-" not in text
