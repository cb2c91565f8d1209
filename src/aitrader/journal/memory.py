"""A journal that lasts as long as its process: the record of a backtest."""

from collections.abc import Iterable
from typing import Final, Self, get_args

from aitrader.domain.events import Event, FillBooked

_KINDS: Final = frozenset(get_args(Event))


class MemoryJournal:
    """Events in a list. What is handed out is a copy, so that the record only grows."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._fills: set[str] = set()

    @classmethod
    def of(cls, events: Iterable[Event]) -> Self:
        """Return a journal that begins with ``events``: a copy, in which can be tried what shall not last."""
        journal = cls()
        for event in events:
            journal.append(event)
        return journal

    def append(self, event: Event) -> bool:
        """Record ``event``; False for a fill that is recorded already.

        Raises
        ------
        TypeError
            Not one of ``domain.events.Event``.
        """
        if type(event) not in _KINDS:
            raise TypeError(f"{type(event).__name__} is no event of the journal")
        if isinstance(event, FillBooked):
            if event.fill.fill_id in self._fills:
                return False
            self._fills.add(event.fill.fill_id)
        self._events.append(event)
        return True

    def events(self) -> tuple[Event, ...]:
        """Return everything recorded, oldest first."""
        return tuple(self._events)
