"""``aitrader validate --controls``."""

import json
from xml.etree import ElementTree as ET

import pytest

from aitrader.jobs.checks.drills import DRILLS
from aitrader.risk import review


@pytest.fixture
def broken(monkeypatch):
    """A program that forgot one of its limits."""
    asked = review._first
    monkeypatch.setattr(
        review,
        "_first",
        lambda limits, case: asked(tuple(one for one in limits if one[0] != "max_position"), case),
    )


def test_every_control_is_shown_with_its_setting_and_its_answer(bare_root, run_cli):
    ran = run_cli("validate", "--controls", root=bare_root)

    assert ran.code == 0
    assert f"{len(DRILLS)} controls, one breach each" in ran.out
    assert "risk.max_position" in ran.out
    assert "all answer" in ran.out
    assert "switched off by its setting, and tried as if it were not: risk.duplicate_window_s" in ran.err


@pytest.mark.parametrize("profile", ["demo", "ci", "paper", "live"])
def test_the_controls_of_every_profile_answer_at_its_own_limits(tmp_path, run_cli, profile):
    run_cli("init", tmp_path)

    result = run_cli("--profile", profile, "validate", "--controls", "--json", root=tmp_path).envelope["result"]

    found = {one["setting"]: one for one in result["controls"]}
    assert result["fired"] is True
    assert found["risk.max_position"]["default"] == "10%"
    assert found["risk.max_position"]["value"] == {"demo": "20%", "live": "5%"}.get(profile, "10%")


def test_a_control_that_does_not_answer_is_exit_3_and_named(bare_root, run_cli, broken):
    ran = run_cli("validate", "--controls", "--json", root=bare_root)
    shown = run_cli("validate", "--controls", root=bare_root)

    assert (ran.code, ran.envelope["status"]) == (3, "failed")
    assert [one["control"] for one in ran.envelope["result"]["controls"] if not one["fired"]] == ["max_position"]
    assert "1 control WITHOUT an answer" in shown.out


def test_nothing_of_the_book_is_read_or_written(bare_root, run_cli, files_in):
    (bare_root / "data_lake").rmdir()
    (bare_root / "state" / "main").mkdir(parents=True, exist_ok=True)
    (bare_root / "state" / "main" / "journal.sqlite").write_text("no journal")
    (bare_root / "state" / "HALT").touch()

    assert run_cli("validate", "--controls", root=bare_root).code == 0
    assert {str(path) for path in files_in(bare_root / "state")} == {"HALT", "main/journal.sqlite"}


@pytest.mark.parametrize("option", ["--only", "--skip", "--require"])
def test_the_options_that_choose_checks_choose_no_controls(bare_root, run_cli, option):
    ran = run_cli("validate", "--controls", option, "limits", root=bare_root)

    assert ran.code == 2
    assert "--controls tries every control" in ran.err


def test_a_ci_system_gets_json_or_junit(bare_root, run_cli, broken):
    as_json = run_cli("validate", "--controls", "--format", "json", root=bare_root)
    junit = run_cli("validate", "--controls", "--format", "junit", root=bare_root)

    assert len(json.loads(as_json.out)["controls"]) == len(DRILLS)
    (suite,) = ET.fromstring(junit.out)
    assert (suite.get("tests"), suite.get("failures")) == (str(len(DRILLS)), "1")
    assert junit.code == 3
