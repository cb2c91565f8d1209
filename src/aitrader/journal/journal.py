"""The append-only record of what was run, decided, refused, sent and filled."""

from collections.abc import Sequence
from typing import Protocol

from aitrader.domain.events import Event


class Journal(Protocol):
    """A list of events that only grows."""

    def append(self, event: Event) -> bool:
        """Record ``event``; when this returns, it cannot be lost or changed.

        False, and no row, where a fill of the same id is recorded already: brokers tell fills twice.
        """
        ...

    def events(self) -> Sequence[Event]:
        """Return everything recorded, oldest first."""
        ...
