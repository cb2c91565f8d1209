"""The profile that ``--trace FILE`` asks for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

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
        with recording(recorder), span(run.command):
            yield
    finally:
        _write(file, recorder.to_json(run.command))


def _refuse_wrong(file: Path) -> None:
    if file.is_dir() or not file.absolute().parent.is_dir():
        raise UsageError(f"--trace {file} is not a file in an existing folder.", fix="Write --trace profile.json.")


def _write(file: Path, text: str) -> None:
    from aitrader.disk.files import write_text

    try:
        write_text(file, text)
    except OSError as error:
        say(f"warning: The profile could not be written: {error}.")
