"""Whether this machine, this root and these settings can do the work."""

import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final, Literal

from aitrader.config.schema import Config
from aitrader.domain.calendars import calendar
from aitrader.domain.clock import Clock
from aitrader.errors import AitraderError

NEEDED_BYTES: Final = 1_000_000_000
"""Free space below which the lake is called short: a year of daily bars of 5 000 symbols with features."""

OLDEST_PYTHON: Final = (3, 11)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what was found, and what to do where it did not pass."""

    name: str
    status: Literal["pass", "fail", "skip"]
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """All checks, in order. A failed one is for the user to mend; a skipped one says why."""

    checks: tuple[Check, ...]

    @property
    def failed(self) -> bool:
        """Whether any check failed."""
        return any(check.status == "fail" for check in self.checks)


def doctor(
    root: Path | AitraderError,
    config: Config | AitraderError,
    credentials: Mapping[str, str | AitraderError | None],
    *,
    clock: Clock,
) -> DoctorReport:
    """Look at everything; nothing is raised for what does not pass.

    ``root`` and ``config`` are the error where they could not be had. ``credentials`` says for each name the place it
    stands in, None where nobody set it, or why it could not be asked for; values are never handed in.
    """
    checks = [_python(), _system(), _packages(), _clock(clock)]
    if isinstance(root, AitraderError):
        checks += [Check("root", "fail", str(root), root.fix)]
        checks += [
            Check(name, "skip", "there is no root") for name in ("settings", "lake folder", "free space", "logs folder")
        ]
    else:
        checks += [Check("root", "pass", str(root)), _settings(config)]
        checks += [_writable("lake folder", root / "data_lake"), _space(root), _writable("logs folder", root / "logs")]
    checks += [_calendar(config, clock)]
    checks += [_credential(name, place) for name, place in credentials.items()]
    return DoctorReport(tuple(checks))


def _python() -> Check:
    found = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        return Check("python", "fail", f"{found}", "Use Python 3.11 or newer.")
    return Check("python", "pass", f"{found} at {sys.executable}")


def _system() -> Check:
    name = f"{platform.system()} {platform.release()}, {os.cpu_count()} processors"
    if platform.system() in {"Linux", "Darwin"}:
        return Check("system", "pass", name)
    return Check("system", "fail", name, "Use Linux, macOS, or WSL on Windows.")


def _packages() -> Check:
    found, missing = [], []
    for requirement in requires("aitrader") or ():
        words, _, marker = requirement.partition(";")
        if "extra ==" in marker:
            continue
        name = re.split(r"[^A-Za-z0-9._-]", words.strip(), maxsplit=1)[0]
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("packages", "fail", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    return Check("packages", "pass", ", ".join(found))


def _clock(clock: Clock) -> Check:
    """A clock before the newest file of this package was written is certainly wrong."""
    now = clock().astimezone(UTC)
    installed = Path(__file__).stat().st_mtime
    if now.timestamp() + timedelta(days=1).total_seconds() < installed:
        return Check(
            "clock", "fail", f"{now:%Y-%m-%d %H:%M} UTC is before this program was installed", "Set the clock."
        )
    return Check("clock", "pass", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _settings(config: Config | AitraderError) -> Check:
    if isinstance(config, AitraderError):
        return Check("settings", "fail", str(config), config.fix)
    names = f"models: {', '.join(config.models) or 'none'}; strategies: {', '.join(config.strategies) or 'none'}"
    return Check("settings", "pass", f"mode {config.mode}, book {config.book}; {names}")


def _writable(name: str, folder: Path) -> Check:
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        return Check(name, "fail", f"{folder}: {error.strerror}", f"Make {folder} a folder that you may write to.")
    return Check(name, "pass", f"{folder} can be written")


def _space(root: Path) -> Check:
    free = shutil.disk_usage(root).free
    detail = f"{free / 1e9:,.1f} GB free"
    if free < NEEDED_BYTES:
        return Check("free space", "fail", detail, f"Free at least {NEEDED_BYTES / 1e9:.0f} GB.")
    return Check("free space", "pass", detail)


def _calendar(config: Config | AitraderError, clock: Clock) -> Check:
    if isinstance(config, AitraderError):
        return Check("calendar", "skip", "the settings cannot be read")
    name = config.data.calendar
    return _guarded("calendar", lambda: f"{name}: {_last_sessions(name, clock)}")


def _last_sessions(name: str, clock: Clock) -> str:
    return f"last closed session {calendar(name).last_closed(clock())}"


def _guarded(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, "pass", look())
    except AitraderError as error:
        return Check(name, "fail", str(error), error.fix)


def _credential(name: str, place: str | AitraderError | None) -> Check:
    if isinstance(place, AitraderError):
        return Check(name, "fail", str(place), place.fix)
    if place is None:
        return Check(name, "skip", "not set; only the broker's and its data commands need it")
    return Check(name, "pass", f"set in {place}")
