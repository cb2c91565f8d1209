"""How fast one vendor may be asked: a token bucket that every request of a session passes."""

import threading
import time
from collections.abc import Callable


class Pacer:
    """Lets at most ``per_minute`` requests pass in a minute, ``burst`` of them at once.

    Thread-safe: several callers share one budget. ``clock`` returns monotonic seconds.
    """

    def __init__(
        self,
        per_minute: float,
        *,
        burst: int = 1,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if per_minute <= 0 or burst < 1:
            raise ValueError("per_minute and burst must be positive")
        self._interval = 60.0 / per_minute
        self._slack = self._interval * (burst - 1)
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_at = clock()

    def wait(self) -> float:
        """Sleep until the next request may leave; returns the seconds slept."""
        with self._lock:
            now = self._clock()
            delay = max(0.0, self._free_at - self._slack - now)
            self._free_at = max(self._free_at, now - self._interval) + self._interval
        if delay:
            self._sleep(delay)
        return delay

    def hold(self, seconds: float) -> None:
        """Let nobody pass for ``seconds``: a vendor asked one caller to wait, so all of them wait."""
        with self._lock:
            self._free_at = max(self._free_at, self._clock() + seconds + self._slack)
