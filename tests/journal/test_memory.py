"""The journal of a backtest only grows."""

from datetime import UTC, datetime

import pytest

from aitrader.domain.events import OrderRefused
from aitrader.journal.memory import MemoryJournal

EVENT = OrderRefused(datetime(2026, 1, 5, tzinfo=UTC), "d1", "id", "max_gross", "too much")


def test_events_come_back_in_the_order_of_their_recording():
    journal = MemoryJournal()
    later = OrderRefused(datetime(2020, 1, 1, tzinfo=UTC), "d2", "id2", "max_gross", "older clock, later row")

    journal.append(EVENT)
    journal.append(later)

    assert journal.events() == (EVENT, later)


def test_what_was_handed_out_does_not_change_the_record():
    journal = MemoryJournal()
    journal.append(EVENT)

    before = journal.events()
    journal.append(EVENT)

    assert len(before) == 1


@pytest.mark.parametrize("thing", ["text", None, {"code": "max_gross"}])
def test_only_events_are_recorded(thing):
    with pytest.raises(TypeError, match="no event"):
        MemoryJournal().append(thing)
