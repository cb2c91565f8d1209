"""The demo runs as it is written, and docs/first-run.md shows what it prints."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "first-run.md"
pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class Told:
    """What the demo printed, and the folder that it worked in."""

    text: str
    root: Path
    environment: dict[str, str]


@pytest.fixture(scope="module")
def told(tmp_path_factory, documents):
    """The demo, run once."""
    folder = tmp_path_factory.mktemp("demo")
    home = folder / "home"
    home.mkdir()
    environment = documents.environment(home)
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py"), "build/demo"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return Told(done.stdout.replace(str(folder), "/home/you/aitrader"), folder / "build" / "demo", environment)


def test_the_demo_tells_the_story_that_the_first_run_shows(documents, told):
    page = PAGE.read_text()
    shown = page[page.index("# A configuration that works") : page.rindex("```")]

    printed = told.text[told.text.index("# A configuration that works") :]

    assert documents.normalised(printed) == documents.normalised(shown)


def test_the_demo_leaves_the_pages_that_it_names(told):
    reports = told.root / "data_lake" / "reports"

    (backtest,) = reports.glob("*/report.html")
    (day,) = reports.glob("*/daily.html")

    assert "survivorship" in backtest.read_text()
    assert "at-main-20130807-leaders-" in day.read_text()


def test_the_default_breakers_halt_five_names_on_the_day_that_the_first_run_says(told):
    defaults = ["--set", "risk.max_daily_loss=2%", "--set", "risk.max_drawdown=10%"]
    script = str(Path(sys.executable).with_name("aitrader"))

    done = subprocess.run(
        [script, "--profile", "demo", *defaults, "backtest", "--allow-rejected", "--end", "2003-07-31", "--json"],
        cwd=told.root,
        env=told.environment,
        capture_output=True,
        text=True,
        check=True,
    )

    halted = json.loads(done.stdout)["result"]["halted"]
    assert halted["code"] == "max_daily_loss"
    assert halted["until"] in PAGE.read_text()
