"""`aitrader report`: one session of a book, as a page."""

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aitrader.cli.options import Outcome, Run, command, day
from aitrader.cli.render import colored, table
from aitrader.cli.tables import percent, shares, usd

if TYPE_CHECKING:
    from aitrader.reports.daily import DailyView, DecisionLine

Session = Annotated[
    date | None,
    typer.Option("--session", parser=day, metavar="DATE", help="A session of the book; default: its last."),
]


@command
def report(run: Run, session: Session = None) -> Outcome:
    """Draw one session of a book.

    Shows the decision with its target weights, the orders, what was filled and at what price against the plan, what
    the limits refused, what is latched or held back, and the book with its equity so far. Keeps one self-contained
    HTML page, and the same as JSON, under data_lake/reports.
    """
    from aitrader.jobs.report import Asked
    from aitrader.jobs.report import report as job
    from aitrader.reports.daily import warned

    made = job(run.config, run.root, Asked(run.visit, session, run.loaded.origins))
    flags = [colored(one.text, {"red": "bold red", "amber": "yellow"}.get(one.level, "")) for one in warned(made.day)]
    shown = [*flags, *_tables(made.day), f"Kept in {made.report}"]
    return Outcome(made, shown, made.warnings)


def _tables(found: "DailyView") -> list[Any]:
    from aitrader.reports.daily import valued_at

    standing = found.standing
    facts = [
        ("equity, USD", f"{usd(standing.equity) or '-'} {valued_at(standing)}"),
        ("change over the close before", percent(standing.change, signed=True)),
        ("below its peak", percent(standing.drawdown)),
        ("cash, USD", usd(standing.cash)),
        ("decisions", ", ".join(map(_decision, found.decisions)) or "none was due"),
        ("orders", f"{len(found.orders)} sent or open, {len(found.refusals)} refused"),
        ("fills", f"{len(found.fills)}; fees {usd(found.fees)}, slippage against plan {usd(found.slippage)} USD"),
    ]
    held = [
        (
            one.symbol,
            shares(one.quantity),
            usd(one.price),
            percent(one.weight),
            percent(one.gain, signed=True),
        )
        for one in found.positions
    ]
    shown = [table(f"Book {found.book}, {found.session}", ("", ""), facts)]
    if held:
        shown.append(table("Positions", ("symbol", "shares", "price", "weight", "gain"), held))
    return shown


def _decision(one: "DecisionLine") -> str:
    return f"{one.decision} (not made)" if one.refused else one.decision
