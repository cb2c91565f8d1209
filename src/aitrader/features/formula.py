"""How an expression reads: with no more brackets than it needs; a long one names what it uses twice."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from aitrader.panel.expr import Expr
from aitrader.panel.operators import BINARY, FUNCTIONS, UNARY, VIEWS, text_of
from aitrader.panel.plan import walk

PLAIN: Final = 12
"""Operators of an expression that reads well in one line."""

LONG: Final = 120
"""Characters after which a part gets a line of its own."""

WORTH: Final = 16
"""Characters of a part that is worth a name when it is used twice."""

_CALLED: Final = frozenset({*UNARY, *FUNCTIONS, *VIEWS})
"""What is written as a function of all its arguments; other names follow a dot."""

_TIGHT: Final = {"gt": 0, "ge": 0, "lt": 0, "le": 0, "add": 1, "sub": 1, "mul": 2, "div": 2}
"""How tightly signs bind; sums and products are read from the left, comparisons only between brackets."""


@dataclass(frozen=True, slots=True)
class Formula:
    """``text`` is the expression; ``where`` holds its named parts, each before the first that uses it.

    Both are in the language: as custom features of these names they give the same values.
    """

    text: str
    where: tuple[tuple[str, str], ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """The parts and then the expression, one line each."""
        return (*(f"{name} = {text}" for name, text in self.where), self.text)


def formula(expr: Expr) -> Formula:
    """Return how ``expr`` reads.

    >>> from aitrader.panel.expr import column
    >>> formula(column("close") / column("close").shift(20) - 1).text
    'close / close.shift(20) - 1'
    """
    writer = _Writer(expr)
    return Formula(_bare(expr, writer.written(expr)), tuple(writer.where))


class _Writer:
    def __init__(self, expr: Expr) -> None:
        parts = list(walk(expr))
        self.uses = Counter(arg for part in parts for arg in part.args)
        self.plain = _size(expr, {}) <= PLAIN
        self.where: list[tuple[str, str]] = []
        self.known: dict[Expr, str] = {}

    def written(self, part: Expr) -> str:
        texts = [self.argument(arg) for arg in part.args]
        for place, arg in enumerate(part.args):
            if _stands_alone(arg.op, part.op, place):
                texts[place] = _bare(arg, texts[place])
        return text_of(part.op, texts, part.params)

    def argument(self, part: Expr) -> str:
        if part not in self.known:
            text = self.written(part)
            named = not self.plain and (len(text) > LONG or (self.uses[part] > 1 and len(text) >= WORTH))
            if named:
                self.where.append((f"x{len(self.where) + 1}", _bare(part, text)))
            self.known[part] = self.where[-1][0] if named else text
        return self.known[part]


def _stands_alone(op: str, around: str, place: int) -> bool:
    """Whether an operand at this place means the same without its brackets."""
    if around in BINARY:
        reads_left = place == 0 and _TIGHT.get(around, 0) > 0
        return {op, around} <= _TIGHT.keys() and _TIGHT[op] + reads_left > _TIGHT[around]
    return around in _CALLED or (place > 0 and around != "neg")


def _bare(expr: Expr, text: str) -> str:
    """Return the text without the brackets that only an operand needs."""
    return text[1:-1] if text.startswith("(") and expr.op in {*BINARY, "neg"} else text


def _size(expr: Expr, known: dict[Expr, int]) -> int:
    """Return the number of operators in the text of ``expr``, repetitions included."""
    if expr not in known:
        known[expr] = bool(expr.args) + sum(_size(arg, known) for arg in expr.args)
    return known[expr]
