"""The simulated account as a venue's clock goes on: what waits, what is met late, what is lost, and what settles."""

from decimal import Decimal

import pytest

from aitrader.brokers.simulated import SimulatedBroker
from aitrader.config.schema import Costs
from aitrader.domain.orders import Accepted, Entry, OrderStatus


@pytest.fixture
def margin(free):
    return SimulatedBroker("SIM-main", Decimal(10_000), free, settlement="margin")


def held(broker):
    return {symbol: position.quantity for symbol, position in broker.positions().items()}


def status(broker, approved):
    return broker.find(approved.order.client_id).status


def test_an_order_for_after_the_open_waits_for_five_minutes_after_it(broker, venue_of, approve_order, at):
    venue = venue_of({"A": 20.0})
    broker.advance(venue, at(0, 14, 33))
    broker.submit(approve_order("A", 100))
    assert broker.fills() == []

    broker.advance(venue, at(0, 14, 36))

    assert [(fill.price, fill.at) for fill in broker.fills()] == [(20, at(0, 14, 35))]


def test_an_order_sent_later_in_the_session_is_filled_when_it_is_sent(broker, venue_of, approve_order, at):
    broker.advance(venue_of({"A": 20.0}), at(0, 17))

    broker.submit(approve_order("A", 100))

    assert [(fill.price, fill.at) for fill in broker.fills()] == [(20, at(0, 17))]
    assert broker.find(approve_order("A", 100).order.client_id).submitted_at == at(0, 17)


@pytest.mark.parametrize(("sent", "met"), [((1, 13), 1), ((1, 14, 30), 1), ((1, 15), 2), ((1, 22), 2)])
def test_an_order_for_the_opening_auction_meets_the_next_one(broker, venue_of, approve_order, at, sent, met):
    venue = venue_of({"A": 20.0}, {"A": 21.0}, {"A": 22.0})
    broker.advance(venue, at(*sent))
    broker.submit(approve_order("A", 100, entry=Entry.OPEN_AUCTION))

    broker.advance(venue, at(2, 22))

    assert [(fill.price, fill.at) for fill in broker.fills()] == [(20 + met, at(met, 14, 30))]


def test_what_waits_is_filled_in_the_order_of_time_and_at_one_time_sells_come_first(
    broker, venue_of, approve_order, at
):
    venue = venue_of({"A": 20.0, "B": 10.0, "C": 5.0}, {"A": 20.0, "B": 10.0, "C": 5.0}, late=True)
    broker.advance(venue, at(0, 15))
    broker.submit(approve_order("A", 100))
    broker.submit(approve_order("B", 100))
    broker.advance(venue, at(1, 15))
    broker.submit(approve_order("C", 10, decision="d2"))
    broker.submit(approve_order("A", -10, decision="d2"))
    broker.advance(venue, at(1, 16))
    broker.submit(approve_order("B", -10, decision="d2"))

    broker.advance(venue, at(1, 22))

    assert [(fill.symbol, fill.at) for fill in broker.fills()[2:]] == [
        ("A", at(1, 15)),
        ("C", at(1, 15)),
        ("B", at(1, 16)),
    ]


def test_a_buy_that_waits_is_paid_by_a_sell_that_waits(broker, venue_of, approve_order, at):
    venue = venue_of({"A": 20.0, "B": 10.0}, {"A": 30.0, "B": 10.0})
    broker.advance(venue, at(0, 15))
    broker.submit(approve_order("A", 500))
    broker.advance(venue, at(0, 22))
    assert broker.submit(approve_order("B", 1000, decision="d2")).code == "insufficient_cash"

    broker.submit(approve_order("A", -500, decision="d2"))
    broker.submit(approve_order("B", 1000, decision="d3"))
    broker.advance(venue, at(1, 15))

    assert held(broker) == {"B": 1000}
    assert broker.account().cash == 5_000


def test_a_buy_that_waited_buys_what_the_cash_pays_at_a_higher_open(broker, venue_of, approve_order, at):
    venue = venue_of({"A": 20.0}, {"A": 40.0})
    broker.advance(venue, at(0, 22))
    approved = approve_order("A", 400)
    broker.submit(approved)

    broker.advance(venue, at(1, 15))

    assert held(broker) == {"A": 249}  # 250 * 40 is all the cash; a cent is left for fees
    assert status(broker, approved) is OrderStatus.PARTIALLY_FILLED
    broker.advance(venue, at(1, 21))
    assert status(broker, approved) is OrderStatus.EXPIRED


def test_an_order_of_a_session_whose_bar_comes_late_is_filled_as_of_when_it_was_sent(
    broker, venue_of, approve_order, at
):
    venue = venue_of({"A": 20.0}, {"A": (21.0, 23.0)}, late=True)
    broker.advance(venue, at(1, 14, 40))
    approved, closing = approve_order("A", 100), approve_order("A", 50, decision="d2", entry=Entry.CLOSE_AUCTION)
    broker.submit(approved)
    broker.submit(closing)

    broker.advance(venue, at(1, 20))
    assert (status(broker, approved), status(broker, closing)) == (OrderStatus.OPEN, OrderStatus.OPEN)
    broker.advance(venue, at(1, 21))

    assert [(f.price, f.at) for f in broker.fills()] == [(21, at(1, 14, 40)), (23, at(1, 21))]


def test_an_order_sent_after_the_close_does_not_meet_the_bar_that_comes_late(broker, venue_of, approve_order, at):
    venue = venue_of({"A": 20.0}, {"A": 21.0}, {"A": 22.0}, late=True)
    broker.advance(venue, at(1, 15))
    venue.lost.add(1)
    broker.advance(venue, at(1, 22))
    approved = approve_order("A", 100)
    broker.submit(approved)

    venue.lost.clear()
    broker.advance(venue, at(1, 23))
    assert status(broker, approved) is OrderStatus.OPEN
    broker.advance(venue, at(2, 22))

    assert [fill.price for fill in broker.fills()] == [22]


def test_an_order_sent_at_the_close_waits_for_the_next_session(broker, venue_of, approve_order, at):
    venue = venue_of({"A": 20.0}, {"A": 21.0}, late=True)
    broker.advance(venue, at(0, 15))
    venue.lost.add(0)
    broker.advance(venue, at(0, 21))
    broker.submit(approve_order("A", 100))

    venue.lost.clear()
    broker.advance(venue, at(1, 22))

    assert [fill.price for fill in broker.fills()] == [21]


def test_an_order_that_met_no_price_holds_no_cash_any_more(broker, venue_of, approve_order, at):
    venue = venue_of({"B": 10.0}, {"A": 20.0, "B": 10.0})
    broker.advance(venue, at(0, 15))
    approved = approve_order("A", 600)
    broker.submit(approved)

    assert isinstance(broker.submit(approve_order("B", 1000)), Accepted)

    assert status(broker, approved) is OrderStatus.OPEN
    broker.advance(venue, at(1, 15))
    assert status(broker, approved) is OrderStatus.EXPIRED
    assert held(broker) == {"B": 1000}


def test_to_be_told_the_same_again_changes_no_value(venue_of, approve_order, at):
    broker = SimulatedBroker("SIM-main", Decimal(10_000), Costs(spread_bps=100, impact_bps=0))
    venue = venue_of({"A": 20.0})
    broker.advance(venue, at(0, 15))
    broker.submit(approve_order("A", 100))
    before = broker.account()

    broker.advance(venue, at(0, 15))

    assert broker.account() == before


def test_an_order_of_a_session_whose_bar_is_lost_expires_when_the_next_one_is_told(broker, venue_of, approve_order, at):
    venue = venue_of({"A": 20.0}, {"A": 21.0}, {"A": 22.0}, late=True)
    broker.advance(venue, at(1, 15))
    approved = approve_order("A", 100)
    broker.submit(approved)
    venue.lost.add(1)

    broker.advance(venue, at(1, 22))
    assert status(broker, approved) is OrderStatus.OPEN
    broker.advance(venue, at(2, 15))

    assert status(broker, approved) is OrderStatus.EXPIRED
    assert broker.fills() == []


def test_sessions_that_were_missed_are_played_in_one_go(broker, venue_of, approve_order, action, at):
    actions = {2: [action("A", "split", 2.0)], 3: [action("A", "dividend", 0.5)]}
    venue = venue_of({"A": 20.0}, {"A": 21.0}, {"A": 11.0}, {"A": 12.0}, actions=actions)
    broker.advance(venue, at(0, 15))
    broker.submit(approve_order("A", 100))

    broker.advance(venue, at(3, 22))

    assert held(broker) == {"A": 200}
    assert broker.account().cash == 8_000 + 200 * Decimal("0.5")
    assert broker.account().equity == 8_100 + 200 * 12


def test_actions_are_booked_once_however_often_their_session_is_told(broker, venue_of, approve_order, action, at):
    actions = {1: [action("A", "split", 2.0), action("A", "dividend", 0.5)]}
    venue = venue_of({"A": 20.0}, {"A": 10.0}, actions=actions)
    broker.advance(venue, at(0, 15))
    broker.submit(approve_order("A", 100))

    for hour in (15, 16, 22, 23):
        broker.advance(venue, at(1, hour))

    assert held(broker) == {"A": 200}
    assert broker.account().cash == 8_100


def test_an_action_that_becomes_known_with_the_bar_is_booked_then(broker, venue_of, approve_order, action, at):
    early = venue_of({"A": 20.0}, {"A": 10.0}, late=True)
    late = venue_of({"A": 20.0}, {"A": 10.0}, late=True, actions={1: [action("A", "split", 2.0)]})
    broker.advance(early, at(0, 15))
    broker.submit(approve_order("A", 100))
    broker.advance(early, at(1, 15))
    sell = approve_order("A", -100, decision="d2")
    broker.submit(sell)

    broker.advance(late, at(1, 22))

    assert held(broker) == {"A": 200}
    assert status(broker, sell) is OrderStatus.CANCELED  # 100 shares were all there were, and are half of it now


@pytest.mark.parametrize("ratio", [2.0, 0.1])
def test_an_order_that_waits_over_a_split_is_canceled_and_others_are_not(
    broker, venue_of, approve_order, action, at, ratio
):
    venue = venue_of({"A": 20.0, "B": 10.0}, {"A": 20.0 / ratio, "B": 10.0}, actions={1: [action("A", "split", ratio)]})
    broker.advance(venue, at(0, 15))
    broker.submit(approve_order("A", 100))
    broker.submit(approve_order("B", 100))
    broker.advance(venue, at(0, 22))
    split, other = approve_order("A", -100, decision="d2"), approve_order("B", -100, decision="d2")
    broker.submit(split)
    broker.submit(other)

    broker.advance(venue, at(1, 15))

    assert (status(broker, split), status(broker, other)) == (OrderStatus.CANCELED, OrderStatus.FILLED)
    assert held(broker) == {"A": 100 * Decimal(str(ratio))}
    assert broker.account().equity == 10_000


def test_an_order_over_a_dividend_stays_and_the_holder_before_is_paid(broker, venue_of, approve_order, action, at):
    venue = venue_of({"A": 20.0}, {"A": 19.0}, actions={1: [action("A", "dividend", 1.0)]})
    broker.advance(venue, at(0, 15))
    broker.submit(approve_order("A", 100))
    broker.advance(venue, at(0, 22))
    broker.submit(approve_order("A", -100, decision="d2"))

    broker.advance(venue, at(1, 15))

    assert broker.account().cash == 10_000 - 2_000 + 100 + 1_900


def test_a_day_begins_with_its_actions_before_its_open(broker, venue_of, approve_order, action, at):
    actions = {1: [action("A", "split", 2.0), action("A", "dividend", 0.5)]}
    venue = venue_of({"A": 20.0, "B": 10.0}, {"A": 10.0, "B": 12.0}, actions=actions, early=5)
    broker.advance(venue, at(0, 15))
    broker.submit(approve_order("A", 100))
    broker.advance(venue, at(0, 22))
    before = approve_order("A", -100, decision="d2")
    broker.submit(before)

    broker.advance(venue, at(1, 14, 25))

    assert status(broker, before) is OrderStatus.CANCELED
    assert broker.market(["A"]).session is None
    assert (held(broker), broker.account().cash, broker.account().equity) == ({"A": 200}, 8_100, 10_100)
    broker.submit(approve_order("A", -200, decision="d3", entry=Entry.OPEN_AUCTION))
    broker.submit(approve_order("B", 100, decision="d3", entry=Entry.OPEN_AUCTION))
    assert len(broker.fills()) == 1
    broker.advance(venue, at(1, 14, 30))
    assert [(fill.symbol, fill.price, fill.at) for fill in broker.fills()[1:]] == [
        ("A", 10, at(1, 14, 30)),
        ("B", 12, at(1, 14, 30)),
    ]
    assert broker.account().cash == 8_100 + 2_000 - 1_200


def test_an_order_sent_after_its_split_was_booked_is_in_new_shares(broker, venue_of, approve_order, action, at):
    venue = venue_of({"A": 20.0}, {"A": 10.0}, actions={1: [action("A", "split", 2.0)]})
    broker.advance(venue, at(0, 15))
    broker.submit(approve_order("A", 100))
    broker.advance(venue, at(1, 14, 31))

    sell = approve_order("A", -200, decision="d2")
    assert isinstance(broker.submit(sell), Accepted)
    broker.advance(venue, at(1, 15))

    assert status(broker, sell) is OrderStatus.FILLED
    assert broker.account().cash == 10_000


def test_what_unsettled_cash_bought_is_not_sold_before_the_next_session(broker, venue_of, approve_order, at):
    venue = venue_of({"A": 20.0, "B": 10.0}, {"A": 20.0, "B": 10.0}, {"A": 20.0, "B": 10.0})
    broker.advance(venue, at(0, 15))
    broker.submit(approve_order("A", 400))  # 8,000 of 10,000
    broker.advance(venue, at(1, 15))
    broker.submit(approve_order("A", -400, decision="d2"))  # 2,000 settled, 8,000 not
    broker.submit(approve_order("B", 600, decision="d2"))  # 6,000: 4,000 of it unsettled, which is 400 shares

    refused = broker.submit(approve_order("B", -201, decision="d3"))
    accepted = broker.submit(approve_order("B", -200, decision="d4"))

    assert refused.code == "unsettled"
    assert refused.reason == "requested 201, available before the next session 200"
    assert isinstance(accepted, Accepted)
    broker.advance(venue, at(1, 22))
    assert isinstance(broker.submit(approve_order("B", -100, decision="d5")), Accepted)  # it is sold tomorrow
    broker.advance(venue, at(2, 15))
    assert isinstance(broker.submit(approve_order("B", -300, decision="d6")), Accepted)
    assert held(broker) == {}


def test_a_closing_order_sells_what_is_not_settled(broker, venue_of, approve_order, at):
    broker.advance(venue_of({"A": 20.0, "B": 10.0}), at(0, 15))
    broker.submit(approve_order("A", 500))
    broker.submit(approve_order("A", -500, decision="d2"))
    broker.submit(approve_order("B", 1000, decision="d2"))

    assert broker.submit(approve_order("B", -1000, decision="d3")).code == "unsettled"
    assert isinstance(broker.submit(approve_order("B", -1000, decision="d4", closing=True)), Accepted)
    assert held(broker) == {}


def test_a_margin_account_sells_what_unsettled_cash_bought(margin, venue_of, approve_order, at):
    margin.advance(venue_of({"A": 20.0, "B": 10.0}), at(0, 15))
    margin.submit(approve_order("A", 500))
    margin.submit(approve_order("A", -500, decision="d2"))
    margin.submit(approve_order("B", 1000, decision="d2"))

    assert isinstance(margin.submit(approve_order("B", -1000, decision="d3")), Accepted)


def test_the_market_runs_by_the_clock_and_not_by_what_is_known_of_it(broker, venue_of, at):
    venue = venue_of({"A": (20.0, 22.0)}, {"A": 30.0}, late=True)

    def seen(day, hour, minute=0):
        broker.advance(venue, at(day, hour, minute))
        market = broker.market(["A"])
        quote = market.quotes.get("A")
        return market.session and market.session.day, quote and (quote.mid, quote.at)

    assert seen(0, 14) == (None, None)
    assert seen(0, 14, 30) == (5, None)
    venue.lost.add(0)
    assert seen(0, 21) == (None, None)
    venue.lost.clear()
    assert seen(0, 22) == (None, (22, at(0, 21)))
    assert seen(1, 15) == (6, (22, at(0, 21)))
    assert seen(1, 21) == (None, (30, at(1, 21)))


def test_time_does_not_go_back(broker, venue_of, at):
    broker.advance(venue_of(), at(0, 15))

    with pytest.raises(ValueError, match="before the account's own time"):
        broker.advance(venue_of(), at(0, 14))
