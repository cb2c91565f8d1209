import json
import threading

import numpy as np
import polars as pl
import pytest

from aitrader.jobs import train as job
from aitrader.lake.store import Lake

FILES = {
    "features.yaml": """
custom:
  one: close / close.shift(1) - 1
  five: close / close.shift(5) - 1
  jump: open / close.shift(1) - 1
sets:
  small: [one, five, jump]
""",
    "models.yaml": """
trees:
  kind: lightgbm
  features: small
  params: {trees: 5, min_rows_per_leaf: 20}
line:
  kind: ridge
  features: small
""",
    "training.yaml": """
retrain: {every: 30, window: 80}
bootstrap_samples: 200
""",
    "universe.yaml": "min_history: 5\n",
}


@pytest.fixture
def root(bare_root, made_bars, store_bars, write_settings):
    write_settings(bare_root, FILES)
    store_bars(bare_root, made_bars())
    return bare_root


@pytest.fixture
def open_gate(root):
    """A gate that any model passes: random walks hold nothing to find."""
    (root / "config" / "training.yaml").write_text(FILES["training.yaml"] + "gate: {min_rank_ic_lower: -1}\n")
    return root


def test_noise_is_rejected_with_exit_3_and_all_is_stored(root, run_cli):
    ran = run_cli("train", "--json", root=root)

    answer = ran.envelope
    assert (ran.code, answer["status"]) == (3, "failed")
    assert [model["status"] for model in answer["result"]["models"]] == ["rejected", "rejected"]
    assert answer["result"]["trials"] == 2
    lake = root / "data_lake"
    assert (lake / "models" / "line" / "manifest.json").exists()
    assert len(list((lake / "receipts").iterdir())) == 1
    with Lake.open(lake) as opened:
        rows = opened.snapshot().predictions("trees")
    assert rows["kind"].unique().sort().to_list() == ["oof", "shuffled"]


def test_out_of_fold_rows_are_one_per_member_and_session_to_the_last_price_of_a_label(open_gate, run_cli):
    ran = run_cli("train", "--model", "line", "--end", "2013-07-26", "--json", root=open_gate)

    (model,) = ran.envelope["result"]["models"]
    assert (ran.code, model["status"], model["version"][:8]) == (0, "passed", "20130726")
    assert model["train_last"] == "2013-07-18"
    with Lake.open(open_gate / "data_lake") as lake:
        rows = lake.snapshot().predictions("line", kind="oof")
    assert rows["session"].max().isoformat() == "2013-07-26"
    assert rows.group_by("session").len()["len"].unique().to_list() == [12]
    assert rows.null_count().sum_horizontal().item() == 0


def test_a_second_run_fits_nothing_and_changes_nothing(open_gate, run_cli, monkeypatch, files_in):
    run_cli("train", root=open_gate)
    before = files_in(open_gate / "data_lake" / "models") | files_in(open_gate / "data_lake" / "predictions")
    monkeypatch.setattr(job, "run_study", lambda *_, **__: pytest.fail("fitted again"))

    again = run_cli("train", "--json", root=open_gate)

    assert again.code == 0
    assert {model["done"] for model in again.envelope["result"]["models"]} == {"already trained"}
    assert again.envelope["result"]["receipt"] is None
    assert before == files_in(open_gate / "data_lake" / "models") | files_in(open_gate / "data_lake" / "predictions")


def test_fitting_again_gives_the_same_bytes_and_no_new_trial(open_gate, run_cli, files_in):
    run_cli("train", root=open_gate)
    kept = {name: files_in(open_gate / "data_lake" / name) for name in ("models", "predictions", "studies")}

    again = run_cli("train", "--force", "--json", root=open_gate)

    assert {model["done"] for model in again.envelope["result"]["models"]} == {"trained"}
    assert kept == {name: files_in(open_gate / "data_lake" / name) for name in kept}


def test_later_bars_do_not_change_a_model_of_an_earlier_end(open_gate, made_bars, store_bars, run_cli, bare_root):
    run_cli("train", "--end", "2013-07-26", "--model", "trees", root=open_gate)
    newer = made_bars(symbols=12, sessions=160).with_columns(pl.col("session").dt.offset_by("7d"))
    newer = newer.filter(pl.col("session") > pl.date(2013, 8, 9)).with_columns(pl.col("known_at").dt.offset_by("7d"))

    store_bars(open_gate, newer)

    again = run_cli("train", "--end", "2013-07-26", "--model", "trees", "--json", root=open_gate)
    assert [model["done"] for model in again.envelope["result"]["models"]] == ["already trained"]


def test_the_replay_clock_and_as_of_hide_later_bars(open_gate, run_cli):
    ran = run_cli("train", "--model", "line", "--now", "2013-07-26T18:00-04:00", "--json", root=open_gate)
    before = run_cli("train", "--as-of", "2000-01-03T00:00+00:00", "--json", root=open_gate)

    assert (ran.code, ran.envelope["result"]["label_end"]) == (0, "2013-07-26")
    assert before.code == 3
    assert "holds no bars" in before.envelope["error"]["message"]


def test_other_settings_are_another_trial_and_another_version(open_gate, run_cli):
    first = run_cli("train", "--model", "line", "--json", root=open_gate).envelope["result"]

    second = run_cli("train", "--model", "line", "--set", "training.winsorize=2%", "--json", root=open_gate)

    result = second.envelope["result"]
    assert (first["trials"], result["trials"], result["models"][0]["trial"]) == (1, 2, 2)
    assert first["models"][0]["version"] != result["models"][0]["version"]


def test_a_dry_run_says_what_would_be_done_and_does_nothing(root, run_cli, files_in):
    before = files_in(root / "data_lake")

    ran = run_cli("train", "--dry-run", "--json", root=root)

    assert ran.code == 0
    assert {model["done"] for model in ran.envelope["result"]["models"]} == {"would train"}
    assert files_in(root / "data_lake") == before


def test_people_see_the_verdict_and_the_count_of_trials(root, run_cli):
    ran = run_cli("train", "--model", "line", root=root)

    assert "rejected" in ran.out
    assert "1 different setting tried" in ran.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--model", "lien"], 2, "line"),
        (["--end", "2012-01-03"], 3, "no bars"),
        (["--set", "training.retrain.window=500"], 3, "needs 526 sessions"),
        (["--set", "models.line.params.alpha=-1"], 2, "models.line.params.alpha"),
        (["--set", "models.line.kind=forest"], 2, "ridge"),
        (["--set", "models.line.features=core2"], 2, "core"),
    ],
)
def test_bad_input_is_two_lines_and_a_code(root, run_cli, arguments, code, message):
    ran = run_cli("train", "--model", "line", *arguments, root=root)

    assert ran.code == code
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert not (root / "data_lake" / "models").exists()


def test_an_end_without_bars_is_clipped_with_a_notice(root, run_cli):
    ran = run_cli("train", "--model", "line", "--end", "2013-07-28", "--json", root=root)

    assert ran.envelope["result"]["label_end"] == "2013-07-26"
    assert any("2013-07-28" in warning for warning in ran.envelope["warnings"])


def test_five_names_are_trained_without_excess_and_said_so(bare_root, made_bars, store_bars, run_cli, write_settings):
    write_settings(bare_root, FILES)
    store_bars(bare_root, made_bars(symbols=5, sessions=200))

    ran = run_cli("train", "--model", "line", "--json", root=bare_root)

    assert ran.envelope["result"]["models"][0]["scores"]["names"] == 5
    assert any("not in excess" in warning for warning in ran.envelope["warnings"])


def test_features_without_a_value_are_an_error_and_not_a_model(root, run_cli):
    ran = run_cli(
        "train",
        "--model",
        "line",
        "--set",
        "features.custom.one=close / (close - close)",
        "--set",
        "features.custom.five=vwap / close",
        root=root,
    )

    assert ran.code == 3
    assert "half of the features" in ran.err


def test_flat_prices_teach_nothing(bare_root, made_bars, store_bars, run_cli, write_settings):
    write_settings(bare_root, FILES)
    flat = made_bars().with_columns(pl.lit(50.0).alias(name) for name in ("open", "high", "low", "close"))
    store_bars(bare_root, flat)

    ran = run_cli("train", "--model", "line", root=bare_root)

    assert ran.code == 3
    assert "do not vary" in ran.err
    assert not (bare_root / "data_lake" / "models").exists()


def test_a_second_run_at_the_same_time_is_refused(root, run_cli):
    with Lake.open(root / "data_lake") as lake, lake.writer("predictions/line"):
        ran = run_cli("train", "--model", "line", root=root)

    assert ran.code == 6


@pytest.mark.parametrize("step", ["append_line", "judge"])
def test_a_stop_in_between_leaves_no_half_model_and_the_next_run_completes_it(open_gate, run_cli, monkeypatch, step):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(job, step, interrupt)
    stopped = run_cli("train", "--model", "line", root=open_gate)
    monkeypatch.undo()

    assert stopped.code == 130
    assert not (open_gate / "data_lake" / "models").exists()
    assert run_cli("train", "--model", "line", root=open_gate).code == 0
    assert threading.active_count() < 20


def test_a_kill_between_rows_and_model_is_completed_by_the_next_run(open_gate, run_cli, monkeypatch):
    def dies(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(job.ModelStore, "add", dies)
    run_cli("train", "--model", "line", root=open_gate)
    monkeypatch.undo()

    run_cli("train", "--model", "line", root=open_gate)

    with Lake.open(open_gate / "data_lake") as lake:
        rows = lake.snapshot().predictions("line", kind="oof")
    assert rows.select("symbol", "session").is_duplicated().sum() == 0
    assert len((open_gate / "data_lake" / "studies" / "trials.jsonl").read_text().splitlines()) == 1


def test_the_receipt_names_outputs_by_hash_and_the_seed(open_gate, run_cli):
    run_cli("train", "--model", "line", root=open_gate)

    (path,) = (open_gate / "data_lake" / "receipts").iterdir()
    receipt = json.loads(path.read_text())
    assert receipt["seed"] == 7
    assert {name.rsplit("/", 1)[1] for name in receipt["outputs"]} == {"model.json", "card.json"}
    assert receipt["settings"]["training"]["retrain"] == {"every": 30, "window": 80}


def test_the_trials_returns_are_those_of_the_out_of_fold_sessions(open_gate, run_cli):
    run_cli("train", "--model", "line", root=open_gate)

    (line,) = (open_gate / "data_lake" / "studies" / "trials.jsonl").read_text().splitlines()
    trial = json.loads(line)
    assert len(trial["returns"]) > 40
    assert np.isfinite(trial["returns"]).all()
