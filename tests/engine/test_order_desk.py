from dataclasses import replace
from datetime import timedelta

import pytest

from aitrader.domain.events import Latch, Latched, OrderRefused, OrderSending
from aitrader.domain.orders import Refused, Side
from aitrader.engine.loop import open_session
from aitrader.engine.order_desk import LOOK_UPS, send

A, B = "at-main-20130701-top-A-buy-e-1", "at-main-20130701-top-B-buy-e-2"


@pytest.fixture
def one(bench, past, make_rules):
    """A book that wants 50 shares of A and 25 of B, on a running session."""

    def make(**risk):
        rules = make_rules()
        rules = replace(rules, risk=rules.risk.model_copy(update=risk))
        book = bench(past([[10, 10], [20, 20]]), rules)
        book.open(1)
        return book

    return make


def refusals(book):
    return [(event.client_id, event.code) for event in book.of(OrderRefused)]


def latches(book):
    return [(event.latch, event.code) for event in book.of(Latched)]


@pytest.mark.parametrize("fault", ["accepted_then_dropped", "error_after"])
def test_an_order_whose_answer_was_lost_is_found_and_not_sent_again(one, faults, fault):
    book = one()
    book.line.faults["submit"] = [faults[fault]]
    book.run(1)

    assert book.line.asked == [A, B]
    assert book.outcomes() == ["accepted", "accepted"]
    assert book.waited == [0.5]
    assert book.state.reconciled


@pytest.mark.parametrize("fault", ["dropped", "error_before"])
def test_an_order_that_the_broker_never_had_is_sent_again_under_the_same_id(one, faults, fault):
    book = one()
    book.line.faults["submit"] = [faults[fault]]
    book.run(1)

    assert book.line.asked == [A, A, B]
    assert book.outcomes() == ["absent", "accepted", "accepted"]
    assert [order.client_id for order in book.account.orders()] == [A, B]
    assert (book.state.orders[A].attempts, book.state.meters.run) == (2, 2)


def test_an_id_is_sent_three_times_at_most_and_then_its_symbol_is_held(one, faults):
    book = one()
    book.line.faults["submit"] = [faults["dropped"]] * 3
    book.run(1)

    assert book.line.asked == [A, A, A, B]
    assert book.waited == [*LOOK_UPS * 3]
    assert [tracked.order.client_id for tracked in book.state.unresolved] == [A]
    assert set(book.state.held) == {"A"}
    assert book.state.differences == (f"A: the outcome of {A} is unknown",)
    assert set(book.account.positions()) == {"B"}


def test_an_order_that_nobody_can_ask_about_is_not_sent_again(one, faults, silent):
    book = one()
    book.line.faults = {"submit": [faults["accepted_then_dropped"]], "find": [silent] * 5}
    book.run(1)

    assert book.line.asked == [A, B]
    assert book.waited == [*LOOK_UPS]


def test_an_order_that_shows_late_is_found_by_a_later_look_up(one, faults, not_found):
    book = one()
    book.line.faults = {"submit": [faults["accepted_then_dropped"]], "find": [not_found] * 4}
    book.run(1)

    assert book.line.asked == [A, B]
    assert book.waited == [*LOOK_UPS]
    assert book.state.reconciled


def test_an_order_that_shows_after_it_was_called_absent_is_not_made_twice(one, faults, not_found):
    book = one()
    book.line.faults = {"submit": [faults["accepted_then_dropped"]], "find": [not_found] * 5}
    book.run(1)

    assert book.line.asked == [A, A, B]  # the second one was answered with a duplicate id
    assert book.outcomes() == ["absent", "accepted", "accepted"]
    assert book.account.book.quantity("A") == 50


def test_a_duplicate_id_with_another_order_behind_it_shuts_halt(one, approved):
    book = one()
    other = approved(A, "A", 7)
    assert book.account.submit(other).broker_id
    now = book.now(1)
    book.state = open_session(book.desk, book.state, now)
    wanted = approved(A, "A", 50)
    later = approved(B, "B", 25)
    book.state = send(book.desk, book.state, [wanted, later], now.at, wanted=[wanted.order, later.order])

    assert latches(book) == [(Latch.HALT, "order_mismatch")]
    assert book.line.asked == [A]
    assert refusals(book) == [(B, "halt")]
    assert set(book.state.held) == {"A"}


def test_a_definite_refusal_is_final(one):
    book = one()
    book.line.faults["submit"] = [lambda account, order: Refused("wash", "opposite side order exists")]
    book.run(1)
    book.run(1)

    assert book.line.asked == [A, B]
    assert book.outcomes() == ["refused", "accepted"]


def test_a_second_unknown_outcome_in_a_session_shuts_halt(one, faults, silent):
    book = one()
    book.line.faults = {"submit": [faults["dropped"]] * 2, "find": [silent] * 10}
    book.run(1)

    assert latches(book) == [(Latch.HALT, "max_unknown_orders")]
    assert book.halts.shut == {Latch.HALT}


def test_one_refusal_too_many_shuts_halt_and_the_rest_stays(one):
    book = one(max_rejects_per_run=1)
    book.line.faults["submit"] = [lambda account, order: Refused("wash", "no")]
    book.run(1)

    assert latches(book) == [(Latch.HALT, "max_rejects_per_run")]
    assert (book.line.asked, refusals(book)) == ([A], [(B, "halt")])


def test_a_latch_that_shuts_between_two_orders_keeps_the_second_one(one):
    book = one()
    book.halts.shut_at_read = 3  # the review, the first order, and now the second
    book.run(1)

    assert (book.line.asked, refusals(book)) == ([A], [(B, "halt")])


def test_a_latch_that_shuts_while_an_order_is_looked_up_keeps_it_from_being_sent_again(one, faults):
    book = one()
    book.line.faults["submit"] = [faults["dropped"]]
    book.halts.shut_at_read = 3
    book.run(1)

    assert (book.line.asked, refusals(book)) == ([A], [(A, "halt"), (B, "halt")])
    assert book.state.unresolved == ()


def test_halt_entries_lets_only_reducing_orders_leave(bench, past, make_rules):
    book = bench(past([[10] * 3, [20] * 3], predictions=[[2, 1, 1], [1, 2, 2]]), make_rules(), top=1)
    book.play(1)
    book.close()
    book.halts.shut = {Latch.HALT_ENTRIES}
    book.play(2)

    assert [event.order.side for event in book.of(OrderSending)] == [Side.BUY, Side.SELL]
    assert refusals(book) == [("at-main-20130702-top-B-buy-e-2", "halt_entries")]


def test_a_refusal_is_told_once_however_often_the_turn_is_run(one):
    book = one(max_position=0.4)
    book.run(1)
    book.run(1)
    book.restart()
    book.run(1)

    assert refusals(book) == [(A, "max_position"), (B, "max_position")]


def test_the_desk_waits_rather_than_send_more_orders_in_a_minute(one):
    book = one(max_orders_per_min=1)
    book.clock = book.now(1).at
    book.desk = replace(book.desk, clock=lambda: book.clock)
    book.run(1)

    first, second = (event.at for event in book.of(OrderSending))
    assert (book.waited, second - first) == ([60.0], timedelta(seconds=60))


def test_orders_that_wait_beyond_the_window_do_not_leave(one):
    book = one(max_orders_per_min=1)
    book.clock = book.now(1).window.closes - timedelta(seconds=30)
    book.desk = replace(book.desk, clock=lambda: book.clock)
    book.run(1)

    assert (book.line.asked, refusals(book)) == ([A], [(B, "session_window")])


def test_an_absent_order_is_not_sent_again_after_the_window(one, faults):
    book = one()
    book.line.faults["submit"] = [faults["dropped"]]
    book.clock = book.now(1).window.closes - timedelta(seconds=5)
    book.desk = replace(book.desk, clock=lambda: book.clock)
    book.run(1)

    assert book.line.asked == [A]
    assert refusals(book) == [(A, "session_window"), (B, "session_window")]


def test_more_shares_than_the_decision_wanted_shut_halt(one, approved):
    book = one()
    now = book.now(1)
    book.state = open_session(book.desk, book.state, now)
    first, again = approved(A, "A", 50), approved(f"{A}1", "A", 1)
    book.state = send(book.desk, book.state, [first, again], now.at, wanted=[first.order])

    assert latches(book) == [(Latch.HALT, "orders_out")]
    assert (book.line.asked, refusals(book)) == ([A], [(f"{A}1", "orders_out")])


def test_an_order_that_is_out_already_is_one_too_many(one, approved):
    book = one()
    now = book.now(1)
    book.state = open_session(book.desk, book.state, now)
    first = approved(A, "A", 50)
    book.state = send(book.desk, book.state, [first, first], now.at, wanted=[first.order])

    assert latches(book) == [(Latch.HALT, "orders_out")]
    assert book.line.asked == [A]


def test_a_count_beyond_its_limit_refuses_the_rest_and_shuts_halt_in_live_only(one):
    paper, live = one(max_orders_per_run=1), one(max_orders_per_run=1)
    live.desk = replace(live.desk, live=True)
    paper.run(1)
    live.run(1)

    assert (paper.line.asked, refusals(paper), latches(paper)) == ([A], [(B, "max_orders_per_run")], [])
    assert latches(live) == [(Latch.HALT, "max_orders_per_run")]
    assert live.line.asked == []  # the review comes before the first order, and HALT before that
