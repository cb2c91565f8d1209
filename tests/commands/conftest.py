"""Runs a command line as a person would, inside this process."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from aitrader.cli.app import main
from aitrader.cli.render import ProgressView
from aitrader.domain.calendars import calendar
from aitrader.domain.frames import BARS, Adjustment
from aitrader.domain.series import SeriesInfo
from aitrader.lake.store import Lake

MARKER = "config/aitrader.yaml"
LEARNING = {
    "features.yaml": """
custom:
  one: close / close.shift(1) - 1
  jump: open / close.shift(1) - 1
sets: {small: [one, jump]}
compute: [small]
""",
    "models.yaml": "line: {kind: ridge, features: small}\n",
    "training.yaml": "retrain: {every: 30, window: 60}\nbootstrap_samples: 200\ngate: {min_rank_ic_lower: -1}\n",
    "strategies.yaml": "top: {kind: model_driven, params: {model: line, top: 3}}\n",
    "scanners.yaml": 'best: {kind: model, params: {model: line}}\nrule: {kind: rule, params: {score: "one"}}\n',
    "universe.yaml": "min_history: 5\n",
}
READERS = {
    "calculate-features": ["calculate-features", "--full"],
    "train": ["train"],
    "scan": ["scan", "--scanner", "rule", "--strategy", "top", "--allow-rejected"],
    "explain": ["explain", "S00"],
    "backtest": ["backtest"],
}


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
                        "adj_close": None,
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


@pytest.fixture(scope="session")
def write_settings() -> Callable[[Path, Mapping[str, str]], None]:
    """Write texts by file name into a root's ``config/``."""

    def write(root: Path, texts: Mapping[str, str]) -> None:
        for name, text in texts.items():
            (root / "config" / name).write_text(text)

    return write


@pytest.fixture(scope="session")
def new_root(
    tmp_path_factory: pytest.TempPathFactory,
    write_settings: Callable[..., None],
    made_bars: Callable[..., pl.DataFrame],
    store_bars: Callable[..., None],
) -> Callable[..., Path]:
    """Make a root with these settings and the bars of twelve symbols: ``new_root(settings, sessions=40)``.

    Making one costs more than copying it: what many tests begin with is made once and copied for each.
    """

    def make(settings: Mapping[str, str], sessions: int) -> Path:
        folder = tmp_path_factory.mktemp("made") / "root"
        for name in ("config", "data_lake", "logs", "state"):
            (folder / name).mkdir(parents=True)
        (folder / MARKER).write_text("mode: paper\n")
        write_settings(folder, settings)
        store_bars(folder, made_bars(sessions=sessions))
        return folder

    return make


@pytest.fixture(scope="session")
def learning_once(new_root: Callable[..., Path]) -> Path:
    """A root with twelve symbols, 130 sessions and a model to train, whose gate lets everything through."""
    return new_root(LEARNING, sessions=130)


@pytest.fixture
def root(learning_once: Path, bare_root: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(learning_once, bare_root, dirs_exist_ok=True))


@pytest.fixture(scope="session")
def trained_once(learning_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same root with its model trained up to 2013-07-26; copy it before use."""
    folder = Path(shutil.copytree(learning_once, tmp_path_factory.mktemp("trained") / "root"))
    assert main(["train", "--end", "2013-07-26", "--root", str(folder)]) == 0
    return folder


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(trained_once, tmp_path / "trained"))


@pytest.fixture
def readers() -> dict[str, list[str]]:
    """The commands that read the lake, by name."""
    return READERS


@pytest.fixture(scope="session")
def two_lines() -> Callable[..., str]:
    """Check the code, that the last two lines are the error and its cure, and that the error names ``words``."""

    def check(ran: Ran, code: int, *words: str) -> str:
        assert ran.code == code, ran.err
        assert "Traceback" not in ran.err
        assert "Unexpected" not in ran.err
        error, fix = ran.err.splitlines()[-2:]
        assert error.startswith("error: ")
        assert fix.startswith("fix: ")
        for word in words:
            assert word in error
        return error

    return check


@pytest.fixture(scope="session")
def files_in() -> Callable[[Path], dict[Path, bytes]]:
    """Return the content of every file below a folder, by its place there."""

    def read(folder: Path) -> dict[Path, bytes]:
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    return read


@pytest.fixture(scope="session")
def stored(files_in: Callable[[Path], dict[Path, bytes]]) -> Callable[[Path], dict[Path, bytes]]:
    """Return every file of a root's lake but the catalog's scratch files and the locks."""

    def read(folder: Path) -> dict[Path, bytes]:
        files = files_in(folder / "data_lake").items()
        return {path: data for path, data in files if path.parent.name != ".locks" and "sqlite-" not in path.name}

    return read


@pytest.fixture
def at_progress(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Do something when a command reports its progress for the n-th time; return how often it was done."""
    real = ProgressView.__call__

    def arrange(number: int, act: Callable[[], None]) -> list[Any]:
        seen: list[Any] = []
        done: list[Any] = []

        def call(self: ProgressView, progress: Any) -> None:
            real(self, progress)
            seen.append(progress)
            if len(seen) == number:
                done.append(progress)
                act()

        monkeypatch.setattr(ProgressView, "__call__", call)
        return done

    return arrange


EVEN = {
    "strategies.yaml": "even: {kind: equal_weight}\n",
    "universe.yaml": "min_history: 5\n",
    "risk.yaml": "{max_daily_loss: 50%, max_drawdown: 70%}\n",
}


@pytest.fixture(scope="session")
def even_once(new_root: Callable[..., Path]) -> Path:
    """A root with bars of twelve symbols through 2013-08-09 and a strategy without a model: equal parts, weekly."""
    return new_root(EVEN, sessions=40)


@pytest.fixture
def even_root(even_once: Path, bare_root: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(even_once, bare_root, dirs_exist_ok=True))


@pytest.fixture(scope="session")
def even_book_once(even_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same root with a book that traded in the morning of 2013-08-08; copy it before use."""
    folder = Path(shutil.copytree(even_once, tmp_path_factory.mktemp("even") / "root"))
    assert main(["trade", "--now", "2013-08-08T09:36-04:00", "--root", str(folder)]) == 0
    return folder


@pytest.fixture
def even_book(even_book_once: Path, bare_root: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(even_book_once, bare_root, dirs_exist_ok=True))


@pytest.fixture(scope="session")
def traded_once(trained_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained root after its first decision: three symbols, decided on 2013-08-07; copy it before use."""
    folder = Path(shutil.copytree(trained_once, tmp_path_factory.mktemp("traded") / "root"))
    wide = ("--set", "risk.max_position=40%", "--set", "risk.max_order_equity_share=40%")
    assert main(["trade", "--now", "2013-08-08T09:36-04:00", *wide, "--root", str(folder)]) == 0
    return folder


@pytest.fixture
def traded(traded_once: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(traded_once, tmp_path / "traded"))
