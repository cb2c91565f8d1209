"""What was typed after ``emergency-shutdown``, read without any library; and its help."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from aitrader.errors import UsageError

COMMAND: Final = "emergency-shutdown"

_VALUED: Final = frozenset({"--config", "--profile", "--set", "--root", "--book", "--env-file", "--trace", "--now"})
_COMMON: Final = frozenset({"--json", "-v", "-vv", "--verbose", "--debug"})
_FLAGS: Final = _COMMON | {"--yes", "--all-books", "--dry-run", "--help"}

HELP: Final = """Usage: aitrader emergency-shutdown [OPTIONS]

  Shut HALT, cancel every open order, close every position, and verify that the account is flat.

  HALT comes first: from then on no order of aitrader leaves but these closes, until `aitrader resume`. It takes no
  lock, so a trader that hangs cannot keep it waiting. While the venue is closed, closes wait for the next open;
  run it again after it. On a terminal it asks once; without one, or with --yes, it acts.

  Exit codes: 0 flat, verified; 10 not flat yet; 11 nobody could see whether it is flat (wins over 10); 2 not clear
  which account is meant, and nothing was done.

  A simulated account is closed with the installed packages and the lake. Where they are broken, HALT is still shut.
  Of a real account that this version does not reach, HALT is shut and the exit code is 11.

Options:
  --yes              Do not ask.
  --all-books        Close every account that is found.
  --dry-run          Show what would be done, and do nothing: no latch, no order.
  --help             Show this message and exit.

Common options:
  --book NAME        The book (account) to close.
  --root DIR         The root folder (or AITRADER_ROOT); it may lack its configuration.
  --now TIME         Replay: pretend it is TIME (with offset); simulated accounts only.
  --json             Answer with one JSON object.
  --config PATH      Settings: a file or folder instead of ROOT/config.
  --profile NAME     Settings of config/profiles/NAME.yaml on top.
  --set KEY=VALUE    One setting: section.key=value; repeatable.
  --env-file FILE    Credentials from a 0600 file; the kill switch itself reads the environment only.
  --trace FILE       Where the time goes, of a simulated account; the kill switch itself writes no profile.
  -v, --verbose      Show log lines on stderr.
  --debug            Show tracebacks and every log line.
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A command line as it was typed; ``now`` is text that is a time with an offset."""

    words: tuple[str, ...]
    root: Path | None = None
    book: str | None = None
    now: str | None = None
    yes: bool = False
    all_books: bool = False
    dry_run: bool = False
    as_json: bool = False
    help: bool = False


def parse(arguments: Sequence[str]) -> Asked | None:
    """Return what was asked; None where another command is meant, or none, or options that only a group knows.

    Raises
    ------
    UsageError
        An option that the command does not have, or one without its value; a time that is none.
    """
    line, words = _Line(), iter(arguments)
    for word in words:
        if not line.take(word, words):
            return None
    return _asked(tuple(arguments), line.values, line.given) if line.command else None


class _Line:
    """What was read of a command line so far: options with their values, flags, and whether this command was named."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.given: set[str] = set()
        self.command = False

    def take(self, word: str, rest: Iterator[str]) -> bool:
        """Take ``word`` in, and from ``rest`` the value that belongs to it; False where another command is meant."""
        if not word.startswith("-"):
            return self._take_name(word)
        name, equals, value = word.partition("=")
        if name in _VALUED:
            self.values[name] = value if equals else _next(rest, name)
            return True
        if word in _FLAGS and (self.command or word in _COMMON):
            self.given.add(word)
            return True
        if self.command:
            raise _usage(f"No such option: {name}")
        return False

    def _take_name(self, word: str) -> bool:
        if self.command:
            raise _usage(f"Got unexpected extra argument ({word})")
        self.command = word == COMMAND
        return self.command


def _asked(words: tuple[str, ...], values: Mapping[str, str], given: set[str]) -> Asked:
    if "--now" in values:
        _check_time(values["--now"])
    if "--book" in values and "--all-books" in given:
        raise _usage("--book and --all-books exclude each other")
    return Asked(
        words=words,
        root=Path(values["--root"]) if "--root" in values else None,
        book=values.get("--book"),
        now=values.get("--now"),
        yes="--yes" in given,
        all_books="--all-books" in given,
        dry_run="--dry-run" in given,
        as_json="--json" in given,
        help="--help" in given,
    )


def _check_time(text: str) -> None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _usage(f"Invalid value for '--now': {text!r:.60} is not a time written 2013-08-07T18:00-04:00") from None
    if moment.tzinfo is None:
        raise _usage(f"Invalid value for '--now': {text!r:.60} has no offset; write it like 2013-08-07T18:00-04:00")


def _next(words: Iterator[str], option: str) -> str:
    word = next(words, None)
    if word is None:
        raise _usage(f"Option '{option}' requires an argument")
    return word


def _usage(message: str) -> UsageError:
    return UsageError(f"{message}. Nothing was done.", fix=f"See `aitrader {COMMAND} --help`.")
