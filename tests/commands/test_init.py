"""``aitrader init``."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def tree(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_the_starter_works_at_once(run_cli, tmp_path):
    assert run_cli("init", tmp_path / "new").code == 0

    assert run_cli("config", "validate", root=tmp_path / "new").code == 0
    for profile in ("demo", "ci", "paper", "live"):
        assert run_cli("--profile", profile, "config", "validate", root=tmp_path / "new").code == 0


def test_the_repository_s_own_configuration_equals_the_starter(run_cli, tmp_path):
    run_cli("init", tmp_path / "new")

    assert tree(REPOSITORY / "config") == tree(tmp_path / "new" / "config"), "run `aitrader init . --force`"
    assert (REPOSITORY / ".env.example").read_text() == (tmp_path / "new" / ".env.example").read_text()


def test_the_starter_states_the_defaults(run_cli, tmp_path, bare_root):
    run_cli("init", tmp_path / "new")

    written = run_cli("config", "show", "--json", root=tmp_path / "new").envelope["result"]["settings"]
    default = run_cli("config", "show", "--json", root=bare_root).envelope["result"]["settings"]

    examples = ("models", "strategies", "scanners")
    values = {item["name"]: item["value"] for item in written if not item["name"].startswith(examples)}
    assert values == {item["name"]: item["value"] for item in default if not item["name"].startswith(examples)}
    assert all(item["origin"].startswith("config/") for item in written)


def test_the_demo_profile_holds_five_names_and_widens_the_limits_that_five_names_need(run_cli, tmp_path):
    run_cli("init", tmp_path / "new")

    differences = run_cli("config", "diff", "base", "demo", "--json", root=tmp_path / "new").envelope["result"]

    assert {item["name"]: item["second"] for item in differences["differences"]} == {
        "data.source": "sample",
        "strategies.leaders.params.top": "5",
        "risk.max_position": 0.2,
        "risk.max_order_equity_share": 0.2,
        "risk.max_daily_loss": 0.2,
        "risk.max_drawdown": 0.7,
    }


def test_it_never_overwrites_without_force(run_cli, tmp_path):
    root = tmp_path / "new"
    run_cli("init", root)
    (root / "config" / "risk.yaml").write_text("max_gross: 50%\n")
    (root / "config" / "data.yaml").unlink()

    refused = run_cli("init", root)

    assert refused.code == 2
    assert "config/risk.yaml" in refused.err
    assert not (root / "config" / "data.yaml").exists()  # nothing is written, not even what is missing
    assert run_cli("init", root, "--force").code == 0
    assert "10%" in (root / "config" / "risk.yaml").read_text()


def test_doing_it_again_changes_nothing(run_cli, tmp_path):
    run_cli("init", tmp_path / "new")

    again = run_cli("init", tmp_path / "new", "--json")

    assert (again.code, again.envelope["status"], again.envelope["result"]["written"]) == (0, "skipped", [])


def test_a_gitignore_that_stands_there_is_kept(run_cli, tmp_path):
    (tmp_path / ".gitignore").write_text("mine\n")

    assert run_cli("init", tmp_path, "--force").code == 0

    assert (tmp_path / ".gitignore").read_text() == "mine\n"


def test_dry_run_writes_nothing(run_cli, tmp_path):
    assert run_cli("init", tmp_path / "new", "--dry-run").code == 0

    assert not (tmp_path / "new").exists()


def test_a_file_in_the_way_is_2(run_cli, tmp_path):
    (tmp_path / "file").write_text("")

    assert run_cli("init", tmp_path / "file").code == 2


@pytest.mark.parametrize("name", ["APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "APCA_API_BASE_URL"])
def test_the_example_names_each_credential_and_no_value(name):
    lines = (REPOSITORY / ".env.example").read_text().splitlines()

    assert [line for line in lines if line.startswith(f"{name}=")]
    assert f"{name}=" in lines or name.endswith("URL")
