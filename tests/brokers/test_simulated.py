"""The simulated cash account against hand calculations."""

from datetime import timedelta
from decimal import Decimal
from math import nan

import pytest

from aitrader.brokers.simulated import SimulatedBroker
from aitrader.config.schema import Costs
from aitrader.domain.approval import approve
from aitrader.domain.orders import Accepted, Bounds, Entry, NotFound, OrderStatus, Refused, Side
from aitrader.errors import BrokerError


def status(broker, approved):
    return broker.find(approved.order.client_id).status


def test_an_after_open_order_fills_at_the_open_plus_half_the_spread_five_minutes_in(bars_of, approve_order):
    broker = SimulatedBroker("SIM-main", Decimal(10_000), Costs(spread_bps=10, impact_bps=0))
    broker.open_session(bars_of(0, {"A": (20.0, 99.0)}))

    approved = approve_order("A", 100)
    broker.submit(approved)

    (fill,) = broker.fills()
    assert (fill.price, fill.quantity, fill.side) == (Decimal("20.01"), 100, Side.BUY)
    assert fill.at == bars_of(0, {}).opened + timedelta(minutes=5)
    assert broker.find(approved.order.client_id).submitted_at == fill.at
    assert broker.account().cash == Decimal("7999.00")


def test_what_a_purchase_costs_is_missing_from_the_equity_at_once(bars_of, approve_order):
    broker = SimulatedBroker("SIM-main", Decimal(10_000), Costs(spread_bps=10, impact_bps=0))
    broker.open_session(bars_of(0, {"A": (20.0, 22.0)}))
    broker.submit(approve_order("A", 100))  # at 20.01

    account = broker.account()
    assert account.equity == account.cash + 100 * broker.market(["A"]).quotes["A"].mid == 9_999

    broker.close_session()

    assert broker.account().equity == 7_999 + 2_200


def test_impact_and_fees_come_on_top(bars_of, approve_order):
    costs = Costs(spread_bps=0, impact_bps=10, max_volume_share=0.10, commission_per_share=0.005, commission_bps=1)
    broker = SimulatedBroker("SIM-main", Decimal(10_000), costs)
    broker.open_session(bars_of(0, {"A": 20.0}, volume20=2000))

    broker.submit(approve_order("A", 100))  # 5 % of the volume, half the cap: a quarter of 10 bp

    (fill,) = broker.fills()
    assert fill.price == Decimal("20.005")
    assert fill.fee == Decimal("0.71")  # 0.50 + 0.20005, up to the cent


@pytest.mark.parametrize(
    ("entry", "price", "at_close"),
    [(Entry.OPEN_AUCTION, 20, False), (Entry.CLOSE_AUCTION, 26, True), (Entry.VWAP, 24, True)],
)
def test_each_entry_fills_at_its_price_when_that_is_known(broker, bars_of, approve_order, entry, price, at_close):
    broker.open_session(bars_of(0, {"A": (20.0, 26.0)}))  # typical price (26 + 20 + 26) / 3

    broker.submit(approve_order("A", 100, entry=entry))

    assert len(broker.fills()) == (0 if at_close else 1)
    broker.close_session()
    (fill,) = broker.fills()
    assert fill.price == price


def test_a_known_vwap_is_the_vwap_price(broker, bars_of, approve_order):
    broker.open_session(bars_of(0, {"A": (20.0, 26.0)}, vwap=21.5))

    broker.submit(approve_order("A", 100, entry=Entry.VWAP))
    broker.close_session()

    assert broker.fills()[0].price == Decimal("21.5")


def test_the_volume_cap_fills_a_part_and_the_rest_expires_at_the_close(broker, bars_of, approve_order):
    approved = approve_order("A", 100)
    broker.open_session(bars_of(0, {"A": 20.0}, volume20=305))

    broker.submit(approved)

    assert broker.book.quantity("A") == 30
    assert status(broker, approved) is OrderStatus.PARTIALLY_FILLED
    broker.close_session()
    assert status(broker, approved) is OrderStatus.EXPIRED
    assert broker.find(approved.order.client_id).filled_quantity == 30


@pytest.mark.parametrize(
    ("prices", "volume20"), [({}, 1e6), ({"A": (nan, 20.0)}, 1e6), ({"A": 20.0}, nan), ({"A": 20.0}, 0)]
)
def test_without_a_price_or_a_volume_the_order_expires_unfilled(broker, bars_of, approve_order, prices, volume20):
    approved = approve_order("A", 100)
    broker.open_session(bars_of(0, prices, volume20=volume20))

    assert isinstance(broker.submit(approved), Accepted)

    assert status(broker, approved) is OrderStatus.OPEN
    broker.close_session()
    assert status(broker, approved) is OrderStatus.EXPIRED
    assert broker.fills() == []
    assert broker.account().cash == 10_000


def test_a_buy_beyond_the_cash_is_refused(broker, bars_of, approve_order):
    broker.open_session(bars_of(0, {"A": 20.0}))

    outcome = broker.submit(approve_order("A", 501))

    assert outcome == Refused("insufficient_cash", "10020.00 USD needed, 10000.00 available")
    assert isinstance(broker.find(approve_order("A", 501).order.client_id), NotFound)


def test_the_proceeds_of_a_sell_may_buy_in_the_same_session(broker, bars_of, approve_order):
    broker.open_session(bars_of(0, {"A": 20.0, "B": 10.0}))
    broker.submit(approve_order("A", 500))

    broker.submit(approve_order("A", -500, decision="d2"))
    outcome = broker.submit(approve_order("B", 1000, decision="d2"))

    assert isinstance(outcome, Accepted)
    assert dict(broker.positions()).keys() == {"B"}


def test_waiting_orders_hold_cash_and_shares_and_count_on_waiting_sells(broker, bars_of, approve_order):
    close = {"entry": Entry.CLOSE_AUCTION}
    broker.open_session(bars_of(0, {"A": 20.0, "B": 10.0, "C": 5.0}))
    broker.submit(approve_order("A", 500))

    assert isinstance(broker.submit(approve_order("A", -300, decision="d2", **close)), Accepted)
    assert isinstance(broker.submit(approve_order("B", 500, decision="d2", **close)), Accepted)

    assert broker.submit(approve_order("A", -201, decision="d3", **close)).code == "insufficient_shares"
    assert broker.submit(approve_order("C", 201, decision="d3", **close)).code == "insufficient_cash"
    broker.close_session()
    assert {s: p.quantity for s, p in broker.positions().items()} == {"A": 200, "B": 500}


def test_at_the_close_sells_pay_for_buys_that_were_sent_before_them(broker, bars_of, approve_order):
    broker.open_session(bars_of(0, {"A": 20.0, "B": (10.0, 11.0)}))
    broker.submit(approve_order("A", 250))
    broker.submit(approve_order("B", 500, decision="d2", entry=Entry.CLOSE_AUCTION))

    broker.submit(approve_order("A", -250, decision="d2", entry=Entry.CLOSE_AUCTION))
    broker.close_session()

    assert {s: p.quantity for s, p in broker.positions().items()} == {"B": 500}


def test_a_close_above_the_estimate_buys_only_what_the_cash_pays(bars_of, approve_order):
    broker = SimulatedBroker("SIM-main", Decimal(10_000), Costs(spread_bps=0, impact_bps=0, commission_bps=1))
    broker.open_session(bars_of(0, {"A": (20.0, 25.0)}))
    approved = approve_order("A", 450, entry=Entry.CLOSE_AUCTION)

    broker.submit(approved)
    broker.close_session()

    assert broker.book.quantity("A") == 399  # 400 * 25 is all the cash and leaves no dollar for the commission
    assert broker.account().cash == Decimal("24.00")
    assert status(broker, approved) is OrderStatus.EXPIRED


def test_more_shares_than_held_are_not_sold(broker, bars_of, approve_order):
    broker.open_session(bars_of(0, {"A": 20.0}))
    broker.submit(approve_order("A", 10))

    assert broker.submit(approve_order("A", -11, decision="d2")).code == "insufficient_shares"


def test_an_unknown_symbol_is_refused(broker, bars_of, approve_order):
    broker.open_session(bars_of(0, {"A": 20.0}))

    assert broker.submit(approve_order("ZZZ", 1)).code == "unknown_symbol"


def test_an_order_sent_while_the_venue_is_closed_waits_for_the_next_open(broker, bars_of, approve_order):
    broker.open_session(bars_of(0, {"A": 20.0}))
    broker.close_session()

    assert isinstance(broker.submit(approve_order("A", 100)), Accepted)
    assert broker.fills() == []
    broker.open_session(bars_of(1, {"A": 21.0}))

    (fill,) = broker.fills()
    assert (fill.price, fill.at) == (21, bars_of(1, {}).opened + timedelta(minutes=5))


def test_a_venue_that_told_of_no_session_knows_no_symbol(broker, approve_order):
    assert broker.submit(approve_order("A", 1)).code == "unknown_symbol"


def test_a_request_outside_its_bounds_is_refused(broker, bars_of, approve_order):
    broker.open_session(bars_of(0, {"A": 20.0}))
    smaller = approve(approve_order("A", 10).order, Bounds(Decimal(9), Decimal(1), Decimal(100)))

    assert broker.submit(smaller).code == "not_approved"


def test_a_split_changes_the_shares_before_the_open_and_no_value(broker, bars_of, approve_order, action):
    broker.open_session(bars_of(0, {"A": 20.0}))
    broker.submit(approve_order("A", 100))
    broker.close_session()

    booked = broker.open_session(bars_of(1, {"A": 10.0}), [action("A", "split", 2.0), action("B", "split", 3.0)])

    assert booked == (action("A", "split", 2.0),)
    assert broker.book.quantity("A") == 200
    assert broker.account().equity == 10_000


def test_a_split_of_a_holding_that_does_not_trade_keeps_its_value(broker, bars_of, approve_order, action):
    broker.open_session(bars_of(0, {"A": 20.0}))
    broker.submit(approve_order("A", 100))
    broker.close_session()

    broker.open_session(bars_of(1, {}), [action("A", "split", 4.0)])

    assert broker.account().equity == 10_000


def test_a_dividend_pays_holdings_from_before_the_ex_date_in_shares_after_its_split(
    broker, bars_of, approve_order, action
):
    broker.open_session(bars_of(0, {"A": 20.0}))
    broker.submit(approve_order("A", 100))
    broker.close_session()

    actions = [action("A", "dividend", 0.5), action("A", "split", 2.0), action("B", "dividend", 9.0)]
    broker.open_session(bars_of(1, {"A": 9.5, "B": 10.0}), actions)
    broker.submit(approve_order("B", 1, decision="d2"))

    assert broker.account().cash == 8_000 + 100 - 10


def test_a_holding_that_does_not_trade_keeps_its_last_price(broker, bars_of, approve_order):
    broker.open_session(bars_of(0, {"A": (20.0, 22.0)}))
    broker.submit(approve_order("A", 100))
    broker.close_session()
    broker.open_session(bars_of(1, {}))
    broker.close_session()

    assert broker.account().equity == 8_000 + 2_200


def test_a_symbol_bought_again_is_not_valued_at_its_old_price(broker, bars_of, approve_order):
    broker.open_session(bars_of(0, {"A": 20.0}))
    broker.submit(approve_order("A", 100))
    broker.submit(approve_order("A", -100, decision="d2"))
    broker.close_session()
    broker.open_session(bars_of(1, {"A": 50.0}))

    broker.submit(approve_order("A", 100, decision="d3"))

    assert broker.account().equity == 10_000


def test_sessions_run_forward_one_at_a_time(broker, bars_of):
    with pytest.raises(ValueError, match="no session is open"):
        broker.close_session()
    broker.open_session(bars_of(1, {}))
    with pytest.raises(ValueError, match="cannot open"):
        broker.open_session(bars_of(2, {}))
    broker.close_session()
    with pytest.raises(ValueError, match="cannot open"):
        broker.open_session(bars_of(1, {}))


def test_quotes_are_the_open_with_the_spread_around_it_while_the_session_is_open(bars_of):
    broker = SimulatedBroker("SIM-main", Decimal(1), Costs(spread_bps=10))
    broker.open_session(bars_of(0, {"A": (20.0, 30.0)}))

    market = broker.market(["A", "B", "ZZZ"])

    assert (market.quotes["A"].bid, market.quotes["A"].ask) == (Decimal("19.99"), Decimal("20.01"))
    assert market.quotes["A"].mid == 20
    assert set(market.quotes) == {"A"}
    assert market.tradable == {"A", "B"}


def test_quotes_are_the_last_close_with_its_time_while_the_venue_is_closed(bars_of):
    broker = SimulatedBroker("SIM-main", Decimal(1), Costs(spread_bps=10))
    broker.open_session(bars_of(0, {"A": (20.0, 30.0)}))
    broker.close_session()

    market = broker.market(["A", "B"])

    assert market.session is None
    assert (market.quotes["A"].bid, market.quotes["A"].ask) == (Decimal("29.985"), Decimal("30.015"))
    assert market.quotes["A"].at == bars_of(0, {}).closes
    assert set(market.quotes) == {"A"}


def test_a_venue_that_never_opened_has_no_time(broker):
    with pytest.raises(BrokerError, match="not opened yet"):
        broker.market()
