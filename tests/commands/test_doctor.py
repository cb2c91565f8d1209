"""``aitrader doctor``."""

from datetime import UTC, datetime
from types import SimpleNamespace

from aitrader.domain.clock import fixed_clock
from aitrader.jobs import doctor as job


def checks(ran):
    return {check["name"]: check for check in ran.envelope["result"]["checks"]}


def test_a_good_root_passes(run_cli, bare_root):
    ran = run_cli("doctor", "--json", root=bare_root)

    assert ran.code == 0
    assert {check["status"] for check in checks(ran).values()} <= {"pass", "skip"}
    assert checks(ran)["lake folder"]["status"] == "pass"


def test_without_a_root_it_fails_and_skips_the_rest(run_cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    ran = run_cli("doctor", "--json")

    assert ran.code == 3
    assert checks(ran)["root"]["status"] == "fail"
    assert checks(ran)["lake folder"]["status"] == "skip"


def test_wrong_settings_fail_and_name_the_line(run_cli, bare_root):
    (bare_root / "config" / "risk.yaml").write_text("max_positon: 10%\n")

    ran = run_cli("doctor", "--json", root=bare_root)

    assert ran.code == 3
    assert "config/risk.yaml:1" in checks(ran)["settings"]["detail"]


def test_a_lake_that_cannot_be_written_fails(run_cli, bare_root):
    (bare_root / "data_lake").rmdir()

    ran = run_cli("doctor", root=bare_root)

    assert ran.code == 3
    assert "data_lake" in ran.out


def test_credentials_are_present_or_not_and_never_shown(run_cli, bare_root, monkeypatch):
    monkeypatch.setenv("APCA_API_KEY_ID", "canary-key-name")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "canary-secret-value")

    ran = run_cli("doctor", "--json", root=bare_root)

    assert checks(ran)["APCA_API_SECRET_KEY"]["detail"] == "set in the environment"
    assert checks(ran)["APCA_API_BASE_URL"]["status"] == "skip"
    assert "canary" not in ran.out + ran.err


def test_half_a_pair_of_credentials_fails(run_cli, bare_root, monkeypatch):
    monkeypatch.setenv("APCA_API_KEY_ID", "canary-key-name")

    ran = run_cli("doctor", "--json", root=bare_root)

    assert ran.code == 3
    assert "APCA_API_SECRET_KEY is not" in checks(ran)["APCA_API_KEY_ID"]["detail"]


def test_a_full_disk_and_a_wrong_clock_fail(bare_root, monkeypatch):
    monkeypatch.setattr(job.shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000_000))

    report = job.doctor(bare_root, job.Config(), {}, clock=fixed_clock(datetime(2001, 1, 2, tzinfo=UTC)))

    assert {check.name for check in report.checks if check.status == "fail"} == {"free space", "clock"}
