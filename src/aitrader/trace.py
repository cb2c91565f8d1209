"""Where a command's time goes: named spans, in Chrome's trace-event format, for Perfetto or chrome://tracing.

Nothing is measured, and next to nothing is paid, unless a recorder is at work (``--trace FILE``). A profiler of every
call, such as viztracer, would slow the code down and see a compiled kernel as one call; a span is a phase.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

PROGRESS: Final = "progress"
"""The track of what a job told of its progress; the others are threads."""


class Elsewhere(NamedTuple):
    """What another process did for this one: its name, its thread, and the nanoseconds of each phase, in order."""

    process: str
    thread: str
    phases: dict[str, int]


class _Span(NamedTuple):
    """``begin`` and ``end`` in nanoseconds of the recorder's clock; ``process`` is empty for this one."""

    track: str
    name: str
    begin: int
    end: int
    details: dict[str, Any]
    process: str = ""


class Recorder:
    """Collects spans, from any thread, and lays them out for a viewer."""

    def __init__(self, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self._clock = clock
        self._start = clock()
        self._lap = self._start
        self._spans: list[_Span] = []
        self._ends: dict[tuple[str, str], int] = {}

    @contextmanager
    def span(self, name: str, details: dict[str, Any]) -> Iterator[None]:
        """Measure what happens inside, also when it fails."""
        begin = self._clock()
        try:
            yield
        finally:
            self._spans.append(_Span(threading.current_thread().name, name, begin, self._clock(), details))

    def lap(self, name: str, done: int, total: int) -> None:
        """Add what passed since the last lap as part ``done`` of ``total``; part 0 only begins the next."""
        now = self._clock()
        if done:
            self._spans.append(_Span(PROGRESS, f"{name} {done}/{total}", self._lap, now, {}))
        self._lap = now

    def elsewhere(self, done: Elsewhere) -> None:
        """Add what another process did, as if it had ended now: its clock is not ours."""
        track = done.process, done.thread
        free, end = self._ends.get(track, self._start), self._clock()
        begin = end - sum(done.phases.values())
        for name, took in done.phases.items():
            # A thread does one thing after the other, however late the news of the first one came.
            self._spans.append(_Span(done.thread, name, max(begin, free), max(begin + took, free), {}, done.process))
            begin += took
        self._ends[track] = end

    def to_json(self, command: str) -> str:
        """Return the profile as text. Times in it are microseconds since the recorder began."""
        own = ("", threading.main_thread().name)
        tracks = list(dict.fromkeys([own, *((span.process, span.track) for span in self._spans)]))
        processes = list(dict.fromkeys(process for process, _ in tracks))
        places = {track: (processes.index(track[0]) + 1, number) for number, track in enumerate(tracks)}
        events = [
            _named("process_name", pid, 0, name or f"aitrader {command}") for pid, name in enumerate(processes, 1)
        ]
        events += [_named("thread_name", *place, name) for (_, name), place in places.items()]
        events += [
            {
                "ph": "X",
                "name": span.name,
                "pid": places[span.process, span.track][0],
                "tid": places[span.process, span.track][1],
                "ts": (span.begin - self._start) / 1000,
                "dur": (span.end - span.begin) / 1000,
                "args": span.details,
            }
            for span in sorted(self._spans, key=lambda span: (span.begin, -span.end))
        ]
        return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"})


def _named(what: str, process: int, track: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": process, "tid": track, "args": {"name": name}}


_AT_WORK: Final[list[Recorder]] = []
_NOTHING: Final = nullcontext()


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Let every span, of every thread, be measured by ``recorder`` while inside."""
    _AT_WORK.append(recorder)
    try:
        yield
    finally:
        _AT_WORK.remove(recorder)


def span(name: str, **details: str | float | None) -> AbstractContextManager[None]:
    """Measure a phase, where somebody records."""
    return _AT_WORK[-1].span(name, details) if _AT_WORK else _NOTHING


def spanned(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Measure every call of a function as a span."""

    def measured(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            with span(name):
                return function(*args, **kwargs)

        return call

    return measured


def lap(name: str, done: int, total: int) -> None:
    """Add a part of a job to the profile, where somebody records."""
    if _AT_WORK:
        _AT_WORK[-1].lap(name, done, total)


def elsewhere(done: Elsewhere) -> None:
    """Add what another process did until now to the profile, where somebody records."""
    if _AT_WORK:
        _AT_WORK[-1].elsewhere(done)
