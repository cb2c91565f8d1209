"""Runs a command line as a person would, inside this process."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aitrader.cli.app import main

MARKER = "config/aitrader.yaml"


@dataclass(frozen=True, slots=True)
class Ran:
    """What the shell saw."""

    code: int
    out: str
    err: str

    @property
    def envelope(self) -> dict[str, Any]:
        """The JSON object on stdout; fails where stdout holds anything else."""
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


RunCli = Callable[..., Ran]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No settings or credentials of the person who runs the tests; a home of its own."""
    for name in [name for name in os.environ if name.startswith(("AITRADER", "APCA_"))]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return iter(())


@pytest.fixture
def run_cli(capsys: pytest.CaptureFixture[str]) -> RunCli:
    """Run ``aitrader ARGUMENTS``: returns code, out and err. ``run_cli("scan", "--json", root=folder).envelope``."""

    def run(*arguments: str | Path, root: Path | None = None) -> Ran:
        capsys.readouterr()
        words = [str(argument) for argument in arguments]
        if root is not None:
            words += ["--root", str(root)]
        code = main(words)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def bare_root(tmp_path: Path) -> Path:
    """A root with nothing but the marker and the empty folders: every setting is the default."""
    root = tmp_path / "root"
    for name in ("config", "data_lake", "logs", "state"):
        (root / name).mkdir(parents=True)
    (root / MARKER).write_text("mode: paper\n")
    return root
