"""A row comes back exactly as it was."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.domain.events import BookOpened, BookValued, Event, RunStarted
from aitrader.domain.symbols import Symbol
from aitrader.journal.rows import KINDS, from_body, to_body
from aitrader.journal.tables import TABLE_OF

AT = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)

for of, strategy in {
    datetime: st.datetimes(timezones=st.just(UTC)),
    Decimal: st.decimals(allow_nan=False),
    float: st.floats(allow_nan=False),
    Symbol: st.from_regex(r"[A-Z]{1,5}(\.[A-Z])?", fullmatch=True),
}.items():
    st.register_type_strategy(of, strategy)


@pytest.mark.parametrize("name", KINDS)
@given(data=st.data())
def test_every_kind_of_row_comes_back_exactly(name, data):
    event = data.draw(st.from_type(KINDS[name]))

    text = json.dumps(to_body(event))

    assert from_body(name, json.loads(text)) == event


def test_every_event_has_a_name_and_a_table():
    assert set(KINDS.values()) == set(TABLE_OF) == set(get_args(Event))
    assert KINDS["run_started"] is RunStarted


@pytest.mark.parametrize("text", ["0.10", "1E+3", "100000000000000000000.000000001", "-0"])
def test_money_keeps_its_very_digits(text):
    body = to_body(BookOpened(AT, "SIM-main", Decimal(text)))

    assert body["cash"] == text
    assert str(from_body("book_opened", body).cash) == text


def test_what_is_no_number_stays_none():
    body = json.loads(json.dumps(to_body(BookValued(AT, date(2026, 1, 5), float("nan"), 1.0, np.float32(0.5), 0))))

    event = from_body("book_valued", body)

    assert np.isnan(event.equity)
    assert (event.gross, event.net) == (0.5, 0.0)


def test_times_are_kept_in_utc():
    event = BookOpened(datetime(2026, 1, 5, 9, 30, tzinfo=timezone(timedelta(hours=-5))), "SIM-main", Decimal(1))

    body = to_body(event)

    assert body["at"] == "2026-01-05T14:30:00+00:00"
    assert from_body("book_opened", body) == event


def test_a_time_without_an_offset_is_refused():
    with pytest.raises(ValueError, match="has no UTC offset"):
        to_body(BookOpened(AT.replace(tzinfo=None), "SIM-main", Decimal(1)))


@pytest.mark.parametrize("thing", ["text", None, {"code": "max_gross"}])
def test_only_events_have_a_body(thing):
    with pytest.raises(TypeError, match="no event"):
        to_body(thing)


@pytest.mark.parametrize(
    "change",
    [
        {"cash": 1.5},
        {"cash": "much"},
        {"cash": None},
        {"at": "yesterday"},
        {"account": 7},
        {"more": "?"},
    ],
)
def test_a_body_of_another_shape_is_refused(change):
    body = to_body(BookOpened(AT, "SIM-main", Decimal(1)))

    with pytest.raises((ValueError, TypeError, ArithmeticError)):
        from_body("book_opened", {**body, **change})


def test_a_field_that_is_missing_takes_its_default_or_is_an_error(story):
    body = to_body(story[3])
    del body["notes"]

    assert from_body("decision_made", body) == replace(story[3], notes=())

    del body["equity"]
    with pytest.raises(ValueError, match="with the fields"):
        from_body("decision_made", body)


def test_what_comes_back_cannot_be_changed(story):
    event = from_body("decision_made", to_body(story[3]))

    assert isinstance(event.targets, MappingProxyType)
    assert isinstance(event.targets["top5"], MappingProxyType)
