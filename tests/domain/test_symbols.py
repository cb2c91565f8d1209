"""Tickers are text, one validated form, and survive file names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrader.domain.symbols import from_file_name, parse_symbol, to_file_name
from aitrader.errors import InvalidSymbolError

GOOD = ["A", "BRK.B", "BF-B", "BTC/USD", "CON", "PRN", "NUL", "COM1", "NA", "ON", "NO", "TRUE", "1E5", "010"]
BAD = [
    "",
    " ",
    "aapl",
    "../../x",
    "a/b",
    "..",
    ".",
    "A/B/C",
    "A\n",
    "A\x00",
    "É",
    "NYSE:NBL",
    "A" * 11,
    "-",
    None,
    5,
    True,
]
RESERVED = {"CON", "PRN", "AUX", "NUL", "COM1", "LPT9"}


@pytest.mark.parametrize("text", GOOD)
def test_a_good_symbol_is_returned_as_it_is(text):
    assert parse_symbol(text) == text


@pytest.mark.parametrize("text", BAD)
def test_anything_else_is_refused_with_a_fix(text):
    with pytest.raises(InvalidSymbolError) as caught:
        parse_symbol(text)

    assert caught.value.fix
    assert caught.value.exit_code == 2


@given(st.from_regex(r"[A-Z0-9][A-Z0-9]{0,9}([./-][A-Z0-9]{1,5})?", fullmatch=True))
def test_every_symbol_survives_a_file_name(text):
    name = to_file_name(parse_symbol(text))

    assert from_file_name(name) == text
    assert "/" not in name
    assert name not in RESERVED
    assert name.partition(".")[0] not in RESERVED


@given(st.text(max_size=20))
def test_a_text_is_a_symbol_or_refused(text):
    try:
        assert parse_symbol(text) == text
    except InvalidSymbolError:
        assert not text.isalnum() or text != text.upper() or not text.isascii() or len(text) > 10
