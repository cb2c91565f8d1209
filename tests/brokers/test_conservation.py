"""Conservation: no dollar and no share appears or vanishes, and the journal's replay is the broker's book."""

from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from aitrader.brokers.account_file import PaperAccount
from aitrader.brokers.faulty import FaultSettings, FaultyBroker, seeded
from aitrader.brokers.simulated import SimulatedBroker
from aitrader.config.schema import AccountSettings, Costs
from aitrader.domain.events import ActionBooked, FillBooked
from aitrader.domain.orders import Accepted, Entry, Fill, OrderStatus, Side
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


SEEDS = st.integers(0, 2**32)


def world_of(dice):
    """Some days of three symbols that mostly trade, with splits, dividends, and perhaps a bar that never comes."""

    def prices():
        return {symbol: (dice.uniform(1, 90), dice.uniform(1, 90)) for symbol in "ABC" if dice.random() < 0.9}

    return {
        "days": [prices() for _ in range(6)],
        "late": dice.random() < 0.5,
        "early": dice.choice([0, 5]),
        "volume20": dice.choice([55.5, 4000.0, 1e6]),
        "lost": {dice.randrange(6)} if dice.random() < 0.3 else set(),
        "splits": {dice.randrange(6): (dice.choice("ABC"), dice.choice([2.0, 1.5, 0.1, 1 / 3])) for _ in range(2)},
        "dividends": {dice.randrange(6): (dice.choice("ABC"), dice.choice([0.01, 0.37, 1.0])) for _ in range(3)},
        "settlement": dice.choice(["cash_t1", "margin"]),
        "costs": dice.choice([Costs(spread_bps=0, impact_bps=0), Costs(commission_per_share=0.005)]),
    }


def steps_of(dice):
    """Sixty deeds over about six days: time passes, orders leave at any hour, some are canceled."""

    def step():
        deed = dice.choices(["wait", "submit", "cancel"], [4, 5, 1])[0]
        if deed == "wait":
            return deed, dice.choice([0.25, 1, 4, 12])
        if deed == "cancel":
            return deed, dice.randrange(20)
        quantity = dice.choice([-200, -40, -7, -0.5, 0.5, 9, 60, 150])
        return deed, (dice.choice("ABC"), quantity, dice.choice(list(Entry)))

    return [step() for _ in range(60)]


def venue_in(world, venue_of, action):
    actions = {}
    for kind in ("splits", "dividends"):
        for day, (symbol, value) in world[kind].items():
            actions.setdefault(day, []).append(action(symbol, kind[:-1], value))
    venue = venue_of(
        *world["days"], actions=actions, late=world["late"], early=world["early"], volume20=world["volume20"]
    )
    venue.lost = world["lost"]
    return venue


def play(broker, advance, steps, at, approve_order):
    """Do ``steps`` to a broker, and yield after each one; the time of its day 0 is ten in the morning, UTC."""
    hours, sent = 10.0, []
    advance(at(0, 10))
    for number, (deed, what) in enumerate(steps):
        if deed == "wait":
            hours += what
            advance(at(0, 0, round(hours * 60)))
        elif deed == "submit":
            symbol, signed, entry = what
            approved = approve_order(symbol, signed, decision=f"d{number}", entry=entry)
            broker.submit(approved)
            sent.append(approved.order.client_id)
        elif what < len(sent):
            broker.cancel(sent[what])
        yield


def recounted(rows, cash):
    """Return cash and shares after ``rows``, in plain arithmetic of its own."""
    shares = {}
    for row in rows:
        if isinstance(row, Fill):
            bought = row.quantity if row.side is Side.BUY else -row.quantity
            shares[row.symbol] = shares.get(row.symbol, Decimal(0)) + bought
            cash -= bought * row.price + row.fee
        elif isinstance(row, ActionBooked) and row.kind == "split":
            shares[row.symbol] = round(shares.get(row.symbol, Decimal(0)) * Decimal(repr(row.value)), 6)
        elif isinstance(row, ActionBooked):
            cash += shares.get(row.symbol, Decimal(0)) * Decimal(repr(row.value))
    return cash, {symbol: quantity for symbol, quantity in shares.items() if quantity}


def orders_are_kept(broker):
    filled = {}
    for fill in broker.fills():
        filled[fill.client_id] = filled.get(fill.client_id, Decimal(0)) + fill.quantity
    for order in broker.orders():
        assert order.filled_quantity == filled.get(order.client_id, 0) <= order.quantity
        assert (order.status is OrderStatus.FILLED) == (order.filled_quantity == order.quantity)
        if order.status is OrderStatus.OPEN:
            assert not order.filled_quantity
    times = [fill.at for fill in broker.fills()]
    assert times == sorted(times)
    assert len({fill.fill_id for fill in broker.fills()}) == len(times)


@given(seed=SEEDS)
def test_cash_and_shares_are_what_the_fills_and_actions_say_at_every_time(seed, venue_of, approve_order, action, at):
    dice = Random(seed)
    world, steps = world_of(dice), steps_of(dice)
    cash, venue = Decimal(10_000), venue_in(world, venue_of, action)
    broker = SimulatedBroker("SIM-main", cash, world["costs"], settlement=world["settlement"])

    for _ in play(broker, lambda now: broker.advance(venue, now), steps, at, approve_order):
        held = {symbol: position.quantity for symbol, position in broker.positions().items()}
        assert (broker.account().cash, held) == recounted(broker.rows(), cash)
        assert broker.account().cash >= 0
        assert all(quantity > 0 for quantity in held.values())
        marks = broker.standing().marks
        worth = sum((quantity * marks[symbol] for symbol, quantity in held.items()), Decimal(0))
        assert broker.account().equity == broker.account().cash + worth
        orders_are_kept(broker)
        again = SimulatedBroker("SIM-main", cash, world["costs"], settlement=world["settlement"])
        again.restore(broker.rows(), broker.standing())
        assert again.rows() == broker.rows()
        assert again.book == broker.book
        assert again.orders() == broker.orders()


@settings(max_examples=6)
@given(seed=SEEDS)
def test_an_account_in_a_file_is_the_one_in_memory(seed, venue_of, approve_order, action, at):
    dice = Random(seed)
    world, steps = world_of(dice), steps_of(dice)[:30]
    venue = venue_in(world, venue_of, action)
    asked, began = AccountSettings(cash=10_000, settlement=world["settlement"]), at(0, 9)
    memory = SimulatedBroker("SIM-main", asked.cash, world["costs"], settlement=world["settlement"])
    with TemporaryDirectory() as folder:

        def opened():
            path = Path(folder) / "paper.sqlite"
            return PaperAccount.open(
                path, asked, number="SIM-main", costs=world["costs"], now=began, replay=True, create=True
            )

        class OneProcessPerDeed:
            def __getattr__(self, name):
                def call(*arguments):
                    with opened() as account:
                        return getattr(account, name)(*arguments)

                return call

        file = OneProcessPerDeed()
        both = zip(
            play(memory, lambda now: memory.advance(venue, now), steps, at, approve_order),
            play(file, lambda now: file.advance(venue, now), steps, at, approve_order),
            strict=True,
        )
        for _ in both:
            with opened() as account:
                assert account.account() == memory.account()
                assert account.orders() == memory.orders()
                assert account.fills() == memory.fills()
                assert account.market("ABC") == memory.market("ABC")
                assert account.positions() == memory.positions()


@given(seed=SEEDS)
def test_behind_a_bad_connection_nothing_is_done_twice_and_nothing_is_forgotten(
    seed, venue_of, approve_order, action, at
):
    dice = Random(seed)
    world, steps = world_of(dice), steps_of(dice)
    cash, venue = Decimal(10_000), venue_in(world, venue_of, action)
    inner = SimulatedBroker("SIM-main", cash, world["costs"], settlement=world["settlement"])
    broker = FaultyBroker(inner, seeded(FaultSettings(seed=seed, rate=0.5)))
    told = []
    submit = broker.submit
    broker.submit = lambda approved: told.append((approved.order.client_id, submit(approved)))

    for _ in play(broker, lambda now: inner.advance(venue, now), steps, at, approve_order):
        known = {order.client_id for order in inner.orders()}
        assert {name for name, outcome in told if isinstance(outcome, Accepted)} <= known
        orders_are_kept(inner)
    held = {symbol: position.quantity for symbol, position in inner.positions().items()}
    assert (inner.account().cash, held) == recounted(inner.rows(), cash)
