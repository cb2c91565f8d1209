"""``aitrader scan``."""

import csv
import hashlib
import json
from datetime import date

import polars as pl
import pytest

NOW = ("--now", "2013-08-07T18:00-04:00")
SETTINGS = {
    "features.yaml": "sets: {few: [momentum, volatility]}\ncompute: [few]\nmin_names: 5\n",
    "labels.yaml": "horizon: 2\nexcess: true\n",
    "training.yaml": "retrain: {every: 30, window: 60}\nbootstrap_samples: 200\n",
    "models.yaml": "line: {kind: ridge, features: few, params: {alpha: 1}}\n",
    "strategies.yaml": "top: {kind: model_driven, params: {model: line, top: 3}}\n",
    "scanners.yaml": """
best: {kind: model, params: {model: line, top: 4, reasons: 2}}
risers: {kind: rule, params: {where: ["close > close.mean(10)"], score: "close / close.shift(5) - 1", top: 3}}
same: {kind: rule, params: {score: "close / close"}}
none: {kind: rule, params: {score: "log(0 - close)"}}
""",
    "universe.yaml": "min_history: 20\n",
    "risk.yaml": "max_position: 35%\nmax_order_equity_share: 30%\n",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, made_bars, store_bars):
    """A root with twelve symbols, 260 sessions, and a model that learned up to 2013-06-28."""
    from aitrader.config.load import load
    from aitrader.jobs.train import Wanted, train

    root = tmp_path_factory.mktemp("trained")
    for name in ("config", "data_lake", "logs", "state"):
        (root / name).mkdir()
    (root / "config" / "aitrader.yaml").write_text("mode: paper\n")
    for name, text in SETTINGS.items():
        (root / "config" / name).write_text(text)
    store_bars(root, made_bars(sessions=260))
    train(load(root, env={}).config, root, Wanted(end=date(2013, 6, 28)))
    return root


def result(ran):
    assert ran.code == 0, ran.err
    return ran.envelope["result"]


def reports(root):
    return sorted((root / "data_lake" / "reports").glob("*/*")) if (root / "data_lake" / "reports").is_dir() else []


def test_candidates_come_with_rank_score_reasons_and_what_would_be_held(run_cli, trained):
    found = result(run_cli("scan", "--json", "--allow-rejected", *NOW, root=trained))

    candidates = found["candidates"]
    assert [one["rank"] for one in candidates] == [1, 2, 3, 4]
    assert [one["score"] for one in candidates] == sorted((one["score"] for one in candidates), reverse=True)
    assert {reason["name"] for one in candidates for reason in one["reasons"]} == {"momentum", "volatility"}
    assert [one["weight"] > 0 for one in candidates] == [True, True, True, False]


def test_the_session_is_the_last_whose_bars_were_known(run_cli, trained):
    evening = result(run_cli("scan", "--json", "--allow-rejected", *NOW, root=trained))
    noon = result(run_cli("scan", "--json", "--allow-rejected", "--now", "2013-08-07T12:00-04:00", root=trained))

    assert (evening["session"], noon["session"]) == ("2013-08-07", "2013-08-06")


def test_later_bars_do_not_change_a_scan(run_cli, trained, bare_root, made_bars, store_bars):
    for name, text in SETTINGS.items():
        (bare_root / "config" / name).write_text(text)
    store_bars(bare_root, made_bars(sessions=260).filter(pl.col("session") <= date(2013, 8, 7)))

    whole = result(run_cli("scan", "--scanner", "risers", "--json", *NOW, root=trained))
    cut = result(run_cli("scan", "--scanner", "risers", "--json", *NOW, root=bare_root))

    picked = [[(one["symbol"], one["score"], one["reasons"]) for one in found["candidates"]] for found in (whole, cut)]
    assert picked[0] == picked[1]


def test_the_result_is_kept_with_a_receipt_that_names_its_hash(run_cli, trained):
    found = result(run_cli("scan", "--json", "--allow-rejected", *NOW, root=trained))

    kept = (trained / found["report"]).read_bytes()
    receipt = json.loads((trained / found["receipt"]).read_text())
    assert json.loads(kept)["candidates"] == found["candidates"]
    assert receipt["outputs"][found["report"]] == hashlib.sha256(kept).hexdigest()
    assert receipt["arguments"]["allow_rejected"] is True


def test_the_result_is_kept_as_a_table_too(run_cli, trained):
    found = result(run_cli("scan", "--scanner", "risers", "--json", *NOW, root=trained))

    with (trained / found["report"].replace("json", "csv")).open() as file:
        rows = list(csv.DictReader(file))
    assert [row["symbol"] for row in rows] == [one["symbol"] for one in found["candidates"]]


def test_holdings_say_which_limit_would_refuse_them(run_cli, trained):
    held = result(run_cli("scan", "--json", "--allow-rejected", *NOW, root=trained))["holdings"]

    assert [one["refused"].split(":")[0] for one in held] == ["max_order_equity_share"] * 3
    assert sum(one["weight"] for one in held) == pytest.approx(0.98)


def test_a_rejected_model_is_not_used_unless_allowed(run_cli, trained):
    status = json.loads((trained / "data_lake" / "models" / "line" / "manifest.json").read_text())["versions"][0][
        "status"
    ]

    ran = run_cli("scan", *NOW, root=trained)

    assert status == "rejected"
    assert ran.code == 3
    assert "--allow-rejected" in ran.err


def test_a_session_that_the_model_learned_from_is_refused_before_its_gate(run_cli, trained):
    before = len(reports(trained))

    ran = run_cli("scan", "--json", "--now", "2012-10-15T18:00-04:00", root=trained)

    assert ran.code == 3
    assert ran.envelope["error"]["type"] == "DataLeakageError"
    assert len(reports(trained)) == before


def test_an_out_of_fold_session_has_scores_and_no_reasons_of_the_final_model(run_cli, trained):
    ran = run_cli("scan", "--json", "--allow-rejected", "--now", "2013-06-14T18:00-04:00", root=trained)

    found = result(ran)
    assert found["models"][0]["out_of_fold"] is True
    assert {len(one["reasons"]) for one in found["candidates"]} == {0}
    assert any("folds predict" in warning for warning in found["warnings"])


@pytest.mark.parametrize("scanner", ["same", "none"])
def test_scores_that_choose_nobody_publish_nothing(run_cli, trained, scanner):
    before = len(reports(trained))

    ran = run_cli("scan", "--scanner", scanner, *NOW, root=trained)

    assert ran.code == 3
    assert "score" in ran.err
    assert len(reports(trained)) == before


def test_a_rule_is_scanned_without_any_model(run_cli, trained):
    ran = run_cli("scan", "--scanner", "risers", "--json", *NOW, root=trained)

    found = result(ran)
    assert found["models"] == []
    assert all(reason["text"] for one in found["candidates"] for reason in one["reasons"])
    assert any("strategy top was not asked" in warning for warning in found["warnings"])


def test_a_strategy_that_is_named_must_answer(run_cli, trained):
    ran = run_cli("scan", "--scanner", "risers", "--strategy", "top", *NOW, root=trained)

    assert ran.code == 3


def test_filters_tell_whom_they_dropped_and_why(run_cli, trained):
    layers = result(run_cli("scan", "--scanner", "risers", "--json", *NOW, root=trained))["layers"]

    rule = next(layer for layer in layers if layer["name"] == "close > close.mean(10)")
    assert rule["reached"] - rule["remaining"] == len(rule["dropped"])
    assert all("<=" in reason for reason in rule["dropped"].values())


def test_too_few_names_for_a_cross_section_are_told(run_cli, trained):
    ran = run_cli(
        "scan", "--scanner", "risers", "--set", "scanners.risers.params.score=close.rank_across()",
        "--set", "universe.symbols=[S00, S01, S02, S03]", *NOW, root=trained,
    )  # fmt: skip

    assert ran.code == 3
    assert "needs 5 members" in ran.err


def test_five_names_are_scanned_where_nothing_is_compared(run_cli, trained):
    words = ("--set", "universe.symbols=[S00, S01, S02, S03, S04]", "--set", "scanners.risers.params.where=[]")

    found = result(run_cli("scan", "--scanner", "risers", "--json", *words, *NOW, root=trained))

    assert len(found["candidates"]) == 3


@pytest.mark.parametrize("words", [("universe.min_history=9999",), ("universe.symbols=[GHOST]",)])
def test_an_empty_universe_is_told(run_cli, trained, words):
    ran = run_cli("scan", "--scanner", "risers", "--set", *words, *NOW, root=trained)

    assert ran.code == 3
    assert "fix:" in ran.err


def test_an_incomplete_session_is_refused(run_cli, bare_root, made_bars, store_bars):
    (bare_root / "config" / "scanners.yaml").write_text("risers: {kind: rule, params: {score: close}}\n")
    absent = (pl.col("session") == date(2013, 8, 9)) & (pl.col("symbol") < "S03")
    store_bars(bare_root, made_bars().filter(~absent))

    ran = run_cli("scan", root=bare_root)

    assert ran.code == 3
    assert "3 of 12 symbols have no bar of 2013-08-09: S00, S01, S02" in ran.err


def test_old_data_are_told(run_cli, trained):
    ran = run_cli("scan", "--scanner", "risers", "--json", "--now", "2013-08-14T18:00-04:00", root=trained)

    assert "the newest bars are of 2013-08-09, 3 sessions before 2013-08-14" in result(ran)["warnings"]


def test_records_after_as_of_are_not_seen(run_cli, trained):
    ran = run_cli("scan", "--scanner", "risers", "--as-of", "2001-01-01T00:00+00:00", *NOW, root=trained)

    assert ran.code == 3


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("--scanner", "bets"), 2, "'best'"),
        (("--strategy", "tip"), 2, "'top'"),
        (("--set", "scanners.risers.params.where=[close.shift(-1)]", "--scanner", "risers"), 2, "looks ahead"),
    ],
)
def test_wrong_words_are_usage_errors(run_cli, trained, words, code, text):
    ran = run_cli("scan", "--allow-rejected", *words, *NOW, root=trained)

    assert ran.code == code
    assert text in ran.err


def test_without_a_scanner_the_configuration_is_asked_for_one(run_cli, bare_root):
    ran = run_cli("scan", root=bare_root)

    assert ran.code == 2
    assert "No scanner is configured" in ran.err


def test_the_table_shows_candidates_filters_holdings_and_the_model(run_cli, trained):
    ran = run_cli("scan", "--allow-rejected", *NOW, root=trained)

    for text in ("Candidates after 2013-08-07", "Filters", "top would hold", "rejected", "Kept in data_lake/reports"):
        assert text in ran.out


def test_explain_goes_from_bars_to_the_score(run_cli, trained):
    best = result(run_cli("scan", "--json", "--allow-rejected", *NOW, root=trained))["candidates"][0]

    found = result(run_cli("explain", best["symbol"], "--json", "--allow-rejected", *NOW, root=trained))

    assert (found["rank"], found["score"]) == (1, best["score"])
    assert len(found["bars"]) == 5
    assert found["bars"][-1]["session"] == "2013-08-07"
    assert all(step["passed"] for step in found["steps"])
    assert sum(value["contribution"] for value in found["values"]) + found["base"] == pytest.approx(found["score"])


def test_explain_says_what_would_be_ordered_and_what_would_forbid_it(run_cli, trained):
    best = result(run_cli("scan", "--json", "--allow-rejected", *NOW, root=trained))["candidates"][0]["symbol"]

    plan = result(run_cli("explain", best, "--json", "--allow-rejected", *NOW, root=trained))["plan"]

    assert plan["order"].startswith("buy ")
    assert plan["forbidden"].startswith("max_order_equity_share: ")


def test_explain_names_the_filter_that_stopped_a_symbol(run_cli, trained):
    scanned = result(run_cli("scan", "--scanner", "risers", "--json", *NOW, root=trained))
    dropped = next(iter(scanned["layers"][2]["dropped"]))

    found = result(run_cli("explain", dropped, "--scanner", "risers", "--json", *NOW, root=trained))

    assert found["rank"] is None
    assert [step["passed"] for step in found["steps"]] == [True, True, False, None]
    assert "close.mean(10)" in found["steps"][2]["reason"]


@pytest.mark.parametrize(
    ("symbol", "chosen", "said"),
    [("NFLX", "null", "NFLX has no bars"), ("S11", str([f"S{n:02d}" for n in range(11)]), "S11 is not in `universe")],
)
def test_explain_says_which_of_two_reasons_keeps_a_symbol_out(run_cli, trained, symbol, chosen, said):
    ran = run_cli("explain", symbol, "--scanner", "risers", "--set", f"universe.symbols={chosen}", *NOW, root=trained)

    assert ran.code == 3
    assert said in ran.err


def test_a_replay_from_before_the_first_bar_names_its_time_among_the_ways_out(run_cli, trained):
    ran = run_cli("scan", "--scanner", "risers", "--now", "2000-01-03T18:00-05:00", root=trained)

    assert ran.code == 3
    assert "--now" in ran.err.partition("fix:")[2]


def test_explain_shows_a_table(run_cli, trained):
    ran = run_cli("explain", "S03", "--allow-rejected", *NOW, root=trained)

    assert ran.code == 0
    for text in ("S03 after 2013-08-07", "What the score is made of", "momentum", "From an empty book"):
        assert text in ran.out


@pytest.mark.parametrize(("symbol", "code"), [("GHOST", 3), ("../../x", 2), ("a/b", 2), ("", 2), ("A\x1b[31m", 2)])
def test_a_symbol_that_is_none_or_has_no_bars_is_told(run_cli, trained, symbol, code):
    ran = run_cli("explain", symbol, "--allow-rejected", *NOW, root=trained)

    assert ran.code == code
    assert "\x1b" not in ran.err


def test_validate_looks_at_the_model(run_cli, trained):
    ran = run_cli("validate", "--json", "--now", "2013-08-09T18:00-04:00", root=trained)

    found = {check["name"]: check["status"] for check in ran.envelope["result"]["results"]}
    assert ran.code == 3
    assert {name: found[name] for name in ("models", "passports", "golden-rows", "leakage", "gate")} == {
        "models": "pass",
        "passports": "pass",
        "golden-rows": "pass",
        "leakage": "pass",
        "gate": "fail",
    }


def test_validate_tells_that_a_model_learned_from_other_features(run_cli, trained):
    ran = run_cli("validate", "--only", "passports", "--set", "features.sets.few=[momentum]", "--json", root=trained)

    (check,) = ran.envelope["result"]["results"]
    assert check["status"] == "fail"
    assert "volatility" in check["reason"]
