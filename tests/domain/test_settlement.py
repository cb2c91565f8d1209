from datetime import UTC, datetime
from decimal import Decimal

import pytest

from aitrader.domain.orders import Fill, Side
from aitrader.domain.settlement import Settlement

AT = datetime(2026, 1, 5, 14, 35, tzinfo=UTC)


def fill(symbol, side, quantity, price, fee=0):
    return Fill(f"{symbol}-{side}", "id", symbol, Side(side), Decimal(quantity), Decimal(price), Decimal(fee), AT)


def test_a_sale_is_unsettled_until_the_next_session():
    sold = Settlement().after_fill(fill("A", "sell", 10, 5, fee=1), cash=Decimal(0))

    assert sold.unsettled == 49
    assert sold.next_session() == Settlement()


def test_settled_money_pays_first_and_locks_nothing():
    sold = Settlement().after_fill(fill("A", "sell", 10, 5), cash=Decimal(100))
    bought = sold.after_fill(fill("B", "buy", 10, 10), cash=Decimal(150))

    assert (bought.unsettled, dict(bought.locked)) == (50, {})


def test_what_unsettled_money_bought_is_locked_in_its_proportion():
    sold = Settlement().after_fill(fill("A", "sell", 10, 5), cash=Decimal(100))
    bought = sold.after_fill(fill("B", "buy", 12, 10), cash=Decimal(150))

    # 120 USD: 100 settled, 20 advanced by the sale, which is 2 of the 12 shares.
    assert (bought.unsettled, dict(bought.locked)) == (30, {"B": Decimal(2)})
    assert bought.next_session().locked == {}


def test_a_part_of_a_share_is_locked_rounded_up():
    sold = Settlement().after_fill(fill("A", "sell", 1, 10), cash=Decimal(0))
    bought = sold.after_fill(fill("B", "buy", 3, 3, fee="0.50"), cash=Decimal(10))

    assert bought.locked == {"B": Decimal(3)}
    assert bought.unsettled == Decimal("0.50")


@pytest.mark.parametrize(("kind", "value", "locked"), [("split", 4.0, 8), ("split", 0.5, 1), ("dividend", 0.3, 2)])
def test_a_split_changes_what_is_locked_and_a_dividend_does_not(kind, value, locked):
    held = Settlement(Decimal(0), {"B": Decimal(2)})

    assert held.after_action("B", kind, value).locked == {"B": locked}
    assert held.after_action("C", kind, value) == held
