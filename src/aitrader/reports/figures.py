"""Numbers and names as people read them: one form per unit, a dash for what is not known, nothing that can bite."""

import csv
import math
import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final, Literal, TextIO

Unit = Literal["fraction", "bps", "ratio", "usd", "price", "count", "sessions", "ic"]
"""``fraction`` is shown in percent, ``bps`` as basis points, ``ratio`` and ``price`` with two decimals, ``ic`` with
three."""

MISSING: Final = "\u2013"
MINUS: Final = "\u2212"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def show(value: float, unit: Unit, *, short: bool = False) -> str:
    """Return ``value`` for a reader; a dash where it is NaN or infinite. ``short`` is for axes.

    >>> show(0.0312, "fraction"), show(1234567.0, "usd"), show(0.78, "ratio")
    ('3.1%', '1,234,567', '0.78')
    """
    if not math.isfinite(value):
        return MISSING
    text = _short(value, unit) if short else _long(value, unit)
    return (
        text.replace("-", MINUS)
        if float(value) < 0 and any(digit in text for digit in "123456789")
        else text.lstrip("-")
    )


def amount(shares: Decimal) -> str:
    """Return a number of shares, exactly and without trailing zeros.

    >>> amount(Decimal("1200.500000")), amount(Decimal("1E+2"))
    ('1,200.5', '100')
    """
    text = f"{shares:,f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", MINUS)


def plain(text: object) -> str:
    """Return ``text`` without control, escape, bidirectional or line-breaking characters: each becomes U+FFFD.

    For names that somebody else chose (symbols, headlines, file names) before they reach a page, a terminal or a log.
    """
    return "".join(
        "\ufffd" if unicodedata.category(char) in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"} else char for char in str(text)
    )


def write_csv(out: TextIO, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows that a spreadsheet takes as text and numbers, never as formulas (``'`` goes before those)."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else ""
    if isinstance(value, str):
        text = plain(value)
        return f"'{text}" if value.startswith(_FORMULA) else text
    return value


def _long(value: float, unit: Unit) -> str:
    match unit:
        case "fraction":
            return f"{value * 100:.1f}%"
        case "bps":
            return f"{value * 10_000:.1f} bp"
        case "ratio":
            return f"{value:.2f}"
        case "ic":
            return f"{value:.3f}"
        case "price":
            return f"{value:,.2f}"
        case _:
            return f"{value:,.0f}"


def _short(value: float, unit: Unit) -> str:
    if unit == "fraction":
        return f"{round(value * 100, 4):g}%"
    if unit == "usd" and abs(value) >= 1_000_000:
        return f"{value / 1_000_000:g} M"
    if unit == "usd" and abs(value) >= 1_000:
        return f"{value / 1_000:g} k"
    return f"{round(value, 6):g}"
