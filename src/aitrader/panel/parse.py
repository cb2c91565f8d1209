"""Expressions from text: a closed grammar walked over Python's syntax tree, never evaluated.

>>> parse("open / close.shift(1) - 1").key
'((open / close.shift(1)) - 1)'
>>> parse("close.shift(-1) / close - 1")
Traceback (most recent call last):
    ...
aitrader.errors.ConfigError: Column 13 of 'close.shift(-1) / close - 1': shift(-1) looks ahead.
"""

import ast
import difflib
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from math import isfinite
from typing import Any, Final

from aitrader.errors import ConfigError
from aitrader.panel.expr import Expr, Operand, age, column, constant, maximum, minimum, share_of, where
from aitrader.panel.operators import METHODS, UNARY
from aitrader.panel.panel import COLUMNS, GROUPS
from aitrader.panel.when import WORDS

MAX_LENGTH: Final = 1000
MAX_DEPTH: Final = 40
MAX_SHOWN: Final = 120
MAX_LISTED: Final = 24
MAX_QUOTED: Final = 40

Named = Mapping[str, Callable[..., Expr]]
"""Features that a text may use by name: settings as keywords -> expression."""

_OPERATORS: Final[Mapping[type[ast.AST], str]] = {
    ast.Add: "__add__", ast.Sub: "__sub__", ast.Mult: "__mul__", ast.Div: "__truediv__",
    ast.Gt: "__gt__", ast.GtE: "__ge__", ast.Lt: "__lt__", ast.LtE: "__le__",
}  # fmt: skip
_FUNCTIONS: Final[Named] = {
    **{name: getattr(Expr, name) for name in UNARY},
    "where": where,
    "min": minimum,
    "max": maximum,
    "share_of": share_of,
    "age": age,
    **WORDS,
}
RESERVED: Final = frozenset({*COLUMNS, *_FUNCTIONS})
"""Names with a meaning of their own in every text, which no feature of a user may take."""

_METHODS: Final = METHODS | {*UNARY, "clip", "autocorr", "decay_linear"}


def parse(text: str, columns: Collection[str] = COLUMNS, *, features: Named | None = None) -> Expr:
    """Return the expression that ``text`` writes.

    Columns are names, windows are methods (``close.mean(20)``), ``abs log sqrt exp sign where min max`` are functions.

    Raises
    ------
    ConfigError
        The text is no expression of the language; the message names the column (from 1) of what is wrong.
    """
    if len(text) > MAX_LENGTH:
        raise ConfigError(
            f"The expression {text[:40]!r}... has {len(text)} characters; at most {MAX_LENGTH} are read.",
            fix="Name its parts as features of their own and use those.",
        )
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        # Python says 0 of a text that only lacks its end.
        raise _wrong(text, error.offset or len(text.strip()) + 1, f"not an expression ({error.msg})") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise _wrong(text, 1, "not an expression") from error
    return _Reader(text.strip(), frozenset(columns), features or {}).expression(tree.body, 0)


def _wrong(text: str, position: int, what: str, fix: str = "") -> ConfigError:
    shown = text.strip() if len(text) <= MAX_SHOWN else text.strip()[: MAX_SHOWN - 3] + "..."
    return ConfigError(f"Column {position} of {shown!r}: {what}.", fix=fix or _GRAMMAR)


_GRAMMAR: Final = "Use columns, numbers, + - * / **, comparisons, and operators such as close.mean(20) or log(volume)."


def _text(node: ast.AST) -> str:
    """Return how a part reads, or dots where it is too deep to be written."""
    try:
        return ast.unparse(node)
    except RecursionError:
        return "..."


def _behind(operator: str, arguments: Sequence[ast.expr]) -> str:
    """Return the call of an operator as it should have been written."""
    series, *others = [_text(argument) for argument in arguments] or ["close"]
    simple = not arguments or isinstance(arguments[0], ast.Name | ast.Call)
    return f"{series if simple else f'({series})'}.{operator}({', '.join(others)})"


class _Reader:
    def __init__(self, text: str, columns: frozenset[str], features: Named) -> None:
        self.text = text
        self.columns = columns
        self.features = features

    def wrong(self, node: ast.AST, what: str, fix: str = "") -> ConfigError:
        return _wrong(self.text, self._place(node), what, fix)

    def expression(self, node: ast.expr, depth: int) -> Expr:
        if depth > MAX_DEPTH:
            raise self.wrong(node, f"nested more than {MAX_DEPTH} deep", "Name its parts as features of their own.")
        match node:
            case ast.Constant():
                return constant(self.number(node))
            case ast.Name():
                return self.name(node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.expression(operand, depth + 1)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return self.expression(left, depth + 1) ** self.number(right)
            case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]) if (
                type(op) in _OPERATORS
            ):
                return self.binary(op, left, right, depth)
            case ast.Call():
                return self.call(node, depth)
            case _:
                raise self.refused(node)

    def refused(self, node: ast.expr) -> ConfigError:
        match node:
            case ast.Compare(ops=[_, _, *_]):
                return self.wrong(node, "a chain of comparisons", "Multiply two comparisons: (a < b) * (b < c).")
            case ast.BoolOp() | ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
                return self.wrong(node, "and / or do not exist", "Multiply conditions for and, max(a, b) for or.")
            case ast.UnaryOp(op=ast.Not() | ast.Invert()):
                return self.wrong(node, "not does not exist", "Take 1 - condition.")
            case ast.Compare(ops=[ast.Eq() | ast.NotEq()]):
                return self.wrong(node, "== and != do not exist", "Write (a >= b) * (a <= b) for equal.")
            case ast.IfExp():
                return self.wrong(node, "if / else do not exist", "Write where(condition, then, otherwise).")
            case ast.Attribute(attr=name) if name in _METHODS:
                return self.wrong(node, f"{name} is an operator and needs its brackets")
            case ast.Attribute(attr=name):
                return self.unknown(node, "operator", name, _METHODS)
            case _:
                return self.wrong(node, f"{_text(node)[:MAX_QUOTED]!r} is not in the language")

    def binary(self, op: ast.AST, left: ast.expr, right: ast.expr, depth: int) -> Expr:
        operator = getattr(self.expression(left, depth + 1), _OPERATORS[type(op)])
        result: Expr = operator(self.expression(right, depth + 1))
        return result

    def name(self, node: ast.Name) -> Expr:
        if node.id in self.columns:
            return column(node.id)
        if node.id in self.features:
            return self.features[node.id]()
        if node.id in _FUNCTIONS:
            raise self.wrong(node, f"{node.id} is a function and needs its brackets")
        raise self.unknown(node, "column or feature", node.id, {*self.columns, *self.features})

    def call(self, node: ast.Call, depth: int) -> Expr:
        match node.func:
            case ast.Name(id=name) if name in _FUNCTIONS:
                if node.keywords:
                    raise self.wrong(node.keywords[0], f"{name} takes no named arguments")
                return self.apply(node, name, _FUNCTIONS[name], [], depth)
            case ast.Name(id=name) if name in self.features:
                return self.feature(node, name)
            case ast.Name(id=name) if name in _METHODS:
                raise self.wrong(node.func, f"{name} stands behind its series", f"Write {_behind(name, node.args)}.")
            case ast.Name(id=name):
                raise self.unknown(node.func, "function or feature", name, {*_FUNCTIONS, *self.features})
            case ast.Attribute(value=value, attr=name) if name in _METHODS:
                receiver = self.expression(value, depth + 1)
                return self.apply(node, name, getattr(Expr, name), [receiver], depth)
            case ast.Attribute(attr=name) as attribute:
                raise self.unknown(attribute, "operator", name, _METHODS)
            case other:
                raise self.wrong(other, "only names can be called")

    def apply(self, node: ast.Call, name: str, function: Callable[..., Expr], first: list[Expr], depth: int) -> Expr:
        """Call an operator with arguments that are read by what its signature asks for."""
        bound = self.bound(node, name, inspect.signature(function), first)
        for named, value in bound.arguments.items():
            parameter = bound.signature.parameters[named]
            several = parameter.kind is parameter.VAR_POSITIONAL
            read = [self.argument(parameter, part, depth) for part in (value if several else [value])]
            bound.arguments[named] = tuple(read) if several else read[0]
        try:
            return function(*bound.args, **bound.kwargs)
        except ValueError as error:
            settings = node.args[:1] if name == "shift" else node.args[-1:]
            fix = "Past values only: shift(1) is the bar before." if name == "shift" else ""
            culprit = [node, *settings, *(keyword.value for keyword in node.keywords)][-1]
            raise self.wrong(culprit, str(error), fix) from error

    def bound(
        self, node: ast.Call, name: str, signature: inspect.Signature, first: list[Expr]
    ) -> inspect.BoundArguments:
        nodes: list[Any] = [*first, *node.args]
        named: dict[str, ast.expr] = {}
        for keyword in node.keywords:
            if keyword.arg is None or keyword.arg not in signature.parameters or keyword.arg == "self":
                raise self.wrong(keyword, f"{name} has no argument {keyword.arg}")
            named[keyword.arg] = keyword.value
        try:
            return signature.bind(*nodes, **named)
        except TypeError as error:
            raise self._misfit(node, name, signature, nodes, named) from error

    def argument(self, parameter: inspect.Parameter, value: ast.expr | Expr, depth: int) -> Any:
        if isinstance(value, Expr):
            return value
        if parameter.annotation is Operand or parameter.name == "self":
            return self.expression(value, depth + 1)
        if parameter.name == "by":
            return self.group(value)
        return self.number(value)

    def feature(self, node: ast.Call, name: str) -> Expr:
        if node.args:
            raise self.wrong(node.args[0], f"settings of {name} are named, as {name}(bars=60)")
        settings = {str(keyword.arg): self.number(keyword.value) for keyword in node.keywords}
        try:
            return self.features[name](**settings)
        except ValueError as error:
            raise self.wrong(node.keywords[0] if node.keywords else node, str(error)) from error
        except ConfigError as error:
            raise _wrong(self.text, self._place(node), str(error).rstrip("."), error.fix) from error

    def group(self, node: ast.expr) -> str:
        if not isinstance(node, ast.Name):
            raise self.wrong(node, "the name of groups is wanted here", "Write it as by=sector.")
        if node.id not in GROUPS:
            raise self.unknown(node, "kind of groups", node.id, GROUPS)
        return node.id

    def number(self, node: ast.expr) -> int | float:
        match node:
            case ast.Constant(value=bool(flag)):
                raise self.wrong(node, f"{flag} is not a number")
            case ast.Constant(value=int(value)) if abs(value) < 1e15:
                return value
            case ast.Constant(value=float(value)) if isfinite(value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as operand):
                return -self.number(operand)
            case _:
                raise self.wrong(node, "a plain number is wanted here")

    def unknown(self, node: ast.AST, what: str, name: str, known: Collection[str]) -> ConfigError:
        near = difflib.get_close_matches(name, sorted(known), n=1)
        columns = sorted(self.columns.intersection(known))
        features = set(self.features).intersection(known)
        listed = [*columns, *sorted(set(known).difference(columns, features))]
        others = f"{len(features)} features, listed by `aitrader features ls`"
        listed += [others] if len(features) > MAX_LISTED else sorted(features)
        fix = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(listed)}."
        return self.wrong(node, f"there is no {what} {name!r}", fix)

    def _misfit(
        self, node: ast.Call, name: str, signature: inspect.Signature, given: list[Any], named: Mapping[str, Any]
    ) -> ConfigError:
        accepted = [parameter for parameter in signature.parameters if parameter != "self"]
        required = [p.name for p in signature.parameters.values() if p.default is p.empty and p.name != "self"]
        place = node.func
        offset = 1 if "self" in signature.parameters else 0
        missing = [p for p in required[max(0, len(given) - offset) :] if p not in named]
        if missing and missing[0] in {"bars", "span"}:
            example = f"{_text(place)}({', '.join([*map(_text, node.args), '20'])})"
            return self.wrong(place, "a window is missing", f"Say over how many bars, for example {example}.")
        if missing:
            return self.wrong(place, f"{name} lacks {missing[0]}")
        return self.wrong(place, f"{name} takes {', '.join(accepted) or 'one value'}")

    def _place(self, node: ast.AST) -> int:
        """Column from 1, in characters; an operator's own name for a method."""
        line = self.text.splitlines()[getattr(node, "lineno", 1) - 1].encode()
        offset = getattr(node, "col_offset", 0)
        if isinstance(node, ast.Attribute) and node.end_col_offset is not None:
            offset = node.end_col_offset - len(node.attr.encode())
        return len(line[:offset].decode(errors="replace")) + 1
