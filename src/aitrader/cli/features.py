"""`aitrader features`: which features there are, what they say, and whether they keep the rules."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aitrader.cli.options import Outcome, Run, command, listed
from aitrader.cli.render import colored, table
from aitrader.domain.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aitrader.features.conformance.rules import Verdict
    from aitrader.jobs.features import FeatureCard, FeatureLine

COMMANDS: Final = {
    "ls": ("aitrader.cli.features:ls", "List features and sets."),
    "describe": ("aitrader.cli.features:describe", "Show a feature's formula, source, lookback and cost, or a set."),
    "test": ("aitrader.cli.features:test", "Prove that your own features keep the rules."),
}

_COLUMNS: Final = ("feature", "family", "lookback, bars", "steps", "", "what it is")


@command
def ls(
    run: Run,
    family: Annotated[str | None, typer.Option("--family", help="Only this family; a pattern such as candle*.")] = None,
    feature_set: Annotated[
        list[str] | None,
        typer.Option("--feature-set", metavar="NAME", help="Only this set, feature or pattern; repeatable."),
    ] = None,
) -> Outcome:
    """List features and sets: built-in ones, those of plug-ins, and your own of `features.custom`.

    Without a root folder the built-in ones alone. Steps are the machine instructions of a feature's own program.
    """
    from aitrader.jobs.features import list_features

    found = list_features(run.config_or_default, family=family, chosen=listed(feature_set) or ())
    shown = [_feature_table(counted(len(found.features), "feature"), found.features)]
    if family is None and feature_set is None:
        rows = [(one.name, one.features, "built in" if one.built_in else "features.sets") for one in found.sets]
        shown.append(table("Sets", ("set", "features", "from"), rows))
    return Outcome(result=found, tables=shown, warnings=found.warnings)


@command
def describe(
    run: Run,
    name: Annotated[
        str, typer.Argument(help="A feature, with settings as in rsi(bars=5); a set, family:NAME or a pattern.")
    ],
    measure: Annotated[
        bool, typer.Option("--measure", help="Run it on random prices and show the CPU time per bar.")
    ] = False,
) -> Outcome:
    """Show a feature's formula, source, lookback and cost, or a set.

    A long formula names its parts: each is a text that `features.custom` reads.
    """
    from aitrader.jobs.features import SetCard
    from aitrader.jobs.features import describe as job

    card = job(run.config_or_default, name, measure=measure)
    if isinstance(card, SetCard):
        shown = _feature_table(f"{card.name}: {counted(len(card.features), 'feature')}", card.features)
        return Outcome(result=card, tables=[shown], warnings=card.warnings)
    return Outcome(result=card, tables=[table(card.line.name, ("", ""), _card_rows(card))], warnings=card.warnings)


@command
def test(
    run: Run,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="YAML with `custom:` and `sets:`, as in config/features.yaml; default: your settings."
        ),
    ] = None,
) -> Outcome:
    """Prove that your own features keep the rules that the built-in ones keep; exit 3 when one does not.

    On a made-up market with late listings, gaps, halts and splits it takes away or disturbs later bars, later corporate
    actions and other symbols, puts splits in, scales whole histories, and builds single days. Where a value changes,
    its symbol and session are shown.
    """
    from aitrader.jobs.features import hold_to_rules

    section = None
    if file is not None:
        from aitrader.config.load import load_section

        section = load_section(file, "features")
    report = hold_to_rules(run.config_or_default, section, progress=run.progress)
    rows = [(one.feature, one.rule, _state(one), _why(one)) for one in report.verdicts]
    summary = f"{counted(report.features, 'feature')}, {report.rules} rules, {len(report.failed)} broken"
    broken = [f"  {one.feature}: {one.rule}" for one in report.failed]
    return Outcome(
        result=report,
        tables=[
            table("Rules", ("feature", "rule", "", "where it breaks, or why it is not asked"), rows),
            "\n".join([summary, *broken]),
        ],
        warnings=report.warnings,
        status="failed" if report.failed else "done",
        exit_code=3 if report.failed else 0,
    )


def _feature_table(title: str, lines: "Sequence[FeatureLine]") -> Any:
    rows = [
        (line.name, line.family, _lookback(line), line.steps, _traits(line), _plain(line.summary)) for line in lines
    ]
    return table(title, _COLUMNS, rows)


def _lookback(line: "FeatureLine") -> int | str:
    return "recursive" if line.lookback is None else line.lookback


def _plain(text: str) -> str:
    """Return text of a docstring without the marks of code."""
    return text.replace("``", "")


def _traits(line: "FeatureLine") -> str:
    traits = {"raw level": line.raw_level, "across symbols": line.looks_across}
    return ", ".join(text for text, present in traits.items() if present)


def _card_rows(card: "FeatureCard") -> list[tuple[str, Any]]:
    line = card.line
    recursive = "recursive: every bar since the symbol's first"
    rows = [
        ("what it is", _plain(line.summary)),
        *((name, text) for name, text in card.where),
        ("formula", card.formula),
        ("settings", ", ".join(f"{name}={value}" for name, value in card.settings.items()) or "none"),
        ("unit", _plain(line.unit)),
        ("missing", _plain(card.missing)),
        ("source", card.source),
        ("family", line.family),
        ("sets", ", ".join(card.sets) or "none"),
        ("columns", ", ".join(card.columns)),
        ("lookback", recursive if line.lookback is None else f"{counted(line.lookback, 'bar')} before the current one"),
        ("compares symbols", "yes: with the universe's members" if line.looks_across else "no"),
        ("follows the level of prices", "yes: models refuse it by default" if line.raw_level else "no"),
        ("cost", counted(line.steps, "step")),
        ("key", card.key),
    ]
    if card.cpu_ns_per_bar is not None:
        rows.insert(-1, ("measured", f"{card.cpu_ns_per_bar:,.1f} ns of one processor per bar, computed alone"))
    return rows


def _state(verdict: "Verdict") -> Any:
    if verdict.passed is None:
        return colored("not asked", "yellow")
    return colored("pass", "green") if verdict.passed else colored("fail", "bold red")


def _why(verdict: "Verdict") -> str:
    found = verdict.difference
    if found is None:
        return verdict.reason
    more = f", and {found.values - 1:,} more" if found.values > 1 else ""
    return f"{found.symbol} on {found.session}: {found.found:.7g} instead of {found.expected:.7g}{more}"
