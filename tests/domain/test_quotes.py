"""A quote is a price, or says why it is none."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from aitrader.domain.quotes import Quote


def quote(bid, ask):
    return Quote(Decimal(bid), Decimal(ask), datetime(2026, 1, 5, 14, 35, tzinfo=UTC))


@pytest.mark.parametrize(("bid", "ask", "mid"), [("99.98", "100.02", "100"), ("7", "7", "7")])
def test_a_sound_quote_has_a_mid_and_no_flaw(bid, ask, mid):
    assert quote(bid, ask).flaw is None
    assert quote(bid, ask).mid == Decimal(mid)


@pytest.mark.parametrize(
    ("bid", "ask"),
    [("0", "100"), ("100", "0"), ("-1", "1"), ("NaN", "100"), ("100", "NaN"), ("100", "Infinity"), ("sNaN", "100")],
)
def test_a_side_that_is_no_price_is_a_flaw(bid, ask):
    assert quote(bid, ask).flaw == f"no price: bid {bid}, ask {ask}"


def test_a_bid_above_the_ask_is_a_flaw():
    assert quote("100.03", "100.02").flaw == "crossed: bid 100.03, ask 100.02"
