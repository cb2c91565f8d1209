"""``aitrader config``."""

import json

import pytest


@pytest.fixture
def root(run_cli, tmp_path):
    run_cli("init", tmp_path / "new")
    return tmp_path / "new"


def test_show_origin_names_file_and_line_variable_and_flag(run_cli, root, monkeypatch):
    monkeypatch.setenv("AITRADER__RISK__MAX_NET", "50%")

    words = ("config", "show", "risk", "--origin", "--profile", "demo", "--set", "risk.cash_reserve=1%", "--json")
    settings = run_cli(*words, root=root).envelope["result"]["settings"]

    found = {item["name"]: (item["value"], item["origin"]) for item in settings}
    assert found["risk.max_position"] == (0.2, "config/profiles/demo.yaml:12")
    assert found["risk.max_net"] == (0.5, "AITRADER__RISK__MAX_NET")
    assert found["risk.cash_reserve"] == (0.01, "--set risk.cash_reserve")
    value, origin = found["risk.max_gross"]
    line = int(origin.partition(":")[2])
    assert (root / "config" / "risk.yaml").read_text().splitlines()[line - 1] == "max_gross: 100%"
    assert value == 1.0


def test_show_prints_a_table_with_origins(run_cli, root):
    ran = run_cli("config", "show", "labels", "--origin", root=root)

    assert "labels.horizon" in ran.out
    assert "config/labels.yaml:" in ran.out


def test_show_of_an_unknown_section_is_2(run_cli, root):
    assert run_cli("config", "show", "riks", root=root).code == 2


def test_validate_lets_each_plug_in_parse_its_section(run_cli, root):
    ran = run_cli("config", "validate", "--set", "strategies.leaders.params.topp=3", "--json", root=root)

    assert ran.code == 2
    (problem,) = ran.envelope["result"]["problems"]
    assert "--set strategies.leaders.params.topp" in problem["message"]
    assert "'top'" in problem["fix"]


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ("models.lgbm.kind=lightgmb", "lightgbm"),
        ("data.source=yahooo", "yahoo"),
        ("data.sources.fils={path: x}", "files"),
    ],
)
def test_validate_names_what_is_known(run_cli, root, setting, word):
    ran = run_cli("config", "validate", "--set", setting, "--json", root=root)

    assert ran.code == 2
    assert word in json.dumps(ran.envelope["result"]["problems"])


def test_diff_shows_both_values_and_origins(run_cli, root):
    ran = run_cli("config", "diff", "paper", "live", root=root)

    assert ran.code == 0
    assert "config/profiles/live.yaml" in ran.out
    assert "risk.max_position" in ran.out


def test_diff_takes_files(run_cli, root, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text("labels:\n  horizon: 10\n")

    ran = run_cli("config", "diff", "base", other, "--json", root=root)

    differences = {item["name"]: item for item in ran.envelope["result"]["differences"]}
    assert (differences["labels.horizon"]["first"], differences["labels.horizon"]["second"]) == (5, 10)
    assert differences["models.lgbm.kind"]["second_origin"] == "absent"


def test_schema_composes_the_settings_of_plug_ins(run_cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # it needs no root

    ran = run_cli("config", "schema")

    composed = json.loads(ran.out)
    assert composed["configuration"]["properties"]["risk"]
    assert "top" in composed["plugins"]["strategies"]["model_driven"]["properties"]
    assert "alpha" in composed["plugins"]["models"]["ridge"]["properties"]


def test_no_root_is_2_and_says_how_to_make_one(run_cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    ran = run_cli("config", "show")

    assert ran.code == 2
    assert "aitrader init" in ran.err
