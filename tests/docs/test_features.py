"""The pages of features say what the registry says, and what they show of extending it works."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from aitrader.cli.app import main
from aitrader.features.feature import FEATURES, load
from aitrader.features.resolve import resolve
from aitrader.panel.scale import level_dependent

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def made():
    """The pages as they would be written now."""
    spec = importlib.util.spec_from_file_location("features_page", Path(__file__).with_name("features_page.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["features_page"] = module
    spec.loader.exec_module(module)
    return module.pages()


def test_the_pages_are_those_of_the_registry(made):
    written = {path: path.read_text(encoding="utf-8") for path in (DOCS / "features").glob("*.md")}
    written[DOCS / "features.md"] = (DOCS / "features.md").read_text(encoding="utf-8")
    stale = sorted(path.name for path in {*made, *written} if made.get(path) != written.get(path))

    assert not stale, "run `python tests/docs/features_page.py`"


def test_every_feature_has_an_entry(made):
    headings = {name for text in made.values() for name in re.findall(r"^## `(\w+)`$", text, re.MULTILINE)}

    assert headings == set(load())


def test_the_settings_that_the_page_shows_keep_the_rules(documents, tmp_path, monkeypatch):
    (text,) = documents.fenced((DOCS / "extending-features.md").read_text(), "yaml")
    (tmp_path / "my.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)

    assert main(["features", "test", "my.yaml"]) == 0


def test_the_module_that_the_page_shows_registers_a_feature(documents):
    text, *_ = documents.fenced((DOCS / "extending-features.md").read_text(), "python")
    before = dict(load())
    try:
        exec(compile(text, "extending-features.md", "exec"), {"__name__": "acme_features"})
        (name,) = set(FEATURES) - set(before)
        (spec,) = resolve([f"{name}(bars=10)"], sets={}, custom={})
    finally:
        FEATURES.clear()
        FEATURES.update(before)

    assert spec.lookback == 10
    assert not level_dependent(spec.expr)
