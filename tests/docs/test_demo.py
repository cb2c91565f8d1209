"""The demo runs as it is written, and docs/first-run.md shows what it prints."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(400)
def test_the_demo_tells_the_story_that_the_first_run_shows(documents, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "COLUMNS": "100", "NO_COLOR": "1", "TZ": "UTC"}

    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py"), "build/demo"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3000:]
    page = (ROOT / "docs" / "first-run.md").read_text()
    shown = page[page.index("# A configuration that works") : page.rindex("```")]
    told = done.stdout.replace(str(tmp_path), "/home/you/aitrader")
    printed = told[told.index("# A configuration that works") :]
    assert documents.normalised(printed) == documents.normalised(shown)
    reports = list((tmp_path / "build" / "demo" / "data_lake" / "reports").glob("*/report.html"))
    assert len(reports) == 1
    assert "survivorship" in reports[0].read_text()
