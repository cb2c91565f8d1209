"""A root to write settings into, and a way to read them."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aitrader.config.load import Loaded, load

NOBODY = 65534


@pytest.fixture
def unprivileged_folder() -> Iterator[Path]:
    """A folder of somebody who is not root; the test runs as that user."""
    folder = Path(tempfile.mkdtemp())
    was_root = os.geteuid() == 0
    if was_root:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if was_root:
            os.seteuid(0)
        shutil.rmtree(folder)


Read = Callable[..., Loaded]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root whose only setting is the mode."""
    (tmp_path / "config" / "profiles").mkdir(parents=True)
    (tmp_path / "config" / "aitrader.yaml").write_text("mode: paper\n")
    return tmp_path


@pytest.fixture
def read(root: Path) -> Read:
    """Read the settings of ``root`` after writing files: ``read(risk="max_gross: 50%", sets=["book=x"])``."""

    def reading(*, sets=(), env=None, profile=None, config_path=None, **files: str) -> Loaded:
        for name, text in files.items():
            (root / "config" / f"{name}.yaml").write_text(text)
        return load(root, env=env or {}, sets=sets, profile=profile, config_path=config_path)

    return reading
