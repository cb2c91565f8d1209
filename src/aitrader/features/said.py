"""What a docstring says in numbers, once the settings are known: its text, the first value's bar, the bounds."""

import ast
import operator
import re
from collections.abc import Mapping
from math import inf, isqrt
from typing import Final

Bounds = tuple[float, float]
"""The least and the greatest value; infinite where only one is named."""

_CODE: Final = re.compile(r"``(.+?)``")
_FIRST: Final = re.compile(
    r"NaN until (?:(?:a|the) symbol has )?"
    r"(four fifths of (?:the )?)?(?:the longer of (\d+) and )?(\d+) (bars|returns|gaps)\b"
)
_NUMBER: Final = r"(-?\d+(?:\.\d+)?)"
_BOUNDS: Final = re.compile(rf"(?:^|[,:] |above ){_NUMBER}(?: \([^)]*\))? to {_NUMBER}")
_LEAST: Final = re.compile(rf"\bat least {_NUMBER}")
_MOST: Final = re.compile(rf"\bat most {_NUMBER}")
_OPERATORS: Final = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
}  # fmt: skip


def filled(text: str, settings: Mapping[str, int | float | str]) -> str:
    """Return a text with numbers for the arithmetic of settings in it; other code stays.

    >>> filled("NaN until ``bars + 1`` bars are there, and where ``rsi`` is", {"bars": 14})
    'NaN until 15 bars are there, and where ``rsi`` is'
    """

    def number(found: re.Match[str]) -> str:
        try:
            return f"{_number(ast.parse(found[1], mode='eval').body, settings):g}"
        except (SyntaxError, ValueError, ArithmeticError):
            return found[0]

    return _CODE.sub(number, text)


def first_value(missing: str) -> int | None:
    """Return the bar, counted from 1, with which values begin, as a filled text says; None if it does not.

    >>> first_value("NaN until 15 bars are there"), first_value("NaN until four fifths of the 60 returns are there")
    (15, 49)
    """
    if missing.startswith("NaN on a symbol's first bar"):
        return 2
    found = _FIRST.match(missing)
    if not found:
        return None
    share, other, bars, what = found.groups()
    count = max(int(bars), int(other or 0))
    return (max(1, count * 4 // 5) if share else count) + (what != "bars")


def bounds(unit: str) -> Bounds | None:
    """Return between which values a filled text says that all lie; None if it does not.

    >>> bounds("percent, -100 to 100"), bounds("fraction, at most 0"), bounds("USD")
    ((-100.0, 100.0), (-inf, 0.0), None)
    """
    both, least, most = (form.search(unit) for form in (_BOUNDS, _LEAST, _MOST))
    if both:
        return float(both[1]), float(both[2])
    if least or most:
        return float(least[1]) if least else -inf, float(most[1]) if most else inf
    return None


def _number(node: ast.expr, settings: Mapping[str, int | float | str]) -> float:
    """Return what the arithmetic of a docstring comes to; ``ValueError`` if it is none."""
    match node:
        case ast.Constant(value=int() as value):
            return value
        case ast.Name(id=name) if isinstance(settings.get(name), int | float):
            return float(settings[name])
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            result: float = _OPERATORS[type(sign)](_number(left, settings), _number(right, settings))
            return result
        case ast.Call(func=ast.Name(id="isqrt"), args=[inner]):
            return isqrt(int(_number(inner, settings)))
    raise ValueError("no arithmetic of settings")
