"""`aitrader explain`: one symbol from its bars to its rank."""

from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aitrader.cli.options import AsOf, Outcome, Run, command
from aitrader.cli.render import colored, table
from aitrader.cli.scan import AllowRejected, Scanner, Strategy

if TYPE_CHECKING:
    from aitrader.jobs.explain import Explanation

_SHOWN: Final = 12
"""Features that the table shows; --json has all."""
_PASSED: Final = {None: ("not reached", "dim"), True: ("pass", "green"), False: ("stopped", "bold red")}


@command
def explain(
    run: Run,
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="A ticker, such as BRK.B.")],
    scanner: Scanner = None,
    strategy: Strategy = None,
    allow_rejected: AllowRejected = False,
    as_of: AsOf = None,
) -> Outcome:
    """Say why one symbol is a candidate, or why it is not.

    Shows its last bars, the filters it passed, each feature with its percentile among the members and what it adds to
    the score, its rank, what the strategies would do with it, and which limit would forbid that.
    """
    from aitrader.jobs.assembly.sight import Asked
    from aitrader.jobs.explain import explain as job

    asked = Asked(scanner, strategy, run.now, as_of, allow_rejected, run.run_id, run.loaded.origins)
    found = job(run.config, run.root, symbol, asked, clock=run.clock, progress=run.progress)
    return Outcome(found, _tables(found), found.warnings)


def _tables(found: "Explanation") -> list[Any]:
    rank = f"rank {found.rank} of {found.scored}, score {found.score:+.4f}" if found.rank else "no rank"
    bars = [
        (one.session, *(f"{price:,.2f}" for price in (one.open, one.high, one.low, one.close)), f"{one.volume:,.0f}")
        for one in found.bars
    ]
    steps = [(one.name, colored(*_PASSED[one.passed]), one.reason) for one in found.steps]
    shown = [
        table(
            f"{found.symbol} after {found.session}: {rank}", ("session", "open", "high", "low", "close", "volume"), bars
        ),
        table(f"Filters of scanner {found.scanner}", ("filter", "", "why not"), steps),
    ]
    if found.values:
        shown.append(_values(found))
    return [*shown, *_plan(found)]


def _values(found: "Explanation") -> Any:
    rows: list[tuple[Any, ...]] = [
        (one.name, one.value, _place(one.percentile), _signed(one.contribution)) for one in found.values[:_SHOWN]
    ]
    others = found.values[_SHOWN:]
    if others:
        rest = sum(one.contribution for one in others)
        rows.append((f"{len(others)} more (--json)", None, None, _signed(rest)))
    if isfinite(found.base):
        rows.append(("base", None, None, _signed(found.base)))
        rows.append(("score", None, None, _signed(found.score)))
    return table("What the score is made of", ("feature", "value", "above", "adds"), rows)


def _plan(found: "Explanation") -> list[Any]:
    if found.plan is None:
        return []
    plan = found.plan
    rows: list[tuple[str, Any]] = [(f"weight in {name}", f"{weight:.1%}") for name, weight in plan.weights.items()]
    rows += [("weight in the book", f"{plan.weight:.1%}"), ("order", plan.order)]
    verdict = colored(plan.forbidden, "bold red") if plan.forbidden else colored("pass", "green")
    rows.append(("limits", verdict if plan.ordered else None))
    return [table(f"From an empty book of {plan.equity:,.0f} USD", ("", ""), rows)]


def _place(percentile: float) -> str | None:
    return f"{percentile:.0%}" if isfinite(percentile) else None


def _signed(value: float) -> str | None:
    return f"{value:+.4f}" if isfinite(value) else None
