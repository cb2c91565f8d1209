"""The settings as values to look at: checked, listed, compared, described."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aitrader.config.schema import Config
from aitrader.config.section import leaves, parse_section
from aitrader.errors import AitraderError, ConfigError
from aitrader.models import MODELS
from aitrader.registry import lookup, names
from aitrader.scanners import SCANNERS
from aitrader.sources import SOURCES
from aitrader.strategies import STRATEGIES

FAMILIES: Final[Mapping[str, Mapping[str, str]]] = {
    "models": MODELS,
    "strategies": STRATEGIES,
    "scanners": SCANNERS,
    "sources": SOURCES,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One value in JSON's types, and where it was written."""

    name: str
    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class SettingsReport:
    """All settings in the order of the schema; ``hash`` is the SHA-256 of their values."""

    hash: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting whose values differ; None with the origin ``absent`` where one side has no such setting."""

    name: str
    first: Any
    second: Any
    first_origin: str
    second_origin: str


@dataclass(frozen=True, slots=True)
class DifferenceReport:
    """What differs between two configurations, by name."""

    first: str
    second: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """A section that cannot be used, and what to do."""

    section: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class ConfigurationReport:
    """The sections of plug-ins that were parsed, and those that could not be."""

    hash: str
    parsed: tuple[str, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """JSON Schema of the configuration, and of the settings of every plug-in by family and name."""

    configuration: Mapping[str, Any]
    plugins: Mapping[str, Mapping[str, Any]]


def settings(config: Config, origins: Mapping[str, str], digest: str, *, section: str | None = None) -> SettingsReport:
    """Return the settings, or those of one section.

    Raises
    ------
    ConfigError
        There is no such section.
    """
    if section is not None and section.split(".")[0] not in Config.model_fields:
        raise ConfigError(f"There is no section {section!r}.", fix=f"Known: {', '.join(Config.model_fields)}.")
    rows = [Setting(name, value, origins.get(name, "default")) for name, value in _named(config).items()]
    wanted = [row for row in rows if section is None or f"{row.name}.".startswith(f"{section}.")]
    return SettingsReport(digest, tuple(wanted))


def difference(
    first: tuple[str, Config, Mapping[str, str]], second: tuple[str, Config, Mapping[str, str]]
) -> DifferenceReport:
    """Return the settings that differ between two configurations (each a name, the settings, their origins)."""
    left, right = _named(first[1]), _named(second[1])
    absent = object()
    rows = [
        Difference(
            name,
            left.get(name),
            right.get(name),
            first[2].get(name, "default") if name in left else "absent",
            second[2].get(name, "default") if name in right else "absent",
        )
        for name in dict.fromkeys([*left, *right])
        if left.get(name, absent) != right.get(name, absent)
    ]
    return DifferenceReport(first[0], second[0], tuple(rows))


def check(config: Config, digest: str) -> ConfigurationReport:
    """Parse the section of every plug-in with its own model. What sections name in each other is not followed."""
    parsed, problems = [], []
    for section, attempt in _attempts(config):
        try:
            attempt()
        except AitraderError as error:
            problems.append(Problem(section, str(error), error.fix))
        else:
            parsed.append(section)
    return ConfigurationReport(digest, tuple(parsed), tuple(problems))


def describe() -> SchemaReport:
    """Return the schema of everything a user may say; a plug-in whose package is not installed is left out."""
    plugins: dict[str, dict[str, Any]] = {}
    for family, known in FAMILIES.items():
        plugins[family] = {}
        for name in names(family, known):
            try:
                plugins[family][name] = lookup(family, known, name).Settings.model_json_schema()
            except AitraderError:
                continue
    return SchemaReport(Config.model_json_schema(), plugins)


def _attempts(config: Config) -> Iterator[tuple[str, Callable[[], object]]]:
    for family in ("models", "strategies", "scanners"):
        for name, section in getattr(config, family).items():
            where = f"{family}.{name}.params"
            yield where, partial(_parsed, family, section.kind, section.params, where)
    for name, values in config.data.sources.items():
        where = f"data.sources.{name}"
        yield where, partial(_parsed, "sources", name, values, where)
    if config.data.source is not None:
        yield "data.source", partial(lookup, "sources", SOURCES, config.data.source)


def _parsed(family: str, kind: str, values: Mapping[str, Any], where: str) -> None:
    parse_section(lookup(family, FAMILIES[family], kind).Settings, values, where)


def _named(config: Config) -> dict[str, Any]:
    return {".".join(path): value for path, value in leaves(config).items()}
