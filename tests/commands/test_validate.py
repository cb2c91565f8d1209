"""``aitrader validate``."""

from datetime import date, timedelta
from xml.etree import ElementTree as ET

import polars as pl
import pytest

from aitrader.domain.calendars import calendar
from aitrader.domain.clock import wall_clock
from aitrader.jobs.checks import LEVELS
from aitrader.lake.quality import admit
from aitrader.lake.store import Lake
from aitrader.registry import lookup
from aitrader.sources.sample import SampleSettings, Sp500SampleBars
from aitrader.sources.source import Context

NAMES = [check.name for level in LEVELS for check in lookup("levels", LEVELS, level)]


def results(ran):
    return {result["name"]: result for result in ran.envelope["result"]["results"]}


def statuses(ran):
    return {name: result["status"] for name, result in results(ran).items()}


@pytest.fixture
def filled(bare_root, made_bars, store_bars):
    """A root with a lake of twelve symbols and 160 sessions."""
    store_bars(bare_root, made_bars())
    return bare_root


def test_no_two_checks_share_a_name():
    assert len(NAMES) == len(set(NAMES))


def test_every_need_of_a_check_comes_before_it():
    checks = [check for level in LEVELS for check in lookup("levels", LEVELS, level)]

    assert all(NAMES.index(need) < NAMES.index(check.name) for check in checks for need in check.needs)


def test_level_config_needs_no_lake(run_cli, bare_root):
    (bare_root / "data_lake").rmdir()

    ran = run_cli("validate", "--level", "config", "--json", root=bare_root)

    assert ran.code == 0
    assert set(statuses(ran)) == {"settings", "plugins", "references", "features", "limits", "sizes"}


def test_a_feature_that_looks_ahead_and_one_without_a_window_are_refused_with_their_positions(run_cli, bare_root):
    (bare_root / "config" / "features.yaml").write_text(
        'custom:\n  ahead: "close.shift(-1) / close - 1"\n'
        '  vague: "(close - close.mean()) / close.std()"\n  good: "close / open"\n'
    )

    ran = run_cli("validate", "--level", "config", "--json", root=bare_root)

    details = results(ran)["features"]["details"]
    assert ran.code == 3
    assert any("ahead" in line and "Column 13" in line and "looks ahead" in line for line in details)
    assert any("vague" in line and "Column 16" in line and "window is missing" in line for line in details)
    assert "good: ok" in details


def test_the_position_is_shown_in_the_table_too(run_cli, bare_root):
    (bare_root / "config" / "features.yaml").write_text('custom:\n  ahead: "close.shift(-1) / close - 1"\n')

    ran = run_cli("validate", "--level", "config", root=bare_root)

    assert "Column 13" in ran.out
    assert "NOT fit for use" in ran.out


def test_settings_that_cannot_be_read_end_with_exit_code_2(run_cli, bare_root):
    (bare_root / "config" / "risk.yaml").write_text("max_positon: 10%\n")

    ran = run_cli("validate", "--level", "config", root=bare_root)

    assert ran.code == 2
    assert "config/risk.yaml:1" in ran.err


@pytest.mark.parametrize(
    ("section", "text", "check"),
    [
        ("scanners", "mine: {kind: model, params: {model: ghost}}", "references"),
        ("scanners", "mine: {kind: rule, params: {score: close, tpo: 3}}", "plugins"),
        ("scanners", "mine: {kind: rule, params: {score: 'close.shift(-2)'}}", "plugins"),
        ("scanners", "mine: {kind: unheard_of}", "plugins"),
        ("models", "mine: {kind: ridge, features: no_such_set}", "references"),
        ("models", "mine: {kind: ridge, params: {alpha: -1}}", "plugins"),
        ("strategies", "mine: {kind: model_driven, params: {model: ghost}}", "references"),
        ("risk", "max_position: 100%", "limits"),
        ("strategies", "mine: {kind: model_driven, params: {model: lgbm, top: 5}}", "sizes"),
        ("strategies", "a: {kind: model_driven, params: {model: lgbm, top: 9}}", "sizes"),
        ("features", "compute: [cores]", "features"),
    ],
)
def test_a_wrong_section_fails_its_check(run_cli, bare_root, section, text, check):
    (bare_root / "config" / f"{section}.yaml").write_text(f"{text}\n")

    ran = run_cli("validate", "--level", "config", "--json", root=bare_root)

    assert ran.code == 3
    assert statuses(ran)[check] == "fail"


def test_weights_by_score_are_not_called_fit_for_the_limits(run_cli, bare_root):
    text = "mine: {kind: model_driven, params: {model: lgbm, top: 15, weighting: score}}\n"
    (bare_root / "config" / "strategies.yaml").write_text(text)

    ran = run_cli("validate", "--level", "config", "--json", root=bare_root)

    assert statuses(ran)["sizes"] == "warn"
    assert "mine" in results(ran)["sizes"]["reason"]


@pytest.mark.parametrize("profile", ["demo", "ci", "paper", "live"])
def test_every_profile_that_init_writes_is_right_as_it_stands(run_cli, tmp_path, profile):
    run_cli("init", tmp_path / "fresh")

    ran = run_cli("validate", "--level", "config", "--profile", profile, "--json", root=tmp_path / "fresh")

    assert ran.code == 0
    assert set(statuses(ran).values()) == {"pass"}


def test_without_a_lake_the_data_checks_are_skipped_behind_the_one_that_failed(run_cli, bare_root):
    ran = run_cli("validate", "--level", "data", "--json", root=bare_root)

    assert ran.code == 3
    assert statuses(ran)["bars"] == "fail"
    assert results(ran)["sessions"]["reason"] == "bars failed"


def test_good_bars_pass_every_check_of_the_level(run_cli, filled):
    ran = run_cli("validate", "--level", "data", "--now", "2013-08-09T18:00-04:00", "--json", root=filled)

    assert ran.code == 0
    assert {name for name, status in statuses(ran).items() if status not in {"pass", "skipped"}} == set()
    assert results(ran)["look-ahead"]["status"] == "pass"


def test_a_level_contains_the_ones_before_it(run_cli, filled):
    ran = run_cli("validate", "--level", "trade-ready", "--json", root=filled)

    assert list(statuses(ran)) == NAMES


def test_missing_sessions_and_days_are_counted(run_cli, bare_root, made_bars, store_bars):
    lost = pl.col("session") == date(2013, 8, 1)
    day = (pl.col("session") == date(2013, 7, 31)) & (pl.col("symbol") == "S03")
    store_bars(bare_root, made_bars().filter(~lost & ~day))

    ran = run_cli("validate", "--level", "data", "--json", root=bare_root)

    assert ran.code == 3
    assert results(ran)["sessions"]["reason"] == "1 missing sessions of 160"
    assert results(ran)["sessions"]["details"] == ["2013-08-01"]
    assert results(ran)["symbol-days"]["reason"].startswith("1 other symbol-days missing")


def test_a_large_gap_is_a_warning_that_fails_nothing(run_cli, bare_root, made_bars, store_bars):
    jump = (pl.col("symbol") == "S05") & (pl.col("session") >= date(2013, 8, 1))
    prices = [
        pl.when(jump).then(pl.col(name) * 1.3).otherwise(name).alias(name) for name in ("open", "high", "low", "close")
    ]
    store_bars(bare_root, made_bars().with_columns(prices))

    ran = run_cli("validate", "--only", "bars,large-gaps", "--json", root=bare_root)

    assert ran.code == 0
    assert results(ran)["large-gaps"]["status"] == "warn"
    assert "S05 2013-08-01" in results(ran)["large-gaps"]["details"][0]


def test_too_few_symbols_on_the_last_session_fail(run_cli, bare_root, made_bars, store_bars):
    absent = (pl.col("session") == date(2013, 8, 9)) & (pl.col("symbol") == "S00")
    store_bars(bare_root, made_bars().filter(~absent))

    ran = run_cli("validate", "--only", "coverage", "--json", root=bare_root)

    assert ran.code == 3
    assert results(ran)["coverage"]["details"] == ["S00"]


def test_quarantined_rows_are_counted_by_reason(run_cli, filled, made_bars):
    rows = made_bars(1, 3).with_columns(pl.lit("close is outside [low, high]").alias("reason"))
    with Lake.open(filled / "data_lake") as lake:
        lake.quarantine("bars/1d", rows, source="test")

    ran = run_cli("validate", "--only", "quality", "--json", root=filled)

    assert ran.code == 3
    assert results(ran)["quality"]["reason"] == "3 rows quarantined, 3 with open or close outside [low, high]"
    assert "3 rows: close is outside [low, high]" in results(ran)["quality"]["details"]


def test_bars_of_another_calendar_are_not_blamed_on_other_hands_alone(run_cli, filled):
    ran = run_cli("validate", "--only", "quality", "--set", "data.calendar=24/7", "--json", root=filled)

    assert statuses(ran)["quality"] == "fail"
    assert "another data.calendar than 24/7" in results(ran)["quality"]["fix"]


def test_a_damaged_file_fails(run_cli, filled):
    file = next((filled / "data_lake" / "bars").rglob("*.parquet"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    ran = run_cli("validate", "--level", "data", "--json", root=filled)

    assert ran.code == 3
    assert "fail" in {statuses(ran)["bars"], statuses(ran)["files"]}


def test_old_data_are_a_warning(run_cli, filled):
    ran = run_cli("validate", "--only", "freshness", "--now", "2013-08-14T18:00-04:00", "--json", root=filled)

    assert ran.code == 0
    assert results(ran)["freshness"]["reason"] == "the last bars are of 2013-08-09, 3 sessions before 2013-08-14"


def test_rows_not_yet_known_are_not_looked_at(run_cli, filled):
    ran = run_cli("validate", "--only", "bars", "--now", "2013-08-05T18:00-04:00", "--json", root=filled)

    assert "to 2013-08-05" in results(ran)["bars"]["reason"]


def test_only_skip_and_require_choose_checks(run_cli, filled):
    only = run_cli("validate", "--only", "bars,limits", "--json", root=filled)
    less = run_cli("validate", "--level", "config", "--skip", "limits", "--json", root=filled)

    assert set(statuses(only)) == {"bars", "limits"}
    assert results(less)["limits"]["reason"] == "left out by --skip"


@pytest.mark.parametrize("names", ["plugins", "all"])
def test_a_required_check_that_is_skipped_fails(run_cli, filled, names):
    ran = run_cli("validate", "--level", "config", "--require", names, "--json", root=filled)

    assert ran.code == 3
    assert results(ran)["plugins"]["reason"].startswith("required, but skipped: ")


@pytest.mark.parametrize("words", [("--level", "config"), ("--only", "limits")])
def test_a_required_check_that_does_not_run_fails(run_cli, filled, words):
    ran = run_cli("validate", *words, "--require", "limits,bars", "--json", root=filled)

    assert ran.code == 3
    assert results(ran)["limits"]["status"] == "pass"
    assert results(ran)["bars"]["reason"].startswith("required, but not among the checks that ran")


def test_no_executed_check_is_a_failure(run_cli, filled):
    ran = run_cli("validate", "--only", "limits", "--skip", "limits", "--json", root=filled)

    assert ran.code == 3


def test_skipping_all_is_refused_because_all_is_no_check(run_cli, filled):
    assert run_cli("validate", "--skip", "all", root=filled).code == 2


def test_an_unknown_check_is_a_usage_error_that_names_the_nearest(run_cli, filled):
    ran = run_cli("validate", "--only", "limit", root=filled)

    assert ran.code == 2
    assert "'limits'" in ran.err


def test_junit_is_one_well_formed_suite(run_cli, filled):
    ran = run_cli("validate", "--level", "data", "--format", "junit", root=filled)

    suite = ET.fromstring(ran.out).find("testsuite")
    assert [case.get("name") for case in suite] == [
        check.name for level in ("config", "data") for check in lookup("levels", LEVELS, level)
    ]
    assert int(suite.get("skipped")) == len(suite.findall("testcase/skipped"))


def test_junit_marks_failures_with_their_reason(run_cli, bare_root):
    ran = run_cli("validate", "--only", "bars", "--format", "junit", root=bare_root)

    failure = ET.fromstring(ran.out).find(".//failure")
    assert ran.code == 3
    assert "lake" in failure.get("message")


def test_format_json_is_the_report(run_cli, filled):
    ran = run_cli("validate", "--only", "bars", "--format", "json", root=filled)

    assert ran.envelope["passed"] is True
    assert ran.envelope["results"][0]["name"] == "bars"


def test_models_are_skipped_until_one_is_trained(run_cli, filled):
    (filled / "config" / "models.yaml").write_text("line: {kind: ridge}\n")

    ran = run_cli("validate", "--json", root=filled)

    assert statuses(ran)["models"] == "skipped"
    assert "aitrader train" in results(ran)["models"]["reason"]
    assert statuses(ran)["gate"] == "skipped"


def test_the_second_sample_set_fails_with_its_known_faults(run_cli, bare_root):
    venue = calendar("XNYS")
    source = Sp500SampleBars(SampleSettings(), Context(venue, timedelta(minutes=15), wall_clock))
    fetched = source.fetch(source.listing().symbols, date(2009, 1, 1), date(2010, 12, 31))
    admission = admit(fetched.bars, venue, wall_clock())
    with Lake.open(bare_root / "data_lake", create=True) as lake:
        lake.append("bars/1d", admission.accepted, source=source.name, series=fetched.series)
        lake.quarantine("bars/1d", admission.quarantined, source=source.name)

    ran = run_cli("validate", "--only", "quality,sessions,symbol-days,large-gaps", "--json", root=bare_root)

    found = results(ran)
    assert ran.code == 3
    assert found["quality"]["reason"] == "78 rows quarantined, 78 with open or close outside [low, high]"
    assert found["sessions"]["reason"] == "7 missing sessions of 252"
    assert found["symbol-days"]["reason"].startswith("290 other symbol-days missing")
    assert found["large-gaps"]["status"] == "warn"
    symbols = "AMD ARG BDK BNI CAH CCE CVS DHR EK ESRX ETFC GIS MFE NOVL STR WY"
    assert " ".join(line.split()[0] for line in found["large-gaps"]["details"]) == symbols
