"""Which features a list of names means: registered ones with settings, sets, patterns, and a user's own texts."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, Final

from aitrader.errors import AitraderError, ConfigError, UnknownNameError
from aitrader.features.feature import (
    MAX_NESTED,
    PLUGINS,
    UNIVERSE_MEAN,
    Feature,
    FeatureSpec,
    Setting,
    feature_key,
    load,
    refuse_depth,
    spec_of,
)
from aitrader.features.sets import SETS, Item
from aitrader.panel.expr import Expr
from aitrader.panel.parse import RESERVED, parse
from aitrader.panel.plan import groups_of
from aitrader.panel.scale import level_dependent
from aitrader.registry import unknown_name

FAMILY: Final = "family:"
"""Begins an item that means a family, or a pattern of families: what in it is free of the level, as models need it."""

MAX_INSIDE: Final = 60
"""Features of a user that may be read while another one that uses them is."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CALLS: Final = "Write it as momentum(bars=60). A formula stands under a name in `features.custom`."
_CALL: Final = re.compile(r"([A-Za-z][A-Za-z0-9_]*)\((.*)\)")


def resolve(
    items: Sequence[Item],
    *,
    sets: Mapping[str, Sequence[Item]],
    custom: Mapping[str, str],
    market: str = UNIVERSE_MEAN,
) -> tuple[FeatureSpec, ...]:
    """Return the features that ``items`` mean, each once, in the order of their first mention.

    ``sets`` are the user's own, beside the built-in ones; ``custom`` maps a name to its text; ``market`` is the
    reference of features such as beta.

    Raises
    ------
    UnknownNameError
        A name is no feature, set or custom feature; the nearest one is its fix.
    ConfigError
        A text is not in the language, a setting does not fit, a name means two things, a set contains itself.
    """
    chooser = _Chooser(load(), {**SETS, **sets}, custom, market)
    chooser.check_names(sets)
    chosen: dict[str, FeatureSpec] = {}
    for spec in chooser.items(items, ()):
        chosen.setdefault(spec.name, spec)
    return tuple(chosen.values())


@dataclass(frozen=True, slots=True)
class _Chooser:
    features: Mapping[str, Feature]
    sets: Mapping[str, Sequence[Item]]
    custom: Mapping[str, str]
    market: str
    read: dict[str, Expr] = field(default_factory=dict)
    """What custom texts mean, each read once however many others use it."""

    def check_names(self, own_sets: Mapping[str, Sequence[Item]]) -> None:
        for name in self.custom:
            if not _NAME.fullmatch(name):
                raise ConfigError(
                    f"features.custom: {name!r} is not a name.",
                    fix="Names begin with a small letter, then small letters, digits and underscores.",
                )
            if name in RESERVED:
                raise ConfigError(
                    f"features.custom: {name!r} is a column or a function of the language.", fix="Give it another name."
                )
        meanings = [("a built-in feature", self.features), ("a custom feature", self.custom), ("a set", own_sets)]
        for position, (what, names) in enumerate(meanings):
            for other, others in [*meanings[position + 1 :], ("a built-in set", SETS)]:
                twice = sorted(set(names) & set(others))
                if twice:
                    raise ConfigError(
                        f"{twice[0]!r} is {what} and {other}.", fix="Rename the one in the configuration."
                    )

    def items(self, items: Sequence[Item], inside: tuple[str, ...]) -> list[FeatureSpec]:
        found: list[FeatureSpec] = []
        for item in items:
            if isinstance(item, str):
                found += self.named(item, inside)
            else:
                found += [self.with_settings(name, settings) for name, settings in item.items()]
        return found

    def named(self, name: str, inside: tuple[str, ...]) -> list[FeatureSpec]:
        if name in self.custom:
            return [self.own(name)]
        if name in self.features:
            return [spec_of(self.features[name], market=self.market)]
        if name in self.sets:
            return self.set_(name, inside)
        if name.startswith(FAMILY):
            return self.family(name.removeprefix(FAMILY))
        call = _CALL.fullmatch(name)
        if call:
            return [self.with_settings(call[1], _settings_of(name, call[2]))]
        if "(" in name:
            raise ConfigError(f"{name!r} is not a feature with settings.", fix=_CALLS)
        matching = [known for known in (*self.features, *self.custom) if fnmatchcase(known, name)]
        if not matching:
            raise unknown("feature or set", name, {*self.features, *self.custom, *self.sets})
        return self.items(matching, inside)

    def set_(self, name: str, inside: tuple[str, ...]) -> list[FeatureSpec]:
        if name in inside:
            raise ConfigError(
                f"The feature set {name!r} contains itself: {' > '.join([*inside, name])}.", fix="Remove one."
            )
        specs = self.items(self.sets[name], (*inside, name))
        # Families hold features for a chosen asset that by default, compared with the market, are others' equals.
        return list({spec.key: spec for spec in reversed(specs)}.values())[::-1] if name in SETS else specs

    def family(self, pattern: str) -> list[FeatureSpec]:
        families = {known.family for known in self.features.values()}
        if not any(fnmatchcase(family, pattern) for family in families):
            raise unknown("feature family", pattern, families)
        members = [known for known in self.features.values() if fnmatchcase(known.family, pattern)]
        specs = [spec_of(known, market=self.market) for known in members if not known.raw_level]
        return [spec for spec in specs if not groups_of(spec.expr)]

    def with_settings(self, name: str, settings: Mapping[str, Any] | None) -> FeatureSpec:
        if name not in self.features:
            if name in self.custom or name in self.sets or name.startswith(FAMILY):
                raise ConfigError(f"{name!r} takes no settings.", fix="Only built-in features have settings.")
            raise unknown("feature", name, self.features)
        known = self.features[name]
        try:
            return spec_of(known, _typed(known, settings or {}), market=self.market)
        except ValueError as error:
            raise ConfigError(f"{str(error).rstrip('.')}.", fix=f"Defaults: {_shown(known)}.") from error

    def own(self, name: str) -> FeatureSpec:
        try:
            expr = self.text(name, ())
            refuse_depth(expr)
        except ValueError as error:
            raise ConfigError(
                f"features.custom.{name}: more than {MAX_NESTED} operators, or {MAX_INSIDE} features, in each other.",
                fix="Use fewer features that are made of others.",
            ) from error
        return FeatureSpec(
            name=name,
            expr=expr,
            key=feature_key(expr),
            raw_level=level_dependent(expr),
            family="custom",
            summary=self.custom[name],
            unit="not stated",
            missing="NaN where an operand is",
            source="features.custom of the configuration",
        )

    def text(self, name: str, inside: tuple[str, ...]) -> Expr:
        """Return a custom feature's expression; it may use registered features and other custom ones by name."""
        if name in self.read:
            return self.read[name]
        if name in inside:
            raise ConfigError(f"{name!r} is defined by itself: {' > '.join([*inside, name])}.", fix="Remove one.")
        if len(inside) > MAX_INSIDE:
            raise ValueError("too deep")
        known: dict[str, Callable[..., Expr]] = {
            other: partial(feature.expression, self.market) for other, feature in self.features.items()
        }
        known.update({other: partial(self.text, other, (*inside, name)) for other in self.custom})
        try:
            self.read[name] = parse(self.custom[name], features=known)
        except AitraderError as error:
            if inside:
                raise
            raise ConfigError(f"features.custom.{name}: {error}", fix=error.fix) from error
        return self.read[name]


def unknown(what: str, name: str, known: Collection[str]) -> UnknownNameError:
    """Return the error for a feature's or family's name, which may be missing because a plug-in is broken."""
    error = unknown_name(what, name, known)
    for plugin, reason in PLUGINS.items():
        error.fix += f" The plug-in {plugin} brings no features: {reason}." if reason else ""
    return error


def _settings_of(item: str, text: str) -> dict[str, str]:
    """Return the settings of a name such as ``momentum(bars=60)``."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not equals or not value.strip() for _, equals, value in pairs):
        raise ConfigError(f"{item!r} is not a feature with settings.", fix=_CALLS)
    settings = {name.strip(): value.strip() for name, _, value in pairs}
    if len(settings) < len(pairs):
        raise ConfigError(f"{item!r} has a setting twice.", fix="Keep one of the two.")
    return settings


def _typed(known: Feature, settings: Mapping[str, Any]) -> dict[str, Setting]:
    """Return settings as what their defaults are: a configuration file holds text."""
    return {name: _setting(known, name, value) for name, value in settings.items()}


def _setting(known: Feature, name: str, value: Any) -> Setting:
    wanted = type(known.settings.get(name, 0.0))
    if wanted is str and isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"{known.name}: {name} = {value!r} is not a number")
    try:
        return wanted(value) if isinstance(value, str) or wanted is float else value
    except ValueError as error:
        raise ValueError(f"{known.name}: {name} = {value!r} is not a {'whole ' * (wanted is int)}number") from error


def _shown(known: Feature) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in known.settings.items()) or "none"
