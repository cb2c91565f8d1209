"""A feature is one declared function; here it is registered, given its settings, and chosen by name.

Its positional parameters are columns, its keyword parameters settings. Nothing else is declared: lookback and
dependence on other symbols follow from the expression.

Installed packages may bring features too: an entry point of the group ``aitrader.features`` names a module whose import
registers them; they form a family under the entry point's name.
"""

import inspect
import logging
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib import import_module
from importlib.metadata import EntryPoint
from typing import Any, Final, overload

from aitrader.features.families import FAMILIES
from aitrader.panel.expr import Expr, column
from aitrader.panel.panel import COLUMNS
from aitrader.panel.plan import KERNEL_VERSION, lookback, looks_across
from aitrader.registry import plug_ins

Setting = int | float | str
"""A number above 0, or the name of a reference: a symbol, or ``universe_mean``."""

Formula = Callable[..., Expr]

UNIVERSE_MEAN: Final = "universe_mean"

MAX_NESTED: Final = 200
"""Operators that may stand in each other in a feature of a user or a plug-in; what reads them is recursive."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Feature:
    """A registered function with what it says about itself.

    ``settings`` maps a setting to its default, whose type it keeps. ``unit``, ``missing`` (when it is NaN) and
    ``source`` come from the docstring.
    """

    name: str
    family: str
    function: Formula
    columns: tuple[str, ...]
    settings: Mapping[str, Setting]
    raw_level: bool
    summary: str
    unit: str
    missing: str
    source: str

    def expression(self, market: str = UNIVERSE_MEAN, **settings: Setting) -> Expr:
        """Return the formula over the panel's columns; a parameter ``market`` is the market's return per bar.

        Raises
        ------
        ValueError
            A setting does not exist, has the wrong type, or is out of range; the message names it.
        """
        for name, value in settings.items():
            self._check(name, value)
        inputs = [market_return(market) if name == "market" else column(name) for name in self.columns]
        expr = self.function(*inputs, **settings)
        if not isinstance(expr, Expr):
            raise TypeError(f"{self.name} returns {type(expr).__name__}, not an expression")
        return expr

    def named(self, settings: Mapping[str, Setting]) -> str:
        """Return how the feature is stored and shown: settings that differ from their default, in their order."""
        changed = [f"{name}={settings[name]}" for name, default in self.settings.items()
                   if settings.get(name, default) != default]  # fmt: skip
        return f"{self.name}({', '.join(changed)})" if changed else self.name

    def _check(self, name: str, value: Setting) -> None:
        if name not in self.settings:
            known = ", ".join(self.settings) or "none"
            raise ValueError(f"{self.name} has no setting {name!r} (its settings: {known})")
        kind = type(self.settings[name])
        if kind is str:
            if not isinstance(value, str):
                raise ValueError(f"{self.name}: {name} = {value!r} is not a symbol")
            return
        if isinstance(value, bool) or not isinstance(value, (int, float) if kind is float else int):
            raise ValueError(f"{self.name}: {name} = {value!r} is not {'a number' if kind is float else 'whole'}")
        if value <= 0:
            raise ValueError(f"{self.name}: {name} = {value!r} is not positive")


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One column to compute: a name, its expression, and what to tell people about it.

    ``key`` hashes the expression and the kernels' version. ``raw_level`` values change with a split or an adjusted
    history, and models refuse them by default. ``settings`` are those of the function, defaults included.
    """

    name: str
    expr: Expr
    key: str
    raw_level: bool
    family: str
    summary: str
    unit: str
    missing: str
    source: str
    settings: tuple[tuple[str, Setting], ...] = ()

    @property
    def lookback(self) -> int | None:
        """Bars needed before the current one; None: all of them, the feature is recursive."""
        return lookback(self.expr)

    @property
    def looks_across(self) -> bool:
        """Whether the values depend on which symbols are members."""
        return looks_across(self.expr)


FEATURES: Final[dict[str, Feature]] = {}
"""Every registered feature by name, once its family's module is imported; ``load`` imports all."""

PLUGINS: Final[dict[str, str]] = {}
"""Every plug-in that ``load`` has met, by name: empty where its features are registered, else why none of them is."""


@overload
def feature(function: Formula) -> Formula: ...
@overload
def feature(*, raw_level: bool) -> Callable[[Formula], Formula]: ...
def feature(function: Formula | None = None, *, raw_level: bool = False) -> Formula | Callable[[Formula], Formula]:
    """Register a function as a feature under its own name.

    ``raw_level`` declares that its values follow the level of prices or volume.

    Raises
    ------
    TypeError
        A name is taken or no name, a setting has no default, or the docstring lacks its first line, ``Unit:``,
        ``NaN`` or ``Source:``.
    """

    def declare(formula: Formula) -> Formula:
        register(_declared(formula, raw_level=raw_level))
        return formula

    return declare if function is None else declare(function)


def register(declared: Feature) -> None:
    """Add a feature to ``FEATURES``; ``TypeError`` if its name is taken."""
    if declared.name in FEATURES:
        first, second = (known.function.__module__ for known in (FEATURES[declared.name], declared))
        raise TypeError(f"two features are called {declared.name}: in {first} and in {second}")
    FEATURES[declared.name] = declared


def load() -> Mapping[str, Feature]:
    """Import every family and every plug-in; return ``FEATURES`` family by family, plug-ins last.

    A plug-in that fails, or takes a name that is taken, registers nothing; ``PLUGINS`` says why, and so does the log.
    """
    for module in FAMILIES.values():
        import_module(module)
    found = plug_ins("features")
    for point in found:
        if point.name not in PLUGINS:
            PLUGINS[point.name] = _joined(point, [other.value for other in found if other.name == point.name])
    order = {family: place for place, family in enumerate((*FAMILIES, *PLUGINS))}
    known = sorted(FEATURES.values(), key=lambda feature: order.get(feature.family, len(order)))
    return {feature.name: feature for feature in known}


def _joined(point: EntryPoint, values: Sequence[str]) -> str:
    """Register a plug-in's features as a family; return why that did not work. ``values`` are all of its name."""
    before = dict(FEATURES)
    try:
        if point.name in FAMILIES or len(values) > 1:
            raise TypeError(f"{point.name} is also {'a family of ours' if point.name in FAMILIES else values}")
        with redirect_stdout(sys.stderr):  # a command's own output may be read by a program
            point.load()
        own = {name: known for name, known in FEATURES.items() if name not in before or _from(point, known)}
        for name, known in own.items():
            refuse_depth(known.expression())
            spec_of(known)
            FEATURES[name] = replace(known, family=point.name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever another's module does, ours must go on
        FEATURES.clear()
        FEATURES.update(before)
        reason = f"{type(error).__name__}: {error}"
        logging.getLogger(__name__).warning("The features of the plug-in %s (%s): %s", point.name, point.value, reason)
        return reason
    return ""


def _from(point: EntryPoint, known: Feature) -> bool:
    return known.function.__module__ == point.module


def market_return(market: str) -> Expr:
    """Return the reference return per bar: the members' mean, or that of the symbol ``market``."""
    own = column("close") / column("close").shift(1) - 1
    return own.mean_across() if market == UNIVERSE_MEAN else own.of_symbol(market)


def spec_of(
    known: Feature, settings: Mapping[str, Setting] | None = None, *, market: str = UNIVERSE_MEAN
) -> FeatureSpec:
    """Return a registered feature with these settings; ``ValueError`` as ``Feature.expression``."""
    chosen = settings or {}
    expr = known.expression(market, **chosen)
    return FeatureSpec(
        known.named(chosen), expr, feature_key(expr), known.raw_level, known.family, known.summary, known.unit,
        known.missing, known.source, tuple({**known.settings, **chosen}.items()),
    )  # fmt: skip


def feature_key(expr: Expr) -> str:
    """Return the SHA-256 of the canonical expression and the kernels' version."""
    return sha256(f"{KERNEL_VERSION}:{expr.digest}".encode()).hexdigest()


def refuse_depth(expr: Expr) -> None:
    """Raise ``ValueError`` if more than ``MAX_NESTED`` operators stand in each other."""
    layer = {id(expr): expr}
    for _ in range(MAX_NESTED):
        layer = {id(part): part for whole in layer.values() for part in whole.args}
    if layer:
        raise ValueError(f"more than {MAX_NESTED} operators stand in each other")


def _declared(formula: Formula, *, raw_level: bool) -> Feature:
    name, doc = formula.__name__, inspect.getdoc(formula) or ""
    parameters = inspect.signature(formula).parameters.values()
    settings: dict[str, Any] = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    texts = {part: _said(doc, part) for part in ("Unit:", "NaN", "Source:")}
    _refuse_misfit(name, settings, texts)
    return Feature(
        name,
        formula.__module__.rpartition(".")[2],
        formula,
        tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY),
        settings,
        raw_level,
        doc.splitlines()[0],
        texts["Unit:"],
        f"NaN {texts['NaN']}",
        texts["Source:"],
    )


def _refuse_misfit(name: str, settings: Mapping[str, Any], texts: Mapping[str, str]) -> None:
    if not _NAME.fullmatch(name) or name in COLUMNS:
        raise TypeError(f"{name} is {'a column' if name in COLUMNS else 'no name for a feature'}")
    if any(default is inspect.Parameter.empty for default in settings.values()):
        raise TypeError(f"a setting of {name} has no default")
    lacking = [part for part, text in texts.items() if not text]
    if lacking:
        raise TypeError(f"the docstring of {name} lacks {', '.join(lacking)}")


def _said(doc: str, word: str) -> str:
    """Return what follows ``word``: to the end of its sentence, a source to the end of its paragraph."""
    end = r"\n\n|\Z" if word == "Source:" else r"\.\s|\.\Z|\n\n|\Z"
    found = re.search(rf"(?:^|\s){word}\s+(.*?)(?:{end})", doc, re.DOTALL)
    return " ".join(found[1].split()) if found else ""
