"""Stopping on request: at the next safe point, or at once when none comes."""

import signal
import threading
from types import FrameType
from typing import Any, Final

from aitrader.errors import Stopped

PATIENCE_SECONDS: Final = 3.0
"""How long a job may take to reach its next safe point before it is interrupted where it is. Both are safe for the
lake, which commits whole batches; a safe point also loses no finished work."""


class StopRequest:
    """Listens for SIGINT, SIGTERM and SIGHUP while it is entered (in the main thread only)."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is not threading.main_thread():
            return self
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup and `&` asked for that
                self._before[number] = signal.signal(number, self._received)
        return self

    def __exit__(self, *_: object) -> None:
        if self.number is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def code(self) -> int:
        """The exit code: 130 after SIGINT, 143 after SIGTERM or a closed terminal."""
        return 130 if self.number in {None, signal.SIGINT} else 143

    def check(self) -> None:
        """Raise ``Stopped`` if a signal came; jobs call it, through their progress, where stopping is safe."""
        if self.number is not None:
            raise self.stopped()

    def stopped(self) -> Stopped:
        """Return the error that says so."""
        name = "SIGINT" if self.number is None else signal.Signals(self.number).name
        return Stopped(f"Stopped by {name}.", code=self.code, fix="Run the command again; finished work is kept.")

    def _received(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            self._interrupt(number, frame)
        self.number = number
        self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._interrupt)
        signal.setitimer(signal.ITIMER_REAL, PATIENCE_SECONDS)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt
