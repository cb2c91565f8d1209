"""The profile that ``--trace FILE`` asks for."""

import builtins
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aitrader.cli.render import say
from aitrader.errors import UsageError
from aitrader.trace import Recorder, recording, span

if TYPE_CHECKING:
    from aitrader.cli.run import Run


@contextmanager
def profiled(run: "Run") -> Iterator[None]:
    """Record the spans of one command, and write them when it ends, however it ends.

    Raises
    ------
    UsageError
        The file could never be written: before anything is done.
    """
    if run.common.trace is None:
        yield
        return
    file = run.common.trace
    _refuse_wrong(file)
    recorder = Recorder()
    try:
        with recording(recorder), span(run.command), _imports():
            yield
    finally:
        _write(file, recorder.to_json(run.command))


@contextmanager
def _imports() -> Iterator[None]:
    """Measure what the command imports, which is often the largest part: each first import, with all below it."""
    real, inside = builtins.__import__, False

    def measured(name: str, *args: Any, **kwargs: Any) -> Any:
        nonlocal inside
        if inside or not name or name in sys.modules:
            return real(name, *args, **kwargs)
        inside = True
        try:
            with span(f"import {name}"):
                return real(name, *args, **kwargs)
        finally:
            inside = False

    builtins.__import__ = measured
    try:
        yield
    finally:
        builtins.__import__ = real


def _refuse_wrong(file: Path) -> None:
    if file.is_dir() or not file.absolute().parent.is_dir():
        raise UsageError(f"--trace {file} is not a file in an existing folder.", fix="Write --trace profile.json.")


def _write(file: Path, text: str) -> None:
    from aitrader.disk.files import write_text

    try:
        write_text(file, text)
    except OSError as error:
        say(f"warning: The profile could not be written: {error}.")
