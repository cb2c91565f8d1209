"""docs/operations.md: its drills print what it shows, and its crontab and CI job run as they are written.

The lines know nothing of the replay clock: the ``aitrader`` that they find adds ``--now`` to what they say.
"""

import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
LINE = re.compile(r"(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.*)")
LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
SMALL = {
    "models.yaml": "lgbm: {kind: ridge}\n",
    "training.yaml": "retrain: {every: 60, window: 250}\nbootstrap_samples: 200\ngate: {min_rank_ic_lower: -1}\n",
}
"""What makes a training take a second: a fast kind of model, short folds, and a gate that lets it through."""

WEEK = (
    ("train", "2013-08-03T09:00"),
    ("--controls", "2013-08-03T10:15"),
    ("backfill", "2013-08-07T18:30"),
    ("trade-ready", "2013-08-08T09:15"),
    ("trade --json", "2013-08-08T09:36"),
    ("trade --json", "2013-08-08T09:46"),
    ("status", "2013-08-08T10:00"),
    ("report", "2013-08-08T18:45"),
    ("flock", "2013-08-08T19:00"),
)
"""When each line of the crontab is run, in New York: from the Saturday before to the evening after a decision."""


@pytest.fixture(scope="module")
def text():
    return PAGE.read_text()


@pytest.fixture(scope="module")
def prepared(documents, text, tmp_path_factory):
    """A root as the page begins with; copy it before use."""
    root = tmp_path_factory.mktemp("prepared") / "root"
    root.mkdir()
    documents.prepare_root(root, text)
    return root


@pytest.fixture
def home(prepared, tmp_path):
    """A home with a root ``trading``, whose starter strategy holds the ten best of a small model."""
    root = tmp_path / "trading"
    shutil.copytree(prepared, root)
    strategies = (PAGE.parents[1] / "config" / "strategies.yaml").read_text()
    for name, content in {**SMALL, "strategies.yaml": strategies}.items():
        (root / "config" / name).write_text(content)
    return tmp_path


@pytest.fixture
def shell(documents, home):
    """Run a line in ``home`` at a time; returns code and output."""
    shim = home / "bin" / "aitrader"
    shim.parent.mkdir()

    def run(line, now, folder=home):
        real = Path(sys.executable).with_name("aitrader")
        shim.write_text(f'#!/bin/sh\nexec {real} "$@" --now {now}-04:00\n')
        shim.chmod(0o755)
        environment = documents.environment(home)
        environment["PATH"] = f"{shim.parent}:{environment['PATH']}"
        done = subprocess.run(
            ["/bin/sh", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    return run


def crontab(text):
    """The lines of the crontab: (schedule, command)."""
    (block,) = re.findall(r"^```cron\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = [line for line in block.splitlines() if line and not line.startswith("#") and "=" not in line.split()[0]]
    return [LINE.fullmatch(line).groups() for line in lines]


def fires(schedule, when):
    """Whether a schedule of cron names the minute ``when``."""
    values = (when.minute, when.hour, when.day, when.month, when.isoweekday() % 7)
    return all(
        _named(field, *limits, value) for field, limits, value in zip(schedule.split(), LIMITS, values, strict=True)
    )


def _named(field, low, high, value):
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start, end = (low, high) if span == "*" else (int(first), int(last or first))
        if start <= value <= end and (value - start) % int(step or 1) == 0:
            return True
    return False


@pytest.mark.parametrize(
    ("schedule", "when", "expected"),
    [
        ("36,46,56 9 * * 1-5", datetime(2013, 8, 8, 9, 46, tzinfo=UTC), True),
        ("36,46,56 9 * * 1-5", datetime(2013, 8, 10, 9, 46, tzinfo=UTC), False),
        ("*/30 10-15 * * *", datetime(2013, 8, 10, 15, 30, tzinfo=UTC), True),
        ("*/30 10-15 * * *", datetime(2013, 8, 10, 15, 31, tzinfo=UTC), False),
        ("0 9 * * 6", datetime(2013, 8, 10, 9, 0, tzinfo=UTC), True),
    ],
)
def test_schedules_are_read_as_cron_reads_them(schedule, when, expected):
    assert fires(schedule, when) is expected


@pytest.mark.timeout(600)
def test_every_line_of_the_crontab_runs_as_it_is_written(text, home, shell):
    lines = crontab(text)
    done = set()

    for word, time in WEEK:
        schedule, command = next(
            line for line in lines if word in line[1] and fires(line[0], datetime.fromisoformat(time))
        )
        code, printed = shell(command, time)
        assert code == 0, f"{command} at {time}: {printed}"
        done.add((schedule, command))

    assert done == set(lines)
    answers = (home / "trading" / "cron.log").read_text()
    assert '"command": "trade", "status": "done"' in answers
    assert '"command": "trade", "status": "skipped"' in answers
    assert (home / "trading" / "backup.tgz").stat().st_size > 0


@pytest.mark.timeout(600)
def test_every_step_of_the_ci_job_passes_as_it_is_written(text, home, shell):
    job = next(
        inside for inside in re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if "run:" in inside
    )

    for step in yaml.safe_load(job):
        code, printed = shell(step["run"], "2013-08-08T09:40", home / "trading")
        assert code == 0, f"{step['run']}: {printed[-2000:]}"

    assert not (home / "trading" / "state" / "main").exists()


@pytest.mark.timeout(600)
def test_the_drills_print_what_the_page_shows(documents, text, prepared, tmp_path):
    root = shutil.copytree(prepared, tmp_path / "root")

    for command in documents.commands(text):
        printed = documents.run(command.command, root)
        assert documents.normalised(printed) == documents.normalised(command.output), command.command
