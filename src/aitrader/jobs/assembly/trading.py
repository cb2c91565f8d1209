"""Configuration turned into strategies, and the rules of their book."""

from collections.abc import Mapping

from aitrader.config.schema import Config
from aitrader.config.section import parse_section
from aitrader.engine.decide import Rules
from aitrader.errors import ConfigError
from aitrader.portfolio import ALLOCATORS
from aitrader.registry import lookup, unknown_name
from aitrader.strategies import STRATEGIES
from aitrader.strategies.strategy import Allocator, Strategy


def strategies(config: Config, only: str | None = None) -> Mapping[str, Strategy]:
    """Return the strategies of the book by name, or the one named ``only``.

    Raises
    ------
    ConfigError
        No strategy is configured, or one's settings are wrong.
    UnknownNameError
        ``only``, a kind or an allocator that no table knows.
    """
    if not config.strategies:
        raise ConfigError("No strategy is configured.", fix="Add one under `strategies`, as `aitrader init` shows.")
    if only is not None and only not in config.strategies:
        raise unknown_name("strategy", only, config.strategies)
    return {name: _strategy(config, name) for name in config.strategies if only in (None, name)}


def rules_of(config: Config) -> Rules:
    """Return what holds for every decision of the book."""
    return Rules(config.book, config.portfolio, config.execution, config.risk, settlement=config.account.settlement)


def _strategy(config: Config, name: str) -> Strategy:
    settings = config.strategies[name]
    kind: type[Strategy] = lookup("strategies", STRATEGIES, settings.kind)
    return kind.from_settings(
        parse_section(kind.Settings, settings.params, f"strategies.{name}.params"), allocators=_allocator
    )


def _allocator(name: str) -> Allocator:
    found: Allocator = lookup("allocators", ALLOCATORS, name)
    return found
