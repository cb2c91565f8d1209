"""Tickers: one validated form, text everywhere, encoded reversibly in file names."""

import re
from typing import Final, NewType
from urllib.parse import quote, unquote

from aitrader.errors import InvalidSymbolError

Symbol = NewType("Symbol", str)

_FORM: Final = re.compile(r"[A-Z0-9][A-Z0-9]{0,9}([./-][A-Z0-9]{1,5})?")
_RESERVED: Final = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9])(\..*)?")


def parse_symbol(text: object) -> Symbol:
    """Return ``text`` as a symbol: upper-case letters and digits, one class or pair suffix.

    >>> parse_symbol("BRK.B"), parse_symbol("BTC/USD"), parse_symbol("ON")
    ('BRK.B', 'BTC/USD', 'ON')

    Raises
    ------
    InvalidSymbolError
        Anything else: lower case, paths, control characters, the empty text, a non-text value.
    """
    if isinstance(text, str) and _FORM.fullmatch(text):
        return Symbol(text)
    raise InvalidSymbolError(
        f"{text!r:.60} is not a symbol.",
        fix="Symbols are upper case, like AAPL, BRK.B or BTC/USD; quote them in YAML.",
    )


def to_file_name(symbol: Symbol) -> str:
    """Return a file name without extension that no file system reserves.

    >>> to_file_name(parse_symbol("BTC/USD")), to_file_name(parse_symbol("CON"))
    ('BTC%2FUSD', '%43ON')
    """
    name = quote(symbol, safe="")
    return f"%{ord(name[0]):02X}{name[1:]}" if _RESERVED.fullmatch(name) else name


def from_file_name(name: str) -> Symbol:
    """Return the symbol that ``to_file_name`` encoded; raises ``InvalidSymbolError`` for others."""
    return parse_symbol(unquote(name))
