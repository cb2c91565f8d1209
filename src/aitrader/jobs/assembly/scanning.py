"""Configuration turned into scanners."""

from functools import partial

from aitrader.config.schema import Config
from aitrader.config.section import parse_section
from aitrader.errors import ConfigError
from aitrader.features.resolve import resolve
from aitrader.panel.expr import Expr
from aitrader.registry import lookup, unknown_name
from aitrader.scanners import SCANNERS
from aitrader.scanners.scanner import Scanner

_TEXT = "scanned"
"""The name that a scanner's text has while it is read; the text itself may use features by name, not this one."""


def scanner(config: Config, name: str | None = None) -> Scanner:
    """Return the scanner ``name`` of the configuration, or its first one.

    Raises
    ------
    ConfigError
        None is configured, or its settings or expressions are wrong.
    UnknownNameError
        A name or a kind that is not known.
    """
    chosen = scanner_name(config, name)
    settings = config.scanners[chosen]
    kind: type[Scanner] = lookup("scanners", SCANNERS, settings.kind)
    section = parse_section(kind.Settings, settings.params, f"scanners.{chosen}.params")
    return kind.from_settings(section, partial(_read, config, chosen))


def scanner_name(config: Config, name: str | None = None) -> str:
    """Return ``name`` if the configuration has such a scanner, or the name of its first one; raises as ``scanner``."""
    if not config.scanners:
        raise ConfigError("No scanner is configured.", fix="Add one under `scanners`, as `aitrader init` shows.")
    chosen = name if name is not None else next(iter(config.scanners))
    if chosen not in config.scanners:
        raise unknown_name("scanner", chosen, config.scanners)
    return chosen


def _read(config: Config, scanner: str, text: str) -> Expr:
    custom = {**config.features.custom, _TEXT: text}
    try:
        spec = resolve((_TEXT,), sets={}, custom=custom, market=config.universe.market)[0]
    except ConfigError as error:
        raise ConfigError(f"scanners.{scanner}: {error}", fix=error.fix) from error
    return spec.expr
