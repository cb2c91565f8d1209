"""`aitrader explain`: one symbol from its bars to its rank, and through the limits to its orders."""

from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aitrader.cli.options import AsOf, Outcome, Run, command
from aitrader.cli.render import colored, table
from aitrader.cli.scan import AllowRejected, Scanner, Strategy

if TYPE_CHECKING:
    from aitrader.jobs.assembly.trace import Sent, Trace
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
    the score and its rank. Then what the last decision of the book wanted of it, what the limits and the broker said,
    what was filled and what is held now; where there is no book yet, what the strategies would do with an empty one.
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
    return [*shown, *(_plan(found) if found.trace is None else _trace(found.trace))]


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


def _trace(found: "Trace") -> list[Any]:
    rows: list[tuple[str, Any]] = [("decided after", f"{found.decision}, with {_named(found)}")]
    rows += [(f"weight in {name}", f"{weight:.1%}") for name, weight in found.by_strategy.items()]
    rows += [("weight in the book", f"{found.weight:.1%}")]
    for order in found.orders:
        rows += _order(order)
    if not found.orders:
        rows.append(("order", "none was planned"))
    cost = f" at an average cost of {found.average_cost:.4f} USD" if found.average_cost is not None else ""
    rows.append(("held now", f"{found.quantity:f} shares{cost}"))
    stops = {"held back": found.held, "latched": ", ".join(found.latches), "no later decision": found.refused}
    rows += [(name, colored(text, "bold red")) for name, text in stops.items() if text]
    return [table(f"In the book {found.book}", ("", ""), rows)]


def _order(order: "Sent") -> list[tuple[str, Any]]:
    refused = order.review not in {"", "passed"}
    answer = ", ".join(filter(None, (order.answer, order.status)))
    fills = [
        ("fill", f"{one.quantity:f} at {one.price:.4f}, fee {one.fee:.2f}, {one.at:%Y-%m-%d %H:%M} UTC")
        for one in order.fills
    ]
    return [
        ("order", order.order),
        ("limits", colored(order.review, "bold red" if refused else "green") if order.review else None),
        ("broker", answer or None),
        *fills,
    ]


def _named(found: "Trace") -> str:
    return ", ".join(f"{name} {version}" for name, version in found.models.items()) or "no model"


def _place(percentile: float) -> str | None:
    return f"{percentile:.0%}" if isfinite(percentile) else None


def _signed(value: float) -> str | None:
    return f"{value:+.4f}" if isfinite(value) else None
