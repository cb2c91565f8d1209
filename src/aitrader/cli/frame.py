"""The frame around every command: envelope, exit code, two-line errors, signals, logs."""

import errno
import io
import logging
import secrets
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TextIO

import typer

from aitrader.cli.profile import profiled
from aitrader.cli.render import ProgressView, say, show
from aitrader.cli.signals import StopRequest
from aitrader.domain.clock import Clock, wall_clock
from aitrader.envelope import Envelope, ErrorBody, Status, jsonable
from aitrader.errors import AitraderError, DataError, RefusedError, Stopped, UsageError, exit_code_of
from aitrader.trace import lap

if TYPE_CHECKING:
    from aitrader.cli.run import Outcome, Run
    from aitrader.jobs.progress import Progress

_log = logging.getLogger(__name__)

_FULL_OR_FORBIDDEN: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.EIO}
)


Redact = Callable[[Any], Any]


def _as_it_is(value: Any) -> Any:
    return value


class Frame:
    """One command line from its words to its exit code."""

    def __init__(self, arguments: Sequence[str], *, clock: Clock = wall_clock) -> None:
        words = list(arguments[: arguments.index("--")]) if "--" in arguments else list(arguments)
        self._started_at = clock()
        self._started = time.monotonic()
        self.run_id = f"{self._started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        self.default_code = 0
        self._command = " ".join(words[: next((i for i, word in enumerate(words) if word.startswith("-")), len(words))])
        self._json = "--json" in words  # a usage error must know it before the options are parsed
        self._debug = "--debug" in words
        self._view = ProgressView()
        self._stop = StopRequest()
        self._redact: Redact = _as_it_is

    def run(self, call: Callable[[], Any]) -> int:
        """Run the parser; what goes wrong before a command is reached ends here."""
        try:
            code = call()
        except typer.Abort:
            return self._fail(self._stop.stopped(), "Abort")
        except typer.TyperException as error:
            path = _command_path(error)
            self._command = path.partition(" ")[2] or self._command
            return self._fail(_usage_error(error, path), "UsageError")
        except BrokenPipeError:
            _detach_stdout()
            return 0
        except AitraderError as error:
            return self._fail(error, type(error).__name__)
        except Exception as error:  # noqa: BLE001 - the edge of the program
            return self._fail(_classified(error), type(error).__name__)
        return code if isinstance(code, int) and code else self.default_code

    def execute(self, run: "Run", call: Callable[[], "Outcome"]) -> int:
        """Run one command's function and show what it answers; return the exit code."""
        self._command, self._json, self._debug = run.command, run.json, run.common.debug
        with self._stop, self._logging(run), profiled(run):
            _log.info("started", extra={"command": run.command})
            try:
                # A library that prints must not spoil the answer on stdout.
                with redirect_stdout(sys.stderr or io.StringIO()):
                    outcome = call()
            except KeyboardInterrupt:
                return self._caught(self._stop.stopped())
            except Exception as error:  # noqa: BLE001 - the edge of the program
                return self._caught(error)
            finally:
                self._view.close()
            return self._answer(outcome)

    def progress(self, progress: "Progress") -> None:
        """Show progress; raise ``Stopped`` after a signal."""
        self._stop.check()
        lap(progress.step, progress.done, progress.total)
        self._view(progress)

    def _caught(self, error: Exception) -> int:
        if self._stop.number is not None and not isinstance(error, Stopped):
            # The terminal's Ctrl-C also reaches child processes; what they raise then is its echo.
            _log.warning("an error after the signal", exc_info=error)
            return self._fail(self._stop.stopped(), "Stopped")
        classified = _classified(error)
        _log.error(
            "failed",
            exc_info=error if not isinstance(error, AitraderError) else None,
            extra={"error": type(error).__name__, "message_text": str(error), "exit_code": exit_code_of(classified)},
        )
        return self._fail(classified, type(error).__name__)

    def _answer(self, outcome: "Outcome") -> int:
        for warning in outcome.warnings:
            say(f"warning: {self._redact(_one_line(warning))}")
        envelope = self._envelope(
            outcome.status,
            outcome.exit_code,
            result=outcome.result,
            warnings=tuple(map(self._redact, outcome.warnings)),
        )
        told: dict[str, Any] = {"status": outcome.status, "exit_code": outcome.exit_code}
        if outcome.warnings:
            told["warnings"] = list(outcome.warnings)
        _log.log(logging.ERROR if outcome.exit_code else logging.INFO, "finished", extra=told)
        return self._print(envelope, outcome.tables)

    def _fail(self, error: AitraderError, kind: str) -> int:
        code = exit_code_of(error)
        message, fix = self._redact(_one_line(str(error))), self._redact(_one_line(error.fix))
        status: Status = (
            "stopped" if isinstance(error, Stopped) else "refused" if isinstance(error, RefusedError) else "failed"
        )
        if self._debug:
            say(self._redact("".join(traceback.format_exception(error)).rstrip()))
        say(f"error: {message}")
        say(f"fix: {fix or 'Run again with --debug for more, or see `aitrader doctor`.'}")
        if self._json:
            return self._print(self._envelope(status, code, error=ErrorBody(kind, message, fix)), ())
        return code

    def _envelope(self, status: Status, code: int, **fields: Any) -> Envelope:
        return Envelope(
            command=self._command,
            status=status,
            exit_code=code,
            run_id=self.run_id,
            started_at=self._started_at,
            duration_s=round(time.monotonic() - self._started, 3),
            **fields,
        )

    def _print(self, envelope: Envelope, tables: Sequence[Any]) -> int:
        """Write the answer; a reader that went away (``| head``) is no failure, a full disk is."""
        stream: TextIO = sys.stdout or io.StringIO()
        try:
            if self._json:
                stream.write(replace(envelope, result=self._redact(jsonable(envelope.result))).to_json() + "\n")
            else:
                show(tables, stream)
            stream.flush()
        except BrokenPipeError:
            _detach_stdout()
        except (OSError, ValueError) as error:
            _detach_stdout()
            say(f"error: The result could not be written to stdout: {error}.")
            say("fix: Check where stdout goes; the command itself is finished.")
            return envelope.exit_code or 1
        return envelope.exit_code

    @contextmanager
    def _logging(self, run: "Run") -> Iterator[None]:
        from aitrader.cli.log_files import configured

        with configured(run) as redact:
            self._redact = redact
            yield


def _classified(error: Exception) -> AitraderError:
    if isinstance(error, AitraderError):
        return error
    made: AitraderError
    if isinstance(error, OSError) and error.errno in _FULL_OR_FORBIDDEN:
        made = DataError(
            f"{error.filename or 'A file'}: {error.strerror}.", fix="Free space or permit access, then run again."
        )
    else:
        made = AitraderError(
            f"Unexpected {type(error).__name__}: {error}", fix="Run again with --debug and report what it prints."
        )
    made.__cause__ = error
    return made


def _command_path(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return str(context.command_path) if context is not None else "aitrader"


def _usage_error(error: typer.TyperException, path: str) -> UsageError:
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    return UsageError(text, fix=f"See `{path} --help`.")


def _one_line(text: str) -> str:
    """Return ``text`` in one line, with what a terminal would obey instead of show (escapes, bells) spelled out."""
    line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)


def _detach_stdout() -> None:
    """Send what is still buffered nowhere, so that the interpreter does not complain at its end."""
    import os

    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        sys.stdout = io.StringIO()
