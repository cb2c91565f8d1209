"""The set-up says what it will cost, and names what a machine lacks."""

import importlib.util
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "set_up.py"


@pytest.fixture
def set_up(monkeypatch, tmp_path):
    """The script as a module whose folder is an empty one, and which installs nothing."""
    spec = importlib.util.spec_from_file_location("set_up", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / ".venv").mkdir()
    ran = []
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(
        module.subprocess, "run", lambda command, **_: ran.append(command) or SimpleNamespace(returncode=module.result)
    )
    module.result, module.ran = 0, ran
    return module


def test_a_python_without_venv_is_told_the_system_package(set_up, monkeypatch, capsys):
    monkeypatch.setattr(set_up.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else object())

    code = set_up.main("run")

    told = capsys.readouterr().err
    assert code == 2
    assert "venv" in told
    assert "apt install python3" in told
    assert set_up.ran == []


def test_an_old_python_is_refused(set_up, monkeypatch, capsys):
    monkeypatch.setattr(set_up.sys, "version_info", (3, 10, 2))

    assert set_up.main("run") == 2
    assert "3.11 or newer" in capsys.readouterr().err


def test_the_size_is_announced_and_everything_is_installed_by_hash(set_up, capsys):
    assert set_up.main("dev") == 0

    assert "1.3 GB on disk" in capsys.readouterr().out
    commands = [" ".join(map(str, command)) for command in set_up.ran]
    assert any("-m venv" in command for command in commands)
    assert any("--require-hashes -r requirements/dev.txt" in command for command in commands)
    assert (set_up.VENV / ".dev").exists()
    assert (set_up.VENV / ".run").exists()


def test_a_failed_installation_leaves_no_mark(set_up, capsys):
    set_up.result = 1

    assert set_up.main("run") == 1
    assert "package index" in capsys.readouterr().err
    assert not (set_up.VENV / ".run").exists()


def test_every_requirement_is_hashed_and_none_names_an_address():
    for name in ("run", "dev"):
        text = (SCRIPT.parents[1] / "requirements" / f"{name}.txt").read_text()

        pinned = [line for line in text.splitlines() if "==" in line]

        assert len(pinned) > 50
        assert all(line.endswith("\\") for line in pinned)
        assert text.count("--hash=sha256:") >= len(pinned)
        assert "://" not in text


def test_the_shell_finds_make_s_two_commands():
    shown = subprocess.run(
        [shutil.which("make"), "--dry-run", "--always-make", "demo", "test"],
        cwd=SCRIPT.parents[1],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert "examples/set_up.py run" in shown
    assert "examples/demo.py" in shown
    assert "pytest" in shown
