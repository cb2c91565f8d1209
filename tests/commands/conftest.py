"""Runs a command line as a person would, inside this process."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aitrader.cli.app import main
from aitrader.domain.calendars import calendar
from aitrader.domain.frames import BARS, Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.lake.store import Lake

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
    for name in ("XDG_CONFIG_HOME", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
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


@pytest.fixture(scope="session")
def made_bars() -> Callable[..., pl.DataFrame]:
    """Make bars as traded of symbols S00, S01 ... on the last sessions up to 2013-08-09: a seeded random walk."""

    def make(symbols: int = 12, sessions: int = 160) -> pl.DataFrame:
        venue = calendar("XNYS")
        last = venue.position(date(2013, 8, 9))
        days = venue.sessions[last - sessions + 1 : last + 1]
        random = np.random.default_rng(11)
        frames = []
        for number in range(symbols):
            close = 50 * np.exp(np.cumsum(random.normal(0, 0.01, sessions)))
            start = np.concatenate([close[:1], close[:-1]])
            frames.append(
                pl.DataFrame(
                    {
                        "symbol": f"S{number:02d}",
                        "session": days,
                        "open": start,
                        "high": np.maximum(start, close) * 1.005,
                        "low": np.minimum(start, close) * 0.995,
                        "close": close,
                        "volume": random.uniform(1e6, 2e6, sessions).round(),
                        "vwap": None,
                        "source": "test",
                        "known_at": [venue.close_of(day) + timedelta(minutes=15) for day in days],
                    },
                    schema=BARS,
                )
            )
        return pl.concat(frames)

    return make


@pytest.fixture(scope="session")
def store_bars() -> Callable[[Path, pl.DataFrame], None]:
    """Put bars of source ``test`` into the lake of a root."""

    def store(root: Path, bars: pl.DataFrame) -> None:
        info = SeriesInfo("test", Adjustment.RAW)
        with Lake.open(root / "data_lake", create=True) as lake:
            lake.append("bars/1d", bars, source="test", series=dict.fromkeys(bars["symbol"].unique(), info))

    return store
