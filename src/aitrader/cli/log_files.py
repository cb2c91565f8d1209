"""Where log lines go: ``logs/<command>.jsonl`` always, stderr as far as ``-v`` asks; redacted, rotated."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING, Any, Final

import structlog
from pydantic import SecretStr

from aitrader.cli.render import say
from aitrader.config.secrets import KEY_NAME, SECRET_SHAPE, Secrets
from aitrader.errors import AitraderError
from aitrader.transport.redact import HIDDEN, Redactor

if TYPE_CHECKING:
    from aitrader.cli.run import Run

MAX_BYTES: Final = 5_000_000
KEPT_FILES: Final = 5


@contextmanager
def configured(run: "Run") -> Iterator[Callable[[Any], Any]]:
    """Send the log lines of this run to its file and to stderr, and yield what redacts a text or a value.

    A folder that is missing, full or read-only costs the log lines and nothing else.
    """
    redact = _redactor(run)
    handlers = _handlers(run, redact)
    root = logging.getLogger()
    before = root.level
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(logging.DEBUG if run.common.debug else logging.INFO)
    logging.captureWarnings(capture=True)
    try:
        yield redact
    finally:
        logging.captureWarnings(capture=False)
        root.setLevel(before)
        for handler in handlers:
            root.removeHandler(handler)
            with suppress(OSError):
                handler.close()


class _QuietFile(RotatingFileHandler):
    """A rotated file that gives up after one notice when it cannot be written."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's own method
        """Say once why there is no log, then take no more lines."""
        say(f"warning: no log lines in {self.baseFilename}: {sys.exc_info()[1]}")
        self.setLevel(logging.CRITICAL + 1)


class _Stderr(logging.Handler):
    """Lines for people; stderr is looked up at each line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        say(self.format(record))


def _handlers(run: "Run", redact: Callable[[Any], Any]) -> list[logging.Handler]:
    shown = _Stderr()
    level = logging.DEBUG if run.common.debug or run.common.verbose > 1 else logging.INFO
    shown.setLevel(level if run.common.debug or run.common.verbose else logging.CRITICAL)
    shown.setFormatter(_formatter(run, lambda _, __, event: str(redact(_plain(event)))))
    handlers: list[logging.Handler] = [shown]
    with suppress(AitraderError, OSError):
        folder = run.root / "logs"
        folder.mkdir(exist_ok=True)
        file = _QuietFile(
            folder / f"{run.command.replace(' ', '-')}.jsonl",
            maxBytes=MAX_BYTES,
            backupCount=KEPT_FILES,
            encoding="utf-8",
            errors="backslashreplace",
            delay=True,
        )
        file.setFormatter(_formatter(run, lambda _, __, event: _line(redact(event))))
        handlers.append(file)
    return handlers


def _formatter(run: "Run", renderer: Callable[[Any, str, Any], str]) -> logging.Formatter:
    def name_run(_: Any, __: str, event: Any) -> Any:
        # The book is known once the settings are read; a log line must not be what reads them.
        book = run.common.book or (run.book if "loaded" in run.__dict__ else None)
        return {"run_id": run.run_id, "book": book, **event}

    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
    ]
    return structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, name_run, renderer],
        foreign_pre_chain=shared,
    )


_FIRST: Final = ("time", "level", "run_id", "book", "symbol", "logger", "event")


def _line(event: Any) -> str:
    ordered = {**{name: event.get(name) for name in _FIRST}, **event}
    return json.dumps(_finite(ordered), default=str, ensure_ascii=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and value - value != 0 else value


def _plain(event: Any) -> str:
    left_out = {*_FIRST, "exception"} - {"symbol"}
    fields = " ".join(f"{name}={value}" for name, value in event.items() if name not in left_out)
    tail = f"\n{event['exception']}" if event.get("exception") else ""
    return f"{event.get('level', '')}: {event.get('event', '')} {fields}".rstrip() + tail


def _redactor(run: "Run") -> Callable[[Any], Any]:
    known = Secrets(run.env, env_file=run.common.env_file).known_values()
    redactor = Redactor(tuple(map(SecretStr, known)))

    def redact(value: Any) -> Any:
        if isinstance(value, str):
            return SECRET_SHAPE.sub(HIDDEN, redactor(value))
        if isinstance(value, dict):
            hidden = {key for key, item in value.items() if isinstance(item, str) and KEY_NAME.search(str(key))}
            return {key: HIDDEN if key in hidden else redact(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [redact(item) for item in value]
        return value

    return redact
