"""The tool that kills, how much of it there is time for, and a process to fork commands from."""

import importlib.util
import os
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest


def _load(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Effort:
    """How much is tried: a sample in `make test`, every point in `make reliability`, longer loops in `make soak`.

    A test is cut into ``parts``, for as many processes; each tries ``points`` of its points (None: all), and dies at
    least ``kills`` random deaths in each scene, for which ``seed`` (SOAK_SEED in the environment) throws the dice.
    Where not all points are tried, they are those that come right after a sync: each shows another state.
    """

    parts: int
    points: int | None
    kills: int
    seed: int = int(os.environ.get("SOAK_SEED", "0"))

    def some(self, points, part):
        """Return the points that this part tries, spread evenly."""
        if self.points is None:
            return points[part :: self.parts]
        synced = [after for before, after in pairwise(points) if "sync" in before.call][part :: self.parts]
        count = min(self.points, len(synced))
        return [synced[len(synced) * number // count] for number in range(count)]


EFFORTS = {
    "sample": Effort(1, 5, 2),
    "commits": Effort(1, 1_000, 2),
    "all": Effort(4, None, 20),
    "soak": Effort(4, None, 700),
}
EFFORT = EFFORTS[os.environ.get("RELIABILITY", "sample")]


def pytest_generate_tests(metafunc):
    """Cut the tests that ask for a ``part``."""
    if "part" in metafunc.fixturenames:
        metafunc.parametrize("part", range(EFFORT.parts))


@pytest.fixture(scope="session")
def crashpoints():
    """tests/crash/crashpoints.py as a module."""
    return _load("crashpoints")


@pytest.fixture(scope="session")
def books():
    """tests/crash/books.py as a module."""
    return _load("books")


@pytest.fixture(scope="session")
def effort():
    """As the environment variable RELIABILITY says: sample (default), all or soak."""
    return EFFORT


@pytest.fixture(scope="session")
def commands(crashpoints, tmp_path_factory):
    """Commands run in forks of one process."""
    with crashpoints.Commands(tmp_path_factory.mktemp("scratch")) as running:
        yield running


@pytest.fixture
def kills(record_property):
    """Count kills and what was found after them, for the report."""
    counted = {"kills": 0}
    yield counted
    for name, number in counted.items():
        record_property(name, number)
