"""One run of one command: what it was given, and what it answers."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aitrader.domain.clock import Clock, wall_clock
from aitrader.envelope import Status
from aitrader.errors import ConfigError
from aitrader.trace import span

if TYPE_CHECKING:
    from aitrader.config.load import Loaded
    from aitrader.config.schema import Config
    from aitrader.jobs.assembly.folders import Visit
    from aitrader.jobs.progress import Progress

HALT_VARIABLE: Final = "AITRADER_HALT"
"""The environment variable that shuts HALT."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command answers: ``result`` (a frozen dataclass) for ``--json``, ``tables`` (of rich) for people.

    ``exit_code`` other than 0 is for results that fail without an error, such as a gate that did not pass.
    """

    result: Any
    tables: Sequence[Any] = ()
    warnings: Sequence[str] = ()
    status: Status = "done"
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Common:
    """The options of every command, as given before and after its name."""

    config: Path | None = None
    profile: str | None = None
    sets: tuple[str, ...] = ()
    root: Path | None = None
    book: str | None = None
    env_file: Path | None = None
    as_json: bool = False
    verbose: int = 0
    debug: bool = False
    trace: Path | None = None
    now: datetime | None = None


class Run:
    """One run of one command. Settings are read when they are first asked for.

    ``clock`` is the machine's clock, for what is recorded; ``now`` is the replay clock of ``--now``: None, or the time
    at which a job has to pretend to stand. A job that needs the present takes ``now or clock()``.
    """

    def __init__(self, command: str, common: Common, *, run_id: str, progress: Callable[["Progress"], None]) -> None:
        self.command = command
        self.common = common
        self.run_id = run_id
        self.json = common.as_json
        self.now = common.now
        self.clock: Clock = wall_clock
        self.env: Mapping[str, str] = os.environ
        self._progress = progress

    @cached_property
    def root(self) -> Path:
        """The root folder; a ``ConfigError`` where there is none."""
        from aitrader.config.root import find_root

        return find_root(self.common.root, self.env, Path.cwd())

    @cached_property
    def loaded(self) -> "Loaded":
        """The settings with their origins and secrets; a ``ConfigError`` where they are wrong."""
        return self.load_with(profile=self.common.profile)

    def load_with(self, *, profile: str | None, config_path: Path | None = None, book: str | None = "") -> "Loaded":
        """Return the settings under another profile, file or book (None: their own), with this run's other options."""
        from aitrader.config.load import load

        with span("settings"):
            return load(
                self.root,
                env=self.env,
                config_path=config_path or self.common.config,
                profile=profile,
                sets=self.common.sets,
                book=self.common.book if book == "" else book,
                env_file=self.common.env_file,
            )

    @property
    def config(self) -> "Config":
        """The settings."""
        return self.loaded.config

    @property
    def config_or_default(self) -> "Config":
        """The settings; where there is no root, and no option that needs one, the defaults."""
        from aitrader.config.root import VARIABLE
        from aitrader.config.schema import Config

        given = self.common
        try:
            _ = self.root
        except ConfigError:
            if given.root or given.config or given.profile or given.sets or self.env.get(VARIABLE):
                raise
            return Config()
        return self.config

    @property
    def book(self) -> str:
        """The name of the book: ``--book``, else the configured one."""
        return self.config.book

    @property
    def visit(self) -> "Visit":
        """Who opens a book, and when; ``AITRADER_HALT`` shuts HALT whatever it says, unless it is empty or 0."""
        from aitrader.jobs.assembly.folders import Visit

        halted = self.env.get(HALT_VARIABLE, "").strip() not in {"", "0"}
        return Visit(self.command, self.run_id, self.now, self.clock, halted)

    @property
    def lake_path(self) -> Path:
        """The lake's folder."""
        return self.root / "data_lake"

    def progress(self, progress: "Progress") -> None:
        """Show how far the job has come. This is the safe point: after a signal it raises ``Stopped``."""
        self._progress(progress)
