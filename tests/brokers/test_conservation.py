"""Conservation: no dollar and no share appears or vanishes, and the journal's replay is the broker's book."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from aitrader.brokers.simulated import SimulatedBroker
from aitrader.config.schema import Costs
from aitrader.domain.events import FillBooked
from aitrader.domain.orders import Entry
from aitrader.journal.memory import MemoryJournal
from aitrader.journal.queries import fills, replay

SYMBOLS = st.sampled_from("ABC")
DAYS = st.lists(
    st.fixed_dictionaries(
        {
            "prices": st.dictionaries(SYMBOLS, st.tuples(st.floats(0.01, 900), st.floats(0.01, 900)), max_size=3),
            "volume20": st.sampled_from([0.0, 55.5, 4000.0, 1e6, float("nan")]),
            "splits": st.dictionaries(SYMBOLS, st.sampled_from([2.0, 1.5, 0.1, 1 / 3]), max_size=2),
            "dividends": st.dictionaries(SYMBOLS, st.floats(0.01, 2).map(lambda v: round(v, 4)), max_size=2),
            "orders": st.lists(
                st.tuples(SYMBOLS, st.integers(-300, 300).filter(bool), st.sampled_from(Entry), st.booleans()),
                max_size=4,
            ),
        }
    ),
    min_size=1,
    max_size=8,
)


@given(days=DAYS, fee=st.sampled_from([0.0, 0.005]))
def test_the_replayed_book_is_the_brokers_and_no_dollar_appears_or_vanishes(days, fee, bars_of, approve_order, action):
    cash = Decimal(20_000)
    costs = Costs(commission_per_share=fee, commission_bps=2)
    broker, journal = SimulatedBroker("SIM-main", cash, costs), MemoryJournal()
    paid_in, last = Decimal(0), None
    for day, plan in enumerate(days):
        actions = [action(s, "split", r) for s, r in plan["splits"].items()]
        actions += [action(s, "dividend", a) for s, a in plan["dividends"].items()]
        for booked in broker.open_session(bars_of(day, plan["prices"], volume20=plan["volume20"]), actions):
            journal.append(booked)
            if booked.kind == "dividend":
                paid_in += broker.book.quantity(booked.symbol) * Decimal(repr(booked.value))
        for number, (symbol, signed, entry, cancel) in enumerate(plan["orders"]):
            approved = approve_order(symbol, signed, decision=f"d{day}n{number}", entry=entry)
            broker.submit(approved)
            if cancel:
                broker.cancel(approved.order.client_id)
        broker.close_session()
        for fill in broker.fills(after=last):
            journal.append(FillBooked(fill.at, fill))
            last = fill.fill_id

        book = replay(journal.events(), cash)

        assert book == broker.book
        assert book.cash >= 0
        assert all(position.quantity > 0 for position in book.positions.values())
        spent = sum((f.side.sign * f.quantity * f.price + f.fee for f in fills(journal.events())), Decimal(0))
        assert book.cash == cash + paid_in - spent
        assert all(order.filled_quantity <= order.quantity for order in broker.orders())
        assert all(order.status.final for order in broker.orders())
