"""Level ``config``: settings that fit each other. Needs no lake."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from aitrader.config.schema import Config
from aitrader.config.section import parse_section
from aitrader.domain.wording import counted
from aitrader.errors import AitraderError
from aitrader.features.sets import SETS
from aitrader.jobs.assembly.learning import feature_set
from aitrader.jobs.assembly.scanning import scanner
from aitrader.jobs.assembly.trading import strategies
from aitrader.jobs.checks.bench import Bench
from aitrader.jobs.checks.check import Check, Finding, failed, passed, skipped, warned
from aitrader.models import MODELS
from aitrader.registry import lookup
from aitrader.sources import SOURCES
from aitrader.strategies.model_driven import ModelDriven
from aitrader.strategies.strategy import Strategy

Question = tuple[str, Callable[[], Any]]
"""A name, and a call that raises if it is wrong."""

_SHARES: Final = ("max_order_equity_share", "max_order_adv_share", "price_collar", "max_gap_from_close", "max_position")
"""Limits of which 100% forbids nothing."""

_LOSSES: Final = ("max_daily_loss", "max_drawdown")


def settings(bench: Bench) -> Finding:
    """Say what was read; settings that cannot be read end the command before any check, with exit code 2."""
    config = bench.config
    parts: Mapping[str, Mapping[str, Any]] = {
        "models": config.models,
        "strategies": config.strategies,
        "scanners": config.scanners,
    }
    found = "; ".join(f"{name}: {', '.join(values) or 'none'}" for name, values in parts.items())
    return passed(f"mode {config.mode}, book {config.book}; {found}")


def plugins(bench: Bench) -> Finding:
    """Parse the section of every model, strategy, scanner and source."""
    return _all_of(
        _plugins(bench.config), "sections", "Correct the section; `aitrader config schema` has all settings."
    )


def references(bench: Bench) -> Finding:
    """Follow every name from one section to another."""
    config = bench.config
    wrong = [
        f"{who} follows the model {name!r}, which is not under `models`"
        for who, names in _followed(config)
        for name in names
        if name not in config.models
    ]
    wrong += [
        f"models.{name} learns from the feature set {model.features!r}, which does not exist"
        for name, model in config.models.items()
        if model.features not in {*config.features.sets, *SETS}
    ]
    if wrong:
        return failed(
            f"nothing stands behind {counted(len(wrong), 'name')}", wrong, "Correct the name, or add what it names."
        )
    return passed("every model and feature set that is named exists")


def features(bench: Bench) -> Finding:
    """Resolve every custom feature and every set; a text that looks ahead or names an unknown column fails."""
    return _all_of(_features(bench.config), "features and sets", "Correct the expression at the column named.")


def limits(bench: Bench) -> Finding:
    """Look for limits that limit nothing, or everything."""
    risk = bench.config.risk
    values: Mapping[str, float] = risk.model_dump()
    loose = [f"risk.{name} is 100%: it forbids nothing" for name in (*_SHARES, *_LOSSES) if values[name] >= 1]
    blocking = [f"risk.{name} is 0: it forbids every order" for name in (*_SHARES, "max_gross") if values[name] == 0]
    if loose:
        return failed(f"{counted(len(loose), 'limit')} without effect", loose, "Set a share below 100%.")
    if blocking:
        return warned(f"everything is forbidden by {counted(len(blocking), 'limit')}", blocking)
    invested = bench.config.portfolio.invested
    if invested > 1 - risk.cash_reserve or invested > risk.max_gross:
        return warned(
            f"portfolio.invested is {invested:.1%}, more than risk.cash_reserve ({risk.cash_reserve:.1%}) and "
            f"risk.max_gross ({risk.max_gross:.0%}) leave: the last buys will be refused"
        )
    return passed(
        f"orders up to {risk.max_order_equity_share:.0%} and positions up to {risk.max_position:.0%} of equity, "
        f"gross up to {risk.max_gross:.0%}, {risk.cash_reserve:.0%} kept in cash"
    )


def sizes(bench: Bench) -> Finding:
    """Look for strategies whose equal weights the limits on one order or one position would refuse."""
    config = bench.config
    most = min(bench.config.risk.max_position, config.risk.max_order_equity_share)
    share = config.portfolio.invested / max(len(config.strategies), 1)
    tops = {name: one.top for name, one in _strategies(config).items() if isinstance(one, ModelDriven)}
    refused = [
        f"{name}: {share / top:.1%} of equity in each of {top}" for name, top in tops.items() if share / top > most
    ]
    if refused:
        return failed(
            f"positions larger than the {most:.1%} that the limits allow: {'; '.join(refused)}",
            fix="Hold more names (params.top), invest less (portfolio.invested), or raise the limits under `risk`.",
        )
    uneven = [name for name in tops if config.strategies[name].params.get("weighting") == "score"]
    if uneven:
        return warned(
            f"weights by score may pass the {most:.1%} that the limits allow: {', '.join(uneven)}",
            fix="An order above a limit is refused whole: a backtest counts the orders refused.",
        )
    return passed(f"{len(tops)} strategies want positions that the limits allow")


def _strategies(config: Config) -> Mapping[str, Strategy]:
    return strategies(config) if config.strategies else {}


def _plugins(config: Config) -> Iterator[Question]:
    for name, model in config.models.items():
        where = f"models.{name}"
        yield where, partial(_parse, "models", MODELS, model.kind, model.params, f"{where}.params")
    for name in config.strategies:
        yield f"strategies.{name}", partial(strategies, config, name)
    for name in config.scanners:
        yield f"scanners.{name}", partial(scanner, config, name)
    for name, values in config.data.sources.items():
        yield f"data.sources.{name}", partial(_parse, "sources", SOURCES, name, values, f"data.sources.{name}")


def _features(config: Config) -> Iterator[Question]:
    for name in (*config.features.custom, *config.features.sets, *config.features.compute):
        yield name, partial(feature_set, config, name)


def _parse(family: str, table: Mapping[str, str], kind: str, values: Mapping[str, Any], where: str) -> Any:
    return parse_section(lookup(family, table, kind).Settings, values, where)


def _followed(config: Config) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name in config.strategies:
        yield f"strategies.{name}", strategies(config, name)[name].needs_models
    for name in config.scanners:
        yield f"scanners.{name}", scanner(config, name).needs_models


def _all_of(questions: Iterator[Question], what: str, fix: str) -> Finding:
    """Ask every question; those that raise are listed with their message, the others with ``ok``."""
    asked = dict(questions)
    answers = {name: _message(ask) for name, ask in asked.items()}
    wrong = [f"{name}: {text}" for name, text in answers.items() if text]
    right = [f"{name}: ok" for name, text in answers.items() if not text]
    if not asked:
        return skipped(f"no {what} are configured")
    if wrong:
        return failed(f"{len(wrong)} of {len(asked)} {what} are wrong", [*wrong, *right], fix)
    return passed(f"{len(asked)} {what} are right", right)


def _message(ask: Callable[[], Any]) -> str:
    try:
        ask()
    except AitraderError as error:
        return f"{error} {error.fix}".strip()
    return ""


CHECKS: Final = (
    Check("settings", "Can the settings be read?", settings),
    Check("plugins", "Does every plug-in understand its section?", plugins),
    Check("references", "Does every name lead somewhere?", references, needs=("plugins",)),
    Check("features", "Is every feature in the language, which cannot look ahead?", features),
    Check("limits", "Are the risk limits there?", limits),
    Check("sizes", "Do the limits allow what the strategies want?", sizes, needs=("plugins",)),
)
