"""The last log lines of all commands, or of some."""

import heapq
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aitrader.errors import LakeError
from aitrader.registry import unknown_name

LEVELS: Final = ("debug", "info", "warning", "error", "critical")

_OWN: Final = frozenset({"time", "level", "run_id", "book", "event"})


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line: time in UTC as written, and every field beyond those named here in ``fields``."""

    time: str
    level: str
    command: str
    run_id: str
    book: str | None
    event: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LogReport:
    """The newest lines that were asked for, oldest first; ``unreadable`` lines were damaged (a crash, a full disk)."""

    lines: tuple[LogLine, ...]
    unreadable: int


def logs(
    folder: Path, *, last: int, command: str | None = None, level: str = "debug", run: str | None = None
) -> LogReport:
    """Return the ``last`` lines in ``folder`` of at least ``level``, of one command, of runs that begin with ``run``.

    Raises
    ------
    UnknownNameError
        ``level`` is no level, or ``command`` has left no log.
    LakeError
        A log file cannot be read.
    """
    if level not in LEVELS:
        raise unknown_name("level", level, LEVELS)
    shown = LEVELS[LEVELS.index(level) :]
    unreadable = 0
    kept: list[tuple[str, int, LogLine]] = []
    for number, line in enumerate(_lines(_files(folder, command))):
        if line is None:
            unreadable += 1
            continue
        if line.level in shown and line.run_id.startswith(run or ""):
            heapq.heappush(kept, (line.time, number, line))
        if len(kept) > last:
            heapq.heappop(kept)
    return LogReport(tuple(line for *_, line in sorted(kept, key=lambda item: item[:2])), unreadable)


def _files(folder: Path, command: str | None) -> dict[Path, str]:
    """Return the log files of ``command`` (None: of all), each with the name of its command."""
    commands = {file: file.name.partition(".")[0] for file in sorted(folder.glob("*.jsonl*"))}
    if not command:
        return commands
    wanted = command.replace(" ", "-")
    chosen = {file: name for file, name in commands.items() if name == wanted}
    if not chosen:
        raise unknown_name("log of a command", wanted, set(commands.values()))
    return chosen


def _lines(files: Mapping[Path, str]) -> Iterator[LogLine | None]:
    for file, name in files.items():
        try:
            with file.open(encoding="utf-8", errors="replace") as opened:
                yield from (_line(text, name) for text in opened)
        except OSError as error:
            raise LakeError(f"{file} cannot be read: {error.strerror}.", fix="Check its permissions.") from error


def _line(text: str, command: str) -> LogLine | None:
    try:
        raw = json.loads(text)
        level = raw["level"] if raw["level"] in LEVELS else "info"
        fields = {name: value for name, value in raw.items() if name not in _OWN}
        return LogLine(raw["time"], level, command, str(raw.get("run_id")), raw.get("book"), str(raw["event"]), fields)
    except (ValueError, KeyError, TypeError):
        return None
