"""Kills a command at each call that makes something durable, or at any moment, and lets it run again.

``Commands`` runs commands in children of a process that is loaded already (``fork_server.py``). With strace a child
can be watched (``points``) and killed just before its n-th write, sync, rename or unlink (``kill=Point``): the kernel
does not begin that call, so that killing before each of them shows every state that a kill -9 can leave. Where
no process may trace another, ``kill=Step`` counts inside the child; ``kill=After`` is any moment, by the wall clock.
"""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

KILLED = -signal.SIGKILL
SERVER = Path(__file__).with_name("fork_server.py")
WRITING = (
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "ftruncate",
    "fallocate",
    "copy_file_range",
    "sendfile",
)
SYNCING = ("fsync", "fdatasync", "sync_file_range")
NAMING = ("rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat", "mkdir", "mkdirat", "symlinkat")
MAKING = ("openat", "open", "creat")
CALLS = (*WRITING, *SYNCING, *NAMING, *MAKING)
LINE = re.compile(r"^(?P<task>\d+) +(?P<call>\w+)\((?P<arguments>.*)$")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")

HARMLESS = ("jemalloc_bg_thd", "polars-ooc-clea")
"""Threads that libraries start when imported: jemalloc's has its own way through a fork, Polars' only sleeps."""


@dataclass(frozen=True)
class Point:
    """Just before the ``number``-th ``call`` of the process's main thread; ``path`` is the file, below the root."""

    call: str
    number: int
    path: str

    def __str__(self):
        return f"{self.call} {self.number} on {self.path}"


@dataclass(frozen=True)
class Step:
    """At the ``number``-th durable call, counted inside the child."""

    number: int


@dataclass(frozen=True)
class After:
    """So many seconds after the start."""

    seconds: float


Kill = Point | Step | After


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, or minus the signal; what it printed; how long it ran."""

    status: int
    printed: str
    seconds: float
    notes: Mapping


class Commands:
    """Runs commands of the program; a context manager. ``scratch`` is a folder outside of every root."""

    def __init__(self, scratch: Path, environment: Mapping[str, str] | None = None):
        self._scratch = scratch
        self._environment = dict(environment or {})
        inherited = {n: v for n, v in os.environ.items() if not n.startswith(("AITRADER", "APCA_"))}
        home = scratch / "home"
        home.mkdir(parents=True, exist_ok=True)
        more = {"HOME": str(home), "TZ": "UTC", "COLUMNS": "100", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
        self._server = subprocess.Popen(
            [sys.executable, str(SERVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**inherited, **ONE_THREAD, **more},
            cwd=scratch,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait(timeout=30)

    def load(self, words: Sequence[str], root: Path) -> Ended:
        """Run ``words`` once, and keep what it imported for the children to come."""
        ended = self.run(words, root, noting=True)
        answer = self._ask({"do": "load", "modules": ended.notes["modules"]})
        others = [name for name in answer["threads"] if name not in HARMLESS]
        assert not others, f"the server of forks has the threads {others}: a fork would not be sound"
        return ended

    def run(self, words: Sequence[str], root: Path, kill: Kill | None = None, *, noting: bool = False) -> Ended:
        """Run ``aitrader WORDS --root ROOT`` and kill it as told; it may end before that."""
        strace = ["-e", f"inject={kill.call}:signal=KILL:when={kill.number}"] if isinstance(kill, Point) else None
        return self._run(words, root, kill, ["-e", f"trace={kill.call}", *strace] if strace else None, noting=noting)

    def points(self, words: Sequence[str], root: Path) -> tuple[Ended, list[Point]]:
        """Run it to its end under strace, and return what it did to files below ``root``, in order."""
        log = self._scratch / "strace.log"
        traced = ",".join(f"?{call}" for call in CALLS)
        ended = self._run(words, root, None, ["-f", "-y", "-s", "0", "-o", str(log), "-e", f"trace={traced}"])
        return ended, points_of(log.read_text(), root)

    def steps(self, words: Sequence[str], root: Path) -> tuple[Ended, int]:
        """Run it to its end, and return how many durable calls it made, counted inside the child."""
        ended = self.run(words, root, Step(0), noting=True)
        return ended, ended.notes["steps"]

    def _ask(self, asked):
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        line = self._server.stdout.readline()
        assert line, "the server of forks has ended"
        return json.loads(line)

    def _run(self, words, root, kill, tracing, *, noting=False):
        out, notes = self._scratch / "printed.txt", self._scratch / "notes.json"
        asked = {
            "do": "fork",
            "words": [*map(str, words), "--root", str(root)],
            "out": str(out),
            "cwd": str(root),
            "environment": self._environment,
            "step": kill.number if isinstance(kill, Step) else None,
            "notes": str(notes) if noting else None,
        }
        child = self._ask(asked)["pid"]
        tracer = attach(child, tracing) if tracing else None
        started = time.perf_counter()
        self._server.stdin.write('{"do": "go"}\n')
        self._server.stdin.flush()
        if isinstance(kill, After) and not select.select([self._server.stdout], [], [], kill.seconds)[0]:
            os.kill(child, signal.SIGKILL)
        status = json.loads(self._server.stdout.readline())["status"]
        took = time.perf_counter() - started
        if tracer:
            tracer.wait(timeout=30)
            tracer.stderr.close()
        printed = out.read_text(errors="replace") if out.exists() else ""
        return Ended(status, printed, took, json.loads(notes.read_text()) if noting and notes.exists() else {})


def attach(child: int, arguments: Sequence[str]) -> subprocess.Popen:
    """Return strace watching the process ``child``, once it does."""
    line = ["strace", *arguments, "-p", str(child)]
    line = line if "-o" in arguments else [*line, "-o", os.devnull]
    tracer = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
    told = tracer.stderr.readline()
    if "attached" not in told:
        os.kill(child, signal.SIGKILL)
        raise AssertionError(f"strace did not attach: {told}{tracer.stderr.read()}")
    return tracer


def points_of(log: str, root: Path) -> list[Point]:
    """Return the calls of a strace log that touch what is below ``root``, numbered by kind as the process made them.

    Raises
    ------
    AssertionError
        Another thread than the first touched a file there: its calls cannot be numbered.
    """
    below = f"{root.resolve()}/"
    main, counted, found = None, Counter(), []
    for line in log.splitlines():
        if not (match := LINE.match(line)):
            continue
        task, call, arguments = match["task"], match["call"], match["arguments"]
        main = main or task
        path = _touched(call, arguments, below)
        if task != main:
            assert path is None, f"another thread did {call} on {path}"
            continue
        counted[call] += 1
        if path is not None:
            found.append(Point(call, counted[call], path))
    return found


def _touched(call: str, arguments: str, below: str) -> str | None:
    """Return the file below the root that a call changes; None for any other."""
    if call in MAKING and "O_CREAT" not in arguments and call != "creat":
        return None
    if call in (*WRITING, *SYNCING):
        match = re.match(r"\d+<([^>]*)>", arguments)
        named = [match[1]] if match else []
    else:
        folder = re.match(r"\w+<([^>]*)>, ", arguments)
        named = [str(Path(folder[1] if folder else "", path)) for path in re.findall(r'"([^"]*)"', arguments)]
    inside = [path for path in named if path.startswith(below)]
    return inside[0].removeprefix(below) if inside else None


@cache
def can_trace() -> bool:
    """Say whether strace is here, and may watch a process that it did not start."""
    if shutil.which("strace") is None:
        return False
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        tracer = attach(child.pid, ["-e", "trace=none"])
    except AssertionError:
        return False
    else:
        tracer.terminate()
        tracer.wait(timeout=30)
        tracer.stderr.close()
        return True
    finally:
        child.kill()
        child.wait(timeout=30)
        child.stdin.close()
