"""`aitrader scan`: candidates with their reasons."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aitrader.cli.options import AsOf, Outcome, Run, command
from aitrader.cli.render import colored, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aitrader.jobs.scan import ScanReport

Scanner = Annotated[
    str | None, typer.Option("--scanner", metavar="NAME", help="A scanner of the configuration; default: the first.")
]
Strategy = Annotated[
    str | None, typer.Option("--strategy", metavar="NAME", help="Ask only this strategy what it would hold.")
]
AllowRejected = Annotated[
    bool, typer.Option("--allow-rejected", help="Use the newest model even if it did not pass its gate.")
]


@command
def scan(
    run: Run,
    scanner: Scanner = None,
    strategy: Strategy = None,
    allow_rejected: AllowRejected = False,
    as_of: AsOf = None,
) -> Outcome:
    """List today's candidates and the reasons for them.

    Works on the last session that had closed and was known (with --now: by then). A model decides only on sessions
    after everything it was trained on; otherwise the scan is refused with exit code 3, and so are scores that are all
    equal or no numbers. Beside the candidates stand what the strategies would hold of an empty book, and which limit
    would refuse it. The result is kept under data_lake/reports.
    """
    from aitrader.jobs.assembly.sight import Asked
    from aitrader.jobs.scan import scan as job

    asked = Asked(scanner, strategy, run.now, as_of, allow_rejected, run.run_id, run.loaded.origins)
    report = job(run.config, run.root, asked, clock=run.clock, progress=run.progress)
    return Outcome(report, _tables(report), report.warnings)


def _tables(report: "ScanReport") -> list[Any]:
    holdings = {one.symbol: one for one in report.holdings}
    rows = [
        (
            one.rank,
            one.symbol,
            f"{one.score:+.4f}",
            f"{one.price:,.2f}",
            _share(one.weight) if one.symbol in holdings else None,
            "\n".join(reason.text for reason in one.reasons),
        )
        for one in report.candidates
    ]
    title = f"Candidates after {report.session}: scanner {report.scanner}"
    caption = f"{report.scored} of {report.symbols} symbols of {report.source} scored"
    shown = [*_flags(report), table(title, ("", "symbol", "score", "close", "weight", "why"), rows, caption=caption)]
    layers = [(one.name, one.reached, one.remaining, _dropped(list(one.dropped.items()))) for one in report.layers]
    shown.append(table("Filters", ("filter", "reached", "left", "dropped"), layers))
    if report.strategies:
        held = [
            (one.symbol, _share(one.weight), f"{one.shares:,.0f}", f"{one.price:,.2f}", _refused(one.refused))
            for one in report.holdings
        ]
        heading = f"{', '.join(report.strategies)} would hold, of {report.equity:,.0f} USD in cash"
        shown.append(table(heading, ("symbol", "weight", "shares", "close", "limits"), held))
    return [*shown, *_models(report), f"Kept in {report.report}"]


def _models(report: "ScanReport") -> list[Any]:
    if not report.models:
        return []
    rows = [
        (
            one.name,
            one.version,
            colored(one.status, "green" if one.status == "passed" else "bold red"),
            f"{one.label_end}{' (out of fold)' if one.out_of_fold else ''}",
        )
        for one in report.models
    ]
    return [table("Models", ("model", "version", "gate", "learned up to"), rows)]


def _flags(report: "ScanReport") -> list[Any]:
    """Return what makes these candidates worth less than they look."""
    lines = {
        "Survivors only: every symbol lived to the last day, names that failed are missing.": (
            report.survivors_only,
            "bold red",
        ),
        "Hand-picked universe: somebody chose these symbols.": (report.hand_picked, "yellow"),
        "Adjusted prices: sizes and fees are approximate.": (report.adjusted, "yellow"),
    }
    return [colored(line, style) for line, (true, style) in lines.items() if true]


def _dropped(dropped: "Sequence[tuple[str, str]]") -> str:
    shown = [f"{symbol} ({reason})" for symbol, reason in dropped[:2]]
    return "; ".join([*shown, f"{len(dropped) - 2} more"] if len(dropped) > 2 else shown)


def _share(weight: float) -> str:
    return f"{weight:.1%}"


def _refused(reason: str) -> Any:
    return colored(reason, "bold red") if reason else colored("pass", "green")
