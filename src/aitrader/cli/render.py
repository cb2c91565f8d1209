"""What people look at: tables on stdout; progress, warnings and errors on stderr. rich is imported when it is used."""

import math
import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from aitrader.jobs.progress import Progress

WIDTH: Final = 160
"""Columns where there is no terminal to ask, as in cron and pipes."""

_SOLID: Final = 44
"""Characters of the longest word that is not broken: an order's id, not a hash or a path."""

_NAME: Final = 14
"""Characters of a column's name that need not break either."""

_WORD: Final = 10
"""Characters of a word that is not broken either, between others in a column that wraps."""

QUIET_SECONDS: Final = 5.0
"""Least time between two progress lines where there is no terminal."""


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, caption: str = "") -> "Table":
    """Return a table. Numbers stand right; None and NaN are shown as ``-``; a rich ``Text`` keeps its colour.

    A column of single words (numbers, ids, dates) is as wide as it needs, whatever the screen; the others wrap. Without
    a name for any column there is no head.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    filled = [tuple(row) for row in rows]
    made = Table(
        title=title or None,
        caption=caption or None,
        box=SIMPLE_HEAD,
        title_justify="left",
        collapse_padding=True,
        min_width=len(title) or None,
        show_header=any(columns),
    )
    for position, name in enumerate(columns):
        _add_column(made, name, [row[position] for row in filled], solid=any(columns))
    for row in filled:
        made.add_row(*map(_cell, row))
    return made


def _add_column(made: "Table", name: str, values: Sequence[Any], *, solid: bool) -> None:
    texts = [name, *(_cell(value).plain for value in values)]
    width = _solid_width(texts) if solid else None
    word = max((len(word) for text in texts for word in text.split()), default=0)
    made.add_column(
        name,
        justify="right" if any(map(_is_number, values)) else "left",
        overflow="fold",
        no_wrap=width is not None,
        min_width=width or min(word, _WORD),
    )


def _solid_width(texts: Sequence[str]) -> int | None:
    """Return the width of a column whose cells must not break; None where there is a sentence, or a name so long."""
    name, *cells = texts
    longest = max(map(len, cells), default=0)
    if longest > _SOLID or len(name) > max(longest, _NAME) or any(" " in cell for cell in cells):
        return None
    return max(longest, len(name))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def colored(text: str, style: str) -> "Text":
    """Return ``text`` in a rich style such as ``red`` or ``bold green``; brackets in it are no markup."""
    from rich.text import Text

    return Text(text, style=style)


def _cell(value: Any) -> "Text":
    from rich.text import Text

    if isinstance(value, Text):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return Text("-", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, float):
        return Text(f"{value:,.4g}")
    return Text(f"{value:,}" if isinstance(value, int) else str(value))


def console(stream: TextIO) -> "Console":
    """Return a rich console on ``stream``: as wide as the terminal; without one ``COLUMNS``, else ``WIDTH`` columns."""
    from rich.console import Console

    asked = os.environ.get("COLUMNS", "")
    width = int(asked) if asked.isdecimal() and int(asked) > 0 else WIDTH
    return Console(file=stream, width=None if _is_terminal(stream) else width, highlight=False, markup=False)


def width() -> int:
    """Return the columns of stdout."""
    return console(sys.stdout).width


def show(renderables: Iterable[Any], stream: TextIO) -> None:
    """Print tables and texts on ``stream``. A ``str`` (XML, JSON) is written as it is, its lines unbroken."""
    shown = console(stream)
    for item in renderables:
        if isinstance(item, str):
            stream.write(f"{item}\n")
            continue
        with shown.capture() as captured:  # written by us: rich ends the process with 1 when the reader has gone
            shown.print(item, crop=False)
        stream.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def say(line: str) -> None:
    """Write one line to stderr; where stderr is closed or full there is nobody to tell."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
    except (OSError, ValueError):
        return


class ProgressView:
    """Shows how far a job has come: a bar on a terminal, else a line now and then. Always on stderr."""

    def __init__(self) -> None:
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._last = -math.inf
        self._shown: tuple[str, int] = ("", -1)

    def __call__(self, progress: "Progress") -> None:
        """Show ``progress``."""
        if _is_terminal(sys.stderr):
            self._draw(progress)
        else:
            self._write(progress)

    def close(self) -> None:
        """Remove the bars, so that what follows starts on a clean line."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def _draw(self, progress: "Progress") -> None:
        if self._bars is None:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[detail]}", style="dim", markup=False),
            )
            self._bars = Progress(*columns, console=console(sys.stderr), transient=True)
            self._bars.start()
        if progress.step not in self._tasks:
            self._tasks[progress.step] = self._bars.add_task(progress.step, detail="")
        task = self._tasks[progress.step]
        self._bars.update(task, completed=progress.done, total=progress.total, detail=progress.detail)

    def _write(self, progress: "Progress") -> None:
        now = time.monotonic()
        began = progress.step != self._shown[0]
        ended = progress.done >= progress.total and self._shown != (progress.step, progress.done)
        if not began and not ended and now - self._last < QUIET_SECONDS:
            return
        self._last, self._shown = now, (progress.step, progress.done)
        say(f"{progress.step}: {progress.done}/{progress.total} {progress.detail}".rstrip())


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False
