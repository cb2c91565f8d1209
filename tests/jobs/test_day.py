"""One session of a book, told by rows that were written by hand."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from aitrader.domain.calendars import calendar
from aitrader.domain.events import (
    ActionBooked,
    BookAdjusted,
    BookOpened,
    BookValued,
    DecisionMade,
    DecisionRefused,
    FillBooked,
    Latch,
    Latched,
    OrderObserved,
    OrderOutcome,
    OrderRefused,
    OrderSending,
    Reconciled,
    RunEnded,
    RunStarted,
    SessionOpened,
    SymbolHeld,
    Told,
)
from aitrader.domain.orders import Entry, Fill, Order, OrderStatus, Side
from aitrader.domain.symbols import Symbol
from aitrader.jobs.assembly.day import Around, Closes, day_of, session_of, sessions_of

VENUE = calendar("XNYS")
WEDNESDAY, THURSDAY, FRIDAY = date(2013, 8, 7), date(2013, 8, 8), date(2013, 8, 9)
AA, BB, CC = Symbol("AA"), Symbol("BB"), Symbol("CC")


def at(day, hour, minute=0):
    """A time of New York's summer, as UTC."""
    return datetime(2013, 8, day, hour, minute, tzinfo=timezone(timedelta(hours=-4))).astimezone(UTC)


def order(symbol, side, quantity, price, *, number=1, strategy="top", closing=False):
    name = f"at-main-20130807-{strategy}-{symbol}-{side}-e-{number}"
    shares, planned = Decimal(quantity), Decimal(str(price))
    return Order(name, symbol, side, shares, planned, strategy, "20130807", Entry.AFTER_OPEN, closing=closing)


def fill(name, of, quantity, price, when, fee="1"):
    return FillBooked(
        when, Fill(name, of.client_id, of.symbol, of.side, Decimal(quantity), Decimal(str(price)), Decimal(fee), when)
    )


BUY_A = order(AA, Side.BUY, 100, 50)
BUY_B = order(BB, Side.BUY, 40, 100, number=2)
BUY_C = order(CC, Side.BUY, 10, 20, number=3)
CLOSE_A = order(AA, Side.SELL, 100, 54, strategy="shutdown", closing=True)

STORY = (
    RunStarted(at(8, 9, 36), "run-1", "trade", "abc", 7),
    BookOpened(at(8, 9, 36), "SIM-main", Decimal(10_000)),
    BookValued(at(7, 16, 15), WEDNESDAY, 10_000.0, 10_000.0, 0.0, 0.0),
    SessionOpened(at(8, 9, 30), THURSDAY),
    DecisionMade(
        at(7, 16, 15),
        "20130807",
        WEDNESDAY,
        10_000.0,
        {"top": {AA: 0.5, BB: 0.4, CC: 0.1}},
        {"lgbm": "v1"},
        (BUY_A, BUY_B, BUY_C),
        ("a note of the sizing",),
    ),
    OrderRefused(at(8, 9, 36), "20130807", BUY_C.client_id, "max_order_qty", "10 is more than 5"),
    OrderSending(at(8, 9, 36), BUY_A),
    OrderOutcome(at(8, 9, 36), BUY_A.client_id, Told.ACCEPTED, "broker-1"),
    fill("f1", BUY_A, 60, 51, at(8, 9, 36)),
    fill("f2", BUY_A, 40, 52, at(8, 9, 36)),
    OrderSending(at(8, 9, 36), BUY_B),
    OrderOutcome(at(8, 9, 36), BUY_B.client_id, Told.UNKNOWN, "timeout"),
    SymbolHeld(at(8, 9, 36), BB, "the outcome is unknown"),
    Reconciled(at(8, 9, 36), ()),
    RunEnded(at(8, 9, 37), "run-1", "trade", "failed", 5, "one outcome is unknown"),
    RunStarted(at(8, 18), "run-2", "emergency-shutdown", "abc", 7),
    Latched(at(8, 18), Latch.HALT, "operator", "a drill"),
    OrderSending(at(8, 18), CLOSE_A),
    OrderOutcome(at(8, 18), CLOSE_A.client_id, Told.ACCEPTED, "broker-2"),
)
NEXT = (
    *STORY,
    BookValued(at(8, 16, 15), THURSDAY, 10_238.0, 4_838.0, 5_400.0, 5_400.0),
    fill("f3", CLOSE_A, 100, 53, at(9, 9, 30)),
    OrderObserved(at(9, 10), CLOSE_A.client_id, "broker-2", OrderStatus.FILLED, Decimal(100)),
)


def around(session, **prices):
    closes = {Symbol(name): Decimal(str(price)) for name, price in prices.items()}
    return Around("main", VENUE, at(9, 12), Closes(session, closes), 0.98)


def day(events=STORY, session=THURSDAY, priced=None, **prices):
    return day_of(events, session, around(priced or session, **(prices or {"AA": 54})))


def test_a_decision_belongs_to_the_session_that_trades_it():
    made = next(event for event in STORY if isinstance(event, DecisionMade))

    assert session_of(made, VENUE) == THURSDAY


def test_what_happens_on_the_evening_belongs_to_that_day():
    assert session_of(Latched(at(8, 23, 59), Latch.HALT, "operator", ""), VENUE) == THURSDAY


def test_what_happens_on_a_saturday_belongs_to_the_next_session():
    assert session_of(Latched(at(10, 12), Latch.HALT, "operator", ""), VENUE) == date(2013, 8, 12)


def test_the_value_at_a_close_belongs_to_its_session_whenever_it_was_recorded():
    assert session_of(BookValued(at(7, 16, 15), WEDNESDAY, 1.0, 1.0, 0.0, 0.0), VENUE) == WEDNESDAY


def test_sessions_are_those_on_which_something_was_done():
    assert sessions_of(STORY, VENUE) == (THURSDAY,)
    assert sessions_of(NEXT, VENUE) == (THURSDAY, FRIDAY)


def test_an_order_shows_its_mean_price_its_slippage_and_its_fees():
    line = next(line for line in day().orders if line.client_id == BUY_A.client_id)

    assert (line.status, line.filled, line.fee) == ("filled", 100, 2)
    assert line.average_price == Decimal("51.4")  # (60 x 51 + 40 x 52) / 100
    assert line.slippage == pytest.approx(0.028)  # 51.4 over 50


def test_a_cheaper_sale_costs_and_a_cheaper_purchase_saves():
    sold = day(NEXT, FRIDAY, AA=54).fills[0]
    bought = day((*STORY[:8], fill("f1", BUY_A, 100, 49, at(8, 9, 36)))).fills[0]

    assert (sold.slippage, sold.slippage_usd) == (pytest.approx(1 / 54), pytest.approx(100.0))
    assert (bought.slippage, bought.slippage_usd) == (pytest.approx(-0.02), pytest.approx(-100.0))


def test_fills_of_a_day_are_those_of_its_orders_and_of_earlier_ones():
    assert [line.symbol for line in day().fills] == [AA, AA]
    friday = day(NEXT, FRIDAY)
    assert [line.client_id for line in friday.fills] == [CLOSE_A.client_id]
    assert [line.client_id for line in friday.orders if line.closing] == [CLOSE_A.client_id]


def test_a_refusal_names_the_order_that_was_planned():
    assert [(line.order, line.code) for line in day().refusals] == [("buy 10 CC at about 20.00", "max_order_qty")]


def test_targets_are_weights_of_the_book_the_largest_first():
    targets = day().targets

    assert [(line.symbol, pytest.approx(line.weight)) for line in targets] == [(AA, 0.49), (BB, 0.392), (CC, 0.098)]
    assert targets[0].planned == "buy 100 AA at about 50.00"


def test_a_strategy_that_wants_nothing_yet_keeps_its_part():
    shared = Around("main", VENUE, at(9, 12), Closes(THURSDAY, {}), 0.98, strategies=frozenset({"top", "other"}))

    assert day_of(STORY, THURSDAY, shared).targets[0].weight == pytest.approx(0.245)  # half of 0.98 x 0.5


def test_the_book_after_the_session_is_valued_at_its_closes():
    view = day()

    cash = 10_000 - 60 * 51 - 40 * 52 - 2
    assert view.standing.cash == cash
    assert view.standing.equity == cash + 100 * 54
    assert view.standing.change == pytest.approx((cash + 5400) / 10_000 - 1)
    (held,) = view.positions
    assert (held.quantity, held.average_cost, held.value) == (100, Decimal("51.4"), 5400.0)
    assert held.weight == pytest.approx(5400 / (cash + 5400))
    assert held.target == pytest.approx(0.49)
    assert held.gain == pytest.approx(54 / 51.4 - 1)


def test_a_recorded_value_is_shown_before_one_computed_anew():
    later = day(NEXT, THURSDAY, AA=1)

    assert later.standing.equity == 10_238.0


def test_a_position_without_a_close_has_no_value_and_neither_has_the_book():
    view = day(AB=1)

    assert view.positions[0].value != view.positions[0].value
    assert view.standing.equity != view.standing.equity
    assert view.curve.sessions == (WEDNESDAY,)


def test_the_drawdown_is_measured_from_the_highest_close():
    values = [
        BookValued(at(number, 16, 15), date(2013, 8, number), equity, equity, 0.0, 0.0)
        for number, equity in ((5, 100.0), (6, 120.0), (7, 90.0))
    ]

    view = day((BookOpened(at(5, 9), "SIM-main", Decimal(100)), *values), date(2013, 8, 7))

    assert view.curve.drawdown == (0.0, 0.0, 0.25)
    assert view.standing.drawdown == 0.25


def test_what_stands_after_the_session_is_told():
    standing = day().standing

    assert standing.latches == {"HALT": "operator, 2013-08-08 22:00 UTC: a drill"}
    assert standing.held == {BB: "the outcome is unknown"}
    assert standing.unresolved == (BUY_B.client_id,)


def test_an_order_that_leaves_makes_the_last_comparison_old():
    assert day(STORY[:-4]).standing.differences == ()
    assert day().standing.differences is None


def test_a_latch_that_stands_in_a_file_is_told_too():
    found = Around("main", VENUE, at(9, 12), Closes(THURSDAY, {}), 0.98, latches=frozenset({Latch.HALT_ENTRIES}))

    assert day_of(STORY[:4], THURSDAY, found).standing.latches == {"HALT_ENTRIES": ""}


def test_a_run_without_an_end_is_told():
    first, second = day().runs

    assert (first.command, first.exit_code, first.reason) == ("trade", 5, "one outcome is unknown")
    assert (second.command, second.ended_at, second.exit_code) == ("emergency-shutdown", None, None)


def test_later_rows_do_not_reach_an_earlier_session():
    view = day(NEXT, THURSDAY)

    assert [line.symbol for line in view.positions] == [AA]
    assert next(line for line in view.orders if line.closing).status == ""


def test_a_decision_that_could_not_be_made_says_why():
    events = (*STORY[:4], DecisionRefused(at(7, 16, 15), "20130807", WEDNESDAY, "the model is too old"))

    (decision,) = day(events).decisions

    assert decision.refused == "the model is too old"


def test_a_decision_that_was_refused_and_then_made_is_told_once_as_it_was_made():
    refused = DecisionRefused(at(8, 9, 35), "20130807", WEDNESDAY, "the model is too old")

    (decision,) = day((*STORY[:4], refused, refused, *STORY[4:])).decisions

    assert (decision.decision, decision.refused, decision.orders) == ("20130807", "", 3)


def test_a_session_that_runs_is_valued_at_its_prices_so_far_and_has_no_point_on_the_curve():
    prices = Closes(THURSDAY, {AA: Decimal(51)}, running=True)
    view = day_of(STORY, THURSDAY, Around("main", VENUE, at(8, 9, 37), prices, 0.98))

    # 10,000 - 60 * 51 - 40 * 52 - 2 fees of 1 USD = 4,858 in cash, and 100 at 51
    assert (view.standing.equity, view.standing.priced_on, view.standing.running) == (9_958.0, THURSDAY, True)
    assert view.curve.sessions == (WEDNESDAY,)


def test_the_planned_price_follows_a_split_before_the_fill():
    events = (
        *STORY,
        ActionBooked(at(9, 9, 30), AA, "split", 2.0),
        fill("f3", CLOSE_A, 200, 27, at(9, 9, 31)),
    )

    (line,) = day(events, FRIDAY).fills

    assert line.planned_price == 27
    assert line.slippage == 0


def test_adjustments_and_actions_are_told_in_words():
    events = (
        *STORY,
        ActionBooked(at(8, 9, 30), AA, "dividend", 0.25),
        BookAdjusted(at(8, 19), AA, Decimal(-3), Decimal(0), "the broker is right"),
        BookAdjusted(at(8, 19), None, Decimal(0), Decimal("12.5"), "interest"),
    )

    texts = {(note.kind, note.what): note.text for note in day(events).notes}

    assert texts["dividend", "AA"] == "0.25 USD per share"
    assert texts["book adjusted", "AA"] == "-3 shares: the broker is right"
    assert texts["book adjusted", "cash"] == "+12.50 USD: interest"
