"""The kill switch: what ``emergency-shutdown`` does before anything that is installed is imported.

It finds the accounts that could be meant, refuses where it is not clear which, and shuts HALT. Simulated accounts it
hands to the ordinary command; of others, which this version does not reach, it says that nobody saw them flat. Only
the standard library, and modules that import nothing else: it has to work when everything else is broken.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TextIO

from aitrader.config.root import VARIABLE, find_root
from aitrader.domain.clock import wall_clock
from aitrader.domain.events import Latch
from aitrader.envelope import Envelope, ErrorBody
from aitrader.errors import AitraderError, ConfigError, UnverifiedError, UsageError, exit_code_of
from aitrader.journal.account import AccountKey, read_account
from aitrader.journal.halt import FileLatches
from aitrader.live.emergency_words import COMMAND, HELP, Asked, parse

KEYS: Final = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")
"""The environment's credentials of a real account."""

SIMULATED: Final = "simulated"
"""The kind of account that this version reaches."""

_PAPER, _JOURNAL = "paper.sqlite", "journal.sqlite"


@dataclass(frozen=True, slots=True)
class Target:
    """An account that could be meant: a book's name and folder, and what ``account.json`` says (None: nothing).

    Without a name it is the account of the environment's keys, and ``folder`` is that of all books.
    """

    name: str
    folder: Path
    key: AccountKey | None
    reached: bool

    @property
    def latch_folders(self) -> tuple[Path, ...]:
        """Where HALT is shut for it: in its own folder, and if that cannot be, in that of all books."""
        return (self.folder, self.folder.parent) if self.name else (self.folder,)

    def __str__(self) -> str:
        if not self.name:
            return f"the Alpaca account of {KEYS[0]}"
        if self.key is None:
            return f"{self.name} ({'simulated' if self.reached else 'unknown'}, no account.json that can be read)"
        return f"{self.name} ({self.key.kind}, {self.key.number})"


def main(
    arguments: Sequence[str], ordinary: Callable[[list[str]], int], *, env: Mapping[str, str], cwd: Path | None = None
) -> int:
    """Run one command line and return its exit code; any command but this one goes to ``ordinary`` as it is."""
    started = time.monotonic(), wall_clock()
    asked = Asked(tuple(arguments), as_json="--json" in arguments)
    try:
        found = parse(arguments)
        if found is None:
            return ordinary(list(arguments))
        asked = found
        if asked.help:
            _write(sys.stdout, HELP)
            return 0
        return _act(asked, ordinary, env, cwd or working_folder())
    except AitraderError as error:
        return _fail(error, asked.as_json, started)


def working_folder() -> Path:
    """Return where the program was started; the root of all folders where that one is gone."""
    try:
        return Path.cwd()
    except OSError:
        return Path("/")


def root_of(named: Path | None, env: Mapping[str, str], cwd: Path) -> Path:
    """Return the root by the rules of ``config.root``; where no configuration is left, the folder that comes nearest.

    That is the one that ``named`` or ``AITRADER_ROOT`` names, else the nearest folder from ``cwd`` upwards that holds
    accounts, else ``cwd`` itself.

    Raises
    ------
    UsageError
        The named one is no folder.
    """
    try:
        return find_root(named, env, cwd)
    except (ConfigError, RuntimeError):  # RuntimeError: a ~ and no home
        name = str(named) if named is not None else env.get(VARIABLE)
    if name:
        folder = cwd / name
        if folder.is_dir():
            return folder.resolve()
        raise UsageError(f"{folder} is not a folder. Nothing was done.", fix="Name the root with --root DIR.")
    return next((folder for folder in (cwd, *cwd.parents) if any(_books(folder))), cwd)


def targets(
    root: Path, env: Mapping[str, str], *, book: str | None, all_books: bool, replay: bool
) -> tuple[Target, ...]:
    """Return the accounts to close: the only one there is, the one of ``book``, or all; none where there is none.

    With ``replay`` (``--now``) no real account can be meant.

    Raises
    ------
    UsageError
        There are several and none is named, or no book has the name.
    """
    books = tuple(_books(root))
    keys = any(env.get(name) for name in KEYS) and not replay
    found = (*books, Target("", root / "state", None, reached=False)) if keys else books
    listed = ", ".join(map(str, found))
    if book is not None and books:
        named = tuple(one for one in books if one.name == book)
        if not named:
            raise UsageError(
                f"No book {book!r:.60} under {root / 'state'}; there are: {listed}. Nothing was done.",
                fix="Name one of them with --book NAME, or close all with --all-books.",
            )
        return named
    if len(found) > 1 and not all_books:
        raise UsageError(
            f"{len(found)} accounts could be meant: {listed}. Nothing was done.",
            fix="Name a book with --book NAME, or close all of them with --all-books.",
        )
    return found


def shut(found: Iterable[Target], reason: str) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Latch HALT for each of ``found``; return where it stands now, and what kept it from being written."""
    where: list[Path] = []
    problems: list[str] = []
    for target in found:
        latches = FileLatches(target.latch_folders, environment_halt=False)
        latches.latch(Latch.HALT, reason)
        problems += latches.problems
        folders = (folder for folder in target.latch_folders if _exists(folder / Latch.HALT.value))
        where += [folder / Latch.HALT.value for folder in folders]
    return tuple(dict.fromkeys(where)), tuple(problems)


def give_up(root: Path, found: Sequence[Target], reason: str, *, dry_run: bool = False) -> UnverifiedError:
    """Shut HALT where nothing else can be done, and return the error that says so; without ``found`` for all books.

    With ``dry_run`` HALT is not shut either.
    """
    everything = found or (Target("", root / "state", None, reached=False),)
    if dry_run:
        halted = f"HALT would be shut in {', '.join(str(one.folder) for one in everything)}; nothing was done."
    else:
        halted = _halted(*shut(everything, reason))
    if found:
        return UnverifiedError(
            f"{' '.join(map(unreached, found))} {halted}",
            fix="Cancel its orders and close its positions at the broker, then `aitrader resume --account NUMBER`.",
        )
    return UnverifiedError(
        f"No account to close: no state/*/account.json under {root}, and no {KEYS[0]} in the environment. {halted}",
        fix="Name the root with --root DIR, or set the keys, and run it again; `aitrader resume` opens the latch.",
    )


def unreached(target: Target) -> str:
    """Return the sentence that says why nobody saw ``target`` flat."""
    if target.name and target.key is None:
        return f"Nobody saw {target.name} flat: nothing tells which account it is."
    return f"Nobody saw {target} flat: this version of aitrader reaches simulated accounts only."


def asks(*, yes: bool) -> bool:
    """Say whether a person sits at a terminal and has to be asked."""
    try:
        return not yes and sys.stdin is not None and sys.stdin.isatty()
    except ValueError:  # closed
        return False


def _act(asked: Asked, ordinary: Callable[[list[str]], int], env: Mapping[str, str], cwd: Path) -> int:
    root = root_of(asked.root, env, cwd)
    found = targets(root, env, book=asked.book, all_books=asked.all_books, replay=asked.now is not None)
    reason = f"{COMMAND} at {wall_clock().isoformat(timespec='seconds')}"
    if not any(one.reached for one in found):
        raise give_up(root, found, reason, dry_run=asked.dry_run)
    acts = not (asked.dry_run or asks(yes=asked.yes))
    if acts and asked.now is None:  # a program to be loaded must not keep the latch waiting
        shut(found, reason)
    try:
        return ordinary(list(asked.words))
    except Exception as error:  # whatever is broken in the installation, HALT must be shut
        names = ", ".join(map(str, found))
        done: tuple[tuple[Path, ...], tuple[str, ...]] = ((), ()) if asked.dry_run else shut(found, reason)
        raise UnverifiedError(
            f"Nobody saw {names} flat: the ordinary command broke ({type(error).__name__}: {error}). {_halted(*done)}",
            fix="Install the whole package again, then run it again.",
        ) from error


def _halted(where: Sequence[Path], problems: Sequence[str]) -> str:
    """Return the sentences on the latch."""
    files = ", ".join(map(str, where))
    told = f"HALT is shut by {files}: no order leaves." if files else "HALT IS NOT SHUT: a trader may go on."
    return " ".join([told, *(f"{problem}." for problem in problems)])


def _books(root: Path) -> Iterator[Target]:
    """Yield the accounts whose folders stand under ``state``, in the order of their names."""
    try:
        folders = sorted(path for path in (root / "state").iterdir() if path.is_dir())
    except OSError:
        return
    for folder in folders:
        simulated = _exists(folder / _PAPER)
        try:
            key = read_account(folder)
        except (AitraderError, OSError):
            yield Target(folder.name, folder, None, simulated)
            continue
        if key is not None:
            yield Target(folder.name, folder, key, key.kind == SIMULATED)
        elif simulated or _exists(folder / _JOURNAL):
            yield Target(folder.name, folder, None, simulated)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return True  # what cannot be looked at may be there


def _fail(error: AitraderError, as_json: bool, started: tuple[float, datetime]) -> int:  # noqa: FBT001 - as asked
    code = exit_code_of(error)
    message, fix = _one_line(str(error)), _one_line(error.fix)
    _say(f"error: {message}")
    _say(f"fix: {fix}")
    if as_json:
        answer = Envelope(
            command=COMMAND,
            status="failed",
            exit_code=code,
            run_id=f"{started[1]:%Y%m%dT%H%M%SZ}-{os.urandom(3).hex()}",
            started_at=started[1],
            duration_s=round(time.monotonic() - started[0], 3),
            error=ErrorBody(type(error).__name__, message, fix),
        )
        _write(sys.stdout, f"{answer.to_json()}\n")
    return code


def _one_line(text: str) -> str:
    """Return ``text`` in one line, with what a terminal would obey instead of show spelled out."""
    line = " ".join(text.split())
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)


def _say(line: str) -> None:
    _write(sys.stderr, f"{line}\n")


def _write(stream: TextIO | None, text: str) -> None:
    """Write what can be written: a full disk or a closed terminal must not keep anything from being done."""
    try:
        if stream is not None:
            stream.write(text)
            stream.flush()
    except (OSError, ValueError):
        if stream is not None:
            _detach(stream)


def _detach(stream: TextIO) -> None:
    """Send what is still buffered nowhere: the interpreter's last flush would change the exit code."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
