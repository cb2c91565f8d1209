"""A journal that lasts as long as its process: the record of a backtest."""

from typing import Final, get_args

from aitrader.domain.events import Event

_KINDS: Final = frozenset(get_args(Event))


class MemoryJournal:
    """Events in a list. What is handed out is a copy, so that the record only grows."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def append(self, event: Event) -> None:
        """Record ``event``.

        Raises
        ------
        TypeError
            Not one of ``domain.events.Event``.
        """
        if type(event) not in _KINDS:
            raise TypeError(f"{type(event).__name__} is no event of the journal")
        self._events.append(event)

    def events(self) -> tuple[Event, ...]:
        """Return everything recorded, oldest first."""
        return tuple(self._events)
