"""``aitrader backtest``: the past replayed, and every reason to doubt it."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aitrader.cli.options import AsOf, EndDate, Outcome, Run, StartDate, command
from aitrader.cli.render import colored, table
from aitrader.domain.wording import counted
from aitrader.reports.figures import Unit, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aitrader.jobs.backtest import BacktestReport
    from aitrader.reports.backtest import Doubt

Strategy = Annotated[
    str | None,
    typer.Option("--strategy", metavar="NAME", help="Only this strategy; default: all of the book together."),
]
AllowRejected = Annotated[
    bool, typer.Option("--allow-rejected", help="Use the newest model even if it did not pass its gate.")
]

_COLORS: Final = {"good": "green", "neutral": "yellow", "bad": "bold red"}
_COLUMNS: Final = ("return a year", "Sharpe", "max drawdown")


@command
def backtest(
    run: Run,
    strategy: Strategy = None,
    start: StartDate = None,
    end: EndDate = None,
    allow_rejected: AllowRejected = False,
    as_of: AsOf = None,
) -> Outcome:
    """Replay the past, and doubt the result.

    Decisions see bars and out-of-fold predictions up to their session; orders pass the same limits as live ones and
    are filled in the next session, with costs. Beside the result stand equal weight of all members (same days, same
    costs) and cash; where a breaker would have halted the book, the result up to there too. Then come the doubts:
    costs doubled, entry one session later, models trained on shuffled labels, without the ten best days, how many
    settings were tried, what is wrong with the universe. By default it begins with the first out-of-fold session. Exit
    3 when no model passed its gate; `--allow-rejected` shows it anyway.
    """
    from aitrader.jobs.assembly.past import Asked
    from aitrader.jobs.backtest import backtest as job

    asked = Asked(strategy, start, end, allow_rejected, run.now, run.run_id, run.loaded.origins, as_of)
    report = job(run.config, run.root, asked, clock=run.clock, progress=run.progress)
    return Outcome(report, list(_shown(report)), report.warnings)


def _shown(report: "BacktestReport") -> "Iterator[Any]":
    yield _performances(report)
    yield from _facts(report)
    columns = ("doubt", "return", "Sharpe", "fall", "verdict", "what it says")
    yield table("Doubts", columns, [_row(doubt) for doubt in report.doubts])
    for doubt in report.doubts:
        if doubt.name in {"survivorship", "hand-picked"} and doubt.verdict == "bad":
            yield colored(f"{doubt.name}: {doubt.sentence}", "bold red")
    yield colored(f"report: {report.report}", "bold")


def _performances(report: "BacktestReport") -> Any:
    measures: tuple[tuple[str, str, Unit], ...] = (
        ("return a year", "annual_return", "fraction"),
        ("Sharpe", "sharpe", "ratio"),
        ("max drawdown", "max_drawdown", "fraction"),
        ("volatility", "volatility", "fraction"),
        ("total return", "total_return", "fraction"),
    )
    shown = {one.name: one for one in report.performances}
    if report.halted:
        asked, *others = report.performances
        shown = {f"{asked.name}, halted {report.halted.until}": report.halted.performance}
        shown |= {f"{asked.name}, no breakers": asked} | {one.name: one for one in others}
    rows = [[name, *(show(getattr(one, key), unit) for one in shown.values())] for name, key, unit in measures]
    title = f"Backtest of {report.strategy}, {report.start} to {report.end}"
    return table(title, ("", *shown), rows)


def _facts(report: "BacktestReport") -> "Iterator[str]":
    models = ", ".join(f"{model.name} {model.version} ({model.status})" for model in report.models) or "none"
    yield (
        f"{counted(report.sessions, 'session')}, {counted(report.symbols, 'symbol')} of {report.source}, "
        f"{report.cash:,} USD at the start, {report.final_equity:,.0f} at the end; model: {models}"
    )
    traded = (f"{one.name.lower()} {show(one.value, one.unit)}" for one in (*report.trades, *report.costs))
    yield f"{'; '.join(traded)}\n"


def _row(doubt: "Doubt") -> tuple[Any, ...]:
    figures = {figure.name: show(figure.value, figure.unit) for figure in doubt.figures}
    others = "; ".join(f"{name}: {value}" for name, value in figures.items() if name not in _COLUMNS)
    said = f"{doubt.sentence} ({others})" if others else doubt.sentence
    return (
        doubt.name,
        *(figures.get(name) for name in _COLUMNS),
        colored(doubt.verdict, _COLORS[doubt.verdict]),
        colored(said, "red") if doubt.verdict == "bad" else said,
    )
