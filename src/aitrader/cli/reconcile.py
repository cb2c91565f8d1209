"""`aitrader reconcile`: our book and the broker's."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aitrader.cli.options import Outcome, Run, command
from aitrader.cli.render import colored, table
from aitrader.domain.wording import counted

if TYPE_CHECKING:
    from aitrader.jobs.reconcile import Reconciliation

Accept = Annotated[
    bool, typer.Option("--accept", help="Take the account's word for what differs, and trade held symbols again.")
]
Rebuild = Annotated[
    bool, typer.Option("--rebuild", help="Write a new journal from the account; the old one is kept beside.")
]
Force = Annotated[bool, typer.Option("--force", help="With --rebuild: also where the journal is sound.")]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why, for the journal; needed with --accept and --rebuild.")
]


@command
def reconcile(
    run: Run, accept: Accept = False, rebuild: Rebuild = False, force: Force = False, reason: Reason = ""
) -> Outcome:
    """Compare our book with the broker's account.

    Exits 0 where positions, cash, orders and fills agree, else 5. Only looks: what the account did since the last run
    is booked in memory. With --accept it is booked for good, what differs then is adjusted to the account's word with
    the reason, and held symbols are released.

    A journal that is damaged, missing or of another account is rebuilt with --rebuild: the old files are kept beside,
    orders and fills are written again from the account, and the book begins with HALT, because what was latched before
    is not known. A sound journal whose fills are not the account's (a copy of either was put back) can only be rebuilt,
    with --force: its decisions are kept, and ids that left are not used again.
    """
    from aitrader.jobs.reconcile import Asked
    from aitrader.jobs.reconcile import reconcile as job

    found = job(run.config, run.root, Asked(run.visit, accept, rebuild, force, reason, run.loaded.origins))
    if found.agreed:
        return Outcome(found, _tables(found))
    return Outcome(found, _tables(found), status="failed", exit_code=5)


def _tables(found: "Reconciliation") -> list[Any]:
    shown = _compared(found)
    if found.unbooked:
        counted = ", ".join(f"{count} {name}" for name, count in found.unbooked.items())
        shown.append(f"Not in the journal yet: {counted}; the next `aitrader trade` books them.")
    for row in found.accepted:
        moved = f"{row.quantity:+f} shares of {row.symbol}" if row.symbol else f"{row.cash:+,.2f} USD"
        shown.append(f"Accepted: {moved}.")
    if found.released:
        shown.append(f"Released: {', '.join(found.released)}.")
    if found.kept:
        shown.append(f"The old journal is kept: {', '.join(found.kept)}.")
        shown.append(f"HALT is shut. Look at the book, then `aitrader resume --account {found.account}`.")
    return shown


def _compared(found: "Reconciliation") -> list[Any]:
    from aitrader.jobs.reconcile import FORCED

    if not found.differences:
        agreed = f"Book {found.book} and account {found.account} agree"
        return [colored(f"{agreed}: {counted(found.positions, 'position')} and {found.cash:,.2f} USD", "bold green")]
    rows = [(one.kind, str(one.symbol), f"{one.ours:f}", f"{one.theirs:f}", one.text) for one in found.differences]
    shown: list[Any] = [table(f"Book {found.book} and account {found.account} differ", _COLUMNS, rows)]
    if any(one.kind == "fills" for one in found.differences):
        shown.append(f"Fills that still differ after a minute are not accepted, the journal is rebuilt: {FORCED}.")
    return shown


_COLUMNS = ("what", "symbol", "here", "at the broker", "in words")
