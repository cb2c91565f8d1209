"""The limits as they come: what an ordinary book does passes them, from decision to review."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from aitrader.config.schema import Execution, Portfolio, Risk
from aitrader.domain.orders import Fill, Side
from aitrader.domain.positions import Book
from aitrader.domain.quotes import Quote
from aitrader.domain.snapshot import MarketSnapshot
from aitrader.domain.symbols import Symbol
from aitrader.engine.decide import Rules, decide
from aitrader.portfolio.allocators import equal
from aitrader.risk.exposure import RiskContext
from aitrader.risk.review import review
from aitrader.strategies.model_driven import ModelDriven

RULES = Rules("main", Portfolio(), Execution(), Risk())
OPENS = datetime(2026, 1, 8, 14, 35, tzinfo=UTC)


def market(prices, opinions, session):
    """A session on which every symbol is a member with a bar, and the model ranks by ``opinions``."""
    count = len(prices)
    return MarketSnapshot(
        session=session,
        decided_at=datetime(session.year, session.month, session.day, 21, 15, tzinfo=UTC),
        symbols=tuple(Symbol(f"S{at:03}") for at in range(count)),
        members=np.ones(count, dtype=bool),
        close=np.round(prices, 2),
        stale=np.zeros(count, dtype=np.int64),
        volume20=np.full(count, 2e6),
        features={},
        predictions={"m": opinions},
    )


def known(snapshot, book, made):
    """All that the loop tells a review, with quotes 1 % above the closes."""
    prices = {s: Decimal(repr(float(close))) for s, close in zip(snapshot.symbols, snapshot.close, strict=True)}
    quotes = {s: Quote(price * Decimal("1.009"), price * Decimal("1.011"), OPENS) for s, price in prices.items()}
    return RiskContext(
        equity=Decimal(repr(made.equity)),
        book=book,
        prices=prices,
        volume20=dict(zip(snapshot.symbols, snapshot.volume20.tolist(), strict=True)),
        stale=dict.fromkeys(snapshot.symbols, 0),
        members=frozenset(snapshot.symbols),
        quotes=quotes,
        at=OPENS,
        window=(OPENS, OPENS + timedelta(hours=6)),
    )


def rebalanced(book, snapshot, top):
    """The book after one decision of the ``top`` names, every order filled at its planned price; and the review."""
    made = decide(snapshot, book, {"top": ModelDriven("m", top, equal)}, RULES)
    result = review(made.orders, known(snapshot, book, made), RULES.risk)
    for number, approved in enumerate(result.approved):
        order = approved.order
        fill = Fill(
            f"{order.decision}-{number}",
            order.client_id,
            order.symbol,
            order.side,
            order.quantity,
            order.planned_price,
            Decimal(0),
            OPENS,
        )
        book = book.after_fill(fill)
    return book, made, result


@pytest.mark.parametrize(("names", "seed"), [(50, 1), (50, 2), (10, 3), (10, 4)])
def test_a_year_of_weekly_rebalances_is_never_refused(names, seed):
    random = np.random.default_rng(seed)
    prices = random.uniform(15, 300, 3 * names)
    book = Book(Decimal(1_000_000))

    for week in range(52):
        session = date(2026, 1, 7) + timedelta(weeks=week)
        opinions = random.permutation(np.arange(3.0 * names))
        book, made, result = rebalanced(book, market(prices, opinions, session), names)

        assert result.refused == ()
        assert len(result.approved) == len(made.orders) > names / 2
        prices *= np.exp(random.normal(0, 0.03, len(prices)))
    assert len(book.positions) == names


@pytest.mark.parametrize("names", [50, 10])
def test_all_names_may_change_in_one_rebalance(names):
    prices = np.linspace(15, 300, 2 * names)
    order = np.arange(2.0 * names)
    book, _, first = rebalanced(Book(Decimal(1_000_000)), market(prices, order, date(2026, 1, 7)), names)

    after, _, second = rebalanced(book, market(prices, -order, date(2026, 1, 14)), names)

    assert [len(one.approved) for one in (first, second)] == [names, 2 * names]
    assert first.refused == second.refused == ()
    assert not set(book.positions) & set(after.positions)


def test_ten_names_share_98_percent_of_equity():
    snapshot = market(np.linspace(20, 110, 10), np.arange(10.0), date(2026, 1, 7))

    book, made, result = rebalanced(Book(Decimal(1_000_000)), snapshot, 10)

    prices = known(snapshot, book, made).prices
    shares = [position.quantity * prices[symbol] / Decimal(1_000_000) for symbol, position in book.positions.items()]
    assert {approved.order.side for approved in result.approved} == {Side.BUY}
    assert min(shares) > Decimal("0.097")
    assert max(shares) <= Decimal("0.098")
