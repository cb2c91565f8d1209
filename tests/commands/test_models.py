import hashlib
import json

import pytest

MODELS = """
line:
  kind: ridge
  features: small
"""
FEATURES = """
custom: {one: close / close.shift(1) - 1, jump: open / close.shift(1) - 1}
sets: {small: [one, jump]}
"""
TRAINING = """
retrain: {every: 30, window: 80}
bootstrap_samples: 200
gate: {min_rank_ic_lower: -1}
"""


@pytest.fixture
def trained(bare_root, made_bars, store_bars, run_cli):
    files = {"models": MODELS, "features": FEATURES, "training": TRAINING, "universe": "min_history: 5\n"}
    for name, text in files.items():
        (bare_root / "config" / f"{name}.yaml").write_text(text)
    store_bars(bare_root, made_bars())
    assert run_cli("train", root=bare_root).code == 0
    return bare_root


@pytest.fixture
def folder(trained):
    return next((trained / "data_lake" / "models" / "line").glob("2*"))


@pytest.fixture
def other_root(tmp_path):
    root = tmp_path / "other"
    (root / "config").mkdir(parents=True)
    (root / "config" / "aitrader.yaml").write_text("mode: paper\n")
    return root


def test_stored_models_are_listed(trained, folder, run_cli):
    (line,) = run_cli("models", "ls", "--json", root=trained).envelope["result"]["models"]

    assert (line["name"], line["version"], line["status"], line["champion"]) == ("line", folder.name, "passed", True)
    assert line["label_end"] == "2013-08-09"


def test_an_empty_lake_lists_none(other_root, run_cli):
    ran = run_cli("models", "ls", "--json", root=other_root)

    assert (ran.code, ran.envelope["result"]["models"]) == (0, [])


def test_a_passport_is_shown(trained, run_cli):
    card = run_cli("models", "show", "line", "--json", root=trained).envelope["result"]["passport"]

    assert [feature["name"] for feature in card["features"]] == ["one", "jump"]
    assert card["train"]["label_end"] == "2013-08-09"
    assert card["train"]["purge"] == 6
    assert len(card["golden"]["rows"]) == 16
    assert run_cli("models", "show", "line", root=trained).code == 0


def test_an_unknown_model_is_exit_3(trained, run_cli):
    ran = run_cli("models", "show", "tree", root=trained)

    assert ran.code == 3
    assert "line" in ran.err


def test_an_unknown_version_is_told_where_versions_stand(trained, run_cli):
    ran = run_cli("models", "show", "line", "2017", root=trained)

    assert ran.code == 3
    assert "aitrader models ls" in ran.err


def test_whole_models_verify_and_damaged_ones_do_not(trained, folder, run_cli):
    assert run_cli("models", "verify", root=trained).code == 0
    path = folder / "model.json"
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))

    ran = run_cli("models", "verify", "--json", root=trained)

    assert ran.code == 3
    assert "SHA-256" in ran.envelope["result"]["checks"][0]["reason"]


def test_a_model_comes_from_another_lake_without_its_rows(trained, other_root, run_cli):
    ran = run_cli("models", "import", trained / "data_lake" / "models" / "line", "--json", root=other_root)

    assert ran.code == 0
    assert ran.envelope["result"]["line"]["imported"] is True
    assert any("2013-08-09" in warning for warning in ran.envelope["warnings"])
    assert not (other_root / "data_lake" / "predictions").exists()
    again = run_cli("models", "import", trained / "data_lake" / "models" / "line", "--json", root=other_root)
    assert again.envelope["result"]["new"] is False


def test_an_import_leaves_one_receipt_with_the_hashes_of_its_files(trained, folder, other_root, run_cli):
    ran = run_cli("models", "import", folder, "--json", root=other_root)
    again = run_cli("models", "import", folder, "--json", root=other_root)

    path = other_root / ran.envelope["result"]["receipt"]
    outputs = json.loads(path.read_text())["outputs"]
    card = hashlib.sha256((folder / "card.json").read_bytes()).hexdigest()
    assert path.stem == ran.envelope["run_id"]
    assert outputs[f"models/line/{folder.name}/card.json"] == card
    assert again.envelope["result"]["receipt"] is None
    assert len(list(path.parent.iterdir())) == 1


def test_a_damaged_model_is_not_imported(trained, folder, other_root, run_cli):
    (folder / "card.json").write_bytes(b"{}")

    ran = run_cli("models", "import", folder, root=other_root)

    assert ran.code == 3
    assert not (other_root / "data_lake" / "models").exists()


def test_a_path_without_a_model_is_exit_3(other_root, run_cli, tmp_path):
    assert run_cli("models", "import", tmp_path / "nothing", root=other_root).code == 3
