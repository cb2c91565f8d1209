"""No key survives on its way to a person, a log or a receipt."""

import pytest
from pydantic import SecretStr

from aitrader.transport.redact import Redactor


def test_known_secrets_disappear_wherever_they_stand():
    redact = Redactor((SecretStr("PKABC"), SecretStr("PKABCDEF")))

    assert redact("key PKABCDEF, then PKABC.") == "key ***, then ***."


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("{'APCA-API-SECRET-KEY': 'abc123'}", "abc123"),
        ("Authorization: Bearer abc123", "abc123"),
        ("https://x.test/q?apikey=abc123&symbol=A", "abc123"),
        ("https://user:abc123@x.test/", "abc123"),
        ('{"api_key": "abc123"}', "abc123"),
    ],
)
def test_what_stands_where_a_secret_usually_stands_disappears(text, hidden):
    assert hidden not in Redactor()(text)


def test_ordinary_text_stays_as_it_is():
    text = "GET https://data.alpaca.markets/v2/stocks/bars?symbols=AAPL answered HTTP 500"

    assert Redactor((SecretStr(""), SecretStr("ab")))(text) == text
